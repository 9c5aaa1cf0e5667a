// What the verbs about a pit's file share.   Layer: tools.
#pragma once

#include <filesystem>
#include <string>
#include <system_error>

#include "pits/hosting/pit_file.hpp"
#include "tools/symphony/exit_status.hpp"
#include "tools/symphony/programs.hpp"

namespace symphony::tools {

// A path as it was given, or that of the listed pit of this name.
[[nodiscard]] inline std::string pit_path(const std::string& given) {
  std::error_code ignored;
  if (given.find('/') == std::string::npos && !std::filesystem::exists(given, ignored)) {
    if (std::string ours = find_pit_file(given); !ours.empty()) return ours;
  }
  return given;
}

// For a file that could not be read as a pit's.
[[nodiscard]] inline int exit_status_of(const pit::Outcome& outcome) {
  switch (outcome.status) {
    case SYMPHONY_OK:
      return exit_ok;
    case SYMPHONY_VERSION:
      return exit_version;
    case SYMPHONY_UNREACHABLE:
      return exit_usage;
    case SYMPHONY_OVERLOADED:
      return exit_internal;
    default:
      return exit_bad;
  }
}

}  // namespace symphony::tools
