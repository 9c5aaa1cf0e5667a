// What could go wrong: a call that nobody thought of, or arguments that nobody thought of, of a kind that the lists let
// through. Random ones are made behind all walls, by one process after the other, as most do not live long.
#include <gtest/gtest.h>

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <random>

#include "bench/support/figure.hpp"
#include "tests/hostile/escape/cell.hpp"
#include "tests/support/samples.hpp"

namespace symphony::hostile {
namespace {

constexpr long numbers = 1024;  // of system calls; from about 470 on there are none yet
constexpr std::size_t buffer_size = 64UL * 1024;

// What the processes know of those before them.
struct Shared {
  std::atomic<std::uint64_t> calls{0}, done{0};  // `done`: that returned
  std::uint64_t wanted = 0, seed = 0;
  std::atomic<long> last{-1};  // that has not returned
  bool is_deadly[numbers]{};   // it ended its process once: made less often from then on
};
Shared* shared;

// They wait, as they are for: the lists let them through, and a process that waits for ever shows nothing.
bool waits(long number) {
  switch (number) {
    case SYS_pause:
    case SYS_nanosleep:
    case SYS_clock_nanosleep:
    case SYS_rt_sigsuspend:
    case SYS_rt_sigtimedwait:
    case SYS_poll:
    case SYS_ppoll:
    case SYS_select:
    case SYS_pselect6:
    case SYS_epoll_wait:
    case SYS_epoll_pwait:
    case SYS_epoll_pwait2:
    case SYS_futex:
    case SYS_futex_waitv:
      return true;
    default:
      return false;
  }
}

class RandomCalls {
 public:
  RandomCalls() : random_(shared->seed + shared->calls) {
    buffer_ =
        static_cast<char*>(::mmap(nullptr, buffer_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  }
  void make() {
    if (const long fatal = shared->last.exchange(-1); fatal >= 0) shared->is_deadly[fatal] = true;
    for (unsigned fd = 0; fd < 8; ++fd) ::close(static_cast<int>(fd));
    while (shared->calls < shared->wanted) {
      const long number = static_cast<long>(below(below(8) == 0 ? numbers : 470));
      if (waits(number) || (shared->is_deadly[number] && below(500) != 0)) continue;
      long arguments[6];
      for (long& a : arguments) a = argument();
      shared->last = number;
      ++shared->calls;
      ::syscall(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);
      shared->last = -1;
      ++shared->done;
    }
  }

 private:
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  long argument() {
    switch (below(6)) {
      case 0:
        return static_cast<long>(below(64));
      case 1:
        return static_cast<long>(1ULL << below(64));
      case 2:
        return static_cast<long>(random_());
      case 3:
        return -static_cast<long>(below(200));
      default:
        return reinterpret_cast<long>(buffer_ + (below(buffer_size) & ~7ULL));
    }
  }
  std::mt19937_64 random_;
  char* buffer_;
};

bool make_random_calls(const Neighbour&) {
  RandomCalls calls;
  calls.make();
  return false;
}

TEST(RandomCalls, BehindAllWallsHarmNoNeighbourAndNoMachine) {
  void* const page = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(page, MAP_FAILED);
  shared = new (page) Shared;
  shared->wanted = std::getenv("SYMPHONY_LONG") != nullptr ? 1'000'000 : 100'000;
  shared->seed = test_run::seed();
  const Attempt attempt{0, "make random calls", make_random_calls};
  std::size_t processes = 0, killed = 0, distinct = 0;
  while (shared->calls < shared->wanted) {
    const auto trials = try_in_cell(attempt, std::vector<Walls>(16, Walls{sandbox_all_blocks}));
    if (!trials) GTEST_SKIP() << "this machine gives no namespaces to try in";
    for (const Trial& trial : *trials) {
      EXPECT_TRUE(trial.neighbour_is_well) << "after " << shared->calls << " calls";
      EXPECT_FALSE(trial.worked);
      ++processes;
      killed += trial.was_killed ? 1 : 0;
    }
    if (testing::Test::HasFailure()) break;
  }
  for (const bool deadly : shared->is_deadly) distinct += deadly ? 1 : 0;
  std::printf("%llu calls by %zu processes, %llu returned, %zu ended by SIGSYS; %zu numbers ended one\n",
              static_cast<unsigned long long>(shared->calls), processes, static_cast<unsigned long long>(shared->done),
              killed, distinct);
  EXPECT_GT(shared->done, shared->wanted / 2);
  EXPECT_GT(killed, 0U) << "the filter ends who makes the worst of them";
  bench::Figure figure;
  figure.name = "sandbox.random_calls";
  figure.value = static_cast<double>(shared->calls);
  figure.unit = "count";
  figure.n = processes;
  figure.seed = shared->seed;
  figure.note = "random system calls behind all walls; the neighbour was well after each process";
  if (!testing::Test::HasFailure()) {
    EXPECT_TRUE(bench::write_figure(figure).has_value());
  }
  ::munmap(page, sizeof(Shared));
}

}  // namespace
}  // namespace symphony::hostile
