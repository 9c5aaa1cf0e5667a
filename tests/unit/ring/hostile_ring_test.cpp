// What could go wrong: a peer writes words that no honest peer writes, and the other end reads outside the ring, loops,
// or believes it. Each lie is told here; the end that reads it must fault, for good, and touch nothing else.
#include <gtest/gtest.h>

#include <random>

#include "tests/support/samples.hpp"
#include "tests/unit/ring/ring_fixture.hpp"

namespace symphony::detail {
namespace {

using Ring = TestRing<>;

RingFault consumer_fault_for(std::uint64_t header) {
  Ring ring(4096);
  ring.header_at(0) = header;
  Ring::C::Record record;
  EXPECT_EQ(ring.consumer.try_peek(record), Poll::fault);
  ring.header_at(0) = encode_header<WideRing>(0, 4, false, Ring::salt);
  EXPECT_EQ(ring.consumer.try_peek(record), Poll::fault) << "a fault is sticky";
  return ring.consumer.fault();
}

TEST(HostileProducer, AHeaderOfAnotherPositionIsRefused) {
  EXPECT_EQ(consumer_fault_for(encode_header<WideRing>(64, 4, false, Ring::salt)), RingFault::bad_check);
}

TEST(HostileProducer, AHeaderOfAnotherRingIsRefused) {
  EXPECT_EQ(consumer_fault_for(encode_header<WideRing>(0, 4, false, Ring::salt + 1)), RingFault::bad_check);
}

TEST(HostileProducer, ASizeBeyondHalfTheRingIsRefused) {
  const auto max = static_cast<std::uint32_t>(record_size_max<WideRing>(4096));
  EXPECT_EQ(consumer_fault_for(encode_header<WideRing>(0, max + 1, false, Ring::salt)), RingFault::bad_size);
  EXPECT_EQ(consumer_fault_for(encode_header<WideRing>(0, record_size_mask, false, Ring::salt)), RingFault::bad_size);
}

TEST(HostileProducer, AHeaderWithoutThePresentBitIsRefused) {
  EXPECT_EQ(consumer_fault_for(encode_header<WideRing>(0, 4, false, Ring::salt) & ~std::uint64_t{record_present}),
            RingFault::bad_flags);
}

TEST(HostileProducer, ARecordThatRunsPastTheEndIsRefused) {
  Ring ring(4096);
  for (int i = 0; i < 63; ++i) {
    ring.push("x");
    ring.pop();
  }
  ring.header_at(63UL * 64) = encode_header<WideRing>(63UL * 64, 100, false, Ring::salt);
  Ring::C::Record record;
  EXPECT_EQ(ring.consumer.try_peek(record), Poll::fault);
  EXPECT_EQ(ring.consumer.fault(), RingFault::bad_size);
}

TEST(HostileProducer, MoreRecordsThanThereIsSpaceAreRefused) {
  Ring ring(4096);
  for (std::uint64_t p = 0; p < 4096; p += 64) ring.header_at(p) = encode_header<WideRing>(p, 4, false, Ring::salt);
  Ring::C::Record record;
  int delivered = 0;
  while (ring.consumer.try_peek(record) == Poll::record) {
    ring.consumer.finish(record);
    ASSERT_LE(++delivered, 64);
  }
  EXPECT_EQ(delivered, 63);
  EXPECT_EQ(ring.consumer.fault(), RingFault::overrun);
}

TEST(HostileProducer, PadsAloneDoNotKeepTheConsumerInOneCall) {
  Ring ring(4096);
  for (std::uint64_t p = 0; p < 4096; p += 64) ring.header_at(p) = encode_header<WideRing>(p, 56, true, Ring::salt);
  Ring::C::Record record;
  EXPECT_EQ(ring.consumer.try_peek(record), Poll::empty);
  EXPECT_EQ(ring.consumer.head(), 64u * (Ring::C::pads_per_peek_max + 1));
}

TEST(HostileConsumer, AFreedThatIsMisalignedGoesBackOrRunsAheadFaultsTheProducer) {
  for (const std::uint64_t lie : {std::uint64_t{1}, std::uint64_t{4096}, ~std::uint64_t{63}, std::uint64_t{1} << 40}) {
    Ring ring(4096);
    while (ring.push("x")) {
    }
    ring.freed = lie;
    EXPECT_FALSE(ring.push("y")) << lie;
    EXPECT_EQ(ring.producer.fault(), RingFault::bad_freed) << lie;
    ring.freed = 64;
    EXPECT_FALSE(ring.push("y")) << "a fault is sticky";
    EXPECT_FALSE(ring.producer.try_claim(0)) << "for the smallest, too";
  }
  Ring ring(4096);
  while (ring.push("x")) {
  }
  ring.pop();
  ring.pop();
  EXPECT_TRUE(ring.push("y"));
  ring.freed = 64;  // back from 128
  while (ring.push("y")) {
  }
  EXPECT_EQ(ring.producer.fault(), RingFault::bad_freed);
}

// Every word of the ring and every control word random: nothing outside is read (AddressSanitizer watches), and every
// call ends after a bounded number of steps with records that lie inside the ring.
TEST(HostilePeer, RandomMemoryNeverLeadsAnEndOutsideTheRing) {
  const std::uint64_t seed = test_run::seed();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 20'000; ++round) {
    Ring ring(256);
    for (std::uint64_t p = 0; p < 256; p += 8) {
      ring.header_at(p) = random() % 3 == 0 ? encode_header<WideRing>(p, static_cast<std::uint32_t>(random() % 300),
                                                                      random() % 2 != 0, Ring::salt)
                                            : random();
    }
    ring.freed = random() % 2 != 0 ? random() : random() % 8 * 64;
    Ring::C::Record record;
    for (int steps = 0; steps < 20; ++steps) {
      if (ring.consumer.try_peek(record) != Poll::record) break;
      ASSERT_GE(record.bytes.data(), ring.memory.get());
      ASSERT_LE(record.bytes.data() + record.bytes.size(), ring.memory.get() + 256);
      ring.consumer.finish(record);
      ring.consumer.free();
    }
    ring.freed = random() % 512;
    for (int steps = 0; steps < 20; ++steps) ring.push("abc");
  }
}

}  // namespace
}  // namespace symphony::detail
