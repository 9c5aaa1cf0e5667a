// What a broker tells of one of its pits.   Layer: base. Threads: a plain value.
#pragma once

#include <cstdint>
#include <string>

namespace symphony {

struct PitInfo {
  std::string name;
  std::string state;           // known starting ready backoff quarantined stopping stopped
  std::int32_t pid = 0;        // 0: no process
  std::uint32_t instance = 0;  // how often it was started
  std::uint32_t links = 0;
};

}  // namespace symphony
