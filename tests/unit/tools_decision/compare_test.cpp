// What counts as a change: found where there is one, and not where there is none.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "tests/unit/tools_decision/documents.hpp"
#include "tools/symphony/decision/compare.hpp"

namespace symphony::tools {
namespace {

HostingResult with_ratios(const std::vector<std::vector<double>>& ratios) {
  std::vector<RowPlan> rows;
  for (std::size_t i = 0; i < ratios.size(); ++i)
    rows.push_back({"way" + std::to_string(i), "process", "", 1000, ratios[i]});
  HostingResult out;
  const ReadFault fault = parse_result(document_json(rows).dump(), "test", out);
  EXPECT_TRUE(fault.ok()) << fault.text;
  return out;
}

// Rounds that scatter by 2 %, as many as a full run has.
std::vector<double> rounds(std::mt19937_64& random, double middle) {
  std::normal_distribution<double> scatter(0, 0.02);
  std::vector<double> out;
  for (int i = 0; i < 10; ++i) out.push_back(middle * std::exp(scatter(random)));
  return out;
}

TEST(Interval, IsTheGeometricMeanAndHasNoWidthForOneRound) {
  const Interval two = interval_of({2, 8});
  EXPECT_NEAR(two.value, 4, 1e-9);
  EXPECT_LT(two.low, 4);
  EXPECT_GT(two.high, 4);
  EXPECT_LT(two.low_999, two.low);
  const Interval one = interval_of({3});
  EXPECT_EQ(one.low, one.value);
}

TEST(Interval, HoldsAnotherRunsValueInNinetyFiveOfAHundredCases) {
  std::mt19937_64 random(3);
  int outside = 0, far_outside = 0;
  constexpr int trials = 4'000;
  for (int i = 0; i < trials; ++i) {
    const Interval a = interval_of(rounds(random, 5)), b = interval_of(rounds(random, 5));
    outside += b.value < a.low || b.value > a.high;
    far_outside += b.value < a.low_999 || b.value > a.high_999;
  }
  EXPECT_LT(outside, trials * 0.06);
  EXPECT_GT(outside, trials * 0.03);
  EXPECT_LT(far_outside, trials * 0.003);
}

TEST(Gate, FindsASlowDownOfTenPercentAndRaisesNoAlarmForEqualOnes) {
  std::mt19937_64 random(5);
  int found = 0, alarms = 0;
  constexpr int pairs = 60;
  for (int i = 0; i < pairs; ++i) {
    std::vector<std::vector<double>> before, same, slower;
    for (int way = 0; way < 10; ++way) {
      before.push_back(rounds(random, 5 + way));
      same.push_back(rounds(random, 5 + way));
      slower.push_back(rounds(random, (5 + way) * (way == 4 ? 1.1 : 1)));
    }
    alarms += has_regression(compare_results(with_ratios(before), with_ratios(same)));
    found += has_regression(compare_results(with_ratios(before), with_ratios(slower)));
  }
  EXPECT_GE(found, pairs * 9 / 10);
  EXPECT_LE(alarms, pairs / 20);
}

TEST(Comparison, NamesWhatBecameWorseBetterOrFailed) {
  const auto before = with_ratios({{1, 1.01, 0.99}, {5, 5.01, 4.99}, {9, 9.01, 8.99}});
  auto document = document_json({{"way0", "process", "", 1000, {2, 2.01, 1.99}},
                                 {"way1", "process", "", 1000, {4, 4.01, 3.99}},
                                 {"way2", "process", "", 1000, {9, 9.01, 8.99}}});
  document["pits"][0]["modes"][2]["status"] = "failed";
  document["pits"][0]["modes"][2]["why"] = "its replies differ";
  HostingResult after;
  ASSERT_TRUE(parse_result(document.dump(), "test", after).ok());
  const Comparison c = compare_results(before, after);
  ASSERT_EQ(c.changes.size(), 3u);
  EXPECT_TRUE(c.changes[0].worse);
  EXPECT_FALSE(c.changes[1].worse);
  EXPECT_EQ(c.changes[2].what, "status");
  EXPECT_TRUE(c.changes[2].worse);
  EXPECT_TRUE(has_regression(c));
  EXPECT_NE(comparison_text(c).find("its replies differ"), std::string::npos);
}

TEST(Comparison, OfOtherWorkComparesNothingAndSaysSo) {
  HostingResult a, b;
  ASSERT_TRUE(parse_result(document_json(usual_rows(), "pool", "leases").dump(), "a", a).ok());
  ASSERT_TRUE(parse_result(document_json(usual_rows(), "pool", "other leases").dump(), "b", b).ok());
  const Comparison c = compare_results(a, b);
  EXPECT_EQ(c.compared, 0u);
  ASSERT_EQ(c.missing.size(), 1u);
  EXPECT_NE(c.missing[0].find("other work"), std::string::npos);
}

TEST(Comparison, OfAMatrixThatContainsLessIsARegression) {
  HostingResult a = usual_result(), b = usual_result(false);
  auto columns = usual_faults();
  columns[3].contained = 3;
  ASSERT_TRUE(parse_faults(faults_json(columns).dump(), "b", b).ok());
  EXPECT_TRUE(has_regression(compare_results(a, b)));
  EXPECT_FALSE(has_regression(compare_results(b, a)));
}

}  // namespace
}  // namespace symphony::tools
