#include "pits/hosting/wasm/module_note.hpp"

#include <array>
#include <cstring>
#include <string>

#include "pits/hosting/wasm/sections.hpp"

namespace symphony::pit::wasm {
namespace {

constexpr std::array<char, 4> magic{'\0', 'a', 's', 'm'};
constexpr std::uint32_t version_read = 1;

}  // namespace

bool begins_as_module(std::span<const std::byte> bytes) noexcept {
  return bytes.size() >= magic.size() && std::memcmp(bytes.data(), magic.data(), magic.size()) == 0;
}

Outcome read_module_note(std::span<const std::byte> wasm, PitNote& out) {
  std::uint32_t version = version_read;
  if (begins_as_module(wasm) && wasm.size() >= magic.size() + sizeof version) {
    std::memcpy(&version, wasm.data() + magic.size(), sizeof version);
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
