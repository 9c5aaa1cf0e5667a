// Random graphs and random workers, step by step against a reference that recomputes everything from the rules.
// What could go wrong: a task handed out early, twice or never; a wrong order; counts that drift; a stale token taken.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "pits/dag_tracker/graph.hpp"
#include "tests/unit/dag_tracker/random_graph.hpp"

namespace symphony::pit::tracker {
namespace {

// The rules, said as plainly as possible: nothing is kept that can be computed.
class Reference {
 public:
  Reference(std::uint32_t tasks, const testing::Edges& edges, std::vector<std::uint32_t> weights)
      : tasks_(tasks), weights_(std::move(weights)) {
    for (std::size_t e = 0; e < edges.size(); ++e) edges_.insert({edges.before[e], edges.after[e]});
    for (std::uint32_t t = 0; t < tasks; ++t) critical_[t] = critical_weight(t);
  }

  TaskState state(std::uint32_t task) const {
    if (succeeded_.contains(task)) return TaskState::succeeded;
    if (running_.contains(task)) return TaskState::running;
    const bool waits = std::any_of(edges_.begin(), edges_.end(), [&](const auto& edge) {
      return edge.second == task && !succeeded_.contains(edge.first);
    });
    return waits ? TaskState::waiting : TaskState::ready;
  }

  std::vector<std::uint32_t> claim(std::uint32_t worker, std::uint32_t max) {
    std::vector<std::uint32_t> ready = in(TaskState::ready);
    std::stable_sort(ready.begin(), ready.end(),
                     [&](std::uint32_t a, std::uint32_t b) { return critical_.at(a) > critical_.at(b); });
    if (ready.size() > max) ready.resize(max);
    for (const std::uint32_t t : ready) {
      running_[t] = {worker, ++token_};
      ++attempts_[t];
    }
    return ready;
  }

  bool complete(std::uint32_t task, std::uint64_t token) {
    if (const auto done = succeeded_.find(task); done != succeeded_.end()) return done->second == token;
    const auto at = running_.find(task);
    if (at == running_.end() || at->second.second != token) return false;
    running_.erase(at);
    succeeded_[task] = token;
    return true;
  }

  std::uint32_t release(std::uint32_t worker) {
    return static_cast<std::uint32_t>(
        std::erase_if(running_, [worker](const auto& entry) { return entry.second.first == worker; }));
  }

  std::vector<std::uint32_t> in(TaskState wanted) const {
    std::vector<std::uint32_t> found;
    for (std::uint32_t t = 0; t < tasks_; ++t) {
      if (state(t) == wanted) found.push_back(t);
    }
    return found;
  }
  std::uint32_t attempts(std::uint32_t task) const {
    const auto at = attempts_.find(task);
    return at == attempts_.end() ? 0 : at->second;
  }
  std::uint64_t last_token() const { return token_; }
  const auto& running() const { return running_; }

 private:
  std::uint64_t critical_weight(std::uint32_t task) const {
    std::uint64_t heaviest = 0;
    for (const auto& [before, after] : edges_) {
      if (before != task) continue;
      const auto known = critical_.find(after);
      heaviest = std::max(heaviest, known != critical_.end() ? known->second : critical_weight(after));
    }
    return heaviest + weights_[task];
  }

  std::uint32_t tasks_;
  std::set<std::pair<std::uint32_t, std::uint32_t>> edges_;
  std::vector<std::uint32_t> weights_;
  std::map<std::uint32_t, std::uint64_t> critical_;
  std::map<std::uint32_t, std::pair<std::uint32_t, std::uint64_t>> running_;  // task -> worker, token
  std::map<std::uint32_t, std::uint64_t> succeeded_;
  std::map<std::uint32_t, std::uint32_t> attempts_;
  std::uint64_t token_ = 0;
};

void expect_equal(const Graph& graph, const Reference& reference) {
  for (std::uint32_t t = 0; t < graph.tasks(); ++t) {
    ASSERT_EQ(graph.state(t), reference.state(t)) << "task " << t;
    ASSERT_EQ(graph.attempt(t), reference.attempts(t)) << "task " << t;
  }
  const Counts& counts = graph.counts();
  ASSERT_EQ(counts.waiting, reference.in(TaskState::waiting).size());
  ASSERT_EQ(counts.ready, reference.in(TaskState::ready).size());
  ASSERT_EQ(counts.running, reference.in(TaskState::running).size());
  ASSERT_EQ(counts.succeeded, reference.in(TaskState::succeeded).size());
  ASSERT_EQ(counts.unfinished() + counts.succeeded, graph.tasks());
}

struct Pair {
  Graph graph;
  Reference reference;
};

Pair random_pair(testing::Rng& rng) {
  const std::uint32_t tasks = 1 + testing::below(rng, 16);
  const testing::Edges edges = testing::random_acyclic(rng, tasks, testing::below(rng, 3 * tasks));
  std::vector<std::uint32_t> weights(tasks, 1);
  if (rng() % 2 == 0) {
    for (std::uint32_t& w : weights) w = testing::below(rng, 5);
  }
  Pair pair{Graph(), Reference(tasks, edges, weights)};
  std::size_t bad = 0;
  std::vector<std::uint32_t> cycle;
  EXPECT_TRUE(pair.graph.add_tasks(tasks, {}, weights, Limits{}).ok());
  EXPECT_TRUE(pair.graph.add_edges(edges.before, edges.after, Limits{}, &bad).ok());
  EXPECT_TRUE(pair.graph.seal(Limits{}, &cycle).ok());
  EXPECT_TRUE(cycle.empty());
  return pair;
}

void random_claim(testing::Rng& rng, Pair& pair) {
  const std::uint32_t worker = testing::below(rng, 3);
  std::vector<std::uint32_t> given(testing::below(rng, 4));
  std::uint64_t token = 0;
  const std::uint64_t last = pair.reference.last_token();
  given.resize(pair.graph.claim(worker, given, &token));
  ASSERT_EQ(token, last + 1);
  ASSERT_EQ(given, pair.reference.claim(worker, static_cast<std::uint32_t>(given.size())));
  // Nothing was held back either.
  ASSERT_EQ(pair.reference.last_token(), last + given.size());
}

void random_complete(testing::Rng& rng, Pair& pair) {
  std::uint32_t task = testing::below(rng, pair.graph.tasks());
  std::uint64_t token = 1 + testing::below(rng, static_cast<std::uint32_t>(pair.reference.last_token()) + 2);
  if (rng() % 4 != 0 && !pair.reference.running().empty()) {  // mostly a completion that should be taken
    auto at = pair.reference.running().begin();
    std::advance(at, testing::below(rng, static_cast<std::uint32_t>(pair.reference.running().size())));
    task = at->first;
    token = at->second.second;
  }
  const std::size_t ready_before = pair.reference.in(TaskState::ready).size();
  std::uint32_t newly_ready = 0;
  const bool taken = pair.graph.complete(task, token, &newly_ready).ok();
  ASSERT_EQ(taken, pair.reference.complete(task, token)) << "task " << task << " token " << token;
  ASSERT_EQ(newly_ready, pair.reference.in(TaskState::ready).size() - ready_before);
}

TEST(DagTrackerModel, RandomRunsFollowTheRulesAtEveryStep) {
  testing::Rng rng(testing::run_seed());
  std::uint64_t finished = 0;
  const std::uint64_t rounds = testing::samples(3000);
  for (std::uint64_t round = 0; round < rounds; ++round) {
    SCOPED_TRACE("SYMPHONY_SEED " + std::to_string(testing::run_seed()) + ", round " + std::to_string(round));
    Pair pair = random_pair(rng);
    for (int step = 0; step < 300 && pair.graph.counts().unfinished() != 0; ++step) {
      const std::uint32_t choice = testing::below(rng, 20);
      if (choice < 9) {
        random_claim(rng, pair);
      } else if (choice < 19) {
        random_complete(rng, pair);
      } else {
        const std::uint32_t worker = testing::below(rng, 3);
        ASSERT_EQ(pair.graph.release(worker), pair.reference.release(worker));
      }
      expect_equal(pair.graph, pair.reference);
      if (HasFatalFailure()) return;
    }
    finished += pair.graph.counts().unfinished() == 0;
  }
  EXPECT_GT(finished, rounds * 9 / 10) << "most runs must reach the end, or they prove little";
}

TEST(DagTrackerModel, AskingForEverythingGivesEveryReadyTaskInOrder) {
  testing::Rng rng(testing::run_seed());
  for (int round = 0; round < 2000; ++round) {
    SCOPED_TRACE("SYMPHONY_SEED " + std::to_string(testing::run_seed()) + ", round " + std::to_string(round));
    Pair pair = random_pair(rng);
    std::set<std::uint32_t> seen;
    while (pair.graph.counts().unfinished() != 0) {
      std::vector<std::uint32_t> given(pair.graph.tasks());
      std::uint64_t token = 0;
      given.resize(pair.graph.claim(0, given, &token));
      ASSERT_EQ(given, pair.reference.claim(0, pair.graph.tasks()));
      ASSERT_FALSE(given.empty());
      for (std::size_t i = 0; i < given.size(); ++i) {
        ASSERT_TRUE(seen.insert(given[i]).second) << "task " << given[i] << " was handed out twice";
        std::uint32_t newly_ready = 0;
        ASSERT_TRUE(pair.graph.complete(given[i], token + i, &newly_ready).ok());
        ASSERT_TRUE(pair.reference.complete(given[i], token + i));
      }
    }
    ASSERT_EQ(seen.size(), pair.graph.tasks());
  }
}

}  // namespace
}  // namespace symphony::pit::tracker
