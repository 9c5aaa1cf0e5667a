// How long a pit may execute one request. One that takes longer hangs, and the pit is replaced.   Layer: base.
// Threads: plain values.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <symphony/clock.hpp>

namespace symphony {

struct TimeBudgets {
  struct OfType {
    std::uint32_t type = 0;  // type_id() of the message
    TimeNs ns = 0;
    friend bool operator==(const OfType&, const OfType&) = default;
  };

  TimeNs each_ns = 0;            // of a type that is not listed; 0: without an end
  std::vector<OfType> of_types;  // each type once, at most time_budgets_max

  [[nodiscard]] bool empty() const noexcept { return each_ns == 0 && of_types.empty(); }
  // 0: without an end.
  [[nodiscard]] TimeNs of(std::uint32_t type) const noexcept {
    const auto is_it = [&](const OfType& one) { return one.type == type; };
    const auto found = std::find_if(of_types.begin(), of_types.end(), is_it);
    return found == of_types.end() ? each_ns : found->ns;
  }
  // Precondition: not empty.
  [[nodiscard]] TimeNs smallest() const noexcept {
    TimeNs least = each_ns != 0 ? each_ns : of_types.front().ns;
    for (const OfType& one : of_types) least = std::min(least, one.ns);
    return least;
  }
  [[nodiscard]] TimeNs largest() const noexcept {
    TimeNs most = each_ns;
    for (const OfType& one : of_types) most = std::max(most, one.ns);
    return most;
  }
  friend bool operator==(const TimeBudgets&, const TimeBudgets&) = default;
};

inline constexpr TimeNs time_budget_min_ns = 10 * ms_ns;
inline constexpr TimeNs time_budget_max_ns = 3600 * second_ns;
inline constexpr std::size_t time_budgets_max = 64;

}  // namespace symphony
