// Looks into an ELF file without mapping or running it: its notes of ours, what it exports, how much it does at start.
// Layer: hosting (contract). For 64-bit little-endian files of this machine, by their section headers.
// Invariant: reads nothing outside the bytes that it was given.
// Trust:   the bytes may be anything; they are lent and must not change meanwhile (a copy, not a mapping). Threads:
// pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "pits/hosting/pit_info.hpp"

namespace symphony::pit {

struct ElfSymbol {
  std::string_view name;  // in the bytes
  bool unique;            // one for the whole process, however often and wherever the file is loaded: STB_GNU_UNIQUE
};

struct ElfFile {
  bool shared_object = false;                       // or a program that is placed anywhere
  std::vector<std::span<const std::byte>> notes{};  // descriptions of notes of SYMPHONY_NOTE_SECTION, owner and type
  std::vector<ElfSymbol> exported{};                // dynamic symbols that it defines for others
  std::uint64_t init_array_size = 0;                // in bytes: what runs when it is loaded
};

// Whether they are a WebAssembly module's, which is no ELF file, of whatever version and however damaged.
[[nodiscard]] bool begins_as_wasm(std::span<const std::byte> bytes) noexcept;

// BAD_MESSAGE: no ELF file, truncated, or its headers point outside; VERSION: for another machine. The texts name the
// remedy.
Outcome read_elf(std::span<const std::byte> bytes, ElfFile& out);

}  // namespace symphony::pit
