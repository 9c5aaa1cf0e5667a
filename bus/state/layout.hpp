// What outlives a pit's process: two generations, each a snapshot and the journal of what came after it.   Layer:
// state. Both ends of the layout; format: docs/formats/state.md. Threads: plain values.
#pragma once

#include <cstddef>
#include <cstdint>

namespace symphony::detail {

inline constexpr std::uint32_t state_magic = 0x54535953;  // "SYST"
inline constexpr std::uint32_t state_revision = 1;
inline constexpr std::uint64_t state_page = 4096;
inline constexpr std::uint64_t state_snapshot_max = std::uint64_t{1} << 31;
inline constexpr std::uint64_t state_journal_max = std::uint64_t{1} << 31;

struct StateGeometry {
  std::uint64_t snapshot_capacity = 0;  // bytes of one snapshot; a multiple of state_page
  std::uint64_t journal_capacity = 0;   // bytes of the journal behind it; likewise
  friend bool operator==(const StateGeometry&, const StateGeometry&) = default;
};

[[nodiscard]] constexpr bool is_state_geometry(const StateGeometry& g) noexcept {
  const auto fits = [](std::uint64_t n, std::uint64_t max) { return n != 0 && n % state_page == 0 && n <= max; };
  return fits(g.snapshot_capacity, state_snapshot_max) && fits(g.journal_capacity, state_journal_max);
}

struct StateIdentity {  // at 0
  std::uint32_t magic = 0;
  std::uint32_t revision = 0;
  StateGeometry geometry;
};
struct StateDescriptor {  // of the generation whose number it bears
  std::uint64_t generation = 0;
  std::uint64_t size = 0;  // of the snapshot
  std::uint64_t checksum = 0;
};
static_assert(sizeof(StateIdentity) == 24 && sizeof(StateDescriptor) == 24);

// Generation g stands in half g mod 2. 0: there is none yet.
inline constexpr std::uint64_t state_current_offset = 64;  // 8 bytes: current_word() of the newest generation
[[nodiscard]] constexpr std::uint64_t state_half(std::uint64_t generation) noexcept { return generation & 1; }
[[nodiscard]] constexpr std::uint64_t state_descriptor_offset(std::uint64_t generation) noexcept {
  return 128 + 64 * state_half(generation);
}
[[nodiscard]] constexpr std::uint64_t state_snapshot_offset(const StateGeometry& g, std::uint64_t generation) noexcept {
  return state_page + state_half(generation) * (g.snapshot_capacity + g.journal_capacity);
}
[[nodiscard]] constexpr std::uint64_t state_journal_offset(const StateGeometry& g, std::uint64_t generation) noexcept {
  return state_snapshot_offset(g, generation) + g.snapshot_capacity;
}
[[nodiscard]] constexpr std::uint64_t state_size(const StateGeometry& g) noexcept {
  return state_page + 2 * (g.snapshot_capacity + g.journal_capacity);
}

// A journal record: header, checksum, bytes, up to a multiple of 8. Its header is the commit; 0 ends the journal.
inline constexpr std::uint64_t journal_head_size = 16;
inline constexpr std::uint64_t journal_record_size_max = std::uint64_t{1} << 30;
[[nodiscard]] constexpr std::uint64_t journal_stride(std::uint64_t size) noexcept {
  return (journal_head_size + size + 7) & ~std::uint64_t{7};
}
// A word that says `low` and, above it, what proves that it was written for this place.
[[nodiscard]] constexpr std::uint64_t state_word(std::uint32_t low, std::uint64_t place) noexcept {
  const std::uint64_t mixed = (place + 1) * 0x9e3779b97f4a7c15 ^ low * 0xbf58476d1ce4e5b9;
  return std::uint64_t{low} | (mixed & 0xffffffff00000000);
}
[[nodiscard]] constexpr std::uint64_t current_word(std::uint32_t generation) noexcept {
  return state_word(generation, 0);
}
// Nothing else stands where this record of this generation does.
[[nodiscard]] constexpr std::uint64_t record_place(std::uint32_t generation, std::uint64_t offset) noexcept {
  return (std::uint64_t{generation} << 32) + offset + 1;
}
[[nodiscard]] constexpr std::uint64_t journal_header(std::uint32_t generation, std::uint64_t offset,
                                                     std::uint32_t size) noexcept {
  return state_word(size, record_place(generation, offset));
}

}  // namespace symphony::detail
