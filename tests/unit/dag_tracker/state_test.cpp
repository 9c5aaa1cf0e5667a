// Saved state: what is loaded goes on exactly as what was saved, and bytes that are no state are refused whole.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pits/dag_tracker/graphs.hpp"
#include "tests/unit/dag_tracker/random_graph.hpp"
#include "tests/unit/dag_tracker/saved_state.hpp"

namespace symphony::pit::tracker {
namespace {

using testing::Bytes;
using testing::load;
using testing::save;

NamedGraph& make(Graphs& graphs, std::string_view name = {}, std::uint64_t fence = 0) {
  NamedGraph* made = nullptr;
  EXPECT_TRUE(graphs.create(name, fence, &made).ok());
  return *made;
}

void fill(testing::Rng& rng, NamedGraph& at, std::uint32_t tasks, bool names, bool weights) {
  std::vector<std::string> texts;
  std::vector<std::uint32_t> heavy;
  for (std::uint32_t t = 0; t < tasks; ++t) {
    texts.push_back("task-" + std::to_string(t));
    heavy.push_back(2 + testing::below(rng, 5));
  }
  std::vector<std::string_view> views;
  if (names) views.assign(texts.begin(), texts.end());
  if (!weights) heavy.clear();
  const testing::Edges edges = testing::random_acyclic(rng, tasks, 2 * tasks);
  std::size_t bad = 0;
  ASSERT_TRUE(at.graph.add_tasks(tasks, views, heavy, Limits{}).ok());
  ASSERT_TRUE(at.graph.add_edges(edges.before, edges.after, Limits{}, &bad).ok());
}

void seal(NamedGraph& at) {
  std::vector<std::uint32_t> cycle;
  ASSERT_TRUE(at.graph.seal(Limits{}, &cycle).ok());
  ASSERT_TRUE(cycle.empty());
}

// One step of a run that depends on nothing but the state and the step's number: claim, release or complete.
void step(Graph& graph, std::uint32_t number) {
  std::vector<std::uint32_t> given(1 + number % 2);
  std::uint64_t token = 0;
  given.resize(graph.claim(number % 3, given, &token));
  if (number % 7 == 5) (void)graph.release(number % 3);
  std::uint32_t newly_ready = 0;
  for (std::size_t i = 0; i < given.size(); ++i) {
    if ((number + i) % 3 != 0) (void)graph.complete(given[i], token + i, &newly_ready);
  }
  if (number % 5 == 4) {
    for (std::uint32_t worker = 0; worker < 3; ++worker) (void)graph.release(worker);
  }
}

// One graph in each situation: being made, running, finished, dropped before.
Graphs busy(testing::Rng& rng) {
  Graphs graphs;
  std::uint32_t dropped = 0;
  fill(rng, make(graphs, "being made"), 9, true, true);
  fill(rng, make(graphs), 5, false, false);
  EXPECT_TRUE(graphs.drop(make(graphs).number, &dropped).ok());
  NamedGraph& running = make(graphs, "running", 1000);
  fill(rng, running, 14, true, false);
  seal(running);
  for (std::uint32_t s = 1; s < 5; ++s) step(running.graph, s);
  std::uint32_t task = 0;
  std::uint64_t token = 0;
  if (running.graph.counts().running == 0) (void)running.graph.claim(9, std::span(&task, 1), &token);
  EXPECT_GT(running.graph.counts().running, 0U);
  NamedGraph& finished = make(graphs, "finished");
  fill(rng, finished, 6, false, true);
  seal(finished);
  for (std::uint32_t s = 0; finished.graph.counts().unfinished() != 0; ++s) step(finished.graph, s);
  return graphs;
}

TEST(SavedState, OfNothingLoadsAsNothing) {
  Graphs graphs;
  EXPECT_TRUE(load(graphs, save(Graphs())));
  EXPECT_EQ(graphs.size(), 0U);
}

TEST(SavedState, SavedAgainAfterLoadingIsTheSameBytes) {
  testing::Rng rng(testing::run_seed());
  for (int round = 0; round < 50; ++round) {
    const Graphs graphs = busy(rng);
    const Bytes bytes = save(graphs);
    ASSERT_FALSE(bytes.empty());
    Graphs again;
    ASSERT_TRUE(load(again, bytes));
    ASSERT_EQ(save(again), bytes);
  }
}

TEST(SavedState, DoesNotDependOnTheSizeOfThePiecesItIsReadIn) {
  testing::Rng rng(testing::run_seed());
  const Bytes bytes = save(busy(rng));
  for (const std::size_t piece : {1U, 2U, 3U, 5U, 7U, 64U, 1000U}) {
    Graphs again;
    ASSERT_TRUE(load(again, bytes, piece)) << piece;
    ASSERT_EQ(save(again), bytes) << piece;
  }
}

TEST(SavedState, OfEqualGraphsMadeInDifferentBatchesIsEqualOnceSealed) {
  const std::vector<std::uint32_t> before{0, 1, 0, 2};
  const std::vector<std::uint32_t> after{1, 3, 2, 3};
  Graphs forward;
  Graphs backward;
  NamedGraph& a = make(forward, "g");
  NamedGraph& b = make(backward, "g");
  const std::vector<std::uint32_t> ones(3, 1);
  std::size_t bad = 0;
  ASSERT_TRUE(a.graph.add_tasks(4, {}, {}, Limits{}).ok());
  ASSERT_TRUE(a.graph.add_edges(before, after, Limits{}, &bad).ok());
  ASSERT_TRUE(b.graph.add_tasks(1, {}, {}, Limits{}).ok());
  ASSERT_TRUE(b.graph.add_tasks(3, {}, ones, Limits{}).ok());
  for (std::size_t e = before.size(); e-- > 0;) {
    for (int twice = 0; twice < 2; ++twice) {
      ASSERT_TRUE(b.graph.add_edges(std::span(&before[e], 1), std::span(&after[e], 1), Limits{}, &bad).ok());
    }
  }
  seal(a);
  seal(b);
  EXPECT_EQ(save(forward), save(backward));
}

TEST(SavedState, OfAReleasedTaskDoesNotRememberWhoHeldIt) {
  Graphs one;
  Graphs two;
  for (auto& [graphs, worker] : {std::pair<Graphs&, std::uint32_t>{one, 1}, {two, 2}}) {
    NamedGraph& at = make(graphs);
    ASSERT_TRUE(at.graph.add_tasks(1, {}, {}, Limits{}).ok());
    seal(at);
    std::uint32_t task = 0;
    std::uint64_t token = 0;
    ASSERT_EQ(at.graph.claim(worker, std::span(&task, 1), &token), 1U);
    ASSERT_EQ(at.graph.release(worker), 1U);
  }
  EXPECT_EQ(save(one), save(two));
}

// The same steps after saving and loading at every point of a run lead to the same bytes at every later point.
TEST(SavedState, LoadedAtAnyPointOfARunHasTheSameFuture) {
  testing::Rng rng(testing::run_seed());
  for (std::uint64_t round = 0; round < testing::samples(20); ++round) {
    SCOPED_TRACE("SYMPHONY_SEED " + std::to_string(testing::run_seed()) + ", round " + std::to_string(round));
    Graphs graphs;
    NamedGraph& at = make(graphs, "run");
    fill(rng, at, 20, rng() % 2 == 0, rng() % 2 == 0);
    seal(at);
    std::vector<Bytes> history{save(graphs)};
    for (std::uint32_t s = 0; at.graph.counts().unfinished() != 0; ++s) {
      step(at.graph, s);
      history.push_back(save(graphs));
      ASSERT_LT(history.size(), 1000U);
    }
    for (std::size_t from = 0; from < history.size(); ++from) {
      Graphs again;
      ASSERT_TRUE(load(again, history[from]));
      for (std::size_t s = from; s + 1 < history.size(); ++s) {
        step(again.find(1U)->graph, static_cast<std::uint32_t>(s));
        ASSERT_EQ(save(again), history[s + 1]) << "loaded at " << from << ", differs after step " << s;
      }
    }
  }
}

TEST(SavedState, NeverUsesTheNumberOfADroppedGraphAgain) {
  Graphs graphs;
  make(graphs);
  const std::uint32_t last = make(graphs).number;
  std::uint32_t tasks = 0;
  ASSERT_TRUE(graphs.drop(last, &tasks).ok());
  Graphs again;
  ASSERT_TRUE(load(again, save(graphs)));
  EXPECT_EQ(make(again).number, last + 1);
}

TEST(SavedState, RefusesATokenFromBeforeItWasSaved) {
  Graphs graphs;
  NamedGraph& at = make(graphs);
  ASSERT_TRUE(at.graph.add_tasks(1, {}, {}, Limits{}).ok());
  seal(at);
  std::uint32_t task = 0;
  std::uint64_t stale = 0;
  ASSERT_EQ(at.graph.claim(1, std::span(&task, 1), &stale), 1U);
  ASSERT_EQ(at.graph.release(1), 1U);
  Graphs again;
  ASSERT_TRUE(load(again, save(graphs)));
  Graph& graph = again.find(1U)->graph;
  std::uint64_t fresh = 0;
  std::uint32_t newly_ready = 0;
  ASSERT_EQ(graph.claim(2, std::span(&task, 1), &fresh), 1U);
  EXPECT_GT(fresh, stale);
  EXPECT_EQ(graph.complete(0, stale, &newly_ready).refusal, Refusal::stale_attempt);
}

void sum_anew(Bytes& bytes) {
  bytes.resize(bytes.size() - 8);
  parts::Checksum sum;
  sum.add(bytes);
  const std::uint64_t value = sum.value();
  const auto tail = std::as_bytes(std::span(&value, 1));
  bytes.insert(bytes.end(), tail.begin(), tail.end());
}

TEST(SavedState, WithStatesThatContradictTheEdgesIsRefused) {
  Graphs graphs;
  NamedGraph& at = make(graphs);
  const std::uint32_t before = 0;
  const std::uint32_t after = 1;
  std::size_t bad = 0;
  ASSERT_TRUE(at.graph.add_tasks(2, {}, {}, Limits{}).ok());
  ASSERT_TRUE(at.graph.add_edges(std::span(&before, 1), std::span(&after, 1), Limits{}, &bad).ok());
  seal(at);
  const Bytes good = save(graphs);
  // The end is: two states, two attempts of four bytes, the number of errors, the checksum.
  const std::size_t states = good.size() - 8 - 4 - 8 - 2;
  ASSERT_EQ(good[states], std::byte{10});
  ASSERT_EQ(good[states + 1], std::byte{0});
  for (const int first : {0, 10, 11, 20, 30}) {
    for (const int second : {0, 10, 11, 20, 30}) {
      Bytes bytes = good;
      bytes[states] = static_cast<std::byte>(first);
      bytes[states + 1] = static_cast<std::byte>(second);
      sum_anew(bytes);
      Graphs loaded;
      EXPECT_EQ(load(loaded, bytes), first == 10 && second == 0) << first << ' ' << second;
    }
  }
}

// For each damage: refused, and the state from before is still there.
class Damaged : public ::testing::Test {
 protected:
  void expect_refused(const Bytes& bytes, const char* what, std::size_t where) {
    ASSERT_FALSE(load(kept_, bytes)) << what << ' ' << where;
    ASSERT_EQ(save(kept_), before_) << what << ' ' << where;
  }
  testing::Rng rng_{testing::run_seed()};
  const Bytes good_ = save(busy(rng_));
  Graphs kept_ = busy(rng_);
  const Bytes before_ = save(kept_);
};

TEST_F(Damaged, CutAtAnyByteIsRefusedAndChangesNothing) {
  for (std::size_t size = 0; size < good_.size(); ++size) {
    expect_refused(Bytes(good_.begin(), good_.begin() + static_cast<std::ptrdiff_t>(size)), "cut at", size);
    if (HasFatalFailure()) return;
  }
}

TEST_F(Damaged, WithAnyBitFlippedIsRefusedAndChangesNothing) {
  for (std::size_t bit = 0; bit < 8 * good_.size(); bit += test_run::every()) {
    Bytes bytes = good_;
    bytes[bit / 8] ^= std::byte{1} << (bit % 8);
    expect_refused(bytes, "bit", bit);
    if (HasFatalFailure()) return;
  }
}

TEST_F(Damaged, FollowedByMoreBytesIsRefusedAndChangesNothing) {
  Bytes bytes = good_;
  bytes.push_back(std::byte{0});
  expect_refused(bytes, "size", bytes.size());
}

TEST_F(Damaged, OfRandomBytesIsRefusedAndChangesNothing) {
  for (std::uint64_t round = 0; round < testing::samples(2000); ++round) {
    Bytes bytes(testing::below(rng_, 400));
    for (std::byte& b : bytes) b = static_cast<std::byte>(rng_());
    // Half of them with a true beginning, so that what follows is looked at.
    if (round % 2 == 0) std::copy_n(good_.begin(), std::min<std::size_t>(20, bytes.size()), bytes.begin());
    expect_refused(bytes, "round", static_cast<std::size_t>(round));
    if (HasFatalFailure()) return;
  }
}

// A writer that means harm can compute the checksum: what is loaded must make sense by itself. Bytes are changed at
// random and summed anew; each is refused, or is a state that saves as the same bytes.
TEST_F(Damaged, WithARightChecksumIsRefusedOrASoundState) {
  std::size_t taken = 0;
  std::size_t refused = 0;
  for (std::size_t at = 0; at + 8 < good_.size(); ++at) {
    for (int change = 0; change < 3; ++change) {
      Bytes bytes = good_;
      bytes[at] = static_cast<std::byte>(rng_());
      sum_anew(bytes);
      Graphs loaded;
      if (!load(loaded, bytes)) {
        ++refused;
        continue;
      }
      ++taken;
      ASSERT_EQ(save(loaded), bytes) << "byte " << at;
    }
  }
  EXPECT_GT(taken, 0U);
  EXPECT_GT(refused, 0U);
}

TEST_F(Damaged, LargerThanTheLimitsIsRefused) {
  Limits exact;
  exact.graphs = 4;
  exact.tasks = 34;
  Graphs fits(exact);
  EXPECT_TRUE(load(fits, good_));
  for (int which = 0; which < 5; ++which) {
    Limits limits;
    if (which == 0) limits.graphs = 3;
    if (which == 1) limits.tasks = 33;
    if (which == 2) limits.edges = 20;
    if (which == 3) limits.name_bytes = 40;
    if (which == 4) limits.name_size = 5;
    Graphs graphs(limits);
    EXPECT_FALSE(load(graphs, good_)) << which;
    EXPECT_EQ(graphs.size(), 0U);
  }
}

// Written by the build before retries and rules: `a` done, `b` running as task 1 with token 104, a second graph being
// made.
constexpr std::string_view of_revision_1 =
    "537944616754726b01000000020000000200000001000000036f6c6407000000040000000400000069000000000000000a0000000000000001"
    "01"
    "010161626364010000000500000001000000020000000200000001000000010000000000000001000000020000000300000003000000"
    "1e140a000100000002000000010000000000000065000000000000006800000000000000070000000200000000000000000200000001000000"
    "01"
    "000000000000000000000000000000000000000100000009c663757ae6546c";

Bytes bytes_of(std::string_view hex) {
  Bytes out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    out.push_back(static_cast<std::byte>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return out;
}

TEST(SavedState, OfRevision1GoesOn) {
  Graphs graphs;
  ASSERT_TRUE(load(graphs, bytes_of(of_revision_1)));
  ASSERT_EQ(graphs.size(), 2U);
  Graph& graph = graphs.find("old")->graph;
  EXPECT_EQ(graph.state(0), TaskState::succeeded);
  EXPECT_EQ(graph.state(1), TaskState::running);
  EXPECT_EQ(graph.state(2), TaskState::ready);
  EXPECT_EQ(graph.attempt(1), 2U);
  std::uint32_t newly_ready = 0;
  EXPECT_EQ(graph.complete(1, 103, &newly_ready).refusal, Refusal::stale_attempt);
  EXPECT_TRUE(graph.complete(1, 104, &newly_ready).ok());
  Graphs again;
  EXPECT_TRUE(load(again, save(graphs))) << "and is saved as of today";
  EXPECT_EQ(save(again), save(graphs));
  EXPECT_FALSE(graphs.find(2U)->graph.sealed());
}

TEST(SavedState, OfARevisionThatIsNotKnownIsRefused) {
  Bytes bytes = bytes_of(of_revision_1);
  for (const int revision : {0, 3}) {
    bytes[8] = static_cast<std::byte>(revision);
    sum_anew(bytes);
    Graphs graphs;
    EXPECT_FALSE(load(graphs, bytes)) << revision;
  }
}

TEST(SavedState, SaysSoWhenItCannotBeWritten) {
  testing::Rng rng(testing::run_seed());
  const Graphs graphs = busy(rng);
  const std::size_t size = save(graphs).size();
  testing::VectorWriter full(size - 1);
  EXPECT_FALSE(graphs.save(full));
  testing::VectorWriter enough(size);
  EXPECT_TRUE(graphs.save(enough));
}

}  // namespace
}  // namespace symphony::pit::tracker
