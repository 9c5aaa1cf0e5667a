// The shape of a graph once its edges are known: successors, order, priorities, cycles.   Layer: pits/dag_tracker.
//
// Tasks are numbers 0 .. n - 1. Everything here is a pure function of its arguments and free of recursion: a chain of
// four million tasks needs no more stack than a chain of four.
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace symphony::pit::tracker {

// For each task the tasks that wait for it, ascending, each once.
struct Successors {
  std::vector<std::uint32_t> offsets;  // n + 1 of them
  std::vector<std::uint32_t> targets;

  [[nodiscard]] std::uint32_t tasks() const noexcept { return static_cast<std::uint32_t>(offsets.size()) - 1; }
  [[nodiscard]] std::uint32_t edges() const noexcept { return static_cast<std::uint32_t>(targets.size()); }
  [[nodiscard]] std::span<const std::uint32_t> of(std::uint32_t task) const noexcept {
    return {targets.data() + offsets[task], targets.data() + offsets[task + 1]};
  }
};

// Sorts edges by their first task and drops repeated ones. Precondition: equal lengths, every number < tasks.
[[nodiscard]] Successors make_successors(std::uint32_t tasks, std::span<const std::uint32_t> before,
                                         std::span<const std::uint32_t> after);

// How many tasks each task waits for.
[[nodiscard]] std::vector<std::uint32_t> count_predecessors(const Successors& graph);

// Tasks such that each stands behind all that it waits for. Shorter than tasks() exactly when there is a cycle: then
// the missing ones are those on cycles and those that wait for them.
[[nodiscard]] std::vector<std::uint32_t> topological_order(const Successors& graph,
                                                           std::span<const std::uint32_t> predecessors);

// A task's critical weight is the weight of the heaviest chain that starts with it, its own included.
struct Priorities {
  std::vector<std::uint32_t> rank;     // of each task: 0 has the highest critical weight, equal ones by number
  std::vector<std::uint32_t> by_rank;  // the task of each rank
  std::uint32_t levels = 0;            // tasks on the longest chain
  std::uint64_t critical_weight = 0;   // of the heaviest chain
};
// Precondition: order is complete. `weights` empty: each weighs 1.
[[nodiscard]] Priorities make_priorities(const Successors& graph, std::span<const std::uint32_t> order,
                                         std::span<const std::uint32_t> weights);

// A cycle: each task waits for the one before it, the first for the last. Among the shortest known the one with the
// least first task. A cycle is always found; the search for a shorter one ends after `steps_max` edges, so the answer
// is the shortest of the graph unless it has large tangles. Precondition: `order` is incomplete.
[[nodiscard]] std::vector<std::uint32_t> find_cycle(const Successors& graph, std::span<const std::uint32_t> order,
                                                    std::uint32_t steps_max);

}  // namespace symphony::pit::tracker
