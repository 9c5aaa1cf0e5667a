// What a reader finds on a board whose writer died at any store: the value before, or the one being written.
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <vector>

#include "bus/topic/board_reader.hpp"
#include "bus/topic/board_writer.hpp"
#include "tests/proof/crash/figures.hpp"
#include "tests/proof/crash/trace_mem.hpp"

namespace symphony::proof {
namespace {

constexpr BoardGeometry board_geometry{3, 72};

struct BoardImages {
  std::byte* base = nullptr;
  std::uint64_t completed = 0;
  std::uint64_t count = 0;
  std::uint64_t wrong = 0;
};

// Value n has n mod 73 bytes, each n.
void look_at_board(void* context, const Tracer::Store&) {
  auto& images = *static_cast<BoardImages*>(context);
  ++images.count;
  const BoardReader<RealMem> reader(images.base, board_geometry);
  std::array<std::byte, board_geometry.value_size_max> into;
  BoardValue value;
  const BoardRead got = reader.read_latest(into, value);
  if (images.completed == 0 && got == BoardRead::none) return;
  bool is_right = got == BoardRead::value && value.type == value.number &&
                  (value.number == images.completed || value.number == images.completed + 1) &&
                  value.size == value.number % 73;
  for (std::size_t i = 0; is_right && i < value.size; ++i) is_right = into[i] == static_cast<std::byte>(value.number);
  images.wrong += is_right ? 0 : 1;
}

// The number of images that were wrong; `images`: how many there were.
std::uint64_t write_board(Mutant mutant, std::uint64_t values, std::uint64_t& images) {
  std::vector<std::uint64_t> memory(board_geometry.size() / 8 + 8);
  auto* base = reinterpret_cast<std::byte*>((reinterpret_cast<std::uintptr_t>(memory.data()) + 63) / 64 * 64);
  BoardImages at{base};
  Tracer tracer;
  tracer.become(mutant);
  tracer.context = &at;
  tracer.after_store = look_at_board;
  BoardWriter<TraceMem> writer(base, board_geometry, TraceMem{&tracer});
  for (std::uint64_t n = 1; n <= values; ++n) {
    const std::vector<std::byte> value(n % 73, static_cast<std::byte>(n));
    writer.write(static_cast<std::uint32_t>(n), value);
    tracer.settle();
    at.completed = n;
  }
  images = at.count;
  return at.wrong;
}

TEST(BoardCrash, AWriterThatDiesAtAnyStoreLeavesTheLastValueThatItCompleted) {
  const TimeNs start = now_ns();
  std::uint64_t images = 0;
  EXPECT_EQ(write_board(Mutant::none, 500, images), 0u);
  EXPECT_GT(images, 2000u);
  write_count("cell.crash_images", images, std::nullopt, 500, start,
              "states of memory after each store of a writer of 500 values, in each of which a reader finds the last "
              "completed value or the next one, whole");
}

TEST(BoardCrash, AWriterThatShowsItsNumberTooEarlyIsCaught) {
  std::uint64_t images = 0;
  EXPECT_GT(write_board(Mutant::value_shown_early, 100, images), 0u);
}

}  // namespace
}  // namespace symphony::proof
