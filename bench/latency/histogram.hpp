// A log-linear histogram of latencies: fixed memory, mergeable, never understates.   Layer: bench.
// Values below 256 ns have a counter each; above, each doubling has 128 counters, so a counter covers at most 1/128
// (0.79 %) of its values. A percentile is given as the largest value its counter stands for, capped at the exact
// maximum: at least the true one and less than 1 % above it. Values above 100 s are counted apart, and a percentile
// among them is the maximum.
// Threads: one writer; give each thread its own and merge. Trivially copyable without pointers, so it may lie in shared
// memory or travel through a pipe.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace symphony::bench {

class Histogram {
 public:
  static constexpr std::uint64_t value_max_ns = 100'000'000'000;
  static constexpr unsigned linear_bits = 8;  // values below 2^8 are exact
  static constexpr std::size_t steps = std::size_t{1} << (linear_bits - 1);

  // Which counter takes `ns`. [any thread, does not block or allocate]
  [[nodiscard]] static constexpr std::size_t index_of(std::uint64_t ns) noexcept {
    ns = std::min(ns, value_max_ns);
    const auto bits = static_cast<unsigned>(std::bit_width(ns));
    if (bits <= linear_bits) return static_cast<std::size_t>(ns);
    const unsigned shift = bits - linear_bits;
    return shift * steps + static_cast<std::size_t>(ns >> shift);
  }
  // The largest value of the counter at `index`, which index_of() can give.
  [[nodiscard]] static constexpr std::uint64_t highest_of(std::size_t index) noexcept {
    if (index < 2 * steps) return index;
    const std::size_t shift = index / steps - 1;
    return ((static_cast<std::uint64_t>(index - shift * steps) + 1) << shift) - 1;
  }
  static constexpr std::size_t counter_count = 3899;  // index_of(value_max_ns) + 1

  // [writer, does not block or allocate]
  void record(std::uint64_t ns) noexcept { record(ns, 1); }
  void record(std::uint64_t ns, std::uint64_t times) noexcept {
    if (times == 0) return;
    counters_[index_of(ns)] += times;
    count_ += times;
    if (ns > value_max_ns) above_range_ += times;
    sum_ += static_cast<double>(ns) * static_cast<double>(times);
    min_ = std::min(min_, ns);
    max_ = std::max(max_, ns);
  }

  void merge(const Histogram& other) noexcept {
    for (std::size_t i = 0; i < counter_count; ++i) counters_[i] += other.counters_[i];
    count_ += other.count_;
    above_range_ += other.above_range_;
    sum_ += other.sum_;
    min_ = std::min(min_, other.min_);
    max_ = std::max(max_, other.max_);
  }

  void reset() noexcept { *this = Histogram(); }

  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  [[nodiscard]] std::uint64_t above_range() const noexcept { return above_range_; }  // values above value_max_ns
  // Exact; 0 when nothing was recorded.
  [[nodiscard]] std::uint64_t min_ns() const noexcept { return count_ == 0 ? 0 : min_; }
  [[nodiscard]] std::uint64_t max_ns() const noexcept { return max_; }
  [[nodiscard]] double mean_ns() const noexcept { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }

  // The smallest value that at least `percent` of all values do not exceed, as promised above; percent is brought into
  // 0 to 100, where 0 asks for the smallest value. 0 when nothing was recorded.
  [[nodiscard]] std::uint64_t percentile_ns(double percent) const noexcept;

  // How many values the counters up to that of `ns` hold.
  [[nodiscard]] std::uint64_t count_up_to(std::uint64_t ns) const noexcept;

  // Percentile table as the plotters of .hgrm files read it: value, percentile, count, 1/(1-percentile); `unit_ns`
  // divides the values (1000 prints microseconds). Precondition: unit_ns > 0.
  [[nodiscard]] std::string to_hgrm(double unit_ns = 1000.0) const;

  // Everything, for result files; from_text() gives an equal histogram back, or nothing for any other text.
  [[nodiscard]] std::string to_text() const;
  [[nodiscard]] static std::optional<Histogram> from_text(std::string_view text);

  friend bool operator==(const Histogram&, const Histogram&) = default;

 private:
  std::array<std::uint64_t, counter_count> counters_{};
  std::uint64_t count_ = 0;
  std::uint64_t above_range_ = 0;
  std::uint64_t min_ = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t max_ = 0;
  double sum_ = 0;
};

static_assert(Histogram::counter_count == Histogram::index_of(Histogram::value_max_ns) + 1);

}  // namespace symphony::bench
