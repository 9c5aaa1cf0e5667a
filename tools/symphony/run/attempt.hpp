// What is to be said of an attempt that ended, and what earlier ones say about those to come.   Layer: tools.
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include "tools/symphony/run/run_report.hpp"
#include "tools/symphony/run/worker_process.hpp"

namespace symphony::tools {

// `output` is that of `ending`, which outlives what is returned. It went well when `what` is empty.
[[nodiscard]] AttemptEnding told_of(const WorkTask& task, std::uint32_t attempt, const CommandEnding& ending);

// Of each task its duration in milliseconds, the mean where it is not known (0); none when no duration is known.
[[nodiscard]] std::vector<std::uint32_t> weights_of(const std::vector<TimeNs>& known);

}  // namespace symphony::tools
