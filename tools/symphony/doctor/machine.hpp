// The kernel and the machine: what the bus cannot do without, and what its figures depend on.   Layer: tools.
// Looks, measures for some milliseconds, changes nothing. Threads: pure but for what the system says.
#pragma once

#include <string>

#include "tools/symphony/doctor/finding.hpp"

namespace symphony::tools::doctor {

// What the kernel can do is tried, not read off its version. `files`: where /proc and /sys are; tests have others.
[[nodiscard]] Findings look_at_kernel();
[[nodiscard]] Findings look_at_machine(const std::string& files = "");
[[nodiscard]] Findings look_at_limits();

}  // namespace symphony::tools::doctor
