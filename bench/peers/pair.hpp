// One comparison in one pair of fresh processes: ours and a peer, in turns.   Layer: bench.
//
// The process that calls run_pair() only supervises: it forks the helper and the caller, each kept on a processor of
// its own, and ends both when one of them dies or time is up; both die with it. Both hold both connections. They do
// turns, ours and the peer's, in an order drawn anew each round; the medians over the turns are the result. Before and
// behind it the raw round trip of a cache line is measured between the same two, which tells what pair of processors
// this is. Threads: call it from a program with one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>

#include <symphony/clock.hpp>

#include "bench/peers/adapter.hpp"
#include "bench/peers/known.hpp"

namespace symphony::bench::peers {

struct PairPlan {
  const PeerFacts* peer = nullptr;
  Pattern pattern = Pattern::rtt;
  std::size_t size = 64;
  std::uint64_t seed = 1;          // of the order of turns
  TimeNs budget_ns = 100 * ms_ns;  // for all turns together; never fewer than turns_min of each kind
  TimeNs timeout_ns = 30 * second_ns;
};

inline constexpr std::uint64_t turns_min = 6;  // of each kind
inline constexpr std::uint64_t turns_max = 400;

// Medians over the turns of this pair, each the mean of one round trip, or of one message of a stream.
struct PairResult {
  double ours_ns = 0;
  double peer_ns = 0;
  double self_ratio = 0;     // ours in every other turn over ours in the others: what the machine's unrest makes of 1
  double raw_before_ns = 0;  // the raw cache line of this pair
  double raw_after_ns = 0;
  std::uint64_t turns = 0;       // of each kind
  std::uint64_t ours_count = 0;  // round trips or messages of one turn
  std::uint64_t peer_count = 0;
  std::uint32_t pinned = 0;
  std::uint32_t reserved = 0;
};

// The peer could not be prepared: this machine does not let it run. One line says why.
struct CannotRun {
  std::string why;
};

// The result, or what went wrong: one line without the program's name.
[[nodiscard]] std::variant<PairResult, CannotRun, std::string> run_pair(const PairPlan& plan,
                                                                        const AdapterEntry& entry);

}  // namespace symphony::bench::peers
