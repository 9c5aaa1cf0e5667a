// Supervision: when a pit is started, started again, killed, given up; and what the next broker makes of a dead one's
// records.
#include <algorithm>
#include <cerrno>
#include <csignal>

#include <gtest/gtest.h>

#include "tests/unit/broker/core_driver.hpp"

namespace symphony::detail::broker {
namespace {

using namespace control;

TEST(States, EndWhereNothingFollows) {
  for (std::size_t to = 0; to < pit_state_count; ++to) {
    EXPECT_EQ(may_become(PitState::stopped, static_cast<PitState>(to)), static_cast<PitState>(to) == PitState::starting)
        << "an operator may start it";
    EXPECT_FALSE(may_become(static_cast<PitState>(to), PitState::known)) << "a pit is new once";
    const auto from = static_cast<PitState>(to);
    EXPECT_EQ(may_become(from, PitState::ready), from == PitState::starting || from == PitState::swapping);
    EXPECT_EQ(may_become(from, PitState::swapping), from == PitState::ready) << "only what serves can hand over";
  }
  for (std::size_t to = 0; to < link_state_count; ++to) {
    EXPECT_EQ(may_become(LinkState::closing, static_cast<LinkState>(to)),
              static_cast<LinkState>(to) == LinkState::waiting);
    EXPECT_EQ(may_become(static_cast<LinkState>(to), LinkState::open),
              static_cast<LinkState>(to) == LinkState::peering);
    EXPECT_EQ(may_become(static_cast<LinkState>(to), LinkState::peering),
              static_cast<LinkState>(to) == LinkState::sealing);
  }
}

TEST(Supervision, RestartsAPitThatWasReadyAtOnceTheFirstTime) {
  auto d = ready_driver();
  d.out.clear();
  d.pit_exits(true, 11);
  EXPECT_EQ(d.core.pit_state(0), PitState::starting);
  EXPECT_EQ(d.take<SpawnPit>()->instance, 2U);
}

TEST(Supervision, WaitsLongerAfterEachFurtherDeathAndGivesUpAtTheFifth) {
  auto d = ready_driver();
  d.pit_exits(true, 9);
  TimeNs before = 0;
  for (int death = 2; death <= 4; ++death) {
    d.pit_ready();
    d.pit_exits(true, 9);
    ASSERT_EQ(d.core.pit_state(0), PitState::backoff) << death;
    const TimeNs delay = d.armed - d.now;
    const TimeNs nominal = (10 * ms_ns) << (death - 1);
    EXPECT_GE(delay, nominal * 3 / 4) << death;
    EXPECT_LE(delay, nominal * 5 / 4) << death;
    EXPECT_GT(delay, before);
    before = delay;
    d.pass(delay);
    ASSERT_EQ(d.core.pit_state(0), PitState::starting);
  }
  d.pit_ready();
  const auto c = d.caller();
  d.open(c);
  d.attach_until(c, LinkState::open);
  d.open(c);
  d.out.clear();
  d.pit_exits(true, 9);
  EXPECT_EQ(d.core.pit_state(0), PitState::quarantined);
  for (int link = 0; link < 2; ++link) EXPECT_EQ(d.to_caller<Refused>()->code, errc::quarantined);
  d.open(c);
  EXPECT_EQ(d.to_caller<Refused>()->code, errc::quarantined);
  EXPECT_EQ(d.core.link_count(), 0U);
  EXPECT_EQ(d.armed, no_deadline_ns);
}

TEST(Supervision, ForgetsDeathsThatAreAMinuteOld) {
  auto d = ready_driver();
  for (int death = 0; death < 20; ++death) {
    d.pit_exits(true, 9);
    ASSERT_EQ(d.core.pit_state(0), PitState::starting) << "at once, as the first";
    d.pit_ready();
    d.pass(stable_after_ns);
  }
}

TEST(Supervision, BacksOffNeverLongerThanItsMaximum) {
  auto pits = some_pits(1);
  pits[0].restart.failures_max = 16;
  pits[0].restart.window_ns = no_deadline_ns / 2;
  CoreDriver d(pits);
  d.begin();
  for (int death = 1; death < 16; ++death) {
    d.pit_exits(false, 1);
    ASSERT_EQ(d.core.pit_state(0), PitState::backoff);
    EXPECT_LE(d.armed - d.now, 10 * second_ns * 5 / 4);
    if (death == 15) {
      EXPECT_GE(d.armed - d.now, 10 * second_ns * 3 / 4);
    }
    d.pass(d.armed - d.now);
  }
  d.pit_exits(false, 1);
  EXPECT_EQ(d.core.pit_state(0), PitState::quarantined);
}

TEST(Supervision, ReadsTheExitStatus) {
  using Case = std::tuple<bool, int, PitState>;
  for (const auto& [signalled, value, state] :
       {Case{false, 0, PitState::stopped}, Case{false, 125, PitState::quarantined}, Case{false, 1, PitState::starting},
        Case{false, 75, PitState::backoff}, Case{true, SIGSYS, PitState::quarantined},
        Case{true, 9, PitState::starting}, Case{true, 125, PitState::starting}}) {
    auto d = ready_driver();
    d.pit_exits(signalled, value);
    EXPECT_EQ(d.core.pit_state(0), state) << signalled << ' ' << value;
  }
}

TEST(Supervision, RefusesLinksOfAPitThatFinishedWithClosed) {
  auto d = ready_driver();
  const auto c = d.caller();
  d.open(c);
  d.attach_until(c, LinkState::open);
  d.out.clear();
  d.pit_exits(false, 0);
  EXPECT_EQ(d.to_caller<Refused>()->code, errc::closed);
  EXPECT_EQ(d.core.link_count(), 0U);
}

TEST(Supervision, TellsAPitThatCannotStartFromOneThatCannotNow) {
  for (const auto& [why, state] : {std::pair{ENOENT, PitState::quarantined}, std::pair{EACCES, PitState::quarantined},
                                   std::pair{EAGAIN, PitState::backoff}, std::pair{ENOMEM, PitState::backoff}}) {
    CoreDriver d;
    d.begin();
    d.step(SpawnFailed{0, 1, why});
    EXPECT_EQ(d.core.pit_state(0), state) << why;
  }
}

TEST(Supervision, KillsAPitThatIsNotReadyInTime) {
  CoreDriver d;
  d.begin();
  d.step(PitSpawned{0, 1, 101});
  d.pass(30 * second_ns - 1);
  EXPECT_EQ(d.count<KillPit>(), 0U);
  d.pass(1);
  EXPECT_EQ(d.count<KillPit>(), 1U);
  d.pit_exits(true, 9);
  EXPECT_EQ(d.core.pit_state(0), PitState::backoff);
}

TEST(Supervision, QuarantinesAPitThatBreaksTheControlProtocol) {
  for (const Message& m : {Message(Hello{}), Message(PitReady{1, 1, second_ns, "p", "1", 0}), Message(Open{}),
                           Message(Close{}), Message(Go{}), Message(Stop{})}) {
    auto d = ready_driver();
    d.pit_says(m);
    EXPECT_EQ(d.count<KillPit>(), 1U) << m.index();
    d.pit_exits(true, 9);
    EXPECT_EQ(d.core.pit_state(0), PitState::quarantined) << m.index();
  }
  for (const PitReady& m :
       {PitReady{protocol_max + 1, 9, second_ns, "p", "1", 0}, PitReady{1, 1, 9 * second_ns, "p", "1", 0}}) {
    CoreDriver d;
    d.begin();
    d.step(PitSpawned{0, 1, 101});
    d.pit_says(m);
    d.pit_exits(true, 9);
    EXPECT_EQ(d.core.pit_state(0), PitState::quarantined);
  }
}

TEST(Supervision, GivesAPitThatHungUpTheTimeToBeDead) {
  auto d = ready_driver();
  d.step(PitHungUp{0, 1});
  EXPECT_EQ(d.count<KillPit>(), 0U);
  d.pit_exits(false, 0);
  EXPECT_EQ(d.core.pit_state(0), PitState::stopped) << "it only ended, as pits do";
  auto hiding = ready_driver();
  hiding.step(PitHungUp{0, 1});
  hiding.pass(hang_up_grace_ns);
  EXPECT_EQ(hiding.count<KillPit>(), 1U);
}

TEST(Supervision, IgnoresWhatADeadInstanceStillSays) {
  auto d = ready_driver();
  d.pit_exits(true, 9);
  d.out.clear();
  d.step(PitMessage{0, 1, PitReady{1, 1, d.now, "p", "1", 0}});
  d.step(PitExited{0, 1, true, 9});
  d.step(PitFaulted{0, 1});
  EXPECT_TRUE(d.out.empty());
  EXPECT_EQ(d.core.pit_state(0), PitState::starting);
}

TEST(Stop, AsksThenKillsAndReportsWhenNobodyIsLeft) {
  CoreDriver d(some_pits(3));
  d.begin();
  d.pit_ready(0);
  d.pit_ready(1);
  d.step(PitSpawned{2, 1, 300});  // still starting
  d.out.clear();
  d.step(StopAll{});
  EXPECT_EQ(d.count<KillPit>(), 1U);
  EXPECT_TRUE(d.said_to_pit<control::Stop>());
  d.pit_exits(false, 0, 0);
  d.pit_exits(true, 9, 2);
  EXPECT_EQ(d.count<Finished>(), 0U);
  d.out.clear();
  d.pass(stop_grace_ns);
  EXPECT_EQ(d.take<KillPit>()->pit, 1U);
  d.pit_exits(true, 9, 1);
  EXPECT_EQ(d.count<Finished>(), 1U);
  for (PitIndex pit = 0; pit < 3; ++pit) EXPECT_EQ(d.core.pit_state(pit), PitState::stopped);
}

TEST(Stop, KillsAPitThatIsSpawnedAfterTheWordCame) {
  CoreDriver d;
  d.begin();
  d.step(StopAll{});
  EXPECT_EQ(d.count<KillPit>(), 0U) << "there is no process yet";
  d.step(PitSpawned{0, 1, 101});
  EXPECT_EQ(d.count<KillPit>(), 1U);
  d.pit_exits(true, 9);
  EXPECT_EQ(d.count<Finished>(), 1U);
}

TEST(Stop, WithoutPitsIsDoneAtOnce) {
  CoreDriver d(some_pits(0));
  d.begin();
  d.step(StopAll{});
  EXPECT_EQ(d.count<Finished>(), 1U);
}

TEST(KeeperDeath, EndsEveryLinkAsUnreachable) {
  auto d = ready_driver();
  const auto c = d.caller();
  d.open(c);
  d.attach_until(c, LinkState::open);
  d.open(c);
  d.out.clear();
  d.step(KeeperLost{});
  for (int link = 0; link < 2; ++link) EXPECT_EQ(d.to_caller<Refused>()->code, errc::unreachable);
  d.open(c);
  EXPECT_EQ(d.to_caller<Refused>()->code, errc::unreachable);
  d.step(StopAll{});
  EXPECT_EQ(d.count<Finished>(), 1U);
}

TEST(Configuration, WithMoreThan64PitsIsRefused) {
  EXPECT_TRUE(check_pits(some_pits(pits_max)));
  EXPECT_EQ(check_pits(some_pits(pits_max + 1)).error().code, errc::too_large);
}

TEST(Configuration, OfSeveralInstancesCountsAsThatManyPits) {
  auto pits = some_pits(2);
  pits[0].name = "pool";
  pits[0].instances = 3;
  const auto each = each_instance(pits);
  ASSERT_EQ(each.size(), 4U);
  EXPECT_EQ(each[0].name, "pool");
  EXPECT_EQ(each[1].name, "pool.1");
  EXPECT_EQ(each[2].name, "pool.2");
  EXPECT_TRUE(check_pits(each));
  pits[1].name = "pool.2";
  EXPECT_EQ(check_pits(each_instance(pits)).error().code, errc::invalid_argument) << "a name of an instance is taken";
  pits.resize(1);
  for (const std::uint32_t instances : {0U, instances_max + 1}) {
    pits[0].instances = instances;
    EXPECT_EQ(check_pits(each_instance(pits)).error().code, errc::invalid_argument);
  }
  pits[0].instances = instances_max;
  EXPECT_EQ(each_instance(pits).size(), instances_max);
  EXPECT_TRUE(check_pits(each_instance(pits)));
}

// ---- the next broker ----

// What the keeper would hold, from the actions of a broker.
struct Memory {
  std::map<std::uint64_t, std::vector<std::byte>> records;
  void watch(const std::deque<Action>& actions) {
    for (const Action& a : actions) {
      if (const auto* put = std::get_if<PutRecord>(&a)) records[put->key] = put->blob;
      if (const auto* gone = std::get_if<DeleteRecord>(&a)) records.erase(gone->key);
    }
  }
  Begin begin(bool pit_alive = true) const {
    Begin b;
    if (pit_alive) b.processes.push_back({0, 1, 101});
    for (const auto& [key, blob] : records) b.records.push_back({key, blob});
    return b;
  }
};

// A broker that dies with its link of pit0 in this state; what is left of it.
std::pair<Memory, Attachment> dies_at(LinkState state, bool heavy_barriers = false) {
  CoreDriver d(some_pits(1), 1, true);
  Memory memory;
  d.begin();
  d.pit_ready(0, heavy_barriers);
  memory.watch(d.out);
  d.out.clear();
  const auto c = d.caller();
  d.open(c, "pit0", 0, 30 * second_ns, heavy_barriers);
  // Each step's actions are kept, as attach_until drops what it passes.
  Attachment at;
  const auto made = d.take<MakeSegments>();
  at = {1, made->link, made->epoch};
  if (state == LinkState::making) return {memory, at};
  d.step(SegmentsMade{at.link, at.epoch});
  if (state == LinkState::open) {
    d.say(c, Mapped{at});
    d.pit_says(Mapped{at});
    d.step(SegmentsSealed{at.link, at.epoch});
    d.say(c, Ready{at, 0});
    d.pit_says(Ready{at, 7});
  }
  memory.watch(d.out);
  return {memory, at};
}

CoreDriver next_broker(const Begin& begin) {
  CoreDriver d(some_pits(1), 2, true);
  d.now = 5 * second_ns;
  d.step(begin);
  return d;
}

TEST(NextBroker, KeepsAPitThatRunsAndALinkThatIsListed) {
  const auto [memory, at] = dies_at(LinkState::open);
  auto d = next_broker(memory.begin());
  EXPECT_EQ(d.core.pit_state(0), PitState::ready);
  EXPECT_EQ(d.count<SpawnPit>(), 0U);
  d.caller({{at.link, at.epoch}});
  EXPECT_EQ(d.to_caller<Welcome>()->generation, 2U);
  const auto keep = d.to_caller<Keep>();
  ASSERT_TRUE(keep);
  EXPECT_EQ(keep->generation, 2U);
  EXPECT_EQ(keep->link, at.link);
  EXPECT_EQ(keep->epoch, at.epoch);
  EXPECT_EQ(d.armed, no_deadline_ns);
}

TEST(NextBroker, MakesTheNextEpochOfAKeptLinkWhosePitDiedMeanwhile) {
  const auto [memory, at] = dies_at(LinkState::open);
  auto d = next_broker(memory.begin(false));
  EXPECT_EQ(d.core.pit_state(0), PitState::starting);
  const auto c = d.caller({{at.link, at.epoch}});
  EXPECT_TRUE(d.said_to_caller<Keep>());
  d.pit_ready();
  const auto next = d.attach_until(c, LinkState::open);
  EXPECT_EQ(next.link, at.link);
  EXPECT_GT(next.epoch, at.epoch);
}

TEST(NextBroker, KnowsWhoMakesHeavyBarriers) {
  for (const bool heavy : {false, true}) {
    const auto [memory, at] = dies_at(LinkState::open, heavy);
    {  // the pit, of a link that is new
      auto d = next_broker(memory.begin());
      d.open(d.caller(), "pit0", 0, 30 * second_ns, true);
      d.attach_until(d.conns, LinkState::owning);
      EXPECT_EQ(d.to_pit<Own>()->heavy_barriers, heavy);
    }
    {  // the caller, of a link whose pit is new
      auto d = next_broker(memory.begin(false));
      const auto c = d.caller({{at.link, at.epoch}});
      d.pit_ready(0, true);
      d.attach_until(c, LinkState::owning);
      EXPECT_EQ(d.to_pit<Own>()->heavy_barriers, heavy);
    }
  }
}

// What could go wrong: who opens a link again has given up the epoch it listed before, for a fault of the pit or
// because it was told to. Its Go would be for nobody, and the link would wait for ever.
TEST(NextBroker, StartsANewEpochForACallerThatGivesUpTheOneItListed) {
  const auto [memory, at] = dies_at(LinkState::open);
  auto d = next_broker(memory.begin());
  const auto c = d.caller({{at.link, at.epoch}});
  d.out.clear();
  d.open(c, "pit0", at.link);
  EXPECT_FALSE(d.said_to_caller<Go>());
  EXPECT_EQ(d.said_to_pit<Drop>()->at, (Attachment{2, at.link, at.epoch}));
  EXPECT_GT(d.attach_until(c, LinkState::open).epoch, at.epoch);
}

TEST(NextBroker, StartsANewEpochForACallerThatDroppedWhatItHadNoGoFor) {
  const auto [memory, at] = dies_at(LinkState::open);
  auto d = next_broker(memory.begin());
  d.out.clear();
  const auto c = d.caller();
  d.open(c, "pit0", at.link);
  const auto drop = d.said_to_pit<Drop>();
  ASSERT_TRUE(drop);
  EXPECT_EQ(drop->at, (Attachment{2, at.link, at.epoch}));
  const auto next = d.attach_until(c, LinkState::open);
  EXPECT_EQ(next.link, at.link);
  EXPECT_GT(next.epoch, at.epoch);
}

TEST(NextBroker, ReplacesAnEpochWhoseGoWasLostWhenTheCallerHoldsAnOlderOne) {
  const auto [memory, at] = dies_at(LinkState::open);
  auto records = memory;
  auto record = *decode_link(records.records.at(link_key(at.link)));
  record.open = at.epoch + 1;
  records.records[link_key(at.link)] = encode(record);
  auto d = next_broker(records.begin());
  d.out.clear();
  const auto c = d.caller({{at.link, at.epoch}});
  EXPECT_EQ(d.said_to_caller<Keep>()->epoch, at.epoch);
  EXPECT_EQ(d.said_to_pit<Drop>()->at.epoch, at.epoch + 1);
  EXPECT_GT(d.attach_until(c, LinkState::open).epoch, at.epoch + 1);
}

TEST(NextBroker, TellsThePitToDropWhatWasHalfMade) {
  const auto [memory, at] = dies_at(LinkState::owning);
  auto d = next_broker(memory.begin());
  const auto drop = d.said_to_pit<Drop>();
  ASSERT_TRUE(drop);
  EXPECT_EQ(drop->at, (Attachment{2, at.link, at.epoch}));
  EXPECT_EQ(d.take<DeleteRecord>()->key, link_key(at.link));
  EXPECT_EQ(d.core.link_count(), 0U);
  // Its caller opens it again, by the id it knows it by.
  const auto c = d.caller();
  d.open(c, "pit0", at.link);
  const auto next = d.attach_until(c, LinkState::open);
  EXPECT_EQ(next.link, at.link);
  EXPECT_GT(next.epoch, at.epoch);
}

TEST(NextBroker, KnowsNothingOfWhatThePitNeverHeardOf) {
  const auto [memory, at] = dies_at(LinkState::making);
  auto d = next_broker(memory.begin());
  EXPECT_FALSE(d.said_to_pit<Drop>());
  EXPECT_EQ(d.core.link_count(), 0U);
}

TEST(NextBroker, DropsALinkThatNobodyComesBackFor) {
  const auto [memory, at] = dies_at(LinkState::open);
  auto d = next_broker(memory.begin());
  d.pass(reconnect_grace_ns - 1);
  EXPECT_FALSE(d.said_to_pit<Drop>());
  d.pass(1);
  EXPECT_TRUE(d.said_to_pit<Drop>()->drain);
  d.pit_says(Drained{{2, at.link, at.epoch}});
  EXPECT_EQ(d.core.link_count(), 0U);
  EXPECT_EQ(d.core.caller_count(), 0U);
}

TEST(NextBroker, NeverUsesANumberAgain) {
  const auto [memory, at] = dies_at(LinkState::making);
  auto d = next_broker(memory.begin());
  const auto c = d.caller();
  d.open(c);
  const auto made = d.take<MakeSegments>();
  EXPECT_GT(made->link, at.link);
  EXPECT_GT(made->epoch, at.epoch);
}

TEST(NextBroker, LeavesAQuarantinedPitThere) {
  CoreDriver first(some_pits(1), 1, true);
  Memory memory;
  first.begin();
  first.pit_exits(false, 125);
  memory.watch(first.out);
  auto d = next_broker(memory.begin(false));
  EXPECT_EQ(d.core.pit_state(0), PitState::quarantined);
  const auto c = d.caller();
  d.open(c);
  EXPECT_EQ(d.to_caller<Refused>()->code, errc::quarantined);
}

TEST(Supervision, AStormOfExceptionsIsOneWhereThereIsALimitAndElseAnExit) {
  for (const std::uint32_t limit : {0U, 5U}) {
    auto pits = some_pits(1);
    pits[0].restart.exceptions_max = limit;
    CoreDriver d = ready_driver(std::move(pits));
    d.pit_exits(false, 70);
    EXPECT_EQ(d.core.pit_state(0), PitState::starting) << "a failure as each";
    d.step(CallerConnected{9, 1000});
    d.say(9, control::Hello{1, control::protocol_max, d.now, {}});
    const PitReport report = d.report(9);
    ASSERT_EQ(report.deaths.size(), 1U);
    EXPECT_EQ(report.deaths[0].cause, limit == 0 ? DeathCause::exit : DeathCause::exception_storm);
    EXPECT_EQ(report.failures, 1U);
  }
}

}  // namespace
}  // namespace symphony::detail::broker
