// The life cycle: every step in every state, tried completely. What is not in the table is refused, and the refusal
// says that the host, not the pit, misbehaved.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>

#include "tests/unit/hosting/scripted_pit.hpp"

namespace symphony::pit {
namespace {

using ::testing::HasSubstr;

constexpr State all_states[] = {State::created, State::inited, State::running, State::drained, State::stopped};
const char* const all_steps[] = {"init", "start", "handle", "drain", "snapshot", "restore", "stop"};

class StateMachine : public ::testing::Test {
 protected:
  void SetUp() override { test::script() = &script_; }

  std::unique_ptr<Instance> in(State wanted) {
    std::unique_ptr<Instance> made;
    EXPECT_TRUE(Instance::make(entry_, {.log = &log_}, made).ok());
    if (wanted >= State::inited) {
      EXPECT_TRUE(made->init().ok());
    }
    if (wanted >= State::running) {
      EXPECT_TRUE(made->start().ok());
    }
    if (wanted >= State::drained) {
      EXPECT_TRUE(made->drain(0).ok());
    }
    if (wanted >= State::stopped) {
      EXPECT_TRUE(made->stop().ok());
    }
    EXPECT_EQ(made->state(), wanted);
    return made;
  }
  static Outcome ask(Instance& instance, const std::string& step) {
    if (step == "init") return instance.init();
    if (step == "start") return instance.start();
    if (step == "drain") return instance.drain(0);
    if (step == "stop") return instance.stop();
    Snapshot snapshot{3, {}};
    if (step == "snapshot") return instance.snapshot(snapshot);
    if (step == "restore") return instance.restore(snapshot);
    test::RecordingSink sink;
    instance.handle({}, {}, sink);
    EXPECT_EQ(sink.endings, 1);
    return {sink.status, sink.text};
  }

  test::Script script_;
  test::LogLines log_;
  symphony_pit_entry entry_ = test::scripted_entry();
};

const std::map<std::pair<State, std::string>, State> legal = {
    {{State::created, "init"}, State::inited},      {{State::inited, "restore"}, State::inited},
    {{State::inited, "start"}, State::running},     {{State::running, "handle"}, State::running},
    {{State::running, "snapshot"}, State::running}, {{State::running, "drain"}, State::drained},
    {{State::drained, "snapshot"}, State::drained}, {{State::drained, "start"}, State::running},
    {{State::drained, "stop"}, State::stopped},
};

TEST_F(StateMachine, TakesEachLegalStepAndRefusesEachOther) {
  for (const State state : all_states) {
    for (const std::string step : all_steps) {
      const std::string what = step + " in " + std::string(to_string(state));
      auto instance = in(state);
      log_.lines.clear();
      const Outcome outcome = ask(*instance, step);
      const auto found = legal.find({state, step});
      if (found != legal.end()) {
        EXPECT_TRUE(outcome.ok()) << what << ": " << outcome.text;
        EXPECT_EQ(instance->state(), found->second) << what;
        EXPECT_TRUE(log_.lines.empty()) << what;
      } else {
        EXPECT_EQ(outcome.status, SYMPHONY_BAD_STATE) << what;
        EXPECT_THAT(outcome.text, HasSubstr("the host misbehaved: " + step)) << what;
        EXPECT_THAT(outcome.text, HasSubstr(std::string(to_string(state)))) << what;
        EXPECT_EQ(instance->state(), state) << what;
        EXPECT_TRUE(log_.contains("the host misbehaved")) << what;
      }
    }
  }
  EXPECT_EQ(script_.created, 35);
  EXPECT_EQ(script_.destroyed, 35) << "destroy is legal in every state";
}

TEST_F(StateMachine, AStepThatThePitFailsIsNotTaken) {
  for (const auto& [from, to] : legal) {
    const auto& [state, step] = from;
    if (step == "handle" || step == "snapshot" || step == "restore") continue;
    auto instance = in(state);
    script_.step = [&](std::string_view) -> std::int32_t {
      script_.host->error(script_.host->context, test::span_of("no disk"));
      return 42;
    };
    const Outcome outcome = ask(*instance, step);
    EXPECT_EQ(outcome.status, 42);
    EXPECT_EQ(outcome.text, "pit 'scripted': " + step + " failed: no disk");
    EXPECT_EQ(instance->state(), state) << step;
    script_.step = nullptr;
    EXPECT_TRUE(ask(*instance, step).ok()) << step << " can be tried again";
  }
}

TEST_F(StateMachine, NobodyEntersAnInstanceThatIsInside) {
  for (const std::string step : all_steps) {
    auto instance = in(State::running);
    Outcome inner;
    script_.handle = [&](const symphony_host&, const symphony_msg&) {
      inner = ask(*instance, step);
      return SYMPHONY_OK;
    };
    EXPECT_TRUE(ask(*instance, "handle").ok());
    EXPECT_EQ(inner.status, SYMPHONY_BAD_STATE) << step;
    EXPECT_THAT(inner.text, HasSubstr("from inside a call")) << step;
    script_.handle = nullptr;
  }
}

TEST_F(StateMachine, FunctionsThatThePitLacksAreStepsThatDoNothing) {
  entry_.init = nullptr;
  entry_.start = nullptr;
  entry_.drain = nullptr;
  entry_.stop = nullptr;
  in(State::stopped);
}

TEST_F(StateMachine, APitWithoutSnapshotsSaysVersion) {
  entry_.snapshot = nullptr;
  entry_.restore = nullptr;
  Snapshot snapshot{3, {}};
  EXPECT_EQ(in(State::running)->snapshot(snapshot).status, SYMPHONY_VERSION);
  EXPECT_EQ(in(State::inited)->restore(snapshot).status, SYMPHONY_VERSION);
}

TEST_F(StateMachine, ACreateThatFailsLeavesNothingToDestroy) {
  entry_.create = [](const symphony_host* host, symphony_span config, void**) -> std::int32_t {
    host->error(host->context, config);
    return 5;
  };
  std::unique_ptr<Instance> made;
  const Outcome outcome = Instance::make(entry_, {.config = "{\"a\":1}"}, made);
  EXPECT_EQ(outcome.status, 5);
  EXPECT_THAT(outcome.text, HasSubstr("create failed: {\"a\":1}"));
  EXPECT_EQ(made, nullptr);
  EXPECT_EQ(script_.destroyed, 0);
}

TEST_F(StateMachine, ACreateThatSucceedsWithoutAnInstanceIsThePitsFault) {
  entry_.create = [](const symphony_host*, symphony_span, void**) -> std::int32_t { return SYMPHONY_OK; };
  std::unique_ptr<Instance> made;
  const Outcome outcome = Instance::make(entry_, {.log = &log_}, made);
  EXPECT_EQ(outcome.status, SYMPHONY_INTERNAL);
  EXPECT_TRUE(log_.contains("the pit misbehaved"));
}

}  // namespace
}  // namespace symphony::pit
