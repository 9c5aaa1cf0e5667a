// A value that another process wrote: it was read once, and must be checked before it is used.   Layer: base.
#pragma once

#include <optional>

namespace symphony::detail {

template <class T>
class Wild {
 public:
  explicit constexpr Wild(T value) noexcept : value_(value) {}

  // The value, if `holds(value)`; nothing otherwise, which makes the peer faulty.
  template <class Predicate>
  [[nodiscard]] constexpr std::optional<T> checked(Predicate&& holds) const noexcept {
    if (holds(value_)) return value_;
    return std::nullopt;
  }
  // For values of which every bit pattern is harmless where they go: comparison with a known one, a futex, a counter.
  [[nodiscard]] constexpr T unchecked() const noexcept { return value_; }

 private:
  T value_;
};

}  // namespace symphony::detail
