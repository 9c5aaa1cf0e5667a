#include "bus/state/boot.hpp"

#include <array>
#include <cstddef>

#include <fcntl.h>
#include <unistd.h>

#include <symphony/unique_fd.hpp>

#include "bus/state/checksum.hpp"

namespace symphony::detail {

std::uint64_t boot_of_this_machine() noexcept {
  static const std::uint64_t boot = [] {
    std::array<std::byte, 64> id{};
    const UniqueFd file(::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC));
    const ssize_t size = file ? ::read(file.get(), id.data(), id.size()) : 0;
    return size > 0 ? Checksum(0, id.size()).add(id).value() : 1;
  }();
  return boot;
}

}  // namespace symphony::detail
