// Faults: an access outside a guest's memory, and the end of a stack, are the guest's end and nobody else's.
#include <gmock/gmock.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <thread>
#include <vector>

#include "pits/hosting/wasm/entry.hpp"
#include "pits/hosting/wasm/reservation.hpp"
#include "tests/unit/hosting/wasm/wasm_fixture.hpp"

namespace symphony::pit::wasm {
namespace {

TEST(WasmFaults, AReadOutsideItsMemorySaysWhere) {
  expect_trap(trapper::read_outside, "an access outside its memory (at 0x1000000)", 16 << 20);
  expect_trap(trapper::read_outside, "(at 0xffffffff)", 0xffff'ffff);
  expect_trap(trapper::read_outside, "(at 0xc0000000)", 0xc000'0000);
}
TEST(WasmFaults, AWriteOutsideItsMemory) {
  expect_trap(trapper::write_outside, "an access outside its memory (at 0x1000000)", 16 << 20);
}
TEST(WasmFaults, TheEndOfTheMachinesStack) { expect_trap(trapper::recurse, "a call stack that is used up"); }
TEST(WasmFaults, TheEndOfItsOwnStack) { expect_trap(trapper::recurse_guest, "an access outside its memory"); }
// Takes a good part of what an import may take of the stack.
class HungryLog final : public LogSink {
 public:
  void write(std::int32_t, std::string_view, std::string_view) noexcept override {
    volatile char bytes[import_stack_size_min / 2];
    for (std::size_t i = 0; i < sizeof bytes; i += 1024) bytes[i] = 1;
  }
};
// On a thread whose stack ends before the guest's own does: the guest is deep in it when it calls the host, whose work
// would fault outside of guest code.
TEST(WasmFaults, TooLittleStackForTheHost) {
  pthread_attr_t small;
  ASSERT_EQ(::pthread_attr_init(&small), 0);
  ASSERT_EQ(::pthread_attr_setstacksize(&small, 256 << 10), 0);
  pthread_t thread{};
  const auto body = [](void*) -> void* {
    HungryLog log;
    Running pit(trapper_module().entry(), {}, {}, &log);
    pit.send(trapper::recurse_to_log);
    EXPECT_EQ(pit.sink.status, SYMPHONY_TRAPPED);
    EXPECT_THAT(pit.sink.text, ::testing::HasSubstr("a call stack that is used up"));
    return nullptr;
  };
  ASSERT_EQ(::pthread_create(&thread, &small, body, nullptr), 0);
  ::pthread_join(thread, nullptr);
  ::pthread_attr_destroy(&small);
}

TEST(WasmFaults, AThousandInARow) {
  for (int i = 0; i < 1000; ++i) {
    Running pit(trapper_module().entry());
    pit.send(trapper::read_outside, 0x7000'0000);
    ASSERT_EQ(pit.sink.status, SYMPHONY_TRAPPED);
  }
}

TEST(WasmFaults, OnThreadsEachWithItsOwnInstances) {
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i) {
        Running one(trapper_module().entry());
        Running other(trapper_module().entry());
        if (one.count() != 1 || other.count() != 1 || other.count() != 2) ++wrong;
        const auto order = (i + t) % 3 == 0   ? trapper::recurse
                           : (i + t) % 3 == 1 ? trapper::read_outside
                                              : trapper::divide_by_zero;
        one.send(order, 0x7000'0000);
        if (one.sink.status != SYMPHONY_TRAPPED || other.count() != 3) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

// The instruction decides: the host's own, even while the thread is in guest code and at an address of the guest's.
TEST(WasmFaultsDeathTest, TheHostsInstructionIsNotTheGuests) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        ::signal(SIGSEGV, SIG_DFL);
        const WasmModule& module = trapper_module();
        const Reservation memory = Reservation::make();
        Activation at;
        at.memory = reinterpret_cast<std::uintptr_t>(memory.base());
        at.text = module.text();
        (void)enter(
            at, [](void* here) { *static_cast<volatile char*>(here) = 1; }, memory.base());
        ::_exit(7);
      },
      ::testing::KilledBySignal(SIGSEGV), "");
}

// A host's own fault is its own, also while its work is done for a guest.
class FaultingLog final : public LogSink {
 public:
  void write(std::int32_t, std::string_view, std::string_view) noexcept override {
    *static_cast<volatile int*>(static_cast<void*>(target)) = 1;
  }
  char* target = nullptr;
};

int first_handler_ran = 0;

TEST(WasmFaultsDeathTest, AFaultOfTheHostIsNotTakenForATrap) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  // In an import, at an address in the guest's own reservation, and with nobody else to handle it.
  EXPECT_EXIT(
      {
        ::signal(SIGSEGV, SIG_DFL);
        FaultingLog log;
        Running pit(trapper_module().entry(), {}, {}, &log);
        pit.send(trapper::hang_in_log);
      },
      ::testing::KilledBySignal(SIGSEGV), "");
  // Outside any guest, with a handler that was there first.
  EXPECT_EXIT(
      {
        struct sigaction before {};
        before.sa_handler = [](int) { ::_exit(++first_handler_ran + 40); };
        ::sigaction(SIGSEGV, &before, nullptr);
        Running pit(trapper_module().entry());
        pit.send(trapper::read_outside, 0x7000'0000);
        if (pit.sink.status != SYMPHONY_TRAPPED || first_handler_ran != 0) ::_exit(1);
        volatile int* nowhere = nullptr;
        *nowhere = 1;
      },
      ::testing::ExitedWithCode(41), "");
}

}  // namespace
}  // namespace symphony::pit::wasm
