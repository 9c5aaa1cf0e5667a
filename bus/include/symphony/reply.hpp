// How one call ended, and what came with it.   Layer: base.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <symphony/clock.hpp>
#include <symphony/status.hpp>

namespace symphony {

// A view: body and text stay valid until the next call of the same caller object. The bytes are this process's own.
struct Reply {
  CallStatus status = status::ok;
  std::uint32_t type = 0;                // of the body's message
  std::span<const std::byte> body = {};  // empty unless status is ok
  std::string_view text = {};            // why, where status is not ok
  std::uint64_t id = 0;

  [[nodiscard]] bool ok() const noexcept { return status == status::ok; }
};

struct CallOptions {
  TimeNs timeout_ns = default_call_timeout_ns;
  Effect effect = Effect::once;  // what may be done when the pit dies while executing it
  TimeNs deadline_ns = 0;        // a point on the clock instead of timeout_ns; 0: none given
};

// When a call with these options must have ended. By the tick clock: up to 4 ms early against deadlines of seconds, and
// five times cheaper than the exact one.
[[nodiscard]] inline TimeNs coarse_deadline(const CallOptions& options) noexcept {
  if (options.deadline_ns != 0) return options.deadline_ns;
  const TimeNs now = coarse_now_ns();
  return options.timeout_ns > no_deadline_ns - now ? no_deadline_ns : now + options.timeout_ns;
}

}  // namespace symphony
