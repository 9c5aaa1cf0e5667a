// Where the kernel put the core dump of a process, in words for an operator.   Layer: broker. Threads: pure functions.
#pragma once

#include <string>
#include <string_view>

#include <sys/types.h>

namespace symphony::detail::broker {

// What /proc/sys/kernel/core_pattern makes of it: a path, with * where only the kernel knew what to write, or the
// program that was given it. `folder`: the process's working directory.
[[nodiscard]] std::string core_place(std::string_view pattern, bool adds_pid, const std::string& folder, pid_t pid,
                                     int signal);
// With what this machine says; a pit's working directory is its broker's unless it changes it.
[[nodiscard]] std::string core_place(pid_t pid, int signal);

}  // namespace symphony::detail::broker
