// What could go wrong: classes are pooled, a disturbed pair is dropped in silence or repeated for ever, or a restless
// machine's numbers are called conclusive.
#include "bench/support/pairs.hpp"

#include <gtest/gtest.h>

namespace symphony::bench {
namespace {

struct Result {
  double rtt_before_ns = 100;
  double rtt_after_ns = 100;
  double value = 1;
  double self = 1;
  [[nodiscard]] double self_ratio() const noexcept { return self; }
};

double value_of(const Result& one) { return one.value; }

TEST(Pairs, AreMeasuredUntilEnoughAreInOneClass) {
  // Every third pair lands elsewhere: 5 in one class take 7.
  const auto pairs = measure_pairs<Result>({5, false}, [](std::size_t i) {
    return std::optional(i % 3 == 2 ? Result{400, 400, 7} : Result{});
  });
  ASSERT_TRUE(pairs);
  EXPECT_EQ(pairs->size(), 7U);
  EXPECT_EQ(pairs->members(pairs->main_class()), 5U);
  EXPECT_EQ(pairs->over_class(pairs->main_class(), value_of).p95, 1);
  EXPECT_EQ(pairs->over_class(1 - pairs->main_class(), value_of).p5, 7);
}

TEST(Pairs, AreAtMostTwiceAsManyAsWanted) {
  double round_trip_ns = 1;
  const auto pairs = measure_pairs<Result>({4, false}, [&](std::size_t) {
    round_trip_ns *= 2;  // each in a class of its own
    return std::optional(Result{round_trip_ns, round_trip_ns});
  });
  ASSERT_TRUE(pairs);
  EXPECT_EQ(pairs->size(), 8U);
  EXPECT_EQ(pairs->class_count(), 8U);
}

TEST(Pairs, EndWithTheFirstThatCannotBeMeasured) {
  int runs = 0;
  EXPECT_FALSE(measure_pairs<Result>(
      {4, false}, [&](std::size_t) { return ++runs == 2 ? std::nullopt : std::optional(Result{}); }));
  EXPECT_EQ(runs, 2);
}

TEST(Pairs, AreInconclusiveWhereTheLimitAgainstItselfOrAThirdOfThemMoved) {
  for (const auto& [self, conclusive] : {std::pair{0.93, true}, {1.07, true}, {0.92, false}, {1.08, false}}) {
    Pairs<Result> pairs;
    for (int i = 0; i < 3; ++i) pairs.add({100, 100, 1, self});
    EXPECT_EQ(pairs.conclusive(), conclusive) << self;
  }
  Pairs<Result> pairs;
  for (const double after_ns : {100.0, 100.0, 126.0, 100.0}) pairs.add({100, after_ns});
  EXPECT_TRUE(pairs.conclusive());
  pairs.add({100, 79});
  EXPECT_EQ(pairs.changed(), 2U);
  EXPECT_FALSE(pairs.conclusive());
}

TEST(Pairs, AreInconclusiveWhereDisturbedOnesHadToBeTaken) {
  Pairs<Result> pairs;
  pairs.add({});
  EXPECT_TRUE(pairs.conclusive());
  pairs.spent = true;
  EXPECT_FALSE(pairs.conclusive());
  EXPECT_STREQ(pairs.verdict(), "inconclusive");
}

TEST(Repeats, CountEachAndEndAtTheirMaximum) {
  Repeats repeats(2);
  EXPECT_FALSE(repeats.repeat(false));
  EXPECT_TRUE(repeats.repeat(true));
  EXPECT_TRUE(repeats.repeat(true));
  EXPECT_FALSE(repeats.spent());
  EXPECT_FALSE(repeats.repeat(true)) << "or a busy machine would be measured for ever";
  EXPECT_TRUE(repeats.spent());
  EXPECT_EQ(repeats.count(), 2U);
}

TEST(Repeats, OfNoneLeaveEveryPairAsItIs) {
  Repeats repeats(0);
  EXPECT_FALSE(repeats.repeat(true));
  EXPECT_FALSE(repeats.spent());
}

}  // namespace
}  // namespace symphony::bench
