// What could go wrong: the consumer writes into lines of the producer. Before `handled` a death would leave a damaged
// record to be handled again; from `freed` on the producer may already have put a record there. So each such store is
// looked at when it is made (R4): wholly below handled, at or above freed, as both words stand at that moment.
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

// The machine, but for what it says of stores that write back.
struct WatchedMem : RealMem {
  static inline std::uint64_t write_backs = 0;
  static inline std::uint64_t wrong = 0;  // outside [freed, handled)
  // Whether a line at `address` of the ring under test may be written now.
  static inline bool (*is_allowed)(const void* ring, const void* address) = nullptr;
  static inline const void* ring = nullptr;

  template <Order order, Site site, class T>
  static void store(T* word, T value) noexcept {
    if constexpr (site == Site::write_back) {
      ++write_backs;
      wrong += value != 0 || !is_allowed(ring, word);
    }
    RealMem::store<order, site>(word, value);
  }
};

template <class Ring>
struct WatchedRing : TestRing<Ring, WatchedMem> {
  using Base = TestRing<Ring, WatchedMem>;
  using Position = typename Base::Position;

  explicit WatchedRing(Position size, bool writes_back = true) : Base(size, writes_back) {
    WatchedMem::write_backs = WatchedMem::wrong = 0;
    WatchedMem::ring = this;
    WatchedMem::is_allowed = [](const void* me, const void* address) {
      const auto& self = *static_cast<const WatchedRing*>(me);
      const auto offset = static_cast<std::uint64_t>(static_cast<const std::byte*>(address) - self.memory.get());
      // The position at or above freed that stands at this offset.
      const auto distance = static_cast<Position>(offset - self.freed) & static_cast<Position>(self.capacity - 1);
      return offset % Ring::line == 0 && offset < self.capacity &&
             static_cast<std::uint64_t>(distance) + Ring::line <= static_cast<Position>(self.handled - self.freed);
    };
  }
  // Takes the next record without giving its space back.
  bool take() {
    typename Base::C::Record record;
    if (this->consumer.try_peek(record) != Poll::record) return false;
    this->consumer.begin(record);
    this->consumer.finish(record);
    return true;
  }
  [[nodiscard]] std::string bytes() const {
    return {reinterpret_cast<const char*>(this->memory.get()), this->capacity};
  }
};

TEST(WriteBack, StoresAZeroIntoEveryLineOfAFinishedRecordOnceAnotherWaitsAndNowhereElse) {
  WatchedRing<WideRing> ring(4096);
  ASSERT_TRUE(ring.push(std::string(240, 'a')));
  ASSERT_TRUE(ring.push(std::string(240, 'b')));
  std::string expected = ring.bytes();
  ASSERT_TRUE(ring.take());
  EXPECT_EQ(ring.bytes(), expected) << "not before it is known that another waits";
  ASSERT_TRUE(ring.take());
  for (std::size_t line = 0; line < 256; line += 64) expected.replace(line, 8, 8, '\0');
  EXPECT_EQ(ring.bytes(), expected);
  EXPECT_EQ(WatchedMem::write_backs, 4U);
  EXPECT_EQ(WatchedMem::wrong, 0U);
}

TEST(WriteBack, AnIdleRingIsLeftAsItIs) {
  WatchedRing<WideRing> ring(4096);
  for (int round_trip = 0; round_trip < 200; ++round_trip) {
    ASSERT_TRUE(ring.push("ask"));
    ASSERT_TRUE(ring.take());
    ASSERT_FALSE(ring.take());
    ring.consumer.free();
  }
  EXPECT_EQ(WatchedMem::write_backs, 0U);
}

TEST(WriteBack, AMappingThatMayOnlyBeReadIsNeverWrittenTo) {
  WatchedRing<WideRing> ring(4096, false);
  for (int lap = 0; lap < 10; ++lap) {
    while (ring.push("x")) {
    }
    while (ring.take()) {
    }
    ring.consumer.free();
  }
  EXPECT_EQ(WatchedMem::write_backs, 0U);
}

TEST(WriteBack, LargeRecordsAreLeftAsTheyAreAndTheLargestThatAreNotAreWrittenBackWhole) {
  constexpr auto max = WatchedRing<WideRing>::C::write_back_max;
  for (const std::uint64_t stride : {max, max + 64}) {
    WatchedRing<WideRing> ring(1 << 17);
    ASSERT_TRUE(ring.push(std::string(stride - 8, 'l')));
    ASSERT_TRUE(ring.push("next"));
    ASSERT_TRUE(ring.take() && ring.take());
    EXPECT_EQ(WatchedMem::write_backs, stride == max ? max / 64 : 0);
  }
}

// Whatever a consumer leaves in the lines it frees: the producer lays its own zeros.
TEST(WriteBack, TheProducerDoesNotRelyOnWhatTheConsumerLeft) {
  for (std::uint32_t size = 0; size <= 500; size += 4) {
    TestRing<> ring(1024);
    for (int step = 0; step < 50; ++step) {
      const std::string text((size * static_cast<std::uint32_t>(step)) % 501, 'a');
      ASSERT_TRUE(ring.push(text));
      ASSERT_EQ(ring.header_at(ring.producer.published()), 0U) << "size " << size << " step " << step;
      TestRing<>::C::Record record;
      ASSERT_EQ(ring.consumer.try_peek(record), Poll::record);
      ASSERT_EQ(record.bytes.size(), text.size());
      ring.consumer.finish(record);
      // All but the line that the producer zeroed for its next header.
      for (std::uint64_t p = ring.freed; p != ring.producer.published(); p += 8) ring.header_at(p) = ~std::uint64_t{0};
      ring.consumer.free();
    }
  }
}

// Random histories: single records, batches, pads, dropped claims, space given back at any moment, also between the
// look at a record and its end.
template <class Ring>
std::uint64_t agree_with_deque(typename Ring::Position capacity, std::uint64_t seed, int steps) {
  std::mt19937_64 random(seed);
  WatchedRing<Ring> ring(capacity);
  using C = typename WatchedRing<Ring>::Base::C;
  std::deque<std::string> model, staged;
  bool batching = false;
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
        ring.consumer.free();
        break;
      case 2:
      case 3:
      case 4: {
        const std::string text(random() % (random() % 4 == 0 ? max + 1 : Ring::line), static_cast<char>('a' + i % 26));
        if (ring.push(text)) (batching ? staged : model).push_back(text);
        break;
      }
      default: {
        typename C::Record record;
        const Poll poll = ring.consumer.try_peek(record);
        if (poll != Poll::record) {
          // A pad that runs into its bound is no record.
          EXPECT_TRUE(poll == Poll::empty && model.empty());
          break;
        }
        if (random() % 4 == 0) ring.consumer.free();
        if (random() % 8 == 0) break;  // looked at, and left for the next look
        const std::string got(reinterpret_cast<const char*>(record.bytes.data()), record.bytes.size());
        EXPECT_FALSE(model.empty());
        if (model.empty()) return 0;
        EXPECT_EQ(got, model.front());
        model.pop_front();
        ring.consumer.begin(record);
        ring.consumer.finish(record);
      }
    }
    EXPECT_EQ(ring.producer.fault(), RingFault::none);
    EXPECT_EQ(ring.consumer.fault(), RingFault::none);
    EXPECT_EQ(WatchedMem::wrong, 0U) << "a store outside [freed, handled)";
    if (testing::Test::HasFailure()) break;
  }
  return WatchedMem::write_backs;
}

TEST(WriteBack, EachStoreFallsBetweenFreedAndHandledInRandomHistories) {
  const std::uint64_t seed = test_run::seed();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::uint64_t stores = 0;
  for (std::uint64_t i = 0; i < test_run::samples(100) && !HasFailure(); ++i) {
    stores += agree_with_deque<WideRing>(256u << (i % 3), seed + i, 3000);
    stores += agree_with_deque<NarrowRing>(i % 2 ? 64 : 128, seed + i, 3000);  // positions of eight bits wrap around
  }
  EXPECT_GT(stores, 1000U) << "or nothing was tried";
}

}  // namespace
}  // namespace symphony::detail
