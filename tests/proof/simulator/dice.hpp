// Chance from one seed, and a queue that keeps its memory.   Layer: tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace symphony::proof {

class Dice {
 public:
  explicit Dice(std::uint64_t seed = 0) noexcept : state_(seed * 0x9e3779b97f4a7c15 + 0x632be59bd9b4e019) {}
  std::uint64_t next() noexcept {  // splitmix64
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  // 0 to count - 1; count is not 0.
  std::uint64_t below(std::uint64_t count) noexcept { return ((next() >> 32) * count) >> 32; }
  bool one_in(std::uint64_t count) noexcept { return below(count) == 0; }

 private:
  std::uint64_t state_;
};

template <class T>
class Queue {
 public:
  [[nodiscard]] bool empty() const noexcept { return head_ == items_.size(); }
  [[nodiscard]] std::size_t size() const noexcept { return items_.size() - head_; }
  void push(T item) { items_.push_back(std::move(item)); }
  [[nodiscard]] T& front() noexcept { return items_[head_]; }
  T pop() {
    T item = std::move(items_[head_]);
    if (++head_ == items_.size()) clear();
    return item;
  }
  // What is left is the first `count`.
  void keep(std::size_t count) {
    if (count == 0) return clear();
    if (count < size()) items_.erase(items_.begin() + static_cast<std::ptrdiff_t>(head_ + count), items_.end());
  }
  void clear() noexcept {
    items_.clear();
    head_ = 0;
  }

 private:
  std::vector<T> items_;
  std::size_t head_ = 0;
};

}  // namespace symphony::proof
