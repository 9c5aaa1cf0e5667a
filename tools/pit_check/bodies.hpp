// Request bodies for a pit whose schema is unknown.   Layer: tools/pit_check. Threads: pure functions of their
// generator.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

namespace symphony::pit_check {

using Body = std::vector<std::byte>;
using Random = std::mt19937_64;

// Below n, which is above 0.
[[nodiscard]] inline std::uint64_t below(Random& random, std::uint64_t n) { return random() % n; }

[[nodiscard]] Body random_bytes(Random& random, std::size_t size);
// A well-formed FlatBuffer with a root table of a few random fields: numbers, strings, vectors, structs, tables.
[[nodiscard]] Body random_table(Random& random);
// The same with bits flipped, bytes replaced, cut off or appended.
[[nodiscard]] Body damaged(Random& random, std::span<const std::byte> body);

[[nodiscard]] inline Body flipped(std::span<const std::byte> body, std::size_t bit) {
  Body copy(body.begin(), body.end());
  copy[bit / 8] ^= std::byte{1} << (bit % 8);
  return copy;
}

}  // namespace symphony::pit_check
