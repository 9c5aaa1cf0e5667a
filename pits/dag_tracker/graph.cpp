// Making, sealing and running a graph; saving it is in graph_state.cpp.   Layer: pits/dag_tracker.
#include "pits/dag_tracker/graph.hpp"

#include <algorithm>
#include <utility>

namespace symphony::pit::tracker {
namespace {

// Room for `more` elements behind those there are, growing by doubling, so that batches stay linear in all.
template <class Container>
void make_room(Container& c, std::size_t more) {
  const std::size_t needed = c.size() + more;
  if (needed > c.capacity()) c.reserve(std::max(needed, c.capacity() * 2));
}

constexpr Verdict refuse_sealed{Refusal::already_sealed,
                                "the graph is sealed and takes no more tasks or edges; load another with CreateGraph"};

}  // namespace

Verdict Graph::add_tasks(std::uint32_t count, std::span<const std::string_view> names,
                         std::span<const std::uint32_t> weights, const Limits& limits) {
  if (sealed_) return refuse_sealed;
  if (count > limits.tasks || tasks() > limits.tasks - count) {
    return {Refusal::limit, "too many tasks for one pit; drop finished graphs with DropGraph or use a second pit"};
  }
  std::uint64_t bytes = 0;
  for (const std::string_view name : names) {
    if (name.size() > limits.name_size) return {Refusal::limit, "a task's name is too long; use at most 255 bytes"};
    bytes += name.size();
  }
  if (names_.size() + bytes > limits.name_bytes) {
    return {Refusal::limit, "the tasks' names are too many bytes for one pit; use shorter ones or none"};
  }
  const bool names_from_here = bytes != 0 && name_ends_.empty();
  const bool weights_from_here =
      weights_.empty() && std::any_of(weights.begin(), weights.end(), [](std::uint32_t w) { return w != 1; });

  make_room(states_, count);
  if (names_from_here || !name_ends_.empty()) make_room(name_ends_, (name_ends_.empty() ? tasks() : 0U) + count);
  make_room(names_, static_cast<std::size_t>(bytes));
  if (weights_from_here || !weights_.empty()) make_room(weights_, (weights_.empty() ? tasks() : 0U) + count);

  // Nothing below allocates.
  if (names_from_here) name_ends_.assign(tasks(), 0);
  if (weights_from_here) weights_.assign(tasks(), 1);
  const bool has_names = names_from_here || !name_ends_.empty();
  const bool has_weights = weights_from_here || !weights_.empty();
  for (std::uint32_t i = 0; i < count; ++i) {
    if (!names.empty()) names_.append(names[i]);
    if (has_names) name_ends_.push_back(static_cast<std::uint32_t>(names_.size()));
    if (has_weights) weights_.push_back(weights.empty() ? 1 : weights[i]);
    states_.push_back(TaskState::waiting);
  }
  counts_.waiting += count;
  return {};
}

Verdict Graph::add_edges(std::span<const std::uint32_t> before, std::span<const std::uint32_t> after,
                         const Limits& limits, std::size_t* bad_edge) {
  if (sealed_) return refuse_sealed;
  if (before.size() > limits.edges || before_.size() > limits.edges - before.size()) {
    return {Refusal::limit, "too many edges for one pit; drop finished graphs with DropGraph or use a second pit"};
  }
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (before[i] < tasks() && after[i] < tasks()) continue;
    *bad_edge = i;
    return {Refusal::no_such_task, "an edge names a task that was not added; send AddTasks first"};
  }
  make_room(before_, before.size());
  make_room(after_, after.size());
  before_.insert(before_.end(), before.begin(), before.end());
  after_.insert(after_.end(), after.begin(), after.end());
  return {};
}

Verdict Graph::seal(const Limits& limits, std::vector<std::uint32_t>* cycle) {
  if (sealed_) return refuse_sealed;
  Successors successors = make_successors(tasks(), before_, after_);
  const std::vector<std::uint32_t> predecessors = count_predecessors(successors);
  const std::vector<std::uint32_t> order = topological_order(successors, predecessors);
  if (order.size() != tasks()) {
    *cycle = find_cycle(successors, order, limits.cycle_search_steps);
    return {};
  }
  adopt(make_priorities(successors, order, weights_), predecessors);
  successors_ = std::move(successors);
  sealed_ = true;
  std::vector<std::uint32_t>().swap(before_);
  std::vector<std::uint32_t>().swap(after_);
  for (std::uint32_t t = 0; t < tasks(); ++t) {
    if (tasks_[t].waits_for == 0) move(t, TaskState::ready);
  }
  return {};
}

// Takes over what the shape determines. The ready set is empty afterwards; allocations come first.
void Graph::adopt(Priorities&& priorities, std::span<const std::uint32_t> predecessors) {
  std::vector<Task> fresh(tasks());
  ready_.reset(tasks());
  for (std::uint32_t t = 0; t < tasks(); ++t) {
    fresh[t].waits_for = predecessors[t];
    fresh[t].rank = priorities.rank[t];
  }
  tasks_ = std::move(fresh);
  by_rank_ = std::move(priorities.by_rank);
  levels_ = priorities.levels;
  critical_weight_ = priorities.critical_weight;
}

std::uint32_t Graph::claim(std::uint32_t worker, std::span<std::uint32_t> out, std::uint64_t* first_token) noexcept {
  *first_token = next_token_;
  std::uint32_t given = 0;
  while (given < out.size() && !ready_.empty()) {
    const std::uint32_t task = by_rank_[ready_.take_min()];
    Task& entry = tasks_[task];
    entry.token = next_token_++;
    entry.worker = worker;
    ++entry.attempt;
    move(task, TaskState::running);
    out[given++] = task;
  }
  return given;
}

Verdict Graph::complete(std::uint32_t task, std::uint64_t token, std::uint32_t* newly_ready) noexcept {
  *newly_ready = 0;
  if (!sealed_) return {Refusal::not_sealed, "the graph is not sealed; send Seal first"};
  if (task >= tasks()) return {Refusal::no_such_task, "no task has this number; complete what Claim gave"};
  const TaskState state = states_[task];
  const bool holds = token == tasks_[task].token && (state == TaskState::running || state == TaskState::succeeded);
  if (!holds) {
    return {Refusal::stale_attempt,
            "the token is not that of the task's current attempt; drop the result, claim again"};
  }
  if (state == TaskState::succeeded) return {};
  move(task, TaskState::succeeded);
  for (const std::uint32_t s : successors_.of(task)) {
    if (--tasks_[s].waits_for != 0) continue;
    move(s, TaskState::ready);
    ++*newly_ready;
  }
  return {};
}

std::uint32_t Graph::release(std::uint32_t worker) noexcept {
  std::uint32_t released = 0;
  for (std::uint32_t t = 0; t < tasks(); ++t) {
    if (states_[t] != TaskState::running || tasks_[t].worker != worker) continue;
    move(t, TaskState::ready);
    ++released;
  }
  return released;
}

std::string_view Graph::name(std::uint32_t task) const noexcept {
  if (name_ends_.empty()) return {};
  const std::uint32_t begin = task == 0 ? 0 : name_ends_[task - 1];
  return std::string_view(names_).substr(begin, name_ends_[task] - begin);
}

void Graph::move(std::uint32_t task, TaskState to) noexcept {
  --count_of(states_[task]);
  ++count_of(to);
  ++counts_.transitions;
  states_[task] = to;
  if (to == TaskState::ready) ready_.insert(tasks_[task].rank);
}

std::uint32_t& Graph::count_of(TaskState state) noexcept {
  switch (state) {
    case TaskState::waiting:
      return counts_.waiting;
    case TaskState::ready:
      return counts_.ready;
    case TaskState::running:
      return counts_.running;
    case TaskState::succeeded:
      break;
  }
  return counts_.succeeded;
}

}  // namespace symphony::pit::tracker
