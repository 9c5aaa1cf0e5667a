// Points in time by small numbers, the earliest first: a binary heap that knows where each stands.   Layer:
// pits/pool_manager.
//
// The contract arms 1,024 timers at most; the pit arms one, for the earliest of these. Equal times come by number, so
// that the order does not depend on how the heap grew. Threads: one at a time.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace symphony::pit::pools {

class Deadlines {
 public:
  static constexpr std::uint64_t never = ~std::uint64_t{0};

  // The earliest; never where there is none.
  [[nodiscard]] std::uint64_t next_ns() const noexcept { return heap_.empty() ? never : heap_.front().at_ns; }
  [[nodiscard]] std::uint32_t next_id() const noexcept { return heap_.front().id; }  // precondition: there is one

  // Replaces what `id` had; `never` takes it out.
  void set(std::uint32_t id, std::uint64_t at_ns) {
    if (at_ns == never) return clear(id);
    if (id >= place_.size()) place_.resize(id + 1, absent);
    std::uint32_t place = place_[id];
    if (place == absent) {
      place = static_cast<std::uint32_t>(heap_.size());
      heap_.push_back({at_ns, id});
      place_[id] = place;
    } else {
      heap_[place].at_ns = at_ns;
    }
    down(up(place));
  }

  void clear(std::uint32_t id) noexcept {
    if (id >= place_.size() || place_[id] == absent) return;
    const std::uint32_t place = std::exchange(place_[id], absent);
    const Item last = heap_.back();
    heap_.pop_back();
    if (place == heap_.size()) return;
    put(place, last);
    down(up(place));
  }

 private:
  static constexpr std::uint32_t absent = 0xFFFFFFFF;
  struct Item {
    std::uint64_t at_ns;
    std::uint32_t id;
    [[nodiscard]] bool before(const Item& other) const noexcept {
      return at_ns != other.at_ns ? at_ns < other.at_ns : id < other.id;
    }
  };

  void put(std::uint32_t place, const Item& item) noexcept {
    heap_[place] = item;
    place_[item.id] = place;
  }
  std::uint32_t up(std::uint32_t place) noexcept {
    const Item item = heap_[place];
    while (place > 0 && item.before(heap_[(place - 1) / 2])) {
      put(place, heap_[(place - 1) / 2]);
      place = (place - 1) / 2;
    }
    put(place, item);
    return place;
  }
  void down(std::uint32_t place) noexcept {
    const Item item = heap_[place];
    for (;;) {
      std::uint32_t child = 2 * place + 1;
      if (child >= heap_.size()) break;
      if (child + 1 < heap_.size() && heap_[child + 1].before(heap_[child])) ++child;
      if (!heap_[child].before(item)) break;
      put(place, heap_[child]);
      place = child;
    }
    put(place, item);
  }

  std::vector<Item> heap_;
  std::vector<std::uint32_t> place_;  // of each id in the heap
};

}  // namespace symphony::pit::pools
