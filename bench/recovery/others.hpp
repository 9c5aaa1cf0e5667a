// The time on processors that went to others than this benchmark and its daemon.   Layer: bench. Threads: one.
#pragma once

#include <sys/types.h>

#include <symphony/clock.hpp>

namespace symphony::bench::recovery {

// Since the machine started: all that /proc/stat calls busy or stolen, less this process, `daemon`, its children and
// those it has reaped. The difference of two is what others took between them, to about two ticks (20 ms).
[[nodiscard]] TimeNs taken_by_others(pid_t daemon);

}  // namespace symphony::bench::recovery
