// A pit that is a Python file: how a process runs it, and who it says it is.   Layer: hosting/process (contract).
// The package symphony_ipc that belongs to this release is beside the program, and used whatever else is installed.
// Threads: any.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pits/hosting/pit_file.hpp"

namespace symphony::pit {

// The walls that a Python pit can be put behind; "none": it cannot be confined.
inline constexpr std::string_view python_sandbox = "none";

[[nodiscard]] bool is_python_pit(std::string_view path) noexcept;

// Replaces this process by the interpreter with the pit: $SYMPHONY_PYTHON, else the first python3 of PATH, else
// Debian's. Returns only when it cannot, with the reason.
[[nodiscard]] Outcome become_python_pit(const std::string& path);

// What the file says of its pit, with no bytes and no ELF file. The text is read by an interpreter of its own, and
// nothing of it runs. UNREACHABLE: no such file, or no interpreter; BAD_MESSAGE: no pit, or its note is wrong.
Outcome read_python_pit(const std::string& path, PitFile& out);

// The one of the two that the file's name asks for.
Outcome read_any_pit(const std::string& path, PitFile& out);

}  // namespace symphony::pit
