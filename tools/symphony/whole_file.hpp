// Files that are there whole or not at all.   Layer: tools. Threads: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tools/symphony/graph/input_error.hpp"

namespace symphony::tools {

// What `path` holds is replaced by `bytes`, on the disk when this returns, for its owner alone (0600); on an error it
// is as it was, and nothing else is left in its folder. What is there and is no regular file is not replaced. "-":
// standard output, which is not to be a terminal. Empty text: it is done.
[[nodiscard]] std::string write_whole_file(const std::string& path, std::span<const std::byte> bytes);

// All of a file; "-": of standard input. Errors: it cannot be read, or is larger than size_max.
[[nodiscard]] InputResult<std::vector<std::byte>> read_whole_file(const std::string& path, std::uint64_t size_max);

}  // namespace symphony::tools
