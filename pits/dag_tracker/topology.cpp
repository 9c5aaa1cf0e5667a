// Counting sort, order of Kahn, weights in reverse order.   Layer: pits/dag_tracker.
#include "pits/dag_tracker/topology.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace symphony::pit::tracker {

Successors make_successors(std::uint32_t tasks, std::span<const std::uint32_t> before,
                           std::span<const std::uint32_t> after) {
  Successors out;
  out.offsets.assign(std::size_t{tasks} + 1, 0);
  out.targets.resize(before.size());
  for (const std::uint32_t b : before) ++out.offsets[b];
  std::exclusive_scan(out.offsets.begin(), out.offsets.end(), out.offsets.begin(), 0U);
  // Filling moves each offset to the end of its run, which is the start of the next.
  for (std::size_t i = 0; i < before.size(); ++i) out.targets[out.offsets[before[i]]++] = after[i];

  std::uint32_t begin = 0;
  std::uint32_t kept = 0;
  for (std::uint32_t t = 0; t < tasks; ++t) {
    const std::uint32_t end = out.offsets[t];
    const auto run = out.targets.begin();
    std::sort(run + begin, run + end);
    out.offsets[t] = kept;
    for (std::uint32_t i = begin; i < end; ++i) {
      if (i == begin || out.targets[i] != out.targets[i - 1]) run[kept++] = run[i];
    }
    begin = end;
  }
  out.offsets[tasks] = kept;
  out.targets.resize(kept);
  out.targets.shrink_to_fit();
  return out;
}

std::vector<std::uint32_t> count_predecessors(const Successors& graph) {
  std::vector<std::uint32_t> count(graph.tasks(), 0);
  for (const std::uint32_t t : graph.targets) ++count[t];
  return count;
}

std::vector<std::uint32_t> topological_order(const Successors& graph, std::span<const std::uint32_t> predecessors) {
  std::vector<std::uint32_t> left(predecessors.begin(), predecessors.end());
  std::vector<std::uint32_t> order;
  order.reserve(left.size());
  for (std::uint32_t t = 0; t < graph.tasks(); ++t) {
    if (left[t] == 0) order.push_back(t);
  }
  for (std::size_t next = 0; next < order.size(); ++next) {
    for (const std::uint32_t s : graph.of(order[next])) {
      if (--left[s] == 0) order.push_back(s);
    }
  }
  return order;
}

Priorities make_priorities(const Successors& graph, std::span<const std::uint32_t> order,
                           std::span<const std::uint32_t> weights) {
  const std::uint32_t tasks = graph.tasks();
  Priorities out;
  std::vector<std::uint64_t> critical(tasks);
  std::vector<std::uint32_t> depth(tasks);
  for (auto it = order.rbegin(); it != order.rend(); ++it) {
    std::uint64_t heaviest = 0;
    std::uint32_t deepest = 0;
    for (const std::uint32_t s : graph.of(*it)) {
      heaviest = std::max(heaviest, critical[s]);
      deepest = std::max(deepest, depth[s]);
    }
    critical[*it] = heaviest + (weights.empty() ? 1 : weights[*it]);
    depth[*it] = deepest + 1;
    out.critical_weight = std::max(out.critical_weight, critical[*it]);
    out.levels = std::max(out.levels, depth[*it]);
  }
  out.by_rank.resize(tasks);
  std::iota(out.by_rank.begin(), out.by_rank.end(), 0U);
  std::sort(out.by_rank.begin(), out.by_rank.end(), [&critical](std::uint32_t a, std::uint32_t b) {
    return critical[a] != critical[b] ? critical[a] > critical[b] : a < b;
  });
  out.rank.resize(tasks);
  for (std::uint32_t r = 0; r < tasks; ++r) out.rank[out.by_rank[r]] = r;
  return out;
}

}  // namespace symphony::pit::tracker
