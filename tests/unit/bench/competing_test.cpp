// What could go wrong: our own work is taken for that of others, and every measurement is repeated; or the work of
// others is not seen.
#include "bench/support/competing.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace symphony::bench {
namespace {

void burn_cpu(TimeNs cpu_ns) {
  const auto used_ns = [] {
    timespec t{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * second_ns + t.tv_nsec;
  };
  for (const TimeNs until = used_ns() + cpu_ns; used_ns() < until;) {
  }
}

// The same work twice: by a child that was not waited for it is others', waited for it is ours. What the rest of the
// machine does meanwhile is in the first reading as well.
TEST(CompetingCpu, CountsAChildAsOursOnlyOnceItWasWaitedFor) {
  const CompetingCpu others;
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    burn_cpu(200 * ms_ns);
    ::close(ends[0]);
    ::close(ends[1]);
    ::pause();
    ::_exit(0);
  }
  ::close(ends[1]);
  char none = 0;
  ASSERT_EQ(::read(ends[0], &none, 1), 0);  // the child has done its work
  ::close(ends[0]);
  const double before = others.share();
  const bool disturbed = others.disturbed();
  ::kill(child, SIGKILL);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  const double after = others.share();
  EXPECT_GT(before, 0.0);
  EXPECT_TRUE(disturbed || before < 2 * competing_share_max) << "200 ms of another process";
  EXPECT_LT(after, before) << "200 ms of the child's became ours";
}

}  // namespace
}  // namespace symphony::bench
