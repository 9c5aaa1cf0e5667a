// Requests that stand still, with real processes: a pit that loops for ever is replaced and nobody else loses a call;
// one that is slow within its budget, asks whether it is cancelled, or is stopped, lives.
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <atomic>
#include <fstream>
#include <sstream>
#include <vector>

#include <symphony/operator.hpp>

#include "tests/e2e/bus_fixture.hpp"
#include "tests/e2e/daemon_fixture.hpp"

namespace symphony {
namespace {

constexpr CallOptions may_run_again{.timeout_ns = 120 * second_ns, .effect = Effect::idempotent};
constexpr CallOptions once{.timeout_ns = 120 * second_ns};

struct WatchdogTest : BusTest {
  void SetUp() override {}
  void begin(const TimeBudgets& budgets, const SandboxPolicy& sandbox = {}) {
    PitConfig probe = pit_config("probe");
    probe.budgets = budgets;
    probe.sandbox = sandbox;
    start({probe});
    report_to.emplace(Operator::adopt(broker->connect().value()).value());
    ASSERT_TRUE(report_to->start("probe", 60 * second_ns).ok());
  }
  PitReport report() { return report_to->show("probe", 30 * second_ns).pit; }
  std::optional<Operator> report_to;
};
using Watchdog = WatchdogTest;

TEST_F(Watchdog, APitThatLoopsForEverIsReplacedAndNobodyElseLosesACall) {
  begin({second_ns, {}});
  std::atomic<bool> is_over{false};
  std::atomic<int> answered{0};
  std::vector<std::thread> threads;
  for (int n = 0; n < 2; ++n) {
    threads.emplace_back([&, n] {
      Endpoint mine = connect();
      Link link = mine.open("probe").value();
      while (!is_over) {
        const Reply reply = n % 2 == 0 ? probe_do(link, probe::Act::NOTHING, 0, once).reply
                                       : probe_read(link, probe::Act::NOTHING, 0, may_run_again).reply;
        if (!reply.ok()) ADD_FAILURE() << "an innocent call was lost: " << reply.text;
        ++answered;
      }
    });
  }
  Link link = open("probe");
  EXPECT_TRUE(comes_true([&] { return answered >= 100; }, 60 * second_ns));
  const Reply ended = probe_read(link, probe::Act::LOOP, 0, may_run_again).reply;
  EXPECT_EQ(ended.status, status::poisoned) << ended.text;
  EXPECT_TRUE(probe_read(link, probe::Act::NOTHING).reply.ok());
  is_over = true;
  for (std::thread& thread : threads) thread.join();

  const PitReport pit = report();
  EXPECT_EQ(pit.info.state, "ready");
  EXPECT_EQ(pit.failures, 0U) << "the message is to blame";
  ASSERT_EQ(pit.deaths.size(), 2U);
  for (std::size_t n = 0; n < 2; ++n) {
    const PitDeath& death = pit.deaths[n];
    EXPECT_EQ(std::tuple(death.cause, death.executing.type, death.executing.attempt, death.executing_count),
              std::tuple(DeathCause::hang, type_id_of<probe::DoAgain>, n, 1U));
    EXPECT_NE(death.executing.id, 0U);
  }
  EXPECT_EQ(pit.runs_alone, 1U);
  std::vector<DeadLetter> letters;
  EXPECT_TRUE(comes_true([&] { return !(letters = report_to->letters("probe", 0, 30 * second_ns).letters).empty(); }));
  ASSERT_EQ(letters.size(), 1U);
  EXPECT_EQ(std::tuple(letters[0].outcome, letters[0].death.cause), std::tuple(AloneOutcome::killed, DeathCause::hang))
      << "it hung alone, too";
}

TEST_F(Watchdog, ARequestThatMayRunOnceEndsAsCrashedAndCountsAsAFailure) {
  begin({500 * ms_ns, {}});
  Link link = open("probe");
  EXPECT_EQ(probe_do(link, probe::Act::LOOP, 0, once).reply.status, status::crashed);
  EXPECT_TRUE(comes_true([&] { return report().info.state == "ready"; }));
  const PitReport pit = report();
  ASSERT_EQ(pit.deaths.size(), 1U);
  EXPECT_EQ(pit.deaths[0].cause, DeathCause::hang);
  EXPECT_EQ(pit.failures, 1U);
}

TEST_F(Watchdog, OneThatIsSlowWithinTheBudgetOfItsTypeLives) {
  begin({100 * ms_ns, {{type_id_of<probe::Do>, 3600 * second_ns}}});
  Link link = open("probe");
  EXPECT_TRUE(probe_do(link, probe::Act::HANG, 1500, once).reply.ok());
  EXPECT_TRUE(report().deaths.empty());
}

TEST_F(Watchdog, AHandlerThatAsksWhetherItIsCancelledCostsNoProcess) {
  begin({500 * ms_ns, {}});
  Link link = open("probe");
  const Reply reply = probe_do(link, probe::Act::LOOP_UNTIL_CANCELLED, 0, once).reply;
  EXPECT_EQ(reply.status, status::cancelled) << reply.text;
  EXPECT_TRUE(probe_do(link, probe::Act::NOTHING, 0, once).reply.ok());
  EXPECT_TRUE(report().deaths.empty());
}

// In ticks of the kernel's clock.
std::uint64_t processor_time(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line, field;
  std::getline(file, line);
  std::istringstream fields(line.substr(line.rfind(") ") + 2));
  std::uint64_t user = 0;
  for (int n = 0; n < 11; ++n) fields >> field;
  fields >> user;
  return user;
}

struct StoppedInARequest : WatchdogTest {
  // `pit`: the process that executes the request.
  void lives_until_it_goes_on(pid_t pit, TimeNs budget) {
    Link link = open("probe");
    const pid_t pid = broker->pit_pid("probe").value();
    const std::uint64_t before = processor_time(pit);
    std::thread caller([&] { EXPECT_EQ(probe_do(link, probe::Act::LOOP, 0, once).reply.status, status::crashed); });
    EXPECT_TRUE(comes_true([&] { return processor_time(pit) >= before + 3; })) << "it is in the request";
    EXPECT_EQ(::kill(pit, SIGSTOP), 0);
    for (const TimeNs until = deadline_after(2 * budget); now_ns() < until; std::this_thread::yield()) {
      if (report().info.pid != pid) break;
    }
    EXPECT_EQ(report().info.pid, pid);
    EXPECT_TRUE(report().deaths.empty());
    EXPECT_EQ(::kill(pit, SIGCONT), 0);
    caller.join();
    EXPECT_TRUE(comes_true([&] { return !report().deaths.empty(); }));
    EXPECT_EQ(report().deaths[0].cause, DeathCause::hang);
    EXPECT_NE(::kill(pit, 0), 0) << "none of it is left";
  }
};

TEST_F(StoppedInARequest, APitLivesForLongerThanItsBudgetUntilItGoesOn) {
  constexpr TimeNs budget = 3 * second_ns;
  begin({budget, {}});
  lives_until_it_goes_on(broker->pit_pid("probe").value(), budget);
}

// What the broker knows of it is the first process of a namespace, which is never stopped with it.
TEST_F(StoppedInARequest, AConfinedPitLivesForLongerThanItsBudgetUntilItGoesOn) {
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  GTEST_SKIP() << "a sanitizer's run time does what the walls forbid (tests/hostile)";
#endif
#endif
  constexpr TimeNs budget = 3 * second_ns;
  begin({budget, {}}, {SandboxProfile::heap, sandbox_default_blocks});
  const bool has_namespace = (report().sandbox_reached & bit_of(SandboxBlock::pid_namespace)) != 0;
  const pid_t first = broker->pit_pid("probe").value();
  const auto children = "/proc/" + std::to_string(first) + "/task/" + std::to_string(first) + "/children";
  pid_t pit = has_namespace ? 0 : first;
  if (has_namespace) std::ifstream(children) >> pit;
  ASSERT_GT(pit, 0);
  lives_until_it_goes_on(pit, budget);
}

TEST_F(Watchdog, APitThatHangsInATimerIsReplacedAndItsCallersGoOn) {
  begin({second_ns, {}});
  Link link = open("probe");
  EXPECT_TRUE(probe_do(link, probe::Act::LOOP_LATER, 0, once).reply.ok());
  // Whoever comes once the timer runs finds nobody: its request waits, is begun by nobody, and goes to the next
  // instance.
  EXPECT_TRUE(comes_true([&] {
    const Reply after = probe_do(link, probe::Act::NOTHING, 0, once).reply;
    EXPECT_TRUE(after.ok()) << after.text;
    return report().deaths.size() == 1;
  }));
  const PitReport pit = report();
  ASSERT_EQ(pit.deaths.size(), 1U);
  EXPECT_EQ(pit.deaths[0].cause, DeathCause::hang);
  EXPECT_EQ(pit.deaths[0].executing_count, 0U) << "no message is to blame";
  EXPECT_EQ(std::tuple(pit.budgets.each_ns, pit.overruns, pit.hangs), std::tuple(second_ns, 0U, 1U));
}

// A daemon, whose broker is killed before the request hangs: the next one has to see the words of links that it did not
// attach.
struct WatchdogOfADaemon : DaemonTest {
  [[nodiscard]] const char* mode() const override { return "daemon-with-budgets"; }
};

TEST_F(WatchdogOfADaemon, ThatFollowsAKilledBrokerSeesTheLinksThatThereAre) {
  Operator broker = Operator::connect({.path = path, .timeout_ns = 60 * second_ns}).value();
  ASSERT_TRUE(broker.start("probe", 60 * second_ns).ok());
  Link link = endpoint->open("probe").value();
  EXPECT_TRUE(probe_do(link, probe::Act::NOTHING, 0, once).reply.ok());
  const std::uint64_t epoch = link.epoch(), before = generation();
  const pid_t process = child_named(keeper, "symphony-broker");
  ASSERT_GT(process, 0);
  ASSERT_EQ(::kill(process, SIGKILL), 0);
  ASSERT_TRUE(comes_true([&] { return generation() > before; }));
  EXPECT_EQ(link.epoch(), epoch);
  EXPECT_EQ(probe_do(link, probe::Act::LOOP, 0, once).reply.status, status::crashed);
  EXPECT_TRUE(comes_true([&] {
    const PitReport pit = broker.show("probe", 30 * second_ns).pit;
    return !pit.deaths.empty() && pit.deaths.back().cause == DeathCause::hang;
  }));
  EXPECT_EQ(stop(), 0);
}

}  // namespace
}  // namespace symphony
