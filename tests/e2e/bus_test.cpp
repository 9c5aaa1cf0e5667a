// The whole bus in truth: broker, keeper, pit processes, endpoints. What could go wrong is a call that hangs, ends
// twice, or is lost when somebody dies; each test kills somebody and counts endings.
#include <signal.h>
#include <sys/wait.h>

#include <gmock/gmock.h>

#include <atomic>

#include "tests/e2e/bus_fixture.hpp"

namespace symphony {
namespace {

TEST_F(BusTest, CallsAPitInItsOwnProcess) {
  Link link = open("greeter");
  const auto reply = greet(link, "Ada");
  ASSERT_TRUE(reply) << reply.reply.text;
  EXPECT_EQ(reply->text()->string_view(), "Hello, Ada!");
  Link probe = open("probe");
  const auto pid = probe_read(probe, probe::Act::PID);
  ASSERT_TRUE(pid);
  EXPECT_NE(pid->value(), static_cast<std::uint64_t>(::getpid()));
}

TEST_F(BusTest, AnOpenWaitsForAPitThatIsNotReadyYet) {
  PitConfig lazy = pit_config("greeter");
  lazy.start_at_once = false;
  endpoint.reset();
  broker.reset();
  start({lazy});
  EXPECT_EQ(broker->status().at(0).pid, 0) << "nobody has asked for it yet";
  Link link = open("greeter");
  EXPECT_TRUE(greet(link, "x"));
}

TEST_F(BusTest, AnUnknownPitIsRefusedAtOnce) {
  const auto link = endpoint->open("nobody", {}, 3600 * second_ns);
  ASSERT_FALSE(link);
  EXPECT_EQ(link.error().code, errc::not_found);
}

TEST_F(BusTest, ParametersThatMakeNoSenseAreRefused) {
  EXPECT_EQ(endpoint->open("", {}).error().code, errc::invalid_argument);
  EXPECT_EQ(endpoint->open(std::string(64, 'x'), {}).error().code, errc::invalid_argument);
  EXPECT_EQ(endpoint->open("greeter", {.request_capacity = 5000}).error().code, errc::invalid_argument);
  EXPECT_EQ(endpoint->open("greeter", {.in_flight_max = 3}).error().code, errc::invalid_argument);
}

TEST_F(BusTest, RepliesOfAllSizesArriveWholeAndTooLargeOnesAreRefused) {
  Link link = open("probe");
  for (const std::uint32_t size : {0u, 1u, 55u, 56u, 1000u, 30'000u, 60'000u}) {
    const auto reply = probe_read(link, probe::Act::BIG, size);
    ASSERT_TRUE(reply) << size << ": " << reply.reply.text;
    ASSERT_EQ(reply->bytes()->size(), size);
  }
  EXPECT_EQ(probe_read(link, probe::Act::BIG, 100'000).reply.status, status::too_large);
  EXPECT_TRUE(probe_read(link, probe::Act::NOTHING)) << "the link goes on";
}

TEST_F(BusTest, APitsOwnStatusAndTextReachTheCaller) {
  Link link = open("probe");
  const auto reply = probe_do(link, probe::Act::REFUSE, 42);
  EXPECT_EQ(reply.reply.status, 42);
  EXPECT_EQ(reply.reply.text, "refused as asked");
}

TEST_F(BusTest, AMessageOfAnUnknownTypeOrAMalformedOneIsRefusedByThePit) {
  Link link = open("greeter");
  EXPECT_EQ(link.call(12345, {}).status, status::unknown_type);
  const std::byte junk[5] = {};
  EXPECT_EQ(link.call(type_id_of<greeter::Hello>, junk).status, status::bad_message);
  EXPECT_TRUE(greet(link, "still here"));
}

TEST_F(BusTest, ManyCallersAtOnceAreServedEachInOrder) {
  constexpr int callers = 8;
  constexpr int calls = 400;
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int c = 0; c < callers; ++c) {
    threads.emplace_back([&, c] {
      Link link = open("greeter");
      for (int i = 0; i < calls; ++i) {
        const std::string name = std::to_string(c) + "." + std::to_string(i);
        const auto reply = greet(link, name);
        if (!reply || reply->text()->string_view() != "Hello, " + name + "!") ++wrong;
      }
      const LinkCounters counters = link.counters();
      if (counters.calls != calls || counters.ended != calls || counters.late_replies != 0) ++wrong;
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(wrong, 0);
  Link link = open("greeter");
  EXPECT_EQ(greet(link, "last")->count(), callers * calls + 1u);
}

TEST_F(BusTest, ManyCallsAreInFlightOnOneLink) {
  Link link = open("greeter");
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(greeter::CreateHello(builder, builder.CreateString("x")));
  const std::span body(reinterpret_cast<const std::byte*>(builder.GetBufferPointer()), builder.GetSize());
  std::vector<CallId> ids;
  while (const auto id = link.try_start(type_id_of<greeter::Hello>, body)) ids.push_back(*id);
  EXPECT_EQ(ids.size(), LinkOptions{}.in_flight_max);
  for (const CallId id : ids) EXPECT_TRUE(link.wait(id).ok());
}

TEST_F(BusTest, ACallThatThePitDoesNotAnswerInTimeEndsAtItsDeadline) {
  Link link = open("probe");
  EXPECT_EQ(probe_do(link, probe::Act::HANG, 300, {.timeout_ns = 20 * ms_ns}).reply.status, status::deadline);
  EXPECT_TRUE(probe_read(link, probe::Act::NOTHING)) << "the late reply does not end another call";
  EXPECT_EQ(link.counters().late_replies, 1u);
}

// ---- a pit dies

TEST_F(BusTest, ACallThatWasExecutingWhenItsPitDiedEndsOnceAndTheLinkGoesOn) {
  Link link = open("probe");
  const std::uint64_t epoch = link.epoch();
  EXPECT_EQ(probe_do(link, probe::Act::DIE).reply.status, status::crashed);
  EXPECT_TRUE(probe_read(link, probe::Act::NOTHING)) << "served by the next instance";
  EXPECT_GT(link.epoch(), epoch);
  const LinkCounters counters = link.counters();
  EXPECT_EQ(counters.calls, counters.ended);
}

TEST_F(BusTest, AMessageThatKillsThePitEachTimeIsPoisonedAndItsNeighboursAreServed) {
  Link link = open("probe");
  const auto begin = [&](probe::Act act) {
    flatbuffers::FlatBufferBuilder builder;
    builder.Finish(probe::CreateDoAgain(builder, act, 0));
    const std::span body(reinterpret_cast<const std::byte*>(builder.GetBufferPointer()), builder.GetSize());
    return link.try_start(type_id_of<probe::DoAgain>, body, {.effect = Effect::read}).value();
  };
  const CallId before = begin(probe::Act::NOTHING), poison = begin(probe::Act::DIE), after = begin(probe::Act::NOTHING);
  EXPECT_EQ(link.wait(poison).status, status::poisoned);
  EXPECT_TRUE(link.wait(before).ok());
  EXPECT_TRUE(link.wait(after).ok());
}

TEST_F(BusTest, APitThatKeepsFailingIsQuarantinedAndEveryCallIsTold) {
  PitConfig fragile = pit_config("probe");
  fragile.restart.failures_max = 2;
  endpoint.reset();
  broker.reset();
  start({fragile});
  Link link = open("probe");
  Link other = open("probe");
  EXPECT_EQ(probe_do(link, probe::Act::DIE).reply.status, status::crashed);
  EXPECT_EQ(probe_do(link, probe::Act::DIE).reply.status, status::crashed);
  EXPECT_EQ(probe_read(link, probe::Act::NOTHING).reply.status, status::quarantined);
  EXPECT_EQ(probe_read(other, probe::Act::NOTHING).reply.status, status::quarantined);
  EXPECT_EQ(endpoint->open("probe").error().code, errc::quarantined);
}

TEST_F(BusTest, APitWhoseProgramIsMissingEndsInAnErrorNotInAHang) {
  PitConfig missing = pit_config("probe");
  missing.executable = program("no-such-program");
  missing.restart.failures_max = 2;
  endpoint.reset();
  broker.reset();
  start({missing});
  const auto link = endpoint->open("probe");
  ASSERT_FALSE(link);
  EXPECT_NE(link.error().code, errc::timeout);
}

TEST_F(BusTest, AFileThatHoldsNoPitIsQuarantinedAtOnce) {
  PitConfig wrong = pit_config("probe");
  wrong.args = {"/proc/self/exe"};  // an ELF file of this machine, and no pit
  endpoint.reset();
  broker.reset();
  start({wrong});
  const auto link = endpoint->open("probe");
  ASSERT_FALSE(link);
  EXPECT_EQ(link.error().code, errc::quarantined);
}

// Callers call without a pause while the pit is killed again and again. Each call ends exactly once.
TEST_F(BusTest, UnderRepeatedKillsNoCallHangsAndEachEndsExactlyOnce) {
  PitConfig sturdy = pit_config("greeter");
  sturdy.restart.failures_max = 16;
  sturdy.restart.window_ns = ms_ns;
  sturdy.restart.backoff_max_ns = ms_ns;
  sturdy.restart.backoff_first_ns = ms_ns;
  endpoint.reset();
  broker.reset();
  start({sturdy});
  constexpr int callers = 3;
  constexpr int kills = 25;
  std::atomic<bool> over{false};
  std::atomic<std::uint64_t> good{0}, crashed{0}, other{0}, unended{0}, twice{0};
  std::vector<std::thread> threads;
  for (int c = 0; c < callers; ++c) {
    threads.emplace_back([&] {
      Link link = open("greeter");
      while (!over) {
        const CallStatus s = greet(link, "x").reply.status;
        ++(s == status::ok ? good : s == status::crashed ? crashed : other);
      }
      unended += link.counters().calls - link.counters().ended;
      twice += link.counters().late_replies;
    });
  }
  for (int k = 0; k < kills; ++k) {
    const std::uint64_t before = good;
    ASSERT_TRUE(comes_true([&] { return good > before + 20; })) << "kill " << k << ", good " << good;
    ASSERT_TRUE(comes_true([&] { return broker->kill_pit("greeter").has_value(); }));
  }
  const std::uint64_t last = good;
  EXPECT_TRUE(comes_true([&] { return good > last + 20; }));
  over = true;
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(other, 0u);
  EXPECT_EQ(unended, 0u);
  EXPECT_EQ(twice, 0u);
  EXPECT_LE(crashed, static_cast<std::uint64_t>(kills * callers));
}

// ---- a caller dies

TEST_F(BusTest, AKilledCallerDisturbsNobodyAndItsLinkIsFreed) {
  Link link = open("greeter");
  ASSERT_TRUE(greet(link, "before"));
  UniqueFd socket = broker->connect().value();
  const pid_t child = start_bus_program("caller", std::to_string(socket.get()), socket.get());
  ASSERT_GT(child, 0);
  socket.reset();
  const auto links = [&] {
    for (const PitInfo& pit : broker->status()) {
      if (pit.name == "greeter") return pit.links;
    }
    return 0u;
  };
  ASSERT_TRUE(comes_true([&] { return links() == 2; }));
  const std::uint64_t before = greet(link, "x")->count();
  ASSERT_TRUE(comes_true([&] { return greet(link, "x")->count() > before + 100; })) << "the child calls too";
  ::kill(child, SIGKILL);
  int ignored = 0;
  ASSERT_EQ(::waitpid(child, &ignored, 0), child);
  EXPECT_TRUE(comes_true([&] { return links() == 1; }));
  EXPECT_TRUE(greet(link, "after"));
}

// ---- the end

TEST_F(BusTest, AClosedLinkIsForgottenAndWhatWasSentIsHandled) {
  Link link = open("greeter");
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(greeter::CreateHello(builder, builder.CreateString("x")));
  const std::span body(reinterpret_cast<const std::byte*>(builder.GetBufferPointer()), builder.GetSize());
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(link.try_start(type_id_of<greeter::Hello>, body).has_value());
  link.close();
  EXPECT_TRUE(link.wait_closed(deadline_after(30 * second_ns)).has_value());
  Link next = open("greeter");
  EXPECT_EQ(greet(next, "x")->count(), 51u);
}

TEST_F(BusTest, WhenItsBrokerIsGoneALinkEndsWithTheReasonAndNewOnesAreRefused) {
  Link link = open("greeter");
  ASSERT_TRUE(greet(link, "x"));
  broker.reset();  // takes its pits with it
  ASSERT_TRUE(comes_true([&] { return !greet(link, "x"); }));
  // Its last word may have been that the pit has ended in order.
  EXPECT_THAT(greet(link, "x").reply.status, testing::AnyOf(status::unreachable, status::closed));
  EXPECT_EQ(endpoint->open("greeter").error().code, errc::unreachable);
}

TEST_F(BusTest, WhenTheKeeperIsKilledItsPitsDieAndCallsEnd) {
  Link link = open("probe");
  const auto pid = static_cast<pid_t>(probe_read(link, probe::Act::PID)->value());
  ::kill(broker->keeper_pid(), SIGKILL);
  EXPECT_TRUE(comes_true([&] { return ::kill(pid, 0) != 0; }));
  EXPECT_EQ(probe_read(link, probe::Act::NOTHING).reply.status, status::unreachable);
}

TEST_F(BusTest, AForkedChildOfAnEndpointIsToldAndHarmsNothing) {
  Link link = open("greeter");
  ASSERT_TRUE(greet(link, "x"));
  const pid_t child = ::fork();
  if (child == 0) {
    const bool told =
        greet(link, "y").reply.status == status::forked && endpoint->open("greeter").error().code == errc::forked;
    ::_exit(told ? 0 : 1);
  }
  int result = 1;
  ASSERT_EQ(::waitpid(child, &result, 0), child);
  EXPECT_EQ(result, 0);
  EXPECT_EQ(greet(link, "z")->count(), 2u);
}

}  // namespace
}  // namespace symphony
