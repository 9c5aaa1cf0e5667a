// Where this process has mapped segments, and pages of a forked child's own in their places.   Layer: tests.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

namespace symphony {

class MappedSegments {
 public:
  MappedSegments() {
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
      void *begin = nullptr, *end = nullptr;
      if (line.find("/memfd:symphony") == std::string::npos) continue;
      if (std::sscanf(line.c_str(), "%p-%p", &begin, &end) != 2) continue;
      auto* const first = static_cast<std::byte*>(begin);
      ranges_.push_back({first, static_cast<std::size_t>(static_cast<std::byte*>(end) - first)});
    }
  }
  [[nodiscard]] std::size_t count() const noexcept { return ranges_.size(); }

  // In a forked child, where the segments are not: something else takes their places. False: they are taken.
  [[nodiscard]] bool replace() const noexcept {
    constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
    for (const Range& range : ranges_) {
      if (::mmap(range.begin, range.size, PROT_READ | PROT_WRITE, flags, -1, 0) != range.begin) return false;
      *range.begin = canary;
    }
    return true;
  }
  // Where somebody has unmapped it, the read ends the child.
  [[nodiscard]] bool replacements_stand() const noexcept {
    for (const Range& range : ranges_) {
      if (*static_cast<volatile std::byte*>(range.begin) != canary) return false;
    }
    return true;
  }

 private:
  struct Range {
    std::byte* begin;
    std::size_t size;
  };
  static constexpr std::byte canary{42};
  std::vector<Range> ranges_;
};

}  // namespace symphony
