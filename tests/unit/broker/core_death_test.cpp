// Why a pit ended, and what follows from each reason. What could go wrong: what would come to the same end each time is
// tried again and again, what only has to wait ends in quarantine, or an operator hears of another reason.
#include <gtest/gtest.h>

#include <csignal>

#include "tests/unit/broker/core_driver.hpp"

namespace symphony::detail::broker {
namespace {

using namespace control;

struct Death : CoreDriver {
  Death() {
    begin();
    pit_ready();
  }
  ConnId caller_of(std::uint16_t protocol) {
    const ConnId conn = ++conns;
    step(CallerConnected{conn, 1000});
    step(CallerMessage{conn, Hello{1, protocol, now, {}}});
    return conn;
  }
  PitDeath last_as_told_to(std::uint16_t protocol) { return report(caller_of(protocol)).deaths.back(); }
  PitExited exited(bool signalled, int value) const { return {0, core.status().at(0).instance, signalled, value}; }
};

TEST(ReasonOfDeath, OfASandboxViolationIsQuarantineAtOnce) {
  Death d;
  d.step(d.exited(true, SIGSYS));
  EXPECT_EQ(d.core.pit_state(0), PitState::quarantined);
  const PitReport report = d.report(d.caller_of(protocol_max));
  EXPECT_EQ(report.deaths.back().cause, DeathCause::sandbox);
  EXPECT_NE(report.reason.find("what its filter forbids (SIGSYS)"), std::string::npos) << report.reason;
}

TEST(ReasonOfDeath, OfWhatWouldHappenAgainIsInItsLastLine) {
  Death d;
  PitExited never = d.exited(false, 125);
  never.last_lines = "at work\nx.so: no pit: build it with symphony_add_pit\n";
  d.step(never);
  EXPECT_EQ(d.core.pit_state(0), PitState::quarantined);
  EXPECT_EQ(d.report(d.caller_of(protocol_max)).reason,
            "it ended with status 125, never again: x.so: no pit: build it with symphony_add_pit");
}

TEST(ReasonOfDeath, OfTheKernelsWantOfMemoryIsNamedAndAFailure) {
  Death d;
  PitExited killed = d.exited(true, SIGKILL);
  killed.out_of_memory = true;
  d.step(killed);
  EXPECT_EQ(d.core.pit_state(0), PitState::starting) << "the first time at once, as after each death";
  EXPECT_EQ(d.last_as_told_to(protocol_max).cause, DeathCause::out_of_memory);
  for (int death = 2; death <= 5; ++death) {
    killed.instance = d.core.status().at(0).instance;
    d.step(killed);
    if (death < 5) d.pass(d.armed - d.now);
  }
  EXPECT_EQ(d.core.pit_state(0), PitState::quarantined);
  EXPECT_NE(d.report(d.caller_of(protocol_max)).reason.find("no memory left"), std::string::npos);
}

TEST(ReasonOfDeath, ThatAsksToBeTriedAgainIsWaitedForLongerAndLongerAndNeverQuarantined) {
  Death d;
  TimeNs before = 0;
  for (int death = 0; death < 40; ++death) {
    PitExited again = d.exited(false, 75);
    again.last_lines = "no planet there\n";
    d.step(again);
    ASSERT_EQ(d.core.pit_state(0), PitState::backoff) << death;
    const TimeNs wait = d.armed - d.now;
    EXPECT_LE(wait, 10 * second_ns * 5 / 4);
    if (death < 8) {  // with 25 % of jitter either way, each is longer than the one before
      EXPECT_GT(wait, before) << death;
    }
    before = wait;
    d.pass(wait);
  }
  EXPECT_GE(before, 10 * second_ns * 3 / 4);
  const PitReport report = d.report(d.caller_of(protocol_max));
  EXPECT_EQ(report.deaths.back().cause, DeathCause::try_again);
  EXPECT_EQ(report.failures, 0U);
  EXPECT_NE(report.reason.find("no planet there"), std::string::npos) << report.reason;
  // Once it was ready it begins with the shortest wait again.
  d.pit_ready();
  d.step(d.exited(false, 75));
  EXPECT_LE(d.armed - d.now, 10 * ms_ns * 5 / 4);
}

TEST(ReasonOfDeath, ThatAnOlderOperatorDoesNotKnowIsToldAsTheNearest) {
  Death d;
  d.step(d.exited(false, 75));
  EXPECT_EQ(d.last_as_told_to(protocol_of_causes - 1).cause, DeathCause::exit);
  EXPECT_EQ(d.last_as_told_to(protocol_of_causes).cause, DeathCause::try_again);
  d.pass(d.armed - d.now);
  d.step(d.exited(true, SIGSYS));
  EXPECT_EQ(d.last_as_told_to(protocol_of_causes - 1).cause, DeathCause::crash);
}

TEST(ReasonOfDeath, ComesWithThePlaceOfTheCoreDump) {
  Death d;
  PitExited dumped = d.exited(true, SIGSEGV);
  dumped.core = "/var/crash/core.4711";
  d.step(dumped);
  const PitDeath death = d.last_as_told_to(protocol_max);
  EXPECT_EQ(std::pair(death.cause, death.core), std::pair(DeathCause::crash, dumped.core));
}

}  // namespace
}  // namespace symphony::detail::broker
