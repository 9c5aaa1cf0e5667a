// Finding a short cycle: strongly connected groups first, then a bounded breadth-first search.   Layer:
// pits/dag_tracker.
//
// Each cycle lies within one group, so nothing outside its group is searched. The groups come from Tarjan's algorithm
// with its recursion written out as a stack of (task, next successor).
#include <algorithm>

#include "pits/dag_tracker/topology.hpp"

namespace symphony::pit::tracker {
namespace {

constexpr std::uint32_t none = 0xFFFFFFFF;

// The group of each task that is not in `order`; `none` for the others.
class Groups {
 public:
  Groups(const Successors& graph, std::span<const std::uint32_t> order)
      : graph_(graph), group_(graph.tasks(), none), seen_(graph.tasks(), 0), low_(graph.tasks(), 0) {
    for (const std::uint32_t t : order) seen_[t] = done;
    for (std::uint32_t t = 0; t < graph.tasks(); ++t) {
      if (seen_[t] == 0) walk_from(t);
    }
  }
  [[nodiscard]] std::uint32_t of(std::uint32_t task) const noexcept { return group_[task]; }

 private:
  static constexpr std::uint32_t done = none;  // in seen_: not part of the search
  struct Frame {
    std::uint32_t task;
    std::uint32_t next;  // index into targets
  };

  void walk_from(std::uint32_t root) {
    enter(root);
    while (!path_.empty()) {
      Frame& top = path_.back();
      if (top.next < graph_.offsets[top.task + 1]) {
        const std::uint32_t s = graph_.targets[top.next++];
        if (seen_[s] == 0) {
          enter(s);
        } else if (group_[s] == none) {
          low_[top.task] = std::min(low_[top.task], seen_[s]);
        }
        continue;
      }
      leave(top.task);
    }
  }

  void enter(std::uint32_t task) {
    seen_[task] = low_[task] = ++clock_;
    open_.push_back(task);
    path_.push_back({task, graph_.offsets[task]});
  }

  void leave(std::uint32_t task) {
    path_.pop_back();
    if (!path_.empty()) low_[path_.back().task] = std::min(low_[path_.back().task], low_[task]);
    if (low_[task] != seen_[task]) return;
    std::uint32_t member = none;
    do {
      member = open_.back();
      open_.pop_back();
      group_[member] = groups_;
    } while (member != task);
    ++groups_;
  }

  const Successors& graph_;
  std::vector<std::uint32_t> group_, seen_, low_, open_;
  std::vector<Frame> path_;
  std::uint32_t clock_ = 0;
  std::uint32_t groups_ = 0;
};

// Breadth-first from one task to itself within its group, again and again over the same arrays.
class Search {
 public:
  Search(const Successors& graph, const Groups& groups)
      : graph_(graph), groups_(groups), mark_(graph.tasks(), none), parent_(graph.tasks(), none) {}

  [[nodiscard]] std::uint64_t steps() const noexcept { return steps_; }

  // The shortest cycle through `start` with fewer than `length_end` tasks, first task `start`; empty when there is
  // none.
  std::vector<std::uint32_t> cycle_through(std::uint32_t start, std::size_t length_end) {
    queue_.assign(1, start);
    mark_[start] = start;
    parent_[start] = none;
    std::size_t level_end = 1;
    std::size_t length = 1;  // of a cycle closed by an edge of the task looked at
    for (std::size_t next = 0; next < queue_.size(); ++next) {
      if (next == level_end) {
        level_end = queue_.size();
        ++length;
      }
      if (length >= length_end) return {};
      const std::uint32_t task = queue_[next];
      for (const std::uint32_t s : graph_.of(task)) {
        ++steps_;
        if (s == start) return path_to(task);
        if (mark_[s] == start || groups_.of(s) != groups_.of(start)) continue;
        mark_[s] = start;
        parent_[s] = task;
        queue_.push_back(s);
      }
    }
    return {};
  }

 private:
  [[nodiscard]] std::vector<std::uint32_t> path_to(std::uint32_t task) const {
    std::vector<std::uint32_t> path;
    for (; task != none; task = parent_[task]) path.push_back(task);
    std::reverse(path.begin(), path.end());
    return path;
  }

  const Successors& graph_;
  const Groups& groups_;
  std::vector<std::uint32_t> mark_, parent_, queue_;
  std::uint64_t steps_ = 0;
};

}  // namespace

std::vector<std::uint32_t> find_cycle(const Successors& graph, std::span<const std::uint32_t> order,
                                      std::uint32_t steps_max) {
  const Groups groups(graph, order);
  Search search(graph, groups);
  std::vector<std::uint32_t> best;
  for (std::uint32_t t = 0; t < graph.tasks(); ++t) {
    if (groups.of(t) == none) continue;
    if (!best.empty() && (best.size() == 1 || search.steps() > steps_max)) break;
    std::vector<std::uint32_t> found = search.cycle_through(t, best.empty() ? std::size_t{none} : best.size());
    if (!found.empty()) best = std::move(found);
  }
  return best;
}

}  // namespace symphony::pit::tracker
