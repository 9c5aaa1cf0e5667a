#include "pits/dag_tracker/look.hpp"

#include <algorithm>

namespace symphony::pit::tracker {
namespace {

constexpr std::uint32_t nobody = 0xFFFFFFFF;

// Whether `before`, as it stands, is a reason for `state` of a task behind it.
bool is_reason(TaskState state, TaskState before) noexcept {
  switch (state) {
    case TaskState::waiting:
      return !has_ended(before);
    case TaskState::upstream_failed:
      return !is_success(before);
    case TaskState::skipped:
    case TaskState::cancelled:
      return before == state;
    default:
      return false;
  }
}

}  // namespace

std::vector<std::uint32_t> why_chain(const Graph& graph, std::uint32_t task) {
  std::vector<std::uint32_t> chain{task};
  if (!graph.sealed()) return chain;
  // In one pass: for each task the best reason before it.
  std::vector<std::uint32_t> reason(graph.tasks(), nobody);
  for (std::uint32_t b = 0; b < graph.tasks(); ++b) {
    for (const std::uint32_t t : graph.successors().of(b)) {
      if (!is_reason(graph.state(t), graph.state(b))) continue;
      std::uint32_t& best = reason[t];
      const bool is_graver = best != nobody && is_failure(graph.state(b)) != is_failure(graph.state(best));
      if (best == nobody || (is_graver ? is_failure(graph.state(b)) : graph.rank(b) < graph.rank(best))) best = b;
    }
  }
  // A task that was cancelled or skipped by itself is held by nobody, whatever is before it.
  while (!graph.ended_by_itself(chain.back()) && reason[chain.back()] != nobody) chain.push_back(reason[chain.back()]);
  return chain;
}

std::uint32_t ready_ahead(const Graph& graph, std::uint32_t task) {
  std::uint32_t ahead = 0;
  for (std::uint32_t t = 0; t < graph.tasks(); ++t) {
    ahead += graph.state(t) == TaskState::ready && graph.rank(t) < graph.rank(task);
  }
  return ahead;
}

Left left_of(const Graph& graph) {
  Left out;
  const std::uint32_t tasks = graph.tasks();
  if (!graph.sealed() || graph.counts().unfinished() == 0) return out;
  std::uint64_t sum_us = 0;
  std::uint64_t measured = 0;
  for (std::uint32_t t = 0; t < tasks; ++t) {
    sum_us += graph.duration_us(t);
    measured += graph.duration_us(t) != 0;
  }
  const std::uint64_t weight_us = graph.options().weight_us;
  out.is_known = measured != 0 || weight_us != 0;
  const auto lasts = [&](std::uint32_t t) -> std::uint64_t {
    if (has_ended(graph.state(t))) return 0;
    if (graph.duration_us(t) != 0) return graph.duration_us(t);
    if (weight_us != 0) return graph.weight(t) * weight_us;
    return measured != 0 ? sum_us / measured : graph.weight(t);
  };
  const std::vector<std::uint32_t> order =
      topological_order(graph.successors(), count_predecessors(graph.successors()));
  std::vector<std::uint64_t> chain(tasks);
  std::vector<std::uint32_t> next(tasks, nobody);
  std::uint32_t head = nobody;
  for (auto it = order.rbegin(); it != order.rend(); ++it) {
    const std::uint32_t t = *it;
    for (const std::uint32_t s : graph.successors().of(t)) {
      if (has_ended(graph.state(s))) continue;
      if (next[t] == nobody || chain[s] > chain[next[t]]) next[t] = s;
    }
    const std::uint64_t own = lasts(t);
    out.work_us += own;
    chain[t] = own + (next[t] == nobody ? 0 : chain[next[t]]);
    if (has_ended(graph.state(t))) continue;
    if (head == nobody || chain[t] > chain[head] || (chain[t] == chain[head] && graph.rank(t) < graph.rank(head)))
      head = t;
  }
  if (head == nobody) return out;
  out.critical_us = chain[head];
  for (; head != nobody; head = next[head]) out.path.push_back(head);
  return out;
}

}  // namespace symphony::pit::tracker
