// A set of pools' places.   Layer: pits/pool_manager. Threads: one at a time.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "pits/pool_manager/limits.hpp"

namespace symphony::pit::pools {

class PlaceSet {
 public:
  void set(std::uint32_t place) noexcept { words_[place / 64] |= std::uint64_t{1} << (place % 64); }
  void reset(std::uint32_t place) noexcept { words_[place / 64] &= ~(std::uint64_t{1} << (place % 64)); }
  void set_all() noexcept { words_.fill(~std::uint64_t{0}); }
  void reset_all() noexcept { words_.fill(0); }
  // The first that is at least `place`; no_place: there is no such.
  [[nodiscard]] std::uint32_t next(std::uint32_t place) const noexcept {
    for (std::size_t w = place / 64; w < words_.size(); ++w, place = 0) {
      const std::uint64_t left = words_[w] >> (place % 64) << (place % 64);
      if (left != 0) return static_cast<std::uint32_t>(w * 64) + static_cast<std::uint32_t>(std::countr_zero(left));
    }
    return no_place;
  }

 private:
  std::array<std::uint64_t, 4> words_{};
};

}  // namespace symphony::pit::pools
