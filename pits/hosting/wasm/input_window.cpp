#include "pits/hosting/wasm/input_window.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "bus/base/file_size.hpp"

namespace symphony::pit::wasm {
namespace {

Outcome refused() {
  return {SYMPHONY_OVERLOADED,
          std::string("no memory for a window of messages: make window_size smaller, or set it to 0: ") +
              std::strerror(errno)};
}

}  // namespace

Outcome InputWindow::make(std::uint32_t size, std::shared_ptr<const InputWindow>& out) {
  if (size == 0 || size > size_max) {
    return {SYMPHONY_BAD_STATE,
            "window_size " + std::to_string(size) + " is not from 1 to " + std::to_string(size_max)};
  }
  const std::size_t whole = (std::size_t{size} + guest_page_size - 1) / guest_page_size * guest_page_size;
  UniqueFd memory(::memfd_create("symphony-window", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory || !detail::may_grow_to(whole) || ::ftruncate(memory.get(), static_cast<off_t>(whole)) != 0)
    return refused();
  void* base = ::mmap(nullptr, whole, PROT_READ | PROT_WRITE, MAP_SHARED, memory.get(), 0);
  if (base == MAP_FAILED) return refused();
  out.reset(new InputWindow(std::move(memory), {static_cast<std::byte*>(base), whole}));
  // After the only writable map: every later one is for reading, whoever asks.
  constexpr int seals = F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
  if (::fcntl(out->memory_.get(), F_ADD_SEALS, seals) == 0) return {};
  out.reset();
  return refused();
}

InputWindow::~InputWindow() { ::munmap(bytes_.data(), bytes_.size()); }

bool InputWindow::show_to(const Reservation& guest) const noexcept {
  void* place = guest.base() + address;
  return ::mmap(place, bytes_.size(), PROT_READ, MAP_SHARED | MAP_FIXED, memory_.get(), 0) == place;
}

}  // namespace symphony::pit::wasm
