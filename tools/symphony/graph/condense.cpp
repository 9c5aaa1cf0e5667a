#include "tools/symphony/graph/condense.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <unordered_set>
#include <utility>

#include "tools/symphony/graph/adjacency.hpp"

namespace symphony::tools {
namespace {

constexpr std::uint32_t unseen = UINT32_MAX;
constexpr std::size_t merged_names_shown = 3;
constexpr std::size_t path_shown_max = 12;

// Renumbers groups so that they stand in the order of their first members.
Groups in_order_of_members(const std::vector<std::uint32_t>& raw, std::uint32_t count) {
  Groups groups;
  groups.group_of.resize(raw.size());
  std::vector<std::uint32_t> number(count, unseen);
  for (std::size_t task = 0; task < raw.size(); ++task) {
    std::uint32_t& group = number[raw[task]];
    if (group == unseen) {
      group = static_cast<std::uint32_t>(groups.sizes.size());
      groups.sizes.push_back(0);
    }
    groups.group_of[task] = group;
    ++groups.sizes[group];
  }
  return groups;
}

// A shortest cycle through `start` inside its group, shorter than `bound`; empty when there is none of that kind.
// `parent` is all unseen and is so again afterwards. Counts the edges looked at in `steps`.
std::vector<std::uint32_t> cycle_through(const Adjacency& edges, const std::vector<std::uint32_t>& group_of,
                                         std::uint32_t start, std::size_t bound, std::vector<std::uint32_t>& parent,
                                         std::uint64_t& steps) {
  std::vector<std::uint32_t> queue{start};
  std::vector<std::uint32_t> cycle;
  std::size_t level_end = 1;
  std::size_t length = 1;  // of a cycle that an edge from the current level closes
  for (std::size_t at = 0; at < queue.size() && cycle.empty(); ++at) {
    if (at == level_end) {
      level_end = queue.size();
      ++length;
    }
    if (length >= bound) break;
    const std::uint32_t task = queue[at];
    for (const std::uint32_t next : edges.after(task)) {
      ++steps;
      if (next == start) {
        for (std::uint32_t step = task; step != start; step = parent[step]) cycle.push_back(step);
        cycle.push_back(start);
        std::reverse(cycle.begin(), cycle.end());
        break;
      }
      if (group_of[next] != group_of[start] || parent[next] != unseen) continue;
      parent[next] = task;
      queue.push_back(next);
    }
  }
  for (const std::uint32_t task : queue) parent[task] = unseen;
  return cycle;
}

std::string merged_name(const std::vector<std::string>& names, const std::vector<std::uint32_t>& members) {
  std::vector<std::string_view> sorted;
  sorted.reserve(members.size());
  for (const std::uint32_t member : members) sorted.emplace_back(names[member]);
  std::sort(sorted.begin(), sorted.end());
  const bool cut = sorted.size() > merged_names_max;
  std::string name;
  for (std::size_t i = 0; i < (cut ? merged_names_shown : sorted.size()); ++i) {
    if (i > 0) name += '+';
    name += sorted[i];
  }
  if (cut) name += fmt::format("+{} more", sorted.size() - merged_names_shown);
  return name;
}

// A merged name may equal the name of some task, which may itself hold a '+'.
void make_unique(std::vector<std::string>& names, const std::vector<std::uint32_t>& merged) {
  std::unordered_set<std::string> taken;
  std::vector<bool> is_merged(names.size());
  for (const std::uint32_t at : merged) is_merged[at] = true;
  for (std::size_t at = 0; at < names.size(); ++at) {
    if (!is_merged[at]) taken.insert(names[at]);
  }
  for (const std::uint32_t at : merged) {
    while (!taken.insert(names[at]).second) names[at] += '+';
  }
}

}  // namespace

Groups strong_groups(const TaskGraph& graph) {
  // Tarjan's algorithm with a stack of its own instead of recursion: package graphs are hundreds of tasks deep, and an
  // edge list may be one chain of millions.
  struct Frame {
    std::uint32_t task;
    std::uint32_t next;  // position in its edges
  };
  const auto count = static_cast<std::uint32_t>(graph.names.size());
  const Adjacency edges(graph);
  std::vector<std::uint32_t> order(count, unseen);
  std::vector<std::uint32_t> low(count);
  std::vector<std::uint32_t> group(count, unseen);
  std::vector<std::uint32_t> open;
  std::vector<Frame> path;
  std::uint32_t next_order = 0;
  std::uint32_t groups = 0;
  const auto enter = [&](std::uint32_t task) {
    order[task] = low[task] = next_order++;
    open.push_back(task);
    path.push_back({task, 0});
  };
  for (std::uint32_t root = 0; root < count; ++root) {
    if (order[root] != unseen) continue;
    enter(root);
    while (!path.empty()) {
      const std::uint32_t task = path.back().task;
      const auto after = edges.after(task);
      if (path.back().next < after.size()) {
        const std::uint32_t next = after[path.back().next++];
        if (order[next] == unseen) {
          enter(next);
        } else if (group[next] == unseen) {
          low[task] = std::min(low[task], order[next]);
        }
        continue;
      }
      path.pop_back();
      if (!path.empty()) low[path.back().task] = std::min(low[path.back().task], low[task]);
      if (low[task] != order[task]) continue;
      std::uint32_t member = 0;
      do {
        member = open.back();
        open.pop_back();
        group[member] = groups;
      } while (member != task);
      ++groups;
    }
  }
  return in_order_of_members(group, groups);
}

std::vector<std::uint32_t> find_cycle(const TaskGraph& graph) {
  for (const Edge& edge : graph.edges) {
    if (edge.before == edge.after) return {edge.before};
  }
  const Groups groups = strong_groups(graph);
  const auto cyclic =
      std::find_if(groups.sizes.begin(), groups.sizes.end(), [](std::uint32_t size) { return size > 1; });
  if (cyclic == groups.sizes.end()) return {};
  const auto group = static_cast<std::uint32_t>(cyclic - groups.sizes.begin());
  const Adjacency edges(graph);
  std::vector<std::uint32_t> parent(graph.names.size(), unseen);
  std::vector<std::uint32_t> best;
  std::uint64_t steps = 0;
  for (std::uint32_t task = 0; task < graph.names.size(); ++task) {
    if (groups.group_of[task] != group) continue;
    // The first search always finds one: its task can reach every other of the group and be reached from it.
    auto cycle = cycle_through(edges, groups.group_of, task, best.empty() ? SIZE_MAX : best.size(), parent, steps);
    if (!cycle.empty()) best = std::move(cycle);
    if (best.size() == 2 || steps > search_steps_max) break;
  }
  std::rotate(best.begin(), std::min_element(best.begin(), best.end()), best.end());
  return best;
}

InputError cycle_error(const TaskGraph& graph, const std::vector<std::uint32_t>& cycle, std::string_view label) {
  std::string path;
  for (std::size_t i = 0; i < cycle.size(); ++i) {
    if (cycle.size() > path_shown_max && i == path_shown_max - 2) {
      path += fmt::format("({} more) -> ", cycle.size() - path_shown_max + 1);
      i = cycle.size() - 1;
    }
    path += printable(graph.names[cycle[i]], 60) + " -> ";
  }
  path += printable(graph.names[cycle.front()], 60);
  return {InputFault::cycle,
          fmt::format("{}: has a cycle, so no order exists: {}; give --condense to merge each cycle into one task",
                      label, path)};
}

Condensed condense(TaskGraph graph) {
  const Groups groups = strong_groups(graph);
  Condensed out;
  std::vector<std::vector<std::uint32_t>> members;
  std::vector<std::uint32_t> merged;  // the groups of members
  std::vector<std::uint32_t> place(groups.sizes.size(), unseen);
  for (std::uint32_t group = 0; group < groups.sizes.size(); ++group) {
    if (groups.sizes[group] < 2) continue;
    place[group] = static_cast<std::uint32_t>(merged.size());
    merged.push_back(group);
    out.members += groups.sizes[group];
    out.largest = std::max(out.largest, groups.sizes[group]);
  }
  out.groups = static_cast<std::uint32_t>(merged.size());
  members.resize(merged.size());
  for (std::uint32_t task = 0; task < graph.names.size(); ++task) {
    if (const std::uint32_t at = place[groups.group_of[task]]; at != unseen) members[at].push_back(task);
  }

  out.graph.names.resize(groups.sizes.size());
  for (std::size_t i = 0; i < merged.size(); ++i) out.graph.names[merged[i]] = merged_name(graph.names, members[i]);
  for (std::uint32_t task = 0; task < graph.names.size(); ++task) {
    if (place[groups.group_of[task]] == unseen) out.graph.names[groups.group_of[task]] = std::move(graph.names[task]);
  }
  if (!merged.empty()) make_unique(out.graph.names, merged);

  out.graph.edges.reserve(graph.edges.size());
  for (const Edge& edge : graph.edges) {
    const Edge outer{groups.group_of[edge.after], groups.group_of[edge.before]};
    if (edge.after == edge.before) ++out.self_loops;
    if (outer.after != outer.before) out.graph.edges.push_back(outer);
  }
  // Without merged groups every task keeps its number, and the edges their order.
  if (!merged.empty()) {
    std::sort(out.graph.edges.begin(), out.graph.edges.end());
    out.graph.edges.erase(std::unique(out.graph.edges.begin(), out.graph.edges.end()), out.graph.edges.end());
  }
  out.graph.notes = std::move(graph.notes);
  return out;
}

std::uint32_t levels(const TaskGraph& graph) {
  const Adjacency edges(graph);
  std::vector<std::uint32_t> waits_for(graph.names.size());
  for (const Edge& edge : graph.edges) ++waits_for[edge.after];
  std::vector<std::uint32_t> ready;
  for (std::uint32_t task = 0; task < graph.names.size(); ++task) {
    if (waits_for[task] == 0) ready.push_back(task);
  }
  std::uint32_t count = 0;
  std::vector<std::uint32_t> next;
  while (!ready.empty()) {
    ++count;
    next.clear();
    for (const std::uint32_t task : ready) {
      for (const std::uint32_t after : edges.after(task)) {
        if (--waits_for[after] == 0) next.push_back(after);
      }
    }
    ready.swap(next);
  }
  return count;
}

}  // namespace symphony::tools
