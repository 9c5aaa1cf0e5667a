// The whole broker with real processes. What could go wrong: something is left when somebody is killed, or somebody who
// should have lived on dies with it. Each death is the kernel's word (a pidfd), never a guess after some time.
#include <symphony/broker.hpp>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bus/broker/keeper.hpp"
#include "bus/control/rendezvous.hpp"
#include "bus/memory/segment.hpp"
#include "tests/support/fake_caller.hpp"

namespace symphony {
namespace {

using namespace detail::control;
namespace fs = std::filesystem;

std::string beside(const char* name) { return (fs::read_symlink("/proc/self/exe").parent_path() / name).string(); }

PitConfig fake_pit(const std::string& name, std::vector<std::string> args = {}) {
  PitConfig pit;
  pit.name = name;
  pit.executable = beside("fake_pit");
  pit.args = std::move(args);
  return pit;
}

EmbeddedBroker broker_of(std::vector<PitConfig> pits) {
  return EmbeddedBroker::start({std::move(pits), {}, 7}).value();
}

UniqueFd pidfd_of(pid_t pid) { return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); }

testing::AssertionResult is_dead(const UniqueFd& pidfd, TimeNs within_ns = 60 * second_ns) {
  if (wait_readable(pidfd.get(), deadline_after(within_ns))) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "the process lives";
}

template <class Condition>
bool eventually(Condition holds) {
  for (const TimeNs end = deadline_after(60 * second_ns); now_ns() < end; ::poll(nullptr, 0, 1)) {
    if (holds()) return true;
  }
  return false;
}

std::string state_of(const EmbeddedBroker& broker, std::size_t pit = 0) { return broker.status().at(pit).state; }

// ---- embedded ----

// What a pit started must not outlive it: neither when it is killed, nor when the broker ends.
TEST(EmbeddedBroker, WhatAPitStartedDiesWithIt) {
  const std::string file = testing::TempDir() + "child_of_a_pit." + std::to_string(::getpid());
  const auto child_of = [&] {
    UniqueFd child;
    EXPECT_TRUE(eventually([&] {
      int pid = 0;
      std::FILE* const in = std::fopen(file.c_str(), "r");
      const bool found = in != nullptr && std::fscanf(in, "%d", &pid) == 1;
      if (in != nullptr) std::fclose(in);
      child = found ? pidfd_of(pid) : UniqueFd();
      return static_cast<bool>(child);
    }));
    fs::remove(file);
    return child;
  };
  auto broker = std::make_optional(broker_of({fake_pit("forker", {"--fork=" + file})}));
  const UniqueFd first = child_of();
  ASSERT_TRUE(broker->kill_pit("forker"));
  EXPECT_TRUE(is_dead(first));
  const UniqueFd second = child_of();
  broker.reset();
  EXPECT_TRUE(is_dead(second));
}

TEST(EmbeddedBroker, OpensALinkToAPitItStarted) {
  auto broker = broker_of({fake_pit("echo")});
  FakeCaller caller(broker.connect().value());
  EXPECT_EQ(caller.greet(), 1U);
  const Go go = caller.open("echo");
  EXPECT_EQ(go.last_id, 40U);
  EXPECT_EQ(caller.last_own.request_capacity, detail::ring_capacity_default);
  EXPECT_EQ(caller.last_own.reply_size_max, 1000U);
  EXPECT_EQ(state_of(broker), "ready");
  EXPECT_EQ(broker.status().at(0).links, 1U);
}

TEST(EmbeddedBroker, GivesEachSideTheOthersSegmentSealedAndReadOnly) {
  PitConfig echo = fake_pit("echo");
  echo.trust = Trust::hostile;
  auto broker = broker_of({echo});
  FakeCaller caller(broker.connect().value());
  caller.greet();
  caller.open("echo");
  const int fd = caller.peer_fds.at(0).get();
  const auto size = detail::pit_segment_size(caller.last_own.reply_capacity);
  EXPECT_TRUE(detail::check_peer_segment(fd, size));
  EXPECT_EQ(::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
  EXPECT_EQ(::fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
}

TEST(EmbeddedBroker, RefusesAnUnknownNameAtOnce) {
  auto broker = broker_of({fake_pit("echo")});
  FakeCaller caller(broker.connect().value());
  caller.greet();
  caller.say(Open{5, "ecko", 0, 0, 0, FakeCaller::deadline()});
  const auto refused = caller.expect<Refused>();
  EXPECT_EQ(refused.code, errc::not_found);
  EXPECT_EQ(refused.correlation, 5U);
}

TEST(EmbeddedBroker, AttachesALinkAgainToTheNextInstanceOfAKilledPit) {
  auto broker = broker_of({fake_pit("echo")});
  FakeCaller caller(broker.connect().value());
  caller.greet();
  const Go first = caller.open("echo");
  const pid_t killed = broker.kill_pit("echo").value();
  EXPECT_TRUE(is_dead(caller.peer_fds.at(1)));
  const Go second = caller.attach();
  EXPECT_EQ(second.at.link, first.at.link);
  EXPECT_GT(second.at.epoch, first.at.epoch);
  EXPECT_EQ(caller.last_own.correlation, 0U);
  EXPECT_NE(broker.pit_pid("echo").value(), killed);
  EXPECT_EQ(broker.status().at(0).instance, 2U);
}

TEST(EmbeddedBroker, QuarantinesAPitThatKeepsFailing) {
  auto broker = broker_of({fake_pit("bad", {"--fail=3"})});
  FakeCaller caller(broker.connect().value());
  caller.greet();
  caller.say(Open{1, "bad", 0, 0, 0, FakeCaller::deadline()});
  EXPECT_EQ(caller.expect<Refused>().code, errc::quarantined);
  EXPECT_EQ(broker.status().at(0).instance, 5U);
}

TEST(EmbeddedBroker, QuarantinesAtOnceWhatCannotGetBetter) {
  auto missing = fake_pit("missing");
  missing.executable = "/nonexistent/pit";
  auto broker = broker_of(
      {missing, fake_pit("never", {"--fail=125"}), fake_pit("garbage", {"--garbage"}), fake_pit("fds", {"--send-fd"})});
  for (std::size_t pit = 0; pit < 4; ++pit) {
    EXPECT_TRUE(eventually([&] { return state_of(broker, pit) == "quarantined"; })) << broker.status().at(pit).name;
    EXPECT_EQ(broker.status().at(pit).instance, 1U) << broker.status().at(pit).name;
  }
  FakeCaller caller(broker.connect().value());
  caller.greet();
  caller.say(Open{1, "missing", 0, 0, 0, FakeCaller::deadline()});
  const auto refused = caller.expect<Refused>();
  EXPECT_EQ(refused.code, errc::quarantined);
  EXPECT_NE(refused.text.find("No such file"), std::string::npos) << refused.text;
}

TEST(EmbeddedBroker, DoesNotRestartAPitThatFinished) {
  auto broker = broker_of({fake_pit("brief", {"--exit=0"})});
  EXPECT_TRUE(eventually([&] { return state_of(broker) == "stopped"; }));
  FakeCaller caller(broker.connect().value());
  caller.greet();
  caller.say(Open{1, "brief", 0, 0, 0, FakeCaller::deadline()});
  EXPECT_EQ(caller.expect<Refused>().code, errc::closed);
}

TEST(EmbeddedBroker, KillsAPitThatHangsUpButLivesOn) {
  auto pit = fake_pit("mute", {"--hang-up"});
  pit.restart.failures_max = 1;
  auto broker = broker_of({pit});
  EXPECT_TRUE(eventually([&] { return state_of(broker) == "quarantined"; }));
}

TEST(EmbeddedBroker, RefusesAnOpenWhoseDeadlineIsOverBeforeThePitIsReady) {
  auto broker = broker_of({fake_pit("slow", {"--never-ready"})});
  FakeCaller caller(broker.connect().value());
  caller.greet();
  caller.say(Open{1, "slow", 0, 0, 0, now_ns() + 20 * ms_ns});
  EXPECT_EQ(caller.expect<Refused>().code, errc::timeout);
}

TEST(EmbeddedBroker, GivesAPitNoDescriptorButTheStandardOnesAndItsSocket) {
  auto broker = broker_of({fake_pit("counts", {"--open-fds"})});
  // 0, 1, 2 and the socket; the pit exits with their number, and 4 is a failure like any other.
  FakeCaller caller(broker.connect().value());
  caller.greet();
  caller.say(Open{1, "counts", 0, 0, 0, FakeCaller::deadline()});
  const auto refused = caller.expect<Refused>();
  EXPECT_NE(refused.text.find("ended with status 4)"), std::string::npos) << refused.text;
}

TEST(EmbeddedBroker, DisconnectsACallerThatBreaksTheProtocolAndServesTheOthers) {
  auto broker = broker_of({fake_pit("echo")});
  FakeCaller bad(broker.connect().value());
  FakeCaller good(broker.connect().value());
  good.greet();
  bad.say(Close{1});  // before its hello
  EXPECT_EQ(bad.socket().wait_receive(FdPolicy::accept, FakeCaller::deadline()).error().code, errc::closed);
  good.open("echo");
}

TEST(EmbeddedBroker, ForgetsTheLinksOfACallerThatIsGone) {
  auto broker = broker_of({fake_pit("echo")});
  {
    FakeCaller caller(broker.connect().value());
    caller.greet();
    caller.open("echo");
    caller.open("echo");
    EXPECT_EQ(broker.status().at(0).links, 2U);
  }
  EXPECT_TRUE(eventually([&] { return broker.status().at(0).links == 0; }));
}

TEST(EmbeddedBroker, LeavesNoProcessWhenItEnds) {
  UniqueFd keeper, pit, stubborn;
  {
    auto broker = broker_of({fake_pit("echo"), fake_pit("stubborn", {"--ignore-stop"})});
    ASSERT_TRUE(eventually([&] { return state_of(broker, 0) == "ready" && state_of(broker, 1) == "ready"; }));
    keeper = pidfd_of(broker.keeper_pid());
    pit = pidfd_of(broker.pit_pid("echo").value());
    stubborn = pidfd_of(broker.pit_pid("stubborn").value());
  }
  for (const UniqueFd* fd : {&keeper, &pit, &stubborn}) EXPECT_TRUE(is_dead(*fd, 0));
}

TEST(EmbeddedBroker, SaysThatItIsUnreachableWhenTheKeeperIsKilledAndLeavesNoPit) {
  auto broker = broker_of({fake_pit("echo")});
  FakeCaller caller(broker.connect().value());
  caller.greet();
  const Go go = caller.open("echo");
  ASSERT_EQ(::kill(broker.keeper_pid(), SIGKILL), 0);
  EXPECT_TRUE(is_dead(caller.peer_fds.at(1)));
  const auto refused = caller.expect<Refused>();
  EXPECT_EQ(refused.code, errc::unreachable);
  EXPECT_EQ(refused.link, go.at.link);
  caller.say(Open{9, "echo", 0, 0, 0, FakeCaller::deadline()});
  EXPECT_EQ(caller.expect<Refused>().code, errc::unreachable);
}

TEST(EmbeddedBroker, RefusesOptionsThatMakeNoSense) {
  const auto code = [](std::vector<PitConfig> pits) {
    return EmbeddedBroker::start({std::move(pits), {}, 1}).error().code;
  };
  EXPECT_EQ(code({fake_pit("")}), errc::invalid_argument);
  EXPECT_EQ(code({fake_pit("No")}), errc::invalid_argument);
  EXPECT_EQ(code({fake_pit("a"), fake_pit("a")}), errc::invalid_argument);
  std::vector<PitConfig> many;
  many.reserve(65);
  for (int i = 0; i < 65; ++i) many.push_back(fake_pit("p" + std::to_string(i)));
  EXPECT_EQ(code(many), errc::too_large);
  EXPECT_EQ(EmbeddedBroker::start({{}, "/nonexistent/keeper", 1}).error().code, errc::not_found);
}

// What could go wrong: the exception of a thread that the system refuses leaves a function that promises none, and the
// helper process that was started before it stays.
TEST(EmbeddedBroker, ThatGetsNoThreadIsAnErrorAndLeavesNoProcess) {
  pthread_attr_t usual, huge;
  ASSERT_EQ(::pthread_getattr_default_np(&usual), 0);
  ASSERT_EQ(::pthread_getattr_default_np(&huge), 0);
  ASSERT_EQ(::pthread_attr_setstacksize(&huge, std::size_t{1} << 48), 0);  // more than a process can address
  ASSERT_EQ(::pthread_setattr_default_np(&huge), 0);
  const auto broker = EmbeddedBroker::start({{fake_pit("echo")}, {}, 7});
  ASSERT_EQ(::pthread_setattr_default_np(&usual), 0);
  ::pthread_attr_destroy(&usual);
  ::pthread_attr_destroy(&huge);
  ASSERT_FALSE(broker);
  EXPECT_EQ(broker.error().code, errc::out_of_memory) << broker.error().text;
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child is left";
  sigset_t blocked;
  ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, nullptr, &blocked), 0);
  EXPECT_EQ(::sigismember(&blocked, SIGTERM), 0) << "the application's signals are as they were";
}

// ---- a program of its own, to be killed ----

struct Program {
  pid_t pid = 0;
  UniqueFd pidfd;
  UniqueFd output;
  std::string read_line() {
    std::string line;
    for (char c = 0; ::read(output.get(), &c, 1) == 1 && c != '\n';) line.push_back(c);
    return line;
  }
  int wait() {
    int status = 0;
    ::waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  }
};

// Leads a process group of its own, as a program in the foreground of a terminal does.
Program run(std::vector<std::string> args, bool quiet = false) {
  int ends[2];
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  UniqueFd reader(ends[0]), writer(ends[1]);
  args.insert(args.begin(), beside("broker_program"));
  std::vector<char*> argv;
  argv.reserve(args.size() + 1);
  for (auto& a : args) argv.push_back(a.data());
  argv.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::setpgid(0, 0);
    ::dup2(writer.get(), STDOUT_FILENO);
    if (quiet) ::dup2(::open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  return {pid, pidfd_of(pid), std::move(reader)};
}

TEST(EmbeddedBroker, LeavesNoProcessWhenItsApplicationIsKilled) {
  for (int round = 0; round < 5; ++round) {
    Program program = run({"embedded", beside("fake_pit")});
    int keeper = 0, pit = 0;
    ASSERT_EQ(std::sscanf(program.read_line().c_str(), "%d %d", &keeper, &pit), 2);
    const UniqueFd keeper_fd = pidfd_of(keeper), pit_fd = pidfd_of(pit);
    ASSERT_EQ(::kill(program.pid, SIGKILL), 0);
    EXPECT_TRUE(is_dead(keeper_fd));
    EXPECT_TRUE(is_dead(pit_fd));
    program.wait();
  }
}

// ---- daemon ----

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
