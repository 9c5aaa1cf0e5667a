#include "pits/dag_tracker/graph.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pits/dag_tracker/graphs.hpp"

namespace symphony::pit::tracker {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Given {
  std::vector<std::uint32_t> tasks;
  std::uint64_t token = 0;
};

Given claim(Graph& graph, std::uint32_t worker, std::uint32_t max) {
  Given given;
  given.tasks.resize(max);
  given.tasks.resize(graph.claim(worker, given.tasks, &given.token));
  return given;
}

Refusal complete(Graph& graph, std::uint32_t task, std::uint64_t token, std::uint32_t* newly_ready = nullptr) {
  std::uint32_t ready = 0;
  const Verdict verdict = graph.complete(task, token, &ready);
  if (newly_ready != nullptr) *newly_ready = ready;
  return verdict.refusal;
}

Refusal add_edge(Graph& graph, std::uint32_t before, std::uint32_t after) {
  std::size_t bad = 0;
  return graph.add_edges(std::span(&before, 1), std::span(&after, 1), Limits{}, &bad).refusal;
}

std::vector<std::uint32_t> seal(Graph& graph) {
  std::vector<std::uint32_t> cycle;
  EXPECT_TRUE(graph.seal(Limits{}, &cycle).ok());
  return cycle;
}

Graph with_tasks(std::uint32_t count, std::uint64_t fence = 0) {
  Graph graph(fence);
  EXPECT_TRUE(graph.add_tasks(count, {}, {}, Limits{}).ok());
  return graph;
}

// 0 before 1 and 2, both before 3.
Graph diamond() {
  Graph graph = with_tasks(4);
  for (const auto& [before, after] : {std::pair{0U, 1U}, {0U, 2U}, {1U, 3U}, {2U, 3U}}) {
    EXPECT_EQ(add_edge(graph, before, after), Refusal::none);
  }
  EXPECT_THAT(seal(graph), IsEmpty());
  return graph;
}

TEST(Graph, WithoutTasksIsFinishedOnceSealed) {
  Graph graph;
  EXPECT_THAT(seal(graph), IsEmpty());
  EXPECT_EQ(graph.counts().unfinished(), 0U);
  EXPECT_EQ(graph.levels(), 0U);
  EXPECT_THAT(claim(graph, 1, 8).tasks, IsEmpty());
}

TEST(Graph, MakesExactlyTheTasksWithoutDependenciesReadyWhenSealed) {
  const Graph graph = diamond();
  EXPECT_EQ(graph.state(0), TaskState::ready);
  for (std::uint32_t t = 1; t < 4; ++t) EXPECT_EQ(graph.state(t), TaskState::waiting);
  EXPECT_EQ(graph.counts().ready, 1U);
  EXPECT_EQ(graph.counts().waiting, 3U);
  EXPECT_EQ(graph.levels(), 3U);
  EXPECT_EQ(graph.edges(), 4U);
}

TEST(Graph, MakesATaskReadyWhenTheLastOneBeforeItSucceeded) {
  Graph graph = diamond();
  std::uint32_t newly_ready = 0;
  const Given first = claim(graph, 1, 9);
  ASSERT_THAT(first.tasks, ElementsAre(0));
  EXPECT_EQ(complete(graph, 0, first.token, &newly_ready), Refusal::none);
  EXPECT_EQ(newly_ready, 2U);

  const Given second = claim(graph, 1, 9);
  ASSERT_THAT(second.tasks, ElementsAre(1, 2));
  EXPECT_EQ(complete(graph, 2, second.token + 1, &newly_ready), Refusal::none);
  EXPECT_EQ(newly_ready, 0U);
  EXPECT_EQ(graph.state(3), TaskState::waiting);
  EXPECT_EQ(complete(graph, 1, second.token, &newly_ready), Refusal::none);
  EXPECT_EQ(newly_ready, 1U);

  const Given third = claim(graph, 1, 9);
  ASSERT_THAT(third.tasks, ElementsAre(3));
  EXPECT_EQ(complete(graph, 3, third.token), Refusal::none);
  EXPECT_EQ(graph.counts().unfinished(), 0U);
  EXPECT_EQ(graph.counts().succeeded, 4U);
}

TEST(Graph, CountsEveryChangeOfOneTasksStateAsATransition) {
  Graph graph = diamond();
  EXPECT_EQ(graph.counts().transitions, 1U);
  const Given first = claim(graph, 1, 1);
  EXPECT_EQ(graph.counts().transitions, 2U);
  EXPECT_EQ(complete(graph, 0, first.token), Refusal::none);
  EXPECT_EQ(graph.counts().transitions, 5U);
}

TEST(Graph, HandsOutTheHeaviestChainFirst) {
  Graph graph;
  const std::vector<std::uint32_t> weights{1, 1, 5, 7};
  ASSERT_TRUE(graph.add_tasks(4, {}, weights, Limits{}).ok());
  ASSERT_EQ(add_edge(graph, 0, 3), Refusal::none);
  ASSERT_THAT(seal(graph), IsEmpty());
  EXPECT_THAT(claim(graph, 1, 9).tasks, ElementsAre(0, 2, 1));
  EXPECT_EQ(graph.critical_weight(), 8U);
}

TEST(Graph, HandsOutEqualTasksByNumber) {
  Graph graph = with_tasks(200);
  ASSERT_THAT(seal(graph), IsEmpty());
  for (std::uint32_t t = 0; t < 200; ++t) EXPECT_THAT(claim(graph, t, 1).tasks, ElementsAre(t));
}

TEST(Graph, GivesATaskToOneWorkerOnly) {
  Graph graph = with_tasks(3);
  ASSERT_THAT(seal(graph), IsEmpty());
  EXPECT_EQ(claim(graph, 1, 2).tasks.size(), 2U);
  EXPECT_THAT(claim(graph, 2, 2).tasks, ElementsAre(2));
  EXPECT_THAT(claim(graph, 3, 2).tasks, IsEmpty());
}

TEST(Graph, AskedForNoTaskGivesNone) {
  Graph graph = with_tasks(3);
  ASSERT_THAT(seal(graph), IsEmpty());
  EXPECT_THAT(claim(graph, 1, 0).tasks, IsEmpty());
  EXPECT_EQ(graph.counts().ready, 3U);
}

TEST(Graph, RefusesATokenThatIsNotTheTasksOwn) {
  Graph graph = diamond();
  const Given first = claim(graph, 1, 1);
  EXPECT_EQ(complete(graph, 0, first.token + 1), Refusal::stale_attempt);
  EXPECT_EQ(complete(graph, 0, 0), Refusal::stale_attempt);
  EXPECT_EQ(complete(graph, 1, first.token), Refusal::stale_attempt);
  EXPECT_EQ(graph.state(0), TaskState::running);
  EXPECT_EQ(complete(graph, 0, first.token), Refusal::none);
}

TEST(Graph, RefusesToCompleteATaskThatWasNeverClaimed) {
  Graph graph = diamond();
  EXPECT_EQ(complete(graph, 0, 0), Refusal::stale_attempt);
  EXPECT_EQ(complete(graph, 3, 0), Refusal::stale_attempt);
  EXPECT_EQ(complete(graph, 4, 1), Refusal::no_such_task);
}

TEST(Graph, TakesTheSameCompletionTwiceAndCountsItOnce) {
  Graph graph = diamond();
  const Given first = claim(graph, 1, 1);
  EXPECT_EQ(complete(graph, 0, first.token), Refusal::none);
  const std::uint64_t transitions = graph.counts().transitions;
  std::uint32_t newly_ready = 77;
  EXPECT_EQ(complete(graph, 0, first.token, &newly_ready), Refusal::none);
  EXPECT_EQ(newly_ready, 0U);
  EXPECT_EQ(graph.counts().transitions, transitions);
  EXPECT_EQ(complete(graph, 0, first.token + 1), Refusal::stale_attempt);
}

TEST(Graph, GivesBackWhatALostWorkerHeldAndRefusesItsTokens) {
  Graph graph = with_tasks(3);
  ASSERT_THAT(seal(graph), IsEmpty());
  const Given lost = claim(graph, 7, 2);
  const Given other = claim(graph, 8, 1);
  EXPECT_EQ(graph.release(7), 2U);
  EXPECT_EQ(graph.counts().ready, 2U);
  EXPECT_EQ(complete(graph, lost.tasks[0], lost.token), Refusal::stale_attempt);

  const Given again = claim(graph, 8, 9);
  EXPECT_EQ(again.tasks, lost.tasks);
  EXPECT_GT(again.token, other.token);
  EXPECT_EQ(graph.attempt(again.tasks[0]), 2U);
  EXPECT_EQ(graph.attempt(other.tasks[0]), 1U);
  EXPECT_EQ(complete(graph, lost.tasks[0], lost.token), Refusal::stale_attempt);
  EXPECT_EQ(complete(graph, again.tasks[0], again.token), Refusal::none);
  EXPECT_EQ(complete(graph, other.tasks[0], other.token), Refusal::none);
}

TEST(Graph, ReleasingAWorkerThatHoldsNothingChangesNothing) {
  Graph graph = with_tasks(2);
  ASSERT_THAT(seal(graph), IsEmpty());
  const Given given = claim(graph, 7, 1);
  ASSERT_EQ(complete(graph, given.tasks[0], given.token), Refusal::none);
  EXPECT_EQ(graph.release(7), 0U);
  EXPECT_EQ(graph.release(9), 0U);
  EXPECT_EQ(graph.state(given.tasks[0]), TaskState::succeeded);
}

TEST(Graph, StartsItsTokensAboveTheFenceSoThatAnEarlierLoadsTokensAreStale) {
  constexpr std::uint64_t fence = std::uint64_t{1} << 32;
  Graph before = with_tasks(1);
  ASSERT_THAT(seal(before), IsEmpty());
  const Given old = claim(before, 1, 1);

  Graph after = with_tasks(1, fence);
  ASSERT_THAT(seal(after), IsEmpty());
  const Given fresh = claim(after, 2, 1);
  EXPECT_GT(fresh.token, fence);
  EXPECT_EQ(complete(after, 0, old.token), Refusal::stale_attempt);
  EXPECT_EQ(complete(after, 0, fresh.token), Refusal::none);
}

TEST(Graph, CountsARepeatedEdgeOnce) {
  Graph graph = with_tasks(2);
  for (int i = 0; i < 3; ++i) ASSERT_EQ(add_edge(graph, 0, 1), Refusal::none);
  EXPECT_EQ(graph.edges(), 3U);
  ASSERT_THAT(seal(graph), IsEmpty());
  EXPECT_EQ(graph.edges(), 1U);
  const Given given = claim(graph, 1, 2);
  std::uint32_t newly_ready = 0;
  EXPECT_EQ(complete(graph, 0, given.token, &newly_ready), Refusal::none);
  EXPECT_EQ(newly_ready, 1U);
}

TEST(Graph, TakesASelfEdgeAndReportsItAsACycleWhenSealed) {
  Graph graph = with_tasks(2);
  ASSERT_EQ(add_edge(graph, 1, 1), Refusal::none);
  EXPECT_THAT(seal(graph), ElementsAre(1));
}

TEST(Graph, WithACycleStaysUnsealedAndSaysSoEachTime) {
  Graph graph = with_tasks(3);
  ASSERT_EQ(add_edge(graph, 0, 1), Refusal::none);
  ASSERT_EQ(add_edge(graph, 1, 0), Refusal::none);
  EXPECT_THAT(seal(graph), ElementsAre(0, 1));
  EXPECT_FALSE(graph.sealed());
  EXPECT_THAT(seal(graph), ElementsAre(0, 1));
  EXPECT_EQ(complete(graph, 2, 1), Refusal::not_sealed);
  EXPECT_EQ(graph.counts().waiting, 3U);
}

TEST(Graph, OnceSealedTakesNoTaskNoEdgeAndNoSecondSeal) {
  Graph graph = diamond();
  EXPECT_EQ(graph.add_tasks(1, {}, {}, Limits{}).refusal, Refusal::already_sealed);
  EXPECT_EQ(add_edge(graph, 0, 3), Refusal::already_sealed);
  std::vector<std::uint32_t> cycle;
  EXPECT_EQ(graph.seal(Limits{}, &cycle).refusal, Refusal::already_sealed);
  EXPECT_EQ(graph.tasks(), 4U);
  EXPECT_EQ(graph.edges(), 4U);
}

TEST(Graph, WithOneUnknownTaskInABatchOfEdgesTakesNoneOfThem) {
  Graph graph = with_tasks(3);
  const std::vector<std::uint32_t> before{0, 1, 3};
  const std::vector<std::uint32_t> after{1, 2, 0};
  std::size_t bad = 0;
  EXPECT_EQ(graph.add_edges(before, after, Limits{}, &bad).refusal, Refusal::no_such_task);
  EXPECT_EQ(bad, 2U);
  EXPECT_EQ(graph.edges(), 0U);
}

TEST(Graph, KeepsNamesAcrossBatchesWithAndWithoutThem) {
  using namespace std::string_view_literals;
  Graph graph;
  const std::vector<std::string_view> first{"libc6"sv, ""sv};
  const std::vector<std::string_view> second{"zlib1g"sv};
  ASSERT_TRUE(graph.add_tasks(2, {}, {}, Limits{}).ok());
  ASSERT_TRUE(graph.add_tasks(2, first, {}, Limits{}).ok());
  ASSERT_TRUE(graph.add_tasks(1, {}, {}, Limits{}).ok());
  ASSERT_TRUE(graph.add_tasks(1, second, {}, Limits{}).ok());
  std::vector<std::string_view> names;
  for (std::uint32_t t = 0; t < graph.tasks(); ++t) names.push_back(graph.name(t));
  EXPECT_THAT(names, ElementsAre("", "", "libc6", "", "", "zlib1g"));
}

TEST(Graph, WeighsTasksOfBatchesWithoutWeightsAsOne) {
  Graph graph;
  const std::vector<std::uint32_t> heavy{3};
  ASSERT_TRUE(graph.add_tasks(2, {}, {}, Limits{}).ok());
  ASSERT_TRUE(graph.add_tasks(1, {}, heavy, Limits{}).ok());
  ASSERT_TRUE(graph.add_tasks(1, {}, {}, Limits{}).ok());
  ASSERT_THAT(seal(graph), IsEmpty());
  EXPECT_THAT(claim(graph, 1, 9).tasks, ElementsAre(2, 0, 1, 3));
}

TEST(Graph, OfAChainOfAQuarterMillionTasksSealsAndRunsWithoutRecursion) {
  constexpr std::uint32_t tasks = 250'000;
  Graph graph = with_tasks(tasks);
  std::vector<std::uint32_t> before(tasks - 1);
  std::vector<std::uint32_t> after(tasks - 1);
  for (std::uint32_t t = 0; t + 1 < tasks; ++t) {
    before[t] = t + 1;
    after[t] = t;
  }
  std::size_t bad = 0;
  ASSERT_TRUE(graph.add_edges(before, after, Limits{}, &bad).ok());
  ASSERT_THAT(seal(graph), IsEmpty());
  EXPECT_EQ(graph.levels(), tasks);
  for (std::uint32_t t = tasks; t-- > 0;) {
    const Given given = claim(graph, 1, 2);
    ASSERT_THAT(given.tasks, ElementsAre(t));
    ASSERT_EQ(complete(graph, t, given.token), Refusal::none);
  }
  EXPECT_EQ(graph.counts().unfinished(), 0U);
}

}  // namespace
}  // namespace symphony::pit::tracker
