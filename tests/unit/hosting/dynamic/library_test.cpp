// Loading: the same bytes once, versions apart, and what is no pit leaves no trace in this process.
#include "pits/hosting/dynamic/library.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace symphony::pit {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string test_pit(const std::string& name) { return std::string(SYMPHONY_TEST_PITS) + "/" + name + ".so"; }

Outcome load(const std::string& path, std::shared_ptr<const PitLibrary>& out) {
  PitFile file;
  if (Outcome read = read_pit_file(path, file); !read.ok()) return read;
  return PitLibrary::load(file, out);
}

std::shared_ptr<const PitLibrary> loaded(const std::string& name) {
  std::shared_ptr<const PitLibrary> library;
  const Outcome outcome = load(test_pit(name), library);
  EXPECT_TRUE(outcome.ok()) << outcome.text;
  return library;
}

// The copies in memory that this process holds.
std::size_t copies_open() {
  std::size_t copies = 0;
  for (const auto& fd : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    copies += std::filesystem::read_symlink(fd, gone).string().starts_with("/memfd:pit:");
  }
  return copies;
}

TEST(PitLibrary, OfOneFileIsLoadedOnceHoweverOftenItIsAskedFor) {
  const auto first = loaded("counter_1");
  const LibraryCounts before = library_counts();
  const std::size_t copies = copies_open();
  const auto second = loaded("counter_1");
  EXPECT_EQ(&first->entry(), &second->entry());
  EXPECT_EQ(library_counts().loaded, before.loaded);
  EXPECT_EQ(copies_open(), copies);
}

TEST(PitLibrary, IsRetiredWhenNobodyUsesItAndTakenUpAgain) {
  auto use = loaded("counter_1");
  const symphony_pit_entry* entry = &use->entry();
  const LibraryCounts used = library_counts();
  use.reset();
  EXPECT_EQ(library_counts().retired, used.retired + 1);
  EXPECT_EQ(library_counts().loaded, used.loaded) << "a library is never unloaded";
  EXPECT_EQ(copies_open(), used.loaded) << "a descriptor of a loaded library was closed";
  use = loaded("counter_1");
  EXPECT_EQ(&use->entry(), entry);
  EXPECT_EQ(library_counts().retired, used.retired);
}

TEST(PitLibrary, OfTwoVersionsOfOnePitAreTwo) {
  const auto one = loaded("counter_1");
  const auto two = loaded("counter_2");
  EXPECT_NE(&one->entry(), &two->entry());
  EXPECT_EQ(one->info().version, "1.0.0");
  EXPECT_EQ(two->info().version, "2.0.0");
  EXPECT_EQ(one->info().name, two->info().name);
}

// What an operator does to bring a new version: another file at the same path.
TEST(PitLibrary, OfANewFileAtTheSamePathIsTheNewOne) {
  const std::string path = std::filesystem::temp_directory_path() / ("symphony_swap_" + std::to_string(::getpid()));
  std::shared_ptr<const PitLibrary> one, two;
  std::filesystem::copy_file(test_pit("counter_1"), path);
  EXPECT_TRUE(load(path, one).ok());
  std::filesystem::remove(path);
  std::filesystem::copy_file(test_pit("counter_2"), path);
  EXPECT_TRUE(load(path, two).ok());
  std::filesystem::remove(path);
  EXPECT_EQ(one->info().version, "1.0.0");
  EXPECT_EQ(two->info().version, "2.0.0");
}

// The file may be overwritten in place while the pit runs; the copy it runs from cannot.
TEST(PitLibrary, RunsFromACopyThatNobodyCanChange) {
  const auto use = loaded("counter_1");
  std::size_t tried = 0;
  for (const auto& fd : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    if (!std::filesystem::read_symlink(fd, gone).string().starts_with("/memfd:pit:")) continue;
    const int number = std::stoi(fd.path().filename());
    EXPECT_EQ(::pwrite(number, "x", 1, 0), -1);
    EXPECT_EQ(::ftruncate(number, 0), -1);
    ++tried;
  }
  EXPECT_GT(tried, 0U);
}

TEST(PitLibrary, ThreadsThatAskAtOnceGetTheSame) {
  std::vector<std::shared_ptr<const PitLibrary>> got(8);
  std::vector<std::thread> threads;
  threads.reserve(got.size());
  for (auto& mine : got) threads.emplace_back([&mine] { mine = loaded("needy"); });
  for (std::thread& thread : threads) thread.join();
  for (const auto& one : got) EXPECT_EQ(&one->entry(), &got[0]->entry());
}

struct Refused {
  const char* name;
  std::int32_t status;
  const char* what;
  const char* remedy;
};

TEST(PitLibrary, OfABadFileIsRefusedWithTheRemedyAndNothingOfItRuns) {
  ::unsetenv("SYMPHONY_TEST_RAN");
  const LibraryCounts before = library_counts();
  const std::size_t copies = copies_open();
  const std::vector<Refused> all = {
      {"plain", SYMPHONY_BAD_MESSAGE, "no pit", "build it with symphony_add_pit"},
      {"other_major", SYMPHONY_VERSION, "needs ABI 2.0", "build both from one release"},
      {"unique", SYMPHONY_BAD_MESSAGE, "a unique symbol", "-fno-gnu-unique"},
      {"no_entry", SYMPHONY_BAD_MESSAGE, "does not export symphony_pit_entry_v1", "SYMPHONY_PIT_SHARED"},
      {"two_pits", SYMPHONY_BAD_MESSAGE, "holds 2 pits", "one .so a pit"},
      {"unresolved", SYMPHONY_UNREACHABLE, "nobody_has_this", "build it on this system"},
      {"not_there", SYMPHONY_UNREACHABLE, "cannot be read", "name a pit's file"},
  };
  for (const Refused& refused : all) {
    std::shared_ptr<const PitLibrary> library;
    const Outcome outcome = load(test_pit(refused.name), library);
    EXPECT_EQ(outcome.status, refused.status) << refused.name;
    EXPECT_THAT(outcome.text,
                AllOf(HasSubstr(refused.what), HasSubstr(refused.remedy), HasSubstr(std::string(refused.name) + ".so")))
        << refused.name;
    EXPECT_EQ(library, nullptr) << refused.name;
  }
  EXPECT_EQ(std::getenv("SYMPHONY_TEST_RAN"), nullptr) << "a file that is no pit ran";
  EXPECT_EQ(library_counts().loaded, before.loaded);
  EXPECT_EQ(copies_open(), copies);
}

TEST(PitLibrary, WhoseTableContradictsItsNoteIsRefusedEachTimeAndLoadedOnce) {
  const LibraryCounts before = library_counts();
  for (int i = 0; i < 3; ++i) {
    std::shared_ptr<const PitLibrary> library;
    const Outcome outcome = load(test_pit("liar"), library);
    EXPECT_EQ(outcome.status, SYMPHONY_BAD_MESSAGE);
    EXPECT_THAT(outcome.text, AllOf(HasSubstr("differ in the reply_size_max"), HasSubstr("build it again")));
  }
  EXPECT_LE(library_counts().loaded, before.loaded + 1);
}

}  // namespace
}  // namespace symphony::pit
