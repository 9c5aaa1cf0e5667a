// How much of a run is left: the longest chain, and when it will be over.   Layer: tools. Threads: one.
#pragma once

#include <cstdint>
#include <vector>

#include <symphony/clock.hpp>

#include "tools/symphony/run/work.hpp"

namespace symphony::tools {

// Durations of earlier runs where there are any (0: unknown), of this run as they come.
class Forecast {
 public:
  // Precondition: the work has no cycle. `work` outlives this.
  Forecast(const Work& work, std::vector<TimeNs> known);

  void finished(std::uint32_t task, TimeNs duration_ns) noexcept;

  // Each behind what it needs.
  [[nodiscard]] const std::vector<std::uint32_t>& order() const noexcept { return order_; }

  struct Left {
    TimeNs critical_ns = 0;  // of the longest chain of tasks that are not finished
    TimeNs eta_ns = -1;      // the longer of that and the rest shared among `jobs`; below 0: no duration is known
  };
  [[nodiscard]] Left left(std::uint32_t jobs);

 private:
  [[nodiscard]] TimeNs expected(std::uint32_t task) const noexcept;

  const Work& work_;
  std::vector<TimeNs> known_;
  std::vector<bool> finished_;
  std::vector<std::uint32_t> order_;  // each behind what it needs
  std::vector<TimeNs> chain_;         // kept between calls
  TimeNs known_sum_ = 0;
  std::uint64_t known_count_ = 0;
};

}  // namespace symphony::tools
