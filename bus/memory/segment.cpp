#include "bus/memory/segment.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "bus/base/file_size.hpp"
#include "bus/memory/layout.hpp"

namespace symphony::detail {
namespace {

#if !defined(MFD_NOEXEC_SEAL)
constexpr unsigned MFD_NOEXEC_SEAL = 8U;  // Linux 6.3; glibc 2.36 has no name for it
#endif

constexpr int write_seals = F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

errc code_of(int sys_errno) noexcept {
  switch (sys_errno) {
    case EMFILE:
    case ENFILE:
      return errc::out_of_descriptors;
    case ENOMEM:
    case ENOSPC:
    case EFBIG:
      return errc::out_of_memory;
    default:
      return errc::system;
  }
}

result<UniqueFd> create_memory(const char* name, std::uint64_t size) {
  int raw = ::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
  if (raw < 0 && errno == EINVAL) raw = ::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  UniqueFd fd(raw);
  if (!fd) {
    const int why = errno;
    return unexpected(code_of(why), "memfd_create: no shared memory for a link; close links or raise the fd limit",
                      why);
  }
  int failed = 0;
  do {
    failed = may_grow_to(size) && ::fallocate(fd.get(), 0, 0, static_cast<off_t>(size)) == 0 ? 0 : errno;
  } while (failed == EINTR);
  if (failed == EFBIG) {
    return unexpected(code_of(failed), "a link's segment may not be that large; use smaller rings or raise ulimit -f",
                      failed);
  }
  if (failed != 0) {
    return unexpected(code_of(failed), "fallocate: no memory for a link's segment; use smaller rings or free memory",
                      failed);
  }
  return fd;
}

result<UniqueFd> create_segment(const char* name, std::uint64_t size, SegmentRole role, std::uint64_t nonce) {
  auto fd = create_memory(name, size);
  if (!fd) return fd;
  const SegmentIdentity identity{layout_fingerprint, segment_protocol, role, 0, nonce};
  if (::pwrite(fd->get(), &identity, sizeof identity, 0) != ssize_t{sizeof identity}) {
    return unexpected(errc::system, "pwrite: a link's segment does not take its identity", errno);
  }
  return fd;
}

}  // namespace

result<SegmentPair> create_segment_pair(std::uint64_t caller_size, std::uint64_t pit_size, std::uint64_t nonce) {
  if (caller_size < segment_header_size || pit_size < segment_header_size) {
    return unexpected(errc::invalid_argument, "create_segment_pair: a segment is at least its two header pages");
  }
  auto caller = create_segment("symphony-caller", caller_size, SegmentRole::caller, nonce);
  if (!caller) return unexpected(caller.error());
  auto pit = create_segment("symphony-pit", pit_size, SegmentRole::pit, nonce);
  if (!pit) return unexpected(pit.error());
  return SegmentPair{*std::move(caller), *std::move(pit)};
}

result<UniqueFd> create_board_memory(std::uint64_t size) {
  auto fd = create_memory("symphony-board", size);
  if (fd || fd.error().code == errc::out_of_descriptors) return fd;
  return unexpected(fd.error().code, "no memory for a board; use fewer or smaller values, or free memory",
                    fd.error().sys_errno);
}

result<void> seal_segment(int fd) {
  if (::fcntl(fd, F_ADD_SEALS, write_seals) != 0) {
    const int why = errno;
    return unexpected(errc::system, "F_ADD_SEALS: a segment could not be sealed; the link is not handed over", why);
  }
  const int seals = ::fcntl(fd, F_GET_SEALS);
  if (seals < 0 || (seals & write_seals) != write_seals) {
    return unexpected(errc::system, "F_GET_SEALS: the kernel did not keep the seals; Linux 5.1 or newer is needed");
  }
  return {};
}

result<UniqueFd> reopen_read_only(int fd) {
  std::array<char, 48> path{};
  std::snprintf(path.data(), path.size(), "/proc/self/fd/%d", fd);
  UniqueFd read_only(::open(path.data(), O_RDONLY | O_CLOEXEC));
  if (!read_only) {
    const int why = errno;
    return unexpected(code_of(why), "open of /proc/self/fd: a read-only view could not be made; is /proc mounted?",
                      why);
  }
  return read_only;
}

result<void> check_peer_segment(int fd, std::uint64_t size) {
  struct stat about {};
  if (::fstat(fd, &about) != 0 || about.st_size < 0 || static_cast<std::uint64_t>(about.st_size) != size) {
    return unexpected(errc::peer_fault, "a segment has another size than was agreed");
  }
  const int seals = ::fcntl(fd, F_GET_SEALS);
  if (seals < 0 || (seals & write_seals) != write_seals) {
    return unexpected(errc::peer_fault, "a segment is not sealed against writing and resizing");
  }
  return {};
}

}  // namespace symphony::detail
