// The bytes of a fuzzer's input, taken from its front as what a target needs.   Layer: tests. Threads: one.
// At the end every number is 0 and every text empty, so that a target that loops while !empty() ends.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

namespace symphony::fuzz {

class Input {
 public:
  explicit Input(std::span<const std::uint8_t> bytes) noexcept : rest_(bytes) {}

  [[nodiscard]] bool empty() const noexcept { return rest_.empty(); }
  [[nodiscard]] std::uint64_t take(std::size_t bytes) noexcept {
    std::uint64_t value = 0;
    const std::size_t size = bytes < rest_.size() ? bytes : rest_.size();
    if (size != 0) std::memcpy(&value, rest_.data(), size);
    rest_ = rest_.subspan(size);
    return value;
  }
  [[nodiscard]] std::uint8_t byte() noexcept { return static_cast<std::uint8_t>(take(1)); }
  [[nodiscard]] bool flag() noexcept { return (byte() & 1) != 0; }
  // 0 to bound - 1; bound is at most 256.
  [[nodiscard]] std::uint32_t below(std::uint32_t bound) noexcept { return byte() % bound; }
  // Mostly small, at times at an edge of its width, at times anything.
  [[nodiscard]] std::uint64_t number() noexcept {
    const std::uint8_t how = byte();
    if (how < 200) return how % 20;
    if (how < 230) return take(2);
    if (how < 245) return (std::uint64_t{1} << (how % 64)) - (how & 1);
    return take(8);
  }
  template <class T>
  [[nodiscard]] T number_as() noexcept {
    return static_cast<T>(number());
  }
  // One byte of length before them.
  [[nodiscard]] std::span<const std::uint8_t> some() noexcept {
    const std::size_t wanted = byte();
    const auto given = rest_.first(wanted < rest_.size() ? wanted : rest_.size());
    rest_ = rest_.subspan(given.size());
    return given;
  }
  [[nodiscard]] std::string text() {
    const auto bytes = some();
    return {bytes.begin(), bytes.end()};
  }
  [[nodiscard]] std::span<const std::uint8_t> rest() noexcept {
    const auto given = rest_;
    rest_ = {};
    return given;
  }

 private:
  std::span<const std::uint8_t> rest_;
};

// In memory of exactly their size, so that a read behind them is seen; at an address that is a multiple of 16.
class Exactly {
 public:
  explicit Exactly(std::span<const std::uint8_t> bytes) : held_(bytes.begin(), bytes.end()) { held_.shrink_to_fit(); }
  [[nodiscard]] std::span<std::byte> bytes() noexcept { return std::as_writable_bytes(std::span(held_)); }

 private:
  std::vector<std::uint8_t> held_;
};

}  // namespace symphony::fuzz
