// Reads what a pit says of itself, and believes none of it before it was checked.   Layer: hosting (contract only).
// Threads: plain values. The pit's note and table may be gone afterwards: everything is copied.
#pragma once

#include <symphony/pit.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace symphony::pit {

// How a step that involves a pit's own code ended: 0, or a status of pit.h and a line for a person. Not `result`,
// whose texts are static: here the text may be the pit's.
struct [[nodiscard]] Outcome {
  std::int32_t status = SYMPHONY_OK;
  std::string text;
  [[nodiscard]] bool ok() const noexcept { return status == SYMPHONY_OK; }
};

inline constexpr std::uint32_t pit_name_size_max = 63;
inline constexpr std::uint32_t pit_version_size_max = 31;
inline constexpr std::uint32_t pit_messages_max = 1024;
inline constexpr std::uint32_t pit_struct_size_max = 4096;
inline constexpr std::uint32_t pit_reply_size_max = SYMPHONY_REPLY_SIZE_MAX;

struct PitInfo {
  std::string name;
  std::string version;
  std::vector<symphony_message_note> messages;  // sorted by type
  std::uint32_t reply_size_max = 0;
  std::uint32_t state_revision = 0;  // 0: no snapshots
  std::uint32_t state_revision_min = 0;

  // The effect class of a message type; nothing when the pit does not list it.
  [[nodiscard]] std::optional<std::uint32_t> effect_of(std::uint32_t type) const noexcept;
};

// Copies the pit's table into `table` (zero-filled, so what the pit was compiled without is null) and its note into
// `info`. VERSION: another ABI; BAD_MESSAGE: the note or the table is wrong, and the text says where.
Outcome read_entry(const symphony_pit_entry& entry, symphony_pit_entry& table, PitInfo& info);

}  // namespace symphony::pit
