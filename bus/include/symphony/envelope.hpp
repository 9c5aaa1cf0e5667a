// What stands before every body on a link: 24 bytes, little-endian.   Layer: base.
// Format: docs/formats/ring.md. The contract's symphony_envelope is the same bytes; a test compares the two.
#pragma once

#include <cstddef>
#include <cstdint>

namespace symphony {

namespace flag {
inline constexpr std::uint16_t request = 1;
inline constexpr std::uint16_t reply = 2;
inline constexpr std::uint16_t event = 4;
inline constexpr std::uint16_t error = 8;  // the body is an ErrorBody and text
inline constexpr std::uint16_t has_extension_block = 16;
inline constexpr std::uint16_t redelivered = 32;  // sent before, to an instance that died
inline constexpr std::uint16_t body_at_64 = 64;
inline constexpr std::uint16_t more = 128;  // reserved; version 1 refuses it
}  // namespace flag

struct Envelope {
  std::uint64_t id = 0;           // rises over the whole life of a link; a reply carries its request's
  std::uint64_t deadline_ns = 0;  // CLOCK_MONOTONIC; 0: none
  std::uint32_t type = 0;         // hash of the message's fully qualified table name
  std::uint16_t flags = 0;
  std::uint8_t attempt = 0;  // how often a handler began it before
  std::uint8_t reserved = 0;
};
static_assert(sizeof(Envelope) == 24 && alignof(Envelope) == 8);
static_assert(offsetof(Envelope, deadline_ns) == 8 && offsetof(Envelope, type) == 16 &&
              offsetof(Envelope, flags) == 20);
static_assert(offsetof(Envelope, attempt) == 22);

// The body of an error reply; UTF-8 text of at most error_text_size_max bytes follows.
struct ErrorBody {
  std::int32_t status = 0;
  std::uint32_t reserved = 0;
};
static_assert(sizeof(ErrorBody) == 8);
inline constexpr std::size_t error_text_size_max = 512;

}  // namespace symphony
