// What a user's way of waiting is to the wait layer.   Layer: endpoint. Threads: pure functions.
#pragma once

#include <symphony/endpoint.hpp>

#include "bus/wait/spin.hpp"

namespace symphony::detail {

[[nodiscard]] constexpr WaitMode mode_of(Waiting waiting) noexcept {
  switch (waiting) {
    case Waiting::spin:
      return WaitMode::spin;
    case Waiting::sleep:
      return WaitMode::sleep;
    case Waiting::adaptive:
      break;
  }
  return WaitMode::adaptive;
}

}  // namespace symphony::detail
