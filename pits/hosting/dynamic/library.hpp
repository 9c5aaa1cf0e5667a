// A pit's shared object, loaded into this process for the rest of its life.   Layer: hosting/dynamic (contract,
// bus/base). Loaded from a sealed copy in memory, so that a new version at the same path is another library, and what
// was checked is what runs. Never unloaded: threads, thread-local destructors and atexit handlers of a library may
// outlive every use of it. The copy's descriptor stays open with it: a number that was used again would make the loader
// return the old library for the new one's name. Invariants:
//   L1  the same bytes are loaded once a process, however often they are asked for
//   L2  nothing of a file is mapped executable before its note was checked
//   L3  what the loaded table says is what the note said
// Threads: any. What is loaded belongs to the process, as the loader's own list does: hence one register a process.
#pragma once

#include <symphony/pit.h>

#include <cstdint>
#include <memory>

#include "pits/hosting/pit_file.hpp"

namespace symphony::pit {

// A use of a loaded pit: as long as one is held, its version is not retired.
class PitLibrary {
 public:
  // BAD_MESSAGE: the file is no shared object with one pit, exports symbols that two versions would share, or its table
  // differs from its note; UNREACHABLE: the system's loader refused it, and the text has its reason; OVERLOADED: no
  // descriptor or memory for the copy.
  static Outcome load(const PitFile& file, std::shared_ptr<const PitLibrary>& out);

  [[nodiscard]] const symphony_pit_entry& entry() const noexcept { return *entry_; }
  [[nodiscard]] const PitInfo& info() const noexcept { return info_; }

 private:
  friend class Loaded;
  PitLibrary(const symphony_pit_entry& entry, PitInfo info) : entry_(&entry), info_(std::move(info)) {}
  const symphony_pit_entry* entry_;
  PitInfo info_;
};

// Of this process. Each loaded library costs its memory and one descriptor for ever; a retired one is used by nobody.
struct LibraryCounts {
  std::uint32_t loaded = 0;
  std::uint32_t retired = 0;
};
[[nodiscard]] LibraryCounts library_counts() noexcept;

}  // namespace symphony::pit
