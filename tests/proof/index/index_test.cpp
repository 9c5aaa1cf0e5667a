// What could go wrong: an edge of the arithmetic of positions (a wrap of the ring, a wrap of the position, the last
// free line, the largest record) that no sample meets. With positions of 8 bits there is no sample: every state is
// tried.
#include <gtest/gtest.h>

#include <chrono>

#include "bench/support/figure.hpp"
#include "tests/proof/index/consumer_states.hpp"
#include "tests/proof/index/producer_states.hpp"

namespace symphony::narrow {
namespace {

TEST(RingIndex, EveryEightBitStateOfBothEndsDoesWhatWholeNumbersSay) {
  const auto begin = std::chrono::steady_clock::now();
  std::uint64_t producer = 0, consumer = 0;
  for (const int capacity : capacities) {
    const char* const wrong = ProducerStates(capacity, producer).run();
    ASSERT_EQ(wrong, nullptr) << wrong << "; producer, capacity " << capacity;
  }
  for (const int capacity : capacities) {
    const char* const wrong = ConsumerStates(capacity, consumer).run();
    ASSERT_EQ(wrong, nullptr) << wrong << "; consumer, capacity " << capacity;
  }
  std::printf("%llu states of the producer, %llu of the consumer\n", static_cast<unsigned long long>(producer),
              static_cast<unsigned long long>(consumer));
  EXPECT_GE(producer + consumer, 60'000'000u);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  EXPECT_TRUE(bench::write_figure({.name = "ring.index_states",
                                   .value = static_cast<double>(producer + consumer),
                                   .of = static_cast<double>(producer + consumer),
                                   .unit = "states",
                                   .n = producer + consumer,
                                   .seed = {},
                                   .seconds = seconds,
                                   .note = "all states of 8-bit positions, capacities 32, 64 and 128"}));
}

}  // namespace
}  // namespace symphony::narrow
