// Many threads call one pit: each gets a link of its own at its first call, which goes when the thread ends.
// Layer: hosting.
// Where a thread can have none, because the table is full or the pit takes no more links, it gets a place at something
// that threads share, and asks for a link of its own again when one may be free.
// Invariants:
//   T1  at most `own_max` links are open at a time
//   T2  what a thread was given is closed when it ends, and all of it when the ThreadLinks goes
// Threads: call() any. Nothing is locked while a call is under way; the lock here is held to add or remove a thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "pits/hosting/host.hpp"

namespace symphony::pit {

class ThreadLinks final : public SharedLink {
 public:
  // After the pit or its broker took no further link, a thread that shares one asks again.
  static constexpr TimeNs ask_again_after_ns = 1 * second_ns;

  // Makes something for the calling thread. OVERLOADED: there is none left.
  using Open = std::function<Outcome(TimeNs deadline_ns, std::unique_ptr<Caller>& out)>;
  struct Options {
    Open own{};
    std::uint32_t own_max = 0;
    Open spare{};  // null: calls of threads that can have no link end as OVERLOADED
  };

  explicit ThreadLinks(Options options);
  ~ThreadLinks() override;

  // BAD_STATE: from inside this thread's own call of the same pit, or when the thread is so far in its end that it has
  // no links any more. Else as the link says, or as open() says for a thread that could not be given any.
  Reply call(const Request& request) noexcept override;

  // How many threads have a link of their own now.   [any thread]
  [[nodiscard]] std::uint32_t own_links() const noexcept;

 private:
  friend class ThreadSeats;
  struct Seat;
  class Table;
  std::shared_ptr<Table> table_;
  const std::uint64_t number_;  // of this object, never given twice: what a thread finds its seat by
};

}  // namespace symphony::pit
