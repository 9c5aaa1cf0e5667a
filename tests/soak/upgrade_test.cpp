// A broker is replaced by one of a new file of its program, under load. What could go wrong: a call is lost or done
// twice on the way, a pit is started again for it, or a file that is no good takes the daemon with it.
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/soak/life.hpp"
#include "tests/support/samples.hpp"

namespace symphony::soak {
namespace {

namespace fs = std::filesystem;

struct UpgradeTest : testing::Test {
  void SetUp() override {
    char pattern[] = "/tmp/symphony-soak-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern), nullptr);
    folder = pattern;
    programs.daemon = folder / "party";
    install_next();
    realm.emplace(folder / "daemon", static_cast<std::uint32_t>(test_run::seed()), 64 * 1024, programs);
    killer.emplace(*realm, test_run::seed());
    for (int i = 0; i < 2; ++i) realm->start_caller();
    ASSERT_TRUE(go_on()) << said();
    pit = realm->pit().pid;
    ASSERT_NE(pit, 0);
  }
  void TearDown() override {
    killer.reset();
    realm.reset();
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }
  // As a package manager does it: a whole file under another name, then the name.
  void install(const std::string& bytes, mode_t mode = 0755) const {
    const fs::path next = folder / "party.new";
    std::ofstream(next, std::ios::binary) << bytes;
    ASSERT_EQ(::chmod(next.c_str(), mode), 0);
    fs::rename(next, programs.daemon);
  }
  // The same program in another file; what stands behind its end is nobody's.
  void install_next() {
    std::ifstream file(own_programs().daemon, std::ios::binary);
    const std::string program{std::istreambuf_iterator<char>(file), {}};
    install(program + std::string(++installed, '.'));
  }
  // A broker with another number, that this one gave way to.
  Held broker_after(pid_t before) const {
    for (const TimeNs give_up = deadline_after(patience_ns); now_ns() < give_up; pause_us(500)) {
      if (Held next = realm->broker(); next && next.pid != before) return next;
    }
    return {};
  }
  [[nodiscard]] bool runs_installed_file(pid_t process) const {
    struct stat runs {
    }, is{};
    const std::string exe = "/proc/" + std::to_string(process) + "/exe";
    return ::stat(exe.c_str(), &runs) == 0 && ::stat(programs.daemon.c_str(), &is) == 0 && runs.st_ino == is.st_ino &&
           runs.st_size == is.st_size;
  }
  bool go_on() { return killer->await_calls(realm->calls() + 1000); }
  std::string said() { return realm->trouble() + realm->errors(); }
  // Sends it to the broker; the next one.
  Held replace(int signal) {
    const Held before = killer->find(&Realm::broker);
    before.signal(signal);
    EXPECT_TRUE(before.dies_within(patience_ns));
    Held next = broker_after(before.pid);
    EXPECT_TRUE(next) << said();
    EXPECT_TRUE(go_on()) << said();
    return next;
  }
  // Everything that callers were told is in the state, and the daemon ends in order.
  void expect_nothing_lost() {
    ASSERT_TRUE(realm->stop_callers()) << said();
    const Verdict verdict = check(realm->histories(), realm->state());
    EXPECT_EQ(verdict.wrong(), 0U) << (verdict.examples.empty() ? "" : verdict.examples[0]);
    EXPECT_GE(verdict.acknowledged, 2000U);
    EXPECT_EQ(realm->end(), 0);
    EXPECT_TRUE(fs::is_empty(folder / "daemon" / "realm"));
  }

  fs::path folder;
  Programs programs = own_programs();
  std::optional<Realm> realm;
  std::optional<Killer> killer;
  std::size_t installed = 0;
  pid_t pit = 0;
};

TEST_F(UpgradeTest, OfAKilledBrokerLosesNoCallAndStartsNoPitAgain) {
  for (int n = 0; n < 3; ++n) {
    install_next();
    EXPECT_FALSE(runs_installed_file(realm->broker().pid));
    EXPECT_TRUE(runs_installed_file(replace(SIGKILL).pid)) << said();
    EXPECT_EQ(realm->pit().pid, pit);
    EXPECT_FALSE(runs_installed_file(realm->keeper())) << "that goes on as it is";
  }
  realm->pit().signal(SIGKILL);
  EXPECT_TRUE(go_on()) << "the new one starts pits too; " << said();
  expect_nothing_lost();
}

TEST_F(UpgradeTest, OfABrokerThatIsAskedToLeaveIsNoDeathHoweverOften) {
  for (int n = 0; n < 8; ++n) {  // as a death, the fifth within ten seconds would be the daemon's end
    if (n % 2 == 0) install_next();
    EXPECT_TRUE(runs_installed_file(replace(SIGUSR2).pid)) << said();
    EXPECT_EQ(realm->pit().pid, pit);
  }
  EXPECT_EQ(realm->errors().find("the broker died"), std::string::npos) << said();
  expect_nothing_lost();
}

TEST_F(UpgradeTest, ToAFileThatDoesNotServeLeavesTheProgramThatTheDaemonBeganWith) {
  const std::string real = own_programs().daemon;
  const std::string other_version = "#!/bin/sh\nSYMPHONY_NEXT_BROKER=9999 exec " + real + " \"$@\"\n";
  struct Case {
    std::string bytes;
    mode_t mode;
  };
  for (const Case& c : {Case{"#!/bin/sh\nexit 1\n", 0755}, Case{"no program at all", 0755}, Case{"", 0755},
                        Case{other_version, 0755}, Case{"#!/bin/sh\nexit 0\n", 0644}}) {
    install(c.bytes, c.mode);
    const Held next = replace(SIGUSR2);
    EXPECT_FALSE(runs_installed_file(next.pid));
    EXPECT_EQ(realm->pit().pid, pit);
  }
  EXPECT_NE(realm->errors().find("cannot go on as the broker"), std::string::npos) << said();
  EXPECT_NE(realm->errors().find("stop the daemon and start it again"), std::string::npos) << said();
  // The next good one does.
  install_next();
  EXPECT_TRUE(runs_installed_file(replace(SIGKILL).pid)) << said();
  expect_nothing_lost();
}

TEST_F(UpgradeTest, ToAFileThatCrashesGoesBack) {
  install_next();
  EXPECT_TRUE(runs_installed_file(replace(SIGUSR2).pid)) << said();
  EXPECT_FALSE(runs_installed_file(replace(SIGILL).pid)) << "that was its own fault; " << said();
  EXPECT_FALSE(runs_installed_file(replace(SIGKILL).pid)) << "and is not tried again; " << said();
  expect_nothing_lost();
}

}  // namespace
}  // namespace symphony::soak
