// When a thread that holds others to their time budgets looks next, and how late it came.   Layer: hosting (bus/base).
// A look that comes late by more than it was to wait had a machine or a process that stood still: what was watched
// stood still with it, and is given that time. Threads: the one that looks.
#pragma once

#include <algorithm>

#include <symphony/clock.hpp>

namespace symphony::pit {

class Looks {
 public:
  static constexpr TimeNs min_ns = ms_ns;
  static constexpr TimeNs max_ns = 10 * ms_ns;

  // Begins a look: how much longer everybody gets who was there at the last one.
  [[nodiscard]] TimeNs late_ns(TimeNs now) const noexcept {
    return now - due_ns_ > due_ns_ - looked_ns_ ? now - due_ns_ : 0;
  }
  // How soon who has that budget is to be looked at again: a tenth of it is how late its end may be noticed.
  [[nodiscard]] static TimeNs wanted_ns(TimeNs budget_ns) noexcept {
    return std::clamp(budget_ns / 10, min_ns, max_ns);
  }
  // The earlier of the two; 0: there is none.
  [[nodiscard]] static TimeNs sooner(TimeNs one, TimeNs other) noexcept {
    return one == 0 || other == 0 ? std::max(one, other) : std::min(one, other);
  }
  // Ends it: the next one is to come in `next_ns`.
  void done(TimeNs now, TimeNs next_ns) noexcept {
    looked_ns_ = now;
    due_ns_ = now + next_ns;
  }

 private:
  TimeNs looked_ns_ = 0, due_ns_ = 0;
};

}  // namespace symphony::pit
