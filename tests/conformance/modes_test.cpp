// What must hold in every mode, once: the same requests give the same replies and the same snapshot bytes.
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

#include "tests/conformance/mounted.hpp"
#include "tests/support/samples.hpp"

namespace symphony {
namespace {

class EveryMode : public testing::TestWithParam<Mode> {};

TEST_P(EveryMode, AnswersAndCounts) {
  Mounted pit(GetParam(), "greeter", symphony_pit_greeter());
  flatbuffers::FlatBufferBuilder builder;
  for (std::uint64_t i = 1; i <= 3; ++i) {
    const auto reply =
        call<greeter::Greeting>(pit.caller, builder, greeter::CreateHello(builder, builder.CreateString("x")));
    ASSERT_TRUE(reply) << reply.reply.text;
    EXPECT_EQ(reply->count(), i);
  }
}

TEST_P(EveryMode, UnknownAndMalformedMessagesEndWithTheSameStatusAndText) {
  Mounted pit(GetParam(), "greeter", symphony_pit_greeter());
  const Reply unknown = pit.caller.call(77, {});
  EXPECT_EQ(unknown.status, status::unknown_type);
  EXPECT_EQ(unknown.text, "pit greeter has no handler for message type 77");
  const std::byte junk[9] = {};
  const Reply malformed = pit.caller.call(type_id_of<greeter::Hello>, junk);
  EXPECT_EQ(malformed.status, status::bad_message);
  EXPECT_EQ(malformed.text, "the body is not a valid greeter.Hello");
}

TEST_P(EveryMode, AStateTravels) {
  Mounted pit(GetParam(), "greeter", symphony_pit_greeter());
  flatbuffers::FlatBufferBuilder builder;
  const auto count = [&] {
    return call<greeter::Greeting>(pit.caller, builder, greeter::CreateHello(builder, builder.CreateString("x")))
        ->count();
  };
  EXPECT_EQ(count(), 1u);
  PitState state;
  ASSERT_TRUE(pit.conductor->snapshot("greeter", state).ok());
  EXPECT_EQ(count(), 2u);
  const StepResult restored = pit.conductor->restore("greeter", state);
  ASSERT_TRUE(restored.ok()) << restored.text;
  EXPECT_EQ(count(), 2u);
  EXPECT_FALSE(pit.conductor->restore("greeter", {state.revision, std::vector<std::byte>(3)}).ok());
  EXPECT_EQ(count(), 3u) << "a failed restore leaves the state it found";
}

// A state of many chunks, taken by several hosts at once: each gets a whole one.
TEST(Modes, StatesTakenFromOneProcessPitAtOnceAreEachWhole) {
  Mounted pit(Mode::process, "dag_tracker", symphony_pit_dag_tracker());
  flatbuffers::FlatBufferBuilder b;
  ASSERT_TRUE(call<dag::GraphInfo>(pit.caller, b, dag::CreateCreateGraph(b)));
  for (int i = 0; i < 4; ++i) {
    const std::vector<flatbuffers::Offset<flatbuffers::String>> names(500, b.CreateString(std::string(40, 'n')));
    ASSERT_TRUE(call<dag::Added>(pit.caller, b, dag::CreateAddTasks(b, 1, b.CreateVector(names))));
  }
  PitState whole;
  ASSERT_TRUE(pit.conductor->snapshot("dag_tracker", whole).ok());
  ASSERT_GT(whole.bytes.size(), 50'000u);
  std::vector<std::thread> hosts;
  hosts.reserve(3);
  std::atomic<int> wrong{0};
  for (int host = 0; host < 3; ++host) {
    hosts.emplace_back([&] {
      Conductor conductor(pit.endpoint());
      if (!conductor.mount("dag_tracker", {.mode = Mode::process}).ok()) ++wrong;
      for (int i = 0; i < 10; ++i) {
        PitState state;
        if (!conductor.snapshot("dag_tracker", state).ok() || state.bytes != whole.bytes) ++wrong;
      }
    });
  }
  for (std::thread& t : hosts) t.join();
  EXPECT_EQ(wrong, 0);
}

TEST_P(EveryMode, ACallsDeadlineInThePastIsNotExecuted) {
  Mounted pit(GetParam(), "greeter", symphony_pit_greeter());
  flatbuffers::FlatBufferBuilder builder;
  const auto late =
      call<greeter::Greeting>(pit.caller, builder, greeter::CreateHello(builder, builder.CreateString("x")),
                              {.deadline_ns = now_ns() - second_ns});
  EXPECT_EQ(late.reply.status, status::deadline);
  const auto next =
      call<greeter::Greeting>(pit.caller, builder, greeter::CreateHello(builder, builder.CreateString("x")));
  ASSERT_TRUE(next);
  EXPECT_EQ(next->count(), 1u);
}

INSTANTIATE_TEST_SUITE_P(Modes, EveryMode, testing::ValuesIn(modes_built()),
                         [](const auto& of) { return std::string(to_string(of.param)); });

// The same random work on DagTracker in every mode: each reply and the final snapshot, byte for byte.
TEST(Modes, DagTrackerGivesTheSameBytesInEveryMode) {
  const std::uint64_t seed = test_run::seed();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  const auto play = [&](Mode mode, PitState& state) {
    Mounted pit(mode, "dag_tracker", symphony_pit_dag_tracker());
    // Equal states are equal bytes, whatever random() and the clock say, and with pointers of 32 bits.
    const auto other = static_cast<std::uint64_t>(mode) + 1;
    EXPECT_TRUE(pit.conductor->feed("dag_tracker", seed + other, static_cast<TimeNs>(other) * second_ns).ok());
    std::mt19937_64 random(seed);
    std::vector<std::byte> log;
    flatbuffers::FlatBufferBuilder b;
    const auto send = [&]<class T>(flatbuffers::Offset<T> request) {
      b.Finish(request);
      const Reply reply =
          pit.caller.call(type_id_of<T>, {reinterpret_cast<const std::byte*>(b.GetBufferPointer()), b.GetSize()});
      b.Clear();
      const std::int32_t head[2] = {reply.status, static_cast<std::int32_t>(reply.type)};
      const auto bytes = std::as_bytes(std::span(head));
      log.insert(log.end(), bytes.begin(), bytes.end());
      log.insert(log.end(), reply.body.begin(), reply.body.end());
      const auto text = std::as_bytes(std::span(reply.text));
      log.insert(log.end(), text.begin(), text.end());
    };
    for (std::uint32_t graph = 1; graph <= 12; ++graph) {
      send(dag::CreateCreateGraph(b, b.CreateString("g" + std::to_string(graph)), graph << 8));
      const auto tasks = static_cast<std::uint32_t>(random() % 40 + 1);
      send(dag::CreateAddTasks(b, graph, 0, 0, tasks));
      std::vector<std::uint32_t> before, after;
      for (std::uint32_t i = 0; i < tasks; ++i) {
        before.push_back(static_cast<std::uint32_t>(random() % tasks));
        after.push_back(std::min(tasks, before.back() + 1 + static_cast<std::uint32_t>(random() % 3)));
      }
      send(dag::CreateAddEdges(b, graph, b.CreateVector(before), b.CreateVector(after)));
      send(dag::CreateSeal(b, graph));
      for (std::uint32_t i = 0; i < tasks * 2; ++i) {
        const dag::ClaimBody claim(graph, 1, static_cast<std::uint32_t>(random() % 3));
        send(dag::CreateClaim(b, &claim));
        const dag::CompleteBody complete((std::uint64_t{graph} << 8) + 1 + random() % tasks, graph,
                                         static_cast<std::uint32_t>(random() % tasks));
        send(dag::CreateComplete(b, &complete));
      }
      send(dag::CreateExport(b, graph, 0, 0, true, true));
      send(dag::CreateStatus(b, graph));
    }
    EXPECT_TRUE(pit.conductor->snapshot("dag_tracker", state).ok());
    return log;
  };
  PitState linked;
  const auto a = play(Mode::static_, linked);
  EXPECT_GT(a.size(), 10'000u);
  for (const Mode mode : modes_built()) {
    SCOPED_TRACE(to_string(mode));
    PitState other;
    EXPECT_EQ(a, play(mode, other));
    EXPECT_EQ(linked.revision, other.revision);
    EXPECT_EQ(linked.bytes, other.bytes);
  }
}

// ---- timers and calls between pits: relay asks greeter for its callers

TEST_P(EveryMode, APitAnswersLaterWithWhatAnotherPitSaid) {
  Relay relay(GetParam());
  for (std::uint64_t i = 1; i <= 20; ++i) {
    const auto said = relay.ask("Ada");
    ASSERT_TRUE(said) << said.reply.text;
    ASSERT_EQ(said->type(), type_id_of<greeter::Greeting>);
    const auto* greeting = flatbuffers::GetRoot<greeter::Greeting>(said->body()->data());
    EXPECT_EQ(greeting->text()->str(), "Hello, Ada!");
    EXPECT_EQ(greeting->count(), i);
  }
}

TEST_P(EveryMode, ATimerRunsByItself) {
  Relay relay(GetParam());
  ASSERT_TRUE(relay.arm(5, 1));
  const TimeNs deadline = deadline_after(30 * second_ns);
  while (relay.arm(0, 0)->count() == 0 && now_ns() < deadline) {
  }
  EXPECT_EQ(relay.arm(0, 0)->order(), 5u);
}

TEST_P(EveryMode, FedTimersRunInTheSameOrderAndTravelWithTheState) {
  Relay relay(GetParam());
  ASSERT_TRUE(relay.conductor->feed("relay", 3, 1'000).ok());
  using Arming = std::pair<std::uint64_t, std::uint64_t>;  // id, after_ns
  for (const auto& [id, after_ns] : {Arming{1, 50}, {2, 20}, {3, 20}, {4, 900}}) ASSERT_TRUE(relay.arm(id, after_ns));
  ASSERT_TRUE(relay.conductor->feed("relay", 3, 1'019).ok());
  EXPECT_EQ(relay.arm(0, 0)->count(), 0u);
  ASSERT_TRUE(relay.conductor->feed("relay", 3, 1'100).ok());
  EXPECT_EQ(relay.arm(0, 0)->count(), 3u);
  EXPECT_EQ(relay.arm(0, 0)->order(), (2u * 31 + 3) * 31 + 1);
  PitState state;
  ASSERT_TRUE(relay.conductor->snapshot("relay", state).ok());
  EXPECT_EQ(state.timers, (std::vector<PitTimer>{{4, 800}}));
  ASSERT_TRUE(relay.conductor->restore("relay", state).ok());
  ASSERT_TRUE(relay.conductor->feed("relay", 3, 1'900).ok());
  EXPECT_EQ(relay.arm(0, 0)->count(), 4u);
}

TEST(Modes, AProcessPitThatNeedsAnotherIsMountedWhereItsBrokerHasThat) {
  const auto broker_with = [](std::initializer_list<const char*> names) {
    BrokerOptions options;
    for (const char* name : names) {
      PitConfig& pit = options.pits.emplace_back();
      pit.name = name;
      pit.executable = program("symphony-pit-host");
      pit.args = {pit_file(name)};
    }
    return EmbeddedBroker::start(std::move(options)).value();
  };
  {
    EmbeddedBroker broker = broker_with({"relay"});
    Endpoint endpoint = Endpoint::adopt(broker.connect().value()).value();
    Conductor conductor(&endpoint);
    // What this program mounts is not the broker's to hand to a process.
    ASSERT_TRUE(conductor.mount("greeter", {.mode = Mode::static_, .entry = symphony_pit_greeter()}).ok());
    const StepResult refused = conductor.mount("relay", {.mode = Mode::process});
    EXPECT_EQ(refused.status, status::unreachable);
    EXPECT_NE(refused.text.find("pit 'relay' needs 'greeter', which its broker does not have: add it"),
              std::string::npos)
        << refused.text;
    EXPECT_FALSE(conductor.open("relay").ok()) << "it was not mounted";
    EXPECT_TRUE(broker.pit_pid("relay").has_value()) << "its process is left as it is";
  }
  EmbeddedBroker broker = broker_with({"relay", "greeter"});
  Endpoint endpoint = Endpoint::adopt(broker.connect().value()).value();
  const StepResult mounted = Conductor(&endpoint).mount("relay", {.mode = Mode::process});
  EXPECT_TRUE(mounted.ok()) << mounted.text;
}

TEST(Modes, AProcessPitThatTheOperatorLetsCallNobodyIsDenied) {
  Relay relay(Mode::process, false);
  const auto said = relay.ask("Ada");
  EXPECT_EQ(said.reply.status, SYMPHONY_DENIED);
  EXPECT_NE(said.reply.text.find("`calls`"), std::string::npos) << said.reply.text;
}

}  // namespace
}  // namespace symphony
