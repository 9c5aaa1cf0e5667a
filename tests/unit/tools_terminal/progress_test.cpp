// The progress bar: its line as a plain function, its manners on a pseudo-terminal.
#include "tools/symphony/progress.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <symphony/unique_fd.hpp>

#include "tools/symphony/table.hpp"

namespace symphony::tools {
namespace {

constexpr const char* wipe = "\r\x1B[K";

TEST(ProgressLine, ShowsShareCountsAndTime) {
  EXPECT_EQ(progress_line("demo", 500, 1'000, 3 * second_ns, 60, false),
            "demo [==============>             ]   50 %  500 / 1,000  3 s");
  EXPECT_EQ(progress_line("demo", 0, 10, 0, 40, false), "demo [>            ]    0 %  0 / 10  0 s");
}

TEST(ProgressLine, FitsTheTerminalHoweverNarrow) {
  for (std::size_t columns = 0; columns < 200; ++columns) {
    for (const std::uint64_t done : {0U, 1U, 1'499'999U, 3'000'000U}) {
      ASSERT_LE(width_of(progress_line("größe 東京", done, 3'000'000, 3725 * second_ns, columns, false)), columns);
      ASSERT_LE(width_of(progress_line("größe 東京", done, 0, 3725 * second_ns, columns, false)), columns);
    }
  }
}

TEST(ProgressLine, SaysHundredPercentOnlyWhenDone) {
  EXPECT_NE(progress_line("x", 999'999, 1'000'000, 0, 80, false).find(" 99 %"), std::string::npos);
  EXPECT_NE(progress_line("x", 1'000'000, 1'000'000, 0, 80, false).find("100 %"), std::string::npos);
  EXPECT_NE(progress_line("x", 1'000'007, 1'000'000, 0, 80, false).find("100 %"), std::string::npos);
  EXPECT_NE(progress_line("x", UINT64_MAX - 1, UINT64_MAX, 0, 100, false).find(" 99 %"), std::string::npos);
}

TEST(ProgressLine, UnknownTotalShowsTheCountAlone) {
  EXPECT_EQ(progress_line("reading", 1'234, 0, 61 * second_ns, 80, false), "reading  1,234  1:01 min");
}

TEST(ProgressLine, ColourStandsOnlyAroundTheBar) {
  std::string coloured = progress_line("x", 1, 2, 0, 60, true);
  for (const std::string code : {"\x1B[32m", "\x1B[0m"}) {
    const std::size_t at = coloured.find(code);
    ASSERT_NE(at, std::string::npos);
    coloured.erase(at, code.size());
  }
  EXPECT_EQ(coloured, progress_line("x", 1, 2, 0, 60, false));
}

TEST(ProgressLine, TitleCannotDriveTheTerminal) {
  EXPECT_EQ(progress_line("a\x1B[2J\n", 1, 2, 0, 60, false).find_first_of("\x1B\n"), std::string::npos);
}

// A terminal of our own: the bar gets the one end, the test reads the other.
class ProgressOnTerminal : public ::testing::Test {
 protected:
  void SetUp() override {
    setenv("TERM", "xterm", 1);
    unsetenv("NO_COLOR");
    screen_.reset(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    ASSERT_TRUE(screen_);
    ASSERT_EQ(grantpt(screen_.get()), 0);
    ASSERT_EQ(unlockpt(screen_.get()), 0);
    char name[64];
    ASSERT_EQ(ptsname_r(screen_.get(), name, sizeof name), 0);
    terminal_.reset(open(name, O_RDWR | O_NOCTTY | O_CLOEXEC));
    ASSERT_TRUE(terminal_);
    termios settings{};
    ASSERT_EQ(tcgetattr(terminal_.get(), &settings), 0);
    cfmakeraw(&settings);
    ASSERT_EQ(tcsetattr(terminal_.get(), TCSANOW, &settings), 0);
    const winsize size{24, 60, 0, 0};
    ASSERT_EQ(ioctl(terminal_.get(), TIOCSWINSZ, &size), 0);
  }

  // What has been written to the terminal and not been read yet.
  std::string shown() {
    std::string out;
    pollfd ready{screen_.get(), POLLIN, 0};
    while (poll(&ready, 1, 0) == 1 && (ready.revents & POLLIN) != 0) {
      char bytes[4096];
      const ssize_t got = read(screen_.get(), bytes, sizeof bytes);
      if (got <= 0) break;
      out.append(bytes, static_cast<std::size_t>(got));
    }
    return out;
  }

  // Blocks until the terminal shows `part`, for at most the test's own limit of time.
  std::string wait_until_shown(const std::string& part) {
    std::string out;
    const TimeNs deadline = deadline_after(60 * second_ns);
    while (out.find(part) == std::string::npos && now_ns() < deadline) {
      pollfd ready{screen_.get(), POLLIN, 0};
      if (poll(&ready, 1, 1000) == 1) out += shown();
    }
    EXPECT_NE(out.find(part), std::string::npos) << out;
    return out;
  }

  static std::size_t count_of(const std::string& text, const std::string& part) {
    std::size_t count = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++count;
    return count;
  }

  UniqueFd screen_;
  UniqueFd terminal_;
};

TEST_F(ProgressOnTerminal, IsThereAtOnceAndGoneAtTheEnd) {
  {
    Progress progress("demo", 10, terminal_.get());
    EXPECT_TRUE(progress.is_shown());
    EXPECT_NE(wait_until_shown("0 / 10").find("demo ["), std::string::npos);
  }
  const std::string rest = shown();
  ASSERT_GE(rest.size(), 4U);
  EXPECT_EQ(rest.substr(rest.size() - 4), wipe);
}

TEST_F(ProgressOnTerminal, FollowsTheWorkFromItsOwnThread) {
  Progress progress("demo", 10, terminal_.get());
  progress.set(3);
  progress.advance();
  wait_until_shown("4 / 10");
  progress.describe("second part", 500);
  const std::string text = wait_until_shown("0 / 500");
  EXPECT_NE(text.find("second part"), std::string::npos);
}

TEST_F(ProgressOnTerminal, DrawsFourTimesASecondAtMostHoweverFastTheWork) {
  const TimeNs start = now_ns();
  Progress progress("demo", 1'000'000, terminal_.get());
  std::string text = shown();
  for (std::size_t draws = 0; draws < 4;) {
    for (int i = 0; i < 1000; ++i) progress.advance();
    text += shown();
    draws = count_of(text, wipe);
  }
  const TimeNs elapsed = now_ns() - start;
  // One at the start, then one each period: this bounds drawings from above and never the time.
  EXPECT_LE(static_cast<TimeNs>(count_of(text, wipe)), 1 + elapsed / (250 * ms_ns));
}

TEST_F(ProgressOnTerminal, KeepsWithinTheColumnsOfTheTerminal) {
  Progress progress("demo", 10, terminal_.get());
  // The first drawing alone: a second one may follow while this looks.
  std::string line = wait_until_shown(" s").substr(std::string(wipe).size());
  line.erase(std::min(line.find(wipe), line.size()));
  for (const std::string code : {"\x1B[32m", "\x1B[0m"}) {
    ASSERT_EQ(count_of(line, code), 1U);
    line.erase(line.find(code), code.size());
  }
  EXPECT_EQ(width_of(line), 59U) << "one column stays free";
}

TEST_F(ProgressOnTerminal, NoColorIsRespected) {
  setenv("NO_COLOR", "1", 1);
  {
    Progress progress("demo", 10, terminal_.get());
    EXPECT_EQ(wait_until_shown("0 / 10").find("\x1B[32m"), std::string::npos);
  }
  unsetenv("NO_COLOR");
  shown();
  Progress progress("demo", 10, terminal_.get());
  EXPECT_NE(wait_until_shown("0 / 10").find("\x1B[32m"), std::string::npos);
}

TEST_F(ProgressOnTerminal, FinishMayBeCalledEarlyAndTwice) {
  Progress progress("demo", 10, terminal_.get());
  progress.finish();
  const std::string text = shown();
  EXPECT_EQ(text.substr(text.size() - 4), wipe);
  progress.finish();
  EXPECT_EQ(shown(), "");
}

TEST_F(ProgressOnTerminal, TerminalThatCannotMoveItsCursorGetsNothing) {
  for (const char* term : {"dumb", ""}) {
    setenv("TERM", term, 1);
    { Progress progress("demo", 10, terminal_.get()); }
    EXPECT_EQ(shown(), "");
  }
  unsetenv("TERM");
  { Progress progress("demo", 10, terminal_.get()); }
  EXPECT_EQ(shown(), "");
}

TEST_F(ProgressOnTerminal, PipeAndFileGetNothing) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  const UniqueFd from(ends[0]);
  const UniqueFd to(ends[1]);
  {
    Progress progress("demo", 10, to.get());
    EXPECT_FALSE(progress.is_shown());
    progress.advance(5);
    progress.describe("other", 3);
    progress.finish();
  }
  char byte = 0;
  EXPECT_EQ(read(from.get(), &byte, 1), -1) << "no byte was written";
}

}  // namespace
}  // namespace symphony::tools
