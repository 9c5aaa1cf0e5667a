// Pairs of fresh processes: how many to measure, which to repeat, and what those of one class say.   Layer: bench.
//
// A pair that others took processor time from is repeated and counted, twice as often as pairs are wanted at most; then
// pairs are taken as they come, and the whole is inconclusive. It is inconclusive as well when the limit measured
// against itself left 0.93 to 1.07, or a third of the pairs changed class while they ran. What is reported is the
// largest class (classes.hpp). Threads: one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include <symphony/clock.hpp>

#include "bench/support/classes.hpp"
#include "bench/support/competing.hpp"
#include "bench/support/yardstick.hpp"

namespace symphony::bench {

// How often pairs are repeated that others disturbed.
class Repeats {
 public:
  // `max` 0: whatever others do, nothing is repeated.
  explicit Repeats(std::size_t max) noexcept : max_(max) {}
  // Whether a pair has to be measured once more; counts it.
  [[nodiscard]] bool repeat(bool disturbed) noexcept {
    if (!disturbed || max_ == 0) return false;
    if (count_ == max_) return spent_ = true, false;
    return ++count_, true;
  }
  [[nodiscard]] std::size_t count() const noexcept { return count_; }
  // A disturbed pair counted, because there had been too many.
  [[nodiscard]] bool spent() const noexcept { return spent_; }

 private:
  std::size_t max_;
  std::size_t count_ = 0;
  bool spent_ = false;
};

// `Result` has rtt_before_ns and rtt_after_ns, the raw cache-line round trip of the pair, and self_ratio().
template <class Result>
class Pairs {
 public:
  void add(Result result) {
    changed_ += changed_class(result.rtt_before_ns, result.rtt_after_ns);
    all_.push_back(std::move(result));
    std::vector<double> round_trips_ns;
    for (const Result& one : all_) round_trips_ns.push_back(one.rtt_before_ns);
    classes_ = classes_of(round_trips_ns);
    main_ = largest_class(classes_);
  }

  [[nodiscard]] std::size_t size() const noexcept { return all_.size(); }
  [[nodiscard]] std::size_t class_count() const { return *std::max_element(classes_.begin(), classes_.end()) + 1; }
  [[nodiscard]] std::size_t main_class() const noexcept { return main_; }
  [[nodiscard]] std::size_t members(std::size_t of_class) const {
    return static_cast<std::size_t>(std::count(classes_.begin(), classes_.end(), of_class));
  }
  template <class Use>
  void for_each(std::size_t of_class, Use&& use) const {
    for (std::size_t i = 0; i < all_.size(); ++i) {
      if (classes_[i] == of_class) use(all_[i]);
    }
  }
  // Precondition: the class has members.
  template <class Value>
  [[nodiscard]] Quantiles over_class(std::size_t of_class, Value&& value) const {
    std::vector<double> values;
    for_each(of_class, [&](const Result& one) { values.push_back(value(one)); });
    return quantiles_of(std::move(values));
  }
  [[nodiscard]] Quantiles round_trip_ns(std::size_t of_class) const {
    return over_class(of_class, [](const Result& one) { return one.rtt_before_ns; });
  }

  [[nodiscard]] std::size_t changed() const noexcept { return changed_; }
  [[nodiscard]] SelfCheck check() const {
    return {over_class(main_, [](const Result& one) { return one.self_ratio(); }).p50, all_.size()};
  }
  [[nodiscard]] bool conclusive() const { return !spent && check().conclusive() && changed_ * 3 < all_.size(); }
  [[nodiscard]] const char* verdict() const { return conclusive() ? "conclusive" : "inconclusive"; }

  std::size_t disturbed = 0;  // repeated; not among the pairs
  bool spent = false;         // pairs were taken although they were disturbed
  double seconds = 0;

 private:
  std::vector<Result> all_;
  std::vector<std::size_t> classes_;
  std::size_t main_ = 0;
  std::size_t changed_ = 0;
};

struct PairsWanted {
  std::size_t in_one_class = 15;  // at most twice as many are measured to get them
  bool repeat_disturbed = true;
};

// `run(i)` measures pair number i and gives its result, or nothing, which ends it all.
template <class Result, class Run>
[[nodiscard]] std::optional<Pairs<Result>> measure_pairs(const PairsWanted& wanted, Run&& run) {
  Pairs<Result> pairs;
  Repeats repeats(wanted.repeat_disturbed ? 2 * wanted.in_one_class : 0);
  const TimeNs start = now_ns();
  while (pairs.size() == 0 ||
         (pairs.members(pairs.main_class()) < wanted.in_one_class && pairs.size() < 2 * wanted.in_one_class)) {
    const CompetingCpu others;
    auto result = run(pairs.size() + repeats.count());
    if (!result) return std::nullopt;
    if (!repeats.repeat(others.disturbed())) pairs.add(*std::move(result));
  }
  pairs.disturbed = repeats.count();
  pairs.spent = repeats.spent();
  pairs.seconds = static_cast<double>(now_ns() - start) / static_cast<double>(second_ns);
  return pairs;
}

}  // namespace symphony::bench
