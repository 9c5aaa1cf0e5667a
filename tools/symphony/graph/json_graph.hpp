// Reads the JSON form of a task graph.   Layer: tools. Threads: any.
//   {"tasks": ["compile", "link"], "edges": [["compile", "link"]]}
// Each edge is [before, after]. Both keys are required, in any order; no other key is known.
#pragma once

#include <string_view>

#include "tools/symphony/graph/input_error.hpp"
#include "tools/symphony/graph/task_graph.hpp"

namespace symphony::tools {

// Tasks stand in the order of the list. `text` is UTF-8, checked before.
//   truncated       the text ends inside the document
//   malformed       not JSON, or not this form; the byte or the element is named
//   unknown_task    an edge names a task that is not in "tasks"; both names are given
//   duplicate_task  a name stands in "tasks" twice
//   no_tasks        "tasks" is empty
[[nodiscard]] InputResult<TaskGraph> read_json_graph(std::string_view text, std::string_view label);

}  // namespace symphony::tools
