// The functions of a pit that has a process of its own, by way of its host.   Layer: tools/pit_check. Threads: one.
#pragma once

#include "tools/pit_check/between.hpp"
#include "tools/pit_check/trial.hpp"

namespace symphony::pit_check {

// Each request that makes the host run `hook`, as often as the state machine allows: each has its answer, and the pit's
// process is the same afterwards. What an exception or a crash ends is that process, and what hangs is marked.
void check_hook_apart(Trial& trial, Hook hook);

}  // namespace symphony::pit_check
