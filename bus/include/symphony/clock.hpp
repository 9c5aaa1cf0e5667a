// The one clock: CLOCK_MONOTONIC in nanoseconds.   Layer: base.
// Nothing in the bus reads wall-clock time; all deadlines are absolute points on this clock.
#pragma once

#include <cstdint>

namespace symphony {

using TimeNs = std::int64_t;

inline constexpr TimeNs no_deadline_ns = INT64_MAX;
inline constexpr TimeNs default_call_timeout_ns = 30'000'000'000;  // T1 of the link protocol
inline constexpr TimeNs us_ns = 1'000;
inline constexpr TimeNs ms_ns = 1'000'000;
inline constexpr TimeNs second_ns = 1'000'000'000;

// Exact, about 25-50 ns a reading.
[[nodiscard]] TimeNs now_ns() noexcept;

// The same clock as of the last kernel tick: up to 4 ms behind, never ahead, about 5 ns a reading.
// For stamping and checking call deadlines on the data path.
[[nodiscard]] TimeNs coarse_now_ns() noexcept;

// `timeout_ns` from now; saturates at no_deadline_ns.
[[nodiscard]] TimeNs deadline_after(TimeNs timeout_ns) noexcept;

}  // namespace symphony
