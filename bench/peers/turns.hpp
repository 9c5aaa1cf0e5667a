// What the two sides of a pair do in turns, and what the caller makes of it.   Layer: bench.
// Threads: each side is one thread; they speak over `control`, one end each of a SOCK_SEQPACKET pair.
#pragma once

#include <memory>

#include "bench/peers/pair.hpp"

namespace symphony::bench::peers {

// Ours and the peer's, in this order wherever there are two of something.
struct Links {
  std::unique_ptr<Link> of[2];
};

// Two areas of raw_bytes, zero at first, for the raw cache line: the caller's, then the helper's.
inline constexpr std::size_t raw_bytes = 64 * 1024;

// What a side reports when it cannot go on. Written by it, read by the supervisor.
struct Failure {
  Outcome outcome;
  std::uint32_t of_peer;  // 0: our own link
};

// Does what the caller orders until told to stop. The return value: ok, or what stopped it.
[[nodiscard]] Failure serve_turns(const Links& links, int control, std::byte* raw);

// Orders, measures, tells the helper to stop.
[[nodiscard]] Failure run_turns(const PairPlan& plan, const Links& links, int control, std::byte* raw,
                                PairResult& measured);

}  // namespace symphony::bench::peers
