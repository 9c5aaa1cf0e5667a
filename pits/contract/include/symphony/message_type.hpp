// The number that names a message type on the wire: 32-bit FNV-1a of the table's fully qualified name, as
// "greeter.Hello".   Layer: contract (depends on nothing).
// 0 names no type; the rare name that hashes to it is refused where it is used.   Format: docs/formats/pit-abi.md
#pragma once

#include <cstdint>

namespace symphony::pit {

[[nodiscard]] constexpr std::uint32_t message_type(const char* qualified_name) noexcept {
  std::uint32_t hash = 2'166'136'261U;
  for (; *qualified_name != '\0'; ++qualified_name) {
    hash ^= static_cast<std::uint8_t>(*qualified_name);
    hash = static_cast<std::uint32_t>(hash * std::uint64_t{16'777'619U});
  }
  return hash;
}

}  // namespace symphony::pit
