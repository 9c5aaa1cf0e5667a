// Where another thread of this process stands, for people.   Layer: hosting.
// The thread is interrupted by a signal and walks its own stack. The handler stays for the rest of the process's life,
// so that one which comes late meets it.
// Threads: one call at a time.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace symphony::pit {

// Of this process's thread `id`, the innermost frame first: `object+0xOFFSET` for addr2line, then the function where
// the object says its name. One line that says why, where it cannot be had: another part of the program handles the
// signal, or the thread did not take it within 100 ms.
[[nodiscard]] std::vector<std::string> stack_of(pid_t id);

}  // namespace symphony::pit
