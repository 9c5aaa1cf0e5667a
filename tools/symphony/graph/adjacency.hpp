// The edges of a graph by their first end, as two flat arrays.   Layer: tools. Threads: any number of readers.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tools/symphony/graph/task_graph.hpp"

namespace symphony::tools {

// Which tasks wait for a task.
class Adjacency {
 public:
  explicit Adjacency(const TaskGraph& graph) : begin_(graph.names.size() + 1), after_(graph.edges.size()) {
    for (const Edge& edge : graph.edges) ++begin_[edge.before + 1];
    for (std::size_t i = 1; i < begin_.size(); ++i) begin_[i] += begin_[i - 1];
    std::vector<std::uint64_t> next(begin_.begin(), begin_.end() - 1);
    for (const Edge& edge : graph.edges) after_[next[edge.before]++] = edge.after;
  }

  [[nodiscard]] std::span<const std::uint32_t> after(std::uint32_t task) const noexcept {
    return {after_.data() + begin_[task], static_cast<std::size_t>(begin_[task + 1] - begin_[task])};
  }

 private:
  std::vector<std::uint64_t> begin_;
  std::vector<std::uint32_t> after_;  // ascending for each task, because edges are sorted by `after`
};

}  // namespace symphony::tools
