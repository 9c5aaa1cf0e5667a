#include "pits/hosting/wasm/reservation.hpp"

#include <sys/mman.h>

namespace symphony::pit::wasm {

Reservation Reservation::make() noexcept {
  Reservation made;
  void* base = ::mmap(nullptr, reservation_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base != MAP_FAILED) made.base_ = static_cast<std::byte*>(base);
  return made;
}

Reservation::~Reservation() {
  if (base_ != nullptr) ::munmap(base_, reservation_size);
}

bool Reservation::allow(std::uint32_t pages) noexcept {
  if (pages > guest_pages_max) return false;
  return ::mprotect(base_, std::uint64_t{pages} * guest_page_size, PROT_READ | PROT_WRITE) == 0;
}

}  // namespace symphony::pit::wasm
