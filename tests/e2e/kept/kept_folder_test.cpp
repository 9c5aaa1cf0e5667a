// A mount whose state is in a folder: who may use it, what is refused, when an answer leaves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <symphony/conductor.hpp>

#include "pits/hosting/durable/in_process_keeper.hpp"
#include "pits/hosting/static/static_host.hpp"
#include "tests/e2e/kept/tally.hpp"
#include "tests/unit/hosting/scripted_pit.hpp"

SYMPHONY_DECLARE_PIT(tally);

namespace {
std::atomic<int> syncs{0};
std::atomic<bool> disk_fails{false};
}  // namespace

// This program's own: it counts, and it fails when it is told to.
extern "C" int fdatasync(int fd) {
  ++syncs;
  if (!disk_fails) return static_cast<int>(::syscall(SYS_fdatasync, fd));
  errno = EIO;
  return -1;
}

namespace symphony {
namespace {

using testing::HasSubstr;

struct KeptFolder : testing::Test {
  void SetUp() override {
    char pattern[] = "/tmp/symphony-test-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern), nullptr);
    folder = pattern;
    disk_fails = false;
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  [[nodiscard]] MountOptions options(Mode mode = Mode::static_) const {
    MountOptions out;
    out.mode = mode;
    out.entry = symphony_pit_tally();
    out.file = SYMPHONY_TALLY;
    out.state = {
        .durability = Durability::journal, .snapshot_size_max = 16384, .journal_size = 16384, .folder = folder};
    return out;
  }
  [[nodiscard]] std::string file() const { return folder + "/tally.state"; }
  static tally::Report add(Conductor& conductor, std::uint64_t number) {
    Caller caller = conductor.open("tally");
    const tally::Entry entry{0, number};
    const Reply reply = caller.call(tally::add, std::as_bytes(std::span(&entry, 1)));
    EXPECT_TRUE(reply.ok()) << reply.text;
    tally::Report report;
    if (reply.body.size() == sizeof report) std::memcpy(&report, reply.body.data(), sizeof report);
    return report;
  }
  std::string text_of(const std::string& path) const {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::string folder;
};

TEST_F(KeptFolder, GoesOnInTheNextProgramAndInTheOtherModes) {
  for (std::uint64_t number = 1; number <= 9; ++number) {
    Conductor conductor;
    MountOptions with = options(number % 3 == 0 ? Mode::dynamic : Mode::static_);
#if defined(SYMPHONY_WASM_TALLY)
    if (number % 3 == 1) {
      with.mode = Mode::wasm;
      with.file = SYMPHONY_WASM_TALLY;
    }
#endif
    const auto mounted = conductor.mount("tally", with);
    ASSERT_TRUE(mounted.ok()) << mounted.text;
    const tally::Report report = add(conductor, number);
    EXPECT_EQ(report.entries, number);
    EXPECT_EQ(report.wrong, 0U);
  }
}

TEST_F(KeptFolder, AnOrderlyEndLosesNothingWithSnapshotsEither) {
  for (std::uint64_t number = 1; number <= 50; ++number) {
    Conductor conductor;  // its thread for timers is told of the pit, and may be the last to let go of it
    MountOptions with = options();
    with.state.durability = Durability::snapshot;
    with.state.snapshot_after_ns = 3600 * second_ns;
    const auto mounted = conductor.mount("tally", with);
    ASSERT_TRUE(mounted.ok()) << mounted.text;
    EXPECT_EQ(add(conductor, number).entries, number);
  }
}

TEST_F(KeptFolder, IsOneProgramsAtATime) {
  Conductor first, second;
  ASSERT_TRUE(first.mount("tally", options()).ok());
  const auto refused = second.mount("tally", options());
  EXPECT_EQ(refused.status, status::bad_state);
  EXPECT_THAT(refused.text, HasSubstr("another broker or program keeps"));
  EXPECT_EQ(add(first, 1).entries, 1U);
  ASSERT_TRUE(first.unmount("tally").ok());
  ASSERT_TRUE(second.mount("tally", options()).ok());
  EXPECT_EQ(add(second, 2).entries, 2U);
}

TEST_F(KeptFolder, ThatIsDamagedOrCutIsRefusedAndKept) {
  {
    Conductor conductor;
    ASSERT_TRUE(conductor.mount("tally", options()).ok());
    EXPECT_EQ(add(conductor, 1).entries, 1U);
  }
  const std::string whole = text_of(file());
  ASSERT_GT(whole.size(), 4096U);
  std::string wild = whole;
  wild.replace(0, 4096, std::string(4096, '\xff'));
  for (const std::string& damage : {whole.substr(0, 5000), wild, std::string("x")}) {
    std::ofstream(file(), std::ios::binary) << damage;
    Conductor conductor;
    const auto refused = conductor.mount("tally", options());
    EXPECT_EQ(refused.status, status::bad_state);
    EXPECT_THAT(refused.text, HasSubstr("nothing of it was used"));
    EXPECT_EQ(text_of(file()), damage);
    EXPECT_FALSE(std::filesystem::exists(folder + "/tally.next"));
  }
  std::ofstream(file(), std::ios::binary) << whole;
  Conductor conductor;
  ASSERT_TRUE(conductor.mount("tally", options()).ok());
  EXPECT_EQ(add(conductor, 2).entries, 2U);
}

TEST_F(KeptFolder, IsNeededWhereThePitDiesWithItsProgram) {
  for (const Mode mode : {Mode::static_, Mode::dynamic}) {
    Conductor conductor;
    MountOptions with = options(mode);
    with.state.folder.clear();
    const auto refused = conductor.mount("tally", with);
    EXPECT_EQ(refused.status, status::bad_state);
    EXPECT_THAT(refused.text, HasSubstr("set StatePolicy::folder"));
  }
}

TEST_F(KeptFolder, BadPlacesAndNumbersAreRefusedWithTheRemedy) {
  const auto refused = [&](const MountOptions& with, std::string_view name = "tally") {
    Conductor conductor;
    const auto mounted = conductor.mount(name, with);
    EXPECT_FALSE(mounted.ok());
    return mounted.text;
  };
  MountOptions with = options();
  with.state.folder = "states";
  EXPECT_THAT(refused(with), HasSubstr("absolute path"));
  with.state.folder = "/no/such/folder";
  EXPECT_THAT(refused(with), HasSubstr("cannot be used"));
  EXPECT_THAT(refused(options(), "../tally"), HasSubstr("has a name of"));
  EXPECT_THAT(refused(options(), ".tally"), HasSubstr("has a name of"));
  with = options();
  with.state.journal_size = 1000;
  EXPECT_THAT(refused(with), HasSubstr("multiples of 4096"));
  with = options();
  with.state.snapshot_after = 0;
  EXPECT_THAT(refused(with), HasSubstr("above 0"));
  with = options(Mode::process);
  EXPECT_THAT(refused(with), HasSubstr("in its manifest"));
  ::chmod(folder.c_str(), 0777);
  EXPECT_THAT(refused(options()), HasSubstr("chmod 700"));
}

TEST_F(KeptFolder, AnAnswerLeavesWhenTheDiskHasWhatLedToIt) {
  Conductor conductor;
  ASSERT_TRUE(conductor.mount("tally", options()).ok());
  Caller caller = conductor.open("tally");
  const tally::Entry entry{0, 1};
  const int before = syncs;
  ASSERT_TRUE(caller.call(tally::add, std::as_bytes(std::span(&entry, 1))).ok());
  EXPECT_GT(syncs, before);
  disk_fails = true;
  const Reply reply = caller.call(tally::add, std::as_bytes(std::span(&entry, 1)));
  EXPECT_EQ(reply.status, status::internal) << "what the disk did not take is not answered";
  EXPECT_THAT(std::string(reply.text), HasSubstr("look at the disk"));
  disk_fails = false;
  EXPECT_FALSE(caller.call(tally::add, std::as_bytes(std::span(&entry, 1))).ok()) << "nor is anything after it";
}

TEST_F(KeptFolder, WithoutSyncNothingWaitsForTheDisk) {
  Conductor conductor;
  MountOptions with = options();
  with.state.is_synced = false;
  ASSERT_TRUE(conductor.mount("tally", with).ok());
  const int before = syncs;
  EXPECT_EQ(add(conductor, 1).entries, 1U);
  EXPECT_EQ(syncs, before);
}

// Its caller died with the program that had it, so its ending goes to nobody: least of all to a call of the next one.
TEST_F(KeptFolder, ARequestThatWaitedWhenTheProgramEndedIsEndedForNobody) {
  const auto send = [](Caller& caller, std::uint32_t type, tally::Entry entry) {
    return caller.call(type, std::as_bytes(std::span(&entry, 1)), {.timeout_ns = 50 * ms_ns});
  };
  for (std::uint64_t round = 0; round < 2; ++round) {
    Conductor conductor;
    ASSERT_TRUE(conductor.mount("tally", options()).ok());
    Caller caller = conductor.open("tally");
    if (round == 0) {
      EXPECT_EQ(send(caller, tally::wait, {0, 1}).status, status::deadline);
    } else {
      const Reply reply = send(caller, tally::end_oldest, {0, 2});
      ASSERT_TRUE(reply.ok()) << reply.status << " " << reply.text;
      EXPECT_EQ(add(conductor, 3).waiting, 0U);
    }
  }
}

// The pit that was drained is started by the mount, as any is.
TEST_F(KeptFolder, AMountIsRunningAlsoWhereThePitWasDrainedOrStopped) {
  for (int round = 0; round < 3; ++round) {
    std::shared_ptr<pit::StateKeeper> keeper;
    ASSERT_TRUE(pit::make_state_keeper("tally", options().state, keeper).ok());
    std::unique_ptr<pit::StaticHost> host;
    const auto mounted = pit::StaticHost::mount(*symphony_pit_tally(), {.keeper = keeper}, host);
    ASSERT_TRUE(mounted.ok()) << mounted.text;
    std::unique_ptr<pit::Link> link;
    ASSERT_TRUE(host->open(link).ok());
    const tally::Entry entry{0, static_cast<std::uint64_t>(round) + 1};
    EXPECT_TRUE(link->call({.type = tally::add, .body = std::as_bytes(std::span(&entry, 1))}).ok());
    ASSERT_TRUE(host->drain(no_deadline_ns).ok());
    if (round == 1) {
      ASSERT_TRUE(host->stop().ok());
    }
  }
}

TEST_F(KeptFolder, OfAPitWithoutSnapshotsIsRefused) {
  pit::test::Script script;
  pit::test::script() = &script;
  auto entry = pit::test::scripted_entry();
  auto note = pit::test::scripted_note();
  note.state_revision = note.state_revision_min = 0;
  entry.note = &note;
  entry.snapshot = nullptr;
  entry.restore = nullptr;
  std::shared_ptr<pit::StateKeeper> keeper;
  ASSERT_TRUE(pit::make_state_keeper("scripted", options().state, keeper).ok());
  std::unique_ptr<pit::StaticHost> host;
  const auto mounted = pit::StaticHost::mount(entry, {.keeper = keeper}, host);
  EXPECT_EQ(mounted.status, SYMPHONY_VERSION);
  EXPECT_THAT(mounted.text, HasSubstr("keeps no snapshots"));
}

}  // namespace
}  // namespace symphony
