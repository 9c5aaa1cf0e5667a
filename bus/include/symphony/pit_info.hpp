// What a broker tells of one of its pits.   Layer: base. Threads: a plain value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace symphony {

struct PitInfo {
  std::string name;
  std::string state;           // known starting ready backoff quarantined stopping stopped
  std::int32_t pid = 0;        // 0: no process
  std::uint32_t instance = 0;  // how often it was started
  std::uint32_t links = 0;
};

// A pit may run as several processes, each a pit of its own to the broker: the first under the name itself, the others
// behind it as name.1, name.2 and so on.
inline constexpr std::uint32_t instances_max = 32;
[[nodiscard]] inline std::string instance_name(std::string_view name, std::uint32_t index) {
  std::string out(name);
  if (index != 0) out += '.' + std::to_string(index);
  return out;
}

}  // namespace symphony
