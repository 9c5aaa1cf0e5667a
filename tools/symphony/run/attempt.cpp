#include "tools/symphony/run/attempt.hpp"

#include <sys/wait.h>

#include <algorithm>
#include <cstring>

#include "tools/symphony/graph/input_error.hpp"

namespace symphony::tools {

AttemptEnding told_of(const WorkTask& task, std::uint32_t attempt, const CommandEnding& ending) {
  AttemptEnding told;
  told.state = "failed";
  told.output = ending.output;
  told.duration_ns = ending.head.duration_ns;
  told.attempt = attempt;
  told.attempts_max = task.retries + 1;
  const int status = ending.head.wait_status;
  const char* error = std::strerror(ending.head.error);
  switch (ending.head.step) {
    case WorkerStep::folder:
      told.what = std::string("the folder of an output cannot be made: ") + error;
      break;
    case WorkerStep::start:
      told.what = std::string("/bin/sh cannot be started: ") + error;
      break;
    case WorkerStep::directory:
      told.what = "its directory " + printable(task.directory) + " cannot be entered: " + error;
      break;
    case WorkerStep::journal:
      told.what = std::string("it succeeded, but the journal cannot be written: ") + error;
      break;
    case WorkerStep::none:
      if (WIFSIGNALED(status)) {
        told.signal = WTERMSIG(status);
        told.what = "signal " + std::to_string(told.signal) + " (" + strsignal(told.signal) + ")";
      } else {
        told.exit_status = WEXITSTATUS(status);
        if (told.exit_status == 127) {
          told.what = "exit status 127: a command that is not there";
        } else if (told.exit_status != 0) {
          told.what = "exit status " + std::to_string(told.exit_status);
        } else {
          told.state = "succeeded";
        }
      }
  }
  return told;
}

std::vector<std::uint32_t> weights_of(const std::vector<TimeNs>& known) {
  TimeNs sum = 0, count = 0;
  for (const TimeNs one : known) {
    sum += one;
    count += one > 0 ? 1 : 0;
  }
  if (count == 0) return {};
  std::vector<std::uint32_t> weights;
  for (const TimeNs one : known) {
    const TimeNs ms = (one > 0 ? one : sum / count) / ms_ns;
    weights.push_back(static_cast<std::uint32_t>(std::clamp<TimeNs>(ms, 1, 100'000'000)));
  }
  return weights;
}

}  // namespace symphony::tools
