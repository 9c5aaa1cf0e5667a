// What an operator asks for: what could go wrong is that a Command has no answer or two, that a pit that was stopped
// comes back, or that one stays away that should be there, also when the broker dies in between.
#include <algorithm>
#include <map>

#include <gtest/gtest.h>

#include "tests/unit/broker/core_driver.hpp"

namespace symphony::detail::broker {
namespace {

using namespace control;

std::size_t answers(const CoreDriver& d) {
  return static_cast<std::size_t>(std::count_if(d.out.begin(), d.out.end(), [](const Action& a) {
    const auto* sent = std::get_if<SendToCaller>(&a);
    return sent != nullptr && std::holds_alternative<Answer>(sent->message);
  }));
}

// What a keeper would hold of these actions, for the next broker.
Begin left_behind(const CoreDriver& d, std::vector<ProcessFound> processes) {
  std::map<std::uint64_t, std::vector<std::byte>> records;
  for (const Action& a : d.out) {
    if (const auto* put = std::get_if<PutRecord>(&a)) records[put->key] = put->blob;
    if (const auto* gone = std::get_if<DeleteRecord>(&a)) records.erase(gone->key);
  }
  Begin b{std::move(processes), {}};
  for (const auto& [key, blob] : records) b.records.push_back({key, blob});
  return b;
}

CoreDriver next_broker(const CoreDriver& before, std::vector<ProcessFound> processes) {
  CoreDriver d(some_pits(1), 2, true);
  d.now = before.now;
  d.step(left_behind(before, std::move(processes)));
  return d;
}

TEST(OperatorStop, IsAnsweredWhenTheProcessIsGoneAndItStaysStopped) {
  auto d = ready_driver();
  const auto c = d.caller();
  const auto asked = d.command(c, Verb::stop);
  EXPECT_EQ(d.to_pit<Stop>()->deadline_ns, d.now + stop_grace_ns);
  EXPECT_EQ(answers(d), 0U) << "it still runs";
  d.pit_exits(false, 0);
  const auto answer = d.to_caller<Answer>();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->correlation, asked);
  EXPECT_EQ(answer->code, code_done);
  EXPECT_EQ(answer->pit.info.state, "stopped");
  d.pass(3600 * second_ns);
  EXPECT_EQ(d.core.pit_state(0), PitState::stopped);
  EXPECT_EQ(d.count<SpawnPit>(), 0U);
}

TEST(OperatorStop, KillsWhatDoesNotStopWithinItsGrace) {
  auto d = ready_driver();
  const auto c = d.caller();
  d.command(c, Verb::stop, "pit0", 60 * second_ns, 0, 5 * second_ns);
  d.pass(5 * second_ns - 1);
  EXPECT_EQ(d.count<KillPit>(), 0U);
  d.pass(1);
  EXPECT_EQ(d.count<KillPit>(), 1U);
  d.pit_exits(true, 9);
  EXPECT_EQ(d.to_caller<Answer>()->code, code_done);
  const auto report = d.report(c);
  ASSERT_EQ(report.deaths.size(), 1U);
  EXPECT_EQ(report.deaths[0].cause, DeathCause::stop);
  EXPECT_EQ(report.failures, 0U) << "it was asked to";
}

TEST(OperatorStop, EndsItsLinksAndRefusesOpensWithTheRemedy) {
  auto d = ready_driver();
  const auto c = d.caller();
  d.open(c);
  d.attach_until(c, LinkState::open);
  d.command(c, Verb::stop);
  d.pit_exits(false, 0);
  const auto refused = d.said_to_caller<Refused>();
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->code, errc::closed);
  EXPECT_NE(refused->text.find("symphony pit start"), std::string::npos) << refused->text;
  d.out.clear();
  d.open(c);
  EXPECT_EQ(d.to_caller<Refused>()->code, errc::closed);
}

TEST(OperatorStop, OfOneWithoutAProcessIsDoneAtOnce) {
  for (const bool quarantined : {true, false}) {
    CoreDriver d(some_pits(1, quarantined));
    d.begin();
    if (quarantined) d.pit_exits(false, 125);
    const auto c = d.caller();
    d.command(c, Verb::stop);
    EXPECT_EQ(d.to_caller<Answer>()->pit.info.state, "stopped") << quarantined;
    d.command(c, Verb::stop);
    EXPECT_EQ(d.to_caller<Answer>()->code, code_done) << "twice is once";
  }
}

TEST(OperatorStop, OfOneThatStartsKillsItOnceItHasAProcess) {
  CoreDriver d;
  d.begin();
  const auto c = d.caller();
  d.command(c, Verb::stop);
  EXPECT_EQ(d.count<KillPit>(), 0U);
  EXPECT_EQ(answers(d), 0U);
  d.step(PitSpawned{0, 1, 101});
  EXPECT_EQ(d.count<KillPit>(), 1U);
  d.pit_exits(true, 9);
  EXPECT_EQ(d.to_caller<Answer>()->code, code_done);
  EXPECT_EQ(d.core.pit_state(0), PitState::stopped);
}

TEST(OperatorStart, IsAnsweredWhenThePitIsReady) {
  CoreDriver d(some_pits(1, false));
  d.begin();
  const auto c = d.caller();
  d.command(c, Verb::start);
  EXPECT_EQ(answers(d), 0U);
  d.pit_ready();
  const auto answer = d.to_caller<Answer>();
  EXPECT_EQ(answer->code, code_done);
  EXPECT_EQ(answer->pit.info.state, "ready");
  d.command(c, Verb::start);
  EXPECT_EQ(d.to_caller<Answer>()->code, code_done) << "it is ready already";
  EXPECT_EQ(d.core.status()[0].instance, 1U);
}

TEST(OperatorStart, ForgetsTheFailuresOfAQuarantinedPit) {
  auto pits = some_pits(1);
  pits[0].restart.failures_max = 2;
  CoreDriver d(pits);
  d.begin();
  d.pit_ready();
  d.pit_exits(true, 11);
  d.pit_exits(true, 11);
  ASSERT_EQ(d.core.pit_state(0), PitState::quarantined);
  const auto c = d.caller();
  EXPECT_EQ(d.report(c).failures, 2U);
  d.command(c, Verb::start);
  d.pit_ready();
  EXPECT_EQ(d.to_caller<Answer>()->code, code_done);
  EXPECT_EQ(d.report(c).failures, 0U);
  d.pit_exits(true, 11);
  EXPECT_EQ(d.core.pit_state(0), PitState::starting) << "as after a first death";
}

TEST(OperatorStart, SaysWhyAPitDidNotBecomeReady) {
  CoreDriver d(some_pits(1, false));
  d.begin();
  const auto c = d.caller();
  d.command(c, Verb::start);
  d.step(PitSpawned{0, 1, 101});
  d.pit_exits(false, 3);
  const auto answer = d.to_caller<Answer>();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->code, errc::closed);
  EXPECT_NE(answer->text.find("ended with status 3; the broker tries again"), std::string::npos) << answer->text;
  d.command(c, Verb::start);  // at once, not after the back-off
  EXPECT_EQ(d.core.pit_state(0), PitState::starting);
  d.pit_exits(false, 125);
  EXPECT_EQ(d.to_caller<Answer>()->code, errc::quarantined);
}

TEST(OperatorStart, OfOneThatIsBeingStoppedStartsTheNextInstance) {
  auto d = ready_driver();
  const auto c = d.caller();
  const auto stop = d.command(c, Verb::stop);
  const auto start = d.command(c, Verb::start);
  d.pit_exits(false, 0);
  const auto stopped = d.to_caller<Answer>();
  EXPECT_EQ(stopped->correlation, stop) << "that process is gone";
  EXPECT_EQ(d.core.pit_state(0), PitState::starting);
  d.pit_ready();
  const auto started = d.to_caller<Answer>();
  EXPECT_EQ(started->correlation, start);
  EXPECT_EQ(started->code, code_done);
  EXPECT_EQ(started->pit.info.instance, 2U);
}

TEST(OperatorStart, GivesALinkWhoseEndItsCallerNeverHeardOfANewerEpoch) {
  auto d = ready_driver();
  const auto c = d.caller();
  d.open(c);
  const auto first = d.attach_until(c, LinkState::open);
  d.command(c, Verb::stop);
  d.pit_exits(false, 0);  // the link is forgotten, and the word of it gets lost with the connection
  d.step(CallerLeft{c, true});
  const auto again = d.caller();
  d.command(again, Verb::start);
  d.pit_ready();
  d.open(again, "pit0", first.link);
  const auto next = d.attach_until(again, LinkState::open);
  EXPECT_EQ(next.link, first.link);
  EXPECT_GT(next.epoch, first.epoch);
}

TEST(OperatorStart, EndsWithTheReasonWhenAnotherOperatorStopsThePit) {
  CoreDriver d(some_pits(1, false));
  d.begin();
  const auto first = d.caller(), second = d.caller();
  const auto start = d.command(first, Verb::start);
  d.step(PitSpawned{0, 1, 101});
  d.command(second, Verb::stop);
  d.pit_exits(true, 9);
  const auto answer = d.to_caller<Answer>();
  EXPECT_EQ(answer->correlation, start);
  EXPECT_EQ(answer->code, errc::closed);
  EXPECT_NE(answer->text.find("an operator stopped it"), std::string::npos) << answer->text;
  EXPECT_EQ(d.to_caller<Answer>()->code, code_done);
}

TEST(OperatorRestart, KeepsLinksAndAttachesThemToTheNextInstance) {
  auto d = ready_driver();
  const auto c = d.caller();
  d.open(c);
  const auto first = d.attach_until(c, LinkState::open);
  d.out.clear();
  d.command(c, Verb::restart);
  EXPECT_TRUE(d.said_to_pit<Stop>());
  d.pit_exits(false, 0);
  EXPECT_FALSE(d.said_to_caller<Refused>()) << "its links wait";
  EXPECT_EQ(answers(d), 0U);
  d.pit_ready();
  EXPECT_EQ(d.said_to_caller<Answer>()->pit.info.instance, 2U);
  const auto next = d.attach_until(c, LinkState::open);
  EXPECT_EQ(next.link, first.link);
  EXPECT_GT(next.epoch, first.epoch);
}

TEST(OperatorRestart, AskedForTwiceWithTheInstanceThatItReplacesIsDoneOnce) {
  auto d = ready_driver();
  const auto c = d.caller();
  d.command(c, Verb::restart, "pit0", 30 * second_ns, 1);
  d.pit_exits(false, 0);
  d.pit_ready();
  EXPECT_EQ(d.to_caller<Answer>()->pit.info.instance, 2U);
  d.command(c, Verb::restart, "pit0", 30 * second_ns, 1);  // as after a broker that died before it answered
  EXPECT_EQ(d.to_caller<Answer>()->pit.info.instance, 2U);
  EXPECT_EQ(d.core.pit_state(0), PitState::ready);
}

TEST(OperatorRestart, IsNoFailureOfThePit) {
  auto d = ready_driver();
  const auto c = d.caller();
  for (int n = 0; n < 20; ++n) {
    d.command(c, Verb::restart);
    d.pit_exits(n % 2 == 0, n % 2 == 0 ? 9 : 0);
    d.pit_ready();
    ASSERT_EQ(d.to_caller<Answer>()->code, code_done) << n;
  }
  EXPECT_EQ(d.report(c).failures, 0U);
  EXPECT_EQ(d.report(c).deaths.size(), deaths_max);
}

TEST(OperatorCommand, HasOneAnswerAtItsDeadlineAndNoneAfterIt) {
  CoreDriver d(some_pits(1, false));
  d.begin();
  const auto c = d.caller();
  d.command(c, Verb::start, "pit0", 5 * second_ns);
  d.pass(5 * second_ns);
  const auto late = d.to_caller<Answer>();
  ASSERT_TRUE(late);
  EXPECT_EQ(late->code, errc::timeout);
  EXPECT_NE(late->text.find("pit0 is starting"), std::string::npos) << late->text;
  d.pit_ready();
  EXPECT_EQ(answers(d), 0U);
  d.say(c, Command{99, Verb::start, "pit0", 0, d.now, 0});
  EXPECT_EQ(d.to_caller<Answer>()->code, errc::timeout);
}

TEST(OperatorCommand, ThatMakesNoSenseIsRefusedWithTheRemedy) {
  auto d = ready_driver();
  const auto c = d.caller();
  d.command(c, Verb::start, "nobody");
  const auto unknown = d.to_caller<Answer>();
  EXPECT_EQ(unknown->code, errc::not_found);
  EXPECT_NE(unknown->text.find("symphony pit list"), std::string::npos);
  for (const TimeNs grace : {TimeNs{-1}, stop_grace_max_ns + 1}) {
    d.command(c, Verb::stop, "pit0", 30 * second_ns, 0, grace);
    EXPECT_EQ(d.to_caller<Answer>()->code, errc::invalid_argument) << grace;
  }
  EXPECT_EQ(d.core.pit_state(0), PitState::ready);
}

TEST(OperatorCommand, OfAPitsOwnConnectionIsRefused) {
  auto pits = some_pits(2);
  pits[0].calls = {"pit1"};
  auto d = ready_driver(pits);
  const ConnId conn = ++d.conns;
  d.step(CallerConnected{conn, 1000, 0});
  d.say(conn, Hello{1, 1, d.now, {}});
  for (const Verb verb : {Verb::start, Verb::stop, Verb::restart, Verb::show, Verb::end_broker, Verb::reload}) {
    d.command(conn, verb, "pit1");
    EXPECT_EQ(d.to_caller<Answer>()->code, errc::refused) << static_cast<int>(verb);
  }
  EXPECT_EQ(d.count<KillPit>() + d.count<Finished>() + d.count<ReadConfig>(), 0U);
}

TEST(OperatorCommand, NumberSixtyFiveWaitsForNobody) {
  CoreDriver d(some_pits(1, false));
  d.begin();
  const auto c = d.caller();
  for (std::size_t n = 0; n < commands_max; ++n) d.command(c, Verb::start);
  EXPECT_EQ(answers(d), 0U);
  d.command(c, Verb::start);
  EXPECT_EQ(d.to_caller<Answer>()->code, errc::busy);
  d.pit_ready();
  EXPECT_EQ(answers(d), commands_max);
  d.command(c, Verb::start);
  EXPECT_EQ(answers(d), commands_max + 1);
}

TEST(OperatorCommand, OfSomebodyWhoLeftIsForgotten) {
  auto d = ready_driver();
  const auto c = d.caller();
  d.command(c, Verb::stop);
  d.step(CallerLeft{c, true});
  d.out.clear();
  d.pit_exits(false, 0);
  EXPECT_EQ(answers(d), 0U);
  EXPECT_EQ(d.core.pit_state(0), PitState::stopped) << "what was asked for is done all the same";
  d.pass(60 * second_ns);
  EXPECT_EQ(answers(d), 0U);
}

TEST(OperatorCommand, AfterTheKeepersDeathIsUnreachable) {
  auto d = ready_driver();
  const auto c = d.caller();
  const auto stop = d.command(c, Verb::stop);
  d.step(KeeperLost{});
  EXPECT_EQ(d.to_caller<Answer>()->correlation, stop);
  d.command(c, Verb::start);
  EXPECT_EQ(d.to_caller<Answer>()->code, errc::unreachable);
}

TEST(OperatorEndBroker, IsAnsweredWithTheProcessToWaitForAndStopsAllPits) {
  auto d = ready_driver();
  const auto c = d.caller();
  d.command(c, Verb::end_broker);
  EXPECT_EQ(d.to_caller<Answer>()->daemon_pid, 4711);
  EXPECT_TRUE(d.said_to_pit<Stop>());
  d.command(c, Verb::start);
  EXPECT_EQ(d.to_caller<Answer>()->code, errc::closed);
  d.pit_exits(false, 0);
  EXPECT_EQ(d.count<Finished>(), 1U);
}

TEST(OperatorEndBroker, DoesNotWaitForALongerGraceThanItsOwn) {
  auto d = ready_driver();
  d.command(d.caller(), Verb::stop, "pit0", 3600 * second_ns, 0, 3600 * second_ns);
  d.step(StopAll{});
  d.pass(stop_grace_ns - 1);
  EXPECT_EQ(d.count<KillPit>(), 0U);
  d.pass(1);
  EXPECT_EQ(d.count<KillPit>(), 1U);
}

TEST(OperatorEndBroker, OfAProgramsOwnBrokerIsRefused) {
  BrokerCore core({some_pits(0), 1, 42, 1000});
  core.step(Begin{}, second_ns);
  core.step(CallerConnected{1, 1000}, second_ns);
  core.step(CallerMessage{1, Hello{1, 1, second_ns, {}}}, second_ns);
  for (const Verb verb : {Verb::end_broker, Verb::reload}) {
    core.step(CallerMessage{1, Command{1, verb, "", 0, 2 * second_ns, 0}}, second_ns);
  }
  std::size_t refusals = 0;
  for (Action a; core.pop(a);) {
    EXPECT_FALSE(std::holds_alternative<Finished>(a));
    const auto* sent = std::get_if<SendToCaller>(&a);
    const auto* answer = sent == nullptr ? nullptr : std::get_if<Answer>(&sent->message);
    refusals += answer != nullptr && answer->code == errc::refused ? 1 : 0;
  }
  EXPECT_EQ(refusals, 2U);
}

// ---- the next broker ----

TEST(OperatorNextBroker, LeavesAStoppedPitStopped) {
  CoreDriver d(some_pits(1), 1, true);
  d.begin();
  d.pit_ready();
  d.say(d.caller(), Command{1, Verb::stop, "pit0", 0, d.now + second_ns, 0});
  d.pit_exits(false, 0);
  auto next = next_broker(d, {});
  EXPECT_EQ(next.core.pit_state(0), PitState::stopped);
  EXPECT_EQ(next.count<SpawnPit>(), 0U);
  const auto deaths = next.report(next.caller()).deaths;
  ASSERT_EQ(deaths.size(), 1U) << "the last one is on record";
  EXPECT_EQ(deaths[0].cause, DeathCause::stop);
}

TEST(OperatorNextBroker, GoesOnWithAStopOrARestartInTheMiddle) {
  for (const bool alive : {true, false}) {
    for (const Verb verb : {Verb::stop, Verb::restart}) {
      CoreDriver d(some_pits(1), 1, true);
      d.begin();
      d.pit_ready();
      d.say(d.caller(), Command{1, verb, "pit0", 0, d.now + second_ns, 9 * second_ns});
      std::vector<ProcessFound> processes;
      if (alive) processes.push_back({0, 1, 101});
      auto next = next_broker(d, processes);
      if (alive) {
        EXPECT_EQ(next.said_to_pit<Stop>()->deadline_ns, d.now + 9 * second_ns) << "the word may have been lost";
        next.pass(9 * second_ns);
        EXPECT_EQ(next.count<KillPit>(), 1U);
        next.pit_exits(true, 9);
      }
      EXPECT_EQ(next.core.pit_state(0), verb == Verb::stop ? PitState::stopped : PitState::starting) << alive;
      EXPECT_EQ(next.count<SpawnPit>(), verb == Verb::stop ? 0U : 1U) << alive;
    }
  }
}

TEST(OperatorNextBroker, QuarantinesWhatTheLastOneWasKillingForIt) {
  CoreDriver d(some_pits(1), 1, true);
  d.begin();
  d.pit_ready();
  d.pit_says(Hello{});  // what no pit says
  auto next = next_broker(d, {{0, 1, 101}});
  EXPECT_EQ(next.count<KillPit>(), 1U);
  next.pit_exits(true, 9);
  EXPECT_EQ(next.core.pit_state(0), PitState::quarantined);
}

}  // namespace
}  // namespace symphony::detail::broker
