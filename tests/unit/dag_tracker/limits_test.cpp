// Every maximum at one below, at and one above it; what is refused changed nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "pits/dag_tracker/graphs.hpp"

namespace symphony::pit::tracker {
namespace {

using ::testing::HasSubstr;

Limits small() {
  Limits limits;
  limits.graphs = 3;
  limits.tasks = 10;
  limits.edges = 6;
  limits.name_bytes = 20;
  limits.name_size = 8;
  return limits;
}

NamedGraph& make(Graphs& graphs, std::string_view name = {}) {
  NamedGraph* made = nullptr;
  EXPECT_TRUE(graphs.create(name, 0, &made).ok());
  return *made;
}

Verdict add_tasks(Graphs& graphs, NamedGraph& at, std::uint32_t count) {
  return at.graph.add_tasks(count, {}, {}, graphs.room_for(at));
}

Verdict add_edges(Graphs& graphs, NamedGraph& at, std::uint32_t count) {
  std::size_t bad = 0;
  const std::vector<std::uint32_t> before(count, 0);
  const std::vector<std::uint32_t> after(count, 1);
  return at.graph.add_edges(before, after, graphs.room_for(at), &bad);
}

Verdict add_name(Graphs& graphs, NamedGraph& at, std::size_t size) {
  const std::string name(size, 'n');
  const std::string_view view = name;
  return at.graph.add_tasks(1, std::span(&view, 1), {}, graphs.room_for(at));
}

TEST(DagTrackerLimits, OfGraphsHoldsAndDroppingMakesRoom) {
  Graphs graphs(small());
  for (int i = 0; i < 3; ++i) make(graphs);
  NamedGraph* made = nullptr;
  const Verdict verdict = graphs.create("", 0, &made);
  EXPECT_EQ(verdict.refusal, Refusal::limit);
  EXPECT_THAT(verdict.text, HasSubstr("DropGraph"));
  EXPECT_EQ(graphs.size(), 3U);
  std::uint32_t tasks = 0;
  EXPECT_TRUE(graphs.drop(2, &tasks).ok());
  EXPECT_EQ(make(graphs).number, 4U) << "a number is never used again";
}

TEST(DagTrackerLimits, OfTasksHoldsForABatchAndForTheSum) {
  Graphs graphs(small());
  NamedGraph& at = make(graphs);
  EXPECT_EQ(add_tasks(graphs, at, 11).refusal, Refusal::limit);
  EXPECT_TRUE(add_tasks(graphs, at, 9).ok());
  EXPECT_EQ(add_tasks(graphs, at, 2).refusal, Refusal::limit);
  EXPECT_EQ(add_tasks(graphs, at, 0xFFFFFFFF).refusal, Refusal::limit);
  EXPECT_EQ(at.graph.tasks(), 9U);
  EXPECT_TRUE(add_tasks(graphs, at, 1).ok());
  EXPECT_EQ(add_tasks(graphs, at, 1).refusal, Refusal::limit);
  EXPECT_TRUE(add_tasks(graphs, at, 0).ok());
}

TEST(DagTrackerLimits, OfTasksAreSharedByAllGraphsOfAPit) {
  Graphs graphs(small());
  NamedGraph& first = make(graphs);
  NamedGraph& second = make(graphs);
  EXPECT_TRUE(add_tasks(graphs, first, 6).ok());
  EXPECT_EQ(add_tasks(graphs, second, 5).refusal, Refusal::limit);
  EXPECT_TRUE(add_tasks(graphs, second, 4).ok());
  std::uint32_t tasks = 0;
  EXPECT_TRUE(graphs.drop(first.number, &tasks).ok());
  EXPECT_EQ(tasks, 6U);
  EXPECT_TRUE(add_tasks(graphs, second, 6).ok());
}

TEST(DagTrackerLimits, OfEdgesHoldsForABatchAndForTheSum) {
  Graphs graphs(small());
  NamedGraph& at = make(graphs);
  ASSERT_TRUE(add_tasks(graphs, at, 2).ok());
  EXPECT_EQ(add_edges(graphs, at, 7).refusal, Refusal::limit);
  EXPECT_EQ(at.graph.edges(), 0U);
  EXPECT_TRUE(add_edges(graphs, at, 5).ok());
  EXPECT_EQ(add_edges(graphs, at, 2).refusal, Refusal::limit);
  EXPECT_TRUE(add_edges(graphs, at, 1).ok());
  EXPECT_EQ(add_edges(graphs, at, 1).refusal, Refusal::limit);
  NamedGraph& other = make(graphs);
  ASSERT_TRUE(add_tasks(graphs, other, 2).ok());
  EXPECT_EQ(add_edges(graphs, other, 1).refusal, Refusal::limit);
}

TEST(DagTrackerLimits, OfNamesHoldForEachAndForTheSum) {
  Graphs graphs(small());
  NamedGraph& at = make(graphs);
  EXPECT_EQ(add_name(graphs, at, 9).refusal, Refusal::limit);
  EXPECT_TRUE(add_name(graphs, at, 8).ok());
  EXPECT_TRUE(add_name(graphs, at, 7).ok());
  EXPECT_EQ(add_name(graphs, at, 6).refusal, Refusal::limit);
  EXPECT_TRUE(add_name(graphs, at, 5).ok());
  EXPECT_EQ(add_name(graphs, at, 1).refusal, Refusal::limit);
  EXPECT_TRUE(add_name(graphs, at, 0).ok());
  EXPECT_EQ(at.graph.tasks(), 4U);
  NamedGraph* made = nullptr;
  EXPECT_EQ(graphs.create("ninebytes", 0, &made).refusal, Refusal::limit);
  EXPECT_TRUE(graphs.create("8 bytes!", 0, &made).ok());
}

TEST(DagTrackerLimits, OfTheFenceLeaveRoomForTokens) {
  Graphs graphs;
  NamedGraph* made = nullptr;
  EXPECT_EQ(graphs.create("", fence_max + 1, &made).refusal, Refusal::bad_argument);
  EXPECT_TRUE(graphs.create("", fence_max, &made).ok());
}

TEST(Graphs, RefuseANameThatIsTakenUntilItsGraphIsDropped) {
  Graphs graphs;
  const std::uint32_t first = make(graphs, "archive").number;
  NamedGraph* made = nullptr;
  EXPECT_EQ(graphs.create("archive", 0, &made).refusal, Refusal::name_taken);
  std::uint32_t tasks = 0;
  EXPECT_TRUE(graphs.drop(first, &tasks).ok());
  EXPECT_EQ(graphs.drop(first, &tasks).refusal, Refusal::no_such_graph);
  const NamedGraph& second = make(graphs, "archive");
  EXPECT_NE(second.number, first);
  EXPECT_EQ(graphs.find("archive"), &second);
}

TEST(Graphs, WithoutANameAreManyAndAreFoundByNumberOnly) {
  Graphs graphs;
  const std::uint32_t first = make(graphs).number;
  const std::uint32_t second = make(graphs).number;
  EXPECT_NE(first, second);
  EXPECT_EQ(graphs.find(""), nullptr);
  EXPECT_EQ(graphs.find(second)->number, second);
  EXPECT_EQ(graphs.find(std::uint32_t{0}), nullptr);
  EXPECT_EQ(graphs.find(second + 1), nullptr);
}

}  // namespace
}  // namespace symphony::pit::tracker
