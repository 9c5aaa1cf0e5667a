// What could go wrong: a crash cuts the last line off, or damages one, and the task behind it counts as finished.
#include "tools/symphony/run/run_journal.hpp"

#include <gtest/gtest.h>

namespace symphony::tools {
namespace {

const std::string whole = journal_line(7, 5 * ms_ns, "a b") + journal_line(8, 6 * ms_ns, "c");

TEST(RunJournal, ALineSaysOfATaskWhatWasWrittenOfIt) {
  const FinishedTasks read = parse_journal(whole);
  ASSERT_EQ(read.size(), 2U);
  EXPECT_EQ(read.at("a b").fingerprint, 7U);
  EXPECT_EQ(read.at("a b").duration_ns, 5 * ms_ns);
  EXPECT_EQ(read.at("c").fingerprint, 8U);
}

TEST(RunJournal, CutAnywhereKeepsTheLinesBeforeTheCut) {
  const std::size_t first = journal_line(7, 5 * ms_ns, "a b").size();
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    const FinishedTasks read = parse_journal(whole.substr(0, cut));
    EXPECT_EQ(read.size(), cut >= first ? 1U : 0U) << cut;
    // The next run ends the line that was cut, and writes on.
    EXPECT_TRUE(parse_journal(whole.substr(0, cut) + "\n" + journal_line(9, 0, "d")).contains("d")) << cut;
  }
}

TEST(RunJournal, ALineWithAnyByteChangedSaysNothing) {
  for (std::size_t i = 0; i + 1 < whole.size(); ++i) {
    for (const int bit : {0, 3, 5}) {
      std::string damaged = whole;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      for (const auto& [id, task] : parse_journal(damaged)) {
        const FinishedTasks right = parse_journal(whole);
        ASSERT_TRUE(right.contains(id)) << i;
        EXPECT_EQ(right.at(id).fingerprint, task.fingerprint) << i;
      }
    }
  }
}

TEST(RunJournal, OfTwoLinesOfATaskTheLastCounts) {
  EXPECT_EQ(parse_journal(journal_line(1, 0, "a") + journal_line(2, 0, "a")).at("a").fingerprint, 2U);
}

}  // namespace
}  // namespace symphony::tools
