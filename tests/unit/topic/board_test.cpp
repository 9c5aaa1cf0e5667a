// A board's two ends on one piece of memory: what is read is what was written, whoever is fast, late or lying.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "bus/topic/board_reader.hpp"
#include "bus/topic/board_writer.hpp"
#include "tests/support/samples.hpp"

namespace symphony::detail {
namespace {

class BoardMemory {
 public:
  explicit BoardMemory(const BoardGeometry& geometry) : lines_(geometry.size() / sizeof(Line)) {}
  [[nodiscard]] std::byte* data() noexcept { return lines_.front().bytes; }
  [[nodiscard]] std::size_t size() const noexcept { return lines_.size() * sizeof(Line); }

 private:
  struct alignas(cache_line_size) Line {
    std::byte bytes[cache_line_size];
  };
  std::vector<Line> lines_;
};

using Value = std::vector<std::byte>;

// Every byte says which value it is of and where it stands.
Value value_of(std::uint64_t number, std::size_t size) {
  Value out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::byte>(number * 31 + i * 7);
  return out;
}

TEST(Board, BeforeTheFirstValueThereIsNone) {
  constexpr BoardGeometry geometry{cell_slots, 64};
  BoardMemory memory(geometry);
  const BoardReader<RealMem> reader(memory.data(), geometry);
  Value into(64);
  BoardValue value;
  EXPECT_EQ(reader.latest(), 0u);
  EXPECT_EQ(reader.read_latest(into, value), BoardRead::none);
}

// What could go wrong: a size at which the last word is forgotten, or written over what stands behind it.
TEST(Board, ValuesOfEverySizeComeBackAsTheyWereWritten) {
  constexpr BoardGeometry geometry{2, 300};
  BoardMemory memory(geometry);
  BoardWriter<RealMem> writer(memory.data(), geometry);
  const BoardReader<RealMem> reader(memory.data(), geometry);
  Value into(geometry.value_size_max + 8, std::byte{0xee});
  for (std::uint32_t size = 0; size <= geometry.value_size_max; ++size) {
    std::fill(into.begin(), into.end(), std::byte{0xee});
    const std::uint64_t number = writer.write(size * 3, value_of(size, size));
    BoardValue value;
    ASSERT_EQ(reader.read_latest(into, value), BoardRead::value);
    EXPECT_EQ(value.number, number);
    EXPECT_EQ(value.type, size * 3);
    ASSERT_EQ(value.size, size);
    EXPECT_EQ(Value(into.begin(), into.begin() + size), value_of(size, size));
    EXPECT_EQ(into[size], std::byte{0xee}) << "more was filled than the value has";
  }
}

TEST(Board, TheLastValuesAreThereEachUnderItsNumberAndOlderOnesSayThatTheyAreGone) {
  constexpr BoardGeometry geometry{5, 16};
  BoardMemory memory(geometry);
  BoardWriter<RealMem> writer(memory.data(), geometry);
  const BoardReader<RealMem> reader(memory.data(), geometry);
  for (std::uint64_t n = 1; n <= 13; ++n) writer.write(1, value_of(n, 16));
  Value into(16);
  BoardValue value;
  for (std::uint64_t n = 1; n <= 13; ++n) {
    const BoardRead got = reader.read(n, into, value);
    EXPECT_EQ(got, n > 8 ? BoardRead::value : BoardRead::overwritten) << n;
    if (n > 8) {
      EXPECT_EQ(into, value_of(n, 16));
    }
  }
}

// What could go wrong: half of one value and half of another; the explorer tries every way for small ones, this the
// copies of the machine for large ones. In the tsan preset every word's accesses are named, or it is a race.
TEST(Board, ReadersBesideAWriterAtFullSpeedSeeWholeValuesThatOnlyGetNewer) {
  constexpr BoardGeometry geometry{cell_slots, 4096};
  BoardMemory memory(geometry);
  std::atomic<bool> is_over{false};
  std::atomic<std::uint64_t> reads{0};
  const auto read_on = [&] {
    const BoardReader<RealMem> reader(memory.data(), geometry);
    std::vector<std::uint64_t> into(geometry.value_size_max / 8);
    std::uint64_t last = 0, count = 0;
    while (!is_over.load() || count == 0) {
      BoardValue value;
      const BoardRead got = reader.read_latest(std::as_writable_bytes(std::span(into)), value);
      if (got != BoardRead::value) {
        ASSERT_NE(got, BoardRead::fault);
        continue;
      }
      ASSERT_GE(value.number, last);
      last = value.number;
      ++count;
      ASSERT_EQ(value.size % 8, 0u);
      for (std::size_t i = 0; i < value.size / 8; ++i) ASSERT_EQ(into[i], value.number * 1000 + i);
    }
    reads += count;
  };
  std::thread first(read_on), second(read_on);
  BoardWriter<RealMem> writer(memory.data(), geometry);
  std::vector<std::uint64_t> words(geometry.value_size_max / 8);
  const std::uint64_t values = test_run::samples(200'000);
  for (std::uint64_t n = 1; n <= values; ++n) {
    const std::size_t count = 1 + n % words.size();
    for (std::size_t i = 0; i < count; ++i) words[i] = n * 1000 + i;
    writer.write(0, std::as_bytes(std::span(words).first(count)));
  }
  is_over = true;
  first.join();
  second.join();
  EXPECT_GT(reads.load(), 1u);
}

// A writer that says something else at each look. Every address that is looked at is checked.
struct LyingMem {
  struct State {
    const std::byte* base;
    std::size_t size;
    std::mt19937_64 random;
    std::uint64_t outside = 0;
    std::uint64_t looks = 0;
  };
  State* state;

  template <Order order, Site site, class T>
  [[nodiscard]] T load(const T* word) const noexcept {
    const auto* at = reinterpret_cast<const std::byte*>(word);
    if (at < state->base || at + sizeof(T) > state->base + state->size) ++state->outside;
    ++state->looks;
    if (site == Site::slot_begun || site == Site::latest) return state->random() % 4;
    // Sizes that are right, one too large, and anything.
    const std::uint64_t any = state->random();
    return any % 3 == 0 ? static_cast<T>((any % 26) << 32) : static_cast<T>(any);
  }
};

TEST(Board, AWriterThatLiesAtEachLookGivesWrongValuesAtMost) {
  constexpr BoardGeometry geometry{3, 24};
  BoardMemory memory(geometry);
  LyingMem::State state{memory.data(), memory.size(), std::mt19937_64(test_run::seed())};
  const BoardReader<LyingMem> reader(memory.data(), geometry, LyingMem{&state});
  std::array<int, 4> got{};
  for (std::uint64_t i = 0; i < test_run::samples(200'000); ++i) {
    std::array<std::byte, 32> into{};
    BoardValue value;
    const BoardRead read = reader.read_latest(std::span(into).first(24), value);
    ++got[static_cast<std::size_t>(read)];
    ASSERT_LE(value.size, 24u);
    for (std::size_t at = 24; at < into.size(); ++at) ASSERT_EQ(into[at], std::byte{0}) << "written past its end";
  }
  EXPECT_EQ(state.outside, 0u);
  EXPECT_GT(got[static_cast<std::size_t>(BoardRead::value)], 0);
  EXPECT_GT(got[static_cast<std::size_t>(BoardRead::none)], 0);
  EXPECT_GT(got[static_cast<std::size_t>(BoardRead::fault)], 0);
}

// Its newest value is gone whenever one looks.
struct AheadMem {
  std::uint64_t* looks;

  template <Order order, Site site, class T>
  [[nodiscard]] T load(const T*) const noexcept {
    ++*looks;
    return site == Site::latest ? 1 : site == Site::slot_begun ? 2 : 0;
  }
};

TEST(Board, AWriterThatIsAlwaysAheadKeepsAReaderForABoundedTime) {
  constexpr BoardGeometry geometry{2, 8};
  BoardMemory memory(geometry);
  std::uint64_t looks = 0;
  const BoardReader<AheadMem> reader(memory.data(), geometry, AheadMem{&looks});
  std::array<std::byte, 8> into{};
  BoardValue value;
  EXPECT_EQ(reader.read_latest(into, value), BoardRead::overwritten);
  EXPECT_EQ(looks, 3u * BoardReader<AheadMem>::tries_max);
}

TEST(Board, GeometriesThatAreTooLargeOrTooSmallAreNone) {
  EXPECT_TRUE(is_board_geometry({cell_slots, board_value_size_max}));
  EXPECT_TRUE(is_board_geometry({2, 0}));
  EXPECT_FALSE(is_board_geometry({0, 64}));
  EXPECT_FALSE(is_board_geometry({1, 64}));
  EXPECT_FALSE(is_board_geometry({2, board_value_size_max + 1}));
  EXPECT_FALSE(is_board_geometry({board_slots_max + 1, 64}));
  EXPECT_FALSE(is_board_geometry({board_slots_max, board_value_size_max})) << "more than board_size_max";
}

}  // namespace
}  // namespace symphony::detail
