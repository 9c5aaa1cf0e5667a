// One link that many threads call over: they submit their calls, and the one thread that owns the link sends them and
// hands out the endings.   Layer: hosting/process (contract, bus/base, endpoint).
// For threads that can have no link of their own. The calls stand in the ring together, so one that the pit answers
// late holds up no other; a caller sleeps on a word of its own and holds no lock. Invariants:
//   Q1  a call that was submitted is ended once, by the owner, at its deadline at the latest
//   Q2  at most `waiting_max` calls wait to be sent; one more ends as OVERLOADED
// Threads: callers any, one at a time for each of what open() made; the link is the owner's alone.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <mutex>

#include <symphony/endpoint.hpp>

#include "pits/hosting/host.hpp"

namespace symphony::pit {

class LinkQueue {
 public:
  static constexpr std::int64_t default_waiting_max = 4096;

  explicit LinkQueue(symphony::Link link, std::int64_t waiting_max = default_waiting_max);
  LinkQueue(const LinkQueue&) = delete;
  LinkQueue& operator=(const LinkQueue&) = delete;
  ~LinkQueue();  // precondition: nobody calls. A forked child leaves the owner be

  // A place for one thread, which keeps the queue alive; the first one starts the owner. OVERLOADED: no memory, or no
  // thread can be started. FORKED.   [any thread]
  static Outcome open(const std::shared_ptr<LinkQueue>& queue, std::unique_ptr<Caller>& out);

 private:
  struct Job;
  class Owner;
  class Place;
  [[nodiscard]] bool is_in_child() const noexcept;

  const pid_t pid_;
  const std::int64_t waiting_max_;
  symphony::Link link_;  // the owner's, once it is started
  std::mutex mutex_;     // guards the owner being started
  std::unique_ptr<Owner> owner_;
};

}  // namespace symphony::pit
