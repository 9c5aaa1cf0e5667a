// Round trips that need no library, measured now on this machine: what a call's latency is to be compared with.
// Layer: bench.
//
//   line    a cache line each way between two spinning processes (raw_line.hpp): the limit for any ring
//   uds     32 bytes each way over a SOCK_SEQPACKET Unix socket, blocking
//   futex   two processes that wake each other, nothing else
// Each is measured in two ways that take turns every 64 round trips: a whole batch between two clock readings, which is
// the more exact, and each round trip between two readings of its own, as a program stamps its calls: compare the p50
// of stamped calls with that. Absolute times differ between machines and change within minutes; ratios of what was
// measured in the same run mean something.
// A helper process (the program symphony-yardstick) answers. It sleeps while nothing is measured and dies with its
// parent, also on SIGKILL.
// Threads: one at a time. The thread that calls start() must outlive the object: the kernel takes the end of that
// thread for the end of the parent.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>

#include <symphony/result.hpp>

#include "bench/latency/histogram.hpp"

namespace symphony::bench {

inline constexpr std::uint64_t yardstick_batch = 64;               // round trips between two turns
inline constexpr std::uint64_t yardstick_count_max = 100'000'000;  // of one measurement

struct YardstickOptions {
  std::filesystem::path program = {};  // empty: symphony-yardstick in the folder of the running program
  // Keeps the helper on one processor, and the measuring thread on another while it measures (it gets its own set
  // back). Without a second processor nothing is pinned.
  bool pin = false;
  std::optional<int> helper_cpu = {};  // with pin: which one, instead of any but the caller's
};

struct Samples {
  Histogram stamped;        // each round trip with a clock reading before and behind it
  double p50_ns = 0;        // of `stamped`
  double p99_ns = 0;        // of `stamped`
  double batch_p50_ns = 0;  // the median over batches of a round trip's mean
  std::uint64_t n = 0;      // round trips counted, in each of the two ways
  bool pinned = false;      // both processes, to different processors
};

// A yardstick measured against itself: two series that take turns every batch.
struct SelfCheck {
  static constexpr double ratio_min = 0.93;
  static constexpr double ratio_max = 1.07;
  double ratio = 0;  // of the medians over batches
  std::uint64_t n = 0;
  // False: the machine is too restless now for any ratio to mean something.
  [[nodiscard]] bool conclusive() const noexcept { return ratio >= ratio_min && ratio <= ratio_max; }
};

class Yardsticks {
 public:
  // Starts the helper. not_found: its program is missing; system: a process or memory could not be had.
  [[nodiscard]] static result<Yardsticks> start(const YardstickOptions& options = {});
  Yardsticks(Yardsticks&&) noexcept;
  Yardsticks& operator=(Yardsticks&&) noexcept;
  ~Yardsticks();  // ends the helper and waits for its end

  // At least n round trips in each way, in whole batches, after a short warm-up. Precondition: 1 <= n <=
  // yardstick_count_max. Errors: invalid_argument; closed: the helper died or did not answer for 30 s, for good.
  [[nodiscard]] result<Samples> measure_line(std::uint64_t n);
  [[nodiscard]] result<Samples> measure_uds(std::uint64_t n);
  [[nodiscard]] result<Samples> measure_futex(std::uint64_t n);

  // The line against itself; n round trips in each series.
  [[nodiscard]] result<SelfCheck> check_line(std::uint64_t n);

  [[nodiscard]] pid_t helper_pid() const noexcept;

 private:
  struct Helper;
  explicit Yardsticks(std::unique_ptr<Helper> helper) noexcept;
  std::unique_ptr<Helper> helper_;
};

}  // namespace symphony::bench
