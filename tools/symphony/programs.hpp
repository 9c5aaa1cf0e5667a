// Where the programs and pits that belong to this one are.   Layer: tools.
#pragma once

#include <string>
#include <string_view>

namespace symphony::tools {

// The path of `name`: beside this program, else in ../libexec/symphony of an installation. Empty when it is in neither.
[[nodiscard]] std::string find_program(std::string_view name);

// Runs a pit's file as a process.
inline constexpr std::string_view pit_host_program = "symphony-pit-host";

// Where the pits of this build or installation are: ../pits beside this program's folder, else ../lib/symphony/pits.
// Empty when neither is a folder.
[[nodiscard]] std::string pit_folder();

// The file of the pit of that name in there; empty when there is none.
[[nodiscard]] std::string find_pit_file(std::string_view name);

// What `symphony pit new` copies: ../share/symphony/template beside this program's folder. Empty when it is not there.
[[nodiscard]] std::string template_folder();

// The folder in which this program is installed with the CMake package; empty for a program of a build tree.
[[nodiscard]] std::string install_prefix();

}  // namespace symphony::tools
