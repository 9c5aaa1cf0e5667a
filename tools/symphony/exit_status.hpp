// What the command's exit status says; the same for every verb.   Layer: tools.
#pragma once

#include <symphony/result.hpp>
#include <symphony/status.hpp>

namespace symphony::tools {

inline constexpr int exit_ok = 0;
inline constexpr int exit_bad = 1;          // the checked thing is bad: results differ, a call was lost
inline constexpr int exit_usage = 2;        // the command line or an input file
inline constexpr int exit_unreachable = 3;  // no broker
inline constexpr int exit_not_found = 4;    // no such pit
inline constexpr int exit_timeout = 5;
inline constexpr int exit_refused = 6;
inline constexpr int exit_version = 7;
inline constexpr int exit_internal = 70;

// For an error of the library.
[[nodiscard]] constexpr int exit_status_of(errc code) noexcept {
  switch (code) {
    case errc::invalid_argument:
      return exit_usage;
    case errc::unreachable:
      return exit_unreachable;
    case errc::not_found:
      return exit_not_found;
    case errc::timeout:
      return exit_timeout;
    case errc::refused:
      return exit_refused;
    case errc::version_mismatch:
      return exit_version;
    default:
      return exit_internal;
  }
}

// For how a call ended, or a step of a pit.
[[nodiscard]] constexpr int exit_status_of_ending(CallStatus ended) noexcept {
  switch (ended) {
    case status::ok:
      return exit_ok;
    case status::deadline:
      return exit_timeout;
    case status::unreachable:
      return exit_unreachable;
    case status::version:
      return exit_version;
    case status::too_large:
      return exit_usage;
    default:
      return exit_bad;
  }
}

}  // namespace symphony::tools
