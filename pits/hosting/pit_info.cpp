#include "pits/hosting/pit_info.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string_view>

namespace symphony::pit {
namespace {

// A C string of at most size_max bytes; a null pointer or a longer one is nothing.
std::optional<std::string_view> bounded(const char* text, std::size_t size_max) noexcept {
  if (text == nullptr) return std::nullopt;
  const std::size_t size = ::strnlen(text, size_max + 1);
  if (size > size_max) return std::nullopt;
  return std::string_view(text, size);
}

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

bool is_name(std::string_view name) noexcept {
  if (name.empty() || name.front() < 'a' || name.front() > 'z') return false;
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || is_digit(c) || c == '_'; });
}

// MAJOR.MINOR.PATCH, each 1 to 9 digits without a leading zero.
bool is_version(std::string_view version) noexcept {
  for (int part = 0; part < 3; ++part) {
    std::size_t digits = 0;
    while (digits < version.size() && is_digit(version[digits])) ++digits;
    if (digits == 0 || digits > 9 || (digits > 1 && version.front() == '0')) return false;
    version.remove_prefix(digits);
    if (part < 2) {
      if (version.empty() || version.front() != '.') return false;
      version.remove_prefix(1);
    }
  }
  return version.empty();
}

// Copies a struct that begins with its own size into a zero-filled one of ours, never reading past either.
template <class Struct>
bool copy_sized(const Struct& from, Struct& to, std::size_t size_min) noexcept {
  std::uint32_t size = 0;
  std::memcpy(&size, &from, sizeof size);
  if (size < size_min || size > pit_struct_size_max) return false;
  to = Struct{};
  std::memcpy(&to, &from, std::min<std::size_t>(size, sizeof to));
  return true;
}

Outcome bad(std::string_view pit, std::string_view what) {
  return {SYMPHONY_BAD_MESSAGE, "pit '" + std::string(pit) + "': " + std::string(what)};
}

Outcome check_messages(const symphony_note& note, PitInfo& info) {
  if (note.message_count > pit_messages_max) return bad(info.name, "its note lists more than 1,024 messages");
  if (note.message_count > 0 && note.messages == nullptr) return bad(info.name, "its note has no message list");
  info.messages.assign(note.messages, note.messages + note.message_count);
  std::uint32_t before = 0;
  for (const symphony_message_note& message : info.messages) {
    if (message.type <= before)
      return bad(info.name, "the message list of its note is not sorted, or holds a type twice or 0");
    if (message.effect > SYMPHONY_EFFECT_IDEMPOTENT)
      return bad(info.name, "its note gives a message an effect class that does not exist");
    before = message.type;
  }
  return {};
}

}  // namespace

std::optional<std::uint32_t> PitInfo::effect_of(std::uint32_t type) const noexcept {
  const auto at =
      std::lower_bound(messages.begin(), messages.end(), type,
                       [](const symphony_message_note& m, std::uint32_t wanted) { return m.type < wanted; });
  if (at == messages.end() || at->type != type) return std::nullopt;
  return at->effect;
}

Outcome read_entry(const symphony_pit_entry& entry, symphony_pit_entry& table, PitInfo& info) {
  info = PitInfo{};
  if (!copy_sized(entry, table, offsetof(symphony_pit_entry, create)))
    return bad("?", "the size of its entry makes no sense: not a pit");
  if (table.note == nullptr) return bad("?", "its entry has no note: not a pit");

  symphony_note note{};
  if (!copy_sized(*table.note, note, offsetof(symphony_note, state_revision)))
    return bad("?", "the size of its note makes no sense: not a pit");
  if (note.abi_major != SYMPHONY_ABI_MAJOR || note.abi_minor > SYMPHONY_ABI_MINOR) {
    const auto name = bounded(note.name, pit_name_size_max);
    return {SYMPHONY_VERSION, "pit '" + std::string(name && is_name(*name) ? *name : "?") + "' needs ABI " +
                                  std::to_string(note.abi_major) + "." + std::to_string(note.abi_minor) +
                                  " and this host offers " + std::to_string(SYMPHONY_ABI_MAJOR) + "." +
                                  std::to_string(SYMPHONY_ABI_MINOR) + ": build both from one release"};
  }

  const auto name = bounded(note.name, pit_name_size_max);
  if (!name || !is_name(*name))
    return bad("?", "the name in its note is not 1 to 63 of a-z, 0-9, _ beginning with a letter");
  info.name = *name;
  const auto version = bounded(note.version, pit_version_size_max);
  if (!version || !is_version(*version)) return bad(*name, "the version in its note is not MAJOR.MINOR.PATCH");
  info.version = *version;
  if (note.reply_size_max > pit_reply_size_max) return bad(*name, "its note asks for replies above 16 MiB");
  info.reply_size_max = note.reply_size_max;
  info.state_revision = note.state_revision;
  // A pit of before this field existed reads what it writes.
  info.state_revision_min = note.state_revision_min == 0 ? note.state_revision : note.state_revision_min;
  if (info.state_revision_min > info.state_revision)
    return bad(*name, "its note reads only snapshots newer than it writes");
  if (Outcome checked = check_messages(note, info); !checked.ok()) return checked;

  if (table.create == nullptr || table.handle == nullptr || table.destroy == nullptr) {
    return bad(*name, "its table lacks create, handle or destroy");
  }
  if (info.state_revision == 0) table.snapshot = nullptr, table.restore = nullptr;
  return {};
}

}  // namespace symphony::pit
