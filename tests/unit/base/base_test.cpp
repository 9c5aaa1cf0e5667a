#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <string>

#include <symphony/clock.hpp>
#include <symphony/result.hpp>
#include <symphony/unique_fd.hpp>

#include "bus/base/check.hpp"
#include "bus/base/wild.hpp"

namespace symphony {
namespace {

result<int> half_of(int even) {
  if (even % 2 != 0) return unexpected(errc::invalid_argument, "half_of: pass an even number");
  return even / 2;
}

TEST(Result, HoldsTheValueOfASuccess) {
  const auto r = half_of(8);
  ASSERT_TRUE(r.has_value());
  EXPECT_EQ(*r, 4);
}

TEST(Result, HoldsCodeAndRemedyOfAnError) {
  const auto r = half_of(7);
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code, errc::invalid_argument);
  EXPECT_STREQ(r.error().text, "half_of: pass an even number");
}

TEST(Result, AskedForAValueItDoesNotHaveThrowsWhatWentWrong) {
  try {
    (void)half_of(3).value();
    FAIL() << "no exception";
  } catch (const bad_result& e) {
    EXPECT_EQ(e.error().code, errc::invalid_argument);
    EXPECT_STREQ(e.what(), "half_of: pass an even number");
  }
}

TEST(Result, CarriesMoveOnlyValues) {
  result<UniqueFd> r = UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(r);
  const UniqueFd fd = *std::move(r);
  EXPECT_GE(fd.get(), 0);
}

TEST(Result, OfVoidSaysYesOrWhyNot) {
  EXPECT_TRUE(result<void>());
  const result<void> failed = unexpected(errc::timeout, "t");
  EXPECT_FALSE(failed);
  EXPECT_EQ(failed.error().code, errc::timeout);
}

TEST(UniqueFd, ClosesWhatItHoldsExactlyOnce) {
  const int raw = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  {
    UniqueFd a(raw);
    UniqueFd b = std::move(a);
    EXPECT_EQ(b.get(), raw);
    EXPECT_FALSE(a);  // NOLINT(bugprone-use-after-move): the moved-from state is the promise
  }
  EXPECT_EQ(::fcntl(raw, F_GETFD), -1);
}

TEST(UniqueFd, DuplicatesAreCloseOnExec) {
  const UniqueFd a(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const UniqueFd b = a.duplicate();
  ASSERT_TRUE(b);
  EXPECT_NE(::fcntl(b.get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(Clock, TheCoarseReadingIsBehindByLessThanATickAndNeverAhead) {
  for (int i = 0; i < 1000; ++i) {
    const TimeNs coarse = coarse_now_ns();
    const TimeNs exact = now_ns();
    ASSERT_LE(coarse, exact);
  }
}

// In a time namespace whose boot time is a day ahead: as after a day's suspension, which only that clock counts.
TEST(Clock, CountsNoTimeThatTheMachineWasSuspended) {
  enum : int { holds = 0, does_not_hold = 1, not_here = 2 };
  const pid_t outside = ::fork();
  if (outside == 0) {
    const std::string offset = "boottime 86400 0\n";
    const bool may = ::unshare(CLONE_NEWUSER | CLONE_NEWTIME) == 0;
    const UniqueFd offsets(may ? ::open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC) : -1);
    if (!offsets || ::write(offsets.get(), offset.data(), offset.size()) < 0) ::_exit(not_here);
    const pid_t inside = ::fork();
    if (inside == 0) {
      const auto read = [](clockid_t clock) {
        timespec t{};
        ::clock_gettime(clock, &t);
        return t.tv_sec * second_ns + t.tv_nsec;
      };
      const TimeNs before = read(CLOCK_MONOTONIC), ours = now_ns(), boot = read(CLOCK_BOOTTIME);
      const bool is_ours = before <= ours && coarse_now_ns() <= now_ns() && ours < boot - 80'000 * second_ns;
      ::_exit(is_ours && deadline_after(second_ns) < boot ? holds : does_not_hold);
    }
    int status = 0;
    ::waitpid(inside, &status, 0);
    ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : does_not_hold);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(outside, &status, 0), outside);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == not_here) GTEST_SKIP() << "no time namespace can be made here";
  EXPECT_EQ(WEXITSTATUS(status), holds);
}

TEST(Clock, ADeadlineTooFarAwayIsNoDeadline) {
  EXPECT_EQ(deadline_after(no_deadline_ns), no_deadline_ns);
  EXPECT_GT(deadline_after(second_ns), now_ns());
}

TEST(Wild, GivesItsValueOnlyToAnHonestPredicate) {
  const detail::Wild<int> size(70);
  EXPECT_FALSE(size.checked([](int n) { return n <= 64; }));
  EXPECT_EQ(size.checked([](int n) { return n <= 128; }), 70);
}

TEST(CheckDeathTest, ABrokenPromiseInAToolEndsItWithFileLineAndExpression) {
  EXPECT_DEATH(SYMPHONY_CHECK(1 + 1 == 3), "base_test.cpp:[0-9]+: bug: .*1 \\+ 1 == 3");
}

}  // namespace
}  // namespace symphony
