// Keeping the two sides of a measurement on processors of their own.   Layer: bench.
// Threads: each function concerns the calling thread or the process named.
#pragma once

#include <sched.h>
#include <sys/types.h>

#include <optional>

namespace symphony::bench {

struct CpuPair {
  int caller;
  int helper;
};

// Two different processors that this thread may use: the one it runs on, and `helper` or any other. Nothing when there
// is only one, or `helper` is not among them.
[[nodiscard]] std::optional<CpuPair> two_cpus(std::optional<int> helper = std::nullopt) noexcept;

// Keeps process `pid` (0: the calling thread) on one processor; false: it could not be done.
bool pin_to(pid_t pid, int cpu) noexcept;

// Keeps process `pid` on the second of two_cpus(). Nothing: it could not be done.
[[nodiscard]] std::optional<CpuPair> pin_apart(pid_t pid, std::optional<int> helper) noexcept;

// Keeps the calling thread on one processor until the end of its life, then gives it its set back.
class Pinned {
 public:
  explicit Pinned(std::optional<int> cpu) noexcept;
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;
  ~Pinned();
  [[nodiscard]] bool holds() const noexcept { return holds_; }

 private:
  cpu_set_t before_{};
  bool holds_ = false;
};

}  // namespace symphony::bench
