// Bytes that outlive a broker: a memory file that the keeper makes, never reads, and hands from one broker to the next
// by fork() or by exec().   Layer: broker. Threads: one process writes at a time.
// Two areas behind a header that names the one that holds, so a writer killed in the middle leaves what was there
// before; a checksum, so nothing damaged is read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <symphony/result.hpp>
#include <symphony/unique_fd.hpp>

namespace symphony::detail::broker {

class KeptFile {
 public:
  // `size_max`: of the bytes; memory is taken for what is written.   Errors: out_of_descriptors.
  [[nodiscard]] static result<KeptFile> make(const char* name, std::size_t size_max);
  // One that another process made with the same size.
  [[nodiscard]] static KeptFile adopt(UniqueFd file, std::size_t size_max) noexcept {
    return KeptFile(std::move(file), size_max);
  }
  [[nodiscard]] const UniqueFd& file() const noexcept { return file_; }
  // Nothing: nothing was written yet.
  [[nodiscard]] std::optional<std::vector<std::byte>> read() const;
  // Errors: too_large, out_of_memory; what was there stays.
  [[nodiscard]] result<void> write(std::span<const std::byte> bytes) const;

 private:
  KeptFile(UniqueFd file, std::size_t size_max) noexcept : file_(std::move(file)), size_max_(size_max) {}
  [[nodiscard]] std::size_t place_of(std::uint64_t area) const noexcept;

  UniqueFd file_;
  std::size_t size_max_;
};

}  // namespace symphony::detail::broker
