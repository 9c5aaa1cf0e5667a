// The process that runs commands for the runner, one at a time.   Layer: tools.
//
// Each command is a process group of its own with /dev/null as input. What it leaves in its group ends with it. When
// the runner is gone, by whatever signal, the worker kills everything that stems from its commands, then ends; when the
// worker is gone the kernel kills the command and the runner what that leaves.
// Threads: one; a process that does nothing else.
#pragma once

namespace symphony::tools {

// Precondition: worker_socket and worker_journal are open. Returns the exit status when the runner has closed its end.
[[nodiscard]] int run_worker();

}  // namespace symphony::tools
