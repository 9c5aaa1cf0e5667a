// What could go wrong: code that runs too long is not noticed, or what kept to its time is blamed.
#include <symphony/conductor.hpp>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <new>
#include <string>
#include <thread>
#include <utility>

#include <symphony/pit.hpp>

namespace symphony {
namespace {

constexpr std::uint32_t type_wait = 7;
std::atomic<bool> gate{true};
std::atomic<int> waiting{0};

// Stands in the gate until it is open. Not in one long sleep: a signal is taken between two of them.
[[gnu::noinline]] void stand_in_the_gate() {
  ++waiting;
  while (!gate) (void)::poll(nullptr, 0, 1);
  --waiting;
}

struct Slow {
  Status on_raw(Raw raw, Ctx& ctx) {
    if (raw.envelope().type == type_wait) stand_in_the_gate();
    if (raw.envelope().type == type_wait + 1) return ctx.set_timer(1, ctx.now_ns());
    return ctx.reply_bytes(1, "x", 1);
  }
  Status on_timer(std::uint64_t, Ctx&) {
    stand_in_the_gate();
    return ok();
  }
};
const symphony_pit_entry& slow = pit::Face<Slow, "slow", "1.0.0">::entry;

struct OverrunTest : testing::Test {
  ~OverrunTest() override { gate = true; }
  void mount(std::uint32_t budget_ms) {
    ASSERT_TRUE(conductor.mount("slow", {.entry = &slow, .budget_ms = budget_ms}).ok());
  }
  PitHealth health() {
    PitHealth out;
    EXPECT_TRUE(conductor.health("slow", out).ok());
    return out;
  }
  template <class Wanted>
  PitHealth health_until(Wanted&& wanted) {
    PitHealth now = health();
    for (const TimeNs deadline = deadline_after(60 * second_ns); !wanted(now) && now_ns() < deadline; now = health()) {
      (void)::poll(nullptr, 0, 1);
    }
    return now;
  }
  static bool is_degraded(const PitHealth& now) { return now.degraded; }
  Conductor conductor;
};

TEST_F(OverrunTest, AMessageThatRunsLongerIsToldWithItsStackUntilItReturns) {
  mount(20);
  gate = false;
  std::thread caller([&] { EXPECT_TRUE(conductor.open("slow").call(type_wait, {}).ok()); });
  const PitHealth now = health_until(is_degraded);
  EXPECT_TRUE(now.degraded);
  EXPECT_EQ(now.type, type_wait);
  EXPECT_GE(now.running_ns, 20 * ms_ns);
  EXPECT_EQ(now.overruns, 1u);
  std::string stack;
  for (const std::string& frame : now.stack) stack += frame + "\n";
  EXPECT_NE(stack.find("test_conductor+0x"), std::string::npos) << stack;
  EXPECT_GE(now.stack.size(), 4u) << stack;
  gate = true;
  caller.join();
  EXPECT_FALSE(health().degraded);
  EXPECT_EQ(health().overruns, 1u);
  EXPECT_FALSE(health().stack.empty());
  EXPECT_TRUE(conductor.open("slow").call(1, {}).ok());
}

TEST_F(OverrunTest, EachMessageHasABudgetOfItsOwn) {
  mount(2'000);
  Caller caller = conductor.open("slow");
  for (const TimeNs end = now_ns() + 3 * second_ns; now_ns() < end;) ASSERT_TRUE(caller.call(1, {}).ok());
  EXPECT_EQ(health().overruns, 0u);
}

TEST_F(OverrunTest, ATimerThatRunsLongerIsToldToo) {
  mount(20);
  gate = false;
  // Not this thread, which opens the gate: whoever calls may be the one that then runs the timer.
  std::thread arming([&] { EXPECT_TRUE(conductor.open("slow").call(type_wait + 1, {}).ok()); });
  const PitHealth now = health_until(is_degraded);
  EXPECT_TRUE(now.degraded);
  EXPECT_EQ(now.type, 0u);
  gate = true;
  arming.join();
  EXPECT_FALSE(health_until([](const PitHealth& later) { return !later.degraded; }).degraded);
}

TEST_F(OverrunTest, WithoutABudgetNobodyLooks) {
  mount(0);
  gate = false;
  std::thread caller([&] { EXPECT_TRUE(conductor.open("slow").call(type_wait, {}).ok()); });
  while (waiting == 0) (void)::poll(nullptr, 0, 1);
  (void)::poll(nullptr, 0, 100);
  EXPECT_FALSE(health().degraded);
  gate = true;
  caller.join();
  PitHealth nobody;
  EXPECT_EQ(conductor.health("nobody", nobody).status, status::unreachable);
}

// How often the other threads of this process fell asleep.
std::uint64_t sleeps_of_others() {
  std::uint64_t sum = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    if (task.path().filename() == std::to_string(::gettid())) continue;
    std::ifstream status(task.path() / "status");
    for (std::string word; status >> word;) {
      std::uint64_t count = 0;
      if (word == "voluntary_ctxt_switches:" && status >> count) sum += count;
    }
  }
  return sum;
}

TEST_F(OverrunTest, AnIdlePitIsNotLookedAt) {
  mount(1);
  ASSERT_TRUE(conductor.open("slow").call(1, {}).ok());
  (void)::poll(nullptr, 0, 50);
  const std::uint64_t before = sleeps_of_others();
  (void)::poll(nullptr, 0, 1000);
  EXPECT_LT(sleeps_of_others() - before, 100u);  // a look each millisecond would be 1000
}

TEST_F(OverrunTest, WhoHandlesTheSignalItselfKeepsIt) {
  const int number = SIGRTMAX - 1;
  struct sigaction own {
  }, before{};
  own.sa_handler = SIG_IGN;
  ASSERT_EQ(::sigaction(number, &own, &before), 0);
  mount(20);
  gate = false;
  std::thread caller([&] { EXPECT_TRUE(conductor.open("slow").call(type_wait, {}).ok()); });
  const PitHealth now = health_until(is_degraded);
  gate = true;
  caller.join();
  EXPECT_TRUE(now.degraded);
  ASSERT_EQ(now.stack.size(), 1u);
  EXPECT_NE(now.stack[0].find("another part of this program handles signal"), std::string::npos) << now.stack[0];
  ::sigaction(number, &before, nullptr);
}

// In a process of its own, which has no other thread when it is made.
template <class Body>
pid_t in_a_child(Body&& body) {
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::_exit(::getppid() == parent ? body() : 1);
}
int status_of(pid_t child) {
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return status;
}

TEST_F(OverrunTest, WhereTheMountSaysSoAnOverrunEndsTheProcessAndSaysWhy) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  const pid_t child = in_a_child([&] {
    ::dup2(ends[1], STDERR_FILENO);
    Conductor own;
    if (!own.mount("slow", {.entry = &slow, .budget_ms = 20, .abort_on_overrun = true}).ok()) return 1;
    gate = false;
    (void)own.open("slow").call(type_wait, {});
    return 2;
  });
  ::close(ends[1]);
  std::string said;
  std::array<char, 4096> part{};
  for (ssize_t n = 0; (n = ::read(ends[0], part.data(), part.size())) > 0;)
    said.append(part.data(), static_cast<std::size_t>(n));
  ::close(ends[0]);
  const int status = status_of(child);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT) << status;
  EXPECT_NE(said.find("pit 'slow' has run for"), std::string::npos) << said;
  EXPECT_NE(said.find("its budget is 20 ms: mode static cannot end it"), std::string::npos) << said;
}

// Frozen for several budgets, then looked at: that time was nobody's fault.
TEST_F(OverrunTest, AFreezeOfTheProcessIsNotHeldAgainstThePit) {
  struct Seen {
    std::atomic<int> is_inside{0}, was_degraded{0};
  };
  void* const page = ::mmap(nullptr, sizeof(Seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(page, MAP_FAILED);
  Seen& seen = *new (page) Seen;
  const pid_t child = in_a_child([&] {
    Conductor own;
    if (!own.mount("slow", {.entry = &slow, .budget_ms = 1'000}).ok()) return 1;
    gate = false;
    std::thread caller([&] { (void)own.open("slow").call(type_wait, {}); });
    while (waiting == 0) (void)::poll(nullptr, 0, 1);
    // Long enough that the looker has seen the turn, and as often as the parent may stop this process in between.
    (void)::poll(nullptr, 0, 100);
    seen.is_inside = 1;
    for (int i = 0; i < 30; ++i) {
      (void)::poll(nullptr, 0, 10);
      PitHealth now;
      if (own.health("slow", now).ok() && now.degraded) seen.was_degraded = 1;
      if (seen.is_inside == 2) break;
    }
    gate = true;
    caller.join();
    return 0;
  });
  while (seen.is_inside == 0) (void)::poll(nullptr, 0, 1);
  ::kill(child, SIGSTOP);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, WUNTRACED), child);
  ASSERT_TRUE(WIFSTOPPED(status));
  (void)::poll(nullptr, 0, 2'500);
  ::kill(child, SIGCONT);
  status = status_of(child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_EQ(seen.was_degraded, 0);
  ::munmap(page, sizeof(Seen));
}

}  // namespace
}  // namespace symphony
