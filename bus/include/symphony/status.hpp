// How a call ended.   Layer: base.
// 0 is success, below 0 the host's or the bus's word, above 0 the pit's own. The numbers are those of the contract
// (symphony/pit.h); a test compares the two. Never reused.
#pragma once

#include <cstdint>

namespace symphony {

using CallStatus = std::int32_t;

namespace status {
inline constexpr CallStatus ok = 0;
inline constexpr CallStatus overloaded = -1;
inline constexpr CallStatus deadline = -2;
inline constexpr CallStatus cancelled = -3;
inline constexpr CallStatus unknown_type = -4;
inline constexpr CallStatus bad_message = -5;
inline constexpr CallStatus version = -6;
inline constexpr CallStatus crashed = -7;  // the pit died while it was executing: it may have run
inline constexpr CallStatus trapped = -8;
inline constexpr CallStatus poisoned = -9;  // it killed the pit too often
inline constexpr CallStatus quarantined = -10;
inline constexpr CallStatus moved = -11;
inline constexpr CallStatus internal = -12;
inline constexpr CallStatus closed = -13;
inline constexpr CallStatus too_large = -14;
inline constexpr CallStatus forked = -15;
inline constexpr CallStatus crashed_accepted = -16;  // accepted; the answer died with the pit's state
inline constexpr CallStatus peer_fault = -17;
inline constexpr CallStatus unreachable = -18;
inline constexpr CallStatus bad_state = -19;
}  // namespace status

// What may be done with a message that was executing when its pit died.
enum class Effect : std::uint8_t {
  once = 0,        // never sent again: ends as crashed
  read = 1,        // sent again
  idempotent = 2,  // sent again
};

// The name of a status of the bus's range, for people; "status of the pit" above 0.
[[nodiscard]] const char* status_name(CallStatus status) noexcept;

}  // namespace symphony
