// What the pairs of one point say together.   Layer: bench.
//
// A point is one peer, one pattern and one size, measured in pairs of fresh processes. Its ratio is ours over the
// peer's: of times for round trips, of messages a second for streams. Ratios of streams differ by where the two
// processes' lines land, so they are reported of the largest placement class (bench/support/classes.hpp), the other
// classes beside it; round trips gain and lose alike and count together. Threads: pure functions.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "bench/peers/known.hpp"
#include "bench/support/classes.hpp"
#include "bench/support/yardstick.hpp"

namespace symphony::bench::peers {

// As a program symphony-peer-* prints it.
struct MeasuredPair {
  double ours_ns = 0;
  double peer_ns = 0;
  double self_ratio = 1;
  double raw_before_ns = 0;
  double raw_after_ns = 0;
};

struct ClassSummary {
  std::size_t pairs = 0;
  double raw_ns = 0;  // medians, this one and the next two
  double ours_ns = 0;
  double peer_ns = 0;
  double ratio = 0;  // the median, the least and the largest over the pairs
  double ratio_min = 0;
  double ratio_max = 0;
};

struct Summary {
  ClassSummary main;                 // what is reported
  std::vector<ClassSummary> others;  // of a stream: never pooled with it
  double self_ratio = 1;             // of the main class
  std::size_t changed = 0;           // pairs that moved to another class while they ran
  std::size_t disturbed = 0;         // repeated, because others took processor time; filled in by who measures
  bool conclusive = false;
};

[[nodiscard]] constexpr double ratio_of(Pattern pattern, const MeasuredPair& pair) noexcept {
  return pattern == Pattern::stream ? pair.peer_ns / pair.ours_ns : pair.ours_ns / pair.peer_ns;
}

// Precondition: at least one pair.
[[nodiscard]] inline ClassSummary sum_up_class(Pattern pattern, const std::vector<MeasuredPair>& pairs) {
  const auto middle = [&](auto&& value) {
    std::vector<double> values;
    for (const MeasuredPair& pair : pairs) values.push_back(value(pair));
    return quantiles_of(std::move(values)).p50;
  };
  const auto ratio = [&](const MeasuredPair& pair) { return ratio_of(pattern, pair); };
  const auto less = [&](const MeasuredPair& a, const MeasuredPair& b) { return ratio(a) < ratio(b); };
  const auto [low, high] = std::minmax_element(pairs.begin(), pairs.end(), less);
  return {pairs.size(),
          middle([](const MeasuredPair& pair) { return pair.raw_before_ns; }),
          middle([](const MeasuredPair& pair) { return pair.ours_ns; }),
          middle([](const MeasuredPair& pair) { return pair.peer_ns; }),
          middle(ratio),
          ratio(*low),
          ratio(*high)};
}

// Precondition: at least one pair.
[[nodiscard]] inline Summary sum_up(Pattern pattern, const std::vector<MeasuredPair>& pairs) {
  std::vector<std::size_t> classes(pairs.size(), 0);
  if (pattern == Pattern::stream) {
    std::vector<double> round_trips_ns;
    for (const MeasuredPair& pair : pairs) round_trips_ns.push_back(pair.raw_before_ns);
    classes = classes_of(round_trips_ns);
  }
  const std::size_t main = largest_class(classes);
  Summary all;
  for (std::size_t c = 0; c <= *std::max_element(classes.begin(), classes.end()); ++c) {
    std::vector<MeasuredPair> members;
    std::vector<double> selves;
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      if (classes[i] != c) continue;
      members.push_back(pairs[i]);
      selves.push_back(pairs[i].self_ratio);
    }
    if (c != main) {
      all.others.push_back(sum_up_class(pattern, members));
      continue;
    }
    all.main = sum_up_class(pattern, members);
    all.self_ratio = quantiles_of(std::move(selves)).p50;
  }
  all.changed = static_cast<std::size_t>(std::count_if(pairs.begin(), pairs.end(), [](const MeasuredPair& pair) {
    return changed_class(pair.raw_before_ns, pair.raw_after_ns);
  }));
  all.conclusive = SelfCheck{all.self_ratio, all.main.pairs}.conclusive() && 3 * all.changed < pairs.size();
  return all;
}

// Whether a stream whose classes are as in `all` wants another pair, after `pairs`: until `wanted` are in one class, at
// most twice as many in all.
[[nodiscard]] constexpr bool wants_more(const Summary& all, std::size_t pairs, std::size_t wanted) noexcept {
  return all.main.pairs < wanted && pairs < 2 * wanted;
}

}  // namespace symphony::bench::peers
