// Page 1 of each segment: the control words of one side of a link.   Layer: channel.
//
// One writer each: the caller writes CallerWords, the pit writes PitWords, the other side reads. Words that one side
// writes often and the other reads stand on lines of their own. Geometry (capacities, salts) is not here: it comes over
// the socket. Format: docs/formats/segment.md; offsets are asserted here and compared with the document by a test.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bus/base/platform.hpp"

namespace symphony::detail {

enum class SideState : std::uint32_t { open = 0, closing = 1, closed = 2 };

// Rarely written, read by the peer at each publish: one shared, unchanged line.
struct SideWords {
  std::uint32_t sleeping;
  std::uint32_t bell;
  std::uint32_t state;       // SideState
  std::uint32_t want_space;  // 1: waiting for the peer's freed
};

struct CallerWords {
  alignas(cache_line_size) std::uint64_t request_tail;  // hint
  alignas(cache_line_size) std::uint64_t replies_freed;
  alignas(cache_line_size) SideWords side;
  alignas(cache_line_size) std::uint64_t cancel_id;  // advisory
  std::uint32_t placement;                           // advisory: where the caller runs, and its wish
};

struct PitWords {
  alignas(cache_line_size) std::uint64_t reply_tail;  // hint
  alignas(cache_line_size) std::uint64_t requests_begun;
  std::uint64_t requests_handled;
  alignas(cache_line_size) std::uint64_t requests_freed;
  alignas(cache_line_size) SideWords side;
};

inline constexpr std::size_t words_offset = page_size;
inline constexpr std::size_t data_offset = 2 * page_size;

static_assert(sizeof(SideWords) == 16);
static_assert(offsetof(CallerWords, replies_freed) == 64 && offsetof(CallerWords, side) == 128);
static_assert(offsetof(CallerWords, cancel_id) == 192 && offsetof(CallerWords, placement) == 200);
static_assert(sizeof(CallerWords) == 256);
static_assert(offsetof(PitWords, requests_begun) == 64 && offsetof(PitWords, requests_handled) == 72);
static_assert(offsetof(PitWords, requests_freed) == 128 && offsetof(PitWords, side) == 192);
static_assert(sizeof(PitWords) == 256 && sizeof(PitWords) <= page_size);

// Room for a reply's header, envelope and the rest of its last line.
inline constexpr std::uint32_t reply_overhead = 128;

// The largest body of a reply: four of its records fit, so that a wrap, the reserve for endings and what a caller holds
// back of what it has read never keep one out.
[[nodiscard]] constexpr std::uint32_t largest_reply_in(std::uint32_t reply_capacity) noexcept {
  return reply_capacity / 4 - reply_overhead;
}

// Of one epoch; sent to both sides over the control socket, never read from shared memory.
struct Geometry {
  std::uint32_t request_capacity = 0;
  std::uint32_t reply_capacity = 0;
  std::uint32_t request_salt = 0;
  std::uint32_t reply_salt = 0;
  // Both sides make a heavy barrier before they sleep, so both may publish with Order::light.
  bool heavy_barriers = false;
};

}  // namespace symphony::detail
