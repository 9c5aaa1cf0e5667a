// The latency histogram against the exact answer: all values kept, sorted, and the rank taken by hand.
#include "bench/latency/histogram.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <memory>
#include <random>
#include <type_traits>
#include <vector>

#include "tests/support/samples.hpp"

namespace symphony::bench {
namespace {

static_assert(std::is_trivially_copyable_v<Histogram>);
static_assert(sizeof(Histogram) <= 32 * 1024);

using Values = std::vector<std::uint64_t>;

std::unique_ptr<Histogram> histogram_of(const Values& values) {
  auto histogram = std::make_unique<Histogram>();
  for (const std::uint64_t value : values) histogram->record(value);
  return histogram;
}

std::uint64_t exact_percentile(const Values& sorted, double percent) {
  const auto rank = static_cast<std::size_t>(std::ceil(percent / 100.0 * static_cast<double>(sorted.size())));
  return sorted[std::max<std::size_t>(rank, 1) - 1];
}

// Latencies of the shapes that occur: even, spread over all magnitudes, a narrow peak with a far tail, few values.
Values random_values(std::mt19937_64& random) {
  const std::size_t count = 1 + random() % 3000;
  const std::uint64_t shape = random() % 4;
  const std::uint64_t base = 1 + random() % 100'000;
  Values values;
  for (std::size_t i = 0; i < count; ++i) {
    switch (shape) {
      case 0:
        values.push_back(random() % base);
        break;
      case 1:
        values.push_back((random() | 1U) >> (27 + random() % 37));
        break;
      case 2:
        values.push_back(random() % 100 == 0 ? base * (random() % 10'000) : base + random() % 50);
        break;
      default:
        values.push_back(base * (1 + random() % 3));
        break;
    }
    values.back() = std::min(values.back(), Histogram::value_max_ns);
  }
  return values;
}

TEST(Histogram, PercentilesAreNeverBelowTheExactOnesAndLessThanOnePercentAbove) {
  for (std::uint64_t seed = test_run::seed(), end = seed + 200; seed < end; ++seed) {
    SCOPED_TRACE("SYMPHONY_SEED=" + std::to_string(seed));
    std::mt19937_64 random(seed);
    Values values = random_values(random);
    const auto histogram = histogram_of(values);
    std::sort(values.begin(), values.end());
    for (const double percent : {0.0, 0.1, 1.0, 25.0, 50.0, 75.0, 90.0, 99.0, 99.9, 99.99, 100.0}) {
      const std::uint64_t exact = exact_percentile(values, percent);
      const std::uint64_t given = histogram->percentile_ns(percent);
      ASSERT_GE(given, exact) << percent;
      ASSERT_LE(static_cast<double>(given), static_cast<double>(exact) * 1.01) << percent;
    }
    ASSERT_EQ(histogram->count(), values.size());
    ASSERT_EQ(histogram->min_ns(), values.front());
    ASSERT_EQ(histogram->max_ns(), values.back());
    double sum = 0;
    for (const std::uint64_t value : values) sum += static_cast<double>(value);
    ASSERT_NEAR(histogram->mean_ns(), sum / static_cast<double>(values.size()), sum * 1e-12);
  }
}

TEST(Histogram, EveryCounterBordersTheNextAndCoversLessThanOnePercent) {
  std::uint64_t next = 0;
  for (std::size_t i = 0; i < Histogram::counter_count; ++i) {
    const std::uint64_t highest = Histogram::highest_of(i);
    ASSERT_EQ(Histogram::index_of(next), i);
    ASSERT_EQ(Histogram::index_of(std::min(highest, Histogram::value_max_ns)), i);
    ASSERT_LE(static_cast<double>(highest - next), static_cast<double>(next) * 0.01);
    next = highest + 1;
  }
  EXPECT_GT(next, Histogram::value_max_ns) << "the counters reach 100 s";
}

TEST(Histogram, ValuesBelow256NsAreExact) {
  for (std::uint64_t value = 0; value < 256; ++value) {
    Histogram histogram;
    histogram.record(value);
    histogram.record(1'000'000);
    ASSERT_EQ(histogram.percentile_ns(50), value);
  }
}

TEST(Histogram, MergedPartsEqualTheWhole) {
  for (std::uint64_t seed = test_run::seed(), end = seed + 30; seed < end; ++seed) {
    SCOPED_TRACE("SYMPHONY_SEED=" + std::to_string(seed));
    std::mt19937_64 random(seed);
    const Values values = random_values(random);
    const std::size_t cut = random() % (values.size() + 1);
    const auto whole = histogram_of(values);
    const auto first = histogram_of(Values(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(cut)));
    const auto second = histogram_of(Values(values.begin() + static_cast<std::ptrdiff_t>(cut), values.end()));
    first->merge(*second);
    ASSERT_EQ(*first, *whole);
  }
}

TEST(Histogram, EmptyOneAnswersZeroAndChangesNothingWhenMerged) {
  const Histogram empty;
  EXPECT_EQ(empty.count(), 0U);
  EXPECT_EQ(empty.min_ns(), 0U);
  EXPECT_EQ(empty.max_ns(), 0U);
  EXPECT_EQ(empty.mean_ns(), 0.0);
  EXPECT_EQ(empty.percentile_ns(99), 0U);
  Histogram histogram;
  histogram.record(7);
  const Histogram before = histogram;
  histogram.merge(empty);
  EXPECT_EQ(histogram, before);
  histogram.reset();
  EXPECT_EQ(histogram, empty);
}

TEST(Histogram, ValuesAboveTheRangeAreCountedAndKeepTheMaximumExact) {
  Histogram histogram;
  for (int i = 0; i < 98; ++i) histogram.record(1000);
  histogram.record(Histogram::value_max_ns);
  histogram.record(5 * Histogram::value_max_ns);
  EXPECT_EQ(histogram.count(), 100U);
  EXPECT_EQ(histogram.above_range(), 1U);
  EXPECT_EQ(histogram.percentile_ns(99), Histogram::value_max_ns);
  EXPECT_EQ(histogram.percentile_ns(99.5), 5 * Histogram::value_max_ns);
  EXPECT_EQ(histogram.max_ns(), 5 * Histogram::value_max_ns);
}

TEST(Histogram, PercentOutsideTheScaleMeansItsEnds) {
  Histogram histogram;
  for (std::uint64_t value = 1; value <= 100; ++value) histogram.record(value);
  EXPECT_EQ(histogram.percentile_ns(-5), 1U);
  EXPECT_EQ(histogram.percentile_ns(500), 100U);
  EXPECT_EQ(histogram.percentile_ns(std::nan("")), 100U);
}

TEST(Histogram, RepeatedRecordEqualsRecordingOftenAndZeroTimesIsNothing) {
  Histogram once;
  once.record(123'456, 1000);
  once.record(99, 0);
  Histogram often;
  for (int i = 0; i < 1000; ++i) often.record(123'456);
  EXPECT_EQ(once, often);
}

TEST(Histogram, TextReadsBackEqual) {
  for (std::uint64_t seed = test_run::seed(), end = seed + 30; seed < end; ++seed) {
    SCOPED_TRACE("SYMPHONY_SEED=" + std::to_string(seed));
    std::mt19937_64 random(seed);
    Values values = random_values(random);
    if (seed % 3 == 0) values.push_back(Histogram::value_max_ns * 3);
    const auto histogram = histogram_of(values);
    const auto back = Histogram::from_text(histogram->to_text());
    ASSERT_TRUE(back);
    ASSERT_EQ(*back, *histogram);
  }
  const auto empty = Histogram::from_text(Histogram().to_text());
  ASSERT_TRUE(empty);
  EXPECT_EQ(*empty, Histogram());
}

TEST(Histogram, CutOrContradictoryTextIsRefused) {
  Histogram histogram;
  histogram.record(40, 2);
  histogram.record(5'000);
  const std::string text = histogram.to_text();
  ASSERT_EQ(text, "symphony-histogram 1\n3 0 40 5000 5080\n40 2\n796 1\nend\n");
  for (std::size_t size = 0; size < text.size(); ++size)
    EXPECT_FALSE(Histogram::from_text(text.substr(0, size))) << size;
  for (const char* wrong : {
           "symphony-histogram 2\n3 0 40 5000 5080\n40 2\n796 1\nend\n",    // another version
           "symphony-histogram 1\n4 0 40 5000 5080\n40 2\n796 1\nend\n",    // count too high
           "symphony-histogram 1\n2 0 40 5000 5080\n40 2\n796 1\nend\n",    // count too low
           "symphony-histogram 1\n3 1 40 5000 5080\n40 2\n796 1\nend\n",    // above the range, but the maximum is not
           "symphony-histogram 1\n3 0 41 5000 5080\n40 2\n796 1\nend\n",    // minimum in another counter
           "symphony-histogram 1\n3 0 40 9000 5080\n40 2\n796 1\nend\n",    // maximum in another counter
           "symphony-histogram 1\n3 0 40 5000 -1\n40 2\n796 1\nend\n",      // impossible sum
           "symphony-histogram 1\n3 0 40 5000 nan\n40 2\n796 1\nend\n",     //
           "symphony-histogram 1\n3 0 40 5000 5080\n796 1\n40 2\nend\n",    // out of order
           "symphony-histogram 1\n3 0 40 5000 5080\n40 2\n99999 1\nend\n",  // no such counter
           "symphony-histogram 1\n3 0 40 5000 5080\n40  2\n796 1\nend\n",   // two spaces
           "symphony-histogram 1\n3 0 40 5000 5080\n40 2\n796 1\nend\nmore\n",  // something behind
           "symphony-histogram 1\n0 0 1 1 0\nend\n",                            // empty with a minimum
       }) {
    EXPECT_FALSE(Histogram::from_text(wrong)) << wrong;
  }
}

TEST(Histogram, HgrmTableRisesToTheMaximumAndEndsWithTheTotals) {
  std::mt19937_64 random(1);
  Histogram histogram;
  for (int i = 0; i < 100'000; ++i) histogram.record(1000 + random() % 9000);
  const std::string table = histogram.to_hgrm(1000.0);
  EXPECT_EQ(table.find("       Value     Percentile TotalCount 1/(1-Percentile)\n\n"), 0U);
  double last_value = 0;
  double last_share = -1;
  unsigned long long last_count = 0;
  std::size_t rows = 0;
  std::size_t at = table.find("\n\n") + 2;
  for (; table[at] != '#'; at = table.find('\n', at) + 1, ++rows) {
    double value = 0;
    double share = 0;
    unsigned long long count = 0;
    ASSERT_EQ(std::sscanf(table.c_str() + at, "%lf %lf %llu", &value, &share, &count), 3);
    EXPECT_GE(value, last_value);
    EXPECT_GT(share, last_share);
    EXPECT_GE(count, last_count);
    EXPECT_GE(static_cast<double>(count), share * 100'000.0 - 1);
    last_value = value;
    last_share = share;
    last_count = count;
  }
  EXPECT_GT(rows, 20U);
  EXPECT_EQ(last_share, 1.0);
  EXPECT_EQ(last_count, 100'000U);
  EXPECT_NEAR(last_value, static_cast<double>(histogram.max_ns()) / 1000.0, 0.001);
  EXPECT_NE(table.find("#[Mean    = "), std::string::npos);
  EXPECT_NE(table.find("#[Max     = "), std::string::npos);
  EXPECT_NE(table.find("#[Buckets = "), std::string::npos);
}

TEST(Histogram, HgrmTableOfNothingHasNoRows) {
  EXPECT_EQ(Histogram().to_hgrm().find("1/(1-Percentile)\n\n#[Mean"), 39U);
}

}  // namespace
}  // namespace symphony::bench
