// Saving and loading one graph.   Layer: pits/dag_tracker.
//
// Written is what cannot be computed: names, weights, rules, edges and the progress of each task. Loading seals again,
// so ranks, counts and the ready set are never taken from the bytes, and states that contradict the edges are noticed.
//   u32 flags (1 sealed, 2 names, 4 weights, 8 rules, 16 retries, 32 delays, 64 marks, 128 durations)
//   u32 tasks  u32 edges  u64 next token  u64 transitions
//   u32 failures_max  u32 losses_max  u32 weight_us  u8 paused
//   names:    u8 size of each, then their bytes        weights: u32 each, not all 1
//   rules: u8 each, retries: u16 each, delays: u32 ms each; none of these lists all as usual
//   unsealed: u32 before of each edge, u32 after of each
//   sealed:   u32 out-degree of each task, u32 successors of each, ascending; u8 state, u32 attempt of each task;
//             u64 token of each task with an attempt, u32 worker of each running one;
//             marks: u16 failures, u8 losses, u8 flags of each; durations: u32 us each;
//             u64 ns left of each that rests; u32 errors, for each, by task: u32 task, u8 size, bytes
// Revision 1 has flags up to 4, nothing between transitions and names, tokens of running and succeeded tasks alone, and
// nothing behind the workers.
#include <algorithm>
#include <numeric>
#include <utility>

#include "pits/dag_tracker/graph.hpp"

namespace symphony::pit::tracker {
namespace {

constexpr std::uint32_t flag_sealed = 1;
constexpr std::uint32_t flag_names = 2;
constexpr std::uint32_t flag_weights = 4;
constexpr std::uint32_t flag_rules = 8;
constexpr std::uint32_t flag_retries = 16;
constexpr std::uint32_t flag_delays = 32;
constexpr std::uint32_t flag_marks = 64;
constexpr std::uint32_t flag_durations = 128;
constexpr std::uint32_t flags_known = 255;
constexpr std::uint32_t flags_known_1 = 7;
constexpr std::uint32_t usual_delay = 100;

// Its latest attempt has a token.
bool is_held(TaskState s) noexcept { return s == TaskState::running || s == TaskState::retry_wait || is_success(s); }

template <class T>
std::span<const T> all(const std::vector<T>& v) noexcept {
  return v;
}
template <class T>
bool is_usual(const std::vector<T>& v, T usual) noexcept {
  return std::all_of(v.begin(), v.end(), [usual](T one) { return one == usual; });
}

}  // namespace

bool Graph::save(StateWriter& to) const {
  const bool has_names = !names_.empty();
  const bool has_marks =
      std::any_of(marks_.begin(), marks_.end(), [](const Mark& m) { return (m.failures | m.losses | m.flags) != 0; });
  std::uint32_t flags =
      (sealed_ ? flag_sealed : 0) | (has_names ? flag_names : 0) | (weights_.empty() ? 0 : flag_weights);
  flags |= (rules_.empty() ? 0 : flag_rules) | (retries_.empty() ? 0 : flag_retries);
  flags |= (delays_ms_.empty() ? 0 : flag_delays) | (has_marks ? flag_marks : 0);
  flags |= is_usual(durations_, 0U) ? 0 : flag_durations;
  if (!to.number(flags) || !to.number(tasks()) || !to.number(edges()) || !to.number(next_token_) ||
      !to.number(counts_.transitions) || !to.number(options_.failures_max) || !to.number(options_.losses_max) ||
      !to.number(options_.weight_us) || !to.number(static_cast<std::uint8_t>(paused_))) {
    return false;
  }
  for (std::uint32_t t = 0; has_names && t < tasks(); ++t) {
    if (!to.number(static_cast<std::uint8_t>(name(t).size()))) return false;
  }
  if (!to.array(std::span<const char>(names_)) || !to.array(all(weights_)) || !to.array(all(rules_)) ||
      !to.array(all(retries_)) || !to.array(all(delays_ms_))) {
    return false;
  }
  if (!sealed_) return to.array(all(before_)) && to.array(all(after_));

  for (std::uint32_t t = 0; t < tasks(); ++t) {
    if (!to.number(static_cast<std::uint32_t>(successors_.of(t).size()))) return false;
  }
  if (!to.array(all(successors_.targets)) || !to.array(all(states_))) return false;
  for (const Task& task : tasks_) {
    if (!to.number(task.attempt)) return false;
  }
  for (const Task& task : tasks_) {
    if (task.attempt != 0 && !to.number(task.token)) return false;
  }
  for (std::uint32_t t = 0; t < tasks(); ++t) {
    if (states_[t] == TaskState::running && !to.number(tasks_[t].worker)) return false;
  }
  if (has_marks && !to.array(all(marks_))) return false;
  if ((flags & flag_durations) != 0 && !to.array(all(durations_))) return false;
  for (const auto& one : resting_.all()) {
    if (!to.number(one.second - now_ns_)) return false;
  }
  if (!to.number(static_cast<std::uint32_t>(errors_.size()))) return false;
  for (const auto& [task, text] : errors_) {
    if (!to.number(task) || !to.number(static_cast<std::uint8_t>(text.size())) ||
        !to.array(std::span<const char>(text))) {
      return false;
    }
  }
  return true;
}

bool Graph::load(StateReader& from, const Limits& limits, std::uint32_t revision) {
  std::uint32_t flags = 0;
  std::uint32_t tasks = 0;
  std::uint32_t edges = 0;
  std::uint8_t paused = 0;
  if (!from.number(&flags) || !from.number(&tasks) || !from.number(&edges) || !from.number(&next_token_) ||
      !from.number(&counts_.transitions)) {
    return false;
  }
  if (revision > 1 && (!from.number(&options_.failures_max) || !from.number(&options_.losses_max) ||
                       !from.number(&options_.weight_us) || !from.number(&paused))) {
    return false;
  }
  if ((flags & ~(revision == 1 ? flags_known_1 : flags_known)) != 0 || tasks > limits.tasks || edges > limits.edges ||
      next_token_ == 0 || paused > 1 || options_.losses_max > losses_max_max) {
    return false;
  }
  paused_ = paused != 0;
  if (!load_tasks(from, flags, tasks, limits)) return false;
  if ((flags & flag_sealed) == 0) {
    if ((flags & (flag_marks | flag_durations)) != 0) return false;
    if (!from.array(edges, &before_) || !from.array(edges, &after_)) return false;
    const auto is_unknown = [tasks](std::uint32_t t) { return t >= tasks; };
    if (std::any_of(before_.begin(), before_.end(), is_unknown) ||
        std::any_of(after_.begin(), after_.end(), is_unknown)) {
      return false;
    }
    states_.assign(tasks, TaskState::waiting);
    counts_.waiting = tasks;
    return true;
  }
  sealed_ = true;
  return load_shape(from, tasks, edges) && load_progress(from, flags, revision);
}

bool Graph::load_tasks(StateReader& from, std::uint32_t flags, std::uint32_t tasks, const Limits& limits) {
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
  const auto list = [&](std::uint32_t flag, auto& values, auto usual) {
    return (flags & flag) == 0 || (from.array(tasks, &values) && !is_usual(values, usual));
  };
  if (!list(flag_weights, weights_, 1U) || !list(flag_rules, rules_, std::uint8_t{0}) ||
      !list(flag_retries, retries_, std::uint16_t{0}) || !list(flag_delays, delays_ms_, usual_delay)) {
    return false;
  }
  return std::all_of(rules_.begin(), rules_.end(), [](std::uint8_t r) { return r < rules; }) &&
         std::all_of(retries_.begin(), retries_.end(), [](std::uint16_t r) { return r <= retries_max; });
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

bool Graph::load_progress(StateReader& from, std::uint32_t flags, std::uint32_t revision) {
  std::vector<std::uint8_t> states;
  if (!from.array(tasks(), &states)) return false;
  for (std::uint32_t t = 0; t < tasks(); ++t) {
    states_[t] = TaskState{states[t]};
    if (!is_known(states_[t]) || !from.number(&tasks_[t].attempt)) return false;
    const bool is_old = states_[t] == TaskState::waiting || states_[t] == TaskState::ready ||
                        states_[t] == TaskState::running || states_[t] == TaskState::succeeded;
    if (revision == 1 && !is_old) return false;
  }
  for (std::uint32_t t = 0; t < tasks(); ++t) {
    Task& task = tasks_[t];
    const bool is_there = revision == 1 ? is_held(states_[t]) : task.attempt != 0;
    if (is_there && !from.number(&task.token)) return false;
    if (task.token >= next_token_ || (is_held(states_[t]) && (task.token == 0 || task.attempt == 0))) return false;
  }
  for (std::uint32_t t = 0; t < tasks(); ++t) {
    if (states_[t] == TaskState::running && !from.number(&tasks_[t].worker)) return false;
  }
  if (revision > 1 && !load_more(from, flags)) return false;
  return load_judged();
}

// Counts, the ready set and what is waited for follow from the states, which must fit each other.
bool Graph::load_judged() {
  const auto has_no_say = [](TaskState s) { return !has_ended(s) || is_success(s); };
  const bool is_plain = rules_.empty() && std::all_of(states_.begin(), states_.end(), has_no_say);
  std::vector<Before> before(is_plain ? 0 : tasks());
  for (std::uint32_t t = 0; t < tasks(); ++t) {
    if (is_plain && !has_ended(states_[t])) continue;
    for (const std::uint32_t s : successors_.of(t)) {
      tasks_[s].waits_for -= has_ended(states_[t]);
      if (!is_plain) before[s].add(states_[t]);
    }
  }
  for (std::uint32_t t = 0; t < tasks(); ++t) {
    const TaskState is = states_[t];
    const bool is_sound = is_plain ? (tasks_[t].waits_for == 0) == (is != TaskState::waiting)
                                   : fits(is, ended_by_itself(t), rule(t), before[t]);
    if (!is_sound) return false;
    ++count_of(is);
    if (is == TaskState::ready) ready_.insert(tasks_[t].rank);
  }
  return true;
}

// What revision 2 has behind the workers.
bool Graph::load_more(StateReader& from, std::uint32_t flags) {
  if ((flags & flag_marks) != 0) {
    if (!from.array(tasks(), &marks_)) return false;
    bool is_marked = false;
    for (std::uint32_t t = 0; t < tasks(); ++t) {
      const Mark& mark = marks_[t];
      is_marked = is_marked || (mark.failures | mark.losses | mark.flags) != 0;
      const TaskState is = states_[t];
      std::uint8_t possible = is == TaskState::running ? cancel_is_asked : 0;
      if (is == TaskState::skipped || is == TaskState::cancelled) possible = by_itself;
      if ((mark.flags & ~possible) != 0 || mark.failures > retries(t) + 1) return false;
    }
    if (!is_marked) return false;
  }
  if ((flags & flag_durations) != 0 && (!from.array(tasks(), &durations_) || is_usual(durations_, 0U))) return false;
  for (std::uint32_t t = 0; t < tasks(); ++t) {
    std::uint64_t left_ns = 0;
    if (states_[t] != TaskState::retry_wait) continue;
    if (failures(t) == 0 || failures(t) > retries(t)) return false;
    if (!from.number(&left_ns) || left_ns == 0 || left_ns > delay_ns_max) return false;
    resting_.make_room();
    resting_.add(t, left_ns);
  }
  is_clock_unknown_ = true;
  std::uint32_t errors = 0;
  if (!from.number(&errors) || errors > errors_kept_max) return false;
  for (std::uint32_t i = 0; i < errors; ++i) {
    std::uint32_t task = 0;
    std::uint8_t size = 0;
    if (!from.number(&task) || task >= tasks() || !from.number(&size) || size == 0) return false;
    if (!errors_.empty() && task <= errors_.rbegin()->first) return false;
    if (!from.array(size, &errors_[task])) return false;
  }
  return true;
}

}  // namespace symphony::pit::tracker
