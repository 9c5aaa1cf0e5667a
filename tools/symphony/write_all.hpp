// All of some bytes to a descriptor.   Layer: tools. Threads: pure functions.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <span>
#include <string_view>

namespace symphony::tools {

// Blocks until all is written. 0, or the errno of what failed; a signal is no failure.
[[nodiscard]] inline int write_all(int fd, std::span<const std::byte> bytes) noexcept {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno != EINTR) return errno;
    if (n > 0) bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return 0;
}
[[nodiscard]] inline int write_all(int fd, std::string_view text) noexcept {
  return write_all(fd, std::as_bytes(std::span(text)));
}

}  // namespace symphony::tools
