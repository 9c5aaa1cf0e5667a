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

Outcome check_messages(const NoteFields& fields, PitInfo& info) {
  if (fields.messages.size() > pit_messages_max) return bad(info.name, "its note lists more than 1,024 messages");
  info.messages = fields.messages;
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

Outcome check_needs(const NoteFields& fields, PitInfo& info) {
  if (fields.needs.size() > pit_needs_max) return bad(info.name, "its note needs more than 64 other pits");
  for (const std::string_view need : fields.needs) {
    if (!is_name(need) || need.size() > pit_name_size_max || need == info.name)
      return bad(info.name, "its note needs something that is no name of another pit");
    if (std::find(info.needs.begin(), info.needs.end(), need) != info.needs.end())
      return bad(info.name, "its note needs a pit twice");
    info.needs.emplace_back(need);
  }
  return {};
}

// The list behind a pointer and a count of a note; nothing when the pointer is null or the count above its limit.
template <class T>
std::optional<std::span<const T>> bounded(const T* list, std::uint32_t count, std::uint32_t count_max) noexcept {
  if (count == 0) return std::span<const T>();
  if (list == nullptr || count > count_max) return std::nullopt;
  return std::span(list, count);
}

}  // namespace

std::optional<std::uint32_t> PitInfo::effect_of(std::uint32_t type) const noexcept {
  const auto at =
      std::lower_bound(messages.begin(), messages.end(), type,
                       [](const symphony_message_note& m, std::uint32_t wanted) { return m.type < wanted; });
  if (at == messages.end() || at->type != type) return std::nullopt;
  return at->effect;
}

std::string_view first_difference(const PitInfo& a, const PitInfo& b) noexcept {
  const auto same_message = [](const symphony_message_note& x, const symphony_message_note& y) {
    return x.type == y.type && x.effect == y.effect;
  };
  if (a.name != b.name) return "name";
  if (a.version != b.version) return "version";
  if (a.abi_major != b.abi_major || a.abi_minor != b.abi_minor) return "ABI";
  if (!std::equal(a.messages.begin(), a.messages.end(), b.messages.begin(), b.messages.end(), same_message))
    return "messages";
  if (a.needs != b.needs) return "needs";
  if (a.reply_size_max != b.reply_size_max) return "reply_size_max";
  if (a.state_revision != b.state_revision || a.state_revision_min != b.state_revision_min) return "state revisions";
  if (a.thread_model != b.thread_model) return "thread model";
  if (a.schema_hash != b.schema_hash) return "schema hash";
  return {};
}

Outcome check_note(const NoteFields& fields, PitInfo& info) {
  info = PitInfo{};
  const bool named = fields.name && is_name(*fields.name);
  if (fields.abi_major != SYMPHONY_ABI_MAJOR || fields.abi_minor > SYMPHONY_ABI_MINOR) {
    return {SYMPHONY_VERSION, "pit '" + std::string(named ? *fields.name : "?") + "' needs ABI " +
                                  std::to_string(fields.abi_major) + "." + std::to_string(fields.abi_minor) +
                                  " and this host offers " + std::to_string(SYMPHONY_ABI_MAJOR) + "." +
                                  std::to_string(SYMPHONY_ABI_MINOR) + ": build both from one release"};
  }
  if (!named) return bad("?", "the name in its note is not 1 to 63 of a-z, 0-9, _ beginning with a letter");
  info.name = *fields.name;
  if (!fields.version || !is_version(*fields.version))
    return bad(info.name, "the version in its note is not MAJOR.MINOR.PATCH");
  info.version = *fields.version;
  info.abi_major = fields.abi_major;
  info.abi_minor = fields.abi_minor;
  if (fields.reply_size_max > pit_reply_size_max) return bad(info.name, "its note asks for replies above 16 MiB");
  info.reply_size_max = fields.reply_size_max;
  info.state_revision = fields.state_revision;
  // A pit of before this field existed reads what it writes.
  info.state_revision_min = fields.state_revision_min == 0 ? fields.state_revision : fields.state_revision_min;
  if (info.state_revision_min > info.state_revision)
    return bad(info.name, "its note reads only snapshots newer than it writes");
  if (fields.thread_model != SYMPHONY_THREAD_MODEL_SERIAL) {
    return {SYMPHONY_VERSION, "pit '" + info.name + "' has thread model " + std::to_string(fields.thread_model) +
                                  ", which this host does not know: use a newer one"};
  }
  info.thread_model = fields.thread_model;
  info.schema_hash = fields.schema_hash;
  if (Outcome checked = check_messages(fields, info); !checked.ok()) return checked;
  return check_needs(fields, info);
}

Outcome read_entry(const symphony_pit_entry& entry, symphony_pit_entry& table, PitInfo& info) {
  info = PitInfo{};
  if (!copy_sized(entry, table, offsetof(symphony_pit_entry, create)))
    return bad("?", "the size of its entry makes no sense: not a pit");
  if (table.note == nullptr) return bad("?", "its entry has no note: not a pit");

  symphony_note note{};
  if (!copy_sized(*table.note, note, offsetof(symphony_note, state_revision)))
    return bad("?", "the size of its note makes no sense: not a pit");
  NoteFields fields;
  fields.abi_major = note.abi_major;
  fields.abi_minor = note.abi_minor;
  fields.name = bounded(note.name, pit_name_size_max);
  fields.version = bounded(note.version, pit_version_size_max);
  fields.reply_size_max = note.reply_size_max;
  fields.state_revision = note.state_revision;
  fields.state_revision_min = note.state_revision_min;
  fields.thread_model = note.thread_model;
  fields.schema_hash = note.schema_hash;
  // Of another ABI only that and the name are looked at: the lists may mean something else there.
  if (note.abi_major == SYMPHONY_ABI_MAJOR) {
    const std::string_view name = fields.name ? *fields.name : "?";
    const auto messages = bounded(note.messages, note.message_count, pit_messages_max);
    if (!messages) return bad(name, "its note has no message list, or one of more than 1,024 messages");
    fields.messages.assign(messages->begin(), messages->end());
    const auto needs = bounded(note.needs, note.need_count, pit_needs_max);
    if (!needs) return bad(name, "its note has no list of needs, or one of more than 64");
    for (const char* need : *needs) fields.needs.push_back(bounded(need, pit_name_size_max).value_or(""));
  }
  if (Outcome checked = check_note(fields, info); !checked.ok()) return checked;

  if (table.create == nullptr || table.handle == nullptr || table.destroy == nullptr) {
    return bad(info.name, "its table lacks create, handle or destroy");
  }
  if (info.state_revision == 0) table.snapshot = nullptr, table.restore = nullptr;
  return {};
}

}  // namespace symphony::pit
