// A ring whose positions have 8 bits and whose lines have 8 bytes, over a policy that answers each load with a chosen
// value.   Layer: tests.
//
// Small enough that every state can be gone through: a position wraps after 32 lines. States are reached by the public
// operations and copied by value, so nothing is assumed about the private members. Threads: one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "bus/ring/consumer.hpp"
#include "bus/ring/producer.hpp"

namespace symphony::narrow {

using detail::Order;
using detail::Poll;
using detail::RingFault;
using detail::Site;

struct Ring {
  using Position = std::uint8_t;
  static constexpr Position line = 8;
};

inline constexpr int line = 8;
inline constexpr int header = 8;
inline constexpr int positions = 256;
inline constexpr std::uint32_t salt = 0x0005'a170;
inline constexpr int capacities[] = {32, 64, 128};

// The memory of one ring and what the peer answers.
struct Machine {
  alignas(8) std::array<std::byte, 128> data{};
  int capacity = 0;
  std::uint8_t freed = 0;                  // answer of a load of the consumer's word
  std::array<std::uint64_t, 4> headers{};  // answers of the next loads of headers
  int loads = 0;
  bool outside = false;  // a store outside the ring

  [[nodiscard]] std::uint64_t header_at(int position) const {
    std::uint64_t value = 0;
    std::memcpy(&value, &data[static_cast<std::size_t>(position % capacity)], sizeof value);
    return value;
  }
};

struct Mem {
  Machine* machine;

  template <Order, Site site, class T>
  [[nodiscard]] T load(const T*) const noexcept {
    const int load = machine->loads++;
    if constexpr (site == Site::header) return load < 4 ? machine->headers[static_cast<std::size_t>(load)] : 0;
    return static_cast<T>(machine->freed);
  }
  template <Order, Site site, class T>
  void store(T* word, T value) const noexcept {
    if constexpr (sizeof(T) != 8) return;  // control words have 8 bits here
    const std::ptrdiff_t offset = reinterpret_cast<const std::byte*>(word) - machine->data.data();
    if (offset < 0 || offset + 8 > machine->capacity) {
      machine->outside = true;
      return;
    }
    std::memcpy(word, &value, sizeof value);
  }
};

using Producer = detail::Producer<Mem, Ring>;
using Consumer = detail::Consumer<Mem, Ring>;

// Positions of a history as whole numbers: what the 8-bit ones are remainders of.
struct Exact {
  int freed = 0;
  int published = 0;
  int staged = 0;
};

[[nodiscard]] inline int stride_of(int size) { return (size + header + line - 1) / line * line; }
[[nodiscard]] inline int pad_before(int position, int stride, int capacity) {
  const int room = capacity - position % capacity;
  return stride > room ? room : 0;
}

}  // namespace symphony::narrow
