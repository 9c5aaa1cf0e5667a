// What is said of a Work without running it, and why tasks of a run never started.   Layer: tools. Threads: one.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tools/symphony/run/run_journal.hpp"
#include "tools/symphony/run/runner.hpp"
#include "tools/symphony/run/work.hpp"

namespace symphony::tools {

// In the journal with the same command, as is everything that it needs. `cached`: what is so of the tasks before it.
[[nodiscard]] bool is_finished(const FinishedTasks& finished, const Work& work, std::uint32_t task,
                               const std::vector<bool>& cached);

// The tasks that ended because of a failure, each with one that failed; `states` as of TaskState.
[[nodiscard]] std::vector<std::pair<std::uint32_t, std::uint32_t>> blamed(const Work& work,
                                                                          const std::vector<std::uint8_t>& states);

// `states` as of TaskState.
[[nodiscard]] bool is_any_resting(const std::vector<std::uint8_t>& states);

struct LookOptions {
  std::string explain;      // id of a task; empty: none
  std::string export_form;  // dot or json; empty: neither
};

// Says by the journal why a task does not run yet, or writes the graph; runs and changes nothing. Exit status as of
// run_work().
[[nodiscard]] int look_at_work(const Work& work, const RunnerOptions& options, const LookOptions& look);

}  // namespace symphony::tools
