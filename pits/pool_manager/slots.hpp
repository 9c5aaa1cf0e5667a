// Places in a table, the lowest free one first: which is next depends on which are taken, not on how that came. Layer:
// pits/pool_manager. Threads: one at a time.
#pragma once

#include <cstdint>
#include <vector>

#include "pits/parts/rank_set.hpp"
#include "pits/pool_manager/limits.hpp"

namespace symphony::pit::pools {

template <class T>
class Slots {
 public:
  explicit Slots(std::uint32_t max) : max_(max) { free_.reset(max); }

  [[nodiscard]] bool full() const noexcept { return count_ == max_; }
  [[nodiscard]] std::uint32_t count() const noexcept { return count_; }
  // Places below this may be taken.
  [[nodiscard]] std::uint32_t end() const noexcept { return static_cast<std::uint32_t>(all_.size()); }
  [[nodiscard]] T& operator[](std::uint32_t place) noexcept { return all_[place]; }
  [[nodiscard]] const T& operator[](std::uint32_t place) const noexcept { return all_[place]; }

  // Precondition: !full(). The element is as give() left it.
  [[nodiscard]] std::uint32_t take() {
    ++count_;
    if (!free_.empty()) return free_.take_min();
    all_.emplace_back();
    return end() - 1;
  }
  void give(std::uint32_t place) noexcept {
    --count_;
    free_.insert(place);
  }
  // While loading: takes a place behind all that are taken.
  [[nodiscard]] bool take_at(std::uint32_t place) {
    if (place >= max_ || place < end()) return false;
    for (std::uint32_t skipped = end(); skipped < place; ++skipped) free_.insert(skipped);
    all_.resize(place + 1);
    ++count_;
    return true;
  }

 private:
  std::uint32_t max_;
  std::uint32_t count_ = 0;
  std::vector<T> all_;
  parts::RankSet free_;
};

}  // namespace symphony::pit::pools
