// Recorded work: the calls that a pit gets, in order.   Layer: bench. Threads: plain values.
// A trace's file is one JSON document: {"format": "symphony-trace", "version": 1, "pit", "schema_hash", "what",
// "set_up", "calls": [{"type", "effect", "body": hexadecimal}]}. The first `set_up` calls build the state that the
// others work on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "pits/hosting/pit_info.hpp"

namespace symphony::bench {

inline constexpr std::size_t trace_calls_max = 1'000'000;
inline constexpr std::uint64_t trace_file_max = std::uint64_t{256} << 20;

struct TracedCall {
  std::uint32_t type = 0;
  std::uint32_t effect = 0;
  std::vector<std::byte> body{};
  friend bool operator==(const TracedCall&, const TracedCall&) = default;
};

struct Trace {
  std::string pit;
  std::string what;  // for people
  std::uint64_t schema_hash = 0;
  std::size_t set_up = 0;
  std::vector<TracedCall> calls{};
  friend bool operator==(const Trace&, const Trace&) = default;
};

// Both: empty text when done, else one line that names the file and the remedy.
[[nodiscard]] std::string write_trace(const std::string& path, const Trace& trace);
[[nodiscard]] std::string read_trace(const std::string& path, Trace& out);

// Why this pit cannot be given the trace: another pit, another schema, a message that it does not take. Empty: it can.
[[nodiscard]] std::string trace_misfit(const Trace& trace, const pit::PitInfo& info);

}  // namespace symphony::bench
