// Pits behind walls, over a real broker. What could go wrong: a wall that is asked for and not there while the pit runs
// all the same; a wall that keeps a pit from what it is for; an end that nobody hears of.
#include <gtest/gtest.h>

#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include <symphony/operator.hpp>

#include "tests/e2e/bus_fixture.hpp"

namespace symphony {
namespace {

PitConfig confined(const char* name, SandboxProfile profile = SandboxProfile::heap) {
  PitConfig config = pit_config(name);
  config.trust = Trust::hostile;
  config.sandbox.profile = profile;
  return config;
}

struct ConfinedTest : BusTest {
  void SetUp() override {}

  PitReport report(const char* pit) {
    auto asked = Operator::adopt(broker->connect().value());
    EXPECT_TRUE(asked) << asked.error().text;
    return asked->show(pit, 30 * second_ns).pit;
  }
  // False where this kernel does not give what a confined pit must have; the test has then seen that it is refused.
  bool runs(const char* pit) {
    EXPECT_TRUE(comes_true([&] {
      const std::string state = report(pit).info.state;
      return state == "ready" || state == "quarantined";
    }));
    const PitReport now = report(pit);
    if (now.info.state == "ready") return true;
    EXPECT_EQ(now.sandbox_reached, 0U);
    EXPECT_NE(now.reason.find("125"), std::string::npos) << now.reason;
    GTEST_LOG_(INFO) << "not confined on this machine, and not run: " << now.reason;
    return false;
  }
};

TEST_F(ConfinedTest, APitReachesEveryWallThatItsOperatorRequiresAndServes) {
  for (const SandboxProfile profile : {SandboxProfile::ring, SandboxProfile::heap, SandboxProfile::threads}) {
    SCOPED_TRACE(name_of(profile));
    start({confined("greeter", profile)});
    if (!runs("greeter")) return;
    const PitReport now = report("greeter");
    EXPECT_EQ(now.sandbox_reached & sandbox_default_blocks, sandbox_default_blocks) << names_of(now.sandbox_reached);
    EXPECT_EQ(now.sandbox.profile, profile);
    Link link = open("greeter");
    for (int i = 0; i < 100; ++i) {
      const auto reply = greet(link, "you");
      ASSERT_TRUE(reply) << static_cast<int>(reply.reply.status);
      EXPECT_EQ(reply->count(), i + 1U);
    }
  }
}

TEST_F(ConfinedTest, LinksThatComeLaterAttachWithAllWallsUp) {
  for (const SandboxProfile profile : {SandboxProfile::ring, SandboxProfile::heap, SandboxProfile::threads}) {
    SCOPED_TRACE(name_of(profile));
    start({confined("greeter", profile)});
    if (!runs("greeter")) return;
    std::vector<Link> links;
    for (std::uint64_t i = 0; i < 200; ++i) {
      links.push_back(open("greeter"));
      const auto reply = greet(links.back(), "you");
      ASSERT_TRUE(reply) << i;
    }
    EXPECT_TRUE(greet(links.front(), "again"));
  }
}

TEST_F(ConfinedTest, APitThatIsKilledEndsAsSuchAndItsCallsGoOnWithTheNext) {
  start({confined("probe")});
  if (!runs("probe")) return;
  Link link = open("probe");
  EXPECT_TRUE(probe_do(link, probe::Act::NOTHING));
  EXPECT_EQ(probe_do(link, probe::Act::DIE).reply.status, status::crashed);
  EXPECT_TRUE(probe_do(link, probe::Act::NOTHING));
  const PitReport now = report("probe");
  ASSERT_FALSE(now.deaths.empty());
  EXPECT_TRUE(now.deaths.back().signalled);
  EXPECT_TRUE(now.deaths.back().value == SIGKILL) << now.deaths.back().value;
  // From outside, the first process of its namespace: with that the pit is dead.
  ASSERT_TRUE(broker->kill_pit("probe"));
  EXPECT_TRUE(probe_read(link, probe::Act::NOTHING));
}

TEST_F(ConfinedTest, TheStatusOfAPitThatEndsByItselfIsItsOwn) {
  start({confined("probe")});
  if (!runs("probe")) return;
  Link link = open("probe");
  EXPECT_EQ(probe_do(link, probe::Act::EXIT, 7).reply.status, status::crashed);
  ASSERT_TRUE(comes_true([&] { return !report("probe").deaths.empty(); }));
  EXPECT_FALSE(report("probe").deaths.back().signalled);
  EXPECT_EQ(report("probe").deaths.back().value, 7);
}

TEST_F(ConfinedTest, AJournalGoesOnBehindWalls) {
  PitConfig config = confined("greeter");
  config.trust = Trust::cooperative;
  config.state.durability = Durability::journal;
  start({config});
  if (!runs("greeter")) return;
  Link link = open("greeter");
  for (std::uint64_t i = 1; i <= 10; ++i) ASSERT_EQ(greet(link, "you")->count(), i);
  ASSERT_TRUE(broker->kill_pit("greeter"));
  ASSERT_EQ(greet(link, "you")->count(), 11U);
}

// What /proc says of the process that holds the pit: the child of the one that the broker knows.
std::string proc_line(pid_t pid, const std::string& file, const std::string& key) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/" + file);
  for (std::string line; std::getline(in, line);) {
    if (line.rfind(key, 0) == 0) return line.substr(key.size());
  }
  return {};
}
pid_t child_of(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/task/" + std::to_string(pid) + "/children");
  pid_t child = 0;
  in >> child;
  return child;
}

TEST_F(ConfinedTest, TheKernelSaysTheSameOfItsWallsAsThePit) {
  start({confined("greeter")});
  if (!runs("greeter")) return;
  const pid_t first = broker->pit_pid("greeter").value();
  const pid_t pit = child_of(first);
  ASSERT_GT(pit, 0);
  for (const pid_t process : {first, pit}) {
    for (const char* set : {"CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"})
      EXPECT_EQ(proc_line(process, "status", set), "\t0000000000000000") << set;
    EXPECT_EQ(proc_line(process, "status", "NoNewPrivs:"), "\t1");
    for (const char* kind : {"user", "pid", "mnt", "net", "ipc"}) {
      const auto of = [&](const std::string& who) {
        return std::filesystem::read_symlink("/proc/" + who + "/ns/" + kind).string();
      };
      EXPECT_NE(of(std::to_string(process)), of("self")) << kind;
    }
  }
  EXPECT_EQ(proc_line(pit, "status", "Seccomp:"), "\t2");
  EXPECT_EQ(proc_line(pit, "status", "Seccomp_filters:"), "\t2");
  std::ifstream tasks("/proc/" + std::to_string(pit) + "/status");
  // TSYNC: both filters hold for every thread.
  for (const auto& task : std::filesystem::directory_iterator("/proc/" + std::to_string(pit) + "/task")) {
    const std::string file = "task/" + task.path().filename().string() + "/status";
    EXPECT_EQ(proc_line(pit, file, "Seccomp_filters:"), "\t2") << file;
  }
  EXPECT_NE(proc_line(pit, "limits", "Max core file size").find(" 0 "), std::string::npos);
  // Its root: libraries and its file.
  const std::filesystem::path root = "/proc/" + std::to_string(pit) + "/root";
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(root)) names.insert(entry.path().filename());
  for (const std::string& name : names)
    EXPECT_TRUE(std::set<std::string>({"usr", "lib", "lib64", "etc", "proc", "pit.so"}).count(name) == 1) << name;
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(root / "proc"), {}), 1);
}

TEST_F(ConfinedTest, APitWhoseProcessSaysNothingOfWallsIsNotRun) {
  // Its program knows no walls: as a pit host of an earlier release would not.
  PitConfig config = confined("greeter");
  config.executable = program("fake_pit");
  config.args = {};
  start({config});
  ASSERT_TRUE(comes_true([&] { return report("greeter").info.state == "quarantined"; }));
  const std::string reason = report("greeter").reason;
  EXPECT_NE(reason.find("its sandbox lacks user pid mount"), std::string::npos) << reason;
  EXPECT_NE(reason.find("sandbox_may_lack"), std::string::npos) << reason;
}

}  // namespace
}  // namespace symphony
