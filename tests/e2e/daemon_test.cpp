// The broker as a daemon: found by path, killed, replaced; what callers see of it is nothing.
#include <atomic>

#include <symphony/operator.hpp>

#include "tests/e2e/daemon_fixture.hpp"

namespace symphony {
namespace {

TEST_F(DaemonTest, ServesCallersByPathAndSaysWhatItKnows) {
  Link link = endpoint->open("greeter").value();
  EXPECT_TRUE(greet(link, "x"));
  const auto state = endpoint->status();
  ASSERT_TRUE(state);
  EXPECT_GT(state->generation, 0u);
  ASSERT_EQ(state->pits.size(), 2u);
  EXPECT_EQ(state->pits[0].name, "greeter");
  EXPECT_EQ(state->pits[0].state, "ready");
  EXPECT_EQ(state->pits[0].links, 1u);
}

TEST_F(DaemonTest, AKilledBrokerIsReplacedAndLinksDoNotNotice) {
  Link link = endpoint->open("greeter").value();
  ASSERT_TRUE(greet(link, "x"));
  const std::uint64_t epoch = link.epoch();
  const std::uint64_t first = generation();
  for (std::uint64_t round = 1; round <= 3; ++round) {
    const pid_t broker = broker_pid();
    ASSERT_GT(broker, 0);
    ASSERT_EQ(::kill(broker, SIGKILL), 0);
    EXPECT_TRUE(greet(link, "x")) << "the broker is not on the data path";
    ASSERT_TRUE(comes_true([&] { return generation() == first + round; }));
    EXPECT_TRUE(greet(link, "x"));
  }
  EXPECT_EQ(link.epoch(), epoch) << "the pit was never lost";
  EXPECT_EQ(greet(link, "x")->count(), 8u);
  Link next = endpoint->open("greeter").value();
  EXPECT_TRUE(greet(next, "x")) << "the new broker attaches links to the old pit";
}

// What could go wrong: the question dies with the broker, and who asked waits for an answer until the deadline.
TEST_F(DaemonTest, AStatusAskedOfABrokerThatDiesIsAnsweredByTheNext) {
  const std::uint64_t first = generation();
  const pid_t broker = broker_pid();
  ASSERT_GT(broker, 0);
  ASSERT_EQ(::kill(broker, SIGSTOP), 0);
  std::atomic<pid_t> asking{0};
  std::uint64_t answered = 0;
  std::thread asker([&] {
    asking = ::gettid();
    answered = generation();
  });
  const auto waits = [&] {
    std::ifstream stat("/proc/self/task/" + std::to_string(asking) + "/stat");
    std::string line;
    return std::getline(stat, line) && line.compare(line.rfind(')') + 2, 1, "S") == 0;
  };
  EXPECT_TRUE(comes_true([&] { return asking != 0 && waits(); }));
  EXPECT_EQ(::kill(broker, SIGKILL), 0);
  asker.join();
  EXPECT_EQ(answered, first + 1);
}

TEST_F(DaemonTest, APitThatDiesUnderANewBrokerIsStartedAgain) {
  Link link = endpoint->open("probe").value();
  const std::uint64_t first = generation();
  ASSERT_EQ(::kill(broker_pid(), SIGKILL), 0);
  ASSERT_TRUE(comes_true([&] { return generation() == first + 1; }));
  EXPECT_EQ(probe_do(link, probe::Act::DIE).reply.status, status::crashed);
  EXPECT_TRUE(probe_read(link, probe::Act::NOTHING));
}

TEST_F(DaemonTest, APitThatDiesWhileThereIsNoBrokerIsStartedAgainByTheNext) {
  Link link = endpoint->open("probe").value();
  const auto pit = static_cast<pid_t>(probe_read(link, probe::Act::PID)->value());
  const pid_t broker = broker_pid();
  ASSERT_EQ(::kill(broker, SIGSTOP), 0);
  ASSERT_EQ(::kill(pit, SIGKILL), 0);
  ASSERT_EQ(::kill(broker, SIGKILL), 0);
  const auto reply = probe_read(link, probe::Act::PID);
  ASSERT_TRUE(reply) << reply.reply.text;
  EXPECT_NE(static_cast<pid_t>(reply->value()), pit);
}

// The caller leaves a child that holds its socket: only the caller's own end says that it is dead.
TEST_F(DaemonTest, AKilledCallersLinksAreFreedThoughAChildHoldsItsSocket) {
  const pid_t caller = start_bus_program("caller-with-child", path);
  ASSERT_GT(caller, 0);
  const auto links = [&] {
    const auto state = endpoint->status();
    return state ? state->pits.at(0).links : 99u;
  };
  EXPECT_TRUE(comes_true([&] { return links() == 1; }));
  pid_t child = 0;
  EXPECT_TRUE(comes_true([&] {
    const auto children = children_of(caller);
    return !children.empty() && (child = children[0]) > 0;
  }));
  ::kill(caller, SIGKILL);
  int ignored = 0;
  ASSERT_EQ(::waitpid(caller, &ignored, 0), caller);
  EXPECT_TRUE(comes_true([&] { return links() == 0; }));
  if (child > 0) ::kill(child, SIGKILL);
  Link link = endpoint->open("greeter").value();
  EXPECT_TRUE(greet(link, "after"));
}

// What could go wrong: an orderly stop ends a call as a crash would, or takes a link with it.
TEST_F(DaemonTest, ARestartByAnOperatorEndsNoCallAndTheLinkGoesOnWithTheNextInstance) {
  Link link = endpoint->open("greeter").value();
  ASSERT_TRUE(greet(link, "x"));
  const std::uint64_t epoch = link.epoch();
  std::atomic<int> restarts{0};
  std::atomic<int> calls{0};
  std::thread commands([&] {
    auto operators = Operator::connect({.path = path}).value();
    for (int n = 0; n < 3; ++n) {
      EXPECT_TRUE(comes_true([&] { return calls >= 20 * (n + 1); })) << "in the middle of calls";
      const OperatorAnswer answer = operators.restart("greeter");
      EXPECT_TRUE(answer.ok()) << answer.text;
      EXPECT_EQ(answer.pit.info.instance, static_cast<std::uint32_t>(n) + 2);
      ++restarts;
    }
  });
  while (restarts < 3) {
    const auto reply = greet(link, "x");
    EXPECT_TRUE(reply) << status_name(reply.reply.status) << ": " << reply.reply.text;
    ++calls;
  }
  commands.join();
  EXPECT_TRUE(greet(link, "x"));
  EXPECT_EQ(link.epoch(), epoch + 3);
}

// What could go wrong: the answer dies with the broker, and who asked waits for ever, or the pit is restarted twice.
TEST_F(DaemonTest, AnOperatorsCommandIsAnsweredByTheNextBrokerWhenOneDiesAndIsDoneOnce) {
  auto operators = Operator::connect({.path = path}).value();
  for (std::uint32_t round = 1; round <= 4; ++round) {  // a fifth death in ten seconds ends a daemon
    ASSERT_TRUE(operators.start("probe").ok());
    const std::uint64_t first = generation();
    const pid_t broker = broker_pid();
    ASSERT_GT(broker, 0);
    std::thread killer([&] {
      // At another moment each time: before it reads, in the middle, after it answered.
      const TimeNs at = now_ns() + round * 300 * us_ns;
      while (now_ns() < at) std::this_thread::yield();
      ::kill(broker, SIGKILL);
    });
    const OperatorAnswer answer = operators.restart("probe");
    killer.join();
    ASSERT_TRUE(answer.ok()) << answer.text;
    ASSERT_TRUE(comes_true([&] { return generation() == first + 1; }));
    const OperatorAnswer now = operators.show("probe");
    ASSERT_TRUE(now.ok()) << now.text;
    EXPECT_EQ(now.pit.info.instance, round + 1);
  }
}

// As a shell's `trap '' CHLD` or some supervisors leave it: the kernel would then take the ends of pits for itself.
TEST_F(DaemonTest, APitIsStartedAgainAlsoWhereTheDaemonWasStartedWithSigchldIgnored) {
  endpoint.reset();
  stop();
  keeper = start_bus_program("daemon-without-sigchld", path);
  ASSERT_GT(keeper, 0);
  endpoint.emplace(Endpoint::connect({.path = path, .timeout_ns = 30 * second_ns}).value());
  Link link = endpoint->open("probe").value();
  EXPECT_EQ(probe_do(link, probe::Act::DIE).reply.status, status::crashed);
  EXPECT_TRUE(probe_read(link, probe::Act::NOTHING));
}

TEST_F(DaemonTest, AnOrderlyStopEndsPitsAndRemovesTheSocket) {
  Link link = endpoint->open("probe").value();
  const auto pit = static_cast<pid_t>(probe_read(link, probe::Act::PID)->value());
  EXPECT_EQ(stop(), 0);
  EXPECT_NE(::kill(pit, 0), 0);
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(DaemonTest, AKilledKeeperLeavesNoProcess) {
  Link link = endpoint->open("probe").value();
  const auto pit = static_cast<pid_t>(probe_read(link, probe::Act::PID)->value());
  const pid_t broker = broker_pid();
  ::kill(keeper, SIGKILL);
  int ignored = 0;
  ASSERT_EQ(::waitpid(keeper, &ignored, 0), keeper);
  keeper = -1;
  EXPECT_TRUE(comes_true([&] { return ::kill(pit, 0) != 0 && ::kill(broker, 0) != 0; }));
}

TEST_F(DaemonTest, ASecondBrokerOnTheSamePathIsRefused) {
  const pid_t second = start_bus_program("daemon", path, -1, true);
  int result = 0;
  ASSERT_EQ(::waitpid(second, &result, 0), second);
  EXPECT_TRUE(WIFEXITED(result) && WEXITSTATUS(result) != 0 && WEXITSTATUS(result) != 127) << result;
  Link link = endpoint->open("greeter").value();
  EXPECT_TRUE(greet(link, "x")) << "the first one goes on";
}

TEST(NoDaemon, AnEndpointSaysThatThereIsNoBroker) {
  const auto endpoint = Endpoint::connect({.path = "/tmp/no-such-folder/broker.sock", .timeout_ns = 10 * ms_ns});
  ASSERT_FALSE(endpoint);
  EXPECT_EQ(endpoint.error().code, errc::unreachable);
}

}  // namespace
}  // namespace symphony
