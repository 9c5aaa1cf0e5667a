// What a user's way of waiting is to the wait layer.   Layer: endpoint. Threads: any.
#pragma once

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

// Whether a side that waits so can make a heavy barrier before it sleeps, and should. One that sleeps for every message
// should not: the barrier would cost each sleep more than a commit costs its peer.   Registers this process.
[[nodiscard]] inline bool makes_heavy_barriers(Waiting waiting, Placement placement = Placement::automatic) noexcept {
  return mode_of(waiting, placement) != WaitMode::sleep && register_for_heavy_barriers();
}

}  // namespace symphony::detail
