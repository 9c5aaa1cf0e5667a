// A program with a broker, to be killed by tests.
//   broker_program embedded PIT            prints "<keeper pid> <pit pid>" once the pit is ready, then waits for its
//   death broker_program daemon SOCKET PIT [ARG] run_daemon with one pit named "pit"
#include <cstdio>
#include <string>

#include <poll.h>
#include <unistd.h>

#include <symphony/broker.hpp>

using namespace symphony;

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  PitConfig pit;
  pit.name = "pit";
  if (mode == "embedded" && argc == 3) {
    pit.executable = argv[2];
    auto broker = EmbeddedBroker::start({{pit}, {}, 1});
    if (!broker) {
      std::fprintf(stderr, "%s\n", broker.error().text);
      return 1;
    }
    while (broker->status().at(0).state != "ready") ::poll(nullptr, 0, 1);
    std::printf("%d %d\n", broker->keeper_pid(), broker->pit_pid("pit").value());
    std::fflush(stdout);
    for (;;) ::pause();
  }
  if (mode == "daemon" && argc >= 4) {
    pit.executable = argv[3];
    if (argc > 4) pit.args = {argv[4]};
    DaemonOptions options;
    options.socket_path = argv[2];
    options.pits = {pit};
    return run_daemon(options);
  }
  return 64;
}
