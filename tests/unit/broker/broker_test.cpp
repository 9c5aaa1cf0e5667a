// The broker as a part of a program, with real processes. What could go wrong: something is left when somebody is
// killed, or somebody who should have lived on dies with it.
#include <csignal>
#include <cstdio>
#include <optional>

#include <pthread.h>
#include <sys/mman.h>

#include "bus/memory/segment.hpp"
#include "tests/support/fake_caller.hpp"
#include "tests/unit/broker/processes.hpp"

namespace symphony {
namespace {

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
  caller.greet();
  const Go go = caller.open("echo");
  EXPECT_EQ(go.last_id, 40U);
  EXPECT_EQ(caller.last_own.request_capacity, detail::ring_capacity_default);
  EXPECT_EQ(caller.last_own.reply_size_max, 1000U);
  EXPECT_EQ(state_of(broker), "ready");
  EXPECT_EQ(broker.status().at(0).links, 1U);
}

// What a pit keeps in a folder knows the links of the broker before.
TEST(EmbeddedBroker, GivesNoLinkTheNumberOfOneOfTheBrokerBefore) {
  LinkId last = 0;
  for (int i = 0; i < 3; ++i) {
    auto broker = broker_of({fake_pit("echo")});
    FakeCaller caller(broker.connect().value());
    caller.greet();
    const Go go = caller.open("echo");
    EXPECT_GT(go.at.link, last);
    EXPECT_GT(go.at.epoch, last);
    last = std::max(go.at.link, go.at.epoch);
  }
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

}  // namespace
}  // namespace symphony
