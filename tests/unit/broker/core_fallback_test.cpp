// Who serves the callers of a quarantined pit: what could go wrong is that they are told QUARANTINED although somebody
// stands in, that a link is in two lists or in none, or that it never comes home.
#include <gtest/gtest.h>

#include "tests/unit/broker/core_driver.hpp"

namespace symphony::detail::broker {
namespace {

using namespace control;

std::vector<PitConfig> with_fallback() {
  auto pits = some_pits(2);
  pits[0].restart.fallback = "pit1";
  pits[0].restart.failures_max = 1;
  pits[1].restart.failures_max = 1;
  return pits;
}

struct CoreFallback : testing::Test {
  CoreFallback() : d(with_fallback()) {
    d.begin();
    d.pit_ready(0);
    d.pit_ready(1);
    settle();
    c = d.caller();
    d.open(c);
    at = d.attach_until(c, LinkState::open, 0);
    settle();
  }
  // What is on record so far is kept, and the actions are done.
  void settle() {
    for (const Action& a : d.out) {
      const auto* put = std::get_if<PutRecord>(&a);
      if (put == nullptr) continue;
      std::erase_if(records, [&](const RecordFound& r) { return r.key == put->key; });
      records.push_back({put->key, put->blob});
    }
    d.out.clear();
  }
  void quarantine() {
    d.pit_exits(true, 11, 0);
    ASSERT_EQ(d.core.pit_state(0), PitState::quarantined);
  }
  std::uint32_t links(PitIndex pit) { return d.core.status().at(pit).links; }

  CoreDriver d;
  ConnId c = 0;
  Attachment at;
  std::vector<RecordFound> records;
};

TEST_F(CoreFallback, ALinkGoesOnWithItUnderTheNextEpoch) {
  quarantine();
  EXPECT_FALSE(d.said_to_caller<Refused>());
  const Attachment next = d.attach_until(c, LinkState::open, 1);
  EXPECT_EQ(next.link, at.link);
  EXPECT_GT(next.epoch, at.epoch);
  EXPECT_TRUE(d.said_to_caller<Go>());
  EXPECT_EQ(std::tuple(links(0), links(1)), std::tuple(0U, 1U));
}

TEST_F(CoreFallback, SoDoesOneThatIsOpenedMeanwhile) {
  quarantine();
  d.attach_until(c, LinkState::open, 1);
  const ConnId other = d.caller();
  d.open(other);
  d.attach_until(other, LinkState::open, 1);
  EXPECT_EQ(links(1), 2U);
}

TEST_F(CoreFallback, WithoutAnybodyToStandInItSaysWhy) {
  d.pit_exits(true, 11, 1);
  quarantine();
  const auto refused = d.to_caller<Refused>();
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->code, errc::quarantined);
  EXPECT_NE(refused->text.find("pit0"), std::string::npos) << refused->text;
}

TEST_F(CoreFallback, AFallbackThatIsQuarantinedTooSaysSoForThePitThatWasAskedFor) {
  quarantine();
  d.attach_until(c, LinkState::open, 1);
  d.out.clear();
  d.pit_exits(true, 11, 1);
  const auto refused = d.to_caller<Refused>();
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->code, errc::quarantined);
  EXPECT_NE(refused->text.find("pit0"), std::string::npos) << refused->text;
  EXPECT_EQ(d.core.link_count(), 0U);
}

TEST_F(CoreFallback, WhenThePitServesAgainItsLinksComeHomeAndWhatWasAskedIsAnsweredFirst) {
  quarantine();
  d.attach_until(c, LinkState::open, 1);
  d.command(c, Verb::start);
  d.out.clear();
  d.pit_ready(0);
  ASSERT_TRUE(d.said_to_pit<Stop>()) << "it answers what it has, and ends";
  EXPECT_EQ(d.core.pit_state(1), PitState::stopping);
  d.out.clear();
  d.pit_exits(false, 0, 1);
  EXPECT_EQ(d.core.pit_state(1), PitState::starting) << "to be there the next time";
  d.attach_until(c, LinkState::open, 0);
  EXPECT_EQ(std::tuple(links(0), links(1)), std::tuple(1U, 0U));
}

TEST_F(CoreFallback, OneThatServesOthersIsLeftToThem) {
  quarantine();
  d.attach_until(c, LinkState::open, 1);
  const ConnId other = d.caller();
  d.open(other, "pit1");
  d.attach_until(other, LinkState::open, 1);
  d.command(c, Verb::start);
  d.out.clear();
  d.pit_ready(0);
  EXPECT_FALSE(d.said_to_pit<Stop>());
  d.pit_exits(true, 11, 1);
  d.attach_until(c, LinkState::open, 0);
  EXPECT_EQ(links(0), 1U) << "home, as soon as it has to go anyway";
}

TEST_F(CoreFallback, AReopenedLinkIsStillTheCallers) {
  quarantine();
  d.attach_until(c, LinkState::open, 1);
  d.out.clear();
  d.open(c, "pit0", at.link);
  EXPECT_FALSE(d.said_to_caller<Refused>());
  EXPECT_EQ(d.attach_until(c, LinkState::open, 1).link, at.link);
}

TEST_F(CoreFallback, TheNextBrokerKnowsWhoseTheLinkIs) {
  quarantine();
  const auto made = d.take<MakeSegments>();
  ASSERT_TRUE(made);
  const Attachment there{d.core_generation, made->link, made->epoch};
  settle();
  d.step(SegmentsMade{there.link, there.epoch});
  d.say(c, Mapped{there});
  d.pit_says(Mapped{there}, 1);
  d.step(SegmentsSealed{there.link, there.epoch});
  d.say(c, Ready{there, 0});
  d.pit_says(Ready{there, 7}, 1);
  settle();
  CoreDriver next(with_fallback(), 2, true);
  next.step(Begin{{{1, 1, 101}}, records});
  EXPECT_EQ(next.core.pit_state(0), PitState::quarantined);
  const ConnId again = next.caller({{there.link, there.epoch}});
  EXPECT_TRUE(next.said_to_caller<Keep>());
  next.out.clear();
  next.command(again, Verb::start);
  const std::uint32_t instance = next.core.status().at(0).instance;
  next.step(PitSpawned{0, instance, 200});
  next.step(PitMessage{0, instance, PitReady{1, 1, next.now, "p", "1", 1000}});
  EXPECT_TRUE(next.said_to_pit<Stop>()) << "it serves that pit's callers alone";
}

TEST(CoreFallbackConfig, MustBeAnotherPitWithoutOne) {
  auto pits = some_pits(2);
  pits[0].restart.fallback = "nobody";
  EXPECT_FALSE(check_pits(pits));
  pits[0].restart.fallback = "pit0";
  EXPECT_FALSE(check_pits(pits));
  pits[0].restart.fallback = "pit1";
  EXPECT_TRUE(check_pits(pits));
  pits[1].restart.fallback = "pit0";
  EXPECT_FALSE(check_pits(pits));
}

}  // namespace
}  // namespace symphony::detail::broker
