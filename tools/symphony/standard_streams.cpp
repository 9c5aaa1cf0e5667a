#include "tools/symphony/standard_streams.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "tools/symphony/exit_status.hpp"

namespace symphony::tools {

void open_standard_streams() noexcept {
  std::signal(SIGXFSZ, SIG_IGN);
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(stream, F_GETFD) >= 0 || errno != EBADF) continue;
    // The lowest number that is free, which is this one. The wrong way round: writing to it fails as it should.
    const int wrong_way = stream == STDIN_FILENO ? O_WRONLY : O_RDONLY;
    if (::open("/dev/null", wrong_way) < 0) return;  // allowed: who is started by us has it as a stream, too
  }
}

int flush_output(int exit_status) noexcept {
  errno = 0;
  const bool is_written = std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
  if (is_written || exit_status > exit_bad) return exit_status;
  // An earlier part failed, and why is gone: what is cut off already gets a line end more, or fails as that did.
  if (errno == 0) (void)!::write(STDOUT_FILENO, "\n", 1);
  const int why = errno;
  std::fprintf(stderr, "symphony: standard output cannot be written%s%s; %s\n", why == 0 ? "" : ": ",
               why == 0 ? "" : std::strerror(why),
               why == EPIPE   ? "keep its reader running"
               : why == EBADF ? "leave it open, or send it to a file"
                              : "free some of the disk, or send it elsewhere");
  return exit_internal;
}

}  // namespace symphony::tools
