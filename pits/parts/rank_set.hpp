// A set of small integers that gives its least member: a tree of 64-way bit maps.   Layer: pits/parts.
//
// A tracker sorts its tasks once by priority and puts their ranks in here: the least rank is the task to hand out next.
// insert and take_min touch one word a level (four levels hold 16 million ranks); a heap would compare and swap.
// Invariant: bit b of word w on level k + 1 is set exactly when word 64 w + b of level k is not 0.
// Threads: one at a time.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace symphony::pit::parts {

class RankSet {
 public:
  // Empties the set and makes room for ranks 0 .. size - 1.
  void reset(std::uint32_t size) {
    levels_ = 0;
    std::size_t words = 0;
    std::uint64_t here = size;
    do {
      here = (here + 63) / 64;
      base_[levels_++] = words;
      words += static_cast<std::size_t>(here);
    } while (here > 1);
    words_.assign(words, 0);
  }

  [[nodiscard]] bool empty() const noexcept { return words_.empty() || words_.back() == 0; }

  // Precondition: rank < the size given to reset().
  void insert(std::uint32_t rank) noexcept {
    for (unsigned level = 0; level < levels_; ++level) {
      std::uint64_t& word = words_[base_[level] + (rank >> 6)];
      const std::uint64_t before = word;
      word |= std::uint64_t{1} << (rank & 63);
      if (before != 0) return;
      rank >>= 6;
    }
  }

  // Precondition: rank is a member.
  void erase(std::uint32_t rank) noexcept {
    for (unsigned level = 0; level < levels_; ++level) {
      std::uint64_t& word = words_[base_[level] + (rank >> 6)];
      word &= ~(std::uint64_t{1} << (rank & 63));
      if (word != 0) return;
      rank >>= 6;
    }
  }

  // Removes the least member and returns it. Precondition: !empty().
  std::uint32_t take_min() noexcept {
    std::uint32_t at = 0;
    for (unsigned level = levels_; level-- > 0;) {
      at = at << 6 | static_cast<std::uint32_t>(std::countr_zero(words_[base_[level] + at]));
    }
    std::uint32_t rank = at;
    for (unsigned level = 0; level < levels_; ++level) {
      std::uint64_t& word = words_[base_[level] + (rank >> 6)];
      word &= ~(std::uint64_t{1} << (rank & 63));
      if (word != 0) break;
      rank >>= 6;
    }
    return at;
  }

 private:
  static constexpr unsigned levels_max = 6;  // 64^6 exceeds every 32-bit rank
  std::size_t base_[levels_max] = {};        // first word of each level; the last level is one word
  unsigned levels_ = 0;
  std::vector<std::uint64_t> words_;
};

}  // namespace symphony::pit::parts
