// What a user's way of waiting is to the wait layer.   Layer: endpoint. Threads: pure functions.
#pragma once

#include <symphony/waiting.hpp>

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

}  // namespace symphony::detail
