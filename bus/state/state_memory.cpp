#include "bus/state/state_memory.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace symphony::detail {
namespace {

unexpected no_memory(int why) {
  const bool no_room = why == ENOMEM || why == ENOSPC || why == EFBIG || why == EDQUOT;
  return {no_room ? errc::out_of_memory : errc::system,
          "there is no room for the pit's state: free memory or disk, or choose a smaller journal or snapshot size",
          why};
}

}  // namespace

result<UniqueFd> create_state_memory(const StateGeometry& geometry) {
  if (!is_state_geometry(geometry)) {
    return unexpected(errc::invalid_argument, "the sizes of a pit's state are multiples of 4096 up to 2 GiB");
  }
  UniqueFd fd(::memfd_create("symphony-state", MFD_CLOEXEC));
  if (!fd) {
    const int why = errno;
    return unexpected(errc::out_of_descriptors, "memfd_create: no descriptor for a pit's state; raise the limit", why);
  }
  if (::ftruncate(fd.get(), static_cast<off_t>(state_size(geometry))) != 0) return no_memory(errno);
  return fd;
}

StateMemory::StateMemory(StateMemory&& other) noexcept { *this = std::move(other); }

StateMemory& StateMemory::operator=(StateMemory&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(is_file_, other.is_file_);
  return *this;
}

StateMemory::~StateMemory() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

result<StateMemory> StateMemory::map(UniqueFd fd, std::uint64_t size, bool writable, bool is_file) {
  StateMemory out;
  void* const at = ::mmap(nullptr, size, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED, fd.get(), 0);
  if (at == MAP_FAILED) return no_memory(errno);
  ::madvise(at, size, MADV_DONTFORK);
  out.data_ = static_cast<std::byte*>(at);
  out.size_ = size;
  out.fd_ = std::move(fd);
  out.is_file_ = is_file;
  return out;
}

result<StateMemory> StateMemory::map_own(UniqueFd fd, const StateGeometry& geometry, bool is_file) {
  struct stat about {};
  const bool is_ours = is_state_geometry(geometry) && ::fstat(fd.get(), &about) == 0 &&
                       static_cast<std::uint64_t>(about.st_size) == state_size(geometry);
  if (!is_ours)
    return unexpected(errc::invalid_argument, "the memory for the pit's state has another size than agreed");
  auto out = map(std::move(fd), state_size(geometry), true, is_file);
  if (!out) return out;
  if (auto ok = out->reserve(0, state_page); !ok) return unexpected(ok.error());
  for (const std::uint64_t generation : {0, 1}) {
    auto ok = out->reserve(state_journal_offset(geometry, generation), geometry.journal_capacity);
    if (!ok) return unexpected(ok.error());
  }
  return out;
}

result<StateMemory> StateMemory::map_old(UniqueFd fd, bool is_file) {
  struct stat about {};
  if (::fstat(fd.get(), &about) != 0) {
    const int why = errno;
    return unexpected(errc::system, "fstat: the state that an earlier instance left cannot be looked at", why);
  }
  if (about.st_size == 0) {  // cut to nothing; mmap would refuse it
    StateMemory nothing;
    nothing.is_file_ = is_file;
    return nothing;
  }
  return map(std::move(fd), static_cast<std::uint64_t>(about.st_size), false, is_file);
}

result<void> StateMemory::reserve(std::uint64_t offset, std::uint64_t size) const noexcept {
  int failed = 0;
  do {
    failed =
        size == 0 || ::fallocate(fd_.get(), 0, static_cast<off_t>(offset), static_cast<off_t>(size)) == 0 ? 0 : errno;
  } while (failed == EINTR);
  if (failed == EOPNOTSUPP && is_file_)
    failed = ::posix_fallocate(fd_.get(), static_cast<off_t>(offset), static_cast<off_t>(size));
  if (failed != 0) return no_memory(failed);
  return {};
}

result<void> StateMemory::sync() const noexcept {
  if (!is_file_ || ::fdatasync(fd_.get()) == 0) return {};
  const int why = errno;
  return unexpected(errc::system, "fdatasync: the pit's state is not on the disk: look at the disk's health", why);
}

}  // namespace symphony::detail
