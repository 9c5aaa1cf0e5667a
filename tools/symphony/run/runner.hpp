// Runs a Work to its end.   Layer: tools. Threads: one, and one that brings the journal to the disk.
#pragma once

#include <cstdint>
#include <string>

#include <symphony/conductor.hpp>

#include "tools/symphony/run/run_report.hpp"
#include "tools/symphony/run/work.hpp"

namespace symphony::tools {

struct RunnerOptions {
  std::string journal;             // where finished tasks are written down
  std::uint32_t jobs = 1;          // the pool cpu; also the most commands at once
  std::uint32_t failures_max = 1;  // nothing new is started once so many tasks have failed; 0: everything that can be
  bool resume = false;             // what the journal has finished is not run again
  Mode mode = Mode::static_;       // of the two pits; static_ or process
  RunFormat format = RunFormat::lines;
  bool quiet = false;
};

// Says everything through a RunReport, errors on stderr. The exit status: 0 all succeeded, 1 a task failed, 2 the work
// cannot be run as it is, 70 the system failed, 128 + n it was asked to stop by a signal. Takes SIGINT, SIGTERM and
// SIGHUP of this process; call it from a program that has one thread.
[[nodiscard]] int run_work(const Work& work, const RunnerOptions& options);

}  // namespace symphony::tools
