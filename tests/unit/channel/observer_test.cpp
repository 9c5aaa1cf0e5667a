// Who looks at a link from outside: what could go wrong is that it names another request than the one that is being
// executed, or reads outside the ring because one of the two sides lies.
#include "bus/channel/observer.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <random>
#include <vector>

#include "bus/channel/channel.hpp"
#include "tests/support/samples.hpp"

namespace symphony::detail {
namespace {

constexpr Geometry of_both{4096, 4096, 0x1111, 0x2222};

struct alignas(4096) Segment {
  std::array<std::byte, data_offset + 4096> bytes{};
};

struct ObserverTest : testing::Test {
  [[nodiscard]] std::optional<RequestSeen> look() const {
    return request_being_executed(reinterpret_cast<const PitWords*>(pits->bytes.data() + words_offset),
                                  callers->bytes.data() + data_offset, of_both.request_capacity);
  }
  [[nodiscard]] bool waits() const {
    std::uint64_t handled = 0;
    return request_waits(reinterpret_cast<const PitWords*>(pits->bytes.data() + words_offset),
                         callers->bytes.data() + data_offset, of_both.request_capacity, handled);
  }
  std::unique_ptr<Segment> callers = std::make_unique<Segment>(), pits = std::make_unique<Segment>();
};
using Observer = ObserverTest;

TEST_F(Observer, SeesTheRequestThatIsBeingExecutedAndNothingElse) {
  CallerChannel<> caller(callers->bytes.data(), pits->bytes.data(), of_both);
  PitChannel<> pit(pits->bytes.data(), callers->bytes.data(), of_both, {}, callers->bytes.data() + data_offset);
  std::mt19937 random(1);
  std::uint64_t begun = 0;
  for (std::uint64_t id = 1; id < 2000; ++id) {  // round the ring some hundred times, with pads and lines written back
    std::uint64_t at = 0;
    const std::vector<std::byte> body(random() % 700);
    const auto type = static_cast<std::uint32_t>(random());
    const Envelope envelope{.id = id, .type = type, .flags = flag::request, .attempt = 2};
    ASSERT_TRUE(caller.try_send(envelope, body, 0, at));
    EXPECT_FALSE(look()) << "not begun";
    PitChannel<>::Record record;
    ASSERT_EQ(pit.try_peek(record), Poll::record);
    pit.begin(record);
    const auto seen = look();
    ASSERT_TRUE(seen) << id;
    EXPECT_EQ(std::tuple(seen->envelope.id, seen->envelope.type, seen->envelope.attempt, seen->body_size),
              std::tuple(id, type, 2, body.size()));
    EXPECT_GT(seen->begun, begun) << "another request has another";
    begun = seen->begun;
    pit.finish(record);
    EXPECT_FALSE(look()) << "handled";
    pit.free_space(true);
  }
}

TEST_F(Observer, SeesARequestThatWaitsAndThatThePitWaitsForItsCallerItself) {
  CallerChannel<> caller(callers->bytes.data(), pits->bytes.data(), of_both);
  PitChannel<> pit(pits->bytes.data(), callers->bytes.data(), of_both, {}, callers->bytes.data() + data_offset);
  for (std::uint64_t id = 1; id < 500; ++id) {
    EXPECT_FALSE(waits()) << "there is none";
    std::uint64_t at = 0;
    ASSERT_TRUE(
        caller.try_send({.id = id, .type = 1, .flags = flag::request}, std::vector<std::byte>(id % 600), 0, at));
    EXPECT_TRUE(waits()) << id;
    pit.want_space(true);
    EXPECT_FALSE(waits()) << "its caller keeps it from taking it";
    pit.want_space(false);
    PitChannel<>::Record record;
    ASSERT_EQ(pit.try_peek(record), Poll::record);
    pit.begin(record);
    EXPECT_FALSE(waits()) << "it is being executed";
    pit.finish(record);
    pit.free_space(true);
  }
}

TEST_F(Observer, ReadsNothingOutsideWhateverBothSidesWrite) {
  std::mt19937_64 random(2);
  const auto word = [&] {  // often one that nearly makes sense
    const std::uint64_t near = random() % 130 * 64;
    return random() % 4 == 0 ? random() : near;
  };
  std::size_t seen = 0;
  for (std::size_t n = 0; n < test_run::samples(300'000); ++n) {
    auto* const words = reinterpret_cast<PitWords*>(pits->bytes.data() + words_offset);
    words->requests_handled = word();
    words->requests_begun = random() % 2 == 0 ? words->requests_handled + 64 * (random() % 70) : word();
    for (std::size_t offset = 0; offset < 4096; offset += 64) {
      std::uint64_t header = random() % 2 == 0 ? random() : (random() % 3 << 30) | random() % 5000;
      if (random() % 2 == 0) header |= record_present;
      std::memcpy(callers->bytes.data() + data_offset + offset, &header, sizeof header);
    }
    seen += look() ? 1 : 0;  // AddressSanitizer looks on
    (void)waits();
  }
  EXPECT_GT(seen, 0U) << "no record was ever taken for one";
}

}  // namespace
}  // namespace symphony::detail
