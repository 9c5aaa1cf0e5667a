#include "tools/symphony/run/forecast.hpp"

#include <algorithm>

namespace symphony::tools {

Forecast::Forecast(const Work& work, std::vector<TimeNs> known)
    : work_(work), known_(std::move(known)), finished_(work.tasks.size()), chain_(work.tasks.size()) {
  const auto count = static_cast<std::uint32_t>(work.tasks.size());
  known_.resize(count);
  for (const TimeNs one : known_) {
    known_sum_ += one;
    known_count_ += one > 0 ? 1 : 0;
  }
  std::vector<std::uint32_t> waits(count), begin(count + 1);
  for (std::uint32_t t = 0; t < count; ++t) {
    waits[t] = static_cast<std::uint32_t>(work.tasks[t].needs.size());
    for (const std::uint32_t need : work.tasks[t].needs) ++begin[need + 1];
  }
  for (std::uint32_t t = 0; t < count; ++t) begin[t + 1] += begin[t];
  std::vector<std::uint32_t> next(begin.begin(), begin.end() - 1), followers(begin[count]);
  for (std::uint32_t t = 0; t < count; ++t) {
    for (const std::uint32_t need : work.tasks[t].needs) followers[next[need]++] = t;
  }
  order_.reserve(count);
  for (std::uint32_t t = 0; t < count; ++t) {
    if (waits[t] == 0) order_.push_back(t);
  }
  for (std::size_t i = 0; i < order_.size(); ++i) {
    for (std::uint32_t k = begin[order_[i]]; k < begin[order_[i] + 1]; ++k) {
      if (--waits[followers[k]] == 0) order_.push_back(followers[k]);
    }
  }
}

void Forecast::finished(std::uint32_t task, TimeNs duration_ns) noexcept {
  finished_[task] = true;
  if (duration_ns <= 0) return;
  known_sum_ += duration_ns - known_[task];
  known_count_ += known_[task] > 0 ? 0 : 1;
  known_[task] = duration_ns;
}

// Of a task without a duration of its own: the mean of those that have one.
TimeNs Forecast::expected(std::uint32_t task) const noexcept {
  if (known_[task] > 0) return known_[task];
  return known_count_ == 0 ? 0 : known_sum_ / static_cast<TimeNs>(known_count_);
}

Forecast::Left Forecast::left(std::uint32_t jobs) {
  Left out;
  TimeNs sum = 0;
  // In order, the chain that ends with a task: longest is the same as of those that begin with one.
  for (const std::uint32_t task : order_) {
    TimeNs before = 0;
    for (const std::uint32_t need : work_.tasks[task].needs) before = std::max(before, chain_[need]);
    const TimeNs own = finished_[task] ? 0 : expected(task);
    chain_[task] = before + own;
    sum += own;
    out.critical_ns = std::max(out.critical_ns, chain_[task]);
  }
  if (known_count_ != 0) out.eta_ns = std::max(out.critical_ns, sum / std::max<TimeNs>(jobs, 1));
  return out;
}

}  // namespace symphony::tools
