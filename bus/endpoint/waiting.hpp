// What a user's way of waiting is to the wait layer.   Layer: endpoint. Threads: any.
#pragma once

#include <symphony/clock.hpp>
#include <symphony/trust.hpp>
#include <symphony/waiting.hpp>

#include "bus/wait/heavy_barrier.hpp"
#include "bus/wait/spin.hpp"

namespace symphony::detail {

// With `placement` same_core a spinning side would only keep the other from the processor they share.
[[nodiscard]] constexpr WaitMode mode_of(Waiting waiting, Placement placement = Placement::automatic) noexcept {
  switch (waiting) {
    case Waiting::spin:
      return WaitMode::spin;
    case Waiting::sleep:
      return WaitMode::sleep;
    case Waiting::adaptive:
      if (placement == Placement::same_core) return WaitMode::sleep;
      break;
  }
  return WaitMode::adaptive;
}

// Whether a side that waits so offers to make a heavy barrier before it sleeps: then this process is registered. One
// that sleeps for every message does not: the barrier would cost each sleep more than a commit costs its peer.
[[nodiscard]] inline bool offer_heavy_barriers(Waiting waiting, Placement placement = Placement::automatic) noexcept {
  return mode_of(waiting, placement) != WaitMode::sleep && register_for_heavy_barriers();
}

// A caller's sleeps end by themselves: a lost wake-up costs this much and is counted; a hostile pit may steal wake-ups.
[[nodiscard]] constexpr TimeNs caller_sleep_max_ns(Trust trust) noexcept {
  return trust == Trust::hostile ? 5 * ms_ns : 100 * ms_ns;
}

}  // namespace symphony::detail
