// Deaths and closes, with every state of a link tried for every end (A6, C1 of the link protocol). What could go wrong:
// a link hangs, or is forgotten by one side only.
#include <gtest/gtest.h>

#include "tests/unit/broker/core_driver.hpp"

namespace symphony::detail::broker {
namespace {

using namespace control;

constexpr LinkState attaching[] = {LinkState::making, LinkState::owning, LinkState::sealing, LinkState::peering,
                                   LinkState::open};

TEST(PitDeath, MakesTheNextEpochInEveryStateOfALink) {
  for (const LinkState state : attaching) {
    auto d = ready_driver();
    const auto c = d.caller();
    d.open(c, "pit0", 0, no_deadline_ns - d.now);
    const auto old = d.attach_until(c, state);
    d.out.clear();
    d.pit_exits(true, 9);
    EXPECT_EQ(d.count<ForgetSegments>(), state == LinkState::open ? 0U : 1U);
    EXPECT_FALSE(d.said_to_caller<Refused>());
    EXPECT_EQ(d.core.link_count(), 1U);
    d.out.clear();
    // What the dead instance's attachment still brings means nothing.
    d.step(SegmentsMade{old.link, old.epoch});
    d.step(SegmentsSealed{old.link, old.epoch});
    d.say(c, Mapped{old});
    d.say(c, Ready{old, 0});
    EXPECT_TRUE(d.out.empty());
    d.pit_ready();
    const auto at = d.attach_until(c, LinkState::open);
    EXPECT_EQ(at.link, old.link);
    EXPECT_GT(at.epoch, old.epoch);
    EXPECT_EQ(d.to_caller<Go>()->at, at);
  }
}

TEST(PitDeath, CarriesTheCorrelationOnlyWhileTheOpenIsUnanswered) {
  auto d = ready_driver();
  const auto c = d.caller();
  d.open(c);
  d.attach_until(c, LinkState::peering);
  d.pit_exits(true, 9);
  d.pit_ready();
  d.attach_until(c, LinkState::owning);
  d.pit_exits(true, 9);
  d.pass(second_ns);
  d.pit_ready();
  auto made = d.take<MakeSegments>();
  d.step(SegmentsMade{made->link, made->epoch});
  EXPECT_EQ(d.to_caller<Own>()->correlation, d.correlation);
}

// ---- death of C, close ----

TEST(CallerDeath, DrainsThePitAndForgetsTheLinkInEveryState) {
  for (const bool by_close : {false, true}) {
    for (const LinkState state : attaching) {
      auto d = ready_driver();
      const auto c = d.caller();
      d.open(c);
      const auto at = d.attach_until(c, state);
      d.out.clear();
      by_close ? d.say(c, Close{at.link}) : d.step(CallerLeft{c, true});
      const bool pit_has_it = state != LinkState::making;
      const auto drop = d.said_to_pit<Drop>();
      ASSERT_EQ(drop.has_value(), pit_has_it);
      if (pit_has_it) {
        EXPECT_TRUE(drop->drain);
        EXPECT_EQ(drop->at, at);
        EXPECT_EQ(d.core.link_count(), 1U) << "until the pit has drained it";
        EXPECT_EQ(d.count<DeleteRecord>(), 1U);
        d.pit_says(Drained{{at.generation, at.link, at.epoch + 1}});
        EXPECT_EQ(d.core.link_count(), 1U) << "that was another epoch";
        d.pit_says(Drained{at});
      }
      EXPECT_EQ(d.core.link_count(), 0U);
      EXPECT_EQ(d.core.caller_count(), by_close ? 1U : 0U);
    }
  }
}

TEST(CallerDeath, ForgetsALinkThatIsDrainingWhenThePitDies) {
  auto d = ready_driver();
  const auto c = d.caller();
  d.open(c);
  d.attach_until(c, LinkState::open);
  d.step(CallerLeft{c, true});
  d.pit_exits(true, 9);
  EXPECT_EQ(d.core.link_count(), 0U);
}

TEST(CallerDeath, ForgetsAnOpenThatIsStillWaiting) {
  CoreDriver d;
  d.begin();
  const auto c = d.caller();
  d.open(c);
  d.step(CallerLeft{c, true});
  EXPECT_EQ(d.core.link_count(), 0U);
  d.out.clear();
  d.pit_ready();
  EXPECT_EQ(d.count<MakeSegments>(), 0U);
}

TEST(Reconnect, KeepsTheLinksOfACallerThatComesBackInTime) {
  CoreDriver d(some_pits(1), 1, true);
  d.begin();
  d.pit_ready();
  const auto c = d.caller();
  d.open(c);
  const auto at = d.attach_until(c, LinkState::open);
  d.step(CallerLeft{c, false});
  d.pass(reconnect_grace_ns - 1);
  d.out.clear();
  const auto again = d.caller({{at.link, at.epoch}});
  EXPECT_EQ(d.to_caller<Keep>()->epoch, at.epoch);
  EXPECT_EQ(d.last_conn, again);
  d.pass(10 * reconnect_grace_ns);
  EXPECT_FALSE(d.said_to_pit<Drop>());
  d.pit_exits(true, 9);
  d.pit_ready();
  d.attach_until(again, LinkState::open);
  EXPECT_TRUE(d.to_caller<Go>());
}

TEST(Reconnect, DropsTheLinksOfACallerThatStaysAwayOrIsDead) {
  for (const bool dead : {false, true}) {
    CoreDriver d(some_pits(1), 1, true);
    d.begin();
    d.pit_ready();
    const auto c = d.caller();
    d.open(c);
    const auto at = d.attach_until(c, LinkState::open);
    d.step(CallerLeft{c, false});
    EXPECT_FALSE(d.said_to_pit<Drop>());
    dead ? d.step(CallerLeft{c, true}) : d.pass(reconnect_grace_ns);
    EXPECT_TRUE(d.said_to_pit<Drop>());
    d.pit_says(Drained{at});
    EXPECT_EQ(d.core.link_count(), 0U);
    EXPECT_EQ(d.core.caller_count(), 0U);
  }
}

TEST(Reconnect, GivesNobodyTheLinkOfAnother) {
  CoreDriver d(some_pits(1), 1, true);
  d.begin();
  d.pit_ready();
  const auto c = d.caller();
  d.open(c);
  const auto at = d.attach_until(c, LinkState::open);
  d.out.clear();
  const auto thief = d.caller({{at.link, at.epoch}});  // its holder is connected
  EXPECT_FALSE(d.said_to_caller<Keep>());
  d.open(thief, "pit0", at.link);
  EXPECT_EQ(d.to_caller<Refused>()->code, errc::refused);
  d.step(CallerLeft{c, false});
  d.caller({{at.link, at.epoch}}, 0);  // another user, who may use this broker
  EXPECT_FALSE(d.said_to_caller<Keep>());
}

TEST(OpenAgain, MakesANewEpochOfAnOpenLink) {
  auto d = ready_driver();
  const auto c = d.caller();
  d.open(c);
  const auto old = d.attach_until(c, LinkState::open);
  d.out.clear();
  d.open(c, "pit0", old.link);
  const auto drop = d.said_to_pit<Drop>();
  ASSERT_TRUE(drop);
  EXPECT_EQ(drop->at, old);
  const auto at = d.attach_until(c, LinkState::open);
  EXPECT_EQ(at.link, old.link);
  EXPECT_GT(at.epoch, old.epoch);
}

TEST(OpenAgain, RevivesALinkThatIsStillDraining) {
  CoreDriver d(some_pits(1), 1, true);
  d.begin();
  d.pit_ready();
  const auto c = d.caller();
  d.open(c);
  const auto old = d.attach_until(c, LinkState::open);
  d.step(CallerLeft{c, false});
  d.pass(reconnect_grace_ns);
  d.out.clear();
  const auto late = d.caller({{old.link, old.epoch}});
  const auto gone = d.said_to_caller<Drop>();
  ASSERT_TRUE(gone) << "the caller must learn that its link is not kept";
  EXPECT_EQ(gone->at, old);
  d.open(late, "pit0", old.link);
  const auto at = d.attach_until(late, LinkState::owning);
  EXPECT_EQ(at.link, old.link);
  EXPECT_GT(at.epoch, old.epoch);
  d.pit_says(Drained{old});
  EXPECT_EQ(d.core.link_count(), 1U) << "that was the end of the old epoch only";
}

// What could go wrong: the broker dies between the two, and nobody ever tells the pit to unmap the link.
TEST(Close, TellsThePitBeforeTheRecordIsGone) {
  auto d = ready_driver();
  const auto c = d.caller();
  d.open(c);
  const auto at = d.attach_until(c, LinkState::open);
  d.out.clear();
  d.say(c, Close{at.link});
  ASSERT_GE(d.out.size(), 2U);
  EXPECT_TRUE(std::holds_alternative<SendToPit>(d.out[0]));
  EXPECT_TRUE(std::holds_alternative<DeleteRecord>(d.out[1]));
}

// What could go wrong: a broker dies after it told the pit to drain a link and before it forgot it. The caller comes
// back to the next broker, which keeps the link, and the pit does not serve it any more.
TEST(NextEpoch, FollowsWhenThePitHasDrainedALinkThatIsOpen) {
  auto d = ready_driver();
  const auto c = d.caller();
  d.open(c);
  const auto old = d.attach_until(c, LinkState::open);
  d.pit_says(Drained{{old.generation, old.link, old.epoch + 1}});
  d.out.clear();
  d.pit_says(Drained{old});
  const auto* const put = std::get_if<PutRecord>(&d.out.front());
  ASSERT_NE(put, nullptr);
  EXPECT_NE(decode_link(put->blob)->attaching, 0U) << "a third broker must not take it for open";
  const auto at = d.attach_until(c, LinkState::open);
  EXPECT_EQ(at.link, old.link);
  EXPECT_GT(at.epoch, old.epoch);
}

// What could go wrong: the caller lists live links only, so one whose pit died comes back without its epoch. A number
// it has had before is no new epoch to it: it would wait for one for ever.
TEST(OpenAgain, OfAForgottenLinkGetsAnEpochThatNoneBeforeItHad) {
  CoreDriver d(some_pits(1), 1, true);
  d.begin();
  d.pit_ready();
  const auto c = d.caller();
  d.open(c);
  const auto old = d.attach_until(c, LinkState::open);
  d.pit_exits(true, 9);
  d.step(CallerLeft{c, false});
  d.pass(reconnect_grace_ns);
  ASSERT_EQ(d.core.link_count(), 0U);
  d.pit_ready();
  d.out.clear();
  const auto late = d.caller();
  d.open(late, "pit0", old.link);
  const auto at = d.attach_until(late, LinkState::open);
  EXPECT_EQ(at.link, old.link);
  EXPECT_GT(at.epoch, old.epoch);
}

}  // namespace
}  // namespace symphony::detail::broker
