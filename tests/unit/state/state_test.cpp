// The memory of a state and what a pit's process is told of it. What its bytes go through: tests/proof/state.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "bus/state/handover.hpp"
#include "bus/state/state_memory.hpp"

namespace symphony::detail {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
constexpr StateGeometry geometry{8192, 4096};

TEST(StateMemory, IsAllZeroAndTakesRoomOnlyWhereItIsUsed) {
  const StateGeometry huge{std::uint64_t{1} << 31, 4096};
  UniqueFd fd = create_state_memory(huge).value();
  const UniqueFd same = fd.duplicate();
  auto own = StateMemory::map_own(std::move(fd), huge, false);
  ASSERT_TRUE(own) << own.error().text;
  EXPECT_EQ(own->bytes().size(), state_size(huge));
  EXPECT_EQ(own->bytes().front(), std::byte{0});
  struct stat about {};
  ASSERT_EQ(::fstat(same.get(), &about), 0);
  EXPECT_EQ(about.st_blocks * 512, 3 * 4096) << "of 4 GiB: page 0 and both journals";
}

TEST(StateMemory, OfWhoAppendsNothingHoldsOnePageOfEachJournal) {
  const StateGeometry with_journals{4096, std::uint64_t{1} << 20};
  for (const bool appends : {false, true}) {
    UniqueFd fd = create_state_memory(with_journals).value();
    const UniqueFd same = fd.duplicate();
    ASSERT_TRUE(StateMemory::map_own(std::move(fd), with_journals, false, appends));
    struct stat about {};
    ASSERT_EQ(::fstat(same.get(), &about), 0);
    const std::uint64_t journal = appends ? with_journals.journal_capacity : state_page;
    EXPECT_EQ(static_cast<std::uint64_t>(about.st_blocks) * 512, state_page + 2 * journal);
  }
}

TEST(StateMemory, OfAnotherSizeThanAgreedIsRefused) {
  const auto own = StateMemory::map_own(create_state_memory({4096, 4096}).value(), geometry, false);
  ASSERT_FALSE(own);
  EXPECT_EQ(own.error().code, errc::invalid_argument);
}

TEST(StateMemory, WithoutAGeometryThatMakesSenseIsNotMade) {
  for (const StateGeometry& g : {StateGeometry{0, 4096}, StateGeometry{4096, 0}, StateGeometry{4097, 4096},
                                 StateGeometry{4096, std::uint64_t{1} << 40}}) {
    ASSERT_FALSE(create_state_memory(g));
  }
}

TEST(StateMemory, ThatWasCutToNothingIsReadAsNothing) {
  const auto old = StateMemory::map_old(UniqueFd(::memfd_create("empty", MFD_CLOEXEC)), true);
  ASSERT_TRUE(old);
  EXPECT_TRUE(old->bytes().empty());
}

// ---- files

struct StateFile : testing::Test {
  StateFile() : folder(testing::TempDir() + "state." + std::to_string(::getpid())) { fs::create_directory(folder); }
  ~StateFile() override { fs::remove_all(folder); }
  StateFile(const StateFile&) = delete;
  StateFile& operator=(const StateFile&) = delete;
  void SetUp() override { fs::permissions(folder, fs::perms::owner_all); }
  const std::string folder;
};

TEST_F(StateFile, IsFoundUnderItsNameOnlyWhenItIsComplete) {
  EXPECT_EQ(open_state_file(folder, "pit").error().code, errc::not_found);
  {
    const UniqueFd next = create_state_file(folder, "pit", geometry).value();
    EXPECT_EQ(open_state_file(folder, "pit").error().code, errc::not_found) << "its pit is not ready yet";
    ASSERT_TRUE(keep_state_file(folder, "pit"));
    ASSERT_TRUE(keep_state_file(folder, "pit")) << "again, by a broker that does not know that it was done";
  }
  EXPECT_TRUE(open_state_file(folder, "pit"));
}

TEST_F(StateFile, ThatIsGoneIsNotTakenForOneThatWasKept) {
  { const UniqueFd next = create_state_file(folder, "pit", geometry).value(); }
  fs::remove(folder + "/pit.next");
  EXPECT_FALSE(keep_state_file(folder, "pit"));
  fs::remove_all(folder);
  EXPECT_FALSE(keep_state_file(folder, "pit"));
}

TEST_F(StateFile, ThatAnotherBrokerKeepsIsRefused) {
  const UniqueFd kept = create_state_file(folder, "pit", geometry).value();
  ASSERT_TRUE(keep_state_file(folder, "pit"));
  const auto second = open_state_file(folder, "pit");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, errc::busy);
  EXPECT_THAT(second.error().text, HasSubstr("another broker"));
}

TEST_F(StateFile, InAFolderThatOthersCanWriteToIsRefused) {
  fs::permissions(folder, fs::perms::all);
  const auto file = create_state_file(folder, "pit", geometry);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, errc::refused);
  EXPECT_EQ(create_state_file(folder + "/none", "pit", geometry).error().sys_errno, ENOENT);
}

TEST_F(StateFile, IsNotReadThroughALink) {
  fs::create_symlink("/etc/passwd", folder + "/pit.state");
  EXPECT_FALSE(open_state_file(folder, "pit"));
  fs::create_symlink("/etc/passwd", folder + "/pit.next");
  EXPECT_TRUE(create_state_file(folder, "pit", geometry)) << "the link goes, not what it names";
}

TEST(StateHandover, ReadsWhatItWrote) {
  StateHandover out;
  out.policy = {Durability::journal, 8192, 4096, 7, 9, {}, false};
  out.own_fd = 4;
  out.old_fd = 5;
  out.is_file = true;
  const auto in = read_handover(write_handover(out));
  ASSERT_TRUE(in);
  EXPECT_EQ(write_handover(*in), write_handover(out));
  EXPECT_EQ(in->policy.durability, Durability::journal);
  EXPECT_EQ(in->old_fd, 5);
}

TEST(StateHandover, RefusesEverythingElse) {
  const std::string good = write_handover({{Durability::snapshot, 8192, 4096, 7, 9, {}, true}, 4, -1, false});
  ASSERT_TRUE(read_handover(good));
  for (std::size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(read_handover(good.substr(0, size))) << size;
  for (const std::string& bad :
       {good + " ", good + "x", std::string("none 4 -1 0 1 8192 4096 7 9"),
        std::string("journal 2 -1 0 1 8192 4096 7 9"), std::string("journal 4 -2 0 1 8192 4096 7 9"),
        std::string("journal 4 -1 2 1 8192 4096 7 9"), std::string("journal 4 -1 0 1 8193 4096 7 9"),
        std::string("journal 4 -1 0 2 8192 4096 7 9"), std::string("journal 4 -1 0 1 8192 4096 0 9"),
        std::string("journal 4 -1 0 1 8192 4096 7 0"), std::string("journal  4 -1 0 1 8192 4096 7 9")}) {
    EXPECT_FALSE(read_handover(bad)) << bad;
  }
}

}  // namespace
}  // namespace symphony::detail
