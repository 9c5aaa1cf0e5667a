// A root of its own for a process: the system's libraries and the pit's file, to be read.   Layer: hosting/sandbox
// (base). Threads: one in the process.
#pragma once

#include <cstddef>
#include <span>
#include <symphony/result.hpp>

namespace symphony::pit::sandbox {

inline constexpr const char* placed_pit = "/pit.so";  // where the pit's file is then

// Precondition: in a mount namespace of its own, with the right to mount. After an error the process sees what it saw
// or less, and should end.
[[nodiscard]] result<void> enter_new_root(std::span<const std::byte> pit_file) noexcept;

}  // namespace symphony::pit::sandbox
