#include "bus/memory/mapping.hpp"

#include <sys/mman.h>

#include <boost/interprocess/exceptions.hpp>
#include <boost/interprocess/mapped_region.hpp>
#include <cerrno>
#include <new>
#include <utility>

namespace symphony::detail {
namespace {

// What mapped_region asks of a memory object: a descriptor that stays ours.
struct BorrowedFd {
  int fd;
  [[nodiscard]] boost::interprocess::mapping_handle_t get_mapping_handle() const noexcept { return {fd, false}; }
};

errc code_of(int sys_errno) noexcept {
  switch (sys_errno) {
    case EPERM:
    case EACCES:
      return errc::refused;
    case ENOMEM:
    case EAGAIN:
      return errc::out_of_memory;
    case EINVAL:
    case EBADF:
      return errc::invalid_argument;
    default:
      return errc::system;
  }
}

}  // namespace

struct Mapping::Region {
  boost::interprocess::mapped_region region;
};

Mapping::Mapping() noexcept = default;
Mapping::~Mapping() = default;
Mapping::Mapping(Mapping&& other) noexcept
    : region_(std::move(other.region_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}
Mapping& Mapping::operator=(Mapping&& other) noexcept {
  region_ = std::move(other.region_);
  data_ = std::exchange(other.data_, nullptr);
  size_ = std::exchange(other.size_, 0);
  return *this;
}

result<Mapping> Mapping::map(int fd, std::uint64_t size, Access access, std::uint64_t offset) {
  namespace bip = boost::interprocess;
  try {
    Mapping m;
    m.region_ = std::make_unique<Region>();
    m.region_->region =
        bip::mapped_region(BorrowedFd{fd}, access == Access::read_write ? bip::read_write : bip::read_only,
                           static_cast<bip::offset_t>(offset), size, nullptr, MAP_POPULATE);
    m.data_ = static_cast<std::byte*>(m.region_->region.get_address());
    m.size_ = size;
    // Prefault for writing too: MAP_POPULATE of a shared file may leave pages write-protected for dirty tracking.
    if (access == Access::read_write) ::madvise(m.data_, size, MADV_POPULATE_WRITE);
    if (::madvise(m.data_, size, MADV_DONTFORK) != 0) {
      return unexpected(errc::system, "madvise(MADV_DONTFORK): the mapping cannot be kept out of forked children",
                        errno);
    }
    return m;
  } catch (const bip::interprocess_exception& e) {
    const int why = e.get_native_error();
    return unexpected(code_of(why), "mmap: a segment could not be mapped; check memory limits (ulimit -v, -l)", why);
  } catch (const std::bad_alloc&) {
    return unexpected(errc::out_of_memory, "mmap: no memory for a mapping");
  }
}

}  // namespace symphony::detail
