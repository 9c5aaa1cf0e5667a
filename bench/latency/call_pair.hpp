// One pair of fresh processes that makes whole calls over a link, in turns with what they are compared with.
// Layer: bench.
//
// Nothing is left out: an embedded broker starts this program again as the pit, the caller opens a link and makes calls
// with deadlines; the pit answers with the same bytes, or reads a typed message and builds another. The raw paths
// (raw_paths.hpp) run between the same two processes: a request of its own type makes the pit play its other side for
// one turn. Threads: the calling one; the broker has its own.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>

#include <symphony/trust.hpp>
#include <symphony/waiting.hpp>

#include "bench/latency/histogram.hpp"
#include "bench/latency/raw_paths.hpp"

namespace symphony::bench {

// What is measured together; the kinds of one point take turns. The first ones are line_sizes.
enum Point : std::size_t {
  tail = line_sizes.size(),  // 32 bytes, each round trip by itself: its 99th percentile
  typed,
  large,
  point_count
};
enum Kind : std::size_t {
  limit,        // the raw line; of `large` memcpy and a flag, in place
  limit_again,  // the same once more; not of `typed`
  ours,
  beside,  // of `typed` what building, verifying and reading takes once; of `large` memcpy that moves on through memory
  kind_count
};

inline constexpr std::size_t turn_size = 64;
inline constexpr std::size_t large_turn_size = 4;

struct CallPairOptions {
  std::string program;  // this one
  std::size_t rounds = 400;
  Trust trust = Trust::cooperative;
  Waiting waiting = Waiting::adaptive;
  bool is_large = false;  // only the point `large`, over a link with rings of its size; otherwise all the others
};

struct CallPairResult {
  // Nanoseconds a round trip: medians over the turns of this pair; of `tail` the 99th percentile. 0: not measured.
  std::array<std::array<double, kind_count>, point_count> ns{};
  std::array<Histogram, kind_count> tails;
  double rtt_before_ns = 0;  // the raw line of 32 bytes
  double rtt_after_ns = 0;
  Point self_point = static_cast<Point>(0);  // whose limit was measured twice
  [[nodiscard]] double self_ratio() const noexcept { return ns[self_point][limit_again] / ns[self_point][limit]; }
};

// Nothing: it could not be measured; stderr says why.
[[nodiscard]] std::optional<CallPairResult> run_call_pair(const CallPairOptions& options);

// The pit's side, as run_call_pair() starts it. Arguments: memory, processor or -1, largest reply. Returns the exit
// status.
int be_call_pit(const char* memory, const char* cpu, const char* reply_size_max);

}  // namespace symphony::bench
