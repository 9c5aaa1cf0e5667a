// What the tests of graph inputs share: the samples, small graphs, and edges by name.   Layer: tests.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tools/symphony/graph/graph_input.hpp"

namespace symphony::tools::testing {

using NamedEdges = std::set<std::pair<std::string, std::string>>;  // before, after

inline std::string sample_path(const std::string& name) { return std::string(SYMPHONY_SAMPLES) + "/" + name; }

inline std::string sample(const std::string& name) {
  std::ifstream file(sample_path(name), std::ios::binary);
  EXPECT_TRUE(file) << name;
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline NamedEdges named_edges(const TaskGraph& graph) {
  NamedEdges edges;
  for (const Edge& edge : graph.edges) edges.emplace(graph.names.at(edge.before), graph.names.at(edge.after));
  return edges;
}

// Tasks named n0, n1, …; edges as pairs (before, after).
inline TaskGraph numbered_graph(std::uint32_t count, const std::set<std::pair<std::uint32_t, std::uint32_t>>& edges) {
  TaskGraph graph;
  for (std::uint32_t i = 0; i < count; ++i) graph.names.push_back("n" + std::to_string(i));
  for (const auto& [before, after] : edges) graph.edges.push_back({after, before});
  std::sort(graph.edges.begin(), graph.edges.end());
  return graph;
}

// Every promise of task_graph.hpp about a graph from a reader.
inline void expect_well_formed(const TaskGraph& graph) {
  std::vector<std::string_view> names(graph.names.begin(), graph.names.end());
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end()) << "names are unique";
  EXPECT_TRUE(names.empty() || !names.front().empty()) << "names are not empty";
  EXPECT_TRUE(std::is_sorted(graph.edges.begin(), graph.edges.end()));
  EXPECT_EQ(std::adjacent_find(graph.edges.begin(), graph.edges.end()), graph.edges.end()) << "edges stand once";
  for (const Edge& edge : graph.edges) {
    EXPECT_LT(edge.before, graph.names.size());
    EXPECT_LT(edge.after, graph.names.size());
  }
}

// An error is one line, says its input first, and names a remedy after a semicolon.
inline void expect_one_line(const InputError& error) {
  EXPECT_FALSE(error.text.empty());
  EXPECT_EQ(error.text.find('\n'), std::string::npos) << error.text;
  EXPECT_NE(error.text.find(": "), std::string::npos) << error.text;
  EXPECT_NE(error.text.find("; "), std::string::npos) << error.text;
}

}  // namespace symphony::tools::testing
