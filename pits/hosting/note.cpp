#include "pits/hosting/note.hpp"

#include <flatbuffers/flatbuffers.h>

#include <cstring>
#include <vector>

#include <symphony/pit_note.hpp>

#include "pit_note_generated.h"

namespace symphony::pit {
namespace {

Outcome damaged(const char* what) {
  return {SYMPHONY_BAD_MESSAGE, std::string("its note ") + what + ": build the pit again, or copy its file again"};
}

// Of all bytes, those of the checksum itself as 0. Precondition: a verified buffer.
bool checksum_holds(std::span<const std::byte> bytes) noexcept {
  const auto* begin = reinterpret_cast<const std::uint8_t*>(bytes.data());
  const std::uint8_t* field = flatbuffers::GetRoot<flatbuffers::Table>(begin)->GetAddressOf(note::PitNote::VT_CHECKSUM);
  if (field == nullptr) return false;
  const auto at = static_cast<std::size_t>(field - begin);
  std::uint32_t sum = note_checksum_start;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const bool left_out = i >= at && i < at + sizeof sum;
    sum = note_checksum(sum, left_out ? std::uint8_t{0} : begin[i]);
  }
  return sum == note::GetPitNote(begin)->checksum();
}

std::string_view text_of(const flatbuffers::String& text) noexcept { return {text.c_str(), text.size()}; }

std::optional<std::string_view> bounded(const flatbuffers::String& text, std::size_t size_max) noexcept {
  if (text.size() > size_max) return std::nullopt;
  return text_of(text);
}

}  // namespace

std::vector<std::byte> write_note(const PitInfo& info) {
  std::vector<const char*> needs;
  needs.reserve(info.needs.size());
  for (const std::string& need : info.needs) needs.push_back(need.c_str());
  symphony_note note{};
  note.struct_size = sizeof note;
  note.abi_major = info.abi_major;
  note.abi_minor = info.abi_minor;
  note.name = info.name.c_str();
  note.version = info.version.c_str();
  note.messages = info.messages.data();
  note.message_count = static_cast<std::uint32_t>(info.messages.size());
  note.reply_size_max = info.reply_size_max;
  note.state_revision = info.state_revision;
  note.state_revision_min = info.state_revision_min;
  note.needs = needs.data();
  note.need_count = static_cast<std::uint32_t>(needs.size());
  note.thread_model = info.thread_model;
  note.schema_hash = info.schema_hash;
  std::vector<std::byte> bytes(NoteWriter(note, nullptr, "", 0).size());
  NoteWriter(note, reinterpret_cast<std::uint8_t*>(bytes.data()), "", 0);
  return bytes;
}

Outcome read_note(std::span<const std::byte> bytes, PitNote& out) {
  out = PitNote{};
  if (bytes.size() > note_size_max) return damaged("is larger than 64 KiB");
  // Aligned, and at a place that nobody else changes.
  std::vector<std::uint64_t> copy((bytes.size() + 7) / 8);
  if (!bytes.empty()) std::memcpy(copy.data(), bytes.data(), bytes.size());
  const auto* at = reinterpret_cast<const std::uint8_t*>(copy.data());
  constexpr flatbuffers::uoffset_t depth_max = 2;
  constexpr flatbuffers::uoffset_t tables_max = 1;
  flatbuffers::Verifier verifier(at, bytes.size(), depth_max, tables_max);
  if (bytes.size() < 8 || !note::VerifyPitNoteBuffer(verifier)) return damaged("is not a valid PitNote");
  const note::PitNote& root = *note::GetPitNote(at);
  if (!checksum_holds({reinterpret_cast<const std::byte*>(at), bytes.size()}))
    return damaged("is damaged, its checksum differs");

  NoteFields fields;
  fields.abi_major = root.abi_major();
  fields.abi_minor = root.abi_minor();
  fields.name = bounded(*root.name(), pit_name_size_max);
  fields.version = bounded(*root.version(), pit_version_size_max);
  fields.reply_size_max = root.reply_size_max();
  fields.state_revision = root.state_revision();
  fields.state_revision_min = root.state_revision_min();
  fields.thread_model = root.thread_model();
  fields.schema_hash = root.schema_hash();
  if (const auto* messages = root.messages()) {
    for (const note::Message* message : *messages) fields.messages.push_back({message->type(), message->effect()});
  }
  if (const auto* needs = root.needs()) {
    for (const flatbuffers::String* need : *needs) fields.needs.push_back(text_of(*need));
  }
  if (Outcome checked = check_note(fields, out.info); !checked.ok()) return checked;
  if (root.build() != nullptr) out.build = text_of(*root.build()).substr(0, note_build_size_max);
  out.exceptions = (root.build_flags() & note_build_exceptions) != 0;
  out.rtti = (root.build_flags() & note_build_rtti) != 0;
  return {};
}

}  // namespace symphony::pit
