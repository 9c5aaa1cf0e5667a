// Processes that stand still (SIGSTOP) and go on, in truth. What could go wrong: somebody waits for one that stands
// still, takes it for dead, or loses what it was told in between.
#include <algorithm>
#include <future>
#include <random>

#include "tests/e2e/daemon_fixture.hpp"
#include "tests/support/samples.hpp"

namespace symphony {
namespace {

// As long as it lives, these processes stand still.
class Stopped {
 public:
  explicit Stopped(std::vector<pid_t> who) : who_(std::move(who)) {
    for (const pid_t pid : who_) ::kill(pid, SIGSTOP);
    for (const pid_t pid : who_) EXPECT_TRUE(comes_true([&] { return stands_still(pid); }));
  }
  ~Stopped() { go_on(); }
  Stopped(const Stopped&) = delete;
  Stopped& operator=(const Stopped&) = delete;
  void go_on() {
    for (const pid_t pid : who_) ::kill(pid, SIGCONT);
    who_.clear();
  }

 private:
  static bool stands_still(pid_t pid) {
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    std::string line;
    return std::getline(stat, line) && line.compare(line.rfind(')') + 2, 1, "T") == 0;
  }
  std::vector<pid_t> who_;
};

struct StoppedTest : DaemonTest {
  // A program that calls greeter until it is told to end.
  pid_t start_counting() {
    const std::uint32_t before = links();
    const pid_t pid = start_bus_program("counting", path);
    EXPECT_TRUE(comes_true([&] { return links() == before + 1; }));
    return pid;
  }
  std::uint32_t links() {
    const auto state = endpoint->status();
    return state ? state->pits.at(0).links : 0;
  }
  // How many calls it made, each of them answered and counted.
  std::uint64_t end_counting(pid_t pid) {
    ::kill(pid, SIGTERM);
    int result = -1;
    EXPECT_EQ(::waitpid(pid, &result, 0), pid);
    EXPECT_EQ(result, 0);
    std::uint64_t made = 0;
    std::ifstream(path + "." + std::to_string(pid)) >> made;
    return made;
  }
  pid_t pit_pid(std::size_t pit) {
    const auto state = endpoint->status();
    return state ? state->pits.at(pit).pid : 0;
  }
  std::uint64_t count(Link& link) {
    const auto reply = greet(link, "x");
    EXPECT_TRUE(reply) << reply.reply.text;
    return reply ? reply->count() : 0;
  }
  // Whatever stands still: calls go on, and a call to a pit that dies meanwhile is answered when all go on again.
  void expect_calls_go_on_and_a_death_is_told_when(Stopped& stopped, pid_t victim) {
    std::uint64_t before = count(*greeter);
    EXPECT_EQ(::kill(victim, SIGKILL), 0);
    auto waits = std::async(std::launch::async, [&] { return probe_read(*probe, probe::Act::PID)->value(); });
    for (int i = 0; i < 1000; ++i) ASSERT_EQ(count(*greeter), ++before);
    EXPECT_NE(waits.wait_for(std::chrono::seconds(0)), std::future_status::ready) << "nobody can start the next one";
    stopped.go_on();
    EXPECT_NE(waits.get(), static_cast<std::uint64_t>(victim));
    EXPECT_EQ(count(*greeter), ++before);
  }
  void open_both() {
    greeter.emplace(endpoint->open("greeter").value());
    probe.emplace(endpoint->open("probe").value());
    ASSERT_TRUE(probe_read(*probe, probe::Act::NOTHING));
  }
  std::optional<Link> greeter, probe;
};

TEST_F(StoppedTest, ABrokerThatStandsStillIsInNoCallsWayAndTellsOfDeathsWhenItGoesOn) {
  open_both();
  const pid_t victim = pit_pid(1), broker = broker_pid();
  const std::uint64_t first = generation();
  Stopped stopped({broker});
  const auto late = endpoint->open("greeter", {}, 50 * ms_ns);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, errc::timeout);
  auto opens = std::async(std::launch::async, [&] { return endpoint->open("greeter").has_value(); });
  expect_calls_go_on_and_a_death_is_told_when(stopped, victim);
  EXPECT_TRUE(opens.get()) << "an open waits for it";
  EXPECT_EQ(generation(), first) << "nobody took it for dead";
}

TEST_F(StoppedTest, AKeeperThatStandsStillIsInNoCallsWayAndStartsAgainWhatDiedWhenItGoesOn) {
  open_both();
  const pid_t victim = pit_pid(1), broker = broker_pid();
  const std::uint64_t first = generation();
  {
    Stopped stopped({keeper});
    EXPECT_TRUE(endpoint->open("greeter")) << "the broker serves on";
    expect_calls_go_on_and_a_death_is_told_when(stopped, victim);
  }
  EXPECT_EQ(generation(), first);
  Stopped stopped({keeper});
  ASSERT_EQ(::kill(broker, SIGKILL), 0);
  std::uint64_t before = count(*greeter);
  for (int i = 0; i < 100; ++i) ASSERT_EQ(count(*greeter), ++before) << "without broker and keeper";
  stopped.go_on();
  EXPECT_TRUE(comes_true([&] { return generation() == first + 1; }));
  EXPECT_EQ(count(*greeter), ++before);
}

TEST_F(StoppedTest, ACallerThatStandsStillHoldsUpNobodyAndGoesOnWhereItWas) {
  open_both();
  const pid_t caller = start_counting();
  const std::uint64_t first = count(*greeter);
  ASSERT_TRUE(comes_true([&] { return count(*greeter) > first + 100; }));
  std::uint64_t mine = 0;
  {
    const Stopped stopped({caller});
    mine = count(*greeter);
    std::uint64_t last = mine;
    for (int i = 0; i < 1000; ++i) last = count(*greeter);
    EXPECT_LE(last, mine + 1000 + 1) << "but for the call that it had made";
    EXPECT_EQ(links(), 2u) << "it is not taken for dead";
    mine = last;
  }
  std::uint64_t own = 0;
  EXPECT_TRUE(comes_true([&] { return count(*greeter) > mine + ++own + 100; }));
  EXPECT_GT(end_counting(caller), 100u);
}

// As far as its processes can see: a machine that stands still stops all of them, and one that is slow any of them for
// a while. Once for longer than any grace that broker and keeper give.
TEST_F(StoppedTest, AMachineThatStandsStillOrIsSlowLosesNothingAndNobodyIsTakenForDead) {
  open_both();
  std::vector<pid_t> callers{start_counting(), start_counting()};
  const std::uint64_t first = generation();
  std::vector<pid_t> everybody{keeper, broker_pid(), pit_pid(0), pit_pid(1)};
  everybody.insert(everybody.end(), callers.begin(), callers.end());
  std::mt19937_64 random(test_run::seed());
  std::uint64_t own = 0;
  for (int round = 0; round < 30; ++round) {
    const std::uint64_t last = count(*greeter);
    std::uint64_t asked = 0;
    ASSERT_TRUE(comes_true([&] { return count(*greeter) > last + ++asked + 20; }));
    own += 1 + asked;
    std::shuffle(everybody.begin(), everybody.end(), random);
    const bool is_all = round % 3 == 0;
    const auto who = is_all ? everybody.size() : 1 + random() % (everybody.size() - 1);
    const TimeNs until = now_ns() + (round == 0 ? 3 * second_ns : static_cast<TimeNs>(random() % 20) * ms_ns);
    const Stopped stopped({everybody.begin(), everybody.begin() + static_cast<std::ptrdiff_t>(who)});
    while (now_ns() < until) std::this_thread::yield();  // what is seen of it is time
  }
  std::uint64_t made = own + 1;
  for (const pid_t caller : callers) made += end_counting(caller);
  EXPECT_EQ(count(*greeter), made) << "each call once";
  EXPECT_EQ(generation(), first);
  const auto after = endpoint->status();
  ASSERT_TRUE(after);
  for (const PitInfo& pit : after->pits) EXPECT_EQ(pit.instance, 1u) << pit.name;
}

}  // namespace
}  // namespace symphony
