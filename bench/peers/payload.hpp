// What the messages of a comparison carry: every word depends on the message's number.   Layer: bench.
// Written whole and read whole, by the same code for every peer. Sizes are multiples of 8 and known at run time only.
// Threads: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace symphony::bench::peers {

inline constexpr std::size_t size_min = 8;
inline constexpr std::size_t size_max = 64 * 1024;

// Word i of message `number` is number + i. `at` may be unaligned: some libraries give such memory.
inline void fill(void* at, std::size_t size, std::uint64_t number) noexcept {
  auto* const bytes = static_cast<std::byte*>(at);
  for (std::size_t i = 0; i < size / sizeof number; ++i) {
    const std::uint64_t word = number + i;
    std::memcpy(bytes + i * sizeof word, &word, sizeof word);
  }
}

// Reads all words; true when their sum and the first one are those of message `number`.
[[nodiscard]] inline bool is_right(const void* at, std::size_t size, std::uint64_t number) noexcept {
  const auto* const bytes = static_cast<const std::byte*>(at);
  const std::uint64_t words = size / sizeof number;
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < words; ++i) {
    std::uint64_t word;
    std::memcpy(&word, bytes + i * sizeof word, sizeof word);
    sum += word;
  }
  std::uint64_t head;
  std::memcpy(&head, bytes, sizeof head);
  return head == number && sum == words * number + words * (words - 1) / 2;
}

}  // namespace symphony::bench::peers
