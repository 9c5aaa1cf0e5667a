// What somebody from outside decides about tasks: to cancel them, or to run them again.   Layer: pits/dag_tracker.
#include <algorithm>

#include "pits/dag_tracker/graph.hpp"

namespace symphony::pit::tracker {
namespace {

constexpr Verdict unsealed{Refusal::not_sealed, "the graph is not sealed; send Seal first"};
constexpr Verdict unknown{Refusal::no_such_task, "no task has this number; Export lists those that there are"};

// The task, or it and all that wait for it, directly or not.
std::vector<std::uint32_t> chosen(const Successors& graph, std::uint32_t task, bool subtree) {
  std::vector<std::uint32_t> out{task};
  if (!subtree) return out;
  std::vector<bool> seen(graph.tasks());
  seen[task] = true;
  for (std::size_t i = 0; i < out.size(); ++i) {
    for (const std::uint32_t s : graph.of(out[i])) {
      if (!seen[s]) out.push_back(s);
      seen[s] = true;
    }
  }
  return out;
}

}  // namespace

Verdict Graph::cancel(std::uint32_t task, bool subtree, std::uint32_t* changed, Tally* tally) {
  if (!sealed_) return unsealed;
  if (task >= tasks()) return unknown;
  std::vector<std::uint32_t> all = chosen(successors_, task, subtree);
  make_room_to_end();
  // All of them first, so that none ends because of another one.
  std::size_t cancelled = 0;
  for (const std::uint32_t t : all) {
    Mark& mark = marks_[t];
    if (states_[t] == TaskState::running) {
      *changed += (mark.flags & cancel_is_asked) == 0;
      mark.flags |= cancel_is_asked;
    }
    if (states_[t] == TaskState::running || has_ended(states_[t])) continue;
    if (states_[t] == TaskState::ready) ready_.erase(tasks_[t].rank);
    if (states_[t] == TaskState::retry_wait) resting_.drop(t);
    mark.flags = by_itself;
    move(t, TaskState::cancelled);
    all[cancelled++] = t;
  }
  for (std::size_t i = 0; i < cancelled; ++i) spread(all[i], tally);
  tally->ended += static_cast<std::uint32_t>(cancelled);
  *changed += static_cast<std::uint32_t>(cancelled);
  return {};
}

Verdict Graph::retry(Again what, std::uint32_t task, std::uint32_t* changed, Tally* tally) {
  if (!sealed_) return unsealed;
  if (what != Again::failed && task >= tasks()) return unknown;
  if (what == Again::task) {
    const TaskState state = states_[task];
    if (!has_ended(state)) {
      return {Refusal::wrong_state, "the task has not ended; Cancel it first, or wait for its end"};
    }
    if (state == TaskState::upstream_failed ||
        (!ended_by_itself(task) && !is_success(state) && state != TaskState::failed)) {
      return {Refusal::wrong_state,
              "the task ended because of one before it; retry that one, Explain says which, or use FAILED"};
    }
  }
  std::vector<std::uint32_t> all;
  if (what != Again::failed) all = chosen(successors_, task, what == Again::subtree);
  for (std::uint32_t t = 0; what == Again::failed && t < tasks(); ++t) {
    if (states_[t] == TaskState::failed) all.push_back(t);
  }
  const std::vector<std::uint32_t> order = topological_order(successors_, count_predecessors(successors_));
  std::vector<Before> before(tasks());
  make_room_to_end();
  for (const std::uint32_t t : all) {
    if (!has_ended(states_[t])) continue;
    ++*changed;
    marks_[t] = {};
    tasks_[t].token = 0;
    errors_.erase(t);
    move(t, TaskState::waiting);
  }
  judge_all(order, before, tally);
  return {};
}

// Decides each task anew that what is before it decides, in an order in which that is known. What has begun and could
// not begin now waits again; its token is stale.
// `before` has a Before for each task: those before it are counted when its turn comes.
void Graph::judge_all(std::span<const std::uint32_t> order, std::span<Before> before, Tally* tally) noexcept {
  for (const std::uint32_t t : order) {
    Task& entry = tasks_[t];
    entry.waits_for = before[t].open;
    const TaskState is = states_[t];
    const bool is_own = ended_by_itself(t);
    if (is == TaskState::waiting || !fits(is, is_own, rule(t), before[t])) {
      const TaskState to = judge(rule(t), before[t]);
      if (to != is) {
        if (is == TaskState::ready) ready_.erase(entry.rank);
        if (is == TaskState::retry_wait) resting_.drop(t);
        if (!marks_.empty()) marks_[t] = {};
        entry.token = 0;
        move(t, to);
        tally->newly_ready += to == TaskState::ready;
      }
    }
    for (const std::uint32_t s : successors_.of(t)) before[s].add(states_[t]);
  }
}

}  // namespace symphony::pit::tracker
