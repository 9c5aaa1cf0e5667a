// Reads what a pit says of itself, and believes none of it before it was checked.   Layer: hosting (contract only).
// Threads: plain values. The pit's note and table may be gone afterwards: everything is copied.
#pragma once

#include <symphony/pit.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
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
inline constexpr std::uint32_t pit_needs_max = SYMPHONY_NEEDS_MAX;
inline constexpr std::uint32_t pit_struct_size_max = 4096;
inline constexpr std::uint32_t pit_reply_size_max = SYMPHONY_REPLY_SIZE_MAX;

struct PitInfo {
  std::string name;
  std::string version;
  std::vector<symphony_message_note> messages;  // sorted by type
  std::uint32_t reply_size_max = 0;
  std::uint32_t state_revision = 0;  // 0: no snapshots
  std::uint32_t state_revision_min = 0;
  std::uint16_t abi_major = 0;
  std::uint16_t abi_minor = 0;
  std::vector<std::string> needs;  // names under which the pits that it calls are mounted
  std::uint32_t thread_model = SYMPHONY_THREAD_MODEL_SERIAL;
  std::uint64_t schema_hash = 0;  // 0: unknown

  // The effect class of a message type; nothing when the pit does not list it.
  [[nodiscard]] std::optional<std::uint32_t> effect_of(std::uint32_t type) const noexcept;
};

// The first field in which two infos differ; empty when they are equal.
[[nodiscard]] std::string_view first_difference(const PitInfo& a, const PitInfo& b) noexcept;

// What a note says, in whatever form it came. A name or version that is nothing is one that is missing or too long.
struct NoteFields {
  std::uint16_t abi_major = 0;
  std::uint16_t abi_minor = 0;
  std::optional<std::string_view> name;
  std::optional<std::string_view> version;
  std::vector<symphony_message_note> messages;
  std::vector<std::string_view> needs;
  std::uint32_t reply_size_max = 0;
  std::uint32_t state_revision = 0;
  std::uint32_t state_revision_min = 0;
  std::uint32_t thread_model = 0;
  std::uint64_t schema_hash = 0;
};

// Checks them and copies them into `info`. VERSION: an ABI or a thread model that this host does not offer;
// BAD_MESSAGE: a field is wrong, and the text says which.
Outcome check_note(const NoteFields& fields, PitInfo& info);

// Copies the pit's table into `table` (zero-filled, so what the pit was compiled without is null) and its note into
// `info`. VERSION and BAD_MESSAGE as check_note; BAD_MESSAGE also for a table that is wrong.
Outcome read_entry(const symphony_pit_entry& entry, symphony_pit_entry& table, PitInfo& info);

}  // namespace symphony::pit
