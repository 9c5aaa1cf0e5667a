// The three streams that a command is started with, as they are and not as they should be.   Layer: tools.
// Threads: from main(), before and after everything else.
#pragma once

namespace symphony::tools {

// Where a stream is closed, gives its number to something that cannot be written to, so that no file of ours gets it:
// what is printed would go into that file. A file that grows beyond a limit (ulimit -f) is an error from then on,
// like a full disk.
void open_standard_streams() noexcept;

// Writes out what was printed. Where that cannot be, says so in one line and returns exit_internal, else `exit_status`;
// a status that is an error already stays, without a second line.
[[nodiscard]] int flush_output(int exit_status) noexcept;

}  // namespace symphony::tools
