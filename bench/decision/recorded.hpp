// Recorded work of our own pits: made once, by calling the pit linked in.   Layer: bench. Threads: one.
#pragma once

#include <cstddef>
#include <string>

#include "bench/decision/door.hpp"

namespace symphony::bench {

inline constexpr std::size_t dag_tasks_max = 400;  // of the graph: each is two calls
inline constexpr std::size_t pool_pairs = 200;     // of Acquire and Release
inline constexpr std::size_t mirror_calls = 200;

// Whether `pit` is one of ours, so that its work can be recorded here.
[[nodiscard]] bool has_recorded_work(const std::string& pit) noexcept;
// Fills calls, set-up and what; `graph` is a file of a task graph for dag_tracker, `size` bytes of each message for
// mirror. Empty text when done.
[[nodiscard]] std::string record_work(Door& door, const std::string& graph, std::size_t size, Trace& trace);

}  // namespace symphony::bench
