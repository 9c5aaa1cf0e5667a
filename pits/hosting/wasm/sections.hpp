// What a WebAssembly module says of itself: imports, exports, memory, the pit's note.   Layer: hosting/wasm (contract).
// Reads the sections that say so and steps over code and data; nothing of the module runs.
// Trust:   the bytes may be anything: each length is checked against what is left before it is used.
// Format:  WebAssembly 1.0, binary format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pits/hosting/pit_info.hpp"

namespace symphony::pit::wasm {

inline constexpr std::size_t wasm_names_max = 4096;  // types, imports and exports, each
inline constexpr std::size_t wasm_functions_max = 65'536;
inline constexpr std::string_view note_section = SYMPHONY_NOTE_WASM_SECTION;

enum class Kind : std::uint8_t { function = 0, table = 1, memory = 2, global = 3 };

struct Import {
  std::string_view module;
  std::string_view name;
  Kind kind;
  std::string signature;  // of a function: "i32 i64 -> i32"
};
struct Export {
  std::string_view name;
  Kind kind;
  std::string signature;
};
// What passes between a host and a guest: the host's functions that a module may import from "symphony", and the
// guest's that it must export.
struct Lowered {
  std::string_view name;
  std::string_view signature;
};
[[nodiscard]] std::span<const Lowered> lowered_imports() noexcept;
[[nodiscard]] std::span<const Lowered> lowered_exports() noexcept;
struct MemoryLimits {
  std::uint32_t pages = 0;
  std::optional<std::uint32_t> pages_max;
};

// The views point into the module's bytes.
struct Sections {
  std::vector<Import> imports;
  std::vector<Export> exports;
  std::vector<MemoryLimits> memories;
  std::optional<std::span<const std::byte>> note;
};

// BAD_MESSAGE and where, if the bytes are no module.
Outcome read_sections(std::span<const std::byte> wasm, Sections& out);

// Whether the module is one that the mode can run: it imports functions of "symphony" that a host has and nothing else,
// exports what a host calls, and has one memory with a maximum below the windows. VERSION and what is wrong.
Outcome check_sections(const Sections& sections);

}  // namespace symphony::pit::wasm
