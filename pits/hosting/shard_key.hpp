// Which instance of a pit that has several a call goes to.   Layer: hosting. Threads: pure functions.
// Programs on one broker must agree: hash and choice are part of what is promised, like a format.
#pragma once

#include <cstdint>
#include <string_view>

namespace symphony::pit {

// 64-bit FNV-1a of the key's bytes, mixed so that its low bits depend on all; never 0, which is what a call without a
// key has. An empty key is none.
[[nodiscard]] constexpr std::uint64_t key_of(std::string_view key) noexcept {
  if (key.empty()) return 0;
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : key) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  hash ^= hash >> 32;
  return hash != 0 ? hash : 1;
}

// Precondition: at least one instance. Without a key it is the first.
[[nodiscard]] constexpr std::uint32_t instance_of(std::uint64_t key, std::uint32_t instances) noexcept {
  return static_cast<std::uint32_t>(key % instances);
}

}  // namespace symphony::pit
