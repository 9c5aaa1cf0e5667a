// Reads a task file, TOML or JSON of the same shape (docs/run.md).   Layer: tools. Threads: any.
#pragma once

#include <string>
#include <string_view>

#include "tools/symphony/graph/input_error.hpp"
#include "tools/symphony/run/work.hpp"

namespace symphony::tools {

// One-line errors that name the place, a line of TOML or an element of JSON, and what to do. `path` "-": standard
// input.
[[nodiscard]] InputResult<Work> read_task_file(const std::string& path);

// The same for text at hand; JSON when its first character that is no space is `{`.
[[nodiscard]] InputResult<Work> parse_task_file(std::string_view text, const std::string& label);

// The keys, for --help.
[[nodiscard]] std::string_view task_file_help() noexcept;

}  // namespace symphony::tools
