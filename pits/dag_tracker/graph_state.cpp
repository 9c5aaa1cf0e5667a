// Saving and loading one graph.   Layer: pits/dag_tracker.
//
// Written is what cannot be computed: names, weights, edges and the progress of each task. Loading seals again, so
// ranks, counts and the ready set are never taken from the bytes, and states that contradict the edges are noticed.
//   u32 flags (1 sealed, 2 names, 4 weights)  u32 tasks  u32 edges  u64 next token  u64 transitions
//   names:    u8 size of each, then their bytes        weights: u32 each, not all 1
//   unsealed: u32 before of each edge, u32 after of each
//   sealed:   u32 out-degree of each task, u32 successors of each, ascending; u8 state, u32 attempt of each task;
//             u64 token of each running or succeeded task, u32 worker of each running one
#include <algorithm>
#include <numeric>
#include <utility>

#include "pits/dag_tracker/graph.hpp"

namespace symphony::pit::tracker {
namespace {

constexpr std::uint32_t flag_sealed = 1;
constexpr std::uint32_t flag_names = 2;
constexpr std::uint32_t flag_weights = 4;
constexpr std::uint32_t flags_known = 7;

bool claimed(TaskState state) noexcept { return state == TaskState::running || state == TaskState::succeeded; }

template <class T>
std::span<const T> all(const std::vector<T>& v) noexcept {
  return v;
}

}  // namespace

bool Graph::save(StateWriter& to) const {
  const bool has_names = !names_.empty();
  const std::uint32_t flags =
      (sealed_ ? flag_sealed : 0) | (has_names ? flag_names : 0) | (weights_.empty() ? 0 : flag_weights);
  if (!to.number(flags) || !to.number(tasks()) || !to.number(edges()) || !to.number(next_token_) ||
      !to.number(counts_.transitions)) {
    return false;
  }
  for (std::uint32_t t = 0; has_names && t < tasks(); ++t) {
    if (!to.number(static_cast<std::uint8_t>(name(t).size()))) return false;
  }
  if (!to.array(std::span<const char>(names_)) || !to.array(all(weights_))) return false;
  if (!sealed_) return to.array(all(before_)) && to.array(all(after_));

  for (std::uint32_t t = 0; t < tasks(); ++t) {
    if (!to.number(static_cast<std::uint32_t>(successors_.of(t).size()))) return false;
  }
  if (!to.array(all(successors_.targets)) || !to.array(all(states_))) return false;
  for (const Task& task : tasks_) {
    if (!to.number(task.attempt)) return false;
  }
  for (std::uint32_t t = 0; t < tasks(); ++t) {
    if (claimed(states_[t]) && !to.number(tasks_[t].token)) return false;
  }
  for (std::uint32_t t = 0; t < tasks(); ++t) {
    if (states_[t] == TaskState::running && !to.number(tasks_[t].worker)) return false;
  }
  return true;
}

bool Graph::load(StateReader& from, const Limits& limits) {
  std::uint32_t flags = 0;
  std::uint32_t tasks = 0;
  std::uint32_t edges = 0;
  if (!from.number(&flags) || !from.number(&tasks) || !from.number(&edges) || !from.number(&next_token_) ||
      !from.number(&counts_.transitions)) {
    return false;
  }
  if ((flags & ~flags_known) != 0 || tasks > limits.tasks || edges > limits.edges || next_token_ == 0) return false;

  if ((flags & flag_names) != 0) {
    std::vector<std::uint8_t> sizes;
    if (!from.array(tasks, &sizes)) return false;
    std::uint64_t end = 0;
    name_ends_.reserve(tasks);
    for (const std::uint8_t size : sizes) {
      end += size;
      name_ends_.push_back(static_cast<std::uint32_t>(end));
      if (size > limits.name_size) return false;
    }
    if (end == 0 || end > limits.name_bytes || !from.array(static_cast<std::size_t>(end), &names_)) return false;
  }
  if ((flags & flag_weights) != 0) {
    if (!from.array(tasks, &weights_)) return false;
    if (std::all_of(weights_.begin(), weights_.end(), [](std::uint32_t w) { return w == 1; })) return false;
  }
  if ((flags & flag_sealed) == 0) {
    if (!from.array(edges, &before_) || !from.array(edges, &after_)) return false;
    const auto unknown = [tasks](std::uint32_t t) { return t >= tasks; };
    if (std::any_of(before_.begin(), before_.end(), unknown) || std::any_of(after_.begin(), after_.end(), unknown)) {
      return false;
    }
    states_.assign(tasks, TaskState::waiting);
    counts_.waiting = tasks;
    return true;
  }
  sealed_ = true;
  return load_shape(from, tasks, edges) && load_progress(from);
}

bool Graph::load_shape(StateReader& from, std::uint32_t tasks, std::uint32_t edges) {
  if (!from.array(tasks, &successors_.offsets)) return false;
  std::uint64_t total = 0;
  for (std::uint32_t& offset : successors_.offsets) {
    const std::uint32_t degree = std::exchange(offset, static_cast<std::uint32_t>(total));
    total += degree;
    if (total > edges) return false;
  }
  if (total != edges) return false;
  successors_.offsets.push_back(edges);
  if (!from.array(edges, &successors_.targets)) return false;
  for (std::uint32_t t = 0; t < tasks; ++t) {
    const std::span<const std::uint32_t> run = successors_.of(t);
    for (std::size_t i = 0; i < run.size(); ++i) {
      if (run[i] >= tasks || (i > 0 && run[i] <= run[i - 1])) return false;
    }
  }
  const std::vector<std::uint32_t> predecessors = count_predecessors(successors_);
  const std::vector<std::uint32_t> order = topological_order(successors_, predecessors);
  if (order.size() != tasks) return false;
  states_.assign(tasks, TaskState::waiting);
  adopt(make_priorities(successors_, order, weights_), predecessors);
  return true;
}

bool Graph::load_progress(StateReader& from) {
  std::vector<std::uint8_t> states;
  if (!from.array(tasks(), &states)) return false;
  for (std::uint32_t t = 0; t < tasks(); ++t) {
    states_[t] = TaskState{states[t]};
    if (!from.number(&tasks_[t].attempt)) return false;
    if (states_[t] != TaskState::succeeded) continue;
    for (const std::uint32_t s : successors_.of(t)) --tasks_[s].waits_for;
  }
  for (std::uint32_t t = 0; t < tasks(); ++t) {
    Task& task = tasks_[t];
    const TaskState state = states_[t];
    const bool known = state == TaskState::waiting || state == TaskState::ready || claimed(state);
    if (!known || (task.waits_for == 0) == (state == TaskState::waiting)) return false;
    ++count_of(state);
    if (state == TaskState::ready) ready_.insert(task.rank);
    if (!claimed(state)) continue;
    if (!from.number(&task.token) || task.token == 0 || task.token >= next_token_ || task.attempt == 0) return false;
  }
  for (std::uint32_t t = 0; t < tasks(); ++t) {
    if (states_[t] == TaskState::running && !from.number(&tasks_[t].worker)) return false;
  }
  return true;
}

}  // namespace symphony::pit::tracker
