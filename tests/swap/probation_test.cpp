// The time in which the old instance is kept. What could go wrong: an acknowledged call is in no state and nobody says
// so, a call that the dead instance's follower answered from an empty state is believed, callers hang on the way back.
#include "tests/swap/swapped.hpp"

namespace symphony {
namespace {

using ::testing::HasSubstr;

// A swap that stands its probation until the test does something about it.
class OnProbation {
 public:
  OnProbation(Swapped& pits, MountOptions target, SwapOptions options)
      : thread_([&pits, this, target = std::move(target), options = std::move(options)] {
          report_ = pits.conductor->swap("ledger", target, options);
        }) {}
  ~OnProbation() {
    if (thread_.joinable()) thread_.join();
  }
  const SwapReport& wait() {
    thread_.join();
    return report_;
  }

 private:
  SwapReport report_;
  std::thread thread_;
};

TEST(SwapProbation, EndsAfterItsMessagesAndKeepsTheNewInstance) {
  for (const Mode to : swap_modes()) {
    SCOPED_TRACE(to_string(to));
    Swapped pits;
    pits.mount(Mode::static_);
    SwapOptions options = long_probation;
    options.probation_messages = 50;
    Load load(*pits.conductor, 2, 2);
    const SwapReport report = pits.conductor->swap("ledger", pits.in(to), options);
    EXPECT_TRUE(report.ok()) << report.text;
    EXPECT_GE(report.probation.messages, 50u);
    EXPECT_EQ(report.probation.failed, 0u);
    EXPECT_TRUE(load.moves());
    load.expect_exact();
  }
}

TEST(SwapProbation, EndsByTimeWhenNobodyCalls) {
  Swapped pits;
  pits.mount(Mode::static_);
  SwapOptions options = no_probation;
  options.probation_ns = ms_ns;
  const SwapReport report = pits.conductor->swap("ledger", pits.in(Mode::process), options);
  EXPECT_TRUE(report.ok()) << report.text;
  EXPECT_EQ(report.probation.messages, 0u);
}

TEST(SwapProbation, AProgramThatDoesNotAcceptTheNewInstanceLosesNothing) {
  for (const Mode from : swap_modes()) {
    for (const Mode to : swap_modes()) {
      SCOPED_TRACE(std::string(to_string(from)) + " to " + std::string(to_string(to)));
      Swapped pits;
      pits.mount(from);
      Load load(*pits.conductor, 1, 1);
      SwapOptions options = long_probation;
      options.probation_messages = 20;
      options.accept = [](const Probation& so_far) { return so_far.messages == 0; };
      const SwapReport report = pits.conductor->swap("ledger", pits.in(to), options);
      EXPECT_EQ(report.status, status::cancelled) << report.text;
      EXPECT_TRUE(report.rolled_back);
      EXPECT_EQ(report.effects_lost, 0u) << report.text;
      EXPECT_TRUE(load.moves());
      load.expect_exact();
    }
  }
}

// What the old instance cannot restore is lost, and listed.
TEST(SwapProbation, WhatTheOldInstanceCannotRestoreIsListedAsLost) {
  Conductor conductor;
  const auto counter = [](const std::string& name) {
    return MountOptions{.mode = Mode::dynamic, .file = std::string(SYMPHONY_TEST_PITS) + "/" + name + ".so"};
  };
  ASSERT_TRUE(conductor.mount("counter", counter("counter_1")).ok());
  Caller caller = conductor.open("counter");
  ASSERT_TRUE(caller.call(1, {}).ok());
  SwapOptions options = long_probation;
  options.probation_messages = 3;
  options.accept = [](const Probation&) { return false; };
  SwapReport report;
  std::thread swap([&] { report = conductor.swap("counter", counter("counter_2_from_1"), options); });
  std::uint64_t revision = 1, of_new = 0;
  std::uint64_t said[3] = {};  // of the library, of the instance, its revision
  const auto ask = [&](Effect effect) {
    const Reply reply = caller.call(7, {}, {.effect = effect});
    ASSERT_EQ(reply.body.size(), sizeof said) << reply.text;
    std::memcpy(said, reply.body.data(), sizeof said);
    revision = said[2];
  };
  std::uint64_t before = 0;
  while (revision == 1) {
    before = said[1];
    ask(Effect::once);
  }
  of_new = 1;  // of them one `read`
  ask(Effect::read);
  ask(Effect::idempotent);
  ++of_new;
  swap.join();
  EXPECT_TRUE(report.rolled_back);
  EXPECT_THAT(report.text, HasSubstr("does not restore revision 2"));
  EXPECT_EQ(report.probation.messages, 3u);
  EXPECT_EQ(report.effects_lost, of_new);
  ASSERT_EQ(report.lost.size(), of_new);
  EXPECT_EQ(report.lost[0].type, 7u);
  EXPECT_EQ(report.lost[0].effect, Effect::once);
  EXPECT_EQ(report.lost[1].effect, Effect::idempotent);
  ask(Effect::once);
  EXPECT_EQ(revision, 1u);
  EXPECT_EQ(said[1], std::max<std::uint64_t>(before, 1) + 1) << "as it was at the cut";
}

// The new instance dies with all that it did; callers learn which of their calls went with it.
void expect_way_back(Mode from, Mode to) {
  SCOPED_TRACE(std::string(to_string(from)) + " to " + std::string(to_string(to)));
  Swapped pits;
  pits.mount(from);
  Caller caller = pits.open();
  for (std::uint64_t i = 1; i <= 10; ++i) ASSERT_TRUE(act(caller, ledger::Act::ADD, i));
  std::uint64_t acknowledged = 10;
  OnProbation swap(pits, pits.in(to), long_probation);
  // Where the calls go is seen by the probation's end alone: some are before the cut, some after.
  if (to == Mode::process) {
    ASSERT_TRUE(comes_true([&] { return pits.state_of_process("b") == "ready"; }));
  }
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(act(caller, ledger::Act::ADD, acknowledged + 1));
    ++acknowledged;
  }
  SwapReport report;
  std::atomic<bool> is_over{false};
  std::thread waiter([&] {
    report = swap.wait();
    is_over = true;
  });
  // A trap on the old instance, of a wasm pit or a process, would lose its state: it comes only when the new one has
  // the calls, which a restore that is refused tells.
  PitState state;
  ASSERT_TRUE(pits.conductor->snapshot("ledger", state).ok());
  EXPECT_TRUE(comes_true([&] { return pits.conductor->restore("ledger", state).status == status::bad_state; }));
  const std::uint64_t at_least = acknowledged;
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(act(caller, ledger::Act::ADD, acknowledged + 1));
    ++acknowledged;
  }
  const auto died = act(caller, ledger::Act::TRAP);
  EXPECT_FALSE(died);
  // Until the old one has them again: a call is answered from its state, or says that it went with the new one.
  EXPECT_TRUE(comes_true([&] {
    const auto answer = act(caller, ledger::Act::ADD, 1'000'000);
    EXPECT_NE(answer.reply.status, status::ok);
    return is_over.load();
  }));
  waiter.join();
  EXPECT_EQ(report.status, status::crashed) << report.text;
  EXPECT_TRUE(report.rolled_back);
  EXPECT_EQ(last_of(caller), acknowledged - report.effects_lost) << "what is lost is exactly what is listed";
  EXPECT_GE(report.effects_lost, acknowledged - at_least);
  EXPECT_EQ(report.lost.size(), report.effects_lost);
  EXPECT_TRUE(act(caller, ledger::Act::ADD, acknowledged - report.effects_lost + 1));
}

TEST(SwapProbation, AProcessThatDiesGivesTheCallsBackToTheOldInstance) {
  for (const Mode from : swap_modes()) expect_way_back(from, Mode::process);
}

#if defined(SYMPHONY_WASM_BUILT)
TEST(SwapProbation, AWasmPitThatTrapsGivesTheCallsBackToTheOldInstance) {
  for (const Mode from : swap_modes()) expect_way_back(from, Mode::wasm);
}
#endif

// Calls that may run again do, on the old instance: their callers see nothing but a delay.
TEST(SwapProbation, IdempotentCallsOfADeadInstanceAreMadeAgainOnTheOldOne) {
  Swapped pits;
  pits.mount(Mode::static_);
  Caller caller = pits.open();
  ASSERT_TRUE(act(caller, ledger::Act::ADD, 1));
  OnProbation swap(pits, pits.in(Mode::process), long_probation);
  PitState state;
  ASSERT_TRUE(pits.conductor->snapshot("ledger", state).ok());
  ASSERT_TRUE(comes_true([&] { return pits.conductor->restore("ledger", state).status == status::bad_state; }));
  ASSERT_TRUE(pits.broker->kill_pit("ledger-b"));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(last_of(caller), 1u) << "never from an empty state";
  const SwapReport& report = swap.wait();
  EXPECT_TRUE(report.rolled_back) << report.text;
  EXPECT_EQ(report.effects_lost, 0u);
}

TEST(SwapProbation, RestoresAndFeedsAreRefusedMeanwhile) {
  Swapped pits;
  pits.mount(Mode::static_);
  Caller caller = pits.open();
  PitState state;
  ASSERT_TRUE(pits.conductor->snapshot("ledger", state).ok());
  SwapOptions options = long_probation;
  options.probation_messages = 1;
  OnProbation swap(pits, pits.in(Mode::dynamic), options);
  EXPECT_TRUE(comes_true([&] { return pits.conductor->restore("ledger", state).status == status::bad_state; }));
  EXPECT_THAT(pits.conductor->feed("ledger", 1, 1).text, HasSubstr("on probation"));
  ASSERT_TRUE(act(caller, ledger::Act::ADD, 1));
  EXPECT_TRUE(swap.wait().ok());
  EXPECT_TRUE(pits.conductor->restore("ledger", state).ok());
}

}  // namespace
}  // namespace symphony
