// A guest that does not return is made to, and only that one.
#include <gmock/gmock.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <symphony/clock.hpp>
#include <thread>
#include <vector>

#include "pits/hosting/wasm/wasm_host.hpp"
#include "pits/hosting/wasm/watchdog.hpp"
#include "tests/unit/hosting/wasm/wasm_fixture.hpp"

namespace symphony::pit::wasm {
namespace {

using ::testing::HasSubstr;

constexpr WasmLimits budget_20_ms{20, 12'000};

TEST(WasmBudget, AHangingHandlerIsInterruptedAndNotBeforeItsTime) {
  const auto watchdog = Watchdog::shared();
  Running pit(trapper_module().entry(), budget_20_ms);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(pit.count(), static_cast<std::uint64_t>(i) + 1);
  const TimeNs began = now_ns();
  pit.send(trapper::hang);
  EXPECT_EQ(pit.sink.status, SYMPHONY_TRAPPED);
  EXPECT_EQ(pit.sink.text, "the pit trapped in handle(): a time budget that is used up (20 ms)");
  EXPECT_GE(now_ns() - began, 20 * ms_ns);
}

TEST(WasmBudget, AHandlerThatHangsInImportsIsInterruptedToo) {
  const auto watchdog = Watchdog::shared();
  Running pit(trapper_module().entry(), budget_20_ms);
  pit.send(trapper::hang_in_log);
  EXPECT_EQ(pit.sink.status, SYMPHONY_TRAPPED);
  EXPECT_THAT(pit.sink.text, HasSubstr("a time budget that is used up"));
}

// The host's own work is not cut short, however long: the guest ends when it comes back.
class SlowLog final : public LogSink {
 public:
  void write(std::int32_t, std::string_view, std::string_view) noexcept override {
    const TimeNs until = now_ns() + 100 * ms_ns;
    while (now_ns() < until) ++turns;
    ++lines;
  }
  std::uint64_t turns = 0;
  int lines = 0;
};
TEST(WasmBudget, TheHostsWorkInAnImportIsFinishedFirst) {
  const auto watchdog = Watchdog::shared();
  SlowLog log;
  Running pit(trapper_module().entry(), budget_20_ms, {}, &log);
  pit.send(trapper::hang_in_log);
  EXPECT_EQ(pit.sink.status, SYMPHONY_TRAPPED);
  EXPECT_EQ(log.lines, 1);
}

TEST(WasmBudget, AHangInCreateIsInterrupted) {
  const auto watchdog = Watchdog::shared();
  Running pit(trapper_module().entry(), budget_20_ms, "\"hang\"");
  EXPECT_EQ(pit.outcome.status, SYMPHONY_TRAPPED);
  EXPECT_THAT(pit.outcome.text, HasSubstr("trapped in create(): a time budget"));
}

// Several threads hang again and again while others work without a budget, or well within one.
TEST(WasmBudget, OnlyTheOneThatHangsIsEnded) {
  const auto watchdog = Watchdog::shared();
  std::atomic<int> wrong{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> workers;
  for (const std::uint32_t budget_ms : {0U, 10'000U}) {
    workers.emplace_back([&, budget_ms] {
      Running pit(trapper_module().entry(), {budget_ms, 12'000});
      for (std::uint64_t i = 1; !stop; ++i) {
        if (pit.count() != i) ++wrong;
      }
    });
  }
  std::vector<std::thread> hanging;
  for (int t = 0; t < 3; ++t) {
    hanging.emplace_back([&] {
      for (int i = 0; i < 10; ++i) {
        Running pit(trapper_module().entry(), {5, 12'000});
        pit.send(trapper::hang);
        if (pit.sink.status != SYMPHONY_TRAPPED) ++wrong;
      }
    });
  }
  for (std::thread& thread : hanging) thread.join();
  stop = true;
  for (std::thread& thread : workers) thread.join();
  EXPECT_EQ(wrong, 0);
}

// A process that was stopped with a guest inside: its budget goes on where it was. Only what is too short is a failure.
TEST(WasmBudget, AFreezeOfTheProcessIsNotHeldAgainstTheGuest) {
  constexpr TimeNs budget_ns = 400 * ms_ns, frozen_ns = 3 * budget_ns;
  struct Seen {
    std::atomic<bool> is_inside{false};
    std::atomic<TimeNs> ended_ns{0};
  };
  void* const page = ::mmap(nullptr, sizeof(Seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(page, MAP_FAILED);
  Seen& seen = *new (page) Seen;
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto watchdog = Watchdog::shared();
    std::int32_t ending = 0;
    std::thread([&] {  // not the one that came over the fork, which no budget holds for
      Running pit(trapper_module().entry(), {budget_ns / ms_ns, 12'000});
      std::thread teller([&] {
        (void)::poll(nullptr, 0, 50);  // the watchdog has seen it by now, or sees it first after the freeze
        seen.is_inside = true;
      });
      pit.send(trapper::hang);
      seen.ended_ns = now_ns();
      teller.join();
      ending = pit.sink.status;
    })
        .join();
    ::_exit(ending == SYMPHONY_TRAPPED ? 0 : 1);
  }
  while (!seen.is_inside) (void)::poll(nullptr, 0, 1);
  const TimeNs inside_ns = now_ns();
  ::kill(child, SIGSTOP);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, WUNTRACED), child);
  ASSERT_TRUE(WIFSTOPPED(status));
  const TimeNs stopped_ns = now_ns();
  (void)::poll(nullptr, 0, static_cast<int>(frozen_ns / ms_ns));
  const TimeNs held_ns = now_ns() - stopped_ns;
  ::kill(child, SIGCONT);
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  if (stopped_ns - inside_ns < budget_ns / 4) {
    EXPECT_GE(seen.ended_ns - inside_ns - held_ns, budget_ns / 2) << "the time in which it stood still was counted";
  }
  ::munmap(page, sizeof(Seen));
}

// The watchdog sleeps while nobody is in a guest; an entry after that is watched like any other.
TEST(WasmBudget, ASleepingWatchdogWakesForTheNextGuest) {
  const auto watchdog = Watchdog::shared();
  for (int i = 0; i < 3; ++i) {
    const TimeNs deadline = now_ns() + 10 * second_ns;
    while (watchdog_sleeps.load() == 0 && now_ns() < deadline) std::this_thread::yield();
    ASSERT_NE(watchdog_sleeps.load(), 0u);
    Running pit(trapper_module().entry(), budget_20_ms);
    pit.send(trapper::hang);
    EXPECT_EQ(pit.sink.status, SYMPHONY_TRAPPED);
  }
}

TEST(WasmBudget, OfAHostIsThatOfEachCall) {
  WasmOptions options;
  options.budget_ms = 300;  // also of each new instance, on a busy machine
  std::unique_ptr<WasmHost> host;
  ASSERT_TRUE(WasmHost::mount(SYMPHONY_WASM_TRAPPER, options, host).ok());
  std::unique_ptr<Link> link;
  ASSERT_TRUE(host->open(link).ok());
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(link->call({.type = trapper::count}).ok());
    const Reply reply = link->call({.type = trapper::hang});
    EXPECT_EQ(reply.status, SYMPHONY_TRAPPED);
    EXPECT_THAT(std::string(reply.text), HasSubstr("(300 ms)"));
  }
  EXPECT_EQ(host->rebuilds(), 3u);
}

// Without a budget and without a watchdog: whoever has had enough of it ends it.
TEST(WasmBudget, AHostEndsACallThatHangsAndOnlyThat) {
  EXPECT_EQ(interrupt_guests(), 0u) << "nobody is in a guest";
  for (const trapper::Order order : {trapper::hang, trapper::hang_in_log}) {
    std::unique_ptr<WasmHost> host;
    ASSERT_TRUE(WasmHost::mount(SYMPHONY_WASM_TRAPPER, {}, host).ok());
    std::unique_ptr<Link> link;
    ASSERT_TRUE(host->open(link).ok());
    // Again after a while, in case that it was on its way into the guest: long enough to make the next instance.
    std::atomic<bool> ended{false};
    std::thread other([&] {
      for (TimeNs again = 0; !ended; std::this_thread::yield()) {
        if (now_ns() >= again && interrupt_guests() > 0) again = now_ns() + 50 * ms_ns;
      }
    });
    const Reply reply = link->call({.type = order});
    EXPECT_EQ(reply.status, SYMPHONY_TRAPPED);
    EXPECT_EQ(reply.text, "the pit trapped in handle(): its host ended the call");
    ended = true;
    other.join();
    EXPECT_EQ(interrupt_guests(), 0u);
    EXPECT_TRUE(link->call({.type = trapper::count}).ok());
  }
}

TEST(WasmBudget, TheWatchdogEndsWithTheLastThatHoldsItAndBeginsAgain) {
  for (int i = 0; i < 5; ++i) {
    const auto one = Watchdog::shared();
    const auto same = Watchdog::shared();
    EXPECT_EQ(one, same);
    Running pit(trapper_module().entry(), {5, 12'000});
    pit.send(trapper::hang);
    EXPECT_EQ(pit.sink.status, SYMPHONY_TRAPPED);
  }
}

}  // namespace
}  // namespace symphony::pit::wasm
