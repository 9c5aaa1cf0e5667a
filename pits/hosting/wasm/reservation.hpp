// The address space of one guest: 8 GiB that nobody else uses, of which the beginning may be touched.
// Layer: hosting/wasm.
// A guest's address is 32 bits and an access adds an offset of 32 bits, so every access that generated code can make
// lies inside, and one that is not in the guest's memory is a fault that the handler makes a trap of (entry.hpp).
// Nothing is ever unmapped inside: a hole could be filled by somebody else's memory, which the guest could then read.
// Cost: two entries of the process's map; about 16,000 fit into an address space of 47 bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace symphony::pit::wasm {

inline constexpr std::uint32_t guest_page_size = 65'536;
inline constexpr std::uint64_t reservation_size = (std::uint64_t{8} << 30) + guest_page_size;
// Guest memory ends here at most; above are the windows through which a host can show a guest other memory.
inline constexpr std::uint32_t guest_memory_max = std::uint32_t{3} << 30;
inline constexpr std::uint32_t guest_pages_max = guest_memory_max / guest_page_size;

class Reservation {
 public:
  Reservation() = default;
  Reservation(Reservation&& from) noexcept : base_(std::exchange(from.base_, nullptr)) {}
  Reservation& operator=(Reservation&& from) noexcept {
    std::swap(base_, from.base_);
    return *this;
  }
  ~Reservation();

  // Empty when the process has no address space left, or may not have that much (RLIMIT_AS).
  [[nodiscard]] static Reservation make() noexcept;
  // Makes the first `pages` guest pages usable, zero where they were not before. False: no memory, nothing changed.
  [[nodiscard]] bool allow(std::uint32_t pages) noexcept;

  [[nodiscard]] explicit operator bool() const noexcept { return base_ != nullptr; }
  [[nodiscard]] std::byte* base() const noexcept { return base_; }

 private:
  std::byte* base_ = nullptr;
};

}  // namespace symphony::pit::wasm
