// A pit as the broker sees one: it speaks the control protocol and maps nothing. Its arguments make it misbehave.
//   --exit=N          ends with status N when it is ready          --fail=N       ends with status N before it is ready
//   --never-ready     says nothing                                 --ignore-stop  does not end when it is told to
//   --garbage         sends no message after it is ready           --send-fd      sends a descriptor with a message
//   --hang-up         closes its socket and lives on               --open-fds     exits with the number of its
//   descriptors
//   --goodbye=FILE    makes FILE when it is told to stop           --fork=FILE    starts a process, its number in FILE
#include <cstdio>
#include <cstdlib>
#include <string>

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <symphony/trust.hpp>

#include "bus/control/socket.hpp"

using namespace symphony;
using namespace symphony::detail::control;

namespace {

int count_descriptors() {
  int count = 0;
  DIR* dir = ::opendir("/proc/self/fd");
  while (const dirent* e = ::readdir(dir)) count += e->d_name[0] != '.' ? 1 : 0;
  ::closedir(dir);
  return count - 1;  // the directory's own
}

[[noreturn]] void sleep_for_ever() {
  for (;;) ::pause();
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  const auto value = [&] { return std::atoi(mode.c_str() + mode.find('=') + 1); };
  const char* fd = std::getenv("SYMPHONY_CONTROL_FD");
  if (fd == nullptr || std::getenv("SYMPHONY_PIT_NAME") == nullptr) return 64;
  ControlSocket socket{UniqueFd(std::atoi(fd))};
  if (mode == "--open-fds") return count_descriptors();
  if (mode.rfind("--fail=", 0) == 0) return value();
  if (mode == "--never-ready") sleep_for_ever();
  if (mode.rfind("--fork=", 0) == 0) {
    const pid_t child = ::fork();
    if (child == 0) sleep_for_ever();
    std::FILE* const file = std::fopen(mode.c_str() + mode.find('=') + 1, "w");
    std::fprintf(file, "%d", static_cast<int>(child));
    std::fclose(file);
  }
  const auto send = [&](const Message& m) { (void)socket.wait_send(m, {}, no_deadline_ns); };
  send(PitReady{1, 1, now_ns(), std::getenv("SYMPHONY_PIT_NAME"), "1.0.0", 1000});
  if (mode.rfind("--exit=", 0) == 0) return value();
  if (mode == "--garbage") (void)send_packet(socket.fd(), std::as_bytes(std::span("no message", 10)));
  if (mode == "--send-fd") {
    const int any = STDERR_FILENO;
    (void)socket.send(Close{1}, {&any, 1});
  }
  if (mode == "--hang-up") {
    socket.close();
    sleep_for_ever();
  }
  for (;;) {
    auto got = socket.wait_receive(FdPolicy::accept, no_deadline_ns);
    if (!got) return 1;
    if (const auto* own = std::get_if<Own>(&got->message)) {
      if (got->fds.size() != (own->trust == static_cast<std::uint8_t>(symphony::Trust::hostile) ? 1U : 2U)) return 2;
      send(Mapped{own->at});
    } else if (const auto* peer = std::get_if<Peer>(&got->message)) {
      if (got->fds.size() != 1) return 3;
      send(Ready{peer->at, 40});
    } else if (const auto* drop = std::get_if<Drop>(&got->message)) {
      send(Drained{drop->at});
    } else if (std::holds_alternative<Stop>(got->message) && mode != "--ignore-stop") {
      if (mode.rfind("--goodbye=", 0) == 0) {
        return ::creat(mode.c_str() + mode.find('=') + 1, 0600) >= 0 ? 0 : 1;
      }
      return 0;
    }
  }
}
