// What the command's exit status says; the same for every verb.   Layer: tools.
#pragma once

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

}  // namespace symphony::tools
