// Reads a whole input into memory, unpacking it when it is compressed.   Layer: tools.
// Threads: any; a compressed file is unpacked by a child process that has ended when the call returns.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "tools/symphony/graph/input_error.hpp"

namespace symphony::tools {

// Owns bytes that were read once and are then only looked at. Unlike std::string it grows without filling with zeros.
class Bytes {
 public:
  [[nodiscard]] std::string_view view() const noexcept { return {data_.get(), size_}; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  // At least `capacity` bytes of room in all; false when the system has not that much memory.
  [[nodiscard]] bool reserve(std::size_t capacity) noexcept;
  [[nodiscard]] char* room() noexcept { return data_.get() + size_; }
  [[nodiscard]] std::size_t room_size() const noexcept { return capacity_ - size_; }
  void add(std::size_t size) noexcept { size_ += size; }  // precondition: size <= room_size()

 private:
  struct Free {
    void operator()(char* p) const noexcept { std::free(p); }
  };
  std::unique_ptr<char, Free> data_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

struct InputLimits {
  std::size_t size_max = std::size_t{1} << 30;            // of the file, and of what it unpacks to
  std::string unpack_helper = "/usr/lib/apt/apt-helper";  // run as: HELPER cat-file FILE
};

// The bytes of `path`; "-" and "/dev/stdin" are standard input. Blocks until the input ends.
[[nodiscard]] InputResult<Bytes> read_input(const std::string& path, const InputLimits& limits = {});

// How error lines call `path`.
[[nodiscard]] std::string label_of(const std::string& path);

// "gzip", "xz", "lz4", "zstd" or "bzip2" by the first bytes; empty for anything else.
[[nodiscard]] std::string_view compression_of(std::string_view head) noexcept;

}  // namespace symphony::tools
