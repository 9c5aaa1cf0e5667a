// The one door for graph files: reads, recognises, checks and, when asked, condenses.   Layer: tools.
// Threads: any. Nothing is kept from the input but what the result holds.
#pragma once

#include <string>
#include <string_view>

#include "tools/symphony/graph/condense.hpp"
#include "tools/symphony/graph/input_bytes.hpp"
#include "tools/symphony/graph/input_error.hpp"
#include "tools/symphony/graph/task_graph.hpp"

namespace symphony::tools {

inline constexpr const char* dpkg_status_file = "/var/lib/dpkg/status";  // the machine's own installed packages

struct LoadOptions {
  bool condense = false;  // merge cycles; otherwise a cycle is an error
  InputLimits limits{};
};

// A graph without cycles, and what condensing did (all zero when it was not asked for or not needed).
// `path` as in read_input(). Outcomes: every InputFault.
[[nodiscard]] InputResult<Condensed> load_graph(const std::string& path, const LoadOptions& options = {});

// The graph that `text` describes, cycles included, in whichever format it is: recognised by its content, never by a
// name. `label` names the input in errors.
[[nodiscard]] InputResult<TaskGraph> parse_graph(std::string_view text, std::string_view label);

// The formats and how dependencies are resolved, for --help. Lines of at most 78 columns, ends with a line end.
[[nodiscard]] std::string_view graph_formats_help() noexcept;

}  // namespace symphony::tools
