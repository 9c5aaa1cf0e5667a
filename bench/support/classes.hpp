// Pairs of processes sorted into placement classes by their raw round trip, and the spread within one.   Layer: bench.
//
// Where two processes' lines land decides how long a line travels, and what a stream gains or loses by that is another
// thing in each class: throughput is never pooled over classes. The classes of a run are cut at the gaps of its own
// sorted round trips, because absolute times mean nothing on another machine.
// Threads: pure functions.
#pragma once

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <vector>

namespace symphony::bench {

// Neighbours in sorted order that differ by more than this factor are of different classes; so is one pair whose round
// trip changed by more while it ran.
inline constexpr double class_gap = 1.25;

// Which class each value is in, numbered from 0 in order of rising values.
inline std::vector<std::size_t> classes_of(const std::vector<double>& round_trips_ns) {
  std::vector<std::size_t> order(round_trips_ns.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return round_trips_ns[a] < round_trips_ns[b]; });
  std::vector<std::size_t> classes(round_trips_ns.size(), 0);
  std::size_t current = 0;
  for (std::size_t i = 1; i < order.size(); ++i) {
    if (round_trips_ns[order[i]] > class_gap * round_trips_ns[order[i - 1]]) ++current;
    classes[order[i]] = current;
  }
  return classes;
}

[[nodiscard]] constexpr bool changed_class(double before_ns, double after_ns) noexcept {
  return before_ns > class_gap * after_ns || after_ns > class_gap * before_ns;
}

// The class with the most members; of equals the one with the shorter round trip.
inline std::size_t largest_class(const std::vector<std::size_t>& classes) {
  std::vector<std::size_t> sizes;
  for (const std::size_t c : classes) {
    if (c >= sizes.size()) sizes.resize(c + 1);
    ++sizes[c];
  }
  return static_cast<std::size_t>(std::max_element(sizes.begin(), sizes.end()) - sizes.begin());
}

struct Quantiles {
  double p5 = 0, p50 = 0, p95 = 0;
};

// Nearest rank; precondition: at least one value.
inline Quantiles quantiles_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) {
    return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1) + 0.5)];
  };
  return {at(0.05), at(0.5), at(0.95)};
}

}  // namespace symphony::bench
