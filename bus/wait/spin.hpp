// How long to spin before sleeping.   Layer: wait.
// Threads: one thread; a plain value beside the wait loop.
#pragma once

#include <algorithm>

#include <symphony/clock.hpp>

#include "bus/base/platform.hpp"

namespace symphony::detail {

enum class WaitMode : std::uint8_t {
  adaptive,  // spin as long as it has paid off lately, then sleep
  spin,      // never sleep: both sides have a core to themselves
  sleep,     // never spin
};

// Learns from each wait: one that ended shortly after falling asleep should have spun longer, one that slept long
// should have slept at once. A wake-up costs about 40 us for both sides together, so spinning longer than that never
// pays.
class SpinBudget {
 public:
  static constexpr TimeNs max_ns = 40 * us_ns;
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
inline constexpr int polls_per_clock_read = 64;

// Calls ready() until it says true or `until_ns` has passed.   Returns the last answer.
template <class Ready>
[[nodiscard]] bool spin_until(Ready&& ready, TimeNs until_ns) noexcept {
  for (;;) {
    for (int i = 0; i < polls_per_clock_read; ++i) {
      if (ready()) return true;
      cpu_relax();
    }
    if (now_ns() >= until_ns) return false;
  }
}

}  // namespace symphony::detail
