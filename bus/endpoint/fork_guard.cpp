#include "bus/endpoint/fork_guard.hpp"

#include <sys/mman.h>

#include <cerrno>
#include <utility>

#include "bus/base/platform.hpp"

namespace symphony::detail {

result<ForkGuard> ForkGuard::make() {
  void* page = ::mmap(nullptr, page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return unexpected(errc::out_of_memory, "mmap: no page for an endpoint", errno);
  ForkGuard guard(static_cast<std::uint32_t*>(page));
  if (::madvise(page, page_size, MADV_WIPEONFORK) != 0) {
    return unexpected(errc::system, "madvise(MADV_WIPEONFORK): Linux 4.14 or newer is needed", errno);
  }
  *guard.page_ = 1;
  return guard;
}

ForkGuard::ForkGuard(ForkGuard&& other) noexcept : page_(std::exchange(other.page_, nullptr)) {}
ForkGuard& ForkGuard::operator=(ForkGuard&& other) noexcept {
  std::swap(page_, other.page_);
  return *this;
}
ForkGuard::~ForkGuard() {
  if (page_ != nullptr) ::munmap(page_, page_size);
}

}  // namespace symphony::detail
