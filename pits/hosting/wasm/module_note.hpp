// The note of a pit in a WebAssembly module's own file, before the module was compiled.   Layer: hosting/wasm
// (contract). Trust: the bytes may be anything (sections.hpp). Threads: pure functions.
#pragma once

#include <cstddef>
#include <span>

#include "pits/hosting/note.hpp"

namespace symphony::pit::wasm {

// What the pit in the module says of itself; whether a host can run it is check_sections()'s to say. BAD_MESSAGE: the
// module or its note is damaged, or there is no note; VERSION: another version of WebAssembly, or another ABI. The
// texts name the remedy.
Outcome read_module_note(std::span<const std::byte> wasm, PitNote& out);

}  // namespace symphony::pit::wasm
