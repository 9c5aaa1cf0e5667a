// Handles of the C ABI: numbers for objects, so that one that was closed is an error and no crash.   Layer: bindings.
// Invariants:
//   H1  a place's word is its round (odd while in use), whether it is closing, whether somebody has it alone, and pins
//   H2  who holds a pin sees the object; the last pin of a closing place destroys it, and the round rises
//   H3  an object of before a fork() is never touched in the child
// Threads: any; no locks, so that a fork() at any moment leaves none behind.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include <symphony.h>

namespace symphony::c_abi {

// How many fork() lie between this process and the one that loaded the library.
[[nodiscard]] std::uint32_t forks() noexcept;
void watch_forks() noexcept;  // from now on

template <class T, std::size_t places_max>
class Handles {
 public:
  class Pin {
   public:
    Pin(Pin&& other) noexcept
        : table_(std::exchange(other.table_, nullptr)),
          place_(other.place_),
          mine_(other.mine_),
          status_(other.status_) {}
    Pin& operator=(Pin&&) = delete;
    ~Pin() {
      if (table_ != nullptr) table_->leave(place_, mine_);
    }
    [[nodiscard]] explicit operator bool() const noexcept { return table_ != nullptr; }
    [[nodiscard]] std::int32_t status() const noexcept { return status_; }  // why there is none
    [[nodiscard]] T& operator*() const noexcept { return *operator->(); }
    [[nodiscard]] T* operator->() const noexcept { return table_->places_[place_].object.get(); }

   private:
    friend class Handles;
    explicit Pin(std::int32_t status) noexcept : status_(status) {}
    Pin(Handles* table, std::size_t place, std::uint64_t mine) noexcept : table_(table), place_(place), mine_(mine) {}
    Handles* table_ = nullptr;
    std::size_t place_ = 0;
    std::uint64_t mine_ = 0;
    std::int32_t status_ = SYMPHONY_OK;
  };

  // A handle for the object; 0: all places are taken.
  [[nodiscard]] std::uint64_t put(std::unique_ptr<T> object) noexcept {
    watch_forks();
    for (std::size_t i = 0; i < places_max; ++i) {
      Place& place = places_[i];
      // relaxed: only a guess; the exchange decides.
      std::uint64_t word = place.word.load(std::memory_order_relaxed);
      if ((word & in_use) != 0) continue;
      // sync handle.free acquire: what the last user of the place did to it.
      if (!place.word.compare_exchange_strong(word, (word + one_round) | closing, std::memory_order_acquire)) continue;
      place.object = std::move(object);
      // relaxed: published with the word below.
      place.forks.store(forks(), std::memory_order_relaxed);
      // sync handle.put release: who pins it sees the object.
      place.word.store(word + one_round, std::memory_order_release);
      return ((word + one_round) & rounds) | i;
    }
    return 0;
  }

  // The object, alone or with others; nothing: CLOSED, FORKED, or BUSY where somebody has it alone.
  [[nodiscard]] Pin enter(std::uint64_t handle, bool alone) noexcept {
    const std::size_t index = handle & ~rounds;
    if ((handle & in_use) == 0 || index >= places_max) return Pin(SYMPHONY_E_CLOSED);
    Place& place = places_[index];
    const std::uint64_t mine = alone ? 1 | taken : 1;
    // sync handle.put acquire: before which process's place it is.
    std::uint64_t word = place.word.load(std::memory_order_acquire);
    for (;;) {
      if ((word & rounds) != (handle & rounds) || (word & closing) != 0) return Pin(SYMPHONY_E_CLOSED);
      // relaxed: of this round, or the exchange below fails.
      if (place.forks.load(std::memory_order_relaxed) != forks()) return Pin(SYMPHONY_FORKED);
      if (alone && (word & taken) != 0) return Pin(SYMPHONY_E_BUSY);
      // sync handle.put acquire: the object, and what who had it alone before did to it.
      if (place.word.compare_exchange_weak(word, word + mine, std::memory_order_acquire)) {
        return Pin(this, index, mine);
      }
    }
  }

  // No new pins; the object goes with the last one. In a forked child the object is left as it is.
  [[nodiscard]] std::int32_t close(std::uint64_t handle, bool alone) noexcept {
    Pin pin = enter(handle, alone);
    if (pin.status() == SYMPHONY_FORKED) return retire(handle);
    if (!pin) return pin.status();
    // sync handle.put acq_rel: the first who closes it.
    const std::uint64_t before = places_[pin.place_].word.fetch_or(closing, std::memory_order_acq_rel);
    return (before & closing) != 0 ? SYMPHONY_E_CLOSED : SYMPHONY_OK;
  }

 private:
  static constexpr std::uint64_t one_round = std::uint64_t{1} << 32;
  static constexpr std::uint64_t in_use = one_round;
  static constexpr std::uint64_t rounds = ~(one_round - 1);
  static constexpr std::uint64_t closing = std::uint64_t{1} << 31;
  static constexpr std::uint64_t taken = std::uint64_t{1} << 30;

  struct alignas(64) Place {
    std::atomic<std::uint64_t> word{0};
    std::unique_ptr<T> object;
    std::atomic<std::uint32_t> forks{0};
  };

  void leave(std::size_t index, std::uint64_t mine) noexcept {
    Place& place = places_[index];
    // sync handle.put acq_rel: what this one did to it, for the next one, or for who destroys it.
    const std::uint64_t left = place.word.fetch_sub(mine, std::memory_order_acq_rel) - mine;
    if ((left & closing) == 0 || (left & ~rounds & ~closing) != 0) return;
    place.object.reset();
    // sync handle.free release: the place is empty.
    place.word.store((left & rounds) + one_round, std::memory_order_release);
  }

  [[nodiscard]] std::int32_t retire(std::uint64_t handle) noexcept {
    Place& place = places_[handle & ~rounds];
    (void)place.object.release();
    // sync handle.free release: the place is empty; what threads of the parent held is not held here.
    place.word.store((handle & rounds) + one_round, std::memory_order_release);
    return SYMPHONY_OK;
  }

  std::array<Place, places_max> places_;
};

// A table that stays until the process is gone: at its exit other threads may be inside, and a broker's helper process
// sees the end by itself.
template <class T, std::size_t places_max>
union Lasting {
  constexpr Lasting() : table{} {}
  ~Lasting() {}  // NOLINT(modernize-use-equals-default)
  Handles<T, places_max> table;
};

}  // namespace symphony::c_abi
