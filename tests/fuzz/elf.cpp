// A pit's file and its note, as ELF has them: nothing of it is mapped or run, whatever it says.
#include <string_view>

#include "pits/hosting/elf_file.hpp"
#include "pits/hosting/note.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/targets.hpp"

namespace symphony::fuzz {
namespace {

bool lies_in(const void* begin, std::size_t size, std::span<const std::byte> bytes) {
  const auto at = reinterpret_cast<std::uintptr_t>(begin), first = reinterpret_cast<std::uintptr_t>(bytes.data());
  return size == 0 || (at >= first && at - first <= bytes.size() && size <= bytes.size() - (at - first));
}

const char* judge_note(std::span<const std::byte> bytes) {
  pit::PitNote note;
  if (const pit::Outcome read = pit::read_note(bytes, note); !read.ok())
    return read.text.empty() ? "no reason" : nullptr;
  if (note.info.name.empty() || note.info.name.size() > pit::pit_name_size_max) return "a pit's name that is none";
  if (note.info.messages.size() > pit::pit_messages_max) return "more messages than a pit may have";
  // What is believed can be said again, and is the same.
  pit::PitNote again;
  if (!pit::read_note(pit::write_note(note.info), again).ok()) return "a note that was read cannot be written";
  return pit::first_difference(note.info, again.info).empty() ? nullptr : "a note is another one when written again";
}

}  // namespace

// The first byte: whether the rest is a file or a note alone.
const char* run_elf(std::span<const std::uint8_t> input) {
  Input from(input);
  const bool is_note = from.flag();
  Exactly rest(from.rest());
  const std::span<const std::byte> bytes = rest.bytes();
  if (is_note) return judge_note(bytes);
  pit::ElfFile file;
  if (const pit::Outcome read = pit::read_elf(bytes, file); !read.ok()) {
    return read.text.empty() ? "refused without a reason" : nullptr;
  }
  for (const auto note : file.notes) {
    if (!lies_in(note.data(), note.size(), bytes)) return "a note outside of the file";
    if (const char* wrong = judge_note(note)) return wrong;
  }
  for (const pit::ElfSymbol& symbol : file.exported) {
    if (!lies_in(symbol.name.data(), symbol.name.size(), bytes)) return "a name outside of the file";
  }
  return nullptr;
}

}  // namespace symphony::fuzz
