// The processes that became ours when those that made them died.   Layer: tools. Threads: any; Linux's /proc.
#pragma once

#include <sys/types.h>

#include <vector>

namespace symphony::tools {

// From now on what dies below this process leaves its children to it, not to init. False: errno says why.
[[nodiscard]] bool adopt_orphans() noexcept;

// This process's children, dead ones included. Empty where /proc cannot be read.
[[nodiscard]] std::vector<pid_t> children_of_this();

// Kills every child that is not in `keep`, and what is left to this process by their deaths, until there is none.
// Returns how many were killed.
unsigned end_children_except(const std::vector<pid_t>& keep);

}  // namespace symphony::tools
