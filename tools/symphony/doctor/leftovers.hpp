// Processes of ours that nobody waits for any more.   Layer: tools.
#pragma once

#include <string>

#include <sys/types.h>

#include "tools/symphony/doctor/finding.hpp"

namespace symphony::tools::doctor {

// A keeper or a pit, of this user, whose program has died: it is a child of the first process, or of a service manager,
// and still there half a second later. A daemon is its own keeper and is none. `proc`: where /proc is.
[[nodiscard]] Findings look_for_leftovers(const std::string& proc = "/proc");

}  // namespace symphony::tools::doctor
