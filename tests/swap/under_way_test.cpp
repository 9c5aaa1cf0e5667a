// What the pit itself has under way at the cut: it goes along, or the swap says that it is busy. What could go wrong: a
// timer runs twice or never, a request that the pit left for later is forgotten, an answer comes to nobody.
#include <symphony/pit.hpp>

#include "tests/swap/swapped.hpp"

#include "greeter_generated.h"
#include "relay_generated.h"

SYMPHONY_DECLARE_PIT(greeter);
SYMPHONY_DECLARE_PIT(relay);

namespace symphony {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

const SwapOptions impatient{.cut_budget_ns = 20 * ms_ns, .probation_ns = 0};

class UnderWay : public testing::TestWithParam<Mode> {};
INSTANTIATE_TEST_SUITE_P(Swap, UnderWay, testing::ValuesIn(swap_modes()),
                         [](const auto& of) { return std::string(to_string(of.param)); });

std::uint64_t ticks_of(Caller& caller) {
  flatbuffers::FlatBufferBuilder b;
  const auto done = call<ledger::Done>(caller, b, ledger::CreateLook(b, 0), {.effect = Effect::read});
  EXPECT_TRUE(done) << done.reply.text;
  return done ? done->ticks() : 0;
}

TEST_P(UnderWay, ArmedTimersGoAlongAndEachRunsOnce) {
  for (const Mode to : swap_modes()) {
    SCOPED_TRACE(to_string(to));
    Swapped pits;
    pits.mount(GetParam());
    Caller caller = pits.open();
    constexpr std::uint32_t timers = 40;
    // Some are due before the cut, some at it, some after.
    for (std::uint32_t id = 1; id <= timers; ++id) ASSERT_TRUE(act(caller, ledger::Act::ARM, id * ms_ns, id));
    const SwapReport report = pits.conductor->swap("ledger", pits.in(to), no_probation);
    ASSERT_TRUE(report.ok()) << report.text;
    EXPECT_TRUE(comes_true([&] { return ticks_of(caller) >= timers; })) << ticks_of(caller);
    EXPECT_EQ(ticks_of(caller), timers);
    PitState state;
    ASSERT_TRUE(pits.conductor->snapshot("ledger", state).ok());
    EXPECT_TRUE(state.timers.empty());
  }
}

TEST_P(UnderWay, TimersOfAnInstanceThatGoesOnRunOnceToo) {
  Swapped pits;
  pits.mount(GetParam());
  Caller caller = pits.open();
  for (std::uint32_t id = 1; id <= 40; ++id) ASSERT_TRUE(act(caller, ledger::Act::ARM, id * ms_ns, id));
  EXPECT_EQ(pits.conductor->swap("ledger", pits.in(Mode::static_, "b", "refuse_restore"), no_probation).step,
            SwapStep::restore);
  EXPECT_TRUE(comes_true([&] { return ticks_of(caller) >= 40; }));
  EXPECT_EQ(ticks_of(caller), 40u);
}

// A runtime that looks again and again for a timer that may not run would answer nobody, and the old one never go on.
TEST_P(UnderWay, ATimerThatIsDueWhileThePitRestsWaitsAndHoldsUpNothing) {
  Swapped pits("ledger", symphony_pit_ledger(), "hang_in_restore");
  pits.mount(GetParam());
  Caller caller = pits.open();
  ASSERT_TRUE(act(caller, ledger::Act::ARM, 20 * ms_ns, 1));
  SwapOptions options = no_probation;
  options.restore_timeout_ns = 200 * ms_ns;
  const SwapReport report = pits.conductor->swap("ledger", pits.in(Mode::process), options);
  EXPECT_EQ(report.step, SwapStep::restore) << report.text;
  EXPECT_EQ(report.text.find("does not go on"), std::string::npos) << report.text;
  EXPECT_TRUE(comes_true([&] { return ticks_of(caller) == 1; }));
}

TEST_P(UnderWay, ACallThatThePitLeftForLaterMakesItBusyUntilItEnds) {
  Swapped pits;
  pits.mount(GetParam());
  Caller caller = pits.open();
  std::atomic<bool> has_ended{false};
  std::thread waiting([&] {
    Caller own = pits.open();
    EXPECT_TRUE(act(own, ledger::Act::ADD, 1, 1));
    flatbuffers::FlatBufferBuilder b;
    b.Finish(ledger::CreateDo(b, ledger::Act::LATER));
    const Reply later = own.call(type_id_of<ledger::Do>, std::as_bytes(std::span(b.GetBufferPointer(), b.GetSize())));
    has_ended = true;
    EXPECT_TRUE(later.ok()) << later.status << " " << later.text;
  });
  ASSERT_TRUE(comes_true([&] { return last_of(caller, 1) == 1; }));
  // Round and round in the same mode until that call is there, which no swap passes.
  SwapReport busy;
  bool is_a = true;
  EXPECT_TRUE(comes_true([&] {
    busy = pits.conductor->swap("ledger", pits.in(GetParam(), is_a ? "b" : "a"), impatient);
    if (busy.ok()) is_a = !is_a;
    return busy.text.find("busy: 1 callers") != std::string::npos;
  })) << busy.text;
  EXPECT_EQ(busy.status, status::overloaded);
  EXPECT_EQ(busy.step, SwapStep::cut);
  EXPECT_THAT(busy.text, HasSubstr("raise cut_budget_ns"));
  EXPECT_TRUE(comes_true([&] { return has_ended || act(caller, ledger::Act::END).reply.ok(); }));
  EXPECT_TRUE(comes_true([&] { return has_ended || (act(caller, ledger::Act::END), has_ended.load()); }));
  waiting.join();
  const SwapReport report = pits.conductor->swap("ledger", pits.in(Mode::dynamic), no_probation);
  EXPECT_TRUE(report.ok()) << report.text;
  EXPECT_EQ(last_of(caller, 1), 1u);
}

TEST(SwapUnderWay, AHandlerThatIsTooSlowForTheBudgetMakesItBusyAndGoesOn) {
  for (const Mode mode : {Mode::static_, Mode::dynamic, Mode::process}) {
    SCOPED_TRACE(to_string(mode));
    Swapped pits;
    pits.mount(mode);
    Caller caller = pits.open();
    ASSERT_TRUE(act(caller, ledger::Act::ADD, 1));
    SwapReport report;
    bool is_a = true;
    // One slow call after the other: whenever the gate closes, one is under way, but for the moment between two.
    std::atomic<bool> is_over{false};
    std::thread slow([&] {
      Caller own = pits.open();
      while (!is_over) EXPECT_TRUE(act(own, ledger::Act::HANG, 300));
    });
    EXPECT_TRUE(comes_true([&] {
      report = pits.conductor->swap("ledger", pits.in(mode, is_a ? "b" : "a"), impatient);
      if (report.ok()) is_a = !is_a;
      return report.status == status::overloaded;
    })) << report.text;
    is_over = true;
    slow.join();
    EXPECT_THAT(report.text, AllOf(HasSubstr("busy"), HasSubstr("raise cut_budget_ns")));
    EXPECT_EQ(report.step, SwapStep::cut);
    EXPECT_TRUE(act(caller, ledger::Act::ADD, 2));
  }
}

// A `greeter` that answers when it is told to.
struct LateGreeter {
  static constexpr std::uint32_t release_type = 9;
  Status on_raw(Raw raw, Ctx& ctx) {
    if (raw.envelope().type != release_type) {
      waiting.push_back(ctx.request());
      return ctx.later();
    }
    for (const std::uint64_t request : waiting) (void)ctx.end(request, fail(21, "late, and a refusal"));
    waiting.clear();
    return ok();
  }
  std::vector<std::uint64_t> waiting;
};

TEST(SwapUnderWay, ACallOfThePitsOwnMakesItBusyAndItsAnswerComes) {
  Conductor conductor;
  ASSERT_TRUE(conductor.mount("greeter", {.entry = &pit::Face<LateGreeter, "greeter", "1.0.0">::entry}).ok());
  ASSERT_TRUE(conductor.mount("relay", {.entry = symphony_pit_relay()}).ok());
  Caller greeter = conductor.open("greeter");
  std::atomic<bool> has_ended{false};
  std::thread asking([&] {
    Caller relay = conductor.open("relay");
    flatbuffers::FlatBufferBuilder b;
    const std::vector<std::uint8_t> nothing(8);
    const auto said = call<relay::Said>(relay, b, relay::CreateAsk(b, 3, b.CreateVector(nothing)));
    has_ended = true;
    EXPECT_EQ(said.reply.status, 21) << said.reply.text;
  });
  SwapReport report;
  EXPECT_TRUE(comes_true([&] {
    report = conductor.swap("relay", {.entry = symphony_pit_relay()}, impatient);
    return !report.ok();
  }));
  EXPECT_EQ(report.status, status::overloaded);
  EXPECT_THAT(report.text, HasSubstr("busy"));
  EXPECT_TRUE(comes_true([&] { return greeter.call(LateGreeter::release_type, {}).ok() && has_ended; }));
  asking.join();
  EXPECT_TRUE(conductor.swap("relay", {.entry = symphony_pit_relay()}, no_probation).ok());
}

TEST(SwapUnderWay, APitThatIsCalledByAnotherPitIsSwappedUnderItsFeet) {
  Conductor conductor;
  ASSERT_TRUE(conductor.mount("greeter", {.entry = symphony_pit_greeter()}).ok());
  ASSERT_TRUE(conductor.mount("relay", {.entry = symphony_pit_relay()}).ok());
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> asked{0}, wrong{0};
  std::thread asking([&] {
    Caller relay = conductor.open("relay");
    flatbuffers::FlatBufferBuilder b, hello;
    hello.Finish(greeter::CreateHello(hello, hello.CreateString("x")));
    while (!stop) {
      const auto said = call<relay::Said>(
          relay, b,
          relay::CreateAsk(b, type_id_of<greeter::Hello>, b.CreateVector(hello.GetBufferPointer(), hello.GetSize())));
      const auto* greeting = said ? flatbuffers::GetRoot<greeter::Greeting>(said->body()->data()) : nullptr;
      // The count of a greeter to which nothing was said twice, and nothing in vain.
      if (greeting == nullptr || greeting->count() != asked + 1) ++wrong;
      ++asked;
    }
  });
  for (int i = 0; i < 20; ++i) {
    const std::uint64_t before = asked;
    EXPECT_TRUE(comes_true([&] { return asked > before + 2; }));
    const char* const name = i % 2 == 0 ? "greeter" : "relay";
    const auto* entry = i % 2 == 0 ? symphony_pit_greeter() : symphony_pit_relay();
    SwapReport report;
    EXPECT_TRUE(comes_true([&] { return (report = conductor.swap(name, {.entry = entry}, impatient)).ok(); }))
        << report.text;
  }
  stop = true;
  asking.join();
  EXPECT_EQ(wrong, 0u);
}

}  // namespace
}  // namespace symphony
