// What stands between a host and the pit of an instance that a case leads by hand: it marks which of the pit's
// functions runs, for whoever has to say where the pit died or hangs; it keeps exceptions that come out of one; and it
// refuses what the pit asks for, as a host may.   Layer: tools/pit_check. Threads: one. The mark is read by the parent
// process when the child is gone.
#pragma once

#include <symphony/pit.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace symphony::pit_check {

enum class Hook : std::uint8_t {
  none,
  create,
  init,
  start,
  handle,
  timer,
  drain,
  snapshot,
  restore,
  stop,
  destroy,
  beginning,  // of a pit in another process: create, init or start
};
[[nodiscard]] std::string_view to_string(Hook hook) noexcept;

// What the pit does not get, from now on.
struct Refusals {
  bool claims = false;                        // OVERLOADED
  bool publishing = false;                    // DENIED
  bool calls = false;                         // OVERLOADED
  bool timers = false;                        // OVERLOADED
  std::optional<std::size_t> sink_room{};     // bytes that a snapshot's sink takes, then OVERLOADED
  std::optional<std::size_t> source_gives{};  // bytes that a restore's source gives, then OVERLOADED
};

// One a process: a pit's functions have no place for a context of ours.
class Between {
 public:
  using Mark = std::atomic<std::uint8_t>;

  [[nodiscard]] static Between& of_this_process() noexcept;
  // The pit's table as its host is to see it. One pit at a time.
  [[nodiscard]] const symphony_pit_entry& show(const symphony_pit_entry& pit);

  // Before a case: nothing is refused, nothing was kept.
  void begin() noexcept {
    refuse({});
    escaped_.clear();
  }
  void refuse(const Refusals& what) noexcept {
    refusals_ = what;
    refused_ = 0;
  }
  [[nodiscard]] std::uint64_t refused() const noexcept { return refused_; }
  // "drain() let an exception out: WHAT", of the first; empty: none did.
  [[nodiscard]] const std::string& escaped() const noexcept { return escaped_; }
  // Where the hook that runs is marked from now on.
  void mark_in(Mark& mark) noexcept { mark_ = &mark; }
  // Marks what a pit in another process is asked for, while it is asked.
  class Asked;

 private:
  struct Functions;  // the pit's and the host's, as the other side calls them
  template <class Call>
  std::int32_t run(Hook hook, Call&& call) noexcept;
  std::int32_t refusal(std::int32_t status) noexcept {
    ++refused_;
    return status;
  }

  symphony_pit_entry pit_{};
  symphony_pit_entry shown_{};
  Refusals refusals_{};
  std::uint64_t refused_ = 0;
  std::string escaped_;
  Mark own_mark_{0};
  Mark* mark_ = &own_mark_;
};

class Between::Asked {
 public:
  explicit Asked(Hook hook) noexcept;
  Asked(const Asked&) = delete;
  Asked& operator=(const Asked&) = delete;
  ~Asked();

 private:
  const std::uint8_t outer_;
};

}  // namespace symphony::pit_check
