// Cycles: what is found, how it is said, and what is left when they are merged. Checked against reachability computed
// the slow way on many small graphs, and on shapes that would break recursion.
#include "tools/symphony/graph/condense.hpp"

#include <random>

#include "tests/support/samples.hpp"
#include "tests/unit/tools_graph/graph_support.hpp"

namespace symphony::tools {
namespace {

using testing::named_edges;
using testing::numbered_graph;
using Pairs = std::set<std::pair<std::uint32_t, std::uint32_t>>;

// reach[a][b]: a path of at least one edge leads from a to b.
std::vector<std::vector<bool>> reachability(const TaskGraph& graph) {
  const std::size_t count = graph.names.size();
  std::vector<std::vector<bool>> reach(count, std::vector<bool>(count));
  for (const Edge& edge : graph.edges) reach[edge.before][edge.after] = true;
  for (std::size_t via = 0; via < count; ++via) {
    for (std::size_t from = 0; from < count; ++from) {
      if (!reach[from][via]) continue;
      for (std::size_t to = 0; to < count; ++to) reach[from][to] = reach[from][to] || reach[via][to];
    }
  }
  return reach;
}

bool is_edge(const TaskGraph& graph, std::uint32_t before, std::uint32_t after) {
  return std::binary_search(graph.edges.begin(), graph.edges.end(), Edge{after, before});
}

// The length of a shortest cycle through members of `group`, by search from every member.
std::size_t shortest_cycle(const TaskGraph& graph, const Groups& groups, std::uint32_t group) {
  std::size_t best = SIZE_MAX;
  for (std::uint32_t start = 0; start < graph.names.size(); ++start) {
    if (groups.group_of[start] != group) continue;
    std::vector<std::size_t> distance(graph.names.size(), SIZE_MAX);
    distance[start] = 0;
    for (std::size_t round = 0; round < graph.names.size(); ++round) {
      for (const Edge& edge : graph.edges) {
        if (distance[edge.before] == SIZE_MAX) continue;
        if (edge.after == start) best = std::min(best, distance[edge.before] + 1);
        distance[edge.after] = std::min(distance[edge.after], distance[edge.before] + 1);
      }
    }
  }
  return best;
}

void check_against_reachability(const TaskGraph& graph) {
  const auto reach = reachability(graph);
  const Groups groups = strong_groups(graph);
  const auto count = static_cast<std::uint32_t>(graph.names.size());
  bool any_cycle = false;
  for (std::uint32_t a = 0; a < count; ++a) {
    any_cycle = any_cycle || reach[a][a];
    for (std::uint32_t b = 0; b < count; ++b) {
      const bool together = a == b || (reach[a][b] && reach[b][a]);
      ASSERT_EQ(groups.group_of[a] == groups.group_of[b], together) << a << " and " << b;
    }
  }

  const auto cycle = find_cycle(graph);
  ASSERT_EQ(!cycle.empty(), any_cycle);
  for (std::size_t i = 0; i < cycle.size(); ++i) {
    ASSERT_TRUE(is_edge(graph, cycle[i], cycle[(i + 1) % cycle.size()])) << "step " << i;
  }
  ASSERT_EQ(std::set<std::uint32_t>(cycle.begin(), cycle.end()).size(), cycle.size()) << "no task twice";
  if (cycle.size() > 1) {
    ASSERT_EQ(cycle.size(), shortest_cycle(graph, groups, groups.group_of[cycle.front()]));
    ASSERT_EQ(cycle.front(), *std::min_element(cycle.begin(), cycle.end()));
  }

  const Condensed condensed = condense(graph);
  testing::expect_well_formed(condensed.graph);
  ASSERT_TRUE(find_cycle(condensed.graph).empty());
  ASSERT_EQ(condensed.graph.names.size(), groups.sizes.size());
  const auto condensed_reach = reachability(condensed.graph);
  for (std::uint32_t a = 0; a < count; ++a) {
    for (std::uint32_t b = 0; b < count; ++b) {
      const std::uint32_t group_a = groups.group_of[a];
      const std::uint32_t group_b = groups.group_of[b];
      if (group_a != group_b) {
        ASSERT_EQ(condensed_reach[group_a][group_b], reach[a][b]) << "order is kept: " << a << ", " << b;
      }
    }
  }
}

TEST(Condense, EveryGraphOfThreeTasksKeepsItsOrderAndLosesItsCycles) {
  for (unsigned bits = 0; bits < 1U << 9U; ++bits) {
    Pairs edges;
    for (unsigned at = 0; at < 9; ++at) {
      if ((bits >> at & 1U) != 0) edges.emplace(at / 3, at % 3);
    }
    SCOPED_TRACE(bits);
    ASSERT_NO_FATAL_FAILURE(check_against_reachability(numbered_graph(3, edges)));
  }
}

TEST(Condense, RandomGraphsKeepTheirOrderAndLoseTheirCycles) {
  const std::uint64_t first = test_run::seed();
  for (std::uint64_t seed = first; seed < first + 300; ++seed) {
    SCOPED_TRACE("SYMPHONY_SEED=" + std::to_string(seed));
    std::mt19937_64 random(seed);
    const auto count = static_cast<std::uint32_t>(1 + random() % 24);
    // From sparse, where most tasks stand alone, to dense, where almost all are in one group.
    const std::uint64_t edge_count = random() % (3 * count + 1);
    Pairs edges;
    for (std::uint64_t i = 0; i < edge_count; ++i) {
      edges.emplace(static_cast<std::uint32_t>(random() % count), static_cast<std::uint32_t>(random() % count));
    }
    ASSERT_NO_FATAL_FAILURE(check_against_reachability(numbered_graph(count, edges)));
  }
}

TEST(Condense, MergedTaskIsNamedByItsMembersInOrder) {
  TaskGraph graph = numbered_graph(4, {{0, 1}, {1, 2}, {2, 0}, {2, 3}});
  graph.names = {"zlib", "apt", "make", "tool"};
  const Condensed condensed = condense(graph);
  EXPECT_EQ(condensed.graph.names, (std::vector<std::string>{"apt+make+zlib", "tool"}));
  EXPECT_EQ(named_edges(condensed.graph), (testing::NamedEdges{{"apt+make+zlib", "tool"}}));
  EXPECT_EQ(condensed.groups, 1U);
  EXPECT_EQ(condensed.members, 3U);
  EXPECT_EQ(condensed.largest, 3U);
}

TEST(Condense, NameOfAGroupAtTheLimitIsWholeAndAboveItIsCut) {
  for (const std::size_t count : {merged_names_max, merged_names_max + 1}) {
    Pairs ring;
    for (std::uint32_t i = 0; i < count; ++i) ring.emplace(i, (i + 1) % count);
    const Condensed condensed = condense(numbered_graph(static_cast<std::uint32_t>(count), ring));
    ASSERT_EQ(condensed.graph.names.size(), 1U);
    const std::string& name = condensed.graph.names[0];
    if (count == merged_names_max) {
      EXPECT_EQ(std::count(name.begin(), name.end(), '+'), static_cast<std::ptrdiff_t>(count) - 1);
    } else {
      EXPECT_EQ(name, "n0+n1+n10+10 more");
    }
  }
}

TEST(Condense, MergedNameNeverEqualsTheNameOfAnotherTask) {
  TaskGraph graph = numbered_graph(4, {{0, 1}, {1, 0}});
  graph.names = {"a", "b", "a+b", "a+b+"};
  EXPECT_EQ(condense(graph).graph.names, (std::vector<std::string>{"a+b++", "a+b", "a+b+"}));
}

TEST(Condense, GraphWithoutCyclesComesBackUnchanged) {
  const TaskGraph graph = numbered_graph(5, {{0, 1}, {0, 2}, {1, 3}, {2, 3}, {4, 0}});
  const Condensed condensed = condense(graph);
  EXPECT_EQ(condensed.graph.names, graph.names);
  EXPECT_EQ(condensed.graph.edges, graph.edges);
  EXPECT_EQ(condensed.groups, 0U);
  EXPECT_EQ(condensed.members, 0U);
}

TEST(Condense, EdgeFromATaskToItselfIsACycleOfOneAndIsDroppedByCondensing) {
  const TaskGraph graph = numbered_graph(2, {{0, 1}, {1, 1}});
  EXPECT_EQ(find_cycle(graph), (std::vector<std::uint32_t>{1}));
  const Condensed condensed = condense(graph);
  EXPECT_EQ(condensed.self_loops, 1U);
  EXPECT_EQ(condensed.groups, 0U);
  EXPECT_EQ(condensed.graph.edges.size(), 1U);
}

TEST(Condense, ChainOfManyTasksNeedsNoStack) {
  constexpr std::uint32_t count = 250'000;
  TaskGraph graph;
  graph.names.resize(count);
  for (std::uint32_t i = 0; i < count; ++i) graph.names[i] = std::to_string(i);
  for (std::uint32_t i = 1; i < count; ++i) graph.edges.push_back({i, i - 1});
  EXPECT_EQ(levels(graph), count);
  EXPECT_TRUE(find_cycle(graph).empty());
  graph.edges.insert(graph.edges.begin(), {0, count - 1});
  EXPECT_EQ(find_cycle(graph).size(), count);
  const Condensed condensed = condense(std::move(graph));
  EXPECT_EQ(condensed.largest, count);
  EXPECT_EQ(condensed.graph.names.size(), 1U);
}

TEST(Condense, EmptyGraphHasNoCycleNoGroupAndNoLevel) {
  EXPECT_TRUE(find_cycle({}).empty());
  EXPECT_TRUE(condense({}).graph.names.empty());
  EXPECT_EQ(levels({}), 0U);
}

TEST(Levels, CountTheTasksOfTheLongestPath) {
  EXPECT_EQ(levels(numbered_graph(3, {})), 1U);
  EXPECT_EQ(levels(numbered_graph(5, {{0, 1}, {1, 2}, {0, 2}, {3, 2}})), 3U);
}

TEST(CycleError, PrintsThePathBackToItsStartAndTheRemedy) {
  const TaskGraph graph = numbered_graph(3, {{0, 1}, {1, 2}, {2, 0}});
  const InputError error = cycle_error(graph, find_cycle(graph), "file");
  EXPECT_EQ(error.fault, InputFault::cycle);
  EXPECT_EQ(error.exit_status(), 2);
  EXPECT_EQ(
      error.text,
      "file: has a cycle, so no order exists: n0 -> n1 -> n2 -> n0; give --condense to merge each cycle into one task");
}

TEST(CycleError, LongPathIsShortenedInTheMiddleAndSaysByHowMuch) {
  Pairs ring;
  for (std::uint32_t i = 0; i < 100; ++i) ring.emplace(i, (i + 1) % 100);
  const TaskGraph graph = numbered_graph(100, ring);
  const InputError error = cycle_error(graph, find_cycle(graph), "file");
  EXPECT_NE(error.text.find("n9 -> (89 more) -> n99 -> n0;"), std::string::npos) << error.text;
}

}  // namespace
}  // namespace symphony::tools
