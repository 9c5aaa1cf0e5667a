// What this process holds, to see whether it grows.   Layer: tools/pit_check. Threads: one.
#pragma once

#include <cstddef>
#include <cstdint>

namespace symphony::pit_check {

struct Holdings {
  std::int64_t heap_size = 0;  // bytes that are allocated
  std::int64_t descriptors = 0;
  std::int64_t mappings = 0;
  std::int64_t threads = 0;
};
[[nodiscard]] Holdings holdings();

}  // namespace symphony::pit_check
