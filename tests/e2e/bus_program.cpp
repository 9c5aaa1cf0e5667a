// What the tests of the bus run beside themselves, to kill it. A program of its own and not only a forked copy of the
// test: a daemon wants a process with one thread, and ThreadSanitizer lets no copy of a threaded process start threads.
//   bus_program daemon SOCKET      run_daemon with the pits greeter and probe
//   bus_program caller FD          calls greeter for ever over a connection that it inherits
#include <fcntl.h>

#include <cstdlib>
#include <string_view>

#include "tests/e2e/bus_fixture.hpp"

namespace symphony {
namespace {

int serve(const char* path) {
  DaemonOptions options;
  options.socket_path = path;
  PitConfig greeter = pit_config("greeter", "symphony-pit-greeter");
  greeter.restart.failures_max = 16;
  options.pits = {greeter, pit_config("probe", "symphony-pit-probe")};
  return run_daemon(options);
}

int call_for_ever(int inherited) {
  auto endpoint = Endpoint::adopt(UniqueFd(::fcntl(inherited, F_DUPFD_CLOEXEC, 0)));
  if (!endpoint) return 1;
  ::close(inherited);
  auto link = endpoint->open("greeter");
  if (!link) return 1;
  for (;;) (void)greet(*link, "child");
}

}  // namespace
}  // namespace symphony

int main(int argc, char** argv) {
  const std::string_view mode = argc == 3 ? argv[1] : "";
  if (mode == "daemon") return symphony::serve(argv[2]);
  if (mode == "caller") return symphony::call_for_ever(std::atoi(argv[2]));
  return 64;
}
