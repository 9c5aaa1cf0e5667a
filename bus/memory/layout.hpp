// Page 0 of a segment: what a person with a hex dump needs. No program believes it.   Layer: memory.
#pragma once

#include <cstddef>
#include <cstdint>

namespace symphony::detail {

inline constexpr std::uint16_t segment_protocol = 1;

// Changes with every change of a shared layout; docs/formats/segment.md carries it and a test compares the two. Another
// test holds the tables of layout against the ones that this revision was given for.
inline constexpr std::uint64_t layout_fingerprint = 0x53594d50'00000002;  // "SYMP", revision 2

enum class SegmentRole : std::uint16_t { caller = 1, pit = 2 };

struct SegmentIdentity {
  std::uint64_t fingerprint;
  std::uint16_t protocol;
  SegmentRole role;
  std::uint32_t reserved;
  std::uint64_t nonce;  // the same in both segments of a pair
};
static_assert(sizeof(SegmentIdentity) == 24);
static_assert(offsetof(SegmentIdentity, protocol) == 8 && offsetof(SegmentIdentity, role) == 10);
static_assert(offsetof(SegmentIdentity, nonce) == 16);

}  // namespace symphony::detail
