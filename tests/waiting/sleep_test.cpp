// What could go wrong: a wake-up is lost, and a side sleeps although something is there. Both sides of a real link
// sleep for each message; what a lost wake-up leaves behind is counted on both sides.
#include <gtest/gtest.h>

#include <cstdlib>

#include "bench/support/figure.hpp"
#include "bench/support/pinning.hpp"
#include "tests/support/samples.hpp"
#include "tests/waiting/forked_service.hpp"

namespace symphony::detail {
namespace {

std::uint64_t sleeps_wanted() {
  return test_run::samples(std::getenv("SYMPHONY_LONG") != nullptr ? 10'000'000 : 100'000);
}

void sleep_for_each_message(const char* figure_name, std::uint64_t wanted, bool light) {
  const TimeNs start = now_ns();
  ForkedService pit(Waiting::sleep, Placement::automatic, light);
  auto link = pit.open({.in_flight_max = 1, .waiting = Waiting::sleep});
  const auto cpus = bench::two_cpus();
  std::uint64_t calls = 0;
  // A third of the sleeps on the pit's own processor, where they are quick; the rest wherever the scheduler puts them,
  // with a pause now and then, so that the pit surely sleeps and is not caught awake.
  // Where a barrier takes as long as a reply, most sleeps are not needed in the end: so many calls are enough.
  const auto call_until_slept = [&](std::uint64_t sleeps) {
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
    call_until_slept(wanted / 3);
  }
  if (cpus) {
    ASSERT_TRUE(bench::pin_to(pit.pid(), cpus->helper));
  }
  call_until_slept(wanted / 2);
  call_until_slept(wanted);
  const LinkCounters caller = link->counters();
  link.reset();
  const ServiceCounters service = pit.stop().counters;
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
  figure.note = std::to_string(caller.sleeps) + " sleeps of the caller, " + std::to_string(service.sleeps) +
                " of the pit; spurious " + std::to_string(caller.spurious_wakes) + " and " +
                std::to_string(service.spurious_wakes) + "; wakes needed of sent " +
                std::to_string(caller.wakes_needed) + "/" + std::to_string(caller.wakes_sent) + " and " +
                std::to_string(service.wakes_needed) + "/" + std::to_string(service.wakes_sent);
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
