#include "bus/base/file_size.hpp"

#include <sys/resource.h>

#include <cerrno>

namespace symphony::detail {

bool may_grow_to(std::uint64_t size) noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || size <= limit.rlim_cur) return true;
  errno = EFBIG;
  return false;
}

}  // namespace symphony::detail
