// The rules of a running graph, said as plainly as possible: nothing is kept that can be computed, everything is looked
// through anew.   Layer: tests.
//
// A task that has not begun is what its rule makes of the tasks before it; the first ending that decides stays. Tokens
// and the order of claims are foretold.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "dag_tracker_generated.h"

namespace symphony::pit::tracker::testing {

using State = dag::TaskState;
using dag::TriggerRule;

struct ModelTask {
  State state = State::WAITING;
  TriggerRule rule = TriggerRule::ALL_SUCCESS;
  std::uint32_t weight = 1, retries = 0, delay_ms = 0;
  std::uint32_t attempts = 0, failures = 0, losses = 0, worker = 0;
  std::uint64_t token = 0;  // of the latest attempt, while somebody may speak of it
  std::uint64_t due_ns = 0;
  std::uint64_t latest_ns = 0;  // since its rest went through a saved state: until then it may go on resting
  bool by_itself = false, cancel = false;
};

class TrackerModel {
 public:
  std::vector<ModelTask> tasks;
  std::set<std::pair<std::uint32_t, std::uint32_t>> edges;
  std::uint32_t failures_max = 0, losses_max = 0;
  bool paused = false;
  std::vector<State> seen;  // as the pit says
  std::uint64_t now_ns = 0, next_token = 1;

  static bool has_ended(State s) { return s >= State::SUCCEEDED; }
  static bool is_success(State s) { return s == State::SUCCEEDED || s == State::CACHED; }
  static bool is_failure(State s) { return s == State::FAILED || s == State::UPSTREAM_FAILED; }

  [[nodiscard]] std::uint32_t count(State state) const {
    return static_cast<std::uint32_t>(
        std::count_if(tasks.begin(), tasks.end(), [state](const ModelTask& t) { return t.state == state; }));
  }
  [[nodiscard]] std::uint32_t unfinished() const {
    return static_cast<std::uint32_t>(
        std::count_if(tasks.begin(), tasks.end(), [](const ModelTask& t) { return !has_ended(t.state); }));
  }
  [[nodiscard]] dag::Stop stop() const {
    if (failures_max != 0 && count(State::FAILED) >= failures_max) return dag::Stop::FAILURES;
    return paused ? dag::Stop::PAUSED : dag::Stop::NONE;
  }
  [[nodiscard]] std::vector<std::uint32_t> before(std::uint32_t task) const {
    std::vector<std::uint32_t> out;
    for (const auto& [b, a] : edges) {
      if (a == task) out.push_back(b);
    }
    return out;
  }
  [[nodiscard]] bool reaches(std::uint32_t from, std::uint32_t to) const {
    if (from == to) return true;
    return std::any_of(edges.begin(), edges.end(),
                       [&](const auto& edge) { return edge.first == from && reaches(edge.second, to); });
  }
  [[nodiscard]] std::uint64_t chain(std::uint32_t task) const {
    std::uint64_t heaviest = 0;
    for (const auto& [b, a] : edges) {
      if (b == task) heaviest = std::max(heaviest, chain(a));
    }
    return heaviest + tasks[task].weight;
  }

  // What a task that has not begun can be, the gravest first; more than one where several endings are before it.
  [[nodiscard]] std::vector<State> possible(std::uint32_t task) const {
    std::set<State> ahead;
    for (const std::uint32_t b : before(task)) ahead.insert(tasks[b].state);
    const auto any = [&](auto&& is) { return std::any_of(ahead.begin(), ahead.end(), is); };
    const bool is_open = any([](State s) { return !has_ended(s); });
    const State later = is_open ? State::WAITING : State::READY;
    switch (tasks[task].rule) {
      case TriggerRule::ALL_SUCCESS: {
        std::vector<State> out;
        if (any(is_failure)) out.push_back(State::UPSTREAM_FAILED);
        if (ahead.contains(State::CANCELLED)) out.push_back(State::CANCELLED);
        if (ahead.contains(State::SKIPPED)) out.push_back(State::SKIPPED);
        return out.empty() ? std::vector{later} : out;
      }
      case TriggerRule::NONE_FAILED:
        return {any(is_failure) ? State::UPSTREAM_FAILED : later};
      case TriggerRule::ONE_SUCCESS:
        if (any(is_success)) return {State::READY};
        return {is_open ? State::WAITING : ahead.empty() ? State::READY : State::UPSTREAM_FAILED};
      default:
        return {later};
    }
  }

  // After anything: what has not begun becomes what its rule says; what has begun without right to it waits again.
  // A task that has ended because of another one keeps its ending while that is possible. Of several that are possible
  // the one that `seen` says: which came first is not foretold.
  void settle() {
    for (const std::uint32_t t : order()) {
      ModelTask& task = tasks[t];
      if (task.by_itself && task.state == State::CANCELLED) continue;
      const std::vector<State> can = possible(t);
      const bool has_begun = task.state == State::READY || task.state == State::RUNNING ||
                             task.state == State::RETRY_WAIT || task.state == State::FAILED || is_success(task.state) ||
                             (task.state == State::SKIPPED && task.by_itself);
      if (has_begun ? can.front() == State::READY : std::count(can.begin(), can.end(), task.state) != 0) continue;
      const bool was_waiting = task.state == State::WAITING;
      task.state = t < seen.size() && std::count(can.begin(), can.end(), seen[t]) != 0 ? seen[t] : can.front();
      if (was_waiting) continue;
      task.token = 0;
      task.failures = task.losses = 0;
      task.by_itself = task.cancel = false;
    }
  }
  // Each behind those before it.
  [[nodiscard]] std::vector<std::uint32_t> order() const {
    std::vector<std::uint32_t> out;
    std::set<std::uint32_t> placed;
    while (out.size() < tasks.size()) {
      for (std::uint32_t t = 0; t < tasks.size(); ++t) {
        const auto all = before(t);
        if (placed.contains(t) || !std::all_of(all.begin(), all.end(), [&](auto b) { return placed.contains(b); })) {
          continue;
        }
        out.push_back(t);
        placed.insert(t);
      }
    }
    return out;
  }

  void at(std::uint64_t now) {
    now_ns = now;
    for (std::size_t t = 0; t < tasks.size(); ++t) {
      ModelTask& task = tasks[t];
      if (task.state != State::RETRY_WAIT || task.due_ns > now_ns) continue;
      const bool may_rest = task.latest_ns > now_ns && t < seen.size();
      if (!may_rest || seen[t] != State::RETRY_WAIT) task.state = State::READY;
    }
  }

  // The state goes through a snapshot, which knows the time of the last request that changed something: a rest is
  // never shorter for it, and at most begins anew.
  void save() {
    for (ModelTask& task : tasks) {
      if (task.state == State::RETRY_WAIT) task.latest_ns = now_ns + rest_ns(task);
    }
  }

  std::vector<std::uint32_t> claim(std::uint32_t worker, std::uint32_t max) {
    if (stop() != dag::Stop::NONE) return {};
    std::vector<std::uint32_t> ready;
    for (std::uint32_t t = 0; t < tasks.size(); ++t) {
      if (tasks[t].state == State::READY) ready.push_back(t);
    }
    std::stable_sort(ready.begin(), ready.end(), [&](std::uint32_t a, std::uint32_t b) { return chain(a) > chain(b); });
    if (ready.size() > max) ready.resize(max);
    for (const std::uint32_t t : ready) {
      tasks[t].state = State::RUNNING;
      tasks[t].worker = worker;
      tasks[t].token = next_token++;
      ++tasks[t].attempts;
    }
    return ready;
  }

  void fail(std::uint32_t t, bool no_retry) {
    ModelTask& task = tasks[t];
    if (task.cancel) {
      task.cancel = false;
      return end(t, State::CANCELLED);
    }
    ++task.failures;
    if (no_retry || task.failures > task.retries || stop() == dag::Stop::FAILURES) return end(t, State::FAILED);
    task.state = State::RETRY_WAIT;
    task.due_ns = now_ns + rest_ns(task);
    task.latest_ns = 0;
    at(now_ns);
  }
  [[nodiscard]] static std::uint64_t rest_ns(const ModelTask& task) {
    return (std::uint64_t{task.delay_ms} << (task.failures - 1)) * 1'000'000;
  }
  // By itself.
  void end(std::uint32_t t, State to) {
    ModelTask& task = tasks[t];
    task.state = to;
    task.cancel = false;
    task.by_itself = to == State::SKIPPED || to == State::CANCELLED;
    settle();
  }
  std::uint32_t release(std::uint32_t worker, bool lost) {
    std::uint32_t released = 0;
    for (std::uint32_t t = 0; t < tasks.size(); ++t) {
      ModelTask& task = tasks[t];
      if (task.state != State::RUNNING || task.worker != worker) continue;
      ++released;
      task.losses += lost;
      task.token = 0;
      if (task.cancel) {
        end(t, State::CANCELLED);
      } else if (lost && losses_max != 0 && task.losses >= losses_max) {
        end(t, State::FAILED);
      } else {
        task.state = State::READY;
      }
    }
    return released;
  }
  [[nodiscard]] std::vector<std::uint32_t> chosen(std::uint32_t task, bool subtree) const {
    std::vector<std::uint32_t> out;
    for (std::uint32_t t = 0; t < tasks.size(); ++t) {
      if (t == task || (subtree && reaches(task, t))) out.push_back(t);
    }
    return out;
  }
  void cancel(const std::vector<std::uint32_t>& all) {
    for (const std::uint32_t t : all) {
      ModelTask& task = tasks[t];
      if (task.state == State::RUNNING) task.cancel = true;
      if (task.state != State::WAITING && task.state != State::READY && task.state != State::RETRY_WAIT) continue;
      task.state = State::CANCELLED;
      task.by_itself = true;
    }
    settle();
  }
  void retry(const std::vector<std::uint32_t>& all) {
    for (const std::uint32_t t : all) {
      ModelTask& task = tasks[t];
      if (!has_ended(task.state)) continue;
      task.state = State::WAITING;
      task.failures = task.losses = 0;
      task.token = 0;
      task.by_itself = task.cancel = false;
    }
    settle();
  }
};

}  // namespace symphony::pit::tracker::testing
