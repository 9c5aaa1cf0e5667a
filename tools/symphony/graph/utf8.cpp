#include "tools/symphony/graph/utf8.hpp"

#include <cstdint>
#include <cstring>

namespace symphony::tools {
namespace {

// What may follow a lead byte: how many bytes, and the narrower range of the first of them.
struct Tail {
  unsigned count;
  unsigned char low;
  unsigned char high;
};

Tail tail_of(unsigned char lead) noexcept {
  if (lead >= 0xC2 && lead <= 0xDF) return {1, 0x80, 0xBF};
  if (lead == 0xE0) return {2, 0xA0, 0xBF};
  if (lead == 0xED) return {2, 0x80, 0x9F};
  if (lead >= 0xE1 && lead <= 0xEF) return {2, 0x80, 0xBF};
  if (lead == 0xF0) return {3, 0x90, 0xBF};
  if (lead >= 0xF1 && lead <= 0xF3) return {3, 0x80, 0xBF};
  if (lead == 0xF4) return {3, 0x80, 0x8F};
  return {0, 0, 0};
}

// How many bytes from `at` on are a well-formed part of one character; `whole` says whether it is complete.
std::size_t character_size(std::string_view text, std::size_t at, bool& whole) noexcept {
  const Tail tail = tail_of(static_cast<unsigned char>(text[at]));
  whole = false;
  if (tail.count == 0) return 0;
  for (unsigned i = 1; i <= tail.count; ++i) {
    if (at + i >= text.size()) return i;
    const auto byte = static_cast<unsigned char>(text[at + i]);
    const bool fits = i == 1 ? (byte >= tail.low && byte <= tail.high) : (byte >= 0x80 && byte <= 0xBF);
    if (!fits) return i;
  }
  whole = true;
  return tail.count + 1;
}

}  // namespace

std::size_t first_bad_utf8(std::string_view text) noexcept {
  constexpr std::uint64_t high_bits = 0x8080808080808080ULL;
  std::size_t at = 0;
  while (at < text.size()) {
    // Package lists are almost all ASCII: eight bytes at a time while they are.
    while (at + sizeof(std::uint64_t) <= text.size()) {
      std::uint64_t word = 0;
      std::memcpy(&word, text.data() + at, sizeof word);
      if ((word & high_bits) != 0) break;
      at += sizeof word;
    }
    if (at == text.size()) break;
    if (static_cast<unsigned char>(text[at]) < 0x80) {
      ++at;
      continue;
    }
    bool whole = false;
    const std::size_t size = character_size(text, at, whole);
    if (!whole) return at;
    at += size;
  }
  return all_utf8;
}

bool is_cut_utf8(std::string_view text, std::size_t bad) noexcept {
  bool whole = false;
  const std::size_t size = character_size(text, bad, whole);
  return !whole && size > 0 && bad + size == text.size();
}

}  // namespace symphony::tools
