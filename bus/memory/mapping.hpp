// One view of a segment in this process.   Layer: memory.
// Owns the mapping, not the descriptor. Populated when made, so that no message pays for a page fault, and absent from
// forked children (MADV_DONTFORK): a child that touches it faults instead of corrupting a ring.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include <symphony/result.hpp>

namespace symphony::detail {

enum class Access { read_only, read_write };

class Mapping {
 public:
  Mapping() noexcept;
  Mapping(Mapping&&) noexcept;
  Mapping& operator=(Mapping&&) noexcept;
  ~Mapping();

  // Maps `size` bytes of fd from `offset` on, a multiple of the page size. Errors: out_of_memory, refused (sealed
  // against writing), invalid_argument.
  [[nodiscard]] static result<Mapping> map(int fd, std::uint64_t size, Access access, std::uint64_t offset = 0);

  [[nodiscard]] std::byte* data() const noexcept { return data_; }  // of a read-only mapping: never write through it
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  [[nodiscard]] explicit operator bool() const noexcept { return data_ != nullptr; }

 private:
  struct Region;
  std::unique_ptr<Region> region_;
  std::byte* data_ = nullptr;
  std::uint64_t size_ = 0;
};

}  // namespace symphony::detail
