// What could go wrong: a machine that lacks something is called well, one that lacks nothing is called bad, somebody
// else's process is called ours.
#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "tools/symphony/doctor/leftovers.hpp"
#include "tools/symphony/doctor/machine.hpp"
#include "tools/symphony/doctor/walls.hpp"

namespace symphony::tools::doctor {
namespace {

namespace fs = std::filesystem;

// A tree of files in the place of /proc and /sys.
class Doctor : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "doctor.XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root = name;
  }
  void TearDown() override { fs::remove_all(root); }

  void write(const std::string& path, const std::string& text) const {
    const fs::path at = root / path;
    fs::create_directories(at.parent_path());
    std::ofstream(at, std::ios::binary) << text;
  }
  // A process there: what it executes, its parent, its environment.
  void process(int pid, const std::string& program, int parent, const std::string& environment) const {
    const std::string folder = std::to_string(pid);
    std::string stat = folder + " (a) b ( c) S " + std::to_string(parent);
    for (int field = 3; field <= 50; ++field) stat += " " + std::to_string(field == 20 ? 7000 + pid : field);
    write(folder + "/stat", stat + "\n");
    write(folder + "/environ", environment);
    write(folder + "/comm", program.substr(0, 15) + "\n");
    fs::create_symlink("/opt/somewhere/" + program, root / folder / "exe");
  }
  [[nodiscard]] Findings leftovers() const { return look_for_leftovers(root.string()); }

  static const Finding& named(const Findings& all, const std::string& name) {
    for (const Finding& f : all) {
      if (f.name == name) return f;
    }
    throw std::runtime_error("nothing is said of " + name);
  }
  [[nodiscard]] Finding machine(const std::string& name) const { return named(look_at_machine(root.string()), name); }

  fs::path root;
};

const std::string pit_environment = std::string("PATH=/bin\0SYMPHONY_PIT_INSTANCE=3\0", 34);

TEST_F(Doctor, FindsAPitAndAKeeperThatNobodyWaitsForAndNamesTheirNumbers) {
  process(1, "init", 0, "");
  process(500, "systemd", 1, "");
  process(40, "symphony-pit-host", 1, pit_environment);
  process(41, "my_own_pit", 500, pit_environment);
  process(42, "symphony-keeper", 1, "");
  const Findings found = leftovers();
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(count(found, Health::bad), 3U);
  EXPECT_EQ(named(found, "process 41").value, "my_own_pit");
  EXPECT_NE(named(found, "process 42").remedy.find("kill 42"), std::string::npos);
}

TEST_F(Doctor, LeavesInPeaceWhatHasAParentAndWhatIsNotOurs) {
  process(1, "init", 0, "");
  process(40, "symphony", 1, "");                           // a daemon, in the background
  process(41, "symphony-pit-host", 40, pit_environment);    // its pit
  process(42, "symphony-keeper", 43, "");                   // of a program that runs
  process(43, "program", 1, "MY_SYMPHONY_PIT_INSTANCE=1");  // which only sounds like one
  process(44, "sleep", 1, "SYMPHONY_PIT_INSTANCES=1");
  write("self/stat", "no process of its own");
  const Findings found = leftovers();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].health, Health::ok);
}

TEST_F(Doctor, SaysWhatOfAMachineMakesItSlowAndWhatToDo) {
  write("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n");
  write("proc/meminfo", "MemTotal:  900000 kB\nMemAvailable:   102400 kB\nHugePages_Total:       4\n");
  EXPECT_EQ(machine("governor").health, Health::note);
  EXPECT_EQ(machine("memory").health, Health::note);
  EXPECT_EQ(machine("memory").value, "100 MiB available");
  for (const Finding& f : look_at_machine(root.string())) EXPECT_EQ(f.health == Health::ok, f.remedy.empty()) << f.name;
  write("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n");
  write("proc/meminfo", "MemAvailable:  1024000 kB\n");
  EXPECT_EQ(machine("governor").health, Health::ok);
  EXPECT_EQ(machine("memory").health, Health::ok);
}

TEST_F(Doctor, ReadsTheSettingThatHoldsAndTakesFilesThatAreMissingForUnknown) {
  EXPECT_NE(machine("huge pages").value.find("unknown"), std::string::npos);
  EXPECT_NE(machine("clock").value.find("unknown"), std::string::npos);
  write("sys/kernel/mm/transparent_hugepage/shmem_enabled", "always within_size [advise] never deny force\n");
  write("sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet\n");
  EXPECT_NE(machine("huge pages").value.find("shared memory: advise"), std::string::npos);
  EXPECT_NE(machine("clock").value.find("hpet, "), std::string::npos);
}

// This machine runs these tests, so it has what the bus cannot do without.
TEST_F(Doctor, FindsHereWhatTheBusNeeds) {
  const Findings kernel = look_at_kernel();
  EXPECT_EQ(count(kernel, Health::bad), 0U);
  for (const char* name : {"sealed memory", "pidfd", "close_range", "membarrier"})
    EXPECT_NO_THROW((void)named(kernel, name));
}

TEST_F(Doctor, SaysThatWallsCouldNotBeTriedWhereNoPitIsInstalled) {
  const Findings found = look_at_walls({"", ""});
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].health, Health::bad);
  EXPECT_NE(found[0].remedy.find("install"), std::string::npos);
}

}  // namespace
}  // namespace symphony::tools::doctor
