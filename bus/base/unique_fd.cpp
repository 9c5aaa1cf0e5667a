#include <fcntl.h>
#include <unistd.h>

#include <symphony/unique_fd.hpp>

namespace symphony {

void UniqueFd::reset(int fd) noexcept {
  const int old = std::exchange(fd_, fd);
  if (old >= 0) ::close(old);
}

UniqueFd UniqueFd::duplicate() const noexcept { return UniqueFd(::fcntl(fd_, F_DUPFD_CLOEXEC, 0)); }

}  // namespace symphony
