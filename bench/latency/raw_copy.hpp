// The limit that a large message is compared with: memcpy into shared memory, a flag, memcpy out of it.   Layer: bench.
//
// Each side has `slots` places of its own and takes the next one for each message. With one, the memory that is copied
// to and from stays in the caches; with as many as a ring holds, a copy moves on through memory as a ring does. Message
// n is number n of either side, from 1. Threads: one thread a side. Both sides trust each other.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "bus/base/platform.hpp"

namespace symphony::bench {

class RawCopy {
 public:
  // Of the memory of one side: the flag's page, then the slots.
  [[nodiscard]] static constexpr std::size_t bytes_of(std::size_t size, std::size_t slots) noexcept {
    return detail::page_size + slots * size;
  }
  static constexpr int polls_per_question = 1024;

  // Precondition: both areas have bytes_of(size, slots) bytes, page-aligned, and were zero before message 1.
  RawCopy(std::byte* own, std::byte* peer, std::size_t size, std::size_t slots) noexcept
      : own_(own), peer_(peer), size_(size), slots_(slots) {}

  // A request and its reply, each of `size` bytes. False: give_up() said so.
  template <class GiveUp>
  [[nodiscard]] bool round_trip(std::uint64_t number, std::span<const std::byte> body, std::span<std::byte> into,
                                GiveUp&& give_up) noexcept {
    write(number, body);
    return read(number, into, give_up);
  }
  // The other side: `through` is its own memory, between the request and the reply.
  template <class GiveUp>
  [[nodiscard]] bool answer(std::uint64_t number, std::span<std::byte> through, GiveUp&& give_up) noexcept {
    if (!read(number, through, give_up)) return false;
    write(number, through);
    return true;
  }

 private:
  [[nodiscard]] std::size_t place(std::uint64_t number) const noexcept {
    return detail::page_size + number % slots_ * size_;
  }
  [[nodiscard]] static std::uint64_t& flag(std::byte* area) noexcept { return *reinterpret_cast<std::uint64_t*>(area); }

  void write(std::uint64_t number, std::span<const std::byte> body) noexcept {
    std::memcpy(own_ + place(number), body.data(), size_);
    // sync bench.copy release: the body is there for whoever sees its number.
    std::atomic_ref(flag(own_)).store(number, std::memory_order_release);
  }
  template <class GiveUp>
  [[nodiscard]] bool read(std::uint64_t number, std::span<std::byte> into, GiveUp&& give_up) noexcept {
    for (int polls = 0;; ++polls) {
      // sync bench.copy acquire: from here the body may be read.
      if (std::atomic_ref(flag(peer_)).load(std::memory_order_acquire) == number) break;
      detail::cpu_relax();
      if (polls == polls_per_question) {
        if (give_up()) return false;
        polls = 0;
      }
    }
    std::memcpy(into.data(), peer_ + place(number), size_);
    return true;
  }

  std::byte* own_;
  std::byte* peer_;
  std::size_t size_;
  std::size_t slots_;
};

}  // namespace symphony::bench
