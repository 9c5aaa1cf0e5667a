#include "bench/support/competing.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace symphony::bench {
namespace {

// Processor time that all processes used, and that the host took away, since the machine started; -1: unknown.
std::int64_t all_busy_ns() noexcept {
  std::FILE* file = std::fopen("/proc/stat", "re");
  if (file == nullptr) return -1;
  long long user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0;
  const int read = std::fscanf(file, "cpu %lld %lld %lld %lld %lld %lld %lld %lld", &user, &nice, &system, &idle,
                               &iowait, &irq, &softirq, &steal);
  std::fclose(file);
  if (read != 8) return -1;
  return (user + nice + system + irq + softirq + steal) * (second_ns / ::sysconf(_SC_CLK_TCK));
}

std::int64_t own_busy_ns() noexcept {
  std::int64_t sum_ns = 0;
  for (const int who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage usage{};
    ::getrusage(who, &usage);
    for (const timeval& t : {usage.ru_utime, usage.ru_stime}) sum_ns += t.tv_sec * second_ns + t.tv_usec * us_ns;
  }
  return sum_ns;
}

}  // namespace

CompetingCpu::CompetingCpu() noexcept : start_ns_(now_ns()), all_ns_(all_busy_ns()), own_ns_(own_busy_ns()) {}

CompetingCpu::Used CompetingCpu::used() const noexcept {
  const std::int64_t all_ns = all_busy_ns();
  if (all_ns_ < 0 || all_ns < 0) return {0, 0};
  const std::int64_t others_ns = (all_ns - all_ns_) - (own_busy_ns() - own_ns_);
  return {std::max<std::int64_t>(0, others_ns), (now_ns() - start_ns_) * std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN))};
}

double CompetingCpu::share() const noexcept {
  const Used now = used();
  return now.capacity_ns <= 0 ? 0 : static_cast<double>(now.others_ns) / static_cast<double>(now.capacity_ns);
}

bool CompetingCpu::disturbed() const noexcept {
  const Used now = used();
  // A tick of each processor may be counted that began before.
  const std::int64_t rounded_ns = std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)) * (second_ns / ::sysconf(_SC_CLK_TCK));
  return static_cast<double>(now.others_ns - rounded_ns) > competing_share_max * static_cast<double>(now.capacity_ns);
}

}  // namespace symphony::bench
