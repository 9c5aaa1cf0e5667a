#include "bench/support/pinning.hpp"

namespace symphony::bench {

bool pin_to(pid_t pid, int cpu) noexcept {
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(static_cast<unsigned>(cpu), &only);
  return ::sched_setaffinity(pid, sizeof only, &only) == 0;
}

std::optional<CpuPair> two_cpus(std::optional<int> helper) noexcept {
  cpu_set_t usable;
  CPU_ZERO(&usable);
  if (::sched_getaffinity(0, sizeof usable, &usable) != 0) return std::nullopt;
  const auto may_use = [&](int cpu) {
    return cpu >= 0 && cpu < CPU_SETSIZE && CPU_ISSET(static_cast<unsigned>(cpu), &usable);
  };
  const auto any_but = [&](int taken) -> std::optional<int> {
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (cpu != taken && may_use(cpu)) return cpu;
    }
    return std::nullopt;
  };
  std::optional<int> caller = ::sched_getcpu();
  if (helper && !may_use(*helper)) return std::nullopt;
  if (!may_use(*caller) || caller == helper) caller = any_but(helper.value_or(-1));
  if (!helper && caller) helper = any_but(*caller);
  if (!caller || !helper) return std::nullopt;
  return CpuPair{*caller, *helper};
}

std::optional<CpuPair> pin_apart(pid_t pid, std::optional<int> helper) noexcept {
  const auto cpus = two_cpus(helper);
  return cpus && pin_to(pid, cpus->helper) ? cpus : std::nullopt;
}

Pinned::Pinned(std::optional<int> cpu) noexcept {
  holds_ = cpu && ::sched_getaffinity(0, sizeof before_, &before_) == 0 && pin_to(0, *cpu);
}

Pinned::~Pinned() {
  if (holds_) ::sched_setaffinity(0, sizeof before_, &before_);
}

}  // namespace symphony::bench
