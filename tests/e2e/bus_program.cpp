// What the tests of the bus run beside themselves, to kill it. A program of its own and not only a forked copy of the
// test: a daemon wants a process with one thread, and ThreadSanitizer lets no copy of a threaded process start threads.
//   bus_program daemon SOCKET      run_daemon with the pits greeter and probe
//   bus_program daemon-with-budgets SOCKET       the same, probe with 500 ms for each request
//   bus_program daemon-without-sigchld SOCKET    the same, started as some parents start their children
//   bus_program caller FD          calls greeter for ever over a connection that it inherits
//   bus_program poison SOCKET      sends probe one message that kills it, and ends with 0 when that is POISONED
//   bus_program counting SOCKET     calls greeter until SIGTERM; how often, in SOCKET.PID, and ends with 0 when each
//   call
//                                   was answered, with a higher count than the one before
//   bus_program writer SOCKET       writes the cell "plant/speed" and the topic "plant/events" for ever
//   bus_program caller-with-child SOCKET         the same by path; a child of it holds the connection and sleeps
#include <signal.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

#include "tests/e2e/bus_fixture.hpp"

namespace symphony {
namespace {

int serve(const char* path, TimeNs budget_ns = 0) {
  DaemonOptions options;
  options.socket_path = path;
  PitConfig greeter = pit_config("greeter");
  greeter.restart.failures_max = 16;
  PitConfig probe = pit_config("probe");
  probe.budgets.each_ns = budget_ns;
  options.pits = {greeter, probe};
  return run_daemon(options);
}

int call_for_ever(result<Endpoint> endpoint, bool with_child) {
  if (!endpoint) return 1;
  auto link = endpoint->open("greeter");
  if (!link) return 1;
  if (with_child && ::fork() == 0) {
    for (;;) ::pause();
  }
  for (;;) (void)greet(*link, "child");
}

// Value n is eight words, each n.
int write_for_ever(const std::string& path) {
  auto endpoint = Endpoint::connect({.path = path, .timeout_ns = 30 * second_ns});
  if (!endpoint) return 1;
  auto cell = endpoint->write_cell("plant/speed", {.value_size_max = 64});
  auto topic = endpoint->publish("plant/events", {.value_size_max = 64, .history = 16});
  if (!cell || !topic) return 1;
  for (std::uint64_t n = 1;; ++n) {
    const std::array<std::uint64_t, 8> words{n, n, n, n, n, n, n, n};
    if (!cell->write(1, std::as_bytes(std::span(words))) || !topic->write(2, std::as_bytes(std::span(words)))) return 2;
  }
}

volatile std::sig_atomic_t is_told_to_end = 0;

int count(const std::string& path) {
  ::signal(SIGTERM, [](int) { is_told_to_end = 1; });
  auto endpoint = Endpoint::connect({.path = path, .timeout_ns = 30 * second_ns});
  if (!endpoint) return 1;
  auto link = endpoint->open("greeter");
  if (!link) return 1;
  std::uint64_t made = 0;
  for (std::uint64_t last = 0; is_told_to_end == 0; ++made) {
    const auto reply = greet(*link, "counting");
    if (!reply || reply->count() <= last) return 2;
    last = reply->count();
  }
  return std::ofstream(path + "." + std::to_string(::getpid())) << made ? 0 : 3;
}

int poison(const char* path) {
  auto endpoint = Endpoint::connect({.path = path, .timeout_ns = 30 * second_ns});
  if (!endpoint) return 1;
  auto link = endpoint->open("probe");
  if (!link) return 1;
  const CallOptions options{.timeout_ns = 60 * second_ns, .effect = Effect::idempotent};
  return probe_read(*link, probe::Act::DIE_UNLESS_MENDED, 77, options).reply.status == status::poisoned ? 0 : 1;
}

}  // namespace
}  // namespace symphony

int main(int argc, char** argv) {
  const std::string_view mode = argc == 3 ? argv[1] : "";
  if (mode == "daemon") return symphony::serve(argv[2]);
  if (mode == "daemon-with-budgets") return symphony::serve(argv[2], 500 * symphony::ms_ns);
  if (mode == "daemon-without-sigchld") {
    ::signal(SIGCHLD, SIG_IGN);
    return symphony::serve(argv[2]);
  }
  if (mode == "counting") return symphony::count(argv[2]);
  if (mode == "poison") return symphony::poison(argv[2]);
  if (mode == "caller")
    return symphony::call_for_ever(symphony::Endpoint::adopt(symphony::UniqueFd(std::atoi(argv[2]))), false);
  if (mode == "writer") return symphony::write_for_ever(argv[2]);
  if (mode == "caller-with-child") {
    return symphony::call_for_ever(
        symphony::Endpoint::connect({.path = argv[2], .timeout_ns = 30 * symphony::second_ns}), true);
  }
  return 64;
}
