// Requests that stand still: what could go wrong is that a pit is killed which is slow within its budget, stopped, or
// on a machine that stood still itself; that one which hangs is not noticed; that somebody ticks while nothing is
// executed; or that a message which kills takes its pit into quarantine.
#include <gtest/gtest.h>

#include "bus/memory/segment.hpp"
#include "tests/unit/broker/core_driver.hpp"

namespace symphony::detail::broker {
namespace {

using namespace control;

constexpr TimeNs budget = 80 * ms_ns, tick = budget / 8, long_budget = 400 * ms_ns;
constexpr std::uint32_t ordinary_type = 5, long_type = 6;

std::vector<PitConfig> watched_pits(TimeBudgets budgets = {budget, {{long_type, long_budget}}}) {
  auto pits = some_pits(1);
  pits[0].budgets = std::move(budgets);
  return pits;
}

struct WatchdogTest : testing::Test {
  explicit WatchdogTest(TimeBudgets budgets = {budget, {{long_type, long_budget}}},
                        std::uint16_t protocol = protocol_max)
      : d(watched_pits(std::move(budgets))), pit_protocol(protocol) {
    d.begin();
    ready();
    c = d.caller();
    d.open(c);
    at = d.attach_until(c, LinkState::open);
    settle();
  }
  void ready() {
    const std::uint32_t instance = d.core.status().at(0).instance;
    d.step(PitSpawned{0, instance, static_cast<pid_t>(100 + instance)});
    d.step(PitMessage{0, instance, PitReady{1, pit_protocol, d.now, "p", "1", 1000}});
  }
  // The link's attach was watched: one look, and nobody looks any more.
  void settle() {
    see({});
    d.out.clear();
    EXPECT_EQ(d.armed, no_deadline_ns);
  }
  ExecutionSeen request(std::uint64_t id, std::uint32_t type = ordinary_type) const {
    return {at.epoch, 64 * id, {at.link, id, type, 3, 0}};
  }
  // A look at its time, or late by so much; what it sees.
  void see(std::vector<ExecutionSeen> executing, bool is_stopped = false, TimeNs late = 0, bool waits = false,
           std::uint64_t progress = 0) {
    ASSERT_NE(d.armed, no_deadline_ns) << "nobody looks";
    d.now = d.armed + late;
    d.armed = no_deadline_ns;
    d.step(TimerFired{});
    const auto look = d.take<LookAtPit>();
    ASSERT_TRUE(look);
    d.step(PitSeen{look->pit, look->instance, is_stopped, std::move(executing), waits, progress});
  }
  // Looks at which it executes nothing and a request waits, until something is done about it; how long that was.
  TimeNs wait_for_nothing(std::size_t looks_max = 2000) {
    const TimeNs since = d.now;
    for (std::size_t n = 0; n < looks_max && d.count<KillPit>() == 0; ++n) {
      see({}, false, 0, true, 64);
      if (testing::Test::HasFatalFailure()) break;
    }
    return d.now - since;
  }
  void still() { d.say(c, StandsStill{at}); }
  // Looks that see this, until something is done about it; how long it stood, as far as looks go.
  TimeNs stand(const ExecutionSeen& seen, std::size_t looks_max = 200) {
    const TimeNs since = d.now;
    for (std::size_t n = 0; n < looks_max && d.count<KillPit>() == 0 && !d.said_to_pit<CancelRequest>(); ++n) {
      see({seen});
      if (testing::Test::HasFatalFailure()) break;
    }
    return d.now - since;
  }
  void dies_of(std::uint64_t id, Effect effect = Effect::idempotent) {
    d.pit_exits(true, 11);
    if (d.core.pit_state(0) == PitState::backoff) d.pass(d.armed - d.now);
    if (d.core.pit_state(0) == PitState::quarantined) return d.say(c, Executing{at, id, ordinary_type, 3, 0, effect});
    d.out.clear();
    ready();
    const Attachment before = at;
    at = d.attach_until(c, LinkState::open);
    if (id != 0) d.say(c, Executing{before, id, ordinary_type, 3, 0, effect});
  }

  CoreDriver d;
  std::uint16_t pit_protocol;
  ConnId c = 0;
  Attachment at;
};

using CoreWatchdog = WatchdogTest;

TEST_F(CoreWatchdog, ARequestThatStandsThroughItsBudgetIsCancelledAndThenItsPitIsKilled) {
  still();
  EXPECT_GE(stand(request(9)), budget);
  const auto cancel = d.to_pit<CancelRequest>();
  ASSERT_TRUE(cancel);
  EXPECT_EQ(std::tuple(cancel->at, cancel->id), std::tuple(at, 9U));
  EXPECT_EQ(d.count<KillPit>(), 0U);
  EXPECT_GE(stand(request(9)), budget - tick) << "its grace";
  EXPECT_EQ(d.take<KillPit>()->instance, 1U);
  EXPECT_EQ(d.armed, no_deadline_ns);
  d.pit_exits(true, 9);
  EXPECT_EQ(d.core.pit_state(0), PitState::starting) << "replaced at once: a first death";
  const PitReport report = d.report(c);
  EXPECT_EQ(std::tuple(report.overruns, report.hangs), std::tuple(1U, 1U));
  EXPECT_EQ(report.budgets.each_ns, budget);
  ASSERT_EQ(report.deaths.size(), 1U);
  const PitDeath& death = report.deaths[0];
  EXPECT_EQ(std::tuple(death.executing.link, death.executing.id, death.executing.type, death.executing.size),
            std::tuple(at.link, 9U, ordinary_type, 3U))
      << "without a caller's word";
  EXPECT_EQ(death.executing_count, 1U);
}

TEST_F(CoreWatchdog, APitThatTakesNoRequestAndExecutesNoneHangsInATimer) {
  still();
  EXPECT_GE(wait_for_nothing(), silence_min_ns);
  ASSERT_TRUE(d.take<KillPit>());
  d.pit_exits(true, 9);
  d.step(CallerConnected{60, 1000});
  d.say(60, Hello{1, protocol_max, d.now, {}});
  const PitReport report = d.report(60);
  ASSERT_EQ(report.deaths.size(), 1U);
  EXPECT_EQ(report.deaths[0].cause, DeathCause::hang);
  EXPECT_EQ(report.deaths[0].executing_count, 0U) << "no message is to blame";
  EXPECT_EQ(std::tuple(report.overruns, report.hangs), std::tuple(0U, 1U));
}

TEST_F(CoreWatchdog, ATimerThatEndsWithinThatTimeIsNone) {
  still();
  for (std::uint64_t handled = 0; handled < 400; ++handled) see({}, false, 0, true, handled * 64);
  EXPECT_EQ(d.count<KillPit>(), 0U) << "it goes on between looks";
  see({});
  EXPECT_EQ(d.armed, no_deadline_ns) << "nobody waits any more, and nobody looks";
}

TEST_F(CoreWatchdog, TimeInWhichAPitIsStoppedInATimerIsNobodys) {
  still();
  for (int n = 0; n < 400; ++n) see({}, true, 0, true, 64);
  EXPECT_EQ(d.count<KillPit>(), 0U);
}

struct DurableWatchdog : WatchdogTest {
  DurableWatchdog() {
    d.core = BrokerCore({durable(), 1, 42, 1000, false, 4711, "/logs"});
    d.out.clear();
    d.begin();
    ready();
    c = d.caller();
    d.open(c);
    at = d.attach_until(c, LinkState::open);
    settle();
  }
  static std::vector<PitConfig> durable() {
    auto pits = watched_pits();
    pits[0].state.durability = Durability::journal;
    return pits;
  }
};

TEST_F(DurableWatchdog, WhoMayBeKeepingItsStateHasLonger) {
  still();
  EXPECT_GE(wait_for_nothing(), silence_of_durable_min_ns);
}

struct PartlyBudgeted : WatchdogTest {
  PartlyBudgeted() : WatchdogTest(TimeBudgets{0, {{ordinary_type, budget}}}) {}
};

TEST_F(PartlyBudgeted, WhereATypeMayTakeAsLongAsItLikesNobodyCanSay) {
  still();
  see({}, false, 0, true, 64);
  EXPECT_EQ(d.armed, no_deadline_ns);
}

TEST_F(CoreWatchdog, ACancelledRequestThatEndsCostsNobodyAnything) {
  still();
  stand(request(9));
  ASSERT_TRUE(d.to_pit<CancelRequest>());
  see({request(10)});
  EXPECT_GE(stand(request(10)), budget - tick) << "the next one has its own time";
  EXPECT_TRUE(d.to_pit<CancelRequest>());
  EXPECT_EQ(d.count<KillPit>(), 0U);
}

TEST_F(CoreWatchdog, RequestsThatFollowEachOtherAreNoHang) {
  still();
  for (std::uint64_t id = 1; id < 200; ++id) see({request(id)});
  EXPECT_FALSE(d.said_to_pit<CancelRequest>());
  EXPECT_EQ(d.count<KillPit>(), 0U);
}

TEST_F(CoreWatchdog, NobodyTicksWhileNothingIsExecuted) {
  EXPECT_EQ(d.armed, no_deadline_ns);
  still();
  EXPECT_EQ(d.armed, d.now + tick);
  still();
  EXPECT_EQ(d.armed, d.now + tick) << "it is looked at already";
  see({request(1)});
  EXPECT_NE(d.armed, no_deadline_ns);
  see({});
  EXPECT_EQ(d.armed, no_deadline_ns);
}

TEST_F(CoreWatchdog, OnlyTheCallerOfAnOpenLinkIsHeard) {
  const ConnId other = d.caller();
  d.say(other, StandsStill{at});
  d.say(c, StandsStill{{1, at.link, at.epoch + 1}});
  d.say(c, StandsStill{{1, at.link + 1, at.epoch}});
  EXPECT_EQ(d.armed, no_deadline_ns);
}

TEST_F(CoreWatchdog, AStoppedPitIsNeverKilledAndGoesOnWithTheTimeThatItHad) {
  still();
  see({request(9)});
  for (int n = 0; n < 4; ++n) see({request(9)});
  for (int n = 0; n < 1000; ++n) see({request(9)}, true);
  EXPECT_FALSE(d.said_to_pit<CancelRequest>());
  see({request(9)});  // what lies before it may have been in the stop
  EXPECT_EQ(stand(request(9)), budget - 4 * tick);
  EXPECT_TRUE(d.to_pit<CancelRequest>());
}

TEST_F(CoreWatchdog, ALookThatIsLateGivesEverythingSoMuchLonger) {
  still();
  see({request(9)});
  for (int n = 0; n < 7; ++n) see({request(9)}, false, 3600 * second_ns);
  EXPECT_FALSE(d.said_to_pit<CancelRequest>()) << "each counts as one tick";
  see({request(9)}, false, 3600 * second_ns);
  EXPECT_TRUE(d.to_pit<CancelRequest>());
}

TEST_F(CoreWatchdog, ATypeHasItsOwnBudget) {
  still();
  EXPECT_GE(stand(request(9, long_type)), long_budget);
  EXPECT_TRUE(d.to_pit<CancelRequest>());
}

TEST_F(CoreWatchdog, APitThatIsToLetGoOfALinkIsLookedAtUntilItHas) {
  d.say(c, Close{at.link});
  EXPECT_NE(d.armed, no_deadline_ns);
  see({});
  EXPECT_NE(d.armed, no_deadline_ns) << "the word is still owed";
  d.pit_says(Drained{at});
  see({});
  EXPECT_EQ(d.armed, no_deadline_ns);
}

TEST_F(CoreWatchdog, APitThatHangsWhileItsCallerIsGoneIsReplacedAllTheSame) {
  d.say(c, Close{at.link});
  stand(request(9));
  ASSERT_TRUE(d.to_pit<CancelRequest>());
  stand(request(9));
  EXPECT_EQ(d.count<KillPit>(), 1U);
}

TEST_F(CoreWatchdog, APitThatDoesNotAnswerAnAttachIsLookedAt) {
  const ConnId other = d.caller();
  d.open(other);
  d.attach_until(other, LinkState::peering);
  EXPECT_NE(d.armed, no_deadline_ns);
  stand(request(9));
  ASSERT_TRUE(d.to_pit<CancelRequest>());
  stand(request(9));
  EXPECT_EQ(d.count<KillPit>(), 1U);
}

TEST_F(CoreWatchdog, ARequestOfAnEpochThatIsOverIsSeenUntilThePitHasLeftIt) {
  d.open(c, "pit0", at.link);  // once more, while the pit hangs in a request of the epoch before
  EXPECT_EQ(d.count<ForgetWords>(), 0U);
  const Attachment next = d.attach_until(c, LinkState::peering);
  d.now = d.armed;
  d.step(TimerFired{});
  const auto look = d.take<LookAtPit>();
  ASSERT_TRUE(look);
  EXPECT_EQ(look->links, (std::vector<std::pair<LinkId, Epoch>>{{at.link, at.epoch}}));
  d.step(PitSeen{0, 1, false, {}});
  d.pit_says(Ready{next, 0});
  EXPECT_EQ(d.take<ForgetWords>()->epoch, at.epoch);
}

TEST_F(CoreWatchdog, APitThatOwesAWordAndSaysNothingForSoLongIsKilledWithoutAMessageToBlame) {
  d.say(c, Close{at.link});
  const TimeNs since = d.now;
  while (d.count<KillPit>() == 0 && d.now - since < 60 * second_ns) see({});
  EXPECT_GE(d.now - since, silence_min_ns);
  d.pit_exits(true, 9);
  EXPECT_EQ(d.report(c).deaths.back().executing_count, 0U);
}

TEST_F(CoreWatchdog, ALinkThatIsForgottenAtAPitWhichDoesNotLetGoTakesItsWordsAlong) {
  d.say(c, Close{at.link});
  for (std::size_t i = 1; i < closing_per_pit_max; ++i) {
    d.open(c);
    d.say(c, Close{d.attach_until(c, LinkState::open).link});
    EXPECT_EQ(d.count<ForgetWords>(), 0U);
  }
  d.open(c);
  d.say(c, Close{d.attach_until(c, LinkState::open).link});
  const auto forgotten = d.take<ForgetWords>();
  ASSERT_TRUE(forgotten);
  EXPECT_EQ(std::tuple(forgotten->link, forgotten->epoch), std::tuple(at.link, at.epoch));
  EXPECT_EQ(d.count<ForgetWords>(), 0U);
}

TEST_F(CoreWatchdog, OfAPitInANamespaceOfItsOwnItLooksBehindTheProcessThatWaitsThere) {
  const auto look_of = [&](SandboxBlocks sandbox) {
    d.pit_exits(true, 11);
    if (d.core.pit_state(0) == PitState::backoff) d.pass(d.armed - d.now);
    const std::uint32_t instance = d.core.status().at(0).instance;
    d.step(PitSpawned{0, instance, 200});
    PitReady said{1, pit_protocol, d.now, "p", "1", 1000};
    said.sandbox = sandbox;
    d.step(PitMessage{0, instance, said});
    at = d.attach_until(c, LinkState::open);
    d.now = std::exchange(d.armed, no_deadline_ns);
    d.step(TimerFired{});
    return d.take<LookAtPit>().value().has_namespace;
  };
  EXPECT_FALSE(look_of(bit_of(SandboxBlock::user_namespace)));
  EXPECT_TRUE(look_of(bit_of(SandboxBlock::user_namespace) | bit_of(SandboxBlock::pid_namespace)));
}

TEST_F(CoreWatchdog, WordsAreKeptFromTheOpenToTheEndOfAnEpoch) {
  d.pit_exits(true, 11);
  const auto forgotten = d.take<ForgetWords>();
  ASSERT_TRUE(forgotten);
  EXPECT_EQ(std::tuple(forgotten->link, forgotten->epoch), std::tuple(at.link, at.epoch));
  ready();
  at = d.attach_until(c, LinkState::owning);
  EXPECT_EQ(d.count<KeepWords>(), 0U);
  d.say(c, Mapped{at});
  d.pit_says(Mapped{at});
  d.step(SegmentsSealed{at.link, at.epoch});
  d.say(c, Ready{at, 0});
  d.pit_says(Ready{at, 0});
  const auto kept = d.take<KeepWords>();
  ASSERT_TRUE(kept);
  EXPECT_EQ(std::tuple(kept->link, kept->epoch, kept->request_capacity),
            std::tuple(at.link, at.epoch, ring_capacity_default));
  EXPECT_TRUE(d.take<ForgetSegments>()) << "after them";
}

TEST_F(CoreWatchdog, TheCallersWordForAHangIsNotAnotherMessage) {
  still();
  stand(request(9));
  (void)d.to_pit<CancelRequest>();
  stand(request(9));
  dies_of(9);
  const PitReport report = d.report(c);
  EXPECT_EQ(report.deaths.back().cause, DeathCause::crash) << "to who speaks version 1";
  EXPECT_EQ(report.deaths.back().executing_count, 1U);
}

TEST_F(CoreWatchdog, AnOperatorHearsOfTheHangWhereHeKnowsTheWord) {
  still();
  stand(request(9));
  (void)d.to_pit<CancelRequest>();
  stand(request(9));
  d.pit_exits(true, 9);
  for (const auto& [version, cause] : {std::pair{protocol_of_watchdog, DeathCause::hang},
                                       {static_cast<std::uint16_t>(protocol_of_watchdog - 1), DeathCause::crash}}) {
    const ConnId conn = ++d.conns;
    d.step(CallerConnected{conn, 1000});
    d.step(CallerMessage{conn, Hello{1, version, d.now, {}}});
    EXPECT_EQ(d.report(conn).deaths.back().cause, cause) << version;
  }
}

struct OlderPit : WatchdogTest {
  OlderPit() : WatchdogTest({budget, {}}, protocol_of_watchdog - 1) {}
};
TEST_F(OlderPit, IsToldOfNoCancelAndKilledAtOnce) {
  still();
  EXPECT_GE(stand(request(9)), budget);
  EXPECT_EQ(d.count<KillPit>(), 1U);
  EXPECT_FALSE(d.said_to_pit<CancelRequest>());
}

struct BudgetOfOneType : WatchdogTest {
  BudgetOfOneType() : WatchdogTest({0, {{long_type, budget}}}) {}
};
TEST_F(BudgetOfOneType, LeavesTheOthersAllTheTimeThereIs) {
  still();
  see({request(9, ordinary_type)});
  EXPECT_EQ(d.armed, no_deadline_ns) << "nothing ends it, so nobody looks";
  EXPECT_EQ(d.count<KillPit>(), 0U);
  still();
  EXPECT_GE(stand(request(10, long_type)), budget);
  EXPECT_TRUE(d.to_pit<CancelRequest>());
}

TEST(CoreWatchdogOff, APitWithoutBudgetsIsNeverLookedAt) {
  CoreDriver d = ready_driver();
  const ConnId c = d.caller();
  d.open(c);
  const Attachment at = d.attach_until(c, LinkState::open);
  EXPECT_EQ(d.count<KeepWords>(), 0U);
  d.say(c, StandsStill{at});
  EXPECT_EQ(d.armed, no_deadline_ns);
}

TEST(CoreWatchdogOff, BudgetsThatMakeNoSenseAreRefused) {
  for (const TimeBudgets& budgets :
       {TimeBudgets{time_budget_min_ns - 1, {}}, TimeBudgets{time_budget_max_ns + 1, {}}, TimeBudgets{0, {{1, 0}}},
        TimeBudgets{0, {{1, second_ns}, {1, second_ns}}},
        TimeBudgets{0, std::vector<TimeBudgets::OfType>(time_budgets_max + 1, {1, second_ns})}}) {
    EXPECT_FALSE(check_pits(watched_pits(budgets)));
  }
  TimeBudgets most{time_budget_max_ns, {}};
  for (std::uint32_t type = 0; type < time_budgets_max; ++type) most.of_types.push_back({type, time_budget_min_ns});
  EXPECT_TRUE(check_pits(watched_pits(most)));
}

// ---- whose fault a death was

TEST_F(CoreWatchdog, DeathsThatMessagesAreToBlameForDoNotLeadToQuarantine) {
  TimeNs longest = 0;
  for (std::uint64_t id = 1; id <= 10; ++id) {
    const TimeNs before = d.now;
    dies_of(id);
    longest = std::max(longest, d.now - before);
    ASSERT_EQ(d.core.pit_state(0), PitState::ready) << id;
  }
  EXPECT_EQ(d.report(c).failures, 0U);
  EXPECT_GT(longest, second_ns) << "the back-off counts them: nobody has a process started for each message";
}

TEST_F(CoreWatchdog, DeathsOfWhichNobodySaysAnythingAndOfWhatMayRunOnceDo) {
  for (int n = 1; n < 5; ++n) dies_of(n % 2 == 0 ? 0 : 9, Effect::once);
  EXPECT_EQ(d.report(c).failures, 4U);
  d.pit_exits(true, 11);
  EXPECT_EQ(d.core.pit_state(0), PitState::quarantined);
}

TEST_F(CoreWatchdog, APitThatIsQuarantinedForAMessageServesAgainWhenThatIsKnown) {
  for (int n = 1; n < 5; ++n) dies_of(0);
  const Attachment last = at;
  d.pit_exits(true, 11);
  ASSERT_EQ(d.core.pit_state(0), PitState::quarantined);
  d.say(c, Executing{last, 9, ordinary_type, 3, 0, Effect::idempotent});
  EXPECT_EQ(d.core.pit_state(0), PitState::starting);
}

}  // namespace
}  // namespace symphony::detail::broker
