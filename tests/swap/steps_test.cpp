// What each step does when it fails: the pit goes on as it was, with everything that was acknowledged, and the reason
// is told. What could go wrong: callers hang at the closed gate, the old instance stays at rest, the new one is left.
#include <symphony/pit.hpp>

#include "tests/swap/swapped.hpp"

namespace symphony {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// A swap that is to fail, under load; afterwards a good one, which shows that nothing was left in its way.
void expect_refused(Swapped& pits, const MountOptions& target, const SwapOptions& options, SwapStep step,
                    const std::string& reason) {
  Load load(*pits.conductor, 1, 1);
  ASSERT_TRUE(load.moves());
  const SwapReport report = pits.conductor->swap("ledger", target, options);
  EXPECT_FALSE(report.ok());
  EXPECT_EQ(report.step, step) << to_string(report.step) << ": " << report.text;
  EXPECT_THAT(report.text, HasSubstr(reason));
  EXPECT_FALSE(report.rolled_back);
  EXPECT_TRUE(load.moves());
  if (target.mode == Mode::process) {
    EXPECT_NE(pits.state_of_process("b"), "ready") << "the new process is left";
  }
  const SwapReport good = pits.conductor->swap("ledger", pits.in(Mode::static_), no_probation);
  EXPECT_TRUE(good.ok()) << good.text;
  load.expect_exact();
}

class FromEveryMode : public testing::TestWithParam<Mode> {};
INSTANTIATE_TEST_SUITE_P(Swap, FromEveryMode, testing::ValuesIn(swap_modes()),
                         [](const auto& of) { return std::string(to_string(of.param)); });

TEST_P(FromEveryMode, ATargetThatCannotBeCreatedIsDropped) {
  Swapped pits;
  pits.mount(GetParam());
  expect_refused(pits, pits.in(Mode::static_, "b", "refuse_configuration"), no_probation, SwapStep::prepare,
                 "this configuration is refused");
}

TEST_P(FromEveryMode, ATargetThatCannotBeInitialisedIsDropped) {
  Swapped pits;
  pits.mount(GetParam());
  expect_refused(pits, pits.in(Mode::dynamic, "b", "refuse_init"), no_probation, SwapStep::prepare, "init is refused");
}

TEST_P(FromEveryMode, ATargetThatDoesNotTakeTheStateIsDroppedAndTheOldOneGoesOn) {
  Swapped pits;
  pits.mount(GetParam());
  expect_refused(pits, pits.in(Mode::dynamic, "b", "refuse_restore"), no_probation, SwapStep::restore,
                 "restore is refused");
}

TEST_P(FromEveryMode, AProcessThatDoesNotStartIsDropped) {
  Swapped pits("ledger", symphony_pit_ledger(), "refuse_init");
  pits.mount(GetParam());
  MountOptions target = pits.in(Mode::process);
  expect_refused(pits, target, no_probation, SwapStep::prepare, "the broker did not start 'ledger-b'");
}

TEST_P(FromEveryMode, AProcessThatDiesInRestoreIsDroppedAndTheOldOneGoesOn) {
  Swapped pits("ledger", symphony_pit_ledger(), "trap_in_restore");
  pits.mount(GetParam());
  expect_refused(pits, pits.in(Mode::process), no_probation, SwapStep::restore, "");
}

TEST_P(FromEveryMode, AProcessThatTakesTooLongToRestoreIsDroppedAndTheOldOneGoesOn) {
  Swapped pits("ledger", symphony_pit_ledger(), "hang_in_restore");
  pits.mount(GetParam());
  SwapOptions options = no_probation;
  options.restore_timeout_ns = 50 * ms_ns;
  expect_refused(pits, pits.in(Mode::process), options, SwapStep::restore, "");
}

#if defined(SYMPHONY_WASM_BUILT)
TEST_P(FromEveryMode, AWasmTargetThatTrapsInRestoreIsDroppedAndTheOldOneGoesOn) {
  Swapped pits;
  pits.mount(GetParam());
  expect_refused(pits, pits.in(Mode::wasm, "b", "trap_in_restore"), no_probation, SwapStep::restore, "restore");
}
#endif

TEST_P(FromEveryMode, ARehearsalFindsWhatARestoreForgets) {
  Swapped pits;
  pits.mount(GetParam());
  Caller caller = pits.open();
  ASSERT_TRUE(act(caller, ledger::Act::ADD, 1));
  SwapOptions options = no_probation;
  options.rehearse = true;
  const SwapReport report = pits.conductor->swap("ledger", pits.in(Mode::static_, "b", "forget"), options);
  EXPECT_EQ(report.step, SwapStep::rehearse);
  EXPECT_EQ(report.status, status::bad_message);
  EXPECT_THAT(report.text, HasSubstr("24 bytes for 40, the first difference at 16")) << "the number of entries";
  EXPECT_EQ(report.pause_ns, 0) << "nobody waited";
  EXPECT_TRUE(act(caller, ledger::Act::ADD, 2));
}

TEST(SwapSteps, AStateThatCannotBeWrittenStaysWhereItIs) {
  Swapped pits;
  ASSERT_TRUE(pits.conductor->mount("ledger", pits.in(Mode::static_, "a", "refuse_snapshot")).ok());
  Caller caller = pits.open();
  ASSERT_TRUE(act(caller, ledger::Act::ADD, 1));
  const SwapReport report = pits.conductor->swap("ledger", pits.in(Mode::dynamic), no_probation);
  EXPECT_EQ(report.step, SwapStep::transfer);
  EXPECT_EQ(report.status, 14);
  EXPECT_THAT(report.text, HasSubstr("snapshot is refused"));
  EXPECT_TRUE(act(caller, ledger::Act::ADD, 2));
}

TEST(SwapSteps, AProcessThatDiesBeforeTheCutLeavesTheSwapUndone) {
  Swapped pits;
  pits.mount(Mode::static_);
  Caller caller = pits.open();
  ASSERT_TRUE(act(caller, ledger::Act::ADD, 1));
  SwapOptions options = no_probation;
  options.rehearse = true;
  ASSERT_TRUE(pits.conductor->swap("ledger", pits.in(Mode::process, "a"), options).ok());
  ASSERT_TRUE(pits.broker->kill_pit("ledger-a"));
  // Whatever it finds, an answer comes, and the pit can be called.
  const SwapReport report = pits.conductor->swap("ledger", pits.in(Mode::static_), no_probation);
  const std::uint64_t last = last_of(caller);
  EXPECT_EQ(last, 0u) << "what follows a dead process without durability has the state of a new one";
  EXPECT_TRUE(act(caller, ledger::Act::ADD, last + 1)) << report.text;
}

TEST(SwapSteps, OnlyTheSamePitOfARevisionThatItRestoresIsTaken) {
  Conductor conductor;
  const auto counter = [](const std::string& name) {
    return MountOptions{.mode = Mode::dynamic, .file = std::string(SYMPHONY_TEST_PITS) + "/" + name + ".so"};
  };
  ASSERT_TRUE(conductor.mount("counter", counter("counter_1")).ok());
  Caller caller = conductor.open("counter");
  const auto ask = [&] {
    const Reply reply = caller.call(1, {});
    std::array<std::uint64_t, 3> said{};  // of the library, of the instance, its revision
    EXPECT_EQ(reply.body.size(), sizeof said) << reply.text;
    if (reply.body.size() == sizeof said) std::memcpy(said.data(), reply.body.data(), sizeof said);
    return said;
  };
  EXPECT_EQ(ask()[1], 1u);
  const SwapReport other = conductor.swap("counter", {.entry = symphony_pit_ledger()}, no_probation);
  EXPECT_EQ(other.step, SwapStep::prepare);
  EXPECT_EQ(other.status, status::bad_message);
  EXPECT_THAT(other.text, AllOf(HasSubstr("'ledger'"), HasSubstr("'counter'")));
  const SwapReport newer = conductor.swap("counter", counter("counter_2"), no_probation);
  EXPECT_EQ(newer.status, status::version);
  EXPECT_THAT(newer.text, AllOf(HasSubstr("revision 2 to 2"), HasSubstr("revision 1")));
  EXPECT_EQ(ask()[1], 2u);
  const SwapReport both = conductor.swap("counter", counter("counter_2_from_1"), no_probation);
  EXPECT_TRUE(both.ok()) << both.text;
  const auto after = ask();
  EXPECT_EQ(after[1], 3u);
  EXPECT_EQ(after[2], 2u) << "it is the new version";
  EXPECT_EQ(conductor.swap("counter", counter("counter_1"), no_probation).status, status::version) << "and no way back";
}

TEST(SwapSteps, APitWithoutStateAndAProcessForItselfAreNoSwaps) {
  struct Plain {
    Status on_raw(Raw, Ctx&) { return ok(); }
  };
  Swapped pits;
  const symphony_pit_entry& plain = pit::Face<Plain, "plain", "1.0.0">::entry;
  ASSERT_TRUE(pits.conductor->mount("plain", {.entry = &plain}).ok());
  const SwapReport stateless = pits.conductor->swap("plain", {.entry = &plain}, no_probation);
  EXPECT_EQ(stateless.status, status::version);
  EXPECT_THAT(stateless.text, HasSubstr("keeps no snapshots"));
  pits.mount(Mode::process);
  const SwapReport itself = pits.conductor->swap("ledger", pits.in(Mode::process, "a"), no_probation);
  EXPECT_EQ(itself.status, status::bad_state);
  EXPECT_THAT(itself.text, HasSubstr("name another in broker_name"));
  Caller caller = pits.open();
  EXPECT_TRUE(act(caller, ledger::Act::ADD, 1));
}

}  // namespace
}  // namespace symphony
