// What a broker finds out of a death beside its status: the kernel's want of memory, and where a core dump is.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "bus/broker/core_place.hpp"
#include "bus/broker/keeper_protocol.hpp"
#include "bus/broker/oom_kills.hpp"

namespace symphony::detail::broker {
namespace {

namespace fs = std::filesystem;

struct OomKillsTest : testing::Test {
  void SetUp() override {
    char pattern[] = "/tmp/symphony-test-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern), nullptr);
    root = pattern;
  }
  void TearDown() override { fs::remove_all(root); }
  void write(const fs::path& path, const std::string& text) const {
    fs::create_directories((root / path).parent_path());
    std::ofstream(root / path) << text;
  }
  fs::path root;
};

TEST_F(OomKillsTest, OfTheOwnGroupAreToldOnceEachInEitherVersion) {
  struct Case {
    const char *groups, *file;
  };
  for (const Case& c :
       {Case{"0::/a/b\n", "sys/fs/cgroup/a/b/memory.events"},
        Case{"9:name=systemd:/\n4:cpu,memory:/a\n0::/\n", "sys/fs/cgroup/memory/a/memory.oom_control"}}) {
    write("proc/self/cgroup", c.groups);
    write(c.file, "oom 7\noom_kill 3\n");
    OomKills kills(root);
    EXPECT_EQ(kills.path(), (root / c.file).string());
    EXPECT_FALSE(kills.one_more()) << "those were before";
    write(c.file, "oom 9\noom_kill 5\n");
    EXPECT_TRUE(kills.one_more());
    EXPECT_TRUE(kills.one_more());
    EXPECT_FALSE(kills.one_more());
    fs::remove(root / c.file);
    EXPECT_FALSE(kills.one_more());
  }
}

TEST_F(OomKillsTest, WithoutACounterAreNotGuessed) {
  EXPECT_FALSE(OomKills(root).one_more());
  write("proc/self/cgroup", "0::/\nnonsense\n:::\n");
  write("proc/vmstat", "oom_kill 4711\n");
  OomKills kills(root);
  EXPECT_EQ(kills.path(), "");
  EXPECT_FALSE(kills.one_more());
}

TEST(CorePlace, IsWhatTheKernelsPatternMakesOfIt) {
  const auto place = [](const char* pattern, bool adds_pid = false) {
    return core_place(pattern, adds_pid, "/run/here", 4711, SIGSEGV);
  };
  EXPECT_EQ(place("core"), "/run/here/core");
  EXPECT_EQ(place("core", true), "/run/here/core.4711");
  EXPECT_EQ(place("/var/crash/%e.%p.%s", true), "/var/crash/*.4711.11") << "the number stands there already";
  EXPECT_EQ(place("100%%-%"), "/run/here/100%-");
  EXPECT_EQ(place("|/usr/lib/systemd/systemd-coredump %P %u"), "given to /usr/lib/systemd/systemd-coredump");
  EXPECT_EQ(place("|/bin/handler"), "given to /bin/handler");
  EXPECT_EQ(place(""), "");
  EXPECT_EQ(place("%"), "/run/here/");
}

TEST(ExitValue, HoldsEveryStatusAndSignalWithAndWithoutADump) {
  for (int value = 0; value < 256; ++value) {
    for (const bool signalled : {false, true}) {
      for (const bool dumped : {false, true}) {
        const keeper::Exit back = keeper::exit_of(keeper::exit_value(signalled, value, dumped));
        EXPECT_EQ(std::tuple(back.signalled, back.value, back.dumped), std::tuple(signalled, value, dumped));
      }
    }
  }
}

}  // namespace
}  // namespace symphony::detail::broker
