// The seed's checklist line by line, and that asking for less never makes the advice slower.
#include <gtest/gtest.h>

#include <random>

#include "tests/unit/tools_decision/documents.hpp"
#include "tools/symphony/decision/advice.hpp"

namespace symphony::tools {
namespace {

std::string advised(const Requirements& wanted, bool with_faults = true) {
  const HostingResult result = usual_result(with_faults);
  const Advice advice = advise(result, result.pits[0], wanted);
  return advice.mode == nullptr ? "none: " + advice.conflict : advice.mode->mode;
}

TEST(Advice, WithoutRequirementsIsTheFastestWay) { EXPECT_EQ(advised({}), "static"); }

TEST(Advice, OfSubMicrosecondResponsesIsInThisProcess) {
  Requirements wanted;
  wanted.p99_ns = 1000;
  EXPECT_EQ(advised(wanted), "static");
  wanted.frequent_changes = true;
  EXPECT_EQ(advised(wanted), "dynamic");
}

TEST(Advice, OfUntrustedCodeHasWalls) {
  Requirements wanted{.untrusted = true};
  EXPECT_EQ(advised(wanted), "wasm");
  wanted.language = "python";
  EXPECT_EQ(advised(wanted), "process+ring");
}

TEST(Advice, OfFrequentChangesNeedsNoBuildOfTheHost) { EXPECT_EQ(advised({.frequent_changes = true}), "dynamic"); }

TEST(Advice, WithoutRoomForComplexityIsStaticForNow) { EXPECT_EQ(advised({.simple = true}), "static"); }

TEST(Advice, OfCrashToleranceIsOutOfProcessUnlessTheMatrixShowsThatTrapsAreContained) {
  EXPECT_EQ(advised({.crash_tolerant = true}), "wasm");
  EXPECT_EQ(advised({.crash_tolerant = true}, false), "process");
}

TEST(Advice, OfWasmWhoseTrapsWereNotContainedIsAProcess) {
  HostingResult result = usual_result(false);
  auto columns = usual_faults();
  columns[2].contained = 1;
  ASSERT_TRUE(parse_faults(faults_json(columns).dump(), "test", result).ok());
  const Advice advice = advise(result, result.pits[0], {.crash_tolerant = true});
  ASSERT_NE(advice.mode, nullptr);
  EXPECT_EQ(advice.mode->mode, "process");
}

TEST(Advice, OfPythonIsAProcess) { EXPECT_EQ(advised({.language = "python"}), "process"); }

TEST(Advice, OfAnotherLanguageIsNoWasm) {
  EXPECT_EQ(advised({.crash_tolerant = true, .language = "other"}), "process");
}

TEST(Advice, OfAStateThatIsLargeCountsItsTransfer) {
  Requirements wanted{.frequent_changes = true, .swap_pause_ms = 1.0};
  EXPECT_EQ(advised(wanted), "dynamic");
  wanted.state_bytes = 1e6;  // a thousand times what was measured: 0.2 ms for each time 1,000 bytes
  EXPECT_EQ(advised(wanted).substr(0, 5), "none:");
  wanted.swap_pause_ms = 250;
  EXPECT_EQ(advised(wanted), "dynamic");
}

TEST(Advice, OfAFailOverInTimeLeavesOutWaysWithoutOne) {
  EXPECT_EQ(advised({.fail_over_ms = 3.0}), "wasm");
  EXPECT_EQ(advised({.fail_over_ms = 3.0, .language = "python"}).substr(0, 5), "none:");
}

TEST(Advice, OfAnotherHostSaysThatNothingMeasuredLeavesThisOne) {
  const HostingResult result = usual_result();
  const Advice advice = advise(result, result.pits[0], {.other_host = true});
  ASSERT_FALSE(advice.notes.empty());
  EXPECT_NE(advice.notes[0].find("another host"), std::string::npos);
}

TEST(Advice, ThatNothingMeetsNamesTheConflictAndByHowMuch) {
  const std::string none = advised({.untrusted = true, .p99_ns = 600.0});
  EXPECT_EQ(none.substr(0, 5), "none:");
  EXPECT_NE(none.find("--untrusted"), std::string::npos) << none;
  const HostingResult result = usual_result();
  const Advice advice = advise(result, result.pits[0], {.untrusted = true, .p99_ns = 600.0});
  bool says = false;
  for (const Excluded& one : advice.excluded)
    says |= one.mode == "wasm" && one.flag == "--p99" && one.why.find("1.5 times") != std::string::npos;
  EXPECT_TRUE(says);
}

TEST(Advice, SaysTheRunnerUpWhatWouldChangeItAndTheLinesToUse) {
  const HostingResult result = usual_result();
  const Advice advice = advise(result, result.pits[0], {.untrusted = true, .language = "python"});
  ASSERT_NE(advice.mode, nullptr);
  EXPECT_EQ(advice.manifest,
            (std::vector<std::string>{"# dag_tracker.toml", "name = \"dag_tracker\"", "file = \"dag_tracker.so\"",
                                      "trust = \"hostile\"", "sandbox = \"ring\""}));
  bool without = false;
  for (const WhatIf& one : advice.what_if) without |= one.change == "without --untrusted" && one.mode == "process";
  EXPECT_TRUE(without);
  const Advice plain = advise(result, result.pits[0], {});
  ASSERT_NE(plain.runner_up, nullptr);
  EXPECT_EQ(plain.runner_up->mode, "dynamic");
}

TEST(Advice, LeavesOutAWayThatMissedTheRateOrFailed) {
  ResultJson document = document_json(usual_rows());
  document["pits"][0]["modes"][0]["open"]["missed"] = true;
  document["pits"][0]["modes"][1]["status"] = "failed";
  document["pits"][0]["modes"][1]["why"] = "its replies differ";
  HostingResult result;
  ASSERT_TRUE(parse_result(document.dump(), "test", result).ok());
  const Advice advice = advise(result, result.pits[0], {});
  ASSERT_NE(advice.mode, nullptr);
  EXPECT_EQ(advice.mode->mode, "wasm");
}

// Over made-up machines: a requirement less, or less of it, and the advised way is as fast, to the twentieth that
// counts as equal; to the nanosecond where complexity is no matter.
TEST(AdviceProperties, AskingForLessNeverMakesItSlower) {
  std::mt19937_64 random(7);
  const auto chance = [&](unsigned of) { return random() % of == 0; };
  std::size_t compared = 0;
  for (int machine = 0; machine < 100; ++machine) {
    auto rows = usual_rows();
    for (RowPlan& row : rows) {
      row.p99_ns = 100 + static_cast<double>(random() % 100'000);
      row.swap_ms = chance(4) ? -1 : static_cast<double>(random() % 50);
      row.restart_ms = chance(4) ? -1 : static_cast<double>(random() % 50);
    }
    auto columns = usual_faults();
    for (ColumnPlan& column : columns) column.contained = random() % 6;
    HostingResult result;
    ASSERT_TRUE(parse_result(document_json(rows).dump(), "test", result).ok());
    if (chance(2)) {
      ASSERT_TRUE(parse_faults(faults_json(columns).dump(), "test", result).ok());
    }
    for (int i = 0; i < 20; ++i) {
      Requirements more{
          .untrusted = chance(2), .crash_tolerant = chance(2), .frequent_changes = chance(2), .simple = chance(2)};
      if (chance(2)) more.p99_ns = static_cast<double>(random() % 100'000 + 1);
      if (chance(3)) more.swap_pause_ms = static_cast<double>(random() % 60 + 1);
      if (chance(3)) more.fail_over_ms = static_cast<double>(random() % 60 + 1);
      if (chance(3)) more.language = chance(2) ? "python" : "other";
      Requirements less = more;
      switch (random() % 8) {
        case 0:
          less.untrusted = false;
          break;
        case 1:
          less.crash_tolerant = false;
          break;
        case 2:
          less.frequent_changes = false;
          break;
        case 3:
          less.simple = false;
          break;
        case 4:
          less.p99_ns = more.p99_ns ? std::optional(*more.p99_ns * 2) : std::nullopt;
          break;
        case 5:
          less.swap_pause_ms.reset();
          break;
        case 6:
          less.fail_over_ms = more.fail_over_ms ? std::optional(*more.fail_over_ms + 5) : std::nullopt;
          break;
        default:
          less.language = "c++";
      }
      const Advice a = advise(result, result.pits[0], more), b = advise(result, result.pits[0], less);
      if (a.mode == nullptr) continue;
      ASSERT_NE(b.mode, nullptr);
      ASSERT_LE(speed_class(*b.mode), speed_class(*a.mode)) << a.mode->mode << " then " << b.mode->mode;
      if (!less.simple) {
        ASSERT_LE(b.mode->decisive()->p99_ns, a.mode->decisive()->p99_ns);
      }
      ++compared;
    }
  }
  EXPECT_GT(compared, 500u);
}

TEST(AdviceProperties, EveryLineOfTheChecklistHasItsFlagAndItsQuestion) {
  for (const ChecklistLine& line : checklist) {
    EXPECT_TRUE(line.flag.starts_with("--"));
    EXPECT_TRUE(line.question.find('?') != std::string_view::npos);
    EXPECT_FALSE(line.seed.empty());
  }
}

}  // namespace
}  // namespace symphony::tools
