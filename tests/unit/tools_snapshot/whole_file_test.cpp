// Whole or not at all: what could go wrong is half a file, a file of somebody else's replaced, or a left-over.
#include "tools/symphony/whole_file.hpp"

#include <gtest/gtest.h>

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace symphony::tools {
namespace {

namespace fs = std::filesystem;

struct WholeFileTest : testing::Test {
  void SetUp() override {
    char pattern[] = "/tmp/symphony-test-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern), nullptr);
    folder = pattern;
    path = folder + "/file";
  }
  void TearDown() override { fs::remove_all(folder); }
  static std::string write(const std::string& to, std::string_view text) {
    return write_whole_file(to, std::as_bytes(std::span(text)));
  }
  static std::string text_of(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  [[nodiscard]] std::size_t files() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), {}));
  }
  std::string folder, path;
};

TEST_F(WholeFileTest, ReplacesWhatWasThereAndIsItsOwnersAlone) {
  std::ofstream(path) << "a longer text that was there before";
  ::chmod(path.c_str(), 0644);
  EXPECT_EQ(write(path, "new"), "");
  EXPECT_EQ(text_of(path), "new");
  struct stat about {};
  ASSERT_EQ(::stat(path.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600U);
  EXPECT_EQ(files(), 1U);
}

TEST_F(WholeFileTest, WithoutRoomTheOldFileStaysAndNothingElseIsLeft) {
  ASSERT_EQ(write(path, "old"), "");
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{1000, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string why = write(path, std::string(5000, 'x'));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_NE(why.find("free some of the disk"), std::string::npos) << why;
  EXPECT_EQ(text_of(path), "old");
  EXPECT_EQ(files(), 1U);
}

TEST_F(WholeFileTest, WhatIsNoFileIsNotReplaced) {
  EXPECT_NE(write(folder, "x").find("it is a folder"), std::string::npos);
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EXPECT_NE(write(path, "x").find("no regular file"), std::string::npos);
  EXPECT_TRUE(fs::is_fifo(path));
  EXPECT_NE(write(folder + "/none/file", "x").find("make its folder"), std::string::npos);
  EXPECT_EQ(files(), 1U);
}

TEST_F(WholeFileTest, OfASymbolicLinkThatIsReplacedToWhichItPoints) {
  ASSERT_EQ(write(path, "old"), "");
  fs::create_symlink("file", folder + "/link");
  EXPECT_EQ(write(folder + "/link", "new"), "");
  EXPECT_TRUE(fs::is_symlink(folder + "/link"));
  EXPECT_EQ(text_of(path), "new");
  fs::create_symlink("nowhere", folder + "/dangling");
  EXPECT_NE(write(folder + "/dangling", "new"), "");
}

TEST_F(WholeFileTest, IsReadWholeOrNotAtAll) {
  ASSERT_EQ(write(path, std::string(3'000'000, 'x')), "");
  const auto whole = read_whole_file(path, 3'000'000);
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->size(), 3'000'000U);
  EXPECT_EQ(read_whole_file(path, 2'999'999).error().fault, InputFault::too_large);
  EXPECT_EQ(read_whole_file(folder + "/none", 1).error().fault, InputFault::no_such_file);
  EXPECT_EQ(read_whole_file(folder, 1).error().fault, InputFault::is_directory);
}

}  // namespace
}  // namespace symphony::tools
