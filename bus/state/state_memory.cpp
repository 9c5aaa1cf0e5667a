#include "bus/state/state_memory.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "bus/base/file_size.hpp"
#include "bus/state/state_reader.hpp"

namespace symphony::detail {
namespace {

bool grow(const UniqueFd& fd, std::uint64_t size) noexcept {
  return may_grow_to(size) && ::ftruncate(fd.get(), static_cast<off_t>(size)) == 0;
}

unexpected no_memory(int why) {
  if (why == EFBIG) {
    return {errc::out_of_memory,
            "the pit's state may not be that large: raise ulimit -f, or choose a smaller journal or snapshot size",
            why};
  }
  const bool no_room = why == ENOMEM || why == ENOSPC || why == EDQUOT;
  return {no_room ? errc::out_of_memory : errc::system,
          "there is no room for the pit's state: free memory or disk, or choose a smaller journal or snapshot size",
          why};
}

unexpected no_file(int why) {
  if (why == ENOSPC || why == EDQUOT || why == EFBIG) return no_memory(why);
  return {errc::system, "the folder for it or a file there cannot be used: make it, and writable for this user", why};
}

unexpected kept_by_another() {
  return {errc::busy,
          "another broker or program keeps a pit of this name in this folder: end it, or use another folder", EBUSY};
}

// What is there of `from`, without taking memory for what is not.
bool copy_data(int from, int to, off_t size) {
  std::array<std::byte, 64UL * 1024> buffer;
  for (off_t at = ::lseek(from, 0, SEEK_DATA); at >= 0 && at < size;) {
    const off_t hole = ::lseek(from, at, SEEK_HOLE);
    while (at < hole) {
      const auto part = std::min(buffer.size(), static_cast<std::size_t>(hole - at));
      const ssize_t got = ::pread(from, buffer.data(), part, at);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0 || ::pwrite(to, buffer.data(), static_cast<std::size_t>(got), at) != got) return false;
      at += got;
    }
    if (hole < 0) return false;
    at = ::lseek(from, at, SEEK_DATA);
  }
  return true;
}

// Nothing in it was overwritten while it was copied.
bool is_whole(const StateMemory& copy) {
  StateReader<RealMem> reader(copy.bytes());
  if (reader.found() == StateFound::foreign || reader.found() == StateFound::damaged) return false;
  if (reader.found() == StateFound::nothing) return true;
  while (reader.next()) {
  }
  return reader.found() == StateFound::whole && !reader.damaged();
}

}  // namespace

result<UniqueFd> open_state_folder(const std::string& folder) {
  UniqueFd at(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!at) return no_file(errno);
  struct stat about {};
  if (::fstat(at.get(), &about) != 0) return no_file(errno);
  if (about.st_uid != ::geteuid() || (about.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return unexpected(errc::refused, "the folder must belong to you and be writable for nobody else (chmod 700)",
                      EPERM);
  }
  return at;
}

result<UniqueFd> create_state_memory(const StateGeometry& geometry) {
  if (!is_state_geometry(geometry)) {
    return unexpected(errc::invalid_argument, "the sizes of a pit's state are multiples of 4096 up to 2 GiB");
  }
  UniqueFd fd(::memfd_create("symphony-state", MFD_CLOEXEC));
  if (!fd) {
    const int why = errno;
    return unexpected(errc::out_of_descriptors, "memfd_create: no descriptor for a pit's state; raise the limit", why);
  }
  if (!grow(fd, state_size(geometry))) return no_memory(errno);
  return fd;
}

result<UniqueFd> create_state_file(const std::string& folder, const std::string& pit, const StateGeometry& geometry) {
  if (!is_state_geometry(geometry)) {
    return unexpected(errc::invalid_argument, "the sizes of a pit's state are multiples of 4096 up to 2 GiB");
  }
  const auto at = open_state_folder(folder);
  if (!at) return unexpected(at.error());
  const std::string name = pit + ".next";
  if (::unlinkat(at->get(), name.c_str(), 0) != 0 && errno != ENOENT) return no_file(errno);
  UniqueFd fd(::openat(at->get(), name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd || ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return no_file(errno);
  if (!grow(fd, state_size(geometry))) return no_file(errno);
  return fd;
}

result<void> keep_state_file(const std::string& folder, const std::string& pit) {
  const UniqueFd at(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!at) return no_file(errno);
  const std::string from = pit + ".next", to = pit + ".state";
  if (::renameat(at.get(), from.c_str(), at.get(), to.c_str()) != 0) {
    const int why = errno;
    const bool was_done = why == ENOENT && ::faccessat(at.get(), to.c_str(), F_OK, 0) == 0;
    if (!was_done) return no_file(why);
  }
  if (::fsync(at.get()) != 0) return no_file(errno);
  return {};
}

void drop_state_file(const std::string& folder, const std::string& pit) noexcept {
  const UniqueFd at(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (at) (void)::unlinkat(at.get(), (pit + ".next").c_str(), 0);
}

result<UniqueFd> lock_state_files(const std::string& folder, const std::string& pit) {
  const auto at = open_state_folder(folder);
  if (!at) return unexpected(at.error());
  UniqueFd fd(::openat(at->get(), (pit + ".lock").c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return no_file(errno);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    const int why = errno;
    return why == EWOULDBLOCK ? kept_by_another() : no_file(why);
  }
  return fd;
}

result<UniqueFd> open_state_file(const std::string& folder, const std::string& pit) {
  UniqueFd fd(::open((folder + "/" + pit + ".state").c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd && errno == ENOENT) return unexpected(errc::not_found, "no state was kept there");
  if (!fd) return no_file(errno);
  if (::flock(fd.get(), LOCK_SH | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return no_file(errno);
    return kept_by_another();
  }
  return fd;
}

StateMemory::StateMemory(StateMemory&& other) noexcept { *this = std::move(other); }

StateMemory& StateMemory::operator=(StateMemory&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(is_file_, other.is_file_);
  std::swap(is_synced_, other.is_synced_);
  return *this;
}

StateMemory::~StateMemory() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

result<StateMemory> StateMemory::map(UniqueFd fd, std::uint64_t size, bool writable) {
  StateMemory out;
  void* const at = ::mmap(nullptr, size, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED, fd.get(), 0);
  if (at == MAP_FAILED) return no_memory(errno);
  ::madvise(at, size, MADV_DONTFORK);
  out.data_ = static_cast<std::byte*>(at);
  out.size_ = size;
  out.fd_ = std::move(fd);
  return out;
}

result<StateMemory> StateMemory::map_own(UniqueFd fd, const StateGeometry& geometry, bool is_synced, bool appends) {
  struct stat about {};
  const bool is_ours = is_state_geometry(geometry) && ::fstat(fd.get(), &about) == 0 &&
                       static_cast<std::uint64_t>(about.st_size) == state_size(geometry);
  if (!is_ours)
    return unexpected(errc::invalid_argument, "the memory for the pit's state has another size than agreed");
  auto out = map(std::move(fd), state_size(geometry), true);
  if (!out) return out;
  out->is_synced_ = is_synced;
  if (auto ok = out->reserve(0, state_page); !ok) return unexpected(ok.error());
  for (const std::uint64_t generation : {std::uint64_t{0}, std::uint64_t{1}}) {
    auto ok =
        out->reserve(state_journal_offset(geometry, generation), appends ? geometry.journal_capacity : state_page);
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
  auto out = map(std::move(fd), static_cast<std::uint64_t>(about.st_size), false);
  if (out) out->is_file_ = is_file;
  return out;
}

result<StateMemory> StateMemory::copy_of_live(const UniqueFd& fd) {
  constexpr int tries = 100;
  struct stat about {};
  if (::fstat(fd.get(), &about) != 0) {
    const int why = errno;
    return unexpected(errc::system, "fstat: the state of the pit cannot be looked at", why);
  }
  for (int n = 0; n < tries; ++n) {
    UniqueFd to(::memfd_create("symphony-state-copy", MFD_CLOEXEC));
    if (!to || !grow(to, static_cast<std::uint64_t>(about.st_size)) || !copy_data(fd.get(), to.get(), about.st_size)) {
      return no_memory(errno);
    }
    auto copy = map_old(std::move(to), false);
    if (!copy || is_whole(*copy)) return copy;
  }
  return unexpected(errc::busy, "the state of the pit changes faster than it can be copied");
}

result<void> StateMemory::reserve(std::uint64_t offset, std::uint64_t size) const noexcept {
  int failed = 0;
  do {
    failed =
        size == 0 || ::fallocate(fd_.get(), 0, static_cast<off_t>(offset), static_cast<off_t>(size)) == 0 ? 0 : errno;
  } while (failed == EINTR);
  if (failed == EOPNOTSUPP) failed = ::posix_fallocate(fd_.get(), static_cast<off_t>(offset), static_cast<off_t>(size));
  if (failed != 0) return no_memory(failed);
  return {};
}

result<void> StateMemory::sync() const noexcept {
  if (!is_synced_ || ::fdatasync(fd_.get()) == 0) return {};
  const int why = errno;
  return unexpected(errc::system, "fdatasync: the pit's state is not on the disk: look at the disk's health", why);
}

}  // namespace symphony::detail
