// Who waits at the cut, and who comes meanwhile. What could go wrong: a call waits beyond its deadline or for ever, a
// caller that is opened in the middle goes to the old instance, two swaps go through each other.
#include <latch>

#include "tests/swap/swapped.hpp"

namespace symphony {
namespace {

using ::testing::HasSubstr;

// A process that hangs in restore() holds the gate closed until the timeout.
struct ClosedGate {
  ClosedGate() : pits("ledger", symphony_pit_ledger(), "hang_in_restore") {
    pits.mount(Mode::static_);
    caller = pits.open();
    EXPECT_TRUE(act(caller, ledger::Act::ADD, 1));
  }
  // A swap that fails after `restore_ns` with the gate closed; returns when calls wait.
  void begin(TimeNs restore_ns) {
    SwapOptions options = no_probation;
    options.restore_timeout_ns = restore_ns;
    swap = std::thread([this, options] { report = pits.conductor->swap("ledger", pits.in(Mode::process), options); });
    Caller other = pits.open();
    EXPECT_TRUE(comes_true(
        [&] { return act(other, ledger::Act::HANG, 0, 0, {.timeout_ns = ms_ns}).reply.status == status::deadline; }));
  }
  void end() {
    swap.join();
    EXPECT_EQ(report.step, SwapStep::restore) << report.text;
  }
  Swapped pits;
  Caller caller;
  std::thread swap;
  SwapReport report;
};

TEST(SwapGate, ACallThatWaitsEndsAtItsDeadlineAndNoInstanceHasSeenIt) {
  ClosedGate gate;
  gate.begin(700 * ms_ns);
  const SharedCaller shared = gate.pits.conductor->share("ledger");  // waits for the gate itself
  gate.end();
  gate.begin(700 * ms_ns);
  const auto late = act(gate.caller, ledger::Act::ADD, 2, 0, {.timeout_ns = 5 * ms_ns});
  EXPECT_EQ(late.reply.status, status::deadline);
  EXPECT_THAT(std::string(late.reply.text), HasSubstr("neither has seen the call"));
  EXPECT_EQ(act(shared, ledger::Act::ADD, 2, 0, {.timeout_ns = 5 * ms_ns}).reply.status, status::deadline);
  gate.end();
  EXPECT_TRUE(act(gate.caller, ledger::Act::ADD, 2)) << "the number is still the next";
  EXPECT_EQ(gate.caller.tally().calls, gate.caller.tally().ended);
}

TEST(SwapGate, CallsAndStepsThatWaitGoOnWhenItOpens) {
  ClosedGate gate;
  gate.begin(200 * ms_ns);
  EXPECT_TRUE(act(gate.caller, ledger::Act::ADD, 2));
  gate.end();
  gate.begin(200 * ms_ns);
  Caller opened = gate.pits.open();
  EXPECT_TRUE(opened.ok()) << opened.why().text;
  EXPECT_TRUE(act(opened, ledger::Act::ADD, 3));
  gate.end();
  gate.begin(200 * ms_ns);
  PitState state;
  EXPECT_TRUE(gate.pits.conductor->snapshot("ledger", state).ok());
  EXPECT_TRUE(gate.pits.conductor->restore("ledger", state).ok());
  gate.end();
  EXPECT_EQ(last_of(gate.caller), 3u);
}

TEST(SwapGate, ASecondSwapIsRefusedWhileOneIsUnderWay) {
  ClosedGate gate;
  gate.begin(200 * ms_ns);
  const SwapReport second = gate.pits.conductor->swap("ledger", gate.pits.in(Mode::dynamic), no_probation);
  EXPECT_EQ(second.status, status::bad_state);
  EXPECT_THAT(second.text, HasSubstr("a swap of 'ledger' is under way"));
  gate.end();
  EXPECT_TRUE(gate.pits.conductor->swap("ledger", gate.pits.in(Mode::dynamic), no_probation).ok());
}

TEST(SwapGate, AnUnmountInTheMiddleLeavesOpenCallersWithTheInstanceThatComesOut) {
  ClosedGate gate;
  gate.begin(200 * ms_ns);
  EXPECT_TRUE(gate.pits.conductor->unmount("ledger").ok());
  EXPECT_FALSE(gate.pits.open().ok());
  EXPECT_TRUE(act(gate.caller, ledger::Act::ADD, 2)) << "the old instance came out";
  gate.end();

  Swapped pits;
  pits.mount(Mode::static_);
  Caller caller = pits.open();
  ASSERT_TRUE(act(caller, ledger::Act::ADD, 1));
  PitState state;
  ASSERT_TRUE(pits.conductor->snapshot("ledger", state).ok());
  SwapOptions options = long_probation;
  options.probation_messages = 3;
  SwapReport report;
  std::thread swap([&] { report = pits.conductor->swap("ledger", pits.in(Mode::dynamic), options); });
  EXPECT_TRUE(comes_true([&] { return pits.conductor->restore("ledger", state).status == status::bad_state; }));
  EXPECT_TRUE(pits.conductor->unmount("ledger").ok());
  for (std::uint64_t number = 2; number <= 4; ++number) EXPECT_TRUE(act(caller, ledger::Act::ADD, number));
  swap.join();
  EXPECT_TRUE(report.ok()) << report.text;
  EXPECT_EQ(last_of(caller), 4u);
  EXPECT_TRUE(pits.conductor->mount("ledger", pits.in(Mode::static_)).ok()) << "the name is free";
}

TEST(SwapGate, AnUnknownNameIsSaidSo) {
  Conductor conductor;
  const SwapReport report = conductor.swap("nobody", {.entry = symphony_pit_ledger()});
  EXPECT_EQ(report.status, status::unreachable);
  EXPECT_THAT(report.text, HasSubstr("no pit is mounted as 'nobody'"));
}

TEST(SwapGate, CallersThatComeAndGoWhileItGoesRoundAllFindThePit) {
  Swapped pits;
  pits.mount(Mode::static_);
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0}, opened{0};
  std::vector<std::thread> threads;
  for (std::uint32_t t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      std::uint64_t number = 0;
      while (!stop) {
        Caller caller = pits.open();
        const SharedCaller shared = pits.conductor->share("ledger");
        if (!act(caller, ledger::Act::ADD, ++number, t)) ++wrong;
        if (!act(shared, ledger::Act::ADD, ++number, t)) ++wrong;
        ++opened;
      }
      Caller caller = pits.open();
      if (last_of(caller, t) != number) ++wrong;
    });
  }
  for (int round = 0; round < 3; ++round) {
    for (const Mode mode : swap_modes()) {
      const SwapReport report = pits.conductor->swap("ledger", pits.in(mode, "a"), no_probation);
      EXPECT_TRUE(report.ok()) << report.text;
      const int before = opened;
      EXPECT_TRUE(comes_true([&] { return opened > before + 3; }));
    }
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

// What a wasm pit's callers have of its memory stays theirs, although the pit is elsewhere.
#if defined(SYMPHONY_WASM_BUILT)
TEST(SwapGate, AnInputWindowThatACallerHoldsStaysReadable) {
  Swapped pits;
  MountOptions windowed = pits.in(Mode::wasm);
  windowed.window_size = 1 << 16;
  ASSERT_TRUE(pits.conductor->mount("ledger", windowed).ok());
  Caller caller = pits.open();
  const auto window = pits.conductor->input_window("ledger");
  flatbuffers::FlatBufferBuilder b;
  b.Finish(ledger::CreateDo(b, ledger::Act::HANG, 0, 0));
  b.Clear();
  b.Finish(ledger::CreateDo(b, ledger::Act::ADD, 0, 1));
  ASSERT_GE(window.size(), b.GetSize());
  std::memcpy(window.data(), b.GetBufferPointer(), b.GetSize());
  ASSERT_TRUE(pits.conductor->swap("ledger", pits.in(Mode::static_), no_probation).ok());
  EXPECT_TRUE(pits.conductor->input_window("ledger").empty());
  const Reply reply = caller.call(type_id_of<ledger::Do>, window.first(b.GetSize()));
  EXPECT_TRUE(reply.ok()) << reply.text;
}
#endif

}  // namespace
}  // namespace symphony
