// Records: the 8-byte header that is the commit, and the arithmetic of positions.   Layer: ring.
//
//   header = { u32 size_and_flags, u32 check }     check = low 32 bits of (position / line) xor salt
//   size_and_flags: bit 31 pad, bit 30 present (always set: no valid header is 0), bits 0..29 size of the body
// 0 means: nothing here yet. Position is a count of bytes since the start, never masked; offset is position mod
// capacity. Width and line size are parameters so that an 8-bit ring can be tried in every state. Format:
// docs/formats/ring.md.   Threads: pure functions.
#pragma once

#include <cstdint>
#include <optional>

#include "bus/base/platform.hpp"

namespace symphony::detail {

struct WideRing {
  using Position = std::uint64_t;
  static constexpr Position line = cache_line_size;
};

inline constexpr std::uint32_t header_size = 8;
inline constexpr std::uint32_t record_pad = 1u << 31;
inline constexpr std::uint32_t record_present = 1u << 30;
inline constexpr std::uint32_t record_size_mask = record_present - 1;

// What a peer did that no honest peer does. Sticky: the link is faulted.
enum class RingFault : std::uint32_t {
  none = 0,
  bad_check = 1,  // a header that was not written for this position of this ring
  bad_size = 2,   // a record larger than half the ring, or past its end
  bad_flags = 3,  // a header without `present`
  overrun = 4,    // more published than there is space
  bad_freed = 5,  // freed went back, is misaligned, or passed what was published
};

struct RecordHeader {
  std::uint32_t size = 0;
  bool pad = false;
};

// Bytes a record of `size` takes, header included.
template <class Ring>
[[nodiscard]] constexpr std::uint64_t stride_of(std::uint64_t size) noexcept {
  return (header_size + size + Ring::line - 1) / Ring::line * Ring::line;
}

// The largest body of a ring: its stride is at most half the capacity.
template <class Ring>
[[nodiscard]] constexpr std::uint64_t record_size_max(std::uint64_t capacity) noexcept {
  return capacity / 2 - header_size;
}

template <class Ring>
[[nodiscard]] constexpr std::uint64_t encode_header(typename Ring::Position position, std::uint32_t size, bool pad,
                                                    std::uint32_t salt) noexcept {
  const auto check = static_cast<std::uint32_t>(position / Ring::line) ^ salt;
  return std::uint64_t{check} << 32 | record_present | (pad ? record_pad : 0u) | size;
}

// The one place where a header is judged, for all kinds of records. Precondition: header != 0.
// `room` is how many bytes stand between `position` and the end of the ring's memory.
template <class Ring>
[[nodiscard]] constexpr RingFault check_header(std::uint64_t header, typename Ring::Position position,
                                               std::uint64_t room, std::uint64_t capacity, std::uint32_t salt,
                                               RecordHeader& out) noexcept {
  const auto low = static_cast<std::uint32_t>(header);
  if (static_cast<std::uint32_t>(header >> 32) != (static_cast<std::uint32_t>(position / Ring::line) ^ salt)) {
    return RingFault::bad_check;
  }
  if ((low & record_present) == 0) return RingFault::bad_flags;
  out.pad = (low & record_pad) != 0;
  out.size = low & record_size_mask;
  const std::uint64_t stride = stride_of<Ring>(out.size);
  if (stride > room || stride > capacity / 2) return RingFault::bad_size;
  return RingFault::none;
}

}  // namespace symphony::detail
