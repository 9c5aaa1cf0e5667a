#include "bus/endpoint/link_fd.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <new>

namespace symphony::detail {

result<std::shared_ptr<LinkFd>> LinkFd::make() {
  UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event) return unexpected(errc::out_of_descriptors, "fd: no descriptors left for a link", errno);
  try {
    return std::make_shared<LinkFd>(std::move(event));
  } catch (const std::bad_alloc&) {
    return unexpected(errc::out_of_memory, "fd: no memory for a link's descriptor");
  }
}

void LinkFd::on_change(std::uint64_t, bool at_deadline) noexcept {
  // relaxed: read after the eventfd was, which orders it; read without, it is a count that comes late.
  at_deadline_.store(at_deadline, std::memory_order_relaxed);
  const std::uint64_t one = 1;
  (void)!::write(event_.get(), &one, sizeof one);
}

bool LinkFd::clear() noexcept {
  std::uint64_t count = 0;
  (void)!::read(event_.get(), &count, sizeof count);
  // relaxed: as above.
  return at_deadline_.exchange(false, std::memory_order_relaxed);
}

}  // namespace symphony::detail
