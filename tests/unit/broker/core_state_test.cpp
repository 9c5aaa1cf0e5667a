// The memory for a pit's state: whose the next instance goes on from, and that none is left or lost.
#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "bus/broker/pit_slots.hpp"
#include "tests/unit/broker/core_driver.hpp"

namespace symphony::detail::broker {
namespace {

using testing::ElementsAre;

std::vector<PitConfig> durable_pit() {
  auto pits = some_pits(1);
  pits[0].state.durability = Durability::journal;
  return pits;
}

// What of the state is on record after these actions: keys of state_key(). The shell puts them when it starts a pit.
std::set<std::uint64_t> states_held(const std::deque<Action>& actions, std::set<std::uint64_t> held = {}) {
  for (const Action& a : actions) {
    if (const auto* spawn = std::get_if<SpawnPit>(&a)) held.insert(state_key(spawn->pit, spawn->instance));
    if (const auto* gone = std::get_if<DeleteRecord>(&a)) held.erase(gone->key);
  }
  return held;
}

TEST(KeptState, OfTheLastReadyInstanceIsWhatTheNextGoesOnFrom) {
  CoreDriver d(durable_pit());
  d.begin();
  EXPECT_EQ(d.take<SpawnPit>()->state_instance, 0u) << "nobody was there before";
  d.pit_ready();
  d.pit_exits(true, 9);
  EXPECT_EQ(d.take<SpawnPit>()->state_instance, 1u);
  d.pit_exits(true, 9);  // before it was ready: what it has of its own is not complete
  d.pass(second_ns);
  EXPECT_EQ(d.take<SpawnPit>()->state_instance, 1u);
  d.pit_ready();
  d.pit_exits(true, 9);
  d.pass(second_ns);
  EXPECT_EQ(d.take<SpawnPit>()->state_instance, 3u);
}

TEST(KeptState, IsHeldOnceBetweenInstancesAndTwiceWhileOneStarts) {
  CoreDriver d(durable_pit());
  d.begin();
  d.pit_ready();
  EXPECT_THAT(states_held(d.out), ElementsAre(state_key(0, 1)));
  d.pit_exits(true, 9);
  EXPECT_THAT(states_held(d.out), ElementsAre(state_key(0, 1), state_key(0, 2)));
  d.pit_ready();
  EXPECT_THAT(states_held(d.out), ElementsAre(state_key(0, 2)));
  d.pit_exits(true, 9);
  d.pass(second_ns);
  d.step(SpawnFailed{0, 3, EAGAIN});
  EXPECT_THAT(states_held(d.out), ElementsAre(state_key(0, 2)));
}

TEST(KeptState, OutlivesQuarantineAndAnOperatorsStop) {
  CoreDriver d(durable_pit());
  d.begin();
  d.pit_ready();
  const ConnId conn = d.caller();
  d.command(conn, control::Verb::stop);
  d.pit_exits(false, 0);
  EXPECT_THAT(states_held(d.out), ElementsAre(state_key(0, 1)));
  d.command(conn, control::Verb::start);
  std::uint32_t from = 0;
  while (const auto spawn = d.take<SpawnPit>()) from = spawn->state_instance;
  EXPECT_EQ(from, 1u);
}

// The record that names the new state comes before the old one goes: whichever the next broker finds is whole.
TEST(KeptState, IsOnRecordBeforeTheOneBeforeGoes) {
  CoreDriver d(durable_pit());
  d.begin();
  d.pit_ready();
  d.pit_exits(true, 9);
  d.out.clear();
  d.pit_ready();
  bool is_recorded = false;
  for (const Action& a : d.out) {
    if (const auto* put = std::get_if<PutRecord>(&a); put != nullptr && put->key == pit_key(0)) {
      is_recorded = decode_pit(put->blob)->state_instance == 2;
    }
    if (const auto* gone = std::get_if<DeleteRecord>(&a); gone != nullptr && gone->key == state_key(0, 1)) {
      EXPECT_TRUE(is_recorded);
      return;
    }
  }
  FAIL() << "the old state stays for ever";
}

TEST(KeptState, IsFoundByTheNextBrokerAndWhatNobodyNeedsGoes) {
  CoreDriver d(durable_pit(), 1, true);
  d.begin();
  d.pit_ready();
  std::vector<std::byte> record;
  for (const Action& a : d.out) {
    if (const auto* put = std::get_if<PutRecord>(&a); put != nullptr && put->key == pit_key(0)) record = put->blob;
  }
  for (const bool alive : {true, false}) {
    CoreDriver next(durable_pit(), 2, true);
    std::vector<ProcessFound> processes;
    if (alive) processes.push_back({0, 1, 101});
    next.step(Begin{processes, {{pit_key(0), record}, {state_key(0, 1), {}}, {state_key(0, 7), {}}}});
    std::set<std::uint64_t> expected{state_key(0, 1)};
    if (!alive) expected.insert(state_key(0, 2));
    EXPECT_EQ(states_held(next.out, {state_key(0, 1), state_key(0, 7)}), expected);
    if (!alive) {
      EXPECT_EQ(next.take<SpawnPit>()->state_instance, 1u);
    }
  }
}

// Where the state is in a file that could not be put in its place, going on would lose it with the daemon, unsaid.
TEST(KeptState, ThatItsFolderDoesNotTakeCostsThePitItsProcessAndNotTheState) {
  CoreDriver d(durable_pit());
  d.begin();
  d.pit_ready();
  d.step(StateFailed{0, 1, "no folder"});
  EXPECT_EQ(d.core.pit_state(0), PitState::stopping);
  ASSERT_TRUE(d.take<KillPit>());
  d.out.clear();
  d.pit_exits(true, 9);
  EXPECT_EQ(d.take<SpawnPit>()->state_instance, 1u);
  const PitReport report = d.report(d.caller());
  ASSERT_EQ(report.deaths.size(), 1u);
  EXPECT_EQ(report.deaths[0].cause, DeathCause::state);
  EXPECT_THAT(report.reason, testing::HasSubstr("no folder"));
}

TEST(KeptState, OfAnEarlierInstanceThatFailedIsNoMatterOfTheNext) {
  CoreDriver d(durable_pit());
  d.begin();
  d.pit_ready();
  d.pit_exits(true, 9);
  d.step(StateFailed{0, 1, "no folder"});
  EXPECT_EQ(d.core.pit_state(0), PitState::starting);
}

// A link that ended while its pit had no process: the next instance's state still knows it, and has to forget it.
TEST(KeptState, LosesWhatItKnowsOfALinkThatEndedWhileThePitWasDead) {
  CoreDriver d(durable_pit());
  d.begin();
  d.pit_ready();
  const ConnId conn = d.caller();
  d.open(conn);
  const Attachment at = d.attach_until(conn, LinkState::open);
  d.pit_exits(true, 9);
  d.say(conn, control::Close{at.link});
  d.out.clear();
  d.pit_ready();
  const auto drop = d.to_pit<control::Drop>();
  ASSERT_TRUE(drop);
  EXPECT_EQ(drop->at.link, at.link);
  EXPECT_TRUE(drop->drain);
  d.pit_exits(true, 9);
  d.pass(second_ns);
  d.out.clear();
  d.pit_ready();
  EXPECT_FALSE(d.to_pit<control::Drop>()) << "it was told";
}

TEST(KeptState, OfAPitThatIsNotDurableIsNotHeld) {
  CoreDriver d;
  d.begin();
  d.pit_ready();
  d.pit_exits(true, 9);
  d.pit_ready();
  for (const Action& a : d.out) {
    if (const auto* gone = std::get_if<DeleteRecord>(&a)) {
      EXPECT_FALSE(is_state_key(gone->key));
    }
    if (const auto* spawn = std::get_if<SpawnPit>(&a)) {
      EXPECT_EQ(spawn->state_instance, 0u);
    }
  }
}

// Found by the simulator: the next instance was told to forget a link that was in use, and ran a call twice.
TEST(State, OfALinkWhoseCallerCameBackIsNotForgotten) {
  auto pits = some_pits(1);
  pits[0].state.durability = Durability::journal;
  CoreDriver d(pits, 2, true);
  PitRecord pit;
  pit.state = PitState::ready;
  pit.instance = pit.state_instance = 1;
  pit.started_with = fingerprint(pits[0]);
  LinkRecord link{0, 1, 1000, 65536, 65536, false, 1, 2, 0};  // open, and attaching anew when its broker died
  d.step(Begin{{{0, 1, 100}}, {{link_key(1), encode(link)}, {pit_key(0), encode(pit)}, {state_key(0, 1), {}}}});
  d.pass(reconnect_grace_ns);
  ASSERT_EQ(d.core.link_count(), 0U) << "its caller was late";
  const auto c = d.caller();
  d.open(c, "pit0", 1);
  d.attach_until(c, LinkState::open);
  d.pit_exits(true, 9);
  d.out.clear();
  d.pit_ready();
  EXPECT_FALSE(d.said_to_pit<control::Drop>());
}

}  // namespace
}  // namespace symphony::detail::broker
