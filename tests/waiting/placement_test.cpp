// What could go wrong: a pit that should follow its caller stays, or a caller's word moves it where it must not go.
#include <gtest/gtest.h>

#include "bench/support/pinning.hpp"
#include "bus/endpoint/placement.hpp"
#include "tests/waiting/forked_service.hpp"

namespace symphony::detail {
namespace {

constexpr CallOptions patient{.timeout_ns = 60 * second_ns};

cpu_set_t cpus_of(pid_t pid) {
  cpu_set_t set;
  CPU_ZERO(&set);
  EXPECT_EQ(::sched_getaffinity(pid, sizeof set, &set), 0);
  return set;
}
bool is_only(const cpu_set_t& set, int cpu) {
  return CPU_COUNT(&set) == 1 && CPU_ISSET(static_cast<unsigned>(cpu), &set);
}

struct PlacementTest : testing::Test {
  void SetUp() override {
    cpus = bench::two_cpus();
    if (!cpus) GTEST_SKIP() << "one processor";
  }
  // Calls until the pit's set of processors is as wanted: it moves when it is about to sleep.
  static bool comes_to(ForkedService& pit, LinkCore& link, int caller_cpu, auto&& wanted) {
    const bench::Pinned here(caller_cpu);
    for (const TimeNs deadline = deadline_after(30 * second_ns); now_ns() < deadline;) {
      if (!link.call(1, bytes_of("x"), patient).ok()) return false;
      if (wanted(cpus_of(pit.pid()))) return true;
    }
    return false;
  }
  std::optional<bench::CpuPair> cpus;
};

TEST_F(PlacementTest, APitFollowsACallerThatWishesItsOwnProcessor) {
  ForkedService pit;
  auto link = pit.open({.waiting = Waiting::sleep, .placement = Placement::same_core});
  for (const int cpu : {cpus->caller, cpus->helper, cpus->caller}) {
    EXPECT_TRUE(comes_to(pit, *link, cpu, [&](const cpu_set_t& set) { return is_only(set, cpu); })) << cpu;
  }
}

TEST_F(PlacementTest, APitLeavesTheProcessorOfACallerThatWishesAnother) {
  ForkedService pit;
  auto link = pit.open({.waiting = Waiting::sleep, .placement = Placement::other_core});
  for (const int cpu : {cpus->caller, cpus->helper}) {
    EXPECT_TRUE(comes_to(pit, *link, cpu, [&](const cpu_set_t& set) {
      return CPU_COUNT(&set) > 0 && !CPU_ISSET(static_cast<unsigned>(cpu), &set);
    })) << cpu;
  }
}

TEST_F(PlacementTest, ThePitsOwnOptionComesBeforeAWish) {
  ForkedService pit(Waiting::sleep, Placement::same_core);
  auto link = pit.open({.waiting = Waiting::sleep, .placement = Placement::other_core});
  EXPECT_TRUE(comes_to(pit, *link, cpus->helper, [&](const cpu_set_t& set) { return is_only(set, cpus->helper); }));
}

TEST_F(PlacementTest, WithoutOptionOrWishThePitStaysWhereItMayBe) {
  ForkedService pit;
  const cpu_set_t all = cpus_of(pit.pid());
  auto link = pit.open({.waiting = Waiting::sleep});
  for (int i = 0; i < 200; ++i) {
    const bench::Pinned here(i % 2 == 0 ? cpus->caller : cpus->helper);
    ASSERT_TRUE(link->call(1, bytes_of("x"), patient).ok());
    const cpu_set_t now = cpus_of(pit.pid());
    ASSERT_TRUE(CPU_EQUAL(&now, &all));
  }
}

// Every number a caller could write: each moves the thread within its own set, or not at all.
TEST_F(PlacementTest, NoWordMovesAThreadOutOfItsSet) {
  const bench::Pinned here(cpus->caller);
  Placer placer(Placement::automatic);
  for (std::uint32_t wish = 0; wish < 8; ++wish) {
    for (std::uint32_t cpu = 0; cpu <= 0xffff; ++cpu) placer.follow(wish << 16 | cpu);
    ASSERT_TRUE(is_only(cpus_of(0), cpus->caller)) << wish;
  }
}

}  // namespace
}  // namespace symphony::detail
