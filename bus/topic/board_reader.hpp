// A reading end of a board; there may be any number.   Layer: topic.
//
// A read copies the value out and then looks whether it was that value all the time. It stores nothing, so the writer
// does not know of it. Threads: one a reader. No call blocks or allocates.
// Trust: the writer may be hostile; every word is read once and then checked. It can show wrong values, other values to
// each reader, and keep a reader from getting one (`overwritten`); it cannot make one read outside, or without end.
// Format: docs/formats/board.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "bus/base/check.hpp"
#include "bus/ring/mem.hpp"
#include "bus/topic/layout.hpp"
#include "bus/topic/words.hpp"

namespace symphony::detail {

enum class BoardRead : std::uint8_t {
  value,        // here it is
  none,         // it has not been written yet
  overwritten,  // its slot holds, or is about to hold, a newer one
  fault,        // a size that no honest writer stores
};

struct BoardValue {
  std::uint64_t number = 0;
  std::uint32_t type = 0;
  std::uint32_t size = 0;  // bytes of `into` that were filled
};

template <class Mem>
class BoardReader {
 public:
  // How often read_latest() begins again before it says `overwritten`: only a writer that completes three values in the
  // time of each copy keeps it so long.
  static constexpr int tries_max = 64;

  // Precondition: geometry.size() bytes at `base`, cache-line aligned, mapped as long as this lives.
  BoardReader(const std::byte* base, const BoardGeometry& geometry, Mem mem = {}) noexcept
      : mem_(mem), base_(base), geometry_(geometry) {
    SYMPHONY_DCHECK(is_board_geometry(geometry));
  }

  // The number of the newest value; 0: there is none yet.
  [[nodiscard]] std::uint64_t latest() const noexcept {
    // sync board.latest acquire: that value was stored before its number
    return mem_.template load<Order::acquire, Site::latest>(
        reinterpret_cast<const std::uint64_t*>(base_ + board_words_offset));
  }

  // The value of that number. Precondition: `into` has room for value_size_max; number >= 1, at most what latest()
  // said. Other than `value`: what `into` holds means nothing.
  [[nodiscard]] BoardRead read(std::uint64_t number, std::span<std::byte> into, BoardValue& out) const noexcept {
    SYMPHONY_DCHECK(into.size() >= geometry_.value_size_max);
    const std::byte* const slot = base_ + geometry_.slot(number);
    // sync board.slot acquire: as of the words of the value
    const auto what = mem_.template load<Order::acquire, Site::slot_word>(
        reinterpret_cast<const std::uint64_t*>(slot + offsetof(SlotHeader, type)));
    const auto size = static_cast<std::uint32_t>(what >> 32);
    const bool fits = size <= geometry_.value_size_max;
    if (fits) load_words(mem_, into.data(), slot + sizeof(SlotHeader), size);
    // relaxed: every word above was loaded with acquire, so this comes after them and is no older than they are.
    const auto begun =
        mem_.template load<Order::relaxed, Site::slot_begun>(reinterpret_cast<const std::uint64_t*>(slot));
    if (begun != number) return BoardRead::overwritten;
    if (!fits) return BoardRead::fault;
    out = {number, static_cast<std::uint32_t>(what), size};
    return BoardRead::value;
  }

  // The newest value. Precondition: as of read().
  [[nodiscard]] BoardRead read_latest(std::span<std::byte> into, BoardValue& out) const noexcept {
    for (int tries = 0; tries < tries_max; ++tries) {
      const std::uint64_t number = latest();
      if (number == 0) return BoardRead::none;
      if (const BoardRead read_now = read(number, into, out); read_now != BoardRead::overwritten) return read_now;
    }
    return BoardRead::overwritten;
  }

  [[nodiscard]] const BoardGeometry& geometry() const noexcept { return geometry_; }

 private:
  [[no_unique_address]] Mem mem_;
  const std::byte* base_;
  BoardGeometry geometry_;
};

}  // namespace symphony::detail
