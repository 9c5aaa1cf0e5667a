// What could go wrong: a pit stands still for a process that cannot take its state; a rehearsal that nobody answers has
// no end; an answer to an earlier one counts.
#include "tests/unit/broker/swap_driver.hpp"

namespace symphony::detail::broker {
namespace {

using control::Rehearse;
using control::Rehearsed;

struct Rehearsing : Swap {
  explicit Rehearsing(const PitConfig& pit = hosted_pit(), std::uint16_t speaks = control::protocol_of_rehearsal)
      : Swap(pit, speaks) {
    rehearse = true;
  }
  void until_copying(TimeNs pause = 0) { until_frozen(pause); }
  void until_trying(TimeNs pause = 0) {
    until_copying(pause);
    out.clear();
    pit_says_0(Rehearsed{number, control::code_done, {}, 2 * ms_ns});
  }
  // It served on all the time: nobody told it anything but to write a copy.
  void expect_never_stopped(const std::string& why) {
    EXPECT_EQ(state(), "ready");
    EXPECT_FALSE(said_to_pit<control::Freeze>());
    EXPECT_FALSE(said_to_pit<control::Thaw>());
    EXPECT_EQ(count<ForgetCopy>(), 1U);
    const auto answer = said_to_caller<control::Answer>();
    ASSERT_TRUE(answer);
    EXPECT_NE(answer->code, control::code_done);
    EXPECT_NE(answer->text.find("goes on as it was"), std::string::npos) << answer->text;
    EXPECT_NE(answer->text.find(why), std::string::npos) << answer->text;
    const auto killed = take<KillPit>();
    ASSERT_TRUE(killed);
    EXPECT_EQ(killed->pit, 1U) << "the new process is dropped";
  }
};

TEST(Rehearsal, ThatTakesThePitLongerThanItsBudgetsIsNoHang) {
  PitConfig watched = hosted_pit();
  watched.budgets.each_ns = 80 * ms_ns;
  Rehearsing d(watched);
  d.until_copying();
  d.say(d.caller_conn, control::Close{d.at.link});  // a word that it owes
  const auto look_for = [&](TimeNs time) {
    for (const TimeNs until = d.now + time; d.now < until && d.state() == "ready";) {
      d.now = std::exchange(d.armed, no_deadline_ns);
      d.step(TimerFired{});
      if (d.take<LookAtPit>()) d.step(PitSeen{0, 1, false, {}});
    }
  };
  look_for(2 * silence_min_ns);
  EXPECT_EQ(d.state(), "ready");
  d.pit_says_0(Rehearsed{d.number, control::code_done, {}, 2 * ms_ns});
  look_for(2 * silence_min_ns);
  EXPECT_EQ(d.state(), "stopping") << "now it has nothing else to do";
}

TEST(Rehearsal, IsOfACopyThatThePitWritesWhileItServes) {
  for (const Durability durability : {Durability::none, Durability::journal}) {
    Rehearsing d(hosted_pit(durability));
    d.until_copying();
    const auto made = d.take<MakeCopy>();
    ASSERT_TRUE(made);
    EXPECT_EQ(made->pit, 1U);
    EXPECT_EQ(made->of, 0U);
    EXPECT_TRUE(d.to_pit<Rehearse>());
    EXPECT_EQ(d.last_fds, std::vector{FdName::copy_of_state});
    EXPECT_EQ(d.state(), "ready");
    d.pit_says_0(Rehearsed{d.number, control::code_done, {}, 2 * ms_ns});
    const auto sent = d.take<SendToPit>();
    ASSERT_TRUE(sent);
    EXPECT_EQ(sent->pit, 1U);
    EXPECT_TRUE(std::holds_alternative<Rehearse>(sent->message));
    EXPECT_EQ(sent->fds, std::vector{FdName::copy_of_state});
    EXPECT_EQ(d.state(), "ready");
    d.heir_says(Rehearsed{d.number, control::code_done, {}, 3 * ms_ns});
    EXPECT_TRUE(d.take<ForgetCopy>());
    EXPECT_TRUE(d.to_pit<control::Freeze>());
    EXPECT_EQ(d.state(), "swapping");
  }
}

TEST(Rehearsal, SaysHowLongCallsWillHaveToWait) {
  Rehearsing d;
  d.until_trying();
  d.heir_says(Rehearsed{d.number, control::code_done, {}, 3 * ms_ns});
  d.pit_says_0(Frozen{d.number, control::code_done, {}});
  d.say(d.caller_conn, control::Close{d.at.link});  // nobody has to arrive
  d.heir_says(d.ready());
  d.step(PitExited{0, 1, true, 9, {}});
  const auto answer = d.answered();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->code, control::code_done) << answer->text;
  EXPECT_EQ(answer->rehearsed_ns, 5 * ms_ns);
}

TEST(Rehearsal, ThatFailsAtAnyStepNeverStoppedThePit) {
  PitConfig pit = hosted_pit();
  pit.restart.start_timeout_ns = 5 * second_ns;  // the command's deadline is later
  const auto fails = [&](const char* why, auto&& how) {
    SCOPED_TRACE(why);
    Rehearsing d(pit);
    d.until_copying();
    how(d);
    d.expect_never_stopped(why);
  };
  fails("it could not write a copy of its state: full", [](Rehearsing& d) {
    d.out.clear();
    d.pit_says_0(Rehearsed{d.number, errc::refused, "full", 0});
  });
  fails("the rehearsal failed: it differs", [](Rehearsing& d) {
    d.pit_says_0(Rehearsed{d.number, control::code_done, {}, 1});
    d.out.clear();
    d.heir_says(Rehearsed{d.number, errc::refused, "it differs", 0});
  });
  fails("failed at the rehearsal", [&](Rehearsing& d) {
    d.pit_says_0(Rehearsed{d.number, control::code_done, {}, 1});
    d.out.clear();
    d.pass(pit.restart.start_timeout_ns);
  });
  fails("failed while it waited to rehearse", [&](Rehearsing& d) {
    d.out.clear();
    d.pass(pit.restart.start_timeout_ns);
  });
}

TEST(Rehearsal, ThatTakesLongerThanCallsMayWaitIsTheEndOfTheSwap) {
  Rehearsing d;
  d.until_trying(4 * ms_ns);
  d.out.clear();
  d.heir_says(Rehearsed{d.number, control::code_done, {}, 3 * ms_ns});
  const auto answer = d.said_to_caller<control::Answer>();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->code, errc::busy);
  EXPECT_EQ(answer->rehearsed_ns, 5 * ms_ns);
  EXPECT_FALSE(d.said_to_pit<control::Freeze>());
  EXPECT_EQ(d.state(), "ready");
}

TEST(Rehearsal, AnswersOnlyItsOwnQuestion) {
  Rehearsing d;
  d.until_copying();
  d.out.clear();
  d.heir_says(Rehearsed{d.number, control::code_done, {}, 1});
  d.pit_says_0(Rehearsed{d.number + 1, control::code_done, {}, 1});
  EXPECT_FALSE(d.said_to_pit<Rehearse>()) << "of another swap, and of one that was not asked";
  d.pit_says_0(Rehearsed{d.number, control::code_done, {}, 1});
  d.pit_says_0(Rehearsed{d.number, control::code_done, {}, 1});
  EXPECT_EQ(d.count<SendToPit>(), 1U);
  EXPECT_FALSE(d.said_to_pit<control::Freeze>());
}

TEST(Rehearsal, OfAReleaseThatKnowsNoneIsRefusedBeforeAnythingIsAsked) {
  Rehearsing d(hosted_pit(), control::protocol_of_rehearsal - 1);
  d.until_copying();
  EXPECT_FALSE(d.said_to_pit<Rehearse>());
  EXPECT_EQ(d.said_to_caller<control::Answer>()->code, errc::version_mismatch);
  EXPECT_EQ(d.state(), "ready");
}

TEST(Rehearsal, IsOverWhenThePitDies) {
  Rehearsing d;
  d.until_trying();
  d.out.clear();
  d.step(PitExited{0, 1, true, 11, {}});
  EXPECT_EQ(d.count<ForgetCopy>(), 1U);
  d.heir_says(Rehearsed{d.number, control::code_done, {}, 1});
  EXPECT_FALSE(d.said_to_pit<control::Freeze>());
}

}  // namespace
}  // namespace symphony::detail::broker
