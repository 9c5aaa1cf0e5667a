// Whatever a guest does ends as a status of its own call, and the process goes on.
#include <gmock/gmock.h>

#include <sys/mman.h>
#include <sys/resource.h>
#include <csignal>
#include <thread>
#include <vector>

#include "tests/unit/dag_tracker/pit_driver.hpp"
#include "tests/unit/hosting/wasm/wasm_fixture.hpp"

namespace symphony::pit::wasm {
namespace {

using ::testing::HasSubstr;

TEST(WasmTraps, ADivisionByZero) { expect_trap(trapper::divide_by_zero, "a division by zero"); }
TEST(WasmTraps, AnIntegerOverflow) { expect_trap(trapper::divide_overflow, "an integer overflow"); }
TEST(WasmTraps, AConversionOfWhatIsNoNumber) { expect_trap(trapper::convert_nan, "no integer can hold"); }
TEST(WasmTraps, AnAbortWithWhatThePitSaidBefore) {
  expect_trap(trapper::call_abort, "abort() and failed checks are: there is no plan for this");
}
TEST(WasmTraps, TheEndOfTheProgram) { expect_trap(trapper::call_exit, "unreachable"); }
TEST(WasmTraps, ACallOfAnotherType) { expect_trap(trapper::call_wrong_type, "no function of that type"); }
TEST(WasmTraps, ACallOfNothing) { expect_trap(trapper::call_null, "no function of that type"); }
TEST(WasmTraps, NoMemoryForNewSaysTheRemedy) {
  expect_trap(trapper::new_all_memory, "raise the module's --max-memory");
}
TEST(WasmTraps, BytesForTheLogThatAreNotInItsMemory) { expect_trap(trapper::lie_to_log, "not in its memory"); }

TEST(WasmTraps, InEachHookEndThatStep) {
  Running at_create(trapper_module().entry(), {}, "\"trap\"");
  EXPECT_EQ(at_create.outcome.status, SYMPHONY_TRAPPED);
  EXPECT_THAT(at_create.outcome.text, HasSubstr("trapped in create()"));

  Running at_drain(trapper_module().entry());
  at_drain.send(trapper::in_next_hook, trapper::call_abort);
  const Outcome drained = at_drain.instance->drain(0);
  EXPECT_EQ(drained.status, SYMPHONY_TRAPPED);
  EXPECT_THAT(drained.text, HasSubstr("trapped in drain()"));

  Running at_snapshot(trapper_module().entry());
  at_snapshot.send(trapper::in_next_hook, trapper::call_abort);
  Snapshot none;
  const Outcome taken = at_snapshot.instance->snapshot(none);
  EXPECT_EQ(taken.status, SYMPHONY_TRAPPED);
  EXPECT_THAT(taken.text, HasSubstr("trapped in snapshot()"));

  const std::uint64_t sum = 666;
  Snapshot evil{1, {}};
  evil.bytes.resize(sizeof sum);
  std::memcpy(evil.bytes.data(), &sum, sizeof sum);
  std::unique_ptr<Instance> instance;
  ASSERT_TRUE(Instance::make(trapper_module().entry(), {}, instance).ok());
  ASSERT_TRUE(instance->init().ok());
  const Outcome restored = instance->restore(evil);
  EXPECT_EQ(restored.status, SYMPHONY_TRAPPED);
  EXPECT_THAT(restored.text, HasSubstr("trapped in restore()"));
}

// Also for a host that asks again: the guard is the guest's, whoever runs it.
TEST(WasmTraps, LaterCallsAnswerTheSameWithoutEnteringIt) {
  ::symphony::pit::testing::PitDriver pit(trapper_module().entry());
  ASSERT_TRUE(pit.ready());
  ASSERT_TRUE(pit.start());
  EXPECT_EQ(pit.send_bytes(trapper::call_abort, nullptr, 0), SYMPHONY_TRAPPED);
  const std::string said = pit.text();
  EXPECT_THAT(said, HasSubstr("trapped in handle()"));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(pit.send_bytes(trapper::count, nullptr, 0), SYMPHONY_TRAPPED);
    EXPECT_EQ(pit.text(), said);
  }
  std::vector<std::uint8_t> none;
  EXPECT_EQ(pit.snapshot(none), SYMPHONY_TRAPPED);
  EXPECT_FALSE(pit.start());
}

TEST(WasmGuest, SeesThatItsMemoryIsUsedUpAndGoesOn) {
  Running pit(trapper_module().entry());
  pit.send(trapper::use_all_memory);
  ASSERT_EQ(pit.sink.status, SYMPHONY_OK) << pit.sink.text;
  std::uint64_t got = 0;
  std::memcpy(&got, pit.sink.body.data(), sizeof got);
  EXPECT_GE(got, 12u);  // of the 16 MiB that the module may have
  EXPECT_LT(got, 16u);
  EXPECT_EQ(pit.count(), 1u);
}

TEST(WasmGuest, ARequestThatDoesNotFitIntoItsMemoryIsRefusedAndTheNextIsNot) {
  Running pit(trapper_module().entry());
  const std::vector<std::byte> much(17 << 20);
  pit.send(trapper::empty, much);
  EXPECT_EQ(pit.sink.status, SYMPHONY_OVERLOADED);
  EXPECT_THAT(pit.sink.text, HasSubstr("raise its --max-memory"));
  EXPECT_EQ(pit.count(), 1u);
}

TEST(WasmGuest, AReplyCannotHoldMoreThanWasClaimed) {
  Running pit(trapper_module().entry());
  pit.room = 100;
  pit.send(trapper::lie_to_commit);
  EXPECT_EQ(pit.sink.status, SYMPHONY_TOO_LARGE) << pit.sink.text;
  pit.room = 65'536;
  pit.send(trapper::claim_too_much);
  EXPECT_EQ(pit.sink.status, SYMPHONY_TOO_LARGE);
  pit.send(trapper::claim_twice);
  EXPECT_EQ(pit.sink.status, SYMPHONY_OK);
  EXPECT_EQ(pit.sink.type, 5u);
  EXPECT_EQ(pit.sink.body, std::string(32, 'x'));
}

TEST(WasmGuest, ManyBytesGoInAndComeOut) {
  Running pit(trapper_module().entry());
  for (std::size_t size = 0; size < 65'536; size = size * 3 / 2 + 1) {
    std::vector<std::byte> bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 31 + size);
    pit.send(trapper::echo, bytes);
    ASSERT_EQ(pit.sink.status, SYMPHONY_OK);
    ASSERT_EQ(pit.sink.body.size(), size);
    const auto same = [](char a, std::byte b) { return static_cast<std::byte>(a) == b; };
    EXPECT_TRUE(std::equal(pit.sink.body.begin(), pit.sink.body.end(), bytes.begin(), same));
  }
}

}  // namespace
}  // namespace symphony::pit::wasm
