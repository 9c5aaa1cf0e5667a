// The tasks that rest before they are tried again, by when they are due.   Layer: pits/dag_tracker.
// Threads: one at a time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace symphony::pit::tracker {

class Resting {
 public:
  static constexpr std::uint64_t never = ~std::uint64_t{0};

  [[nodiscard]] bool empty() const noexcept { return heap_.empty(); }
  [[nodiscard]] std::uint64_t next_ns() const noexcept { return heap_.empty() ? never : heap_.front().first; }
  // So that the next add() does not fail.
  void make_room() {
    if (heap_.size() == heap_.capacity()) heap_.reserve(heap_.capacity() * 2 + 16);
  }
  // Precondition: make_room() was called.
  void add(std::uint32_t task, std::uint64_t due_ns) noexcept {
    heap_.emplace_back(due_ns, task);
    std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
  }
  // Takes the one that is due first, equal ones by number. Precondition: !empty().
  std::uint32_t take() noexcept {
    std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
    const std::uint32_t task = heap_.back().second;
    heap_.pop_back();
    return task;
  }
  void drop(std::uint32_t task) noexcept {
    std::erase_if(heap_, [task](const auto& one) { return one.second == task; });
    std::make_heap(heap_.begin(), heap_.end(), std::greater<>());
  }
  // 0 where it does not rest. Linear.
  [[nodiscard]] std::uint64_t due_ns(std::uint32_t task) const noexcept {
    const auto at = std::find_if(heap_.begin(), heap_.end(), [task](const auto& one) { return one.second == task; });
    return at == heap_.end() ? 0 : at->first;
  }
  // Each is due so much later, or earlier: the clock was set.
  void shift(std::uint64_t from_ns, std::uint64_t to_ns) noexcept {
    for (auto& one : heap_) one.first = one.first - from_ns + to_ns;
  }
  // By task.
  [[nodiscard]] std::vector<std::pair<std::uint32_t, std::uint64_t>> all() const {
    std::vector<std::pair<std::uint32_t, std::uint64_t>> out;
    for (const auto& one : heap_) out.emplace_back(one.second, one.first);
    std::sort(out.begin(), out.end());
    return out;
  }

 private:
  std::vector<std::pair<std::uint64_t, std::uint32_t>> heap_;
};

}  // namespace symphony::pit::tracker
