// The broker as a daemon, with real processes: whoever is killed, nothing is left and nobody dies who should live on.
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "tests/support/fake_caller.hpp"
#include "tests/unit/broker/processes.hpp"

namespace symphony {
namespace {

class Daemon : public testing::Test {
 protected:
  Daemon() {
    char name[] = "/tmp/symphony-test-XXXXXX";
    directory_ = ::mkdtemp(name);
    path_ = directory_ + "/realm/broker.sock";
  }
  ~Daemon() override {
    std::error_code ignored;
    fs::remove_all(directory_, ignored);
  }
  Program start(std::vector<std::string> pit_args = {}, bool quiet = false) {
    std::vector<std::string> args{"daemon", path_, beside("fake_pit")};
    args.insert(args.end(), pit_args.begin(), pit_args.end());
    return run(args, quiet);
  }
  FakeCaller connect() { return FakeCaller(connect_to(path_, FakeCaller::deadline()).value()); }
  // The only child of the keeper that is not the pit; found through /proc, as an operator would.
  static pid_t broker_of(pid_t keeper, pid_t pit) {
    for (const auto& entry : fs::directory_iterator("/proc")) {
      const pid_t pid = std::atoi(entry.path().filename().c_str());
      if (pid <= 0 || pid == pit) continue;
      FILE* f = std::fopen((entry.path() / "stat").c_str(), "re");
      if (f == nullptr) continue;
      int parent = 0;
      const int got = std::fscanf(f, "%*d (%*[^)]) %*c %d", &parent);
      std::fclose(f);
      if (got == 1 && parent == keeper) return pid;
    }
    return 0;
  }
  static pid_t pid_of_pit(FakeCaller& caller) {
    caller.say(StatusQuery{1});
    return caller.expect<Status>().pits.at(0).pid;
  }
  std::string directory_, path_;
};

TEST_F(Daemon, ServesAtItsPathAndRemovesEverythingWhenItIsTerminated) {
  Program program = start();
  FakeCaller caller = connect();
  caller.greet();
  caller.open("pit");
  const UniqueFd pit = pidfd_of(pid_of_pit(caller));
  ASSERT_EQ(::kill(program.pid, SIGTERM), 0);
  EXPECT_EQ(caller.expect<Refused>().code, errc::closed) << "an orderly stop says so";
  EXPECT_EQ(program.wait(), 0);
  EXPECT_TRUE(is_dead(pit, 0));
  EXPECT_TRUE(fs::is_empty(directory_ + "/realm"));
}

// Ctrl-C reaches every process of the group in the foreground. What could go wrong: a pit is among them, and dies of it
// in the middle of a request while the daemon would have let it end.
TEST_F(Daemon, StopsItsPitsInOrderWhenItsWholeGroupIsInterruptedOrTheTerminalIsClosed) {
  for (const int signal : {SIGINT, SIGHUP, SIGTERM}) {
    const std::string goodbye = directory_ + "/goodbye";
    Program program = start({"--goodbye=" + goodbye}, true);
    FakeCaller caller = connect();
    caller.greet();
    caller.open("pit");
    const pid_t pit = pid_of_pit(caller);
    EXPECT_NE(::getpgid(pit), program.pid);
    const UniqueFd pit_fd = pidfd_of(pit);
    ASSERT_EQ(::kill(-program.pid, signal), 0);
    EXPECT_EQ(caller.expect<Refused>().code, errc::closed) << "an orderly stop says so";
    EXPECT_EQ(program.wait(), 0);
    EXPECT_TRUE(is_dead(pit_fd, 0));
    EXPECT_TRUE(fs::remove(goodbye)) << "the pit was told to stop, and lived to hear it";
  }
}

TEST_F(Daemon, KillsAPitThatDoesNotStop) {
  Program program = start({"--ignore-stop"});
  FakeCaller caller = connect();
  caller.greet();
  caller.open("pit");
  const UniqueFd pit = pidfd_of(pid_of_pit(caller));
  ASSERT_EQ(::kill(program.pid, SIGINT), 0);
  EXPECT_EQ(program.wait(), 0);
  EXPECT_TRUE(is_dead(pit, 0));
}

TEST_F(Daemon, RefusesASecondBrokerInTheSameRealm) {
  Program first = start();
  connect().greet();
  Program second = start({}, true);
  EXPECT_EQ(second.wait(), 69);
  connect().greet();
  ::kill(first.pid, SIGTERM);
  EXPECT_EQ(first.wait(), 0);
}

TEST_F(Daemon, StartsAgainWhereOneWasKilled) {
  Program first = start();
  FakeCaller witness = connect();
  witness.greet();
  witness.open("pit");  // else the pit's process may be between fork and exec, and hold the listening socket
  const UniqueFd broker = pidfd_of(broker_of(first.pid, pid_of_pit(witness)));
  ::kill(first.pid, SIGKILL);
  first.wait();
  ASSERT_TRUE(is_dead(broker)) << "else the connection below may still be one to it";
  EXPECT_TRUE(fs::exists(path_));
  Program second = start();
  FakeCaller caller = connect();
  caller.greet();
  caller.open("pit");
  ::kill(second.pid, SIGTERM);
  EXPECT_EQ(second.wait(), 0);
}

TEST_F(Daemon, KeepsPitsAndLinksWhenItsBrokerIsKilled) {
  Program program = start({}, true);
  FakeCaller caller = connect();
  const Generation generation = caller.greet();
  const Go go = caller.open("pit");
  const pid_t pit = pid_of_pit(caller);
  const UniqueFd pit_fd = pidfd_of(pit);
  ASSERT_EQ(::kill(broker_of(program.pid, pit), SIGKILL), 0);
  EXPECT_EQ(caller.socket().wait_receive(FdPolicy::accept, FakeCaller::deadline()).error().code, errc::closed);

  FakeCaller again = connect();
  EXPECT_EQ(again.greet({{go.at.link, go.at.epoch}}), generation + 1);
  const auto keep = again.expect<Keep>();
  EXPECT_EQ(keep.link, go.at.link);
  EXPECT_EQ(keep.epoch, go.at.epoch);
  EXPECT_EQ(pid_of_pit(again), pit);
  EXPECT_FALSE(is_dead(pit_fd, 0));
  // And the link is the next broker's as it was the first one's: a death makes its next epoch.
  ASSERT_EQ(::kill(pit, SIGKILL), 0);
  EXPECT_GT(again.attach().at.epoch, go.at.epoch);
  ::kill(program.pid, SIGTERM);
  EXPECT_EQ(program.wait(), 0);
}

TEST_F(Daemon, LearnsOfAPitThatDiedWhileThereWasNoBroker) {
  Program program = start({}, true);
  FakeCaller caller = connect();
  caller.greet();
  const Go go = caller.open("pit");
  const pid_t pit = pid_of_pit(caller);
  const pid_t broker = broker_of(program.pid, pit);
  const UniqueFd broker_fd = pidfd_of(broker);
  ASSERT_EQ(::kill(broker, SIGSTOP), 0);  // it hears nothing any more
  ASSERT_EQ(::kill(pit, SIGKILL), 0);
  ASSERT_EQ(::kill(broker, SIGKILL), 0);
  ASSERT_TRUE(is_dead(broker_fd));
  FakeCaller again = connect();
  again.greet({{go.at.link, go.at.epoch}});
  EXPECT_EQ(again.expect<Keep>().link, go.at.link);
  EXPECT_EQ(again.attach().at.link, go.at.link);
  ::kill(program.pid, SIGTERM);
  EXPECT_EQ(program.wait(), 0);
}

TEST_F(Daemon, LeavesNoProcessWhenTheKeeperIsKilled) {
  Program program = start({}, true);
  FakeCaller caller = connect();
  caller.greet();
  caller.open("pit");
  const pid_t pit = pid_of_pit(caller);
  const UniqueFd pit_fd = pidfd_of(pit), broker_fd = pidfd_of(broker_of(program.pid, pit));
  ASSERT_EQ(::kill(program.pid, SIGKILL), 0);
  EXPECT_TRUE(is_dead(pit_fd));
  EXPECT_TRUE(is_dead(broker_fd));
  program.wait();
}

TEST_F(Daemon, GivesUpWhenItsBrokerDiesFiveTimesInTenSeconds) {
  Program program = start({}, true);
  for (int death = 0; death < 5; ++death) {
    FakeCaller caller = connect();
    if (death == 0) {
      caller.greet();
      caller.open("pit");
    } else {
      caller.greet();
    }
    const pid_t broker = broker_of(program.pid, pid_of_pit(caller));
    const UniqueFd fd = pidfd_of(broker);
    ASSERT_EQ(::kill(broker, SIGKILL), 0);
    ASSERT_TRUE(is_dead(fd));
  }
  EXPECT_EQ(program.wait(), 70);
  EXPECT_FALSE(fs::exists(path_));
}

}  // namespace
}  // namespace symphony
