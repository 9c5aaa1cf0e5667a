// One pair of fresh processes that streams messages of one size in all kinds, in turns.   Layer: bench.
//
// A turn is a lap of the ring to warm up, then several laps between two clock readings of the producer; it ends when
// the consumer said that it has read all. The order of the kinds is drawn anew each round, by both processes alike.
// Threads: the calling one and that of the process it makes; the caller has no other thread (fork).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace symphony::bench {

enum StreamKind : std::size_t {
  raw_stream,
  raw_again,
  ring_stream,
  ring_read_only,
  channel_stream,
  channel_read_only,
  channel_batch,
  boost_stream,
  stream_kinds
};

struct StreamKindFacts {
  const char* name;
  const char* what;
};
inline constexpr std::array<StreamKindFacts, stream_kinds> stream_facts{{
    {"raw.slots", "fixed slots, published every 4 KiB"},
    {"raw.slots again", "the same: 1.00 but for the machine's unrest"},
    {"ring", "ring alone, release commit, read in place"},
    {"ring read-only", "the same, mapped read-only, copied out"},
    {"channel", "a link's channel, read in place"},
    {"channel read-only", "the same, mapped read-only, copied out"},
    {"channel batch 16", "a link's channel, 16 published at once"},
    {"boost spsc", "boost::lockfree::spsc_queue, push and consume_one"},
}};

inline constexpr std::array<std::size_t, 5> stream_sizes{64, 256, 1024, 4096, 65536};
inline constexpr std::array<std::size_t, 3> stream_capacities{256 * 1024, 1024 * 1024, 4096 * 1024};

struct StreamPairOptions {
  std::size_t size = 64;               // one of stream_sizes
  std::size_t capacity = 1024 * 1024;  // one of stream_capacities
  std::size_t rounds = 10;
  std::size_t laps = 8;  // of the ring, a turn
  std::uint64_t seed = 1;
};

struct StreamPairResult {
  std::array<double, stream_kinds> messages_per_s{};  // medians over the rounds
  double rtt_before_ns = 0;                           // raw cache-line round trip of this pair
  double rtt_after_ns = 0;
  [[nodiscard]] double self_ratio() const noexcept { return messages_per_s[raw_again] / messages_per_s[raw_stream]; }
};

// False: memory or a process could not be had, or what arrived was not what was sent; stderr says which.
[[nodiscard]] bool run_stream_pair(const StreamPairOptions& options, StreamPairResult& result);

}  // namespace symphony::bench
