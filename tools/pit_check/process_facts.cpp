#include "tools/pit_check/process_facts.hpp"

#include <malloc.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

// Under AddressSanitizer the allocator is its own, and mallinfo2() knows nothing.
extern "C" __attribute__((weak)) std::size_t __sanitizer_get_current_allocated_bytes();

namespace symphony::pit_check {
namespace {

std::int64_t entries_of(const char* folder) {
  std::error_code ignored;
  return std::distance(std::filesystem::directory_iterator(folder, ignored), std::filesystem::directory_iterator());
}

}  // namespace

Holdings holdings() {
  Holdings held;
  // First, before reading the others allocates.
  held.heap_size =
      __sanitizer_get_current_allocated_bytes != nullptr
          ? static_cast<std::int64_t>(__sanitizer_get_current_allocated_bytes())
          : static_cast<std::int64_t>(::mallinfo2().uordblks) + static_cast<std::int64_t>(::mallinfo2().hblkhd);
  held.descriptors = entries_of("/proc/self/fd");
  held.threads = entries_of("/proc/self/task");
  std::ifstream maps("/proc/self/maps");
  held.mappings = std::count(std::istreambuf_iterator<char>(maps), {}, '\n');
  return held;
}

}  // namespace symphony::pit_check
