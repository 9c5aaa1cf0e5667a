// What could go wrong: a wake-up is lost, and a side sleeps although something is there. Both sides of a real link
// sleep for each message; what a lost wake-up leaves behind is counted on both sides.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include "bench/support/figure.hpp"
#include "bench/support/pinning.hpp"
#include "tests/support/samples.hpp"
#include "tests/waiting/forked_service.hpp"

namespace symphony::detail {
namespace {

std::uint64_t sleeps_wanted() {
  return test_run::samples(std::getenv("SYMPHONY_LONG") != nullptr ? 10'000'000 : 100'000);
}

// Caller and pit at once: two keep two processors busy with little to wait for; the long lane has more at once than
// processors, so that sides also wait for their turn.
std::size_t pairs_at_once() { return std::getenv("SYMPHONY_LONG") != nullptr ? 6 : 2; }

// What a pair leaves behind in shared memory.
struct PairReport {
  std::uint64_t calls = 0;
  LinkCounters caller;
  ServiceCounters service;
};

// One caller with its pit; runs in a process of its own.
void call_until_slept(std::uint64_t wanted, bool light, PairReport& report) {
  ForkedService pit(Waiting::sleep, Placement::automatic, light);
  auto link = pit.open({.in_flight_max = 1, .waiting = Waiting::sleep});
  const auto cpus = bench::two_cpus();
  std::uint64_t calls = 0;
  // A third of the sleeps on the pit's own processor, where they are quick; the rest wherever the scheduler puts them,
  // with a pause now and then, so that the pit surely sleeps and is not caught awake.
  // Where a barrier takes as long as a reply, most sleeps are not needed in the end: so many calls are enough.
  const auto go_on_until = [&](std::uint64_t sleeps) {
    const std::uint64_t calls_max = light ? calls + 2 * sleeps : ~std::uint64_t{0};
    for (; link->counters().sleeps < sleeps && calls < calls_max; ++calls) {
      ASSERT_EQ(link->call(1, bytes_of("0123456789"), {.timeout_ns = 60 * second_ns}).status, status::ok) << calls;
      if (calls % 64 == 0) (void)spin_until([] { return false; }, now_ns() + 30 * us_ns);
    }
  };
  {
    if (cpus) {
      ASSERT_TRUE(bench::pin_to(pit.pid(), cpus->caller));
    }
    const bench::Pinned here(cpus ? std::optional(cpus->caller) : std::nullopt);
    go_on_until(wanted / 3);
  }
  if (cpus) {
    ASSERT_TRUE(bench::pin_to(pit.pid(), cpus->helper));
  }
  go_on_until(wanted / 2);
  go_on_until(wanted);
  report.calls = calls;
  report.caller = link->counters();
  link.reset();
  report.service = pit.stop().counters;
}

// All pairs at once; what they report, added up.
PairReport run_pairs(std::uint64_t wanted, bool light) {
  const std::size_t pairs = pairs_at_once();
  void* const shared =
      ::mmap(nullptr, pairs * sizeof(PairReport), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  EXPECT_NE(shared, MAP_FAILED);
  auto* const reports = static_cast<PairReport*>(shared);
  std::vector<pid_t> children;
  std::fflush(stdout);  // the children would print what is waiting there once more
  const pid_t parent = ::getpid();
  for (std::size_t i = 0; i < pairs; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() == parent) call_until_slept(wanted / pairs + 1, light, *new (reports + i) PairReport);
      std::fflush(stdout);
      ::_exit(testing::Test::HasFailure() ? 1 : 0);
    }
    children.push_back(child);
  }
  PairReport sum;
  for (std::size_t i = 0; i < pairs; ++i) {
    int status = -1;
    ::waitpid(children[i], &status, 0);
    EXPECT_EQ(status, 0) << "pair " << i << " did not end in order";
    const PairReport& one = reports[i];
    sum.calls += one.calls;
    sum.caller.sleeps += one.caller.sleeps;
    sum.caller.spurious_wakes += one.caller.spurious_wakes;
    sum.caller.timeouts_with_data += one.caller.timeouts_with_data;
    sum.caller.wakes_sent += one.caller.wakes_sent;
    sum.caller.wakes_needed += one.caller.wakes_needed;
    sum.service.requests += one.service.requests;
    sum.service.sleeps += one.service.sleeps;
    sum.service.spurious_wakes += one.service.spurious_wakes;
    sum.service.timeouts_with_data += one.service.timeouts_with_data;
    sum.service.wakes_sent += one.service.wakes_sent;
    sum.service.wakes_needed += one.service.wakes_needed;
  }
  ::munmap(shared, pairs * sizeof(PairReport));
  return sum;
}

void sleep_for_each_message(const char* figure_name, std::uint64_t wanted, bool light) {
  const TimeNs start = now_ns();
  const auto [calls, caller, service] = run_pairs(wanted, light);
  EXPECT_EQ(caller.timeouts_with_data, 0u);
  EXPECT_EQ(service.timeouts_with_data, 0u);
  EXPECT_EQ(service.requests, calls);
  EXPECT_GE(caller.sleeps, light ? wanted / 3 : wanted);
  EXPECT_LE(caller.wakes_needed, caller.wakes_sent);
  EXPECT_LE(service.wakes_needed, service.wakes_sent);
  EXPECT_GT(caller.wakes_needed, 0u) << "the pit never slept: nothing was shown";
  bench::Figure figure;
  figure.name = figure_name;
  figure.value = static_cast<double>(caller.timeouts_with_data + service.timeouts_with_data);
  figure.unit = "count";
  figure.n = caller.sleeps + service.sleeps;
  figure.seconds = static_cast<double>(now_ns() - start) / 1e9;
  figure.note = std::to_string(pairs_at_once()) + " links at once; " + std::to_string(caller.sleeps) +
                " sleeps of the callers, " + std::to_string(service.sleeps) + " of the pits; spurious " +
                std::to_string(caller.spurious_wakes) + " and " + std::to_string(service.spurious_wakes) +
                "; wakes needed of sent " + std::to_string(caller.wakes_needed) + "/" +
                std::to_string(caller.wakes_sent) + " and " + std::to_string(service.wakes_needed) + "/" +
                std::to_string(service.wakes_sent);
  EXPECT_TRUE(bench::write_figure(figure));
  std::printf("%s\n", figure.note.c_str());
}

TEST(Sleep, NoWakeUpIsLostWhenBothSidesSleepForEachMessage) {
  sleep_for_each_message("ring.timeouts_with_data", sleeps_wanted(), false);
}

// Plain stores and loads on both sides: that none is lost is the heavy barrier's doing, and the kernel's.
TEST(Sleep, NoWakeUpIsLostWhereTheSleepersMakeTheBarrierForBoth) {
  sleep_for_each_message("ring.timeouts_with_data.light", sleeps_wanted() / 4, true);
}

// Ends only if the pit hears the stop while it spins.
TEST(Sleep, NobodyMakesASystemCallToWakeAPeerThatSpins) {
  ForkedService pit(Waiting::spin);
  auto link = pit.open({.waiting = Waiting::spin});
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(link->call(1, bytes_of("x"), {.timeout_ns = 60 * second_ns}).ok());
  EXPECT_EQ(link->counters().wakes_sent, 0u);
  EXPECT_EQ(link->counters().sleeps, 0u);
  link.reset();
  const ServiceCounters service = pit.stop().counters;
  EXPECT_EQ(service.wakes_sent, 0u);
  EXPECT_EQ(service.sleeps, 0u);
}

// What a wake-up that is stolen or never sent costs: the bound.
TEST(Sleep, IsBoundedAndShortTowardsAHostilePit) {
  for (const Trust trust : {Trust::cooperative, Trust::hostile}) {
    ForkedService pit;
    auto link = pit.open({.waiting = Waiting::sleep}, trust);
    ::kill(pit.pid(), SIGSTOP);
    const Reply reply = link->call(1, bytes_of("x"), {.timeout_ns = 400 * ms_ns});
    EXPECT_EQ(reply.status, status::deadline);
    const LinkCounters counters = link->counters();
    // 5 ms against 100 ms; a busy machine makes sleeps longer, never shorter.
    if (trust == Trust::hostile) {
      EXPECT_GT(counters.timeouts, 8u);
    } else {
      EXPECT_LE(counters.timeouts, 5u);
    }
    EXPECT_EQ(counters.timeouts_with_data, 0u);
  }
}

}  // namespace
}  // namespace symphony::detail
