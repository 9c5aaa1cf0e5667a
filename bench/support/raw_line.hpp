// The limit that a request and its reply through shared memory are compared with.   Layer: bench.
//
// Flag and data stand in the same cache line (or lines, for bodies above 56 bytes), each message takes the next line of
// its side, and there is no flow control: what is left is the transfer of lines between two cores. Lines rotate because
// the cost of a single fixed line depends on where it happens to lie.
// Message n is number n of either side, from 1; slots are used again when their reply was read, so nothing is lost.
// Threads: one thread a side. Both sides trust each other.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "bus/base/platform.hpp"

namespace symphony::bench {

template <std::size_t body_size>
class RawLine {
 public:
  static_assert(body_size % sizeof(std::uint64_t) == 0);
  using Body = std::array<std::uint64_t, body_size / sizeof(std::uint64_t)>;

  // Polls between two questions whether to give up.
  static constexpr int polls_per_question = 1024;

  // Precondition: both areas have `bytes` bytes, a power of two of at least 4 KiB, are page-aligned, and were zero
  // before message 1.
  RawLine(std::byte* own, std::byte* peer, std::size_t bytes) noexcept
      : own_(reinterpret_cast<Slot*>(own)), peer_(reinterpret_cast<Slot*>(peer)), mask_(bytes / sizeof(Slot) - 1) {}

  void write(std::uint64_t number, const Body& body) noexcept {
    Slot& slot = own_[number & mask_];
    slot.body = body;
    // sync yardstick.line release: the body is there for whoever sees its number.
    std::atomic_ref(slot.flag).store(number, std::memory_order_release);
  }

  [[nodiscard]] bool try_read(std::uint64_t number, Body& body) noexcept {
    Slot& slot = peer_[number & mask_];
    // sync yardstick.line acquire: from here the body may be read.
    if (std::atomic_ref(slot.flag).load(std::memory_order_acquire) != number) return false;
    body = slot.body;
    return true;
  }

  // Spins until message `number` is there; false: give_up() said so. It is asked seldom.
  template <class GiveUp>
  [[nodiscard]] bool wait_read(std::uint64_t number, Body& body, GiveUp&& give_up) noexcept {
    for (;;) {
      for (int i = 0; i < polls_per_question; ++i) {
        if (try_read(number, body)) return true;
        detail::cpu_relax();
      }
      if (give_up()) return false;
    }
  }

  // A request with data of its own and its reply, which must be the same data.
  template <class GiveUp>
  [[nodiscard]] bool round_trip(std::uint64_t number, GiveUp&& give_up) noexcept {
    Body body;
    for (std::size_t i = 0; i < body.size(); ++i) body[i] = number + i;
    write(number, body);
    if (!wait_read(number, body, give_up)) return false;
    std::uint64_t wrong = 0;
    for (std::size_t i = 0; i < body.size(); ++i) wrong |= body[i] ^ (number + i);
    return wrong == 0;
  }

  // The other side: reads a request and sends its data back.
  template <class GiveUp>
  [[nodiscard]] bool answer(std::uint64_t number, GiveUp&& give_up) noexcept {
    Body body;
    if (!wait_read(number, body, give_up)) return false;
    write(number, body);
    return true;
  }

 private:
  struct alignas(detail::cache_line_size) Slot {
    std::uint64_t flag;
    Body body;
  };
  static_assert((sizeof(Slot) & (sizeof(Slot) - 1)) == 0, "so that a power of two of bytes holds whole slots");

  Slot* own_;
  Slot* peer_;
  std::uint64_t mask_;
};

}  // namespace symphony::bench
