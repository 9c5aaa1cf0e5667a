// The yardsticks: what they measure is real (times are positive and each reply was checked), they can be asked again,
// and nothing of them stays behind: no process, no descriptor, whatever happens to the program that measures.
#include "bench/support/yardstick.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include <symphony/clock.hpp>
#include <symphony/unique_fd.hpp>

#include "bench/support/pinning.hpp"

namespace symphony::bench {
namespace {

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

bool has_children() { return ::waitpid(-1, nullptr, WNOHANG) >= 0 || errno != ECHILD; }

UniqueFd watch(pid_t pid) { return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); }

bool has_ended(const UniqueFd& process) {
  pollfd fd{process.get(), POLLIN, 0};
  return ::poll(&fd, 1, 60'000) == 1;
}

// The processor time that a process has used, in clock ticks.
long ticks_used(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  const std::string text(std::istreambuf_iterator<char>(file), {});
  char* at = const_cast<char*>(text.c_str()) + text.rfind(')') + 4;  // behind the state
  for (int field = 4; field < 14; ++field) (void)std::strtol(at, &at, 10);
  const long user = std::strtol(at, &at, 10);
  return user + std::strtol(at, &at, 10);
}

void expect_sane(const result<Samples>& samples, std::uint64_t n) {
  ASSERT_TRUE(samples) << samples.error().text;
  EXPECT_EQ(samples->n, (n + yardstick_batch - 1) / yardstick_batch * yardstick_batch);
  EXPECT_EQ(samples->stamped.count(), samples->n);
  EXPECT_GT(samples->batch_p50_ns, 0);
  EXPECT_GT(samples->p50_ns, 0);
  EXPECT_GE(samples->p99_ns, samples->p50_ns);
}

TEST(Yardsticks, EachKindIsMeasuredAndCanBeMeasuredAgain) {
  auto yardsticks = Yardsticks::start();
  ASSERT_TRUE(yardsticks) << yardsticks.error().text;
  for (int i = 0; i < 2; ++i) {
    expect_sane(yardsticks->measure_line(10'000), 10'000);
    expect_sane(yardsticks->measure_uds(500), 500);
    expect_sane(yardsticks->measure_futex(500), 500);
  }
}

TEST(Yardsticks, OneRoundTripIsRoundedUpToABatch) {
  auto yardsticks = Yardsticks::start();
  ASSERT_TRUE(yardsticks) << yardsticks.error().text;
  expect_sane(yardsticks->measure_line(1), yardstick_batch);
}

TEST(Yardsticks, CountsOutsideTheLimitsAreRefusedAndChangeNothing) {
  auto yardsticks = Yardsticks::start();
  ASSERT_TRUE(yardsticks) << yardsticks.error().text;
  for (const std::uint64_t wrong : {std::uint64_t{0}, yardstick_count_max + 1}) {
    const auto refused = yardsticks->measure_line(wrong);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, errc::invalid_argument);
    EXPECT_FALSE(yardsticks->check_line(wrong));
  }
  expect_sane(yardsticks->measure_line(64), 64);
}

TEST(Yardsticks, TheLineAgainstItselfSaysWhetherRatiosMeanSomething) {
  auto yardsticks = Yardsticks::start();
  ASSERT_TRUE(yardsticks) << yardsticks.error().text;
  const auto check = yardsticks->check_line(20'000);
  ASSERT_TRUE(check) << check.error().text;
  EXPECT_GT(check->ratio, 0);
  EXPECT_EQ(check->n, 20'032U);
  for (const auto& [ratio, conclusive] :
       {std::pair{0.929, false}, {0.93, true}, {1.0, true}, {1.07, true}, {1.071, false}}) {
    EXPECT_EQ((SelfCheck{ratio, 1}.conclusive()), conclusive) << ratio;
  }
}

TEST(Yardsticks, PinnedOnesSayWhetherBothSidesWereAndGiveTheThreadItsProcessorsBack) {
  cpu_set_t before;
  cpu_set_t after;
  ASSERT_EQ(::sched_getaffinity(0, sizeof before, &before), 0);
  auto yardsticks = Yardsticks::start({.pin = true});
  ASSERT_TRUE(yardsticks) << yardsticks.error().text;
  const auto samples = yardsticks->measure_line(1000);
  ASSERT_TRUE(samples) << samples.error().text;
  EXPECT_EQ(samples->pinned, CPU_COUNT(&before) > 1);
  ASSERT_EQ(::sched_getaffinity(0, sizeof after, &after), 0);
  EXPECT_TRUE(CPU_EQUAL(&before, &after));
  cpu_set_t helper;
  ASSERT_EQ(::sched_getaffinity(yardsticks->helper_pid(), sizeof helper, &helper), 0);
  EXPECT_EQ(CPU_COUNT(&helper) == 1, samples->pinned || CPU_COUNT(&before) == 1);
  auto unpinned = Yardsticks::start();
  ASSERT_TRUE(unpinned) << unpinned.error().text;
  const auto free_samples = unpinned->measure_line(64);
  ASSERT_TRUE(free_samples) << free_samples.error().text;
  EXPECT_FALSE(free_samples->pinned);
}

TEST(Yardsticks, AProcessorThatCannotBeUsedMeansThatNothingIsPinned) {
  EXPECT_FALSE(two_cpus(CPU_SETSIZE));
  EXPECT_FALSE(two_cpus(-1));
  auto yardsticks = Yardsticks::start({.pin = true, .helper_cpu = CPU_SETSIZE});
  ASSERT_TRUE(yardsticks) << yardsticks.error().text;
  const auto samples = yardsticks->measure_line(64);
  ASSERT_TRUE(samples) << samples.error().text;
  EXPECT_FALSE(samples->pinned);
}

TEST(Yardsticks, AMissingProgramIsAnErrorThatNamesTheRemedy) {
  const std::size_t before = open_descriptors();
  const auto missing = Yardsticks::start({.program = "/nowhere/symphony-yardstick"});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, errc::not_found);
  EXPECT_NE(std::string(missing.error().text).find("build the target"), std::string::npos);
  EXPECT_EQ(open_descriptors(), before);
}

TEST(Yardsticks, LeaveNoDescriptorAndNoProcess) {
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 5; ++i) {
    auto yardsticks = Yardsticks::start();
    ASSERT_TRUE(yardsticks) << yardsticks.error().text;
    auto moved = *std::move(yardsticks);
    ASSERT_TRUE(moved.measure_line(64));
  }
  EXPECT_EQ(open_descriptors(), before);
  EXPECT_FALSE(has_children());
}

// Whoever inherits an open descriptor keeps sockets and pipes of the program alive.
TEST(Yardsticks, TheHelperInheritsNothingButItsOwnDescriptors) {
  const UniqueFd leaky(
      ::memfd_create("inherited", 0));  // allowed: no MFD_CLOEXEC, to see that it is closed all the same
  ASSERT_TRUE(leaky);
  auto yardsticks = Yardsticks::start();
  ASSERT_TRUE(yardsticks) << yardsticks.error().text;
  ASSERT_TRUE(yardsticks->measure_line(64));
  std::size_t count = 0;
  for (const auto& fd :
       std::filesystem::directory_iterator("/proc/" + std::to_string(yardsticks->helper_pid()) + "/fd")) {
    EXPECT_LT(std::stoi(fd.path().filename().string()), 5);
    ++count;
  }
  EXPECT_EQ(count, 5U);
}

TEST(Yardsticks, AForkedCopyEndsNothing) {
  auto yardsticks = Yardsticks::start();
  ASSERT_TRUE(yardsticks) << yardsticks.error().text;
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    { auto copy = *std::move(yardsticks); }
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(yardsticks->measure_line(64));
}

TEST(Yardsticks, AHelperThatDiesEndsTheMeasurementWithAnError) {
  auto yardsticks = Yardsticks::start();
  ASSERT_TRUE(yardsticks) << yardsticks.error().text;
  const UniqueFd process = watch(yardsticks->helper_pid());
  std::thread killer([pid = yardsticks->helper_pid()] {
    while (ticks_used(pid) == 0) std::this_thread::yield();  // it measures
    ::kill(pid, SIGKILL);
  });
  result<Samples> samples = yardsticks->measure_line(yardstick_count_max);
  killer.join();
  ASSERT_FALSE(samples);
  EXPECT_EQ(samples.error().code, errc::closed);
  EXPECT_FALSE(yardsticks->measure_uds(1)) << "for good";
  EXPECT_TRUE(has_ended(process));
}

// The helper of a child of this program, which dies by SIGKILL while it waits or measures.
void expect_helper_to_die_with_its_parent(bool measuring) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  UniqueFd from_child(ends[0]);
  UniqueFd to_parent(ends[1]);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto yardsticks = Yardsticks::start();
    if (!yardsticks || !yardsticks->measure_line(64)) ::_exit(1);
    const pid_t helper = yardsticks->helper_pid();
    if (::write(to_parent.get(), &helper, sizeof helper) != sizeof helper) ::_exit(1);
    while (measuring && yardsticks->measure_line(yardstick_count_max)) {
    }
    for (;;) ::pause();
  }
  to_parent.reset();
  pid_t helper = -1;
  ASSERT_EQ(::read(from_child.get(), &helper, sizeof helper), static_cast<ssize_t>(sizeof helper));
  const UniqueFd process = watch(helper);
  ASSERT_TRUE(process);
  if (measuring) {
    const long before = ticks_used(helper);
    while (ticks_used(helper) <= before) std::this_thread::yield();
  }
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_TRUE(has_ended(process));
}

TEST(Yardsticks, TheHelperDiesWithAParentThatIsKilledWhileItRests) { expect_helper_to_die_with_its_parent(false); }
TEST(Yardsticks, TheHelperDiesWithAParentThatIsKilledWhileItMeasures) { expect_helper_to_die_with_its_parent(true); }

// Between measurements the helper sleeps: what this program computes meanwhile takes nothing of its time.
TEST(Yardsticks, TheHelperUsesNoProcessorBetweenMeasurements) {
  auto yardsticks = Yardsticks::start();
  ASSERT_TRUE(yardsticks) << yardsticks.error().text;
  ASSERT_TRUE(yardsticks->measure_line(1000));
  const auto is_asleep = [path = "/proc/" + std::to_string(yardsticks->helper_pid()) + "/stat"] {
    std::ifstream file(path);
    const std::string text(std::istreambuf_iterator<char>(file), {});
    return text.at(text.rfind(')') + 2) == 'S';
  };
  const TimeNs until = deadline_after(60 * second_ns);
  while (!is_asleep() && now_ns() < until) std::this_thread::yield();
  EXPECT_TRUE(is_asleep());
  const long before = ticks_used(yardsticks->helper_pid());
  for (const TimeNs end = deadline_after(200 * ms_ns); now_ns() < end;) {
  }
  EXPECT_EQ(ticks_used(yardsticks->helper_pid()), before);
}

}  // namespace
}  // namespace symphony::bench
