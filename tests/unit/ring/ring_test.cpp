#include <gtest/gtest.h>

#include <algorithm>

#include <thread>

#include "tests/unit/ring/ring_fixture.hpp"

namespace symphony::detail {
namespace {

TEST(SpscRing, DeliversWhatWasCommittedInOrder) {
  TestRing ring(4096);
  EXPECT_TRUE(ring.push("one"));
  EXPECT_TRUE(ring.push(""));
  EXPECT_TRUE(ring.push("three"));
  EXPECT_EQ(*ring.pop(), "one");
  EXPECT_EQ(*ring.pop(), "");
  EXPECT_EQ(*ring.pop(), "three");
  EXPECT_EQ(ring.pop(), nullptr);
}

TEST(SpscRing, NothingIsSeenBeforeItsCommit) {
  TestRing ring(4096);
  auto claim = ring.producer.try_claim(8);
  std::fill(claim.bytes().begin(), claim.bytes().end(), std::byte{0xff});
  EXPECT_EQ(ring.pop(), nullptr);
  ring.producer.commit(std::move(claim), 8);
  EXPECT_EQ(ring.pop()->size(), 8u);
}

TEST(SpscRing, AbortedClaimIsNeverSeenAndStoresNothing) {
  TestRing ring(4096);
  ring.push("a");
  EXPECT_TRUE(ring.producer.try_claim(100)) << "and dropped at once";
  ring.push("b");
  EXPECT_EQ(*ring.pop(), "a");
  EXPECT_EQ(*ring.pop(), "b");
  EXPECT_EQ(ring.pop(), nullptr);
  EXPECT_EQ(ring.producer.published(), 128u);
}

TEST(SpscRing, ACommitMayUseLessThanItClaimed) {
  TestRing ring(4096);
  auto claim = ring.producer.try_claim(2000);
  ring.producer.commit(std::move(claim), 3);
  EXPECT_EQ(ring.pop()->size(), 3u);
  EXPECT_EQ(ring.producer.published(), 64u);
}

// After a commit the producer zeroes the header that a next record of the same size would need. A larger claim covers
// that place: then what it leaves there must not be taken for a header.
TEST(SpscRing, BytesLeftBehindByALargerClaimAreNeverTakenForAHeader) {
  for (const bool dropped : {false, true}) {
    for (std::uint32_t first = 0; first <= 200; first += 8) {
      for (std::uint32_t claimed = first; claimed <= 500; claimed += 8) {
        TestRing<> ring(4096);
        ASSERT_TRUE(ring.push(std::string(first, 'a')));
        auto claim = ring.producer.try_claim(claimed);
        ASSERT_TRUE(claim);
        std::fill(claim.bytes().begin(), claim.bytes().end(), std::byte{0xff});
        if (dropped) {
          ASSERT_TRUE(ring.push(std::string(first, 'b')));
        } else {
          ring.producer.commit(std::move(claim), first);
        }
        ASSERT_TRUE(ring.pop());
        ASSERT_TRUE(ring.pop());
        ASSERT_FALSE(ring.pop());
        ASSERT_EQ(ring.consumer.fault(), RingFault::none) << first << ' ' << claimed;
      }
    }
  }
}

TEST(SpscRing, SaysThatThereIsRoomExactlyWhenAClaimSucceeds) {
  for (std::uint32_t first = 0; first <= 500; first += 28) {
    TestRing<> ring(1024);
    for (int step = 0; step < 60; ++step) {
      for (std::uint32_t size = 0; size <= 600; size += 8) {
        for (const std::uint64_t reserve : {0u, 64u, 512u}) {
          const bool room = ring.producer.has_room(size, reserve);
          ASSERT_EQ(room, static_cast<bool>(ring.producer.try_claim(size, reserve))) << size << ' ' << reserve;
        }
      }
      const bool pushed = ring.push(std::string(first, 'a'));
      ASSERT_TRUE(pushed || ring.pop());
    }
  }
}

// Records that the consumer has not freed are never stored to, not even where zeros are laid ahead.
TEST(SpscRing, ZerosLaidAheadNeverReachWhatIsNotFreed) {
  for (std::uint32_t size = 0; size <= 248; size += 8) {
    TestRing<> ring(1024);
    for (int lap = 0; lap < 40; ++lap) {
      std::size_t pushed = 0;
      while (ring.push(std::string(size, static_cast<char>('a' + pushed % 26)))) ++pushed;
      ASSERT_GT(pushed, 0U);
      for (std::size_t i = 0; i < pushed; ++i) {
        const auto text = ring.pop();
        ASSERT_TRUE(text);
        ASSERT_EQ(*text, std::string(size, static_cast<char>('a' + i % 26)));
      }
      ASSERT_FALSE(ring.pop());
      ASSERT_EQ(ring.consumer.fault(), RingFault::none);
    }
  }
}

TEST(SpscRing, FullMeansEveryLineButTheNextHeaderIsUsed) {
  TestRing ring(4096);
  int pushed = 0;
  while (ring.push("x")) ++pushed;
  EXPECT_EQ(pushed, 4096 / 64 - 1);
  EXPECT_EQ(*ring.pop(), "x");
  EXPECT_TRUE(ring.push("y"));
  EXPECT_FALSE(ring.push("z"));
  for (int i = 1; i < pushed; ++i) ASSERT_EQ(*ring.pop(), "x");
  EXPECT_EQ(*ring.pop(), "y");
  EXPECT_EQ(ring.pop(), nullptr);
}

TEST(SpscRing, ARecordOfNoBytesIsARecordAndOneByteTooManyIsRefused) {
  TestRing ring(4096);
  const auto max = static_cast<std::uint32_t>(record_size_max<WideRing>(4096));
  for (const std::uint32_t size : {0u, max}) {
    ASSERT_TRUE(ring.push(std::string(size, 'm'))) << size;
    const auto popped = ring.pop();
    ASSERT_NE(popped, nullptr) << size;
    EXPECT_EQ(popped->size(), size);
    EXPECT_EQ(ring.pop(), nullptr) << size;
  }
  for (const std::uint32_t size : {max + 1, ~std::uint32_t{0} - 64, ~std::uint32_t{0}})
    EXPECT_FALSE(ring.producer.try_claim(size)) << size;
  EXPECT_EQ(ring.producer.fault(), RingFault::none);
  EXPECT_TRUE(ring.push("and on"));
}

TEST(SpscRing, TheLargestRecordFitsAnEmptyRingAtEveryOffset) {
  TestRing ring(4096);
  const auto max = static_cast<std::uint32_t>(record_size_max<WideRing>(4096));
  for (int offset = 0; offset < 4096 / 64; ++offset) {
    ASSERT_TRUE(ring.push(std::string(max, 'm'))) << offset;
    ASSERT_EQ(ring.pop()->size(), max);
    ASSERT_TRUE(ring.push("step"));
    ASSERT_EQ(*ring.pop(), "step");
  }
  EXPECT_FALSE(ring.producer.try_claim(max + 1));
}

TEST(SpscRing, AReserveKeepsRoomForThoseWhoMustNotBeRefused) {
  TestRing ring(4096);
  while (ring.producer.try_claim(56, 1024)) ring.push(std::string(56, 'x'));
  int endings = 0;
  while (ring.push(std::string(56, 'e'))) ++endings;
  EXPECT_EQ(endings, 1024 / 64);
}

TEST(SpscRing, ABatchIsSeenWholeOrNotAtAll) {
  TestRing ring(4096);
  ring.push("before");
  ring.producer.begin_batch();
  ring.push("1");
  ring.push("2");
  ring.push(std::string(1500, '3'));
  EXPECT_EQ(*ring.pop(), "before");
  EXPECT_EQ(ring.pop(), nullptr);
  ring.producer.publish_batch();
  EXPECT_EQ(*ring.pop(), "1");
  EXPECT_EQ(*ring.pop(), "2");
  EXPECT_EQ(ring.pop()->size(), 1500u);
  ring.producer.publish_batch();
  EXPECT_EQ(ring.pop(), nullptr);
}

TEST(SpscRing, ABatchThatWrapsIsStillSeenWholeOrNotAtAll) {
  TestRing ring(1024);
  for (int i = 0; i < 13; ++i) {
    ASSERT_TRUE(ring.push("fill"));
    ASSERT_EQ(*ring.pop(), "fill");
  }
  ring.producer.begin_batch();
  ASSERT_TRUE(ring.push("first"));
  ASSERT_TRUE(ring.push(std::string(300, 'w')));  // does not fit before the end: a pad precedes it
  EXPECT_EQ(ring.pop(), nullptr);
  ring.producer.publish_batch();
  EXPECT_EQ(*ring.pop(), "first");
  EXPECT_EQ(ring.pop()->size(), 300u);
}

TEST(SpscRing, SaysWhichRecordWasBegunAndWhichIsHandled) {
  TestRing ring(4096);
  ring.push("a");
  ring.push("b");
  decltype(ring)::C::Record record;
  ASSERT_EQ(ring.consumer.try_peek(record), Poll::record);
  EXPECT_EQ(ring.begun, 0u);
  ring.consumer.begin(record);
  EXPECT_EQ(ring.begun, 64u);
  EXPECT_EQ(ring.handled, 0u);
  ring.consumer.finish(record);
  EXPECT_EQ(ring.handled, 64u);
  EXPECT_EQ(ring.freed, 0u) << "space is given back by free() only";
  ring.consumer.free();
  EXPECT_EQ(ring.freed, 64u);
}

TEST(SpscRing, AProducersRecordsStayReadableUntilTheyAreFreed) {
  TestRing ring(4096);
  ring.push("keep");
  const auto again = ring.producer.record_at(0, 4);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(again.data()), 4), "keep");
  EXPECT_FALSE(ring.producer.is_drained());
  ring.pop();
  EXPECT_TRUE(ring.producer.is_drained());
}

// Both ends in threads on one mapping: what ThreadSanitizer can see. A consumer that writes back stores into lines of
// the producer, so both kinds run.
void exchange_between_threads(bool writes_back) {
  TestRing ring(4096, writes_back);
  constexpr std::uint32_t count = 40'000;
  std::thread producer([&] {
    for (std::uint32_t i = 0; i < count;) {
      const std::uint32_t size = 4 + (i * 37) % 700;
      auto claim = ring.producer.try_claim(size);
      if (!claim) {
        std::this_thread::yield();
        continue;
      }
      std::memset(claim.bytes().data(), static_cast<int>(i & 0xff), size);
      std::memcpy(claim.bytes().data(), &i, 4);
      ring.producer.commit(std::move(claim), size);
      ++i;
    }
  });
  for (std::uint32_t i = 0; i < count;) {
    decltype(ring)::C::Record record;
    const Poll poll = ring.consumer.try_peek(record);
    ASSERT_NE(poll, Poll::fault);
    if (poll == Poll::empty) {
      ring.consumer.free();
      std::this_thread::yield();
      continue;
    }
    std::uint32_t seen = 0;
    std::memcpy(&seen, record.bytes.data(), 4);
    ASSERT_EQ(seen, i);
    ASSERT_EQ(record.bytes.size(), 4 + (i * 37) % 700);
    for (std::size_t k = 4; k < record.bytes.size(); ++k) ASSERT_EQ(record.bytes[k], std::byte(i & 0xff));
    ring.consumer.begin(record);
    ring.consumer.finish(record);
    if (ring.consumer.frees_soon()) ring.consumer.free();
    ++i;
  }
  producer.join();
}

TEST(SpscRing, TwoThreadsExchangeRecordsOfAllSizesUnharmed) { exchange_between_threads(false); }
TEST(SpscRing, TwoThreadsExchangeRecordsOfAllSizesUnharmedWhileTheConsumerWritesBack) {
  exchange_between_threads(true);
}

}  // namespace
}  // namespace symphony::detail
