// Who waits at the cut, and who comes meanwhile. What could go wrong: a call waits beyond its deadline or for ever, a
// caller that is opened in the middle goes to the old instance, two swaps go through each other.
#include <latch>

#include <symphony/pit.hpp>

#include "tests/swap/swapped.hpp"

namespace symphony {
namespace {

using ::testing::HasSubstr;

// A pit whose restore() takes as long as the test wants, and fails if it wants that: the gate is closed meanwhile. It
// refuses a number that is not the next.
struct Held {
  static inline std::atomic<bool> is_held{false}, is_inside{false}, refuses{false};
  Status on_raw(Raw raw, Ctx& ctx) {
    if (raw.envelope().type != last + 1) return ctx.fail(77, "not the next");
    ++last;
    return ok();
  }
  Status snapshot(Sink out) const { return out.write_value(last); }
  Status restore(Source in, std::uint32_t) {
    is_inside = true;
    comes_true([] { return !is_held.load(); });
    is_inside = false;
    return refuses ? fail(15, "restore is refused") : in.read_value(last);
  }
  std::uint32_t last = 0;
};

struct ClosedGate {
  explicit ClosedGate(bool refuses) {
    Held::refuses = refuses;
    EXPECT_TRUE(conductor.mount("held", target).ok());
    caller = conductor.open("held");
    shared = conductor.share("held");
    EXPECT_TRUE(caller.call(1, {}).ok());
  }
  void begin() {
    Held::is_held = true;
    swap = std::thread([this] { report = conductor.swap("held", target, no_probation); });
    EXPECT_TRUE(comes_true([] { return Held::is_inside.load(); }));
  }
  void end() {
    Held::is_held = false;
    swap.join();
    EXPECT_EQ(report.step, Held::refuses ? SwapStep::restore : SwapStep::commit) << report.text;
  }
  // Runs `work` while the gate is closed, and opens it when that has begun.
  void meanwhile(const std::function<void()>& work) {
    begin();
    std::latch begun(1);
    std::thread waiting([&] {
      begun.count_down();
      work();
    });
    begun.wait();
    end();
    waiting.join();
  }
  Conductor conductor;
  const MountOptions target{.entry = &pit::Face<Held, "held", "1.0.0">::entry};
  Caller caller;
  SharedCaller shared;
  std::thread swap;
  SwapReport report;
};

class SwapGateBoth : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Swap, SwapGateBoth, testing::Bool(),
                         [](const auto& of) { return std::string(of.param ? "GoesOn" : "Swapped"); });

TEST_P(SwapGateBoth, ACallThatWaitsEndsAtItsDeadlineAndNoInstanceHasSeenIt) {
  ClosedGate gate(GetParam());
  gate.begin();
  const Reply late = gate.caller.call(2, {}, {.timeout_ns = 5 * ms_ns});
  EXPECT_EQ(late.status, status::deadline);
  EXPECT_THAT(std::string(late.text), HasSubstr("neither has seen the call"));
  EXPECT_EQ(gate.shared.call(2, {}, {.timeout_ns = 5 * ms_ns}).status, status::deadline);
  gate.end();
  EXPECT_TRUE(gate.caller.call(2, {}).ok()) << "the number is still the next";
  EXPECT_EQ(gate.caller.tally().calls, gate.caller.tally().ended);
}

TEST_P(SwapGateBoth, CallsAndStepsThatWaitGoOnWhenItOpens) {
  ClosedGate gate(GetParam());
  gate.meanwhile([&] { EXPECT_TRUE(gate.caller.call(2, {}).ok()); });
  gate.meanwhile([&] { EXPECT_TRUE(gate.shared.call(3, {}).ok()); });
  gate.meanwhile([&] {
    Caller opened = gate.conductor.open("held");
    EXPECT_TRUE(opened.ok()) << opened.why().text;
    EXPECT_TRUE(opened.call(4, {}).ok());
  });
  PitState state;
  gate.meanwhile([&] { EXPECT_TRUE(gate.conductor.snapshot("held", state).ok()); });
  EXPECT_EQ(state.bytes, std::vector<std::byte>({std::byte{4}, std::byte{0}, std::byte{0}, std::byte{0}}));
  EXPECT_TRUE(gate.caller.call(5, {}).ok());
}

TEST_P(SwapGateBoth, ASecondSwapIsRefusedWhileOneIsUnderWay) {
  ClosedGate gate(GetParam());
  gate.begin();
  const SwapReport second = gate.conductor.swap("held", gate.target, no_probation);
  EXPECT_EQ(second.status, status::bad_state);
  EXPECT_THAT(second.text, HasSubstr("a swap of 'held' is under way"));
  gate.end();
  Held::refuses = false;
  EXPECT_TRUE(gate.conductor.swap("held", gate.target, no_probation).ok());
}

TEST_P(SwapGateBoth, AnUnmountInTheMiddleLeavesOpenCallersWithTheInstanceThatComesOut) {
  ClosedGate gate(GetParam());
  gate.begin();
  EXPECT_TRUE(gate.conductor.unmount("held").ok());
  EXPECT_FALSE(gate.conductor.open("held").ok());
  gate.end();
  EXPECT_TRUE(gate.caller.call(2, {}).ok());
}

TEST(SwapGate, AnUnmountDuringTheProbationChangesNothingForCallers) {
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
