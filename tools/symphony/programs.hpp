// Where the programs that belong to this one are: pits and the keeper.   Layer: tools.
#pragma once

#include <string>
#include <string_view>

namespace symphony::tools {

// The path of `name`: beside this program, else in ../libexec/symphony of an installation. Empty when it is in neither.
[[nodiscard]] std::string find_program(std::string_view name);

}  // namespace symphony::tools
