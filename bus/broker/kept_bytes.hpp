// Numbers of what one broker leaves to the next, to bytes and back.   Layer: broker. Threads: plain values.
// Read by brokers of the same program only; checked all the same: after the first thing that is wrong nothing is read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <vector>

namespace symphony::detail::broker {

struct KeptWriter {
  std::vector<std::byte> out;

  template <class T>
  void number(T value) {
    static_assert(std::is_trivially_copyable_v<T> && !std::is_pointer_v<T>);
    const auto* first = reinterpret_cast<const std::byte*>(&value);
    out.insert(out.end(), first, first + sizeof(T));
  }
  void bytes(std::span<const std::byte> b) {
    number(static_cast<std::uint32_t>(b.size()));
    out.insert(out.end(), b.begin(), b.end());
  }
};

struct KeptReader {
  std::span<const std::byte> in;
  bool ok = true;

  template <class T>
  void number(T& value) {
    ok = ok && in.size() >= sizeof(T);
    if (!ok) return;
    std::memcpy(&value, in.data(), sizeof(T));
    in = in.subspan(sizeof(T));
  }
  template <class E>
  void one_of(E& value, E last) {
    number(value);
    ok = ok && static_cast<std::uint8_t>(value) <= static_cast<std::uint8_t>(last);
    if (!ok) value = E{};
  }
  std::span<const std::byte> bytes(std::size_t size_max) {
    std::uint32_t size = 0;
    number(size);
    ok = ok && size <= in.size() && size <= size_max;
    if (!ok) return {};
    const auto out = in.first(size);
    in = in.subspan(size);
    return out;
  }
};

}  // namespace symphony::detail::broker
