// Cycles of a task graph: find one, or merge each into a single task; and how deep the graph is.
// Layer: tools. Threads: any. Deterministic: equal graphs give equal results.
#pragma once

#include <cstdint>
#include <vector>

#include "tools/symphony/graph/input_error.hpp"
#include "tools/symphony/graph/task_graph.hpp"

namespace symphony::tools {

// The strongly connected groups: two tasks share one when each must come before the other.
struct Groups {
  std::vector<std::uint32_t> group_of;  // by task; groups are numbered by their first member
  std::vector<std::uint32_t> sizes;     // by group
};
[[nodiscard]] Groups strong_groups(const TaskGraph& graph);

// One cycle: each task comes before the next, the last before the first. Empty when there is none. It is taken from
// the first group that has one, is a shortest one there, and begins with its first task in the order of the graph.
// In a very large group the search ends after search_steps_max edges; the cycle is then the shortest one seen.
inline constexpr std::uint64_t search_steps_max = 20'000'000;
[[nodiscard]] std::vector<std::uint32_t> find_cycle(const TaskGraph& graph);

// The error for a cyclic graph that was not condensed: prints the path, shortened in the middle when it is long.
[[nodiscard]] InputError cycle_error(const TaskGraph& graph, const std::vector<std::uint32_t>& cycle,
                                     std::string_view label);

struct Condensed {
  TaskGraph graph;               // acyclic; the notes are those of the input
  std::uint32_t groups = 0;      // of two or more tasks: each became one task
  std::uint32_t members = 0;     // tasks that stood in them
  std::uint32_t largest = 0;     // members of the largest
  std::uint32_t self_loops = 0;  // edges of a task to itself, left out
};

// Merges each group into one task. Its name is its members' names in byte order with '+' between; from
// merged_names_max members on, the first names and how many more. Names stay unique.
inline constexpr std::size_t merged_names_max = 12;
[[nodiscard]] Condensed condense(TaskGraph graph);

// The number of steps an unlimited number of workers needs: tasks on the longest path. 0 for an empty graph.
// Precondition: no cycle.
[[nodiscard]] std::uint32_t levels(const TaskGraph& graph);

}  // namespace symphony::tools
