// The ring against std::deque, on rings small enough that every wrap and edge comes up, and against every 8-bit
// position.
#include <gtest/gtest.h>

#include <deque>
#include <random>

#include "tests/support/samples.hpp"
#include "tests/unit/ring/ring_fixture.hpp"

namespace symphony::detail {
namespace {

struct NarrowRing {
  using Position = std::uint8_t;
  static constexpr Position line = 8;
};

template <class Ring>
void agree_with_deque(typename Ring::Position capacity, std::uint64_t seed, int steps) {
  SCOPED_TRACE(testing::Message() << "seed " << seed << " capacity " << int(capacity));
  std::mt19937_64 random(seed);
  TestRing<Ring> ring(capacity);
  std::deque<std::string> model;   // visible
  std::deque<std::string> staged;  // in an open batch
  bool batching = false;
  std::uint64_t serial = 0;
  const std::uint64_t max = record_size_max<Ring>(capacity);
  for (int i = 0; i < steps; ++i) {
    switch (random() % 8) {
      case 0:
        if (batching) {
          ring.producer.publish_batch();
          model.insert(model.end(), staged.begin(), staged.end());
          staged.clear();
        } else {
          ring.producer.begin_batch();
        }
        batching = !batching;
        break;
      case 1:
        (void)ring.producer.try_claim(static_cast<std::uint32_t>(random() % (max + 1)));
        break;
      case 2:
      case 3:
      case 4: {
        const std::string text(random() % (max + 1), static_cast<char>('a' + serial++ % 26));
        if (ring.push(text)) (batching ? staged : model).push_back(text);
        // A whole free ring takes any record: "full" may only be said when something is in it.
        else
          ASSERT_FALSE(model.empty() && staged.empty());
        break;
      }
      default: {
        const auto got = ring.pop();
        if (model.empty()) {
          ASSERT_EQ(got, nullptr);
        } else {
          ASSERT_NE(got, nullptr);
          ASSERT_EQ(*got, model.front());
          model.pop_front();
        }
      }
    }
    ASSERT_EQ(ring.producer.fault(), RingFault::none);
    ASSERT_EQ(ring.consumer.fault(), RingFault::none);
  }
}

TEST(RingModel, AgreesWithADequeOverRandomHistories) {
  const std::uint64_t seed = test_run::seed();
  for (int i = 0; i < 40; ++i) agree_with_deque<WideRing>(256u << (i % 3), seed + static_cast<std::uint64_t>(i), 3000);
}

TEST(RingModel, AgreesWithADequeWhilePositionsOfEightBitsWrapAround) {
  const std::uint64_t seed = test_run::seed();
  for (int i = 0; i < 40; ++i)
    agree_with_deque<NarrowRing>(i % 2 ? 64 : 128, seed + static_cast<std::uint64_t>(i), 3000);
}

// All 256 positions x all record sizes x all amounts in use: a claim succeeds exactly when the arithmetic of the format
// says so.
TEST(RingModel, EveryEightBitStateClaimsExactlyWhatFits) {
  constexpr int capacity = 64;
  constexpr int line = NarrowRing::line;
  std::uint64_t states = 0;
  for (int start = 0; start < 256; start += line) {
    for (int in_use = 0; in_use < capacity; in_use += line) {
      for (std::uint32_t size = 0; size <= record_size_max<NarrowRing>(capacity); ++size) {
        TestRing<NarrowRing> ring(capacity);
        for (int p = 0; p < start; p += line) {
          ring.push("");
          ring.pop();
        }
        int used = 0;
        while (used < in_use && ring.push("")) used += line;
        if (used < in_use) continue;
        const int stride = static_cast<int>(stride_of<NarrowRing>(size));
        const int room = capacity - (start + in_use) % capacity;
        const int needed = stride + (stride > room ? room : 0) + line;
        ASSERT_EQ(bool(ring.producer.try_claim(size)), in_use + needed <= capacity)
            << "start " << start << " used " << in_use << " size " << size;
        ++states;
      }
    }
  }
  EXPECT_GT(states, 5000u);
}

}  // namespace
}  // namespace symphony::detail
