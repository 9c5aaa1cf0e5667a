// The pit as its callers see it: through the contract's table, in messages.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/unit/dag_tracker/random_graph.hpp"
#include "tests/unit/dag_tracker/tracker_client.hpp"

namespace symphony::pit::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using tracker::testing::run_seed;

constexpr std::int32_t status_of(dag::Refusal refusal) { return static_cast<std::int32_t>(refusal); }

template <class T>
std::vector<T> list(const flatbuffers::Vector<T>* vector) {
  return vector == nullptr ? std::vector<T>() : std::vector<T>(vector->begin(), vector->end());
}

class DagTracker : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(tracker.pit.ready());
    ASSERT_TRUE(tracker.pit.start());
  }
  // A sealed graph of `count` named tasks, each waiting for the one before it.
  std::uint32_t chain(std::uint32_t count) {
    EXPECT_EQ(tracker.create(), SYMPHONY_OK);
    const std::uint32_t graph = tracker.pit.as<dag::GraphInfo>()->graph();
    std::vector<std::string> names;
    std::vector<std::uint32_t> before;
    std::vector<std::uint32_t> after;
    for (std::uint32_t t = 0; t < count; ++t) names.push_back("step-" + std::to_string(t));
    for (std::uint32_t t = 1; t < count; ++t) {
      before.push_back(t - 1);
      after.push_back(t);
    }
    EXPECT_EQ(tracker.add_named(graph, names), SYMPHONY_OK);
    EXPECT_EQ(tracker.add_edges(graph, before, after), SYMPHONY_OK);
    EXPECT_EQ(tracker.seal(graph), SYMPHONY_OK);
    return graph;
  }
  void expect_refused(std::int32_t status, dag::Refusal refusal, const char* remedy) {
    EXPECT_EQ(status, status_of(refusal));
    EXPECT_THAT(tracker.pit.text(), HasSubstr(remedy));
    EXPECT_EQ(tracker.pit.text().find('\n'), std::string::npos);
  }
  // A graph's whole export, chunk by chunk, as one string of bytes.
  std::string exported(std::uint32_t graph, std::uint32_t max = 0, bool names = true, bool attempts = true) {
    std::string all;
    for (std::uint32_t first = 0;;) {
      EXPECT_EQ(tracker.ask_export(graph, first, max, names, attempts), SYMPHONY_OK);
      const auto* chunk = tracker.pit.as<dag::Exported>();
      if (chunk == nullptr || chunk->first() != first) {
        ADD_FAILURE() << "no chunk that begins with task " << first;
        return all;
      }
      EXPECT_EQ(chunk->states()->size(), chunk->next() - first);
      for (std::uint32_t i = 0; i < chunk->states()->size(); ++i) {
        all += std::to_string(first + i) + ' ' + std::to_string(static_cast<int>(chunk->states()->Get(i)));
        if (attempts) all += ' ' + std::to_string(chunk->attempts()->Get(i));
        if (names) all += ' ' + chunk->names()->Get(i)->str();
        all += '\n';
      }
      if (chunk->next() == chunk->tasks()) return all;
      if (chunk->next() <= first) {
        ADD_FAILURE() << "the export does not advance at task " << first;
        return all;
      }
      first = chunk->next();
    }
  }

  TrackerClient tracker;
};

TEST_F(DagTracker, RunsAGraphFromItsMakingToItsEnd) {
  const std::uint32_t graph = chain(3);
  const auto* sealed = tracker.pit.as<dag::Sealed>();
  ASSERT_NE(sealed, nullptr);
  EXPECT_EQ(sealed->tasks(), 3U);
  EXPECT_EQ(sealed->edges(), 2U);
  EXPECT_EQ(sealed->ready(), 1U);
  EXPECT_EQ(sealed->levels(), 3U);
  EXPECT_EQ(sealed->critical_weight(), 3U);
  for (std::uint32_t t = 0; t < 3; ++t) {
    ASSERT_EQ(tracker.claim(graph, 1, 8), SYMPHONY_OK);
    const auto* tasks = tracker.pit.as<dag::Tasks>();
    ASSERT_NE(tasks, nullptr);
    EXPECT_NE(tasks->grant()->token(), 0U);
    EXPECT_EQ(tasks->grant()->task(), t);
    EXPECT_EQ(tasks->grant()->unfinished(), 3 - t);
    EXPECT_EQ(tasks->more(), nullptr);
    ASSERT_EQ(tracker.complete(graph, t, tasks->grant()->token()), SYMPHONY_OK);
    const auto* completed = tracker.pit.as<dag::Completed>();
    ASSERT_NE(completed, nullptr);
    EXPECT_EQ(completed->body()->unfinished(), 2 - t);
    EXPECT_EQ(completed->body()->newly_ready(), t < 2 ? 1U : 0U);
  }
  ASSERT_EQ(tracker.claim(graph, 1, 8), SYMPHONY_OK);
  EXPECT_EQ(tracker.pit.as<dag::Tasks>()->grant()->token(), 0U);
  EXPECT_EQ(tracker.pit.as<dag::Tasks>()->grant()->unfinished(), 0U);
}

TEST_F(DagTracker, NumbersTheTokensOfOneClaimInARow) {
  ASSERT_EQ(tracker.create(), SYMPHONY_OK);
  const std::uint32_t graph = tracker.pit.as<dag::GraphInfo>()->graph();
  ASSERT_EQ(tracker.add_tasks(graph, 3), SYMPHONY_OK);
  ASSERT_EQ(tracker.seal(graph), SYMPHONY_OK);
  ASSERT_EQ(tracker.claim(graph, 1, 3), SYMPHONY_OK);
  const auto* tasks = tracker.pit.as<dag::Tasks>();
  const std::uint64_t token = tasks->grant()->token();
  EXPECT_EQ(tasks->grant()->task(), 0U);
  EXPECT_THAT(list(tasks->more()), ElementsAre(1, 2));
  for (std::uint32_t i = 0; i < 3; ++i) EXPECT_EQ(tracker.complete(graph, i, token + i), SYMPHONY_OK);
}

TEST_F(DagTracker, FitsClaimCompleteAndTheirRepliesIntoThirtyTwoBytes) {
  const std::uint32_t graph = chain(2);
  ASSERT_EQ(tracker.claim(graph, 0xFFFFFFFF, 0xFFFFFFFF), SYMPHONY_OK);
  EXPECT_EQ(tracker.pit.request_size(), 28U);
  EXPECT_EQ(tracker.pit.size(), 32U);
  ASSERT_EQ(tracker.complete(graph, 0, tracker.pit.as<dag::Tasks>()->grant()->token()), SYMPHONY_OK);
  EXPECT_EQ(tracker.pit.request_size(), 32U);
  EXPECT_EQ(tracker.pit.size(), 24U);
}

TEST_F(DagTracker, AnswersACycleWithItsPath) {
  ASSERT_EQ(tracker.create(), SYMPHONY_OK);
  const std::uint32_t graph = tracker.pit.as<dag::GraphInfo>()->graph();
  ASSERT_EQ(tracker.add_tasks(graph, 5), SYMPHONY_OK);
  ASSERT_EQ(tracker.add_edges(graph, {0, 1, 2, 3}, {1, 2, 3, 1}), SYMPHONY_OK);
  ASSERT_EQ(tracker.seal(graph), SYMPHONY_OK);
  const auto* rejected = tracker.pit.as<dag::CycleRejected>();
  ASSERT_NE(rejected, nullptr);
  EXPECT_THAT(list(rejected->path()), ElementsAre(1, 2, 3));
  EXPECT_EQ(rejected->length(), 3U);
  expect_refused(tracker.claim(graph, 1, 1), dag::Refusal::NOT_SEALED, "Seal");
}

TEST_F(DagTracker, ShowsTheBeginningOfACycleThatIsTooLongForAReply) {
  constexpr std::uint32_t tasks = 20'000;
  ASSERT_EQ(tracker.create(), SYMPHONY_OK);
  const std::uint32_t graph = tracker.pit.as<dag::GraphInfo>()->graph();
  std::vector<std::uint32_t> before(tasks);
  std::vector<std::uint32_t> after(tasks);
  for (std::uint32_t t = 0; t < tasks; ++t) {
    before[t] = t;
    after[t] = (t + 1) % tasks;
  }
  ASSERT_EQ(tracker.add_tasks(graph, tasks), SYMPHONY_OK);
  ASSERT_EQ(tracker.add_edges(graph, before, after), SYMPHONY_OK);
  ASSERT_EQ(tracker.seal(graph), SYMPHONY_OK);
  const auto* rejected = tracker.pit.as<dag::CycleRejected>();
  ASSERT_NE(rejected, nullptr);
  EXPECT_EQ(rejected->length(), tasks);
  ASSERT_EQ(rejected->path()->size(), 4096U);
  EXPECT_EQ(rejected->path()->Get(4095), 4095U);
}

TEST_F(DagTracker, GivesAtMostItsNamedMaximumInOneClaim) {
  ASSERT_EQ(tracker.create(), SYMPHONY_OK);
  const std::uint32_t graph = tracker.pit.as<dag::GraphInfo>()->graph();
  ASSERT_EQ(tracker.add_tasks(graph, 5000), SYMPHONY_OK);
  ASSERT_EQ(tracker.seal(graph), SYMPHONY_OK);
  ASSERT_EQ(tracker.claim(graph, 1, 0xFFFFFFFF), SYMPHONY_OK);
  EXPECT_EQ(tracker.pit.as<dag::Tasks>()->more()->size(), 4095U);
  ASSERT_EQ(tracker.claim(graph, 1, 0), SYMPHONY_OK);
  EXPECT_EQ(tracker.pit.as<dag::Tasks>()->grant()->token(), 0U);
  EXPECT_EQ(tracker.pit.as<dag::Tasks>()->grant()->unfinished(), 5000U);
  ASSERT_EQ(tracker.claim(graph, 1, 904), SYMPHONY_OK);
  EXPECT_EQ(tracker.pit.as<dag::Tasks>()->more()->size(), 903U);
}

TEST_F(DagTracker, RefusesARequestForAGraphThatIsNotThereAndSaysWhatToDo) {
  constexpr auto refusal = dag::Refusal::NO_SUCH_GRAPH;
  expect_refused(tracker.add_tasks(9, 1), refusal, "the number 9; make one with CreateGraph");
  expect_refused(tracker.add_edges(9, {0}, {0}), refusal, "CreateGraph");
  expect_refused(tracker.seal(9), refusal, "CreateGraph");
  expect_refused(tracker.claim(9, 1, 1), refusal, "CreateGraph");
  expect_refused(tracker.complete(9, 1, 1), refusal, "CreateGraph");
  expect_refused(tracker.release(9, 1), refusal, "CreateGraph");
  expect_refused(tracker.status(9), refusal, "CreateGraph");
  expect_refused(tracker.ask_export(9, 0, 0, false, false), refusal, "CreateGraph");
  expect_refused(tracker.drop(9), refusal, "dropped before");
  expect_refused(tracker.find("nine"), refusal, "CreateGraph");
  expect_refused(tracker.find(nullptr), refusal, "CreateGraph");
}

TEST_F(DagTracker, RefusesWhatTheGraphsStateDoesNotAllow) {
  ASSERT_EQ(tracker.create("open"), SYMPHONY_OK);
  const std::uint32_t open = tracker.pit.as<dag::GraphInfo>()->graph();
  expect_refused(tracker.claim(open, 1, 1), dag::Refusal::NOT_SEALED, "Seal");
  expect_refused(tracker.complete(open, 0, 1), dag::Refusal::NOT_SEALED, "Seal");
  expect_refused(tracker.release(open, 1), dag::Refusal::NOT_SEALED, "Seal");
  const std::uint32_t closed = chain(2);
  expect_refused(tracker.add_tasks(closed, 1), dag::Refusal::ALREADY_SEALED, "CreateGraph");
  expect_refused(tracker.add_edges(closed, {0}, {1}), dag::Refusal::ALREADY_SEALED, "CreateGraph");
  expect_refused(tracker.seal(closed), dag::Refusal::ALREADY_SEALED, "CreateGraph");
}

TEST_F(DagTracker, RefusesArgumentsThatContradictEachOther) {
  constexpr auto refusal = dag::Refusal::BAD_ARGUMENT;
  ASSERT_EQ(tracker.create("g"), SYMPHONY_OK);
  const std::uint32_t graph = tracker.pit.as<dag::GraphInfo>()->graph();
  const std::vector<std::uint32_t> one{1};
  expect_refused(tracker.add_named(graph, {"a", "b"}, &one), refusal, "one of each");
  expect_refused(tracker.add_named(graph, {"a", "b"}, nullptr, 3), refusal, "one of each");
  expect_refused(tracker.add_edges(graph, {0, 0}, {0}), refusal, "one of each");
  expect_refused(tracker.create("h", ~std::uint64_t{0}), refusal, "2^63");
  expect_refused(tracker.create("g"), dag::Refusal::NAME_TAKEN, "FindGraph");
  ASSERT_EQ(tracker.status(graph), SYMPHONY_OK);
  EXPECT_EQ(tracker.pit.as<dag::StatusReply>()->waiting(), 0U);
}

TEST_F(DagTracker, NamesTheEdgeThatGoesToAnUnknownTask) {
  ASSERT_EQ(tracker.create(), SYMPHONY_OK);
  const std::uint32_t graph = tracker.pit.as<dag::GraphInfo>()->graph();
  ASSERT_EQ(tracker.add_tasks(graph, 2), SYMPHONY_OK);
  expect_refused(tracker.add_edges(graph, {0, 0}, {1, 7}), dag::Refusal::NO_SUCH_TASK,
                 "edge 1 of this batch goes from task 0 to 7, but the graph has 2 tasks; send AddTasks first");
}

TEST_F(DagTracker, RefusesStaleCompletionsAndUnknownTasks) {
  const std::uint32_t graph = chain(2);
  ASSERT_EQ(tracker.claim(graph, 1, 1), SYMPHONY_OK);
  const std::uint64_t stale = tracker.pit.as<dag::Tasks>()->grant()->token();
  ASSERT_EQ(tracker.release(graph, 1), SYMPHONY_OK);
  EXPECT_EQ(tracker.pit.as<dag::Released>()->count(), 1U);
  expect_refused(tracker.complete(graph, 0, stale), dag::Refusal::STALE_ATTEMPT, "drop the result");
  expect_refused(tracker.complete(graph, 2, stale), dag::Refusal::NO_SUCH_TASK, "Claim");
}

TEST_F(DagTracker, RefusesTheSixtyFifthGraphUntilOneIsDropped) {
  for (int i = 0; i < 64; ++i) ASSERT_EQ(tracker.create(), SYMPHONY_OK);
  const std::uint32_t last = tracker.pit.as<dag::GraphInfo>()->graph();
  expect_refused(tracker.create(), dag::Refusal::LIMIT, "DropGraph");
  ASSERT_EQ(tracker.drop(last), SYMPHONY_OK);
  ASSERT_EQ(tracker.create(), SYMPHONY_OK);
  EXPECT_EQ(tracker.pit.as<dag::GraphInfo>()->graph(), last + 1);
}

TEST_F(DagTracker, FindsAGraphByNameInWhateverStateItIs) {
  ASSERT_EQ(tracker.create("archive"), SYMPHONY_OK);
  const std::uint32_t graph = tracker.pit.as<dag::GraphInfo>()->graph();
  ASSERT_EQ(tracker.add_tasks(graph, 4), SYMPHONY_OK);
  EXPECT_EQ(tracker.pit.as<dag::Added>()->count(), 4U);
  ASSERT_EQ(tracker.seal(graph), SYMPHONY_OK);
  ASSERT_EQ(tracker.find("archive"), SYMPHONY_OK);
  EXPECT_EQ(tracker.pit.as<dag::GraphInfo>()->graph(), graph);
  EXPECT_EQ(tracker.pit.as<dag::GraphInfo>()->tasks(), 4U);
  EXPECT_TRUE(tracker.pit.as<dag::GraphInfo>()->sealed());
}

TEST_F(DagTracker, AnswersEachBatchWithWhereItBegan) {
  ASSERT_EQ(tracker.create(), SYMPHONY_OK);
  const std::uint32_t graph = tracker.pit.as<dag::GraphInfo>()->graph();
  ASSERT_EQ(tracker.add_named(graph, {"a", "b", "c"}), SYMPHONY_OK);
  EXPECT_EQ(tracker.pit.as<dag::Added>()->first(), 0U);
  ASSERT_EQ(tracker.add_tasks(graph, 2), SYMPHONY_OK);
  EXPECT_EQ(tracker.pit.as<dag::Added>()->first(), 3U);
  EXPECT_EQ(tracker.pit.as<dag::Added>()->count(), 2U);
  ASSERT_EQ(tracker.add_edges(graph, {0, 1}, {2, 2}), SYMPHONY_OK);
  EXPECT_EQ(tracker.pit.as<dag::Added>()->count(), 2U);
  ASSERT_EQ(tracker.add_edges(graph, {0}, {4}), SYMPHONY_OK);
  EXPECT_EQ(tracker.pit.as<dag::Added>()->first(), 2U);
}

TEST_F(DagTracker, CountsTasksInEachState) {
  const std::uint32_t graph = chain(4);
  ASSERT_EQ(tracker.claim(graph, 1, 1), SYMPHONY_OK);
  ASSERT_EQ(tracker.complete(graph, 0, tracker.pit.as<dag::Tasks>()->grant()->token()), SYMPHONY_OK);
  ASSERT_EQ(tracker.status(graph), SYMPHONY_OK);
  const auto* status = tracker.pit.as<dag::StatusReply>();
  ASSERT_NE(status, nullptr);
  EXPECT_EQ(status->waiting(), 2U);
  EXPECT_EQ(status->ready(), 1U);
  EXPECT_EQ(status->running(), 0U);
  EXPECT_EQ(status->succeeded(), 1U);
  EXPECT_EQ(status->edges(), 3U);
  EXPECT_TRUE(status->sealed());
  EXPECT_EQ(status->transitions(), 4U);
}

TEST_F(DagTracker, ExportsTasksByNumberWithNamesAndAttemptsOnRequest) {
  const std::uint32_t graph = chain(2);
  ASSERT_EQ(tracker.claim(graph, 1, 1), SYMPHONY_OK);
  ASSERT_EQ(tracker.complete(graph, 0, tracker.pit.as<dag::Tasks>()->grant()->token()), SYMPHONY_OK);
  EXPECT_EQ(exported(graph), "0 30 1 step-0\n1 10 0 step-1\n");
  EXPECT_EQ(exported(graph, 0, false, false), "0 30\n1 10\n");
  ASSERT_EQ(tracker.ask_export(graph, 0, 0, false, false), SYMPHONY_OK);
  EXPECT_EQ(tracker.pit.as<dag::Exported>()->names(), nullptr);
  EXPECT_EQ(tracker.pit.as<dag::Exported>()->attempts(), nullptr);
}

TEST_F(DagTracker, ExportsTheSameInChunksOfAnySize) {
  const std::uint32_t graph = chain(30);
  const std::string whole = exported(graph);
  for (const std::uint32_t max : {1U, 2U, 7U, 29U, 30U, 31U}) EXPECT_EQ(exported(graph, max), whole) << max;
}

TEST_F(DagTracker, ExportsBehindTheLastTaskAreEmpty) {
  const std::uint32_t graph = chain(3);
  for (const std::uint32_t first : {3U, 4U, 0xFFFFFFFFU}) {
    ASSERT_EQ(tracker.ask_export(graph, first, 5, true, true), SYMPHONY_OK);
    EXPECT_EQ(tracker.pit.as<dag::Exported>()->next(), 3U);
    EXPECT_EQ(tracker.pit.as<dag::Exported>()->states()->size(), 0U);
  }
}

TEST_F(DagTracker, KeepsEveryExportWithinOneReplyWhateverTheNames) {
  tracker::testing::Rng rng(run_seed());
  for (const std::uint32_t name_size_max : {1U, 2U, 17U, 256U}) {
    ASSERT_EQ(tracker.create(), SYMPHONY_OK);
    const std::uint32_t graph = tracker.pit.as<dag::GraphInfo>()->graph();
    std::vector<std::string> names(20'000);
    for (std::string& name : names) name.assign(tracker::testing::below(rng, name_size_max), 'x');
    ASSERT_EQ(tracker.add_named(graph, names), SYMPHONY_OK);
    for (const bool attempts : {false, true}) {
      const std::string all = exported(graph, 0, true, attempts);
      EXPECT_EQ(static_cast<std::size_t>(std::count(all.begin(), all.end(), '\n')), names.size());
    }
    ASSERT_EQ(tracker.ask_export(graph, 0, 0, false, false), SYMPHONY_OK);
    EXPECT_EQ(tracker.pit.as<dag::Exported>()->next(), 20'000U);
    ASSERT_EQ(tracker.drop(graph), SYMPHONY_OK);
    EXPECT_EQ(tracker.pit.as<dag::Dropped>()->tasks(), 20'000U);
  }
}

// Workers in different numbers and orders, one of them lost on the way: what is exported at the end is the same.
TEST_F(DagTracker, ExportsTheSameFinalStateHoweverItWasReached) {
  tracker::testing::Rng rng(run_seed());
  std::string expected;
  for (int run = 0; run < 20; ++run) {
    const std::uint32_t graph = chain(12);
    std::vector<std::pair<std::uint32_t, std::uint64_t>> held;
    for (bool lost = false;;) {
      ASSERT_EQ(tracker.claim(graph, 1 + tracker::testing::below(rng, 4), 1 + tracker::testing::below(rng, 3)), 0);
      const auto* tasks = tracker.pit.as<dag::Tasks>();
      if (tasks->grant()->unfinished() == 0) break;
      if (tasks->grant()->token() != 0) held.emplace_back(tasks->grant()->task(), tasks->grant()->token());
      if (run % 2 == 1 && !lost && tasks->grant()->unfinished() < 6) {
        lost = true;
        for (std::uint32_t worker = 1; worker < 5; ++worker) ASSERT_EQ(tracker.release(graph, worker), SYMPHONY_OK);
        held.clear();
      }
      while (!held.empty()) {
        ASSERT_EQ(tracker.complete(graph, held.back().first, held.back().second), SYMPHONY_OK);
        held.pop_back();
      }
    }
    const std::string end = exported(graph, 0, true, false);
    if (run == 0) expected = end;
    EXPECT_EQ(end, expected);
    ASSERT_EQ(tracker.drop(graph), SYMPHONY_OK);
  }
}

TEST_F(DagTracker, RestoredFromASnapshotAnswersAsBefore) {
  const std::uint32_t graph = chain(5);
  ASSERT_EQ(tracker.claim(graph, 1, 1), SYMPHONY_OK);
  const std::uint64_t token = tracker.pit.as<dag::Tasks>()->grant()->token();
  std::vector<std::uint8_t> bytes;
  ASSERT_EQ(tracker.pit.snapshot(bytes), SYMPHONY_OK);

  TrackerClient other;
  ASSERT_EQ(other.pit.restore(bytes), SYMPHONY_OK) << other.pit.text();
  std::vector<std::uint8_t> again;
  ASSERT_EQ(other.pit.snapshot(again), SYMPHONY_OK);
  EXPECT_EQ(again, bytes);
  ASSERT_TRUE(other.pit.start());
  EXPECT_EQ(other.complete(graph, 0, token), SYMPHONY_OK);
  ASSERT_EQ(other.claim(graph, 2, 1), SYMPHONY_OK);
  EXPECT_EQ(other.pit.as<dag::Tasks>()->grant()->task(), 1U);
  EXPECT_EQ(other.pit.as<dag::Tasks>()->grant()->token(), token + 1);
}

TEST_F(DagTracker, RefusesToRestoreWhatIsNotASnapshotAndKeepsItsState) {
  const std::uint32_t graph = chain(3);
  std::vector<std::uint8_t> bytes;
  ASSERT_EQ(tracker.pit.snapshot(bytes), SYMPHONY_OK);
  TrackerClient other;
  ASSERT_EQ(other.pit.restore(bytes), SYMPHONY_OK);
  EXPECT_EQ(other.pit.restore({}), SYMPHONY_BAD_MESSAGE);
  EXPECT_THAT(other.pit.text(), HasSubstr("no whole DagTracker snapshot"));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const std::vector<std::uint8_t> cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_EQ(other.pit.restore(cut), SYMPHONY_BAD_MESSAGE) << size;
  }
  std::vector<std::uint8_t> longer = bytes;
  longer.push_back(0);
  EXPECT_EQ(other.pit.restore(longer), SYMPHONY_BAD_MESSAGE);
  const std::vector<std::uint8_t> half(bytes.begin(), bytes.begin() + 40);
  EXPECT_EQ(other.pit.restore(half, 7, SYMPHONY_CRASHED), SYMPHONY_CRASHED) << "the host's own failure is passed on";
  std::vector<std::uint8_t> kept;
  ASSERT_EQ(other.pit.snapshot(kept), SYMPHONY_OK);
  EXPECT_EQ(kept, bytes);
  ASSERT_TRUE(other.pit.start());
  EXPECT_EQ(other.status(graph), SYMPHONY_OK);
}

// Every prefix, and many random changes, of a request of each type: an ending comes, and nothing is read out of bounds.
TEST_F(DagTracker, SurvivesDamagedRequestsOfEveryType) {
  const std::uint32_t graph = chain(4);
  ASSERT_EQ(tracker.create("open"), SYMPHONY_OK);
  const std::uint32_t open = tracker.pit.as<dag::GraphInfo>()->graph();
  std::vector<std::pair<std::uint32_t, std::vector<std::uint8_t>>> requests;
  const auto keep = [&](const char* type, std::int32_t status) {
    EXPECT_EQ(status, SYMPHONY_OK) << type;
    const auto bytes = tracker.pit.request();
    requests.emplace_back(message_type(type), std::vector<std::uint8_t>(bytes.begin(), bytes.end()));
  };
  const std::vector<std::uint32_t> weights{1, 2};
  keep("symphony.dag.CreateGraph", tracker.create("another"));
  keep("symphony.dag.FindGraph", tracker.find("another"));
  keep("symphony.dag.AddTasks", tracker.add_named(open, {"a", "bb"}, &weights));
  keep("symphony.dag.AddEdges", tracker.add_edges(open, {0, 0}, {1, 1}));
  keep("symphony.dag.Claim", tracker.claim(graph, 1, 1));
  keep("symphony.dag.Complete", tracker.complete(graph, 0, tracker.pit.as<dag::Tasks>()->grant()->token()));
  keep("symphony.dag.Release", tracker.release(graph, 1));
  keep("symphony.dag.Status", tracker.status(graph));
  keep("symphony.dag.Export", tracker.ask_export(graph, 0, 9, true, true));
  keep("symphony.dag.Seal", tracker.seal(open));
  keep("symphony.dag.DropGraph", tracker.drop(open));

  tracker::testing::Rng rng(run_seed());
  for (const auto& [type, good] : requests) {
    for (std::size_t size = 0; size < good.size(); ++size) {
      const std::vector<std::uint8_t> cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
      const std::int32_t status = tracker.pit.send_bytes(type, cut.data(), cut.size());
      const bool padding_only = size + 4 > good.size();  // a last string may end in zeros that nothing refers to
      EXPECT_TRUE(status == SYMPHONY_BAD_MESSAGE || (padding_only && status >= 0)) << type << " cut at " << size;
    }
    for (int round = 0; round < 3000; ++round) {
      std::vector<std::uint8_t> bytes = good;
      for (std::uint32_t n = 1 + tracker::testing::below(rng, 3); n > 0; --n) {
        bytes[tracker::testing::below(rng, static_cast<std::uint32_t>(bytes.size()))] =
            static_cast<std::uint8_t>(rng());
      }
      const std::int32_t status = tracker.pit.send_bytes(type, bytes.data(), bytes.size());
      EXPECT_TRUE(status == SYMPHONY_OK || status == SYMPHONY_BAD_MESSAGE || status > 0) << type << ": " << status;
      EXPECT_EQ(status == SYMPHONY_OK, tracker.pit.size() > 0);
    }
  }
  for (std::uint32_t number = 1; number < 200; ++number) (void)tracker.drop(number);
  const std::uint32_t after = chain(3);
  EXPECT_EQ(exported(after, 0, false, false), "0 10\n1 0\n2 0\n") << "the pit still works";
}

TEST(DagTrackerNote, ListsEveryRequestOnceWithItsEffect) {
  const symphony_note& note = *symphony_pit_dag_tracker()->note;
  EXPECT_STREQ(note.name, "dag_tracker");
  EXPECT_EQ(note.reply_size_max, 65'536U);
  ASSERT_EQ(note.message_count, 23U);
  const auto effect = [&note](const char* type) {
    for (std::uint32_t i = 0; i < note.message_count; ++i) {
      if (note.messages[i].type == message_type(type)) return static_cast<int>(note.messages[i].effect);
    }
    return -1;
  };
  EXPECT_EQ(effect("symphony.dag.CreateGraph"), SYMPHONY_EFFECT_ONCE);
  EXPECT_EQ(effect("symphony.dag.FindGraph"), SYMPHONY_EFFECT_READ);
  EXPECT_EQ(effect("symphony.dag.AddTasks"), SYMPHONY_EFFECT_ONCE);
  EXPECT_EQ(effect("symphony.dag.AddEdges"), SYMPHONY_EFFECT_IDEMPOTENT);
  EXPECT_EQ(effect("symphony.dag.Seal"), SYMPHONY_EFFECT_IDEMPOTENT);
  EXPECT_EQ(effect("symphony.dag.Claim"), SYMPHONY_EFFECT_ONCE);
  EXPECT_EQ(effect("symphony.dag.Complete"), SYMPHONY_EFFECT_IDEMPOTENT);
  EXPECT_EQ(effect("symphony.dag.Release"), SYMPHONY_EFFECT_IDEMPOTENT);
  EXPECT_EQ(effect("symphony.dag.Status"), SYMPHONY_EFFECT_READ);
  EXPECT_EQ(effect("symphony.dag.Export"), SYMPHONY_EFFECT_READ);
  EXPECT_EQ(effect("symphony.dag.DropGraph"), SYMPHONY_EFFECT_IDEMPOTENT);
  EXPECT_EQ(effect("symphony.dag.AddDynamic"), SYMPHONY_EFFECT_ONCE);
  EXPECT_EQ(effect("symphony.dag.Retry"), SYMPHONY_EFFECT_ONCE);
  for (const char* type : {"Fail", "Skip", "Cancel", "Pause", "Resume"}) {
    EXPECT_EQ(effect((std::string("symphony.dag.") + type).c_str()), SYMPHONY_EFFECT_IDEMPOTENT) << type;
  }
  for (const char* type : {"Heartbeat", "Progress", "CriticalPath", "Explain", "ExportText"}) {
    EXPECT_EQ(effect((std::string("symphony.dag.") + type).c_str()), SYMPHONY_EFFECT_READ) << type;
  }
}

}  // namespace
}  // namespace symphony::pit::testing
