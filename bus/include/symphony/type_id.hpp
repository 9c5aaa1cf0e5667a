// The number of a message type: 32-bit FNV-1a of its fully qualified table name.   Layer: base.
// The contract computes the same number for pits; a test compares the two.
#pragma once

#include <cstdint>
#include <string_view>

namespace symphony {

[[nodiscard]] constexpr std::uint32_t type_id(std::string_view name) noexcept {
  std::uint32_t hash = 2'166'136'261u;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 16'777'619u;
  return hash;
}

// Of a generated FlatBuffers table.
template <class Table>
inline constexpr std::uint32_t type_id_of = type_id(Table::GetFullyQualifiedName());

}  // namespace symphony
