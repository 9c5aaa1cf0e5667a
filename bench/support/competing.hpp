// How much of the machine others used while something was measured.   Layer: bench.
// Threads: the calling thread's process and its children that were waited for count as our own.
#pragma once

#include <cstdint>

#include <symphony/clock.hpp>

namespace symphony::bench {

// Above this share a measurement is repeated.
inline constexpr double competing_share_max = 0.05;

class CompetingCpu {
 public:
  CompetingCpu() noexcept;  // from now on
  // The share of all processors that was used by others, or stolen by the host, since the beginning; 0 where the
  // kernel does not say. Exact to 10 ms of processor time. To be asked when the children of the measurement are gone.
  [[nodiscard]] double share() const noexcept;
  // Whether that is more than a measurement bears, beyond what the kernel rounds. Asked as share().
  [[nodiscard]] bool disturbed() const noexcept;

 private:
  struct Used {
    std::int64_t others_ns;
    std::int64_t capacity_ns;  // of all processors; 0: unknown
  };
  [[nodiscard]] Used used() const noexcept;
  TimeNs start_ns_;
  std::int64_t all_ns_;
  std::int64_t own_ns_;
};

}  // namespace symphony::bench
