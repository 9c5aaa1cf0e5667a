// Reading a log while it is written: what could go wrong is a line that is missed or read twice where a file was moved.
#include "tools/symphony/log_reader.hpp"

#include <filesystem>
#include <fstream>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "bus/broker/log_file.hpp"
#include "tests/support/samples.hpp"

namespace symphony::tools {
namespace {

namespace fs = std::filesystem;

struct LogReaderTest : testing::Test {
  void SetUp() override {
    char pattern[] = "/tmp/symphony-test-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern), nullptr);
    folder = pattern;
    path = folder + "/pit.log";
  }
  void TearDown() override { fs::remove_all(folder); }
  static void write(const std::string& file, const std::string& text) { std::ofstream(file, std::ios::app) << text; }
  static std::vector<std::string> lines_now(LogReader& reader) {
    std::vector<std::string> out;
    while (auto line = reader.try_next()) out.push_back(*line);
    return out;
  }
  std::string folder, path;
};

using Lines = std::vector<std::string>;

TEST_F(LogReaderTest, BeginsWithTheOldestFileAndEndsWithTheNewest) {
  write(path + ".2", "1\n2\n");
  write(path + ".1", "3\n");
  write(path, "4\n5");
  auto reader = LogReader::open(path);
  ASSERT_TRUE(reader);
  EXPECT_EQ(lines_now(*reader), (Lines{"1", "2", "3", "4"}));
  write(path, "...\n");
  EXPECT_EQ(lines_now(*reader), (Lines{"5..."})) << "a line is whole";
  write(path, "6");
  EXPECT_FALSE(reader->try_next());
  EXPECT_EQ(reader->rest(), "6");
}

TEST_F(LogReaderTest, WithoutAnyFileIsNothing) { EXPECT_FALSE(LogReader::open(path)); }

TEST_F(LogReaderTest, ReadsEachLineOnceWhileFilesAreMoved) {
  std::mt19937_64 random(test_run::seed());
  detail::broker::LogFile log(path);
  log.append("0\n");
  auto reader = LogReader::open(path);
  ASSERT_TRUE(reader);
  std::uint64_t next = 0, written = 1;
  for (int turn = 0; turn < 200; ++turn) {
    // Never more between two looks than two files hold.
    for (std::uint64_t n = random() % 200; n > 0; --n) {
      log.append(std::to_string(written++) + std::string(random() % 5000, ' ') + "\n");
    }
    while (const auto line = reader->try_next()) ASSERT_EQ(std::stoull(*line), next++);
    ASSERT_EQ(next, written);
  }
  EXPECT_TRUE(fs::exists(path + ".2")) << "it was moved";
}

}  // namespace
}  // namespace symphony::tools
