// The note of a pit as bytes, made at compile time from its symphony_note: the FlatBuffer of schemas/pit_note.fbs
// behind the head of an ELF note, so that a file says who it is before anything of it runs.   Layer: contract. Authors
// do not include this; SYMPHONY_PIT does, and puts the image into section .note.symphony.pit. No generated code: the
// contract stands alone. The same symphony_note gives the same bytes wherever it is compiled, but for the name of the
// compiler.   Format: docs/formats/pit-abi.md
#pragma once

#include <symphony/pit.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace symphony::pit {

inline constexpr std::uint32_t note_build_exceptions = 1;
inline constexpr std::uint32_t note_build_rtti = 2;

// Of this compilation.
inline constexpr std::string_view note_build =
#if defined(__clang__)
    __VERSION__;
#elif defined(__GNUC__)
    "gcc " __VERSION__;
#else
    "unknown compiler";
#endif
inline constexpr std::uint32_t note_build_flags = 0
#if defined(__cpp_exceptions)
                                                  | note_build_exceptions
#endif
#if defined(__cpp_rtti)
                                                  | note_build_rtti
#endif
    ;

[[nodiscard]] constexpr std::uint32_t note_checksum(std::uint32_t so_far, std::uint8_t byte) noexcept {
  return static_cast<std::uint32_t>((so_far ^ byte) * std::uint64_t{16'777'619U});
}
inline constexpr std::uint32_t note_checksum_start = 2'166'136'261U;

// Lays the buffer out from front to back: head, table, vectors, texts. Without `out` it only counts.
class NoteWriter {
 public:
  constexpr NoteWriter(const symphony_note& note, std::uint8_t* out, std::string_view build = note_build,
                       std::uint32_t build_flags = note_build_flags)
      : out_(out) {
    write_head(note);
    put(build_flags_at, build_flags, 4);
    end_ = table_at + table_size;
    write_messages(note);
    write_needs(note);
    write_text(name_at, note.name);
    write_text(version_at, note.version);
    write_text(build_at, build);
    if (out_ != nullptr) seal();
  }
  [[nodiscard]] constexpr std::size_t size() const noexcept { return end_; }

 private:
  static constexpr std::size_t vtable_at = 8;
  static constexpr std::size_t field_count = 14;
  static constexpr std::size_t table_at = vtable_at + 4 + field_count * 2;
  static_assert(table_at % 8 == 0);
  static constexpr std::size_t name_at = table_at + 4, schema_hash_at = table_at + 8, version_at = table_at + 16,
                               messages_at = table_at + 20, needs_at = table_at + 24, build_at = table_at + 28,
                               reply_size_max_at = table_at + 32, state_revision_at = table_at + 36,
                               state_revision_min_at = table_at + 40, thread_model_at = table_at + 44,
                               build_flags_at = table_at + 48, checksum_at = table_at + 52,
                               abi_major_at = table_at + 56, abi_minor_at = table_at + 58, table_size = 60;
  // In the order of the schema.
  static constexpr std::array<std::size_t, field_count> fields = {
      name_at,           version_at,        abi_major_at,          abi_minor_at,   messages_at,     needs_at,
      reply_size_max_at, state_revision_at, state_revision_min_at, schema_hash_at, thread_model_at, build_at,
      build_flags_at,    checksum_at};

  constexpr void put(std::size_t at, std::uint64_t value, std::size_t bytes) {
    if (out_ == nullptr) return;
    for (std::size_t i = 0; i < bytes; ++i) out_[at + i] = static_cast<std::uint8_t>(value >> (8 * i));
  }
  constexpr void put_offset(std::size_t at) { put(at, end_ - at, 4); }
  constexpr void append(std::uint64_t value) {
    put(end_, value, 4);
    end_ += 4;
  }

  constexpr void write_head(const symphony_note& note) {
    put(0, table_at, 4);
    put(4, 0x314E5053, 4);  // "SPN1"
    put(vtable_at, table_at - vtable_at, 2);
    put(vtable_at + 2, table_size, 2);
    for (std::size_t i = 0; i < field_count; ++i) put(vtable_at + 4 + 2 * i, fields[i] - table_at, 2);
    put(table_at, table_at - vtable_at, 4);
    put(abi_major_at, note.abi_major, 2);
    put(abi_minor_at, note.abi_minor, 2);
    put(reply_size_max_at, note.reply_size_max, 4);
    put(state_revision_at, note.state_revision, 4);
    put(state_revision_min_at, note.state_revision_min, 4);
    put(schema_hash_at, note.schema_hash, 8);
    put(thread_model_at, note.thread_model, 4);
  }
  constexpr void write_messages(const symphony_note& note) {
    put_offset(messages_at);
    append(note.message_count);
    for (std::uint32_t i = 0; i < note.message_count; ++i) {
      append(note.messages[i].type);
      append(note.messages[i].effect);
    }
  }
  constexpr void write_needs(const symphony_note& note) {
    put_offset(needs_at);
    append(note.need_count);
    const std::size_t first = end_;
    end_ += std::size_t{4} * note.need_count;
    for (std::uint32_t i = 0; i < note.need_count; ++i) write_text(first + std::size_t{4} * i, note.needs[i]);
  }
  // Size, bytes, a 0, and zeroes up to the next multiple of 4.
  constexpr void write_text(std::size_t from, std::string_view text) {
    put_offset(from);
    append(text.size());
    for (const char c : text) put(end_++, static_cast<std::uint8_t>(c), 1);
    end_ = (end_ + 4) / 4 * 4;
  }
  constexpr void seal() {
    std::uint32_t sum = note_checksum_start;
    for (std::size_t i = 0; i < end_; ++i) sum = note_checksum(sum, out_[i]);
    put(checksum_at, sum, 4);
  }

  std::uint8_t* out_;
  std::size_t end_ = 0;
};

// An ELF note: sizes, type, owner, description. Both sizes are multiples of 4 as they stand, so there is no padding.
template <std::size_t description_size>
struct ElfNote {
  std::uint32_t owner_size = sizeof SYMPHONY_NOTE_OWNER;
  std::uint32_t size = description_size;
  std::uint32_t type = SYMPHONY_NOTE_TYPE;
  char owner[12] = SYMPHONY_NOTE_OWNER;
  std::array<std::uint8_t, description_size> description{};
};

// Before a variable: it is the note of a file. Clang's AddressSanitizer would put a zone behind it, GCC's does not.
#if defined(__clang__)
#define SYMPHONY_PIT_NOTE_PLACE \
  alignas(4) __attribute__((section(SYMPHONY_NOTE_SECTION), used, no_sanitize("address"))) static constinit const
#else
#define SYMPHONY_PIT_NOTE_PLACE alignas(4) __attribute__((section(SYMPHONY_NOTE_SECTION), used)) static constinit const
#endif

// The image of a note that is constant data with static storage.
template <const symphony_note& note>
inline constexpr auto elf_note = [] {
  ElfNote<NoteWriter(note, nullptr).size()> image;
  static_assert(sizeof image == 24 + image.description.size());
  NoteWriter(note, image.description.data());
  return image;
}();

}  // namespace symphony::pit
