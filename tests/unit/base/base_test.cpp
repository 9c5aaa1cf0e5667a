#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

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
