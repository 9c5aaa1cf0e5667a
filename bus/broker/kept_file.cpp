#include "bus/broker/kept_file.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <sys/mman.h>
#include <unistd.h>

#include "bus/state/checksum.hpp"

namespace symphony::detail::broker {
namespace {

struct KeptHeader {
  std::uint64_t area = 0;  // 0 or 1
  std::uint64_t size = 0;
  std::uint64_t hash = 0;
};

std::uint64_t sum_of(std::span<const std::byte> bytes) { return Checksum(0, bytes.size()).add(bytes).value(); }

// All of it, or false.
bool write_at(int fd, std::span<const std::byte> bytes, std::size_t offset) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::size_t>(n);
  }
  return true;
}

bool read_at(int fd, std::span<std::byte> bytes, std::size_t offset) {
  return ::pread(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset)) == static_cast<ssize_t>(bytes.size());
}

}  // namespace

std::size_t KeptFile::place_of(std::uint64_t area) const noexcept {
  return sizeof(KeptHeader) + static_cast<std::size_t>(area) * size_max_;
}

result<KeptFile> KeptFile::make(const char* name, std::size_t size_max) {
  UniqueFd file(::memfd_create(name, MFD_CLOEXEC));
  if (!file)
    return unexpected(errc::out_of_descriptors, "memfd: no descriptors left: raise the limit (ulimit -n)", errno);
  return KeptFile(std::move(file), size_max);
}

std::optional<std::vector<std::byte>> KeptFile::read() const {
  KeptHeader header;
  if (!read_at(file_.get(), std::as_writable_bytes(std::span(&header, 1)), 0)) return std::nullopt;
  if (header.area > 1 || header.size == 0 || header.size > size_max_) return std::nullopt;
  std::vector<std::byte> bytes(header.size);
  if (!read_at(file_.get(), bytes, place_of(header.area)) || sum_of(bytes) != header.hash) return std::nullopt;
  return bytes;
}

result<void> KeptFile::write(std::span<const std::byte> bytes) const {
  if (bytes.size() > size_max_) return unexpected(errc::too_large, "more than is kept for the next broker");
  KeptHeader header;
  const bool was_written = read_at(file_.get(), std::as_writable_bytes(std::span(&header, 1)), 0);
  header.area = was_written ? 1 - std::min<std::uint64_t>(header.area, 1) : 0;
  header.size = bytes.size();
  header.hash = sum_of(bytes);
  if (write_at(file_.get(), bytes, place_of(header.area)) &&
      write_at(file_.get(), std::as_bytes(std::span(&header, 1)), 0)) {
    return {};
  }
  return unexpected(errc::out_of_memory, "no memory to keep it: the next broker has what was kept before", errno);
}

}  // namespace symphony::detail::broker
