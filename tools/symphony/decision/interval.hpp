// Where the same measurement would lie again.   Layer: tools. Threads: pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace symphony::tools {

// The geometric mean of positive values, one a round, and where the mean of as many further rounds lies in 95, or 99.9,
// of 100 cases: by Student's t on their logarithms. One round has no interval: low and high are the value.
struct Interval {
  double value = 0;
  double low = 0, high = 0;          // 95 %
  double low_999 = 0, high_999 = 0;  // 99.9 %
  double spread = 0;                 // standard deviation of the logarithms
  std::size_t n = 0;
};
// Precondition: at least one value, all above 0.
[[nodiscard]] Interval interval_of(const std::vector<double>& values);

// Two such means side by side: b over a.
struct Difference {
  double ratio = 1;
  double low = 1, high = 1;   // 99.9 %: many are compared at once
  bool beyond_noise = false;  // 1 is not between the two, and the ratio is beyond `least`
};
inline constexpr double least_difference = 0.03;  // a smaller one is none, however sure
[[nodiscard]] Difference difference_of(const Interval& a, const Interval& b);

}  // namespace symphony::tools
