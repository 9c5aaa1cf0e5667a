// Rule D4, every case. The request ring of the dead epoch: handled | executing | begun | not begun.
#include "bus/endpoint/redelivery.hpp"

#include <gtest/gtest.h>

namespace symphony::detail {
namespace {

constexpr DeadEpoch dead{.begun = 192, .handled = 128, .freed = 64, .trust = Trust::cooperative};
constexpr DeadEpoch liar{.begun = 192, .handled = 128, .freed = 64, .trust = Trust::hostile};

Verdict judged(std::uint64_t position, Effect effect, const DeadEpoch& epoch = dead, std::uint8_t attempt = 0) {
  return judge({.id = 10, .position = position, .effect = effect, .attempt = attempt}, epoch, 0, 3);
}

TEST(Redelivery, WhatTheNewStateContainsWaitsForItsAnswer) {
  for (std::uint64_t position = 0; position < 320; position += 64) {
    EXPECT_EQ(judge({.id = 10, .position = position}, dead, 10, 3), Verdict::in_state);
  }
  EXPECT_NE(judge({.id = 11, .position = 0}, dead, 10, 3), Verdict::in_state);
}

TEST(Redelivery, WhatAStateContainedThatIsGoneDoesNotRunAgainWherever) {
  for (const Effect effect : {Effect::once, Effect::read, Effect::idempotent}) {
    for (const DeadEpoch& epoch : {dead, liar}) {
      for (std::uint64_t position = 0; position < 320; position += 64) {
        const SentCall call{.id = 10, .position = position, .effect = effect, .was_in_state = true};
        EXPECT_EQ(judge(call, epoch, 9, 3), Verdict::crashed_accepted);
        EXPECT_EQ(judge(call, epoch, 10, 3), Verdict::in_state);
      }
    }
  }
}

TEST(Redelivery, WhatWasNeverBegunIsSentAgainWhateverItsEffect) {
  for (const Effect e : {Effect::once, Effect::read, Effect::idempotent}) {
    EXPECT_EQ(judged(192, e), Verdict::send_again);
    EXPECT_EQ(judged(256, e, dead, 2), Verdict::send_again) << "an attempt counts when it began";
  }
}

TEST(Redelivery, WhatWasExecutingIsTriedAgainOnlyIfItMayRunTwice) {
  EXPECT_EQ(judged(128, Effect::once), Verdict::crashed);
  EXPECT_EQ(judged(128, Effect::read), Verdict::attempt_again);
  EXPECT_EQ(judged(128, Effect::idempotent), Verdict::attempt_again);
}

TEST(Redelivery, WhatKilledThePitTooOftenIsPoisoned) {
  EXPECT_EQ(judged(128, Effect::read, dead, 2), Verdict::poisoned);
  EXPECT_EQ(judge({.id = 10, .position = 128, .effect = Effect::read}, dead, 0, 1), Verdict::poisoned);
}

TEST(Redelivery, TheLastAttemptIsMadeAlone) {
  for (const Effect e : {Effect::read, Effect::idempotent}) {
    EXPECT_EQ(judged(128, e, dead, 1), Verdict::attempt_alone);
    EXPECT_EQ(judge({.id = 10, .position = 128, .effect = e}, dead, 0, 2), Verdict::attempt_alone);
    EXPECT_EQ(judged(64, e, liar, 1), Verdict::attempt_alone);
  }
  EXPECT_EQ(judged(128, Effect::once, dead, 1), Verdict::crashed) << "it may not run twice, alone either";
}

TEST(Redelivery, WhatWasHandledWithoutAnAnswerWasAccepted) {
  for (const Effect e : {Effect::once, Effect::read, Effect::idempotent}) {
    EXPECT_EQ(judged(64, e), Verdict::crashed_accepted);
  }
}

TEST(Redelivery, AHostilePitsProgressIsNotBelieved) {
  EXPECT_EQ(judged(0, Effect::read, liar), Verdict::crashed_accepted) << "freed was checked in life";
  EXPECT_EQ(judged(64, Effect::once, liar), Verdict::crashed) << "it says handled; it may not have run";
  EXPECT_EQ(judged(256, Effect::once, liar), Verdict::crashed) << "it says never begun; it may have run";
  EXPECT_EQ(judged(64, Effect::idempotent, liar), Verdict::attempt_again);
  EXPECT_EQ(judged(256, Effect::read, liar), Verdict::send_again);
}

}  // namespace
}  // namespace symphony::detail
