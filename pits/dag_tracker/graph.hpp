// One graph of tasks from its making to its last completion.   Layer: pits/dag_tracker (no messages, no contract).
//
// Life: tasks and edges are added; seal() fixes the shape; then claim() hands out ready tasks by priority and
// complete() takes them back. A task's state is one enumeration; its token fences its attempts.
// Invariants of a sealed graph, between any two calls:
//   G1  a task is ready, running or succeeded exactly when everything before it has succeeded
//   G2  the counts are those of the states; the ready set holds the ranks of the ready tasks
//   G3  every token given is greater than every token given before, and than the fence
// Threads: one at a time. An operation that is refused, or throws for want of memory, changed nothing.
// Time: claim is constant a task, complete is linear in the task's successors, release in the tasks of the graph.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pits/dag_tracker/limits.hpp"
#include "pits/dag_tracker/topology.hpp"
#include "pits/dag_tracker/verdict.hpp"
#include "pits/parts/rank_set.hpp"
#include "pits/parts/state_io.hpp"

namespace symphony::pit::tracker {

using parts::RankSet;
using parts::StateReader;
using parts::StateWriter;

// As in schemas/dag_tracker.fbs; the gaps leave room.
enum class TaskState : std::uint8_t { waiting = 0, ready = 10, running = 20, succeeded = 30 };

struct Counts {
  std::uint32_t waiting = 0;
  std::uint32_t ready = 0;
  std::uint32_t running = 0;
  std::uint32_t succeeded = 0;
  std::uint64_t transitions = 0;  // changes of one task's state since the graph was made

  [[nodiscard]] std::uint32_t unfinished() const noexcept { return waiting + ready + running; }
};

class Graph {
 public:
  // Tokens will be greater than `fence`. Precondition: fence <= fence_max.
  explicit Graph(std::uint64_t fence = 0) noexcept : next_token_(fence + 1) {}

  // Appends `count` tasks, numbered on from tasks(). `names` and `weights`: empty, or one for each.
  Verdict add_tasks(std::uint32_t count, std::span<const std::string_view> names,
                    std::span<const std::uint32_t> weights, const Limits& limits);

  // after[i] waits for before[i]. A repeated edge counts once; an edge to itself is a cycle, which seal() reports.
  // Precondition: equal lengths. On no_such_task, *bad_edge is the first edge that names an unknown task.
  Verdict add_edges(std::span<const std::uint32_t> before, std::span<const std::uint32_t> after, const Limits& limits,
                    std::size_t* bad_edge);

  // Fixes the shape. With a cycle the verdict is still ok, *cycle is not empty (topology.hpp, find_cycle) and the graph
  // stays unsealed.
  Verdict seal(const Limits& limits, std::vector<std::uint32_t>* cycle);

  // Gives up to out.size() ready tasks to `worker`, highest critical weight first, equal ones by number. Returns how
  // many; out[i] got the token *first_token + i. Precondition: sealed().
  std::uint32_t claim(std::uint32_t worker, std::span<std::uint32_t> out, std::uint64_t* first_token) noexcept;

  // The attempt of `token` succeeded. A repeat with the token that completed the task is ok and makes nothing ready.
  Verdict complete(std::uint32_t task, std::uint64_t token, std::uint32_t* newly_ready) noexcept;

  // Makes every task that `worker` runs ready again; its tokens are stale from here. Precondition: sealed().
  std::uint32_t release(std::uint32_t worker) noexcept;

  [[nodiscard]] bool sealed() const noexcept { return sealed_; }
  [[nodiscard]] std::uint32_t tasks() const noexcept { return static_cast<std::uint32_t>(states_.size()); }
  // Different edges once sealed, before that edges as added.
  [[nodiscard]] std::uint32_t edges() const noexcept {
    return sealed_ ? successors_.edges() : static_cast<std::uint32_t>(before_.size());
  }
  [[nodiscard]] std::uint32_t name_bytes() const noexcept { return static_cast<std::uint32_t>(names_.size()); }
  [[nodiscard]] const Counts& counts() const noexcept { return counts_; }
  [[nodiscard]] std::uint32_t levels() const noexcept { return levels_; }
  [[nodiscard]] std::uint64_t critical_weight() const noexcept { return critical_weight_; }

  // Precondition of these: task < tasks().
  [[nodiscard]] TaskState state(std::uint32_t task) const noexcept { return states_[task]; }
  [[nodiscard]] std::uint32_t attempt(std::uint32_t task) const noexcept { return sealed_ ? tasks_[task].attempt : 0; }
  // Valid until the next add_tasks().
  [[nodiscard]] std::string_view name(std::uint32_t task) const noexcept;

  // Everything, as canonical bytes: equal states save as equal bytes. False when the writer refused.
  [[nodiscard]] bool save(StateWriter& to) const;
  // Into a new graph. False when the bytes are not a graph within `limits`; the graph is then of no use.
  [[nodiscard]] bool load(StateReader& from, const Limits& limits);

 private:
  struct Task {
    std::uint64_t token = 0;      // of the latest attempt, 0 before the first
    std::uint32_t waits_for = 0;  // tasks before it that have not succeeded
    std::uint32_t rank = 0;
    std::uint32_t attempt = 0;
    std::uint32_t worker = 0;
  };

  void adopt(Priorities&& priorities, std::span<const std::uint32_t> predecessors);
  void move(std::uint32_t task, TaskState to) noexcept;
  [[nodiscard]] std::uint32_t& count_of(TaskState state) noexcept;
  [[nodiscard]] bool load_shape(StateReader& from, std::uint32_t tasks, std::uint32_t edges);
  [[nodiscard]] bool load_progress(StateReader& from);

  bool sealed_ = false;
  std::uint32_t levels_ = 0;
  std::uint64_t critical_weight_ = 0;
  std::uint64_t next_token_ = 1;
  Counts counts_;

  std::vector<TaskState> states_;         // one a task
  std::string names_;                     // all names, one behind the other
  std::vector<std::uint32_t> name_ends_;  // where each ends; empty while no task has one
  std::vector<std::uint32_t> weights_;    // empty while each weighs 1

  std::vector<std::uint32_t> before_, after_;  // as added; given back when sealed

  Successors successors_;  // from here on: sealed graphs only
  std::vector<Task> tasks_;
  std::vector<std::uint32_t> by_rank_;  // the task of each rank
  RankSet ready_;
};

}  // namespace symphony::pit::tracker
