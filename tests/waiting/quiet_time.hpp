// Processor time of processes that have nothing to do.   Layer: tests. Threads: the test's.
//
// On a busy machine a wake-up costs more, and what the host takes from a virtual processor is counted as its program's:
// the quietest of a few seconds is what the processes take themselves.
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>
#include <time.h>

#include <algorithm>
#include <span>
#include <vector>

#include <symphony/clock.hpp>

#include "bus/wait/futex.hpp"

namespace symphony::detail {

inline constexpr double idle_limit_us_per_s = 1000;  // 0.1 %
inline constexpr int idle_seconds_max = 5;

inline TimeNs cpu_of(pid_t pid) {
  clockid_t clock{};
  EXPECT_EQ(::clock_getcpuclockid(pid, &clock), 0);
  timespec t{};
  EXPECT_EQ(::clock_gettime(clock, &t), 0);
  return t.tv_sec * second_ns + t.tv_nsec;
}

// Asleep for that long, whatever happens.
inline void let_pass(TimeNs time_ns) {
  const TimeNs until = now_ns() + time_ns;
  std::uint32_t word = 0;
  const WaitWord nobody_rings{&word, 0};
  while (now_ns() < until) (void)wait_any({&nobody_rings, 1}, until);
}

struct QuietTime {
  std::vector<double> us_per_s;  // of each process, in the second in which all together took least
  double sum = 0;
  int seconds = 0;  // watched
};

// Watches whole seconds until one is within idle_limit_us_per_s, idle_seconds_max at most.
inline QuietTime quietest_second(std::span<const pid_t> processes) {
  QuietTime least;
  while (least.seconds < idle_seconds_max && (least.seconds == 0 || least.sum > idle_limit_us_per_s)) {
    std::vector<TimeNs> before;
    for (const pid_t pid : processes) before.push_back(cpu_of(pid));
    const TimeNs start = now_ns();
    let_pass(second_ns);
    const double seconds = static_cast<double>(now_ns() - start) / 1e9;
    QuietTime now;
    for (std::size_t i = 0; i < processes.size(); ++i) {
      now.us_per_s.push_back(static_cast<double>(cpu_of(processes[i]) - before[i]) / 1e3 / seconds);
      now.sum += now.us_per_s.back();
    }
    now.seconds = least.seconds + 1;
    if (least.seconds == 0 || now.sum < least.sum) {
      least = now;
    } else {
      least.seconds = now.seconds;
    }
  }
  return least;
}

}  // namespace symphony::detail
