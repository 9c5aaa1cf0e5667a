// Every maximum of the pool manager, by name.   Layer: pits/pool_manager.
//
// A test passes small ones; the pit uses these. Amounts stay below 2^60, so that no sum of two of them runs over.
// Threads: plain values.
#pragma once

#include <cstdint>

namespace symphony::pit::pools {

inline constexpr std::uint64_t amount_max = std::uint64_t{1} << 60;
inline constexpr std::uint64_t duration_max_ns = std::uint64_t{1} << 60;  // 36 years

struct Limits {
  std::uint32_t pools = 256;     // at most 256: a pool's place is one byte of its number
  std::uint32_t units = 16'384;  // of all pools together
  std::uint32_t queues = 64;
  std::uint32_t leases = 65'536;
  std::uint32_t waiters = 65'536;  // at most 65,536: a waiter's place is two bytes of its number
  std::uint32_t replies = 1'000;   // waiters whose request is open; a host keeps 1,024 of a pit's requests
  std::uint32_t wants = 16;        // pools of one request
  std::uint32_t graves = 4'096;    // holders that are remembered as gone, the latest ones
  std::uint32_t name_size = 255;   // of a pool, a unit, a reason; one byte in the saved form
  std::uint32_t tag_size = 63;
  std::int32_t priority = 1'000;  // from minus this to this
  std::uint32_t weight = 1'000'000;
  std::uint64_t ageing_ns = 1'000'000'000'000'000;  // of one step of priority
};

// Tokens start above a fence; more than this leaves too few before they would run over.
inline constexpr std::uint64_t fence_max = std::uint64_t{1} << 62;

inline constexpr std::uint32_t no_place = 0xFFFFFFFF;  // no place, no index

}  // namespace symphony::pit::pools
