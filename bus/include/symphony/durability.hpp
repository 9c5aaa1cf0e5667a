// What of a pit's state outlives its process.   Layer: base.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <symphony/clock.hpp>

namespace symphony {

enum class Durability : std::uint8_t {
  none,      // nothing: each instance begins anew
  snapshot,  // the state as of the last snapshot
  journal,   // the state as of the last message that was acknowledged: a snapshot, and every message since
};

// The words of manifests and of a pit's environment; nothing for any other.
[[nodiscard]] constexpr std::string_view name_of(Durability durability) noexcept {
  return durability == Durability::journal ? "journal" : durability == Durability::snapshot ? "snapshot" : "none";
}
[[nodiscard]] constexpr std::optional<Durability> durability_of(std::string_view name) noexcept {
  for (const Durability d : {Durability::none, Durability::snapshot, Durability::journal}) {
    if (name_of(d) == name) return d;
  }
  return std::nullopt;
}

// How a pit's state is kept. Sizes are multiples of 4096 up to 2 GiB; memory is taken as it is used, of the journal at
// once.
struct StatePolicy {
  Durability durability = Durability::none;
  std::uint64_t snapshot_size_max = 64ull << 20;  // larger ones are refused, and the one before stays
  std::uint64_t journal_size = 1ull << 20;        // twice; when one is full, a snapshot is taken and the other begun
  std::uint32_t snapshot_after = 1000;            // of Durability::snapshot: so many messages and timers,
  TimeNs snapshot_after_ns = second_ns;           // or so long after the first that is in none
  // Where it is kept, as `<pit>.state`: an absolute path of a folder of this user's. Empty: in memory, which the keeper
  // holds, and which goes when the broker ends. One broker at a time.
  std::string folder{};
  bool is_synced = true;  // with a folder: nobody is answered before it is on the disk (fdatasync)
  friend bool operator==(const StatePolicy&, const StatePolicy&) = default;
};

}  // namespace symphony
