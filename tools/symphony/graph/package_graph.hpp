// Turns Debian stanzas into a task graph; README.md says how each kind of dependency is resolved.
// Layer: tools. Threads: any.
#pragma once

#include <string_view>

#include "tools/symphony/graph/deb822.hpp"
#include "tools/symphony/graph/task_graph.hpp"

namespace symphony::tools {

// Tasks stand in the order of the file. Fails only with no_tasks.
[[nodiscard]] InputResult<TaskGraph> resolve_packages(const Stanzas& stanzas, std::string_view label);

}  // namespace symphony::tools
