// The limit that streams are compared with: fixed slots, positions published every 4 KiB.   Layer: bench.
//
// No headers, no sizes, no look at a peer that may sleep: what is left is writing lines on one core and reading them on
// another, with flow control at the coarsest grain that still streams. Messages of 4 KiB and more are published each.
// Threads: one producer, one consumer. Both trust each other.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "bus/base/platform.hpp"

namespace symphony::bench {

// Polls between two questions whether to give up.
inline constexpr int polls_per_question = 1024;

// Polls until ready(), asking give_up() seldom. False: it said so.
template <class Ready, class GiveUp>
[[nodiscard]] bool wait_for(Ready&& ready, GiveUp&& give_up) noexcept {
  for (;;) {
    for (int i = 0; i < polls_per_question; ++i) {
      if (ready()) return true;
      detail::cpu_relax();
    }
    if (give_up()) return false;
  }
}

template <std::size_t size>
class RawSlots {
 public:
  static constexpr std::uint64_t publish_bytes = 4096;
  static constexpr std::uint64_t publish_every = std::max<std::uint64_t>(1, publish_bytes / size);

  // `published` belongs to the producer, `consumed` to the consumer, on lines of their own; all zero at the start.
  RawSlots(std::byte* slots, std::size_t bytes, std::uint64_t* published, std::uint64_t* consumed) noexcept
      : slots_(slots), count_(bytes / size), published_(published), consumed_(consumed) {}

  // Calls write(slot, number) for `count` slots in order, each a whole slot of bytes.
  template <class Write, class GiveUp>
  [[nodiscard]] bool send(std::uint64_t count, Write&& write, GiveUp&& give_up) noexcept {
    for (const std::uint64_t end = next_ + count; next_ != end;) {
      if (next_ - seen_ == count_) {
        publish();
        const auto freed = [&] {
          // sync raw_slots.consumed acquire: the consumer has read what is overwritten from here on.
          seen_ = std::atomic_ref(*consumed_).load(std::memory_order_acquire);
          return next_ - seen_ != count_;
        };
        if (!wait_for(freed, give_up)) return false;
      }
      write(slot(next_), next_);
      if (++next_ % publish_every == 0) publish();
    }
    publish();
    return true;
  }

  // Calls read(slot, number) for `count` slots in order.
  template <class Read, class GiveUp>
  [[nodiscard]] bool receive(std::uint64_t count, Read&& read, GiveUp&& give_up) noexcept {
    for (const std::uint64_t end = next_ + count; next_ != end;) {
      if (next_ == seen_) {
        const auto arrived = [&] {
          // sync raw_slots.published acquire: the slots below it may be read.
          seen_ = std::atomic_ref(*published_).load(std::memory_order_acquire);
          return next_ != seen_;
        };
        if (!wait_for(arrived, give_up)) return false;
      }
      read(slot(next_), next_);
      if (++next_ % publish_every == 0) consume();
    }
    consume();
    return true;
  }

 private:
  [[nodiscard]] std::byte* slot(std::uint64_t number) const noexcept { return slots_ + (number & (count_ - 1)) * size; }
  void publish() noexcept {
    // sync raw_slots.published release: the slots below it are written.
    std::atomic_ref(*published_).store(next_, std::memory_order_release);
  }
  void consume() noexcept {
    // sync raw_slots.consumed release: we have read the slots below it.
    std::atomic_ref(*consumed_).store(next_, std::memory_order_release);
  }

  std::byte* slots_;
  std::uint64_t count_;  // a power of two, like the ring and the size
  std::uint64_t* published_;
  std::uint64_t* consumed_;
  std::uint64_t next_ = 0;
  std::uint64_t seen_ = 0;  // the other side's word
};

}  // namespace symphony::bench
