// soak_party: one process of a realm of the soak.
//   soak_party daemon SOCKET PIT_HOST ANNALS TRACES JOURNAL_SIZE     0: the pit's state ends with its process
//   soak_party caller SOCKET PAGE
// Both end with whoever started them.
#include <cstdio>
#include <cstdlib>
#include <string>

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <symphony/broker.hpp>

#include "tests/soak/caller.hpp"

namespace symphony::soak {
namespace {

// What `symphony broker run` does with a manifest, but for the policy of restarts: this pit is killed more often than a
// pit should die.
int run_broker(char** arguments) {
  PitConfig pit;
  pit.name = "annals";
  pit.executable = arguments[1];
  pit.args = {arguments[2]};
  pit.config = arguments[3];
  const std::size_t journal_size = std::strtoull(arguments[4], nullptr, 10);
  if (journal_size != 0) {
    pit.state.durability = Durability::journal;
    pit.state.journal_size = journal_size;
    pit.state.snapshot_size_max = 4u << 20;
  }
  pit.restart.failures_max = 16;
  pit.restart.window_ns = 1;
  DaemonOptions options;
  options.socket_path = arguments[0];
  options.pits = {pit};
#ifdef SYMPHONY_SOAK_NEXT
  options.next = this_program();
#endif
  return run_daemon(options);
}

int run_caller_of(const char* socket, const char* path) {
  const int fd = ::open(path, O_RDWR | O_CLOEXEC);
  void* const at = fd < 0 ? MAP_FAILED : ::mmap(nullptr, sizeof(CallerPage), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED) {
    std::perror(path);
    return 2;
  }
  ::close(fd);
  return run_caller(socket, *static_cast<CallerPage*>(at));
}

}  // namespace
}  // namespace symphony::soak

int main(int argc, char** argv) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const std::string mode = argc > 1 ? argv[1] : "";
  if (mode == "daemon" && argc == 7) return symphony::soak::run_broker(argv + 2);
  if (mode == "caller" && argc == 4) return symphony::soak::run_caller_of(argv[2], argv[3]);
  return 64;
}
