// A shared object that this process has loaded for the rest of its life.   Layer: hosting (contract, bus/base).
// Loaded from a sealed copy in memory, so that a new version at the same path is another object, and what was checked
// is what runs. Never unloaded: threads, thread-local destructors and atexit handlers of it may outlive every use. The
// copy's descriptor stays open with it: a number that was used again would make the loader return the old object for
// the new one's name. Threads: plain values; loading is the system loader's to serialize.
#pragma once

#include <cstddef>
#include <span>
#include <symphony/unique_fd.hpp>

#include "pits/hosting/pit_file.hpp"

namespace symphony::pit {

struct ResidentObject {
  UniqueFd copy;
  void* handle = nullptr;

  // Whether it was loaded from these bytes.
  [[nodiscard]] bool holds(std::span<const std::byte> bytes) const;
  // Null where it has no such symbol.
  [[nodiscard]] const void* symbol(const char* name) const noexcept;
};

// Precondition: the file's bytes were checked, and it has a note. OVERLOADED: no descriptor or memory for the copy;
// UNREACHABLE: the system's loader refused it, and the text has its reason.
Outcome load_resident(const PitFile& file, ResidentObject& out);

}  // namespace symphony::pit
