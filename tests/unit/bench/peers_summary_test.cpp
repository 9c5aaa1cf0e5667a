// What could go wrong: streams of two placement classes make one ratio, or a ratio is turned the wrong way round.
#include "bench/peers/summary.hpp"

#include <gtest/gtest.h>

#include <random>

#include "tests/support/samples.hpp"

namespace symphony::bench::peers {
namespace {

MeasuredPair pair_of(double ours_ns, double peer_ns, double raw_ns) { return {ours_ns, peer_ns, 1, raw_ns, raw_ns}; }

TEST(PeerSummary, RatiosAreOfTimesForRoundTripsAndOfRatesForStreams) {
  const MeasuredPair twice_as_fast = pair_of(50, 100, 80);
  EXPECT_EQ(ratio_of(Pattern::rtt, twice_as_fast), 0.5);
  EXPECT_EQ(ratio_of(Pattern::stream, twice_as_fast), 2);
}

TEST(PeerSummary, AStreamIsThatOfItsLargestClassAndTheOthersStandApart) {
  const std::vector<MeasuredPair> pairs = {pair_of(100, 300, 400), pair_of(100, 110, 80), pair_of(100, 300, 410),
                                           pair_of(100, 120, 82), pair_of(100, 130, 81)};
  const Summary all = sum_up(Pattern::stream, pairs);
  EXPECT_EQ(all.main.pairs, 3U);
  EXPECT_EQ(all.main.raw_ns, 81);
  EXPECT_EQ(all.main.ratio, 1.2);
  EXPECT_EQ(all.main.ratio_min, 1.1);
  EXPECT_EQ(all.main.ratio_max, 1.3);
  ASSERT_EQ(all.others.size(), 1U);
  EXPECT_EQ(all.others[0].pairs, 2U);
  EXPECT_EQ(all.others[0].ratio, 3);
}

TEST(PeerSummary, RoundTripsOfAllClassesCountTogether) {
  const Summary all = sum_up(Pattern::rtt, {pair_of(50, 100, 80), pair_of(60, 100, 400), pair_of(70, 100, 82)});
  EXPECT_EQ(all.main.pairs, 3U);
  EXPECT_EQ(all.main.ratio, 0.6);
  EXPECT_TRUE(all.others.empty());
}

// Whatever the pairs: each is counted once, and the reported ratio is one that lies within its own class.
TEST(PeerSummary, CountsEveryPairOnceOnRandomPairs) {
  std::mt19937_64 random(test_run::seed());
  const auto any = [&] { return 20.0 + static_cast<double>(random() % 500); };
  for (std::uint64_t run = 0; run < test_run::samples(500); ++run) {
    std::vector<MeasuredPair> pairs(1 + random() % 20);
    for (MeasuredPair& pair : pairs) pair = pair_of(any(), any(), any());
    const Summary all = sum_up(Pattern::stream, pairs);
    std::size_t count = all.main.pairs;
    for (const ClassSummary& other : all.others) {
      count += other.pairs;
      EXPECT_LE(other.pairs, all.main.pairs);
      EXPECT_GT(std::max(other.raw_ns, all.main.raw_ns), class_gap * std::min(other.raw_ns, all.main.raw_ns));
    }
    EXPECT_EQ(count, pairs.size());
    EXPECT_LE(all.main.ratio_min, all.main.ratio);
    EXPECT_GE(all.main.ratio_max, all.main.ratio);
  }
}

TEST(PeerSummary, IsInconclusiveWhereTheLinkAgainstItselfOrAThirdOfThePairsMoved) {
  std::vector<MeasuredPair> pairs(6, pair_of(50, 100, 80));
  EXPECT_TRUE(sum_up(Pattern::rtt, pairs).conclusive);
  pairs[0].raw_after_ns = 300;
  EXPECT_TRUE(sum_up(Pattern::rtt, pairs).conclusive);
  pairs[1].raw_after_ns = 10;
  EXPECT_EQ(sum_up(Pattern::rtt, pairs).changed, 2U);
  EXPECT_FALSE(sum_up(Pattern::rtt, pairs).conclusive);
  for (const auto& [ratio, conclusive] :
       {std::pair{0.929, false}, {0.93, true}, {1.0, true}, {1.07, true}, {1.071, false}}) {
    const MeasuredPair one{50, 100, ratio, 80, 80};
    EXPECT_EQ(sum_up(Pattern::stream, {one, one, one}).conclusive, conclusive) << ratio;
  }
}

TEST(PeerSummary, WantsPairsUntilOneClassHasEnoughAndNeverMoreThanTwiceAsMany) {
  Summary all;
  all.main.pairs = 14;
  EXPECT_TRUE(wants_more(all, 15, 15));
  EXPECT_TRUE(wants_more(all, 29, 15));
  EXPECT_FALSE(wants_more(all, 30, 15));
  all.main.pairs = 15;
  EXPECT_FALSE(wants_more(all, 15, 15));
}

}  // namespace
}  // namespace symphony::bench::peers
