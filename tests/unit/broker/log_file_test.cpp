// A pit's log: what could go wrong is a line that is torn where a file ends, a file that grows for ever, or a full disk
// that stops somebody. A disk is full here where the system's limit of a file's size says so.
#include "bus/broker/log_file.hpp"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <sstream>
#include <vector>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "tests/support/samples.hpp"

namespace symphony::detail::broker {
namespace {

namespace fs = std::filesystem;

struct LogFileTest : testing::Test {
  void SetUp() override {
    char pattern[] = "/tmp/symphony-test-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern), nullptr);
    folder = pattern;
    path = folder + "/pit.log";
  }
  void TearDown() override {
    set_file_size_limit(RLIM_INFINITY);
    fs::remove_all(folder);
  }
  static void set_file_size_limit(rlim_t size) {
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit limit{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = std::min(size, limit.rlim_max);
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  }
  static std::string content(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  // Of all files, oldest first.
  [[nodiscard]] std::string all() const { return content(path + ".2") + content(path + ".1") + content(path); }

  std::string folder, path;
};

TEST_F(LogFileTest, KeepsWhatIsWrittenInAFileOfItsOwner) {
  LogFile log(path);
  log.append("one\ntw");
  log.append("o\n");
  EXPECT_EQ(content(path), "one\ntwo\n");
  struct stat s {};
  ASSERT_EQ(::stat(path.c_str(), &s), 0);
  EXPECT_EQ(s.st_mode & 0777, 0600U);
  LogFile next(path);  // as after the broker's death
  next.append("three\n");
  EXPECT_EQ(content(path), "one\ntwo\nthree\n");
}

TEST_F(LogFileTest, ALineIsWholeInOneFileHoweverItComesAndNoneIsLostAmongTheNewest) {
  std::mt19937_64 random(test_run::seed());
  LogFile log(path);
  std::string written, pending;
  std::size_t longest = 0;
  for (int n = 0; written.size() < 4 * log_size_max; ++n) {
    std::string line = std::to_string(n) + " ";
    line.append(random() % 3 == 0 ? random() % 9000 : random() % 80, 'a' + static_cast<char>(n % 26));
    longest = std::max(longest, line.size() + 1);
    written += line + "\n";
    pending += line + "\n";
    while (pending.size() > 20'000) {  // in pieces that know nothing of lines
      const std::size_t size = 1 + random() % 16'384;
      log.append(std::string_view(pending).substr(0, size));
      pending.erase(0, size);
    }
  }
  log.append(pending);
  const std::string kept = all();
  EXPECT_GT(kept.size(), 2 * (log_size_max - longest)) << "an older file ends before the line that did not fit";
  EXPECT_EQ(kept, written.substr(written.size() - kept.size())) << "it is the end of what was written";
  for (const char* suffix : {"", ".1", ".2"}) {
    const std::string file = content(path + suffix);
    EXPECT_LE(file.size(), log_size_max + log_line_size_max);
    EXPECT_EQ(file.back(), '\n') << suffix;
    EXPECT_TRUE(file[0] >= '0' && file[0] <= '9') << "it begins with a line: " << file.substr(0, 20);
  }
  EXPECT_FALSE(fs::exists(path + ".3"));
  EXPECT_EQ(log.lines_lost(), 0U);
}

TEST_F(LogFileTest, ALineWithoutEndDoesNotGrowAFileForEver) {
  LogFile log(path);
  const std::string piece(100'000, 'x');
  for (int n = 0; n < 50; ++n) log.append(piece);
  for (const char* suffix : {"", ".1", ".2"}) {
    EXPECT_LE(fs::file_size(path + suffix), log_size_max + log_line_size_max + 1) << suffix;
  }
}

TEST_F(LogFileTest, AFullDiskLosesWholeLinesThatAreCountedAndSaid) {
  LogFile log(path);
  log.append("before\n");
  set_file_size_limit(10);
  log.append("lost one\nlost two\nlost th");  // three bytes of the first fit
  log.append("ree\nlost four\n");
  EXPECT_EQ(log.lines_lost(), 4U);
  EXPECT_NE(log.trouble(), 0);
  set_file_size_limit(RLIM_INFINITY);
  log.append("after\n");
  EXPECT_EQ(log.lines_lost(), 4U);
  const std::string text = content(path);
  EXPECT_EQ(text.substr(0, 10), "before\nlos");
  EXPECT_NE(text.find("\nsymphony: 4 lines are lost here: File too large\nafter\n"), std::string::npos) << text;
  EXPECT_EQ(log.trouble(), 0);
}

TEST_F(LogFileTest, AFolderThatIsGoneLosesLinesUntilItIsBack) {
  LogFile log(folder + "/gone/pit.log");
  log.append("lost\n");
  EXPECT_EQ(log.lines_lost(), 1U);
  ASSERT_TRUE(make_log_folder(folder + "/gone"));
  log.append("kept\n");
  EXPECT_EQ(content(folder + "/gone/pit.log"), "symphony: 1 lines are lost here: No such file or directory\nkept\n");
}

TEST_F(LogFileTest, DoesNotFollowALinkSomebodyPutThere) {
  fs::create_symlink(folder + "/elsewhere", path);
  LogFile log(path);
  log.append("x\n");
  EXPECT_FALSE(fs::exists(folder + "/elsewhere"));
  EXPECT_EQ(log.lines_lost(), 1U);
}

TEST_F(LogFileTest, ALineOfOursStandsByItself) {
  LogFile log(path);
  log.append("no end");
  log.append_line("symphony: mark");
  log.append("next\n");
  log.append_line("symphony: mark");
  EXPECT_EQ(content(path), "no end\nsymphony: mark\nnext\nsymphony: mark\n");
  EXPECT_EQ(log.tail(15), "symphony: mark\n");
}

}  // namespace
}  // namespace symphony::detail::broker
