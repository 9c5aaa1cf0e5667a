// The writing end of a board.   Layer: topic.
//
// Invariants, after every store:
//   B1  `latest` names a value that is whole; or it is 0
//   B2  a value is written into a slot whose number says so before its first byte does
//   B3  the slot that `latest` names is not written to before `latest` names another
// So a writer that dies at any instruction leaves the last value that it completed, and a reader learns of every byte
// that is not of the value it asked for. Nothing is read back: no reader can delay or mislead the writer.
// Threads: one. No call blocks or allocates.   Format: docs/formats/board.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "bus/base/check.hpp"
#include "bus/ring/mem.hpp"
#include "bus/topic/layout.hpp"
#include "bus/topic/words.hpp"

namespace symphony::detail {

template <class Mem>
class BoardWriter {
 public:
  // Precondition: geometry.size() bytes at `base`, cache-line aligned, all zero. `written`: how many values this writer
  // has written elsewhere: it goes on counting behind them.
  BoardWriter(std::byte* base, const BoardGeometry& geometry, Mem mem = {}, std::uint64_t written = 0) noexcept
      : mem_(mem), base_(base), geometry_(geometry), written_(written) {
    SYMPHONY_DCHECK(is_board_geometry(geometry));
  }

  // The next value, for whoever reads from now on. Its number: 1, 2, … Precondition: no larger than value_size_max.
  std::uint64_t write(std::uint32_t type, std::span<const std::byte> value) noexcept {
    SYMPHONY_DCHECK(value.size() <= geometry_.value_size_max);
    const std::uint64_t number = written_ + 1;
    std::byte* const slot = base_ + geometry_.slot(number);
    // sync board.slot release: the number of the value before, or a writer that dies here may leave none; and this
    // comes before each word that follows, because those are stored with release as well
    mem_.template store<Order::release, Site::slot_begun>(reinterpret_cast<std::uint64_t*>(slot), number);
    const std::uint64_t what = std::uint64_t{value.size()} << 32 | type;
    // sync board.slot release: as of the words of the value
    mem_.template store<Order::release, Site::slot_word>(reinterpret_cast<std::uint64_t*>(slot + 8), what);
    store_words(mem_, slot + sizeof(SlotHeader), value.data(), value.size());
    // sync board.latest release: the value before its number
    mem_.template store<Order::release, Site::latest>(reinterpret_cast<std::uint64_t*>(base_ + board_words_offset),
                                                      number);
    written_ = number;
    return number;
  }

  // The word that changes with each value: to sleep on, in a mapping of one's own.
  [[nodiscard]] static const std::uint32_t* news(const std::byte* base) noexcept {
    return reinterpret_cast<const std::uint32_t*>(base + board_words_offset);
  }
  [[nodiscard]] std::uint64_t written() const noexcept { return written_; }
  [[nodiscard]] const BoardGeometry& geometry() const noexcept { return geometry_; }

 private:
  [[no_unique_address]] Mem mem_;
  std::byte* base_;
  BoardGeometry geometry_;
  std::uint64_t written_;
};

}  // namespace symphony::detail
