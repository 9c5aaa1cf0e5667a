// A WebAssembly module before it is compiled: its sections, and the note in them.
#include "pits/hosting/wasm/module_note.hpp"
#include "pits/hosting/wasm/sections.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/fuzz/targets.hpp"

namespace symphony::fuzz {

const char* run_wasm(std::span<const std::uint8_t> input) {
  Exactly module(input);
  const std::span<const std::byte> bytes = module.bytes();
  pit::wasm::Sections sections;
  const pit::Outcome read = pit::wasm::read_sections(bytes, sections);
  pit::PitNote note;
  const pit::Outcome noted = pit::wasm::read_module_note(bytes, note);
  if (!read.ok()) return read.text.empty() ? "refused without a reason" : noted.ok() ? "a note of no module" : nullptr;
  const auto holds = [bytes](const char* at, std::size_t size) {
    const auto* const begin = reinterpret_cast<const char*>(bytes.data());
    return size == 0 || (at >= begin && at + size <= begin + bytes.size());
  };
  if (sections.imports.size() > pit::wasm::wasm_names_max || sections.exports.size() > pit::wasm::wasm_names_max)
    return "more names than there may be";
  for (const auto& import : sections.imports) {
    if (!holds(import.name.data(), import.name.size()) || !holds(import.module.data(), import.module.size()))
      return "an import's name outside of the module";
  }
  for (const auto& one : sections.exports) {
    if (!holds(one.name.data(), one.name.size())) return "an export's name outside of the module";
  }
  if (sections.note && !holds(reinterpret_cast<const char*>(sections.note->data()), sections.note->size()))
    return "a note outside of the module";
  if (const pit::Outcome checked = pit::wasm::check_sections(sections); checked.ok()) {
    if (sections.memories.size() != 1 || !sections.memories[0].pages_max) return "runnable without a bound of memory";
    for (const auto& import : sections.imports) {
      if (import.module != "symphony") return "runnable with an import of somebody else";
    }
  }
  return nullptr;
}

}  // namespace symphony::fuzz
