// How long to spin before sleeping.   Layer: wait.
// Threads: one thread; a plain value beside the wait loop.
#pragma once

#include <algorithm>
#include <thread>

#include <symphony/clock.hpp>

#include "bus/base/platform.hpp"

namespace symphony::detail {

enum class WaitMode : std::uint8_t {
  adaptive,  // spin as long as it has paid off lately, then sleep
  spin,      // never sleep: both sides have a core to themselves
  sleep,     // never spin
};

// Learns from each wait: one that ended shortly after falling asleep should have spun longer, one that slept long
// should have slept at once. The longest spin covers a peer's wake-up on a busy machine (40 us on an idle one): with
// less, two sides that once slept keep each other asleep, each one's wait being as long as the other's wake-up.
class SpinBudget {
 public:
  static constexpr TimeNs max_ns = 150 * us_ns;
  static constexpr TimeNs min_ns = 2 * us_ns;

  explicit SpinBudget(WaitMode mode = WaitMode::adaptive) noexcept : mode_(mode) {}

  [[nodiscard]] TimeNs ns() const noexcept {
    return mode_ == WaitMode::spin ? no_deadline_ns : mode_ == WaitMode::sleep ? 0 : budget_ns_;
  }
  // A wait that spun through the whole budget and then slept, in all `waited_ns`.
  void slept(TimeNs waited_ns) noexcept {
    budget_ns_ = waited_ns < 2 * max_ns ? std::min(max_ns, budget_ns_ * 2) : std::max(min_ns, budget_ns_ / 2);
  }

 private:
  WaitMode mode_;
  TimeNs budget_ns_ = max_ns;
};

// Polls between two looks at the clock: reading it costs as much as a short wait.
inline constexpr int polls_per_clock_read = 32;

// Looks before the clock is read at all: a quick answer is here before.
inline constexpr int polls_without_clock = 32;

// From here on a spinning thread gives its processor away between polls: when there are more threads than processors,
// the one it waits for may need this one.
inline constexpr TimeNs yield_after_ns = 2 * us_ns;

// Calls glance() until it says true or `until_ns` has passed; when it does, and with each look at the clock, ready(),
// whose yes ends the wait. glance() is one load, so that what comes is seen at once; ready() looks at everything.
// Returns the last answer of ready().
template <class Glance, class Ready>
[[nodiscard]] bool spin_until(Glance&& glance, Ready&& ready, TimeNs until_ns) noexcept {
  for (TimeNs yield_from_ns = 0;;) {
    for (int i = 0; i < polls_per_clock_read; ++i) {
      if (glance() && ready()) return true;
      cpu_relax();
    }
    if (ready()) return true;
    const TimeNs now = now_ns();
    if (now >= until_ns) return false;
    if (yield_from_ns == 0) yield_from_ns = now + yield_after_ns;
    if (now >= yield_from_ns) std::this_thread::yield();
  }
}

// Calls ready() until it says true or `until_ns` has passed.   Returns the last answer.
template <class Ready>
[[nodiscard]] bool spin_until(Ready&& ready, TimeNs until_ns) noexcept {
  return spin_until([] { return true; }, ready, until_ns);
}

}  // namespace symphony::detail
