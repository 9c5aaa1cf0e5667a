// Reads what ninja would do in a build folder: its commands by `ninja -t compdb`, their order by `ninja -t graph`.
// Layer: tools. Threads: any; starts ninja.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tools/symphony/graph/input_error.hpp"
#include "tools/symphony/run/work.hpp"

namespace symphony::tools {

// Every command that `targets` (none: ninja's default ones) depend on, up to date or not; named by its first output.
[[nodiscard]] InputResult<Work> read_ninja_build(const std::string& folder, const std::vector<std::string>& targets);

// The same from the text that ninja printed; `command_of` finds the command of an output that `compdb` does not list.
[[nodiscard]] InputResult<Work> parse_ninja_build(std::string_view compdb, std::string_view graph,
                                                  const std::string& folder,
                                                  InputResult<std::string> (*command_of)(const std::string& folder,
                                                                                         const std::string& output));

}  // namespace symphony::tools
