// A sequence of random requests to a DagTracker and to the model at once; after each, everything that can be seen is
// compared.   Layer: tests.
#pragma once

#include <flatbuffers/flatbuffers.h>
#include <symphony/pit.h>

#include <array>
#include <cstdint>
#include <functional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include <symphony/message_type.hpp>

#include "tests/support/samples.hpp"
#include "tests/unit/dag_tracker/tracker_model.hpp"

namespace symphony::pit::tracker::testing {

using test_run::Op;

// How a request ended, with bytes of its own.
struct TrackerSaid {
  std::int32_t status = SYMPHONY_INTERNAL;
  std::uint32_t type = 0;
  std::vector<std::uint64_t> words;  // for alignment
  std::size_t size = 0;

  TrackerSaid() = default;
  TrackerSaid(std::int32_t how, std::uint32_t of, std::span<const std::byte> body)
      : status(how), type(of), words(body.size() / 8 + 1), size(body.size()) {
    std::copy(body.begin(), body.end(), reinterpret_cast<std::byte*>(words.data()));
  }
  [[nodiscard]] bool ok() const { return status == SYMPHONY_OK; }
  [[nodiscard]] bool is(dag::Refusal refusal) const { return status == static_cast<std::int32_t>(refusal); }
  // Null when it is another reply, or not a valid one.
  template <class T>
  [[nodiscard]] const T* as() const {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(words.data());
    if (!ok() || type != message_type(T::GetFullyQualifiedName())) return nullptr;
    flatbuffers::Verifier verifier(bytes, size);
    return verifier.VerifyBuffer<T>(nullptr) ? flatbuffers::GetRoot<T>(bytes) : nullptr;
  }
};

// What the run needs: requests, and two that return an empty text, or what failed.
struct TrackerSurroundings {
  std::function<TrackerSaid(std::uint32_t type, std::span<const std::byte> body)> call;
  std::function<std::string(std::uint64_t now_ns)> feed;
  std::function<std::string()> swap;  // the state to a new instance
};

class TrackerRun {
 public:
  explicit TrackerRun(TrackerSurroundings around) : around_(std::move(around)) {}

  // Empty, or where pit and model part.
  std::string run(const std::vector<Op>& ops) {
    if (std::string wrong = begin(ops); !wrong.empty()) return "the making: " + wrong;
    for (std::size_t i = 0; i < ops.size(); ++i) {
      std::string wrong = step(ops[i]);
      if (wrong.empty()) wrong = compare();
      if (!wrong.empty()) return "operation " + std::to_string(i) + ": " + done_ + ": " + wrong;
      wrong = explain(ops[i][7] % tasks());
      if (!wrong.empty()) return "operation " + std::to_string(i) + ": explain after " + done_ + ": " + wrong;
    }
    return {};
  }
  std::size_t claims = 0, failures = 0, retries = 0, cycles = 0, grown = 0, upstream = 0, cancelled = 0;

 private:
  static constexpr std::uint64_t start_ns = 1'000'000;

  template <class T>
  TrackerSaid send(flatbuffers::Offset<T> request) {
    b_.Finish(request);
    TrackerSaid out = around_.call(message_type(T::GetFullyQualifiedName()),
                                   std::as_bytes(std::span(b_.GetBufferPointer(), b_.GetSize())));
    b_.Clear();
    return out;
  }
  [[nodiscard]] std::uint32_t tasks() const { return static_cast<std::uint32_t>(model_.tasks.size()); }

  // `count` tasks of all kinds, in the model and as the lists of a request.
  flatbuffers::Offset<dag::AddTasks> add(std::uint32_t count, std::mt19937_64& rng) {
    std::vector<std::uint32_t> weights, delays;
    std::vector<std::uint8_t> rules;
    std::vector<std::uint16_t> retries_of;
    for (std::uint32_t i = 0; i < count; ++i) {
      ModelTask task;
      task.weight = static_cast<std::uint32_t>(rng() % 5);
      task.rule = static_cast<TriggerRule>(rng() % 2 == 0 ? 0 : rng() % 4);
      task.retries = static_cast<std::uint32_t>(rng() % 3);
      task.delay_ms = static_cast<std::uint32_t>(rng() % 3);
      weights.push_back(task.weight);
      rules.push_back(static_cast<std::uint8_t>(task.rule));
      retries_of.push_back(static_cast<std::uint16_t>(task.retries));
      delays.push_back(task.delay_ms);
      model_.tasks.push_back(task);
    }
    const auto weights_at = b_.CreateVector(weights), delays_at = b_.CreateVector(delays);
    const auto retries_at = b_.CreateVector(retries_of);
    const auto rules_at = b_.CreateVector(rules);
    return dag::CreateAddTasks(b_, graph_, 0, weights_at, count, rules_at.o, retries_at, delays_at);
  }

  std::string begin(const std::vector<Op>& ops) {
    std::uint64_t seed = ops.size();
    for (std::size_t i = 0; i < 8 && !ops.empty(); ++i) seed = seed * 257 + ops.front()[i];
    std::mt19937_64 rng(seed);
    model_.now_ns = start_ns;
    if (std::string wrong = around_.feed(start_ns); !wrong.empty()) return wrong;
    model_.failures_max = static_cast<std::uint32_t>(rng() % 3 == 0 ? 1 + rng() % 3 : 0);
    model_.losses_max = static_cast<std::uint32_t>(rng() % 2 == 0 ? 2 : 0);
    const TrackerSaid made = send(dag::CreateCreateGraph(b_, 0, 0, model_.failures_max, model_.losses_max));
    if (made.as<dag::GraphInfo>() == nullptr) return "CreateGraph";
    graph_ = made.as<dag::GraphInfo>()->graph();
    if (!send(add(static_cast<std::uint32_t>(2 + rng() % 9), rng)).ok()) return "AddTasks";
    std::vector<std::uint32_t> before, after;
    for (std::uint32_t i = 0; i < tasks() * 3 / 2; ++i) {
      const auto a = static_cast<std::uint32_t>(1 + rng() % (tasks() - 1));
      const auto b = static_cast<std::uint32_t>(rng() % a);
      before.push_back(b);
      after.push_back(a);
      model_.edges.insert({b, a});
    }
    const auto before_at = b_.CreateVector(before), after_at = b_.CreateVector(after);
    if (!send(dag::CreateAddEdges(b_, graph_, before_at, after_at)).ok()) return "AddEdges";
    if (send(dag::CreateSeal(b_, graph_)).as<dag::Sealed>() == nullptr) return "Seal";
    model_.settle();
    return compare();
  }

  std::string step(const Op& op) {
    switch (op[0] % 20) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
        return claim(op);
      case 5:
      case 6:
      case 7:
        return complete(op);
      case 8:
      case 9:
      case 10:
        return fail(op);
      case 11:
        return skip(op);
      case 12:
        return release(op);
      case 13:
        return cancel(op);
      case 14:
        return retry(op);
      case 15:
        return op[1] % 2 == 0 ? heartbeat(op) : pause(op);
      case 16:
        return grow(op);
      case 17:
      case 18:
        return wait_a_while(op);
      default:
        done_ = "swap";
        model_.save();
        return around_.swap();
    }
  }

  std::string claim(const Op& op) {
    const std::uint32_t worker = op[1] % 3U, max = op[2] % 4U;
    done_ = "claim";
    const dag::ClaimBody body(graph_, worker, max);
    const TrackerSaid said = send(dag::CreateClaim(b_, &body));
    const auto* given = said.as<dag::Tasks>();
    if (given == nullptr) return "no Tasks";
    const std::uint64_t token = model_.next_token;
    const auto stop = model_.stop();
    const std::vector<std::uint32_t> expected = model_.claim(worker, max);
    claims += expected.size();
    std::vector<std::uint32_t> got;
    if (given->grant()->token() != 0) got.push_back(given->grant()->task());
    if (given->more() != nullptr) got.insert(got.end(), given->more()->begin(), given->more()->end());
    if (got != expected) return "other tasks were given out";
    if (!got.empty() && given->grant()->token() != token) return "another token";
    return given->stop() == stop ? "" : "why nothing is given out";
  }

  // Mostly a task that runs, and its token.
  dag::CompleteBody attempt(const Op& op) {
    std::vector<std::uint32_t> running;
    for (std::uint32_t t = 0; t < tasks(); ++t) {
      if (model_.tasks[t].state == State::RUNNING) running.push_back(t);
    }
    const bool is_wild = op[1] % 8 == 0 || running.empty();
    const std::uint32_t task = is_wild ? op[2] % tasks() : running[op[2] % running.size()];
    const std::uint64_t token = op[3] % 8 == 0 ? op[4] % model_.next_token : model_.tasks[task].token;
    return {token, graph_, task};
  }
  [[nodiscard]] bool is_current(const dag::CompleteBody& body) const {
    return body.token() != 0 && body.token() == model_.tasks[body.task()].token;
  }
  [[nodiscard]] static std::string expect(const TrackerSaid& said, bool taken) {
    if (taken) return said.ok() ? "" : "refused with " + std::to_string(said.status);
    return said.is(dag::Refusal::STALE_ATTEMPT) ? "" : "a stale attempt was taken";
  }

  std::string complete(const Op& op) {
    done_ = "complete";
    const dag::CompleteBody body = attempt(op);
    const bool cached = op[5] % 4 == 0;
    const TrackerSaid said = send(dag::CreateComplete(b_, &body, cached, op[6]));
    const State state = model_.tasks[body.task()].state;
    const bool taken = is_current(body) && (state == State::RUNNING || TrackerModel::is_success(state));
    if (taken && state == State::RUNNING) {
      look();
      model_.end(body.task(), cached ? State::CACHED : State::SUCCEEDED);
    }
    return expect(said, taken);
  }
  std::string fail(const Op& op) {
    done_ = "fail";
    const dag::CompleteBody body = attempt(op);
    const bool no_retry = op[5] % 8 == 0;
    const TrackerSaid said = send(dag::CreateFail(b_, &body, no_retry, b_.CreateString("no")));
    const State state = model_.tasks[body.task()].state;
    const bool taken = is_current(body) && !TrackerModel::is_success(state);
    if (taken && state == State::RUNNING) {
      look();
      ++failures;
      model_.fail(body.task(), no_retry);
      const ModelTask& task = model_.tasks[body.task()];
      const auto* ended = said.as<dag::Ended>();
      if (ended == nullptr || ended->state() != task.state) return "what became of it";
      if (task.state != State::CANCELLED && ended->failures() != task.failures) return "how often it failed";
      if (task.state == State::RETRY_WAIT && ended->retry_in_ns() != task.due_ns - model_.now_ns) return "when again";
      retries += task.state == State::RETRY_WAIT;
    }
    return expect(said, taken);
  }
  std::string skip(const Op& op) {
    done_ = "skip";
    const dag::CompleteBody body = attempt(op);
    const TrackerSaid said = send(dag::CreateSkip(b_, &body));
    const State state = model_.tasks[body.task()].state;
    const bool taken = is_current(body) && (state == State::RUNNING || state == State::SKIPPED);
    if (taken && state == State::RUNNING) {
      look();
      model_.end(body.task(), State::SKIPPED);
    }
    return expect(said, taken);
  }
  std::string release(const Op& op) {
    done_ = "release";
    const bool lost = op[2] % 2 == 0;
    const TrackerSaid said = send(dag::CreateRelease(b_, graph_, op[1] % 3U, lost));
    look();
    const std::uint32_t count = model_.release(op[1] % 3U, lost);
    return said.as<dag::Released>() != nullptr && said.as<dag::Released>()->count() == count ? "" : "how many";
  }
  std::string cancel(const Op& op) {
    done_ = "cancel";
    const std::uint32_t task = op[1] % tasks();
    const bool subtree = op[2] % 3 == 0;
    const TrackerSaid said = send(dag::CreateCancel(b_, graph_, task, subtree));
    look();
    ++cancelled;
    model_.cancel(model_.chosen(task, subtree));
    return said.ok() ? "" : "Cancel";
  }
  std::string retry(const Op& op) {
    const std::uint32_t task = op[1] % tasks();
    const auto what = static_cast<dag::RetryOf>(op[2] % 3);
    done_ = "retry " + std::to_string(task) + " " + dag::EnumNameRetryOf(what);
    const TrackerSaid said = send(dag::CreateRetry(b_, graph_, task, what));
    const ModelTask& one = model_.tasks[task];
    const bool ends_itself = TrackerModel::is_success(one.state) || one.state == State::FAILED || one.by_itself;
    if (what == dag::RetryOf::TASK && (!TrackerModel::has_ended(one.state) || !ends_itself)) {
      return said.is(dag::Refusal::WRONG_STATE) ? "" : "it should be refused";
    }
    std::vector<std::uint32_t> all = model_.chosen(task, what == dag::RetryOf::SUBTREE);
    if (what == dag::RetryOf::FAILED) {
      all.clear();
      for (std::uint32_t t = 0; t < tasks(); ++t) {
        if (model_.tasks[t].state == State::FAILED) all.push_back(t);
      }
    }
    look();
    model_.retry(all);
    return said.ok() ? "" : "Retry";
  }
  std::string heartbeat(const Op& op) {
    done_ = "heartbeat";
    const dag::CompleteBody body = attempt(op);
    const TrackerSaid said = send(dag::CreateHeartbeat(b_, &body));
    const ModelTask& task = model_.tasks[body.task()];
    const bool taken = is_current(body) && task.state == State::RUNNING;
    if (taken && said.as<dag::Beat>() != nullptr && said.as<dag::Beat>()->cancel() != task.cancel) return "cancel";
    return expect(said, taken);
  }
  std::string pause(const Op& op) {
    done_ = "pause";
    model_.paused = op[2] % 4 == 0;
    return (model_.paused ? send(dag::CreatePause(b_, graph_)) : send(dag::CreateResume(b_, graph_))).ok() ? ""
                                                                                                           : "Pause";
  }
  std::string wait_a_while(const Op& op) {
    done_ = "time passes";
    const std::uint64_t now_ns = model_.now_ns + std::uint64_t{op[1]} * 20'000;
    std::string wrong = around_.feed(now_ns);
    look();
    model_.at(now_ns);
    return wrong;
  }

  std::string grow(const Op& op) {
    done_ = "grow";
    if (tasks() > 14) return {};
    std::mt19937_64 rng(op[1] * 256U + op[2]);
    const std::vector<ModelTask> tasks_before = model_.tasks;
    const auto edges_before = model_.edges;
    const auto count = static_cast<std::uint32_t>(rng() % 3);
    const auto more = add(count, rng);
    std::vector<std::uint32_t> before, after;
    bool has_cycle = false, has_begun = false;
    for (std::uint32_t i = 0; i <= count; ++i) {
      before.push_back(static_cast<std::uint32_t>(rng() % tasks()));
      after.push_back(static_cast<std::uint32_t>(rng() % tasks()));
      const State state = model_.tasks[after.back()].state;
      has_begun = has_begun || (after.back() < tasks_before.size() && state != State::WAITING && state != State::READY);
      has_cycle = has_cycle || model_.reaches(after.back(), before.back());
      if (!has_cycle) model_.edges.insert({before.back(), after.back()});
    }
    const auto before_at = b_.CreateVector(before), after_at = b_.CreateVector(after);
    const TrackerSaid said = send(dag::CreateAddDynamic(b_, graph_, 0, 0, more, before_at, after_at));
    if (has_begun || has_cycle) {
      model_.tasks = tasks_before;
      model_.edges = edges_before;
      if (has_begun) return said.is(dag::Refusal::WRONG_STATE) ? "" : "it should be refused";
      ++cycles;
      const auto* rejected = said.as<dag::CycleRejected>();
      return rejected != nullptr && rejected->length() != 0 ? "" : "it has a cycle";
    }
    if (said.as<dag::Grown>() == nullptr || said.as<dag::Grown>()->first() != tasks_before.size()) return "Grown";
    ++grown;
    look();
    model_.settle();
    return {};
  }

  // What the pit says of each task, where the rules leave it a choice.
  void look() {
    const TrackerSaid said = send(dag::CreateExport(b_, graph_, 0, 0, false, true));
    model_.seen.clear();
    if (const auto* all = said.as<dag::Exported>(); all != nullptr && all->states() != nullptr) {
      for (std::uint32_t t = 0; t < all->states()->size(); ++t) {
        model_.seen.push_back(static_cast<State>(all->states()->Get(t)));
      }
    }
  }

  std::string compare() {
    const TrackerSaid said = send(dag::CreateExport(b_, graph_, 0, 0, false, true));
    const auto* all = said.as<dag::Exported>();
    if (all == nullptr || all->tasks() != tasks()) return "how many tasks there are";
    for (std::uint32_t t = 0; t < tasks(); ++t) {
      const auto state = static_cast<State>(all->states()->Get(t));
      const ModelTask& task = model_.tasks[t];
      upstream += state == State::UPSTREAM_FAILED;
      if (state != task.state) {
        return "task " + std::to_string(t) + " is " + dag::EnumNameTaskState(state) + " and should be " +
               dag::EnumNameTaskState(task.state);
      }
      if (all->attempts()->Get(t) != task.attempts) return "attempts of task " + std::to_string(t);
    }
    const TrackerSaid status = send(dag::CreateStatus(b_, graph_));
    const auto* counts = status.as<dag::StatusReply>();
    if (counts == nullptr || counts->waiting() != model_.count(State::WAITING) ||
        counts->ready() != model_.count(State::READY) || counts->running() != model_.count(State::RUNNING) ||
        counts->retry_wait() != model_.count(State::RETRY_WAIT) ||
        counts->succeeded() != model_.count(State::SUCCEEDED) || counts->cached() != model_.count(State::CACHED) ||
        counts->failed() != model_.count(State::FAILED) || counts->skipped() != model_.count(State::SKIPPED) ||
        counts->upstream_failed() != model_.count(State::UPSTREAM_FAILED) ||
        counts->cancelled() != model_.count(State::CANCELLED) || counts->stop() != model_.stop() ||
        counts->edges() != model_.edges.size()) {
      return "the counts";
    }
    const TrackerSaid left = send(dag::CreateCriticalPath(b_, graph_));
    const auto* path = left.as<dag::Chain>();
    if (path == nullptr || (path->length() == 0) != (model_.unfinished() == 0)) return "the critical path";
    for (std::uint32_t i = 0; i < path->length(); ++i) {
      if (TrackerModel::has_ended(model_.tasks[path->tasks()->Get(i)].state)) return "the critical path has ended";
      if (i > 0 && !model_.edges.contains({path->tasks()->Get(i - 1), path->tasks()->Get(i)})) return "a path's edge";
    }
    return {};
  }

  // A chain of reasons, each before the one that it holds, up to one that nobody before it holds.
  std::string explain(std::uint32_t task) {
    const TrackerSaid said = send(dag::CreateExplain(b_, graph_, task));
    const auto* told = said.as<dag::Explained>();
    if (told == nullptr || told->chain()->size() == 0 || told->chain()->Get(0) != task) return "no chain of it";
    for (std::uint32_t i = 1; i < told->chain()->size(); ++i) {
      if (!model_.edges.contains({told->chain()->Get(i), told->chain()->Get(i - 1)}))
        return "a reason is not before it";
    }
    const ModelTask& cause = model_.tasks[told->chain()->Get(told->chain()->size() - 1)];
    const bool is_derived = cause.state == State::WAITING || cause.state == State::UPSTREAM_FAILED ||
                            ((cause.state == State::SKIPPED || cause.state == State::CANCELLED) && !cause.by_itself);
    if (is_derived) return std::string("the cause is ") + dag::EnumNameTaskState(cause.state);
    return told->failures() == model_.tasks[task].failures ? "" : "its failures";
  }

  TrackerSurroundings around_;
  TrackerModel model_;
  flatbuffers::FlatBufferBuilder b_;
  std::uint32_t graph_ = 0;
  std::string done_;
};

}  // namespace symphony::pit::tracker::testing
