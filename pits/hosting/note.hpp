// Reads the bytes of a pit's note, as they stand in its file.   Layer: hosting (contract, schemas).
// Trust:   the bytes may be anything: they are verified with limits, and the checksum tells a damaged note from a sound
//          one. A note that lies is found when the pit is loaded and its table says something else.
// Threads: pure functions.   Format: docs/formats/pit-abi.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "pits/hosting/pit_info.hpp"

namespace symphony::pit {

inline constexpr std::size_t note_size_max = 65'536;
inline constexpr std::size_t note_build_size_max = 255;

struct PitNote {
  PitInfo info;
  std::string build;  // the compiler; what the pit's builder wrote: clean it before it goes to a terminal
  bool exceptions = false;
  bool rtti = false;
};

// The same note for somebody else; without the compiler, which is the file's to say. At most 16 KiB: the limits of
// pit_info.hpp see to that.
[[nodiscard]] std::vector<std::byte> write_note(const PitInfo& info);

// BAD_MESSAGE: no note, damaged, or a field is wrong; VERSION as check_note. The texts name the remedy.
Outcome read_note(std::span<const std::byte> bytes, PitNote& out);

}  // namespace symphony::pit
