// Tasks and edges that are found while a graph runs.   Layer: pits/dag_tracker.
//
// The shape is made anew, in one pass over tasks and edges, and looked through for a cycle before anything changes.
#include <algorithm>
#include <utility>

#include "pits/dag_tracker/graph.hpp"

namespace symphony::pit::tracker {
namespace {

bool has_begun(TaskState s) noexcept { return s != TaskState::waiting && s != TaskState::ready; }

}  // namespace

Verdict Graph::grow(const NewTasks& more, std::span<const std::uint32_t> before, std::span<const std::uint32_t> after,
                    const Limits& limits, std::vector<std::uint32_t>* cycle, std::size_t* bad_edge, Tally* tally) {
  if (!sealed_) return {Refusal::not_sealed, "the graph is not sealed; use AddTasks and AddEdges, then Seal"};
  if (const Verdict verdict = check(more, limits); !verdict.ok()) return verdict;
  if (before.size() > limits.edges || edges() > limits.edges - before.size()) {
    return {Refusal::limit, "too many edges for one pit; drop finished graphs with DropGraph or use a second pit"};
  }
  const std::uint32_t total = tasks() + more.count;
  for (std::size_t i = 0; i < before.size(); ++i) {
    *bad_edge = i;
    if (before[i] >= total || after[i] >= total) {
      return {Refusal::no_such_task, "an edge names a task that is neither there nor new"};
    }
    if (after[i] < tasks() && has_begun(states_[after[i]])) {
      return {Refusal::wrong_state, "a task that has begun cannot wait for another one; add a new task instead"};
    }
  }

  std::vector<std::uint32_t> from, to;
  from.reserve(edges() + before.size());
  to.reserve(edges() + before.size());
  for (std::uint32_t t = 0; t < tasks(); ++t) {
    from.insert(from.end(), successors_.of(t).size(), t);
  }
  to = successors_.targets;
  from.insert(from.end(), before.begin(), before.end());
  to.insert(to.end(), after.begin(), after.end());
  Successors successors = make_successors(total, from, to);
  const std::vector<std::uint32_t> predecessors = count_predecessors(successors);
  const std::vector<std::uint32_t> order = topological_order(successors, predecessors);
  if (order.size() != total) {
    *cycle = find_cycle(successors, order, limits.cycle_search_steps);
    return {};
  }
  std::vector<std::uint32_t> weights;
  if (!weights_.empty() || !more.weights.empty()) {
    weights.assign(total, 1);
    std::copy(weights_.begin(), weights_.end(), weights.begin());
    std::copy(more.weights.begin(), more.weights.end(), weights.begin() + tasks());
  }
  Priorities priorities = make_priorities(successors, order, weights);
  std::vector<Task> entries(total);
  std::copy(tasks_.begin(), tasks_.end(), entries.begin());
  RankSet ready;
  ready.reset(total);
  std::vector<Before> counted(total);
  if (!durations_.empty()) durations_.reserve(total);
  if (!marks_.empty()) marks_.reserve(total);
  make_room_for(more);

  // Nothing below allocates.
  append(more);
  if (!durations_.empty()) durations_.resize(total);
  if (!marks_.empty()) marks_.resize(total);
  for (std::uint32_t t = 0; t < total; ++t) {
    entries[t].rank = priorities.rank[t];
    if (states_[t] == TaskState::ready) ready.insert(entries[t].rank);
  }
  tasks_ = std::move(entries);
  ready_ = std::move(ready);
  successors_ = std::move(successors);
  by_rank_ = std::move(priorities.by_rank);
  levels_ = priorities.levels;
  critical_weight_ = priorities.critical_weight;
  judge_all(order, counted, tally);
  return {};
}

}  // namespace symphony::pit::tracker
