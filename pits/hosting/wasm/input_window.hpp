// Memory that a host writes messages into and that its guests read in place: without a copy, however large.
// Layer: hosting/wasm.
// Every guest of a host sees the same window, at one address above its own memory, and can only read it: a store there
// is a trap. It sees all of it, the messages of other callers too, and what is written while it reads.
// Lifetime: as long as the host and its links. Threads: any; who writes where is for its users to settle.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <symphony/unique_fd.hpp>
#include <utility>

#include "pits/hosting/pit_info.hpp"
#include "pits/hosting/wasm/reservation.hpp"

namespace symphony::pit::wasm {

class InputWindow {
 public:
  static constexpr std::uint32_t address = guest_memory_max;  // of its first byte, to a guest
  // The end of a guest's addresses stays empty: a stack that runs below 0 has to find nothing there.
  static constexpr std::uint32_t size_max = (std::uint32_t{1} << 30) - (std::uint32_t{64} << 20);

  // `size` bytes, 1 to size_max, rounded up to whole guest pages; memory is used once it is written.
  static Outcome make(std::uint32_t size, std::shared_ptr<const InputWindow>& out);
  InputWindow(const InputWindow&) = delete;
  InputWindow& operator=(const InputWindow&) = delete;
  ~InputWindow();

  [[nodiscard]] std::span<std::byte> bytes() const noexcept { return bytes_; }

  // Whether all of [p, p + n) lies in the window; `at` is then where a guest finds it.
  [[nodiscard]] bool holds(const void* p, std::uint32_t n, std::uint32_t& at) const noexcept {
    const std::uint64_t offset = reinterpret_cast<std::uintptr_t>(p) - reinterpret_cast<std::uintptr_t>(bytes_.data());
    if (offset >= bytes_.size() || n > bytes_.size() - offset) return false;
    at = address + static_cast<std::uint32_t>(offset);
    return true;
  }
  // The same of a guest's span.
  [[nodiscard]] bool contains(std::uint32_t p, std::uint32_t n) const noexcept {
    return p >= address && std::uint64_t{p - address} + n <= bytes_.size();
  }

  // Makes it readable at its place in a guest's addresses. False: no memory for the map.
  [[nodiscard]] bool show_to(const Reservation& guest) const noexcept;

 private:
  InputWindow(UniqueFd memory, std::span<std::byte> bytes) noexcept : memory_(std::move(memory)), bytes_(bytes) {}

  const UniqueFd memory_;
  const std::span<std::byte> bytes_;
};

}  // namespace symphony::pit::wasm
