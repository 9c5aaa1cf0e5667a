// What can be said of a graph that runs: why a task does not, how much is left.   Layer: pits/dag_tracker.
// Threads: pure functions of the graph. Time: linear in tasks and edges.
#pragma once

#include <cstdint>
#include <vector>

#include "pits/dag_tracker/graph.hpp"

namespace symphony::pit::tracker {

// From the task to what holds it, each held by the next: of those before a task that waits the one with the heaviest
// chain, of one that ended by another the first that decides. The last one is the cause: it is ready, rests, runs or
// ended by itself. Precondition: task < tasks().
[[nodiscard]] std::vector<std::uint32_t> why_chain(const Graph& graph, std::uint32_t task);

// Ready tasks that are given out before this ready one.
[[nodiscard]] std::uint32_t ready_ahead(const Graph& graph, std::uint32_t task);

struct Left {
  std::uint64_t critical_us = 0;    // of the longest chain of tasks that have not ended
  std::uint64_t work_us = 0;        // of all of them
  bool is_known = false;            // some duration is known
  std::vector<std::uint32_t> path;  // that chain, the first to run first
};
// A task lasts what was measured, else what its weight says, else as long as the measured ones on average. Where
// nothing is known the chain is that of the weights, and the numbers are weights.
[[nodiscard]] Left left_of(const Graph& graph);

}  // namespace symphony::pit::tracker
