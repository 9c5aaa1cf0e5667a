// Pits that begin anew together with what they need: what could go wrong is that one keeps what it knew of an instance
// that is gone, says something of it to the next one, or that two that need each other restart each other for ever.
#include <gtest/gtest.h>

#include "tests/unit/broker/core_driver.hpp"

namespace symphony::detail::broker {
namespace {

using namespace control;

// pit1 calls pit0, pit2 calls pit1.
std::vector<PitConfig> chain_of_pits() {
  auto pits = some_pits(3);
  for (std::size_t i = 1; i < 3; ++i) {
    pits[i].calls = {pits[i - 1].name};
    pits[i].restart.strategy = RestartStrategy::rest_for_one;
  }
  return pits;
}

struct CoreNeeded : testing::Test {
  explicit CoreNeeded(std::vector<PitConfig> pits = chain_of_pits()) : d(std::move(pits)) {
    d.begin();
    for (PitIndex i = 0; i < 3; ++i) d.pit_ready(i);
    d.out.clear();
  }
  // The places that were told to stop, in order.
  std::vector<PitIndex> told_to_stop() {
    std::vector<PitIndex> out;
    while (const auto sent = d.take<SendToPit>()) {
      if (std::holds_alternative<Stop>(sent->message)) out.push_back(sent->pit);
    }
    return out;
  }
  std::uint32_t instance(PitIndex pit) { return d.core.status().at(pit).instance; }

  CoreDriver d;
};

TEST_F(CoreNeeded, WhoeverNeedsAPitThatDiedBeginsAnewAndWhoNeedsThemToo) {
  d.pit_exits(true, 11, 0);
  EXPECT_EQ(told_to_stop(), (std::vector<PitIndex>{1, 2}));
  EXPECT_EQ(d.core.pit_state(0), PitState::starting) << "it does not wait for them";
  d.pit_exits(false, 0, 1);
  d.pit_exits(false, 0, 2);
  for (const PitIndex i : {1U, 2U}) {
    EXPECT_EQ(d.core.pit_state(i), PitState::starting);
    EXPECT_EQ(instance(i), 2U);
  }
  d.out.clear();
  for (PitIndex i = 0; i < 3; ++i) d.pit_ready(i);
  EXPECT_EQ(told_to_stop(), std::vector<PitIndex>{}) << "once each";
  d.step(CallerConnected{60, 1000});
  d.say(60, Hello{1, protocol_max, d.now, {}});  // an older operator would not know the cause
  const PitReport report = d.report(60, "pit1");
  EXPECT_EQ(report.failures, 0U) << "it did not fail";
  ASSERT_EQ(report.deaths.size(), 1U);
  EXPECT_EQ(report.deaths[0].cause, DeathCause::needed);
}

TEST_F(CoreNeeded, WhoNeedsNothingOfItGoesOn) {
  d.pit_exits(true, 11, 2);
  EXPECT_EQ(told_to_stop(), std::vector<PitIndex>{}) << "the last of the chain is needed by nobody";
  d.pit_exits(true, 11, 1);
  EXPECT_EQ(d.core.pit_state(0), PitState::ready) << "what it needs goes on";
}

TEST_F(CoreNeeded, AnOperatorsRestartCountsAndAnEndForGoodDoesNot) {
  const ConnId c = d.caller();
  d.command(c, Verb::stop);
  d.out.clear();
  d.pit_exits(false, 0, 0);
  EXPECT_EQ(told_to_stop(), std::vector<PitIndex>{}) << "nothing began anew";
  d.command(c, Verb::start);
  EXPECT_EQ(told_to_stop(), (std::vector<PitIndex>{1, 2}));
}

TEST_F(CoreNeeded, ATryThatNeverServedRestartsNobodyAgain) {
  d.pit_exits(true, 11, 0);
  for (const PitIndex i : {1U, 2U}) d.pit_exits(false, 0, i), d.pit_ready(i);
  d.out.clear();
  d.pit_exits(true, 11, 0);  // it never was ready
  d.pass(second_ns);
  EXPECT_EQ(d.core.pit_state(0), PitState::starting);
  EXPECT_EQ(told_to_stop(), std::vector<PitIndex>{});
}

TEST_F(CoreNeeded, WhatALeavingPitStillWaitsForEndsAndReachesNoLaterInstance) {
  d.step(CallerConnected{50, 1000, PitIndex{1}});
  d.say(50, Hello{1, 1, d.now, {}});
  d.open(50, "pit0");
  const Attachment at = d.attach_until(50, LinkState::open, 0);
  d.out.clear();
  d.pit_exits(true, 11, 0);
  const auto refused = d.said_to_caller<Refused>();
  ASSERT_TRUE(refused);
  EXPECT_EQ(std::tuple(refused->link, refused->code), std::tuple(at.link, errc::closed));
  d.out.clear();
  d.open(50, "pit0");
  ASSERT_TRUE(d.said_to_caller<Refused>()) << "nor may it open another";
  d.pit_ready(0);
  EXPECT_EQ(d.count<MakeSegments>(), 0U);
  d.step(CallerLeft{50, true});
  d.pit_exits(false, 0, 1);
  d.pit_ready(1);
  d.step(CallerConnected{51, 1000, PitIndex{1}});
  d.say(51, Hello{1, 1, d.now, {}});
  d.out.clear();
  d.open(51, "pit0");
  EXPECT_EQ(d.count<MakeSegments>(), 1U) << "its next instance may";
}

TEST_F(CoreNeeded, ItsCallersLinksFollowItAsAfterAnOperatorsRestart) {
  const ConnId c = d.caller();
  d.open(c, "pit1");
  const Attachment at = d.attach_until(c, LinkState::open, 1);
  d.out.clear();
  d.pit_exits(true, 11, 0);
  d.pit_exits(false, 0, 1);
  d.pit_ready(1);
  const Attachment next = d.attach_until(c, LinkState::open, 1);
  EXPECT_EQ(next.link, at.link);
  EXPECT_GT(next.epoch, at.epoch);
  EXPECT_FALSE(d.said_to_caller<Refused>());
}

TEST_F(CoreNeeded, TheNextBrokerGoesOnWithIt) {
  d.pit_exits(true, 11, 0);
  std::vector<RecordFound> records;
  for (const Action& a : d.out) {
    if (const auto* put = std::get_if<PutRecord>(&a); put != nullptr && is_pit_key(put->key)) {
      std::erase_if(records, [&](const RecordFound& r) { return r.key == put->key; });
      records.push_back({put->key, put->blob});
    }
  }
  CoreDriver next(chain_of_pits(), 2);
  next.step(Begin{{{0, 2, 102}, {1, 1, 101}, {2, 1, 101}}, records});
  EXPECT_EQ(next.core.pit_state(1), PitState::stopping);
  EXPECT_TRUE(next.said_to_pit<Stop>()) << "the word may be lost";
  next.step(PitExited{1, 1, false, 0});
  EXPECT_EQ(next.core.pit_state(1), PitState::starting);
}

struct CoreNeededInACircle : CoreNeeded {
  CoreNeededInACircle() : CoreNeeded(circle()) {}
  static std::vector<PitConfig> circle() {
    auto pits = chain_of_pits();
    pits[0].calls = {"pit2"};
    pits[0].restart.strategy = RestartStrategy::rest_for_one;
    return pits;
  }
};

TEST_F(CoreNeededInACircle, EachBeginsAnewOnce) {
  d.pit_exits(true, 11, 0);
  EXPECT_EQ(told_to_stop(), (std::vector<PitIndex>{1, 2}));
  for (const PitIndex i : {1U, 2U}) d.pit_exits(false, 0, i);
  for (PitIndex i = 0; i < 3; ++i) d.pit_ready(i);
  EXPECT_EQ(told_to_stop(), std::vector<PitIndex>{});
  for (PitIndex i = 0; i < 3; ++i) EXPECT_EQ(instance(i), 2U);
}

TEST(CoreNeededConfig, WithoutCallsIsRefused) {
  auto pits = some_pits(1);
  pits[0].restart.strategy = RestartStrategy::rest_for_one;
  EXPECT_FALSE(check_pits(pits));
}

}  // namespace
}  // namespace symphony::detail::broker
