// symphony-keeper: the helper process of a program with an embedded broker. Started by it with descriptor 3 as their
// socket.
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "bus/broker/keeper.hpp"

int main(int argc, char** argv) {
  int application = 0;
  if (argc == 2) std::from_chars(argv[1], argv[1] + std::strlen(argv[1]), application);
  if (application <= 0 || ::fcntl(3, F_GETFD) < 0) {
    std::fputs(
        "symphony-keeper: a part of symphony, started by programs with an embedded broker; nothing to run by hand\n",
        stderr);
    return 64;
  }
  ::fcntl(3, F_SETFD, FD_CLOEXEC);
  ::close_range(4, ~0U, 0);
  symphony::detail::broker::keeper::hold_standard_descriptors();
  ::close_range(4, ~0U, 0);
  std::signal(SIGTTOU, SIG_IGN);  // in a process group of its own: lines to the terminal are not worth a stop
  return symphony::detail::broker::keeper::run_for_application(symphony::UniqueFd(3), application);
}
