// What could go wrong: throughputs of two placement classes are taken for one, or one class is cut in two.
#include "bench/support/classes.hpp"

#include <gtest/gtest.h>

#include <random>

#include "tests/support/samples.hpp"

namespace symphony::bench {
namespace {

using Classes = std::vector<std::size_t>;

TEST(PlacementClasses, AreCutAtTheGapsWhateverTheOrderOfThePairs) {
  EXPECT_EQ(classes_of({100, 500, 102, 60, 98, 520}), (Classes{1, 2, 1, 0, 1, 2}));
}

TEST(PlacementClasses, AChainWithoutAGapIsOneClassHoweverWide) {
  EXPECT_EQ(classes_of({100, 120, 144, 172, 206}), (Classes{0, 0, 0, 0, 0}));
}

TEST(PlacementClasses, TheGapItselfDoesNotCutAndAnythingAboveDoes) {
  EXPECT_EQ(classes_of({100, 125}), (Classes{0, 0}));
  EXPECT_EQ(classes_of({100, 125.1}), (Classes{0, 1}));
}

// Against the definition: two pairs are of one class exactly when no gap lies between them.
TEST(PlacementClasses, AgreeWithTheDefinitionOnRandomRoundTrips) {
  std::mt19937_64 random(test_run::seed());
  for (std::uint64_t run = 0; run < test_run::samples(2000); ++run) {
    std::vector<double> values(1 + random() % 12);
    for (double& v : values) v = 50.0 + static_cast<double>(random() % 300);
    const Classes classes = classes_of(values);
    std::vector<double> sorted = values;
    std::sort(sorted.begin(), sorted.end());
    for (std::size_t a = 0; a < values.size(); ++a) {
      for (std::size_t b = 0; b < values.size(); ++b) {
        std::size_t gaps = 0;
        for (std::size_t i = 1; i < sorted.size(); ++i) {
          const bool between =
              sorted[i - 1] >= std::min(values[a], values[b]) && sorted[i] <= std::max(values[a], values[b]);
          gaps += between && sorted[i] > class_gap * sorted[i - 1];
        }
        ASSERT_EQ(classes[a] == classes[b], gaps == 0) << values[a] << ' ' << values[b];
      }
    }
  }
}

TEST(PlacementClasses, TheLargestOneCountsAndOfEqualsTheNearer) {
  EXPECT_EQ(largest_class({0, 1, 1, 2}), 1U);
  EXPECT_EQ(largest_class({1, 0, 1, 0}), 0U);
}

TEST(PlacementClasses, APairThatMovedWhileItRanIsSeenInBothDirections) {
  EXPECT_FALSE(changed_class(100, 125));
  EXPECT_TRUE(changed_class(100, 126));
  EXPECT_TRUE(changed_class(126, 100));
}

TEST(Quantiles, AreThoseOfTheSortedValues) {
  std::vector<double> values;
  for (int i = 100; i >= 0; --i) values.push_back(i);
  const Quantiles q = quantiles_of(values);
  EXPECT_EQ(q.p5, 5);
  EXPECT_EQ(q.p50, 50);
  EXPECT_EQ(q.p95, 95);
  EXPECT_EQ(quantiles_of({7}).p5, 7);
}

}  // namespace
}  // namespace symphony::bench
