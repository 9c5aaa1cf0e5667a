// One graph of tasks from its making to its last completion.   Layer: pits/dag_tracker (no messages, no contract).
//
// Life: tasks and edges are added; seal() fixes the shape, which grow() extends; then claim() hands out ready tasks by
// priority, and complete(), fail(), skip() take them back. A task's state is one enumeration; its token fences its
// attempts.
// Invariants of a sealed graph, between any two calls:
//   G1  each task's state fits its rule and the states of the tasks before it (task_state.hpp)
//   G2  the counts are those of the states; the ready set holds the ranks of the ready tasks; the resting ones those
//       of RETRY_WAIT
//   G3  every token given is greater than every token given before, and than the fence
// Threads: one at a time. An operation that is refused, or throws for want of memory, changed nothing.
// Time: claim is constant a task, complete is linear in the task's successors; fail, skip and cancel in those of all
// that end by it; release in the tasks of the graph; grow, retry and what looks at chains in tasks and edges.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pits/dag_tracker/limits.hpp"
#include "pits/dag_tracker/resting.hpp"
#include "pits/dag_tracker/task_state.hpp"
#include "pits/dag_tracker/topology.hpp"
#include "pits/dag_tracker/verdict.hpp"
#include "pits/parts/rank_set.hpp"
#include "pits/parts/state_io.hpp"

namespace symphony::pit::tracker {

using parts::RankSet;
using parts::StateReader;
using parts::StateWriter;

struct Counts {
  std::uint32_t waiting = 0;
  std::uint32_t ready = 0;
  std::uint32_t running = 0;
  std::uint32_t succeeded = 0;
  std::uint32_t retry_wait = 0;
  std::uint32_t cached = 0;
  std::uint32_t failed = 0;
  std::uint32_t upstream_failed = 0;
  std::uint32_t skipped = 0;
  std::uint32_t cancelled = 0;
  std::uint64_t transitions = 0;  // changes of one task's state since the graph was made

  [[nodiscard]] std::uint32_t unfinished() const noexcept { return waiting + ready + retry_wait + running; }
};

struct Options {
  std::uint32_t failures_max = 0;  // nothing is given out once so many tasks have failed; 0: no bound
  std::uint32_t losses_max = 0;    // of workers of one task, then it has failed; 0: no bound
  std::uint32_t weight_us = 0;     // how long a weight of 1 lasts; 0: weights are no durations
};

// Tasks as they are added. Each list is empty, or has one for each task.
struct NewTasks {
  std::uint32_t count = 0;
  std::span<const std::string_view> names;
  std::span<const std::uint32_t> weights;    // none: 1 each
  std::span<const std::uint8_t> rules;       // none: all_success
  std::span<const std::uint16_t> retries;    // none: 0
  std::span<const std::uint32_t> delays_ms;  // before the first retry; none: 100
};

enum class Stop : std::uint8_t { none = 0, paused = 1, failures = 2 };
enum class Again : std::uint8_t { task = 0, subtree = 1, failed = 2 };

// What one operation did to others.
struct Tally {
  std::uint32_t newly_ready = 0;
  std::uint32_t ended = 0;
};

class Graph {
 public:
  // Tokens will be greater than `fence`. Precondition: fence <= fence_max.
  explicit Graph(std::uint64_t fence = 0, const Options& options = {}) noexcept
      : options_(options), next_token_(fence + 1) {}

  // Appends tasks, numbered on from tasks().
  Verdict add_tasks(const NewTasks& more, const Limits& limits);
  Verdict add_tasks(std::uint32_t count, std::span<const std::string_view> names,
                    std::span<const std::uint32_t> weights, const Limits& limits) {
    return add_tasks({count, names, weights, {}, {}, {}}, limits);
  }

  // after[i] waits for before[i]. A repeated edge counts once; an edge to itself is a cycle, which seal() reports.
  // Precondition: equal lengths. On no_such_task, *bad_edge is the first edge that names an unknown task.
  Verdict add_edges(std::span<const std::uint32_t> before, std::span<const std::uint32_t> after, const Limits& limits,
                    std::size_t* bad_edge);

  // Fixes the shape. With a cycle the verdict is still ok, *cycle is not empty (topology.hpp, find_cycle) and the graph
  // stays unsealed.
  Verdict seal(const Limits& limits, std::vector<std::uint32_t>* cycle);

  // Tasks and edges for a sealed graph, all or nothing; an edge may name the new tasks. What waits behind a new edge
  // must not have begun (wrong_state, *bad_edge). A cycle as of seal(): nothing was changed.  (growth.cpp)
  Verdict grow(const NewTasks& more, std::span<const std::uint32_t> before, std::span<const std::uint32_t> after,
               const Limits& limits, std::vector<std::uint32_t>* cycle, std::size_t* bad_edge, Tally* tally);

  // Gives up to out.size() ready tasks to `worker`, highest critical weight first, equal ones by number. Returns how
  // many; out[i] got the token *first_token + i. None while stopped(). Precondition: sealed().
  std::uint32_t claim(std::uint32_t worker, std::span<std::uint32_t> out, std::uint64_t* first_token) noexcept;

  // The attempt of `token` succeeded. A repeat with the token that completed the task is ok and makes nothing ready.
  Verdict complete(std::uint32_t task, std::uint64_t token, std::uint32_t* newly_ready) {
    Tally tally;
    const Verdict verdict = complete(task, token, false, 0, &tally);
    *newly_ready = tally.newly_ready;
    return verdict;
  }
  // `cached`: it was up to date, nothing ran. duration_us: how long it ran; 0: not known.
  Verdict complete(std::uint32_t task, std::uint64_t token, bool cached, std::uint64_t duration_us, Tally* tally);

  // ---- endings.cpp: the ways in which an attempt does not succeed ----
  // The attempt failed: the task rests and is tried again, or has failed. A repeat with the same token changes nothing.
  Verdict fail(std::uint32_t task, std::uint64_t token, bool retryable, std::string_view error, std::uint64_t now_ns,
               Tally* tally);
  // There was nothing to do for this attempt.
  Verdict skip(std::uint32_t task, std::uint64_t token, Tally* tally);
  // Makes every task that `worker` runs ready again; its tokens are stale from here. `lost`: each counts as a loss, and
  // one too many as a failure. Precondition: sealed().
  std::uint32_t release(std::uint32_t worker, bool lost, Tally* tally);
  std::uint32_t release(std::uint32_t worker) {
    Tally tally;
    return release(worker, false, &tally);
  }
  // The task, or it and all behind it: what has not begun is cancelled, of what runs the worker is told.
  Verdict cancel(std::uint32_t task, bool subtree, std::uint32_t* changed, Tally* tally);
  // What has ended runs again, and what ended by it is decided anew. `task` counts for all but Again::failed.
  Verdict retry(Again what, std::uint32_t task, std::uint32_t* changed, Tally* tally);
  // Whether the attempt is still this task's, and should be given up.
  Verdict heartbeat(std::uint32_t task, std::uint64_t token, bool* cancel) const noexcept;

  void pause(bool paused) noexcept { paused_ = paused; }
  [[nodiscard]] Stop stopped() const noexcept {
    if (options_.failures_max != 0 && counts_.failed >= options_.failures_max) return Stop::failures;
    return paused_ ? Stop::paused : Stop::none;
  }

  // Tasks whose rest is over are ready. A clock that was set back lengthens no rest.
  void at(std::uint64_t now_ns) noexcept;
  [[nodiscard]] bool is_resting() const noexcept { return !resting_.empty(); }
  [[nodiscard]] std::uint64_t next_due_ns() const noexcept { return resting_.next_ns(); }

  [[nodiscard]] bool sealed() const noexcept { return sealed_; }
  [[nodiscard]] std::uint32_t tasks() const noexcept { return static_cast<std::uint32_t>(states_.size()); }
  // Different edges once sealed, before that edges as added.
  [[nodiscard]] std::uint32_t edges() const noexcept {
    return sealed_ ? successors_.edges() : static_cast<std::uint32_t>(before_.size());
  }
  // From and to. Precondition: number < edges().
  [[nodiscard]] std::pair<std::uint32_t, std::uint32_t> edge(std::uint32_t number) const noexcept;
  [[nodiscard]] std::uint32_t name_bytes() const noexcept { return static_cast<std::uint32_t>(names_.size()); }
  [[nodiscard]] const Counts& counts() const noexcept { return counts_; }
  [[nodiscard]] const Options& options() const noexcept { return options_; }
  [[nodiscard]] std::uint32_t levels() const noexcept { return levels_; }
  [[nodiscard]] std::uint64_t critical_weight() const noexcept { return critical_weight_; }
  [[nodiscard]] const Successors& successors() const noexcept { return successors_; }

  // Precondition of these: task < tasks().
  [[nodiscard]] TaskState state(std::uint32_t task) const noexcept { return states_[task]; }
  [[nodiscard]] std::uint32_t attempt(std::uint32_t task) const noexcept { return sealed_ ? tasks_[task].attempt : 0; }
  [[nodiscard]] std::uint32_t failures(std::uint32_t task) const noexcept {
    return marks_.empty() ? 0U : marks_[task].failures;
  }
  [[nodiscard]] std::uint32_t waits_for(std::uint32_t task) const noexcept {
    return sealed_ ? tasks_[task].waits_for : 0;
  }
  [[nodiscard]] std::uint32_t worker(std::uint32_t task) const noexcept { return sealed_ ? tasks_[task].worker : 0; }
  [[nodiscard]] std::uint32_t rank(std::uint32_t task) const noexcept { return sealed_ ? tasks_[task].rank : 0; }
  [[nodiscard]] std::uint32_t weight(std::uint32_t task) const noexcept {
    return weights_.empty() ? 1 : weights_[task];
  }
  [[nodiscard]] std::uint32_t duration_us(std::uint32_t task) const noexcept {
    return durations_.empty() ? 0 : durations_[task];
  }
  [[nodiscard]] Rule rule(std::uint32_t task) const noexcept {
    return rules_.empty() ? Rule::all_success : Rule{rules_[task]};
  }
  [[nodiscard]] std::uint32_t retries(std::uint32_t task) const noexcept {
    return retries_.empty() ? 0 : retries_[task];
  }
  // Cancelled or skipped, and not because of one before it.
  [[nodiscard]] bool ended_by_itself(std::uint32_t task) const noexcept {
    return !marks_.empty() && (marks_[task].flags & by_itself) != 0;
  }
  [[nodiscard]] std::uint64_t due_ns(std::uint32_t task) const noexcept { return resting_.due_ns(task); }
  // Of its latest failure; valid until the next call that changes the graph.
  [[nodiscard]] std::string_view error(std::uint32_t task) const noexcept;
  // Valid until the next add_tasks() or grow().
  [[nodiscard]] std::string_view name(std::uint32_t task) const noexcept;

  // Everything, as canonical bytes: equal states save as equal bytes. False when the writer refused.
  [[nodiscard]] bool save(StateWriter& to) const;
  // Into a new graph, of a state of `revision`. False when the bytes are not a graph within `limits`; the graph is then
  // of no use.
  [[nodiscard]] bool load(StateReader& from, const Limits& limits, std::uint32_t revision);

 private:
  // Flags of a task.
  static constexpr std::uint8_t by_itself = 1;        // skipped or cancelled, not by what is before it
  static constexpr std::uint8_t cancel_is_asked = 2;  // it runs, and its worker will be told

  struct Task {
    std::uint64_t token = 0;      // of the latest attempt, 0 before the first and once that was given back
    std::uint32_t waits_for = 0;  // tasks before it that have not ended
    std::uint32_t rank = 0;
    std::uint32_t attempt = 0;
    std::uint32_t worker = 0;
  };
  struct Mark {
    std::uint16_t failures = 0;
    std::uint8_t losses = 0;
    std::uint8_t flags = 0;
  };

  Verdict check(const NewTasks& more, const Limits& limits) const;
  void append(const NewTasks& more);
  void make_room_for(const NewTasks& more);
  void adopt(Priorities&& priorities, std::span<const std::uint32_t> predecessors);
  void move(std::uint32_t task, TaskState to) noexcept;
  [[nodiscard]] std::uint32_t& count_of(TaskState state) noexcept;
  Verdict attempt_of(std::uint32_t task, std::uint64_t token) const noexcept;
  void make_room_to_end();
  void end(std::uint32_t task, TaskState to, Tally* tally) noexcept;
  void spread(std::uint32_t task, Tally* tally) noexcept;
  [[nodiscard]] TaskState after_ending(std::uint32_t task, TaskState ended) const noexcept;
  void judge_all(std::span<const std::uint32_t> order, std::span<Before> before, Tally* tally) noexcept;
  void keep_error(std::uint32_t task, std::string_view error);
  [[nodiscard]] bool load_tasks(StateReader& from, std::uint32_t flags, std::uint32_t tasks, const Limits& limits);
  [[nodiscard]] bool load_shape(StateReader& from, std::uint32_t tasks, std::uint32_t edges);
  [[nodiscard]] bool load_progress(StateReader& from, std::uint32_t flags, std::uint32_t revision);
  [[nodiscard]] bool load_judged();
  [[nodiscard]] bool load_more(StateReader& from, std::uint32_t flags);

  bool sealed_ = false;
  bool paused_ = false;
  Options options_;
  std::uint32_t levels_ = 0;
  std::uint64_t critical_weight_ = 0;
  std::uint64_t next_token_ = 1;
  Counts counts_;

  std::vector<TaskState> states_;         // one a task
  std::string names_;                     // all names, one behind the other
  std::vector<std::uint32_t> name_ends_;  // where each ends; empty while no task has one
  std::vector<std::uint32_t> weights_;    // empty while each weighs 1
  std::vector<std::uint8_t> rules_;       // empty while each is all_success
  std::vector<std::uint16_t> retries_;    // these two: empty while no task has any
  std::vector<std::uint32_t> delays_ms_;

  std::vector<std::uint32_t> before_, after_;  // as added; given back when sealed

  Successors successors_;  // from here on: sealed graphs only
  std::vector<Task> tasks_;
  std::vector<std::uint32_t> by_rank_;  // the task of each rank
  RankSet ready_;
  std::vector<Mark> marks_;  // empty while nothing has failed, was lost, skipped or cancelled
  Resting resting_;
  std::uint64_t now_ns_ = 0;              // of at(); what rests is due after it
  bool is_clock_unknown_ = false;         // what rests was loaded: it is due that long after the first at()
  std::vector<std::uint32_t> durations_;  // empty while none is known
  std::map<std::uint32_t, std::string> errors_;
  std::vector<std::uint32_t> work_;  // scratch of end(), with room for every task once something does not succeed
};

}  // namespace symphony::pit::tracker
