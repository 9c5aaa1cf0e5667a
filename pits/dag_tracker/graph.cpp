// Making, sealing and running a graph while all goes well; the rest is in endings.cpp, saving in graph_state.cpp.
// Layer: pits/dag_tracker.
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

Verdict Graph::check(const NewTasks& more, const Limits& limits) const {
  if (more.count > limits.tasks || tasks() > limits.tasks - more.count) {
    return {Refusal::limit, "too many tasks for one pit; drop finished graphs with DropGraph or use a second pit"};
  }
  std::uint64_t bytes = 0;
  for (const std::string_view name : more.names) {
    if (name.size() > limits.name_size) return {Refusal::limit, "a task's name is too long; use at most 255 bytes"};
    bytes += name.size();
  }
  if (names_.size() + bytes > limits.name_bytes) {
    return {Refusal::limit, "the tasks' names are too many bytes for one pit; use shorter ones or none"};
  }
  for (const std::uint8_t rule : more.rules) {
    if (rule >= rules) return {Refusal::bad_argument, "a rule is none of TriggerRule; leave rules out for ALL_SUCCESS"};
  }
  for (const std::uint16_t retries : more.retries) {
    if (retries > retries_max) return {Refusal::limit, "too many retries of a task; use at most 65,534"};
  }
  return {};
}

Verdict Graph::add_tasks(const NewTasks& more, const Limits& limits) {
  if (sealed_) return refuse_sealed;
  if (const Verdict verdict = check(more, limits); !verdict.ok()) return verdict;
  make_room_for(more);
  append(more);
  return {};
}

namespace {

template <class T>
bool any_other(std::span<const T> values, T usual) {
  return std::any_of(values.begin(), values.end(), [usual](T v) { return v != usual; });
}
// Appends `count` values to a list that is empty as long as each is the usual one. Needs no memory: make_list_room.
template <class T>
void extend(std::vector<T>& list, std::uint32_t have, std::uint32_t count, std::span<const T> values, T usual) {
  if (list.empty()) {
    if (!any_other(values, usual)) return;
    list.assign(have, usual);
  }
  for (std::uint32_t i = 0; i < count; ++i) list.push_back(values.empty() ? usual : values[i]);
}
template <class T>
void make_list_room(std::vector<T>& list, std::uint32_t have, std::uint32_t count, std::span<const T> values, T usual) {
  if (list.empty() && !any_other(values, usual)) return;
  make_room(list, (list.empty() ? have : 0U) + count);
}

constexpr std::uint32_t usual_delay_ms = 100;

}  // namespace

void Graph::make_room_for(const NewTasks& more) {
  std::size_t bytes = 0;
  for (const std::string_view name : more.names) bytes += name.size();
  make_room(states_, more.count);
  if (bytes != 0 || !name_ends_.empty()) make_room(name_ends_, (name_ends_.empty() ? tasks() : 0U) + more.count);
  make_room(names_, bytes);
  make_list_room(weights_, tasks(), more.count, more.weights, 1U);
  make_list_room(rules_, tasks(), more.count, more.rules, std::uint8_t{0});
  make_list_room(retries_, tasks(), more.count, more.retries, std::uint16_t{0});
  make_list_room(delays_ms_, tasks(), more.count, more.delays_ms, usual_delay_ms);
}

// Nothing here allocates once there is room.
void Graph::append(const NewTasks& more) {
  const std::uint32_t have = tasks();
  const bool names_from_here = name_ends_.empty() && std::any_of(more.names.begin(), more.names.end(),
                                                                 [](std::string_view name) { return !name.empty(); });
  if (names_from_here) name_ends_.assign(have, 0);
  const bool has_names = names_from_here || !name_ends_.empty();
  for (std::uint32_t i = 0; i < more.count; ++i) {
    if (!more.names.empty()) names_.append(more.names[i]);
    if (has_names) name_ends_.push_back(static_cast<std::uint32_t>(names_.size()));
    states_.push_back(TaskState::waiting);
  }
  extend(weights_, have, more.count, more.weights, 1U);
  extend(rules_, have, more.count, more.rules, std::uint8_t{0});
  extend(retries_, have, more.count, more.retries, std::uint16_t{0});
  extend(delays_ms_, have, more.count, more.delays_ms, usual_delay_ms);
  counts_.waiting += more.count;
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
  if (stopped() != Stop::none) return 0;
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

// Ok: the token is that of the task's latest attempt, which runs or is over.
Verdict Graph::attempt_of(std::uint32_t task, std::uint64_t token) const noexcept {
  if (!sealed_) return {Refusal::not_sealed, "the graph is not sealed; send Seal first"};
  if (task >= tasks()) return {Refusal::no_such_task, "no task has this number; complete what Claim gave"};
  if (token != 0 && token == tasks_[task].token) return {};
  return {Refusal::stale_attempt, "the token is not that of the task's current attempt; drop the result, claim again"};
}

Verdict Graph::complete(std::uint32_t task, std::uint64_t token, bool cached, std::uint64_t duration_us, Tally* tally) {
  if (const Verdict verdict = attempt_of(task, token); !verdict.ok()) return verdict;
  const TaskState state = states_[task];
  if (state != TaskState::running) {
    if (is_success(state)) return {};
    return {Refusal::stale_attempt, "this attempt has ended in another way before; drop the result, claim again"};
  }
  if (duration_us != 0) {
    if (durations_.empty()) durations_.resize(tasks());
    durations_[task] = static_cast<std::uint32_t>(std::min<std::uint64_t>(duration_us, 0xFFFFFFFF));
  }
  if (!marks_.empty()) {
    marks_[task].flags = 0;
    errors_.erase(task);
  }
  const TaskState ended = cached ? TaskState::cached : TaskState::succeeded;
  move(task, ended);
  const bool has_rules = !rules_.empty();
  std::uint32_t newly_ready = 0;
  for (const std::uint32_t s : successors_.of(task)) {
    const std::uint32_t left = --tasks_[s].waits_for;
    if (left != 0 && !has_rules) continue;
    if (states_[s] != TaskState::waiting) continue;
    if (has_rules && after_ending(s, ended) != TaskState::ready) continue;
    move(s, TaskState::ready);
    ++newly_ready;
  }
  tally->newly_ready += newly_ready;
  ++tally->ended;
  return {};
}

std::string_view Graph::name(std::uint32_t task) const noexcept {
  if (name_ends_.empty()) return {};
  const std::uint32_t begin = task == 0 ? 0 : name_ends_[task - 1];
  return std::string_view(names_).substr(begin, name_ends_[task] - begin);
}

std::pair<std::uint32_t, std::uint32_t> Graph::edge(std::uint32_t number) const noexcept {
  if (!sealed_) return {before_[number], after_[number]};
  const auto behind = std::upper_bound(successors_.offsets.begin(), successors_.offsets.end(), number);
  return {static_cast<std::uint32_t>(behind - successors_.offsets.begin()) - 1, successors_.targets[number]};
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
    case TaskState::retry_wait:
      return counts_.retry_wait;
    case TaskState::running:
      return counts_.running;
    case TaskState::cached:
      return counts_.cached;
    case TaskState::failed:
      return counts_.failed;
    case TaskState::upstream_failed:
      return counts_.upstream_failed;
    case TaskState::skipped:
      return counts_.skipped;
    case TaskState::cancelled:
      return counts_.cancelled;
    case TaskState::succeeded:
      break;
  }
  return counts_.succeeded;
}

}  // namespace symphony::pit::tracker
