// Every maximum of the tracker, by name.   Layer: pits/dag_tracker.
//
// tasks, edges and name_bytes bound all graphs of one pit together, so that they bound its memory. A test passes small
// ones; the pit uses these.
// Threads: plain values.
#pragma once

#include <cstdint>

namespace symphony::pit::tracker {

struct Limits {
  std::uint32_t graphs = 64;
  std::uint32_t tasks = 4'194'304;
  std::uint32_t edges = 33'554'432;  // as added, duplicates included
  std::uint32_t name_bytes = 268'435'456;
  std::uint32_t name_size = 255;  // of one task or graph; at most 255, a name's size is one byte in the saved form
  std::uint32_t claim = 4'096;    // tasks given by one Claim
  std::uint32_t cycle_path = 4'096;
  std::uint32_t cycle_search_steps = 4'194'304;  // edges looked at for a shorter cycle once one is known
};

// Tokens start above a fence; more than this leaves too few before they would run over.
inline constexpr std::uint64_t fence_max = std::uint64_t{1} << 63;

inline constexpr std::uint32_t error_size_max = 255;              // what is kept of a failure's text
inline constexpr std::uint32_t errors_kept_max = 65'536;          // failures of one graph whose texts are kept
inline constexpr std::uint32_t retries_max = 65'534;              // of one task
inline constexpr std::uint32_t losses_max_max = 255;              // of workers of one task
inline constexpr std::uint64_t delay_ns_max = 3'600'000'000'000;  // before a retry, however often it was doubled
inline constexpr std::uint32_t chain_shown_max = 4'096;           // tasks of a chain that Explain and CriticalPath tell

}  // namespace symphony::pit::tracker
