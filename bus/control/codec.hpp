// Between the structs of messages.hpp and the bytes of one datagram.   Layer: control. Threads: pure functions.
// Trust: decode() takes whatever a peer sent. It verifies before it reads, bounds every string and vector, checks every
//        enumerator, and copies: the result refers to nothing of the input.
// Format: docs/formats/control.md
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "bus/control/messages.hpp"

namespace symphony::detail::control {

// Longest texts a message may carry; longer ones are refused by both functions. pit_name_size_max: messages.hpp.
inline constexpr std::size_t version_size_max = 63;
inline constexpr std::size_t state_size_max = 31;
inline constexpr std::size_t text_size_max = 511;
inline constexpr std::size_t pits_in_status_max = 64;

// The bytes of one datagram, at most message_size_max. errc::too_large: a string or vector is over its maximum.
[[nodiscard]] result<std::vector<std::byte>> encode(const Message& message);

// The message in `datagram`, or errc::peer_fault. Any bytes may be passed, at any alignment.
[[nodiscard]] result<Message> decode(std::span<const std::byte> datagram);

}  // namespace symphony::detail::control
