// docs/formats/board.md, line by line, against bus/topic.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include "bus/topic/board_writer.hpp"
#include "tests/docs/document.hpp"

namespace symphony::docs::board_format {
namespace {

using namespace detail;

constexpr const char* document = "docs/formats/board.md";

TEST(BoardFormat, SaysWhereEachPartBeginsAndEveryFieldOfASlot) {
  const Table parts = table(document, "Board");
  EXPECT_EQ(parts.cell(std::to_string(board_words_offset), "Size"), std::to_string(sizeof(BoardWords::latest)));
  EXPECT_NE(parts.cell(std::to_string(board_slots_offset), "Contents").find("n mod "), std::string::npos);
  const std::string text = read_file(document);
  const auto& [begun, type, size] = SlotHeader{};  // a field more does not compile
  const auto says = [&](const std::string& line) { EXPECT_NE(text.find(line), std::string::npos) << line; };
  says("| `begun` | " + std::to_string(offsetof(SlotHeader, begun)) + " | " + std::to_string(sizeof begun));
  says("| `type` | " + std::to_string(offsetof(SlotHeader, type)) + " | " + std::to_string(sizeof type));
  says("| `size` | " + std::to_string(offsetof(SlotHeader, size)) + " | " + std::to_string(sizeof size));
  says("| the value | " + std::to_string(sizeof(SlotHeader)));
  says("`board_slots_min` is " + std::to_string(board_slots_min));
  says("`board_slots_max` " + std::to_string(board_slots_max));
  says("`board_value_size_max` " + std::to_string(board_value_size_max));
  says("`board_size_max` " + std::to_string(board_size_max >> 20) + " MiB");
  says("`cell_slots`, " + std::to_string(cell_slots));
}

// The rule of the text on bytes: the stride, which slot a value stands in, and what stands where in it.
TEST(BoardFormat, IsWhatTheWriterWrites) {
  constexpr BoardGeometry geometry{3, 50};
  EXPECT_EQ(geometry.stride(), 128u);
  EXPECT_EQ(geometry.size(), 12288u);
  std::vector<std::uint64_t> memory(geometry.size() / 8);
  auto* const base = reinterpret_cast<std::byte*>(memory.data());
  BoardWriter<RealMem> writer(base, geometry);
  const std::string value = "eleven chars";
  for (int i = 0; i < 4; ++i) writer.write(77, std::as_bytes(std::span(value)));
  const auto word = [&](std::size_t at) { return memory[at / 8]; };
  EXPECT_EQ(word(4096), 4u);
  EXPECT_EQ(word(8192), 3u);                                            // value 3, in slot 0
  EXPECT_EQ(word(8192 + 128), 4u);                                      // value 4, in slot 1
  EXPECT_EQ(word(8192 + 128 + 8), std::uint64_t{12} << 32 | 77);        // size and type
  EXPECT_EQ(std::memcmp(base + 8192 + 128 + 16, value.data(), 12), 0);  // the value
}

}  // namespace
}  // namespace symphony::docs::board_format
