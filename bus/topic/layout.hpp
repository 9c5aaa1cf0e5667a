// A board: the last few values of one writer, for any number of readers.   Layer: topic. Format: docs/formats/board.md
//
// Page 0 is for diagnosis, page 1 holds the writer's words, then come the slots. Value n, from 1 on, stands in slot
// n mod count. How many slots and how large they are comes over the control socket and is never read from here.
// Threads: plain values and pure functions.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bus/base/platform.hpp"

namespace symphony::detail {

inline constexpr std::uint32_t board_value_size_max = 64 * 1024;
inline constexpr std::uint32_t board_slots_min = 2;  // with one, a writer that dies takes the value with it
inline constexpr std::uint32_t board_slots_max = 4096;
inline constexpr std::uint64_t board_size_max = std::uint64_t{64} << 20;
// Of a cell: a reader begins again only if three newer values were completed while it copied.
inline constexpr std::uint32_t cell_slots = 4;

// One word a line: readers poll it while the writer writes elsewhere.
struct BoardWords {
  alignas(cache_line_size) std::uint64_t latest;  // number of the last whole value; 0: there is none yet
};
struct SlotHeader {
  std::uint64_t begun;  // whose value this is, or is about to be
  std::uint32_t type;
  std::uint32_t size;  // of the value, which follows
};
static_assert(sizeof(BoardWords) == 64 && sizeof(SlotHeader) == 16);
static_assert(offsetof(SlotHeader, type) == 8 && offsetof(SlotHeader, size) == 12);

inline constexpr std::uint64_t board_words_offset = page_size;
inline constexpr std::uint64_t board_slots_offset = 2 * page_size;

struct BoardGeometry {
  std::uint32_t slot_count = 0;
  std::uint32_t value_size_max = 0;
  friend bool operator==(const BoardGeometry&, const BoardGeometry&) = default;

  [[nodiscard]] constexpr std::uint64_t stride() const noexcept {
    return (sizeof(SlotHeader) + value_size_max + cache_line_size - 1) / cache_line_size * cache_line_size;
  }
  [[nodiscard]] constexpr std::uint64_t slot(std::uint64_t number) const noexcept {
    return board_slots_offset + number % slot_count * stride();
  }
  [[nodiscard]] constexpr std::uint64_t size() const noexcept {  // of the whole board, in pages
    return (board_slots_offset + slot_count * stride() + page_size - 1) / page_size * page_size;
  }
};

[[nodiscard]] constexpr bool is_board_geometry(const BoardGeometry& g) noexcept {
  return g.slot_count >= board_slots_min && g.slot_count <= board_slots_max &&
         g.value_size_max <= board_value_size_max && g.size() <= board_size_max;
}

}  // namespace symphony::detail
