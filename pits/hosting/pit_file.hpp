// A pit's file: a copy of its bytes and what its notes say. Nothing of it is mapped or runs.   Layer: hosting
// (contract). Threads: plain values.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "pits/hosting/elf_file.hpp"
#include "pits/hosting/note.hpp"

namespace symphony::pit {

inline constexpr std::size_t pit_file_size_max = std::size_t{256} << 20;

struct PitFile {
  std::string path;
  std::string placed_at;  // where the system's loader finds the same bytes; empty: it is given a copy in memory
  std::vector<std::byte> bytes;
  ElfFile elf;                 // points into bytes: move it, do not copy it
  std::vector<PitNote> notes;  // at least one; a program has one for each pit that is linked in

  PitFile() = default;
  PitFile(PitFile&&) noexcept = default;
  PitFile& operator=(PitFile&&) noexcept = default;
};

// Reads the file behind `path`, whatever it is. UNREACHABLE: there is no such file, or it cannot be read; TOO_LARGE.
Outcome read_bytes_of(const std::string& path, std::vector<std::byte>& out);

// Reads the file behind `path` and its notes. UNREACHABLE: there is no such file, or it cannot be read; BAD_MESSAGE: it
// is no ELF file, damaged, or without a note; VERSION: for another machine, or another ABI. Each text begins with the
// path and names the remedy.
Outcome read_pit_file(const std::string& path, PitFile& out);

}  // namespace symphony::pit
