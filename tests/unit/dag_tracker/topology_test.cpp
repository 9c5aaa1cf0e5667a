#include "pits/dag_tracker/topology.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

#include "tests/unit/dag_tracker/random_graph.hpp"

namespace symphony::pit::tracker {
namespace {

using testing::Edges;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::uint32_t plenty = 1'000'000;

Successors successors(std::uint32_t tasks, const Edges& edges) {
  return make_successors(tasks, edges.before, edges.after);
}

std::vector<std::uint32_t> order_of(const Successors& graph) {
  return topological_order(graph, count_predecessors(graph));
}

std::vector<std::uint32_t> cycle_of(const Successors& graph, std::uint32_t steps = plenty) {
  return find_cycle(graph, order_of(graph), steps);
}

bool has_edge(const Successors& graph, std::uint32_t before, std::uint32_t after) {
  const auto run = graph.of(before);
  return std::binary_search(run.begin(), run.end(), after);
}

// Each task once, and an edge from each to the next and from the last to the first.
void expect_is_a_cycle(const Successors& graph, const std::vector<std::uint32_t>& path) {
  ASSERT_FALSE(path.empty());
  for (std::size_t i = 0; i < path.size(); ++i) {
    EXPECT_TRUE(has_edge(graph, path[i], path[(i + 1) % path.size()])) << path[i];
    EXPECT_EQ(std::count(path.begin(), path.end(), path[i]), 1);
  }
}

// Length of the shortest cycle, by breadth-first search from every task; 0 when there is none.
std::size_t shortest_cycle(const Successors& graph) {
  std::size_t best = 0;
  for (std::uint32_t start = 0; start < graph.tasks(); ++start) {
    std::vector<std::size_t> distance(graph.tasks(), 0);
    std::deque<std::uint32_t> queue{start};
    bool found = false;
    while (!queue.empty() && !found) {
      const std::uint32_t at = queue.front();
      queue.pop_front();
      for (const std::uint32_t s : graph.of(at)) {
        if (s == start) {
          if (best == 0 || distance[at] + 1 < best) best = distance[at] + 1;
          found = true;
          break;
        }
        if (distance[s] != 0) continue;
        distance[s] = distance[at] + 1;
        queue.push_back(s);
      }
    }
  }
  return best;
}

TEST(Successors, AreSortedAndEachNamedOnce) {
  Edges edges;
  for (const std::uint32_t after : {3U, 1U, 3U, 2U, 1U}) edges.add(0, after);
  edges.add(2, 1);
  const Successors graph = successors(4, edges);
  EXPECT_THAT(graph.of(0), ElementsAre(1, 2, 3));
  EXPECT_THAT(graph.of(1), IsEmpty());
  EXPECT_THAT(graph.of(2), ElementsAre(1));
  EXPECT_EQ(graph.edges(), 4U);
  EXPECT_THAT(count_predecessors(graph), ElementsAre(0, 2, 1, 1));
}

TEST(Successors, OfNoTasksAreNone) {
  const Successors graph = successors(0, {});
  EXPECT_EQ(graph.tasks(), 0U);
  EXPECT_EQ(graph.edges(), 0U);
  EXPECT_THAT(order_of(graph), IsEmpty());
}

TEST(Priorities, FollowTheHeaviestChainThenTheNumber) {
  Edges edges;  // 0 -> 1 -> 2, 3 -> 2, 4 alone
  edges.add(0, 1);
  edges.add(1, 2);
  edges.add(3, 2);
  const Successors graph = successors(5, edges);
  const auto order = order_of(graph);
  const Priorities equal = make_priorities(graph, order, {});
  EXPECT_THAT(equal.by_rank, ElementsAre(0, 1, 3, 2, 4));
  EXPECT_THAT(equal.rank, ElementsAre(0, 1, 3, 2, 4));
  EXPECT_EQ(equal.levels, 3U);
  EXPECT_EQ(equal.critical_weight, 3U);

  const std::vector<std::uint32_t> weights{1, 1, 1, 10, 4};
  const Priorities weighted = make_priorities(graph, order, weights);
  EXPECT_THAT(weighted.by_rank, ElementsAre(3, 4, 0, 1, 2));
  EXPECT_EQ(weighted.levels, 3U);
  EXPECT_EQ(weighted.critical_weight, 11U);
}

TEST(Priorities, AddTheLargestWeightsWithoutOverflow) {
  constexpr std::uint32_t largest = 0xFFFFFFFF;
  Edges edges;
  edges.add(0, 1);
  edges.add(1, 2);
  const Successors graph = successors(3, edges);
  const std::vector<std::uint32_t> weights(3, largest);
  EXPECT_EQ(make_priorities(graph, order_of(graph), weights).critical_weight, 3 * std::uint64_t{largest});
}

TEST(Cycle, OfASelfEdgeIsThatTask) {
  Edges edges;
  edges.add(0, 1);
  edges.add(1, 2);
  edges.add(2, 0);
  edges.add(4, 4);
  EXPECT_THAT(cycle_of(successors(5, edges)), ElementsAre(4));
}

TEST(Cycle, IsTheShortestAndBeginsWithItsLeastTask) {
  Edges edges;  // a ring of four; 5 and 3 wait for each other; 6 only waits for the ring
  for (std::uint32_t t = 0; t < 4; ++t) edges.add(t, (t + 1) % 4);
  edges.add(5, 3);
  edges.add(3, 5);
  edges.add(2, 6);
  EXPECT_THAT(cycle_of(successors(7, edges)), ElementsAre(3, 5));
}

TEST(Cycle, OfARingOfAQuarterMillionIsFoundWithoutRecursion) {
  constexpr std::uint32_t tasks = 250'000;
  Edges edges;
  for (std::uint32_t t = 0; t < tasks; ++t) edges.add(t, (t + 1) % tasks);
  const Successors graph = successors(tasks, edges);
  const auto path = cycle_of(graph);
  ASSERT_EQ(path.size(), tasks);
  for (std::uint32_t t = 0; t < tasks; ++t) ASSERT_EQ(path[t], t);
}

TEST(Cycle, IsStillOneWhenTheSearchForTheShortestIsCutOff) {
  testing::Rng rng(testing::run_seed());
  const Successors graph = successors(300, testing::random_edges(rng, 300, 3000));
  expect_is_a_cycle(graph, cycle_of(graph, 0));
}

TEST(Cycle, OfRandomGraphsIsRealShortestAndFoundExactlyWhenThereIsOne) {
  testing::Rng rng(testing::run_seed());
  int with = 0;
  int without = 0;
  for (int round = 0; round < 4000; ++round) {
    const std::uint32_t tasks = 1 + testing::below(rng, 14);
    const Successors graph = successors(tasks, testing::random_edges(rng, tasks, testing::below(rng, 2 * tasks)));
    const auto order = order_of(graph);
    const std::size_t expected = shortest_cycle(graph);
    ASSERT_EQ(order.size() == tasks, expected == 0) << "round " << round;
    if (expected == 0) {
      ++without;
      continue;
    }
    ++with;
    const auto path = cycle_of(graph);
    expect_is_a_cycle(graph, path);
    ASSERT_EQ(path.size(), expected) << "round " << round;
    ASSERT_EQ(path.front(), *std::min_element(path.begin(), path.end()));
  }
  EXPECT_GT(with, 100);
  EXPECT_GT(without, 100);
}

TEST(Order, PutsEveryTaskBehindWhatItWaitsFor) {
  testing::Rng rng(testing::run_seed());
  for (int round = 0; round < 500; ++round) {
    const std::uint32_t tasks = 1 + testing::below(rng, 60);
    const Edges edges = testing::random_acyclic(rng, tasks, testing::below(rng, 4 * tasks));
    const auto order = order_of(successors(tasks, edges));
    ASSERT_EQ(order.size(), tasks);
    std::vector<std::uint32_t> place(tasks, tasks);
    for (std::uint32_t i = 0; i < tasks; ++i) place[order[i]] = i;
    for (std::size_t e = 0; e < edges.size(); ++e) ASSERT_LT(place[edges.before[e]], place[edges.after[e]]);
  }
}

}  // namespace
}  // namespace symphony::pit::tracker
