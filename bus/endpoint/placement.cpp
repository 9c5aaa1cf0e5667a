#include "bus/endpoint/placement.hpp"

namespace symphony::detail {

Placer::Placer(Placement own) noexcept : own_(own), usable_(::sched_getaffinity(0, sizeof all_, &all_) == 0) {}

void Placer::follow(std::uint32_t word) noexcept {
  if (word == followed_ || !usable_) return;
  followed_ = word;
  const std::uint32_t wish = word >> 16;
  const Placement placement = own_ != Placement::automatic                                ? own_
                              : wish == static_cast<std::uint32_t>(Placement::same_core)  ? Placement::same_core
                              : wish == static_cast<std::uint32_t>(Placement::other_core) ? Placement::other_core
                                                                                          : Placement::automatic;
  const std::uint32_t cpu = (word & 0xffff) - 1;
  const bool known = cpu < CPU_SETSIZE && CPU_ISSET(cpu, &all_);
  cpu_set_t set = all_;
  if (known && placement == Placement::same_core) {
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
  } else if (known && placement == Placement::other_core && CPU_COUNT(&all_) > 1) {
    CPU_CLR(cpu, &set);
  }
  if (placement == Placement::automatic && !moved_) return;
  moved_ = placement != Placement::automatic;
  const bool done = ::sched_setaffinity(0, sizeof set, &set) == 0;
  shares_ = done && known && placement == Placement::same_core;
}

}  // namespace symphony::detail
