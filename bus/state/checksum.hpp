// Tells damaged bytes from whole ones: 64 bits over 8-byte words.   Layer: state. Threads: a plain value.
// Each step is a bijection of the running value and of the word, so any change within one word is found for certain,
// others but for one in 2^64. Against accidents, not against forgers. Words are little-endian.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace symphony::detail {

class Checksum {
 public:
  // Of `size` bytes in all; the place says where they belong.
  Checksum(std::uint64_t place, std::uint64_t size) noexcept : value_(place) { mix(size); }

  // Parts but the last are a multiple of 8 bytes long; what the last one lacks counts as zeros.
  Checksum& add(std::span<const std::byte> bytes) noexcept {
    for (; bytes.size() >= sizeof(std::uint64_t); bytes = bytes.subspan(sizeof(std::uint64_t))) {
      std::uint64_t word = 0;
      std::memcpy(&word, bytes.data(), sizeof word);
      mix(word);
    }
    if (bytes.empty()) return *this;
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data(), bytes.size());
    mix(word);
    return *this;
  }
  [[nodiscard]] std::uint64_t value() const noexcept { return value_; }

 private:
  void mix(std::uint64_t word) noexcept {
    value_ = (value_ ^ (word * 0xbf58476d1ce4e5b9)) * 0x94d049bb133111eb;
    value_ ^= value_ >> 29;
  }
  std::uint64_t value_;
};

}  // namespace symphony::detail
