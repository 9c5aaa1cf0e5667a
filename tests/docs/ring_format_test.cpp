// docs/formats/ring.md, line by line, against bus/ring and the envelope.
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <string>

#include <symphony/envelope.hpp>

#include "bus/ring/consumer.hpp"
#include "bus/ring/producer.hpp"
#include "tests/docs/document.hpp"
#include "tests/docs/link_sample.hpp"

namespace symphony::docs::ring_format {
namespace {

using namespace detail;

constexpr const char* document = "docs/formats/ring.md";

TEST(RingFormat, SaysTheConstantsOfAHeader) {
  EXPECT_TRUE(holds(table(document, "Record header"), {{"line", {WideRing::line}},
                                                       {"header_size", {header_size}},
                                                       {"record_pad", {record_pad}},
                                                       {"record_present", {record_present}},
                                                       {"record_size_mask", {record_size_mask}}}));
}

TEST(RingFormat, ListsEveryFieldOfAnEnvelopeAtItsOffset) {
  using E = Envelope;
  const auto& [id, deadline_ns, type, flags, attempt, reserved] = E{};  // a field more does not compile
  EXPECT_TRUE(holds(table(document, "Envelope"), {{"id", {offsetof(E, id), sizeof id}},
                                                  {"deadline_ns", {offsetof(E, deadline_ns), sizeof deadline_ns}},
                                                  {"type", {offsetof(E, type), sizeof type}},
                                                  {"flags", {offsetof(E, flags), sizeof flags}},
                                                  {"attempt", {offsetof(E, attempt), sizeof attempt}},
                                                  {"reserved", {offsetof(E, reserved), sizeof reserved}}}));
}

TEST(RingFormat, SaysTheNumberOfEachFlag) {
  EXPECT_TRUE(holds(table(document, "Flags"), {{"request", {flag::request}},
                                               {"reply", {flag::reply}},
                                               {"event", {flag::event}},
                                               {"error", {flag::error}},
                                               {"has_extension_block", {flag::has_extension_block}},
                                               {"redelivered", {flag::redelivered}},
                                               {"body_at_64", {flag::body_at_64}},
                                               {"more", {flag::more}}}));
}

TEST(RingFormat, SaysTheNumberOfEachFault) {
  const auto number = [](RingFault fault) { return static_cast<std::uint64_t>(fault); };
  EXPECT_TRUE(holds(table(document, "Faults"), {{"bad_check", {number(RingFault::bad_check)}},
                                                {"bad_size", {number(RingFault::bad_size)}},
                                                {"bad_flags", {number(RingFault::bad_flags)}},
                                                {"overrun", {number(RingFault::overrun)}},
                                                {"bad_freed", {number(RingFault::bad_freed)}}}));
}

TEST(RingFormat, ShowsEveryByteOfBothRingsOfTheSampleLink) {
  const LinkSample sample;
  EXPECT_TRUE(shows(hex_block(document, "request-ring"), sample.caller().subspan(data_offset)));
  EXPECT_TRUE(shows(hex_block(document, "reply-ring"), sample.pit().subspan(data_offset)));
}

// The wrap: a record that does not fit before the end, so a pad is written there, and the 0 behind it falls into old
// bytes.
TEST(RingFormat, ShowsEveryByteOfARingThatWrapped) {
  constexpr std::uint32_t salt = 0x5eed0003;
  alignas(64) std::array<std::byte, 256> memory{};
  std::uint64_t tail = 0, begun = 0, handled = 0, freed = 0;
  Producer<RealMem> producer(memory.data(), memory.size(), salt, {&tail, &freed});
  Consumer<RealMem> consumer(memory.data(), memory.size(), salt, {&begun, &handled, &freed});
  const auto put = [&](std::size_t size, char fill) {
    auto claim = producer.try_claim(static_cast<std::uint32_t>(size));
    ASSERT_TRUE(claim);
    for (std::byte& b : claim.bytes()) b = static_cast<std::byte>(fill);
    producer.commit(std::move(claim), static_cast<std::uint32_t>(size));
  };
  put(20, 'a');
  put(100, 'b');
  for (int taken = 0; taken < 2; ++taken) {
    Consumer<RealMem>::Record record;
    ASSERT_EQ(consumer.try_peek(record), Poll::record);
    consumer.begin(record);
    consumer.finish(record);
  }
  consumer.free();
  put(70, 'c');
  EXPECT_TRUE(shows(hex_block(document, "wrapped-ring"), memory));
  EXPECT_EQ(tail, 384U) << "ring.md says where the tail stands";
}

}  // namespace
}  // namespace symphony::docs::ring_format
