#include "pits/hosting/wasm/module_note.hpp"

#include <cstring>
#include <string>

#include "pits/hosting/elf_file.hpp"
#include "pits/hosting/wasm/sections.hpp"

namespace symphony::pit::wasm {
namespace {

constexpr std::size_t version_at = 4;
constexpr std::uint32_t version_read = 1;

}  // namespace

Outcome read_module_note(std::span<const std::byte> wasm, PitNote& out) {
  std::uint32_t version = version_read;
  if (begins_as_wasm(wasm) && wasm.size() >= version_at + sizeof version) {
    std::memcpy(&version, wasm.data() + version_at, sizeof version);
  }
  if (version != version_read) {
    return {SYMPHONY_VERSION, "a WebAssembly module of version " + std::to_string(version & 0xFFFFU) +
                                  ", and version 1 is read: build it with symphony_add_pit"};
  }
  Sections sections;
  if (Outcome read = read_sections(wasm, sections); !read.ok()) {
    read.text += ": copy or build it again";
    return read;
  }
  if (!sections.note) {
    return {SYMPHONY_BAD_MESSAGE, "no pit: the module has no section symphony.pit; build it with symphony_add_pit"};
  }
  return read_note(*sections.note, out);
}

}  // namespace symphony::pit::wasm
