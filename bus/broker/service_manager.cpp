#include "bus/broker/service_manager.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace symphony::detail::broker {
namespace {

constexpr int first_listen_fd = 3;

// A number from the environment; 0 where there is none.
long number_in(const char* name) {
  const char* text = std::getenv(name);
  long value = 0;
  if (text != nullptr) std::from_chars(text, text + std::strlen(text), value);
  return value;
}

int option_of(int fd, int name) {
  int value = -1;
  socklen_t size = sizeof(value);
  return ::getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

}  // namespace

ServiceManager ServiceManager::from_environment() {
  ServiceManager out;
  if (const char* path = std::getenv("NOTIFY_SOCKET"); path != nullptr) out.notify_socket = path;
  const long count = number_in("LISTEN_PID") == ::getpid() ? number_in("LISTEN_FDS") : 0;
  for (const char* name : {"NOTIFY_SOCKET", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) ::unsetenv(name);
  if (count <= 0) return out;
  sockaddr_un address{};
  socklen_t size = sizeof(address);
  const int fd = first_listen_fd;
  if (count != 1 || option_of(fd, SO_TYPE) != SOCK_SEQPACKET || option_of(fd, SO_ACCEPTCONN) != 1 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0 || address.sun_family != AF_UNIX ||
      address.sun_path[0] != '/') {
    out.trouble = "the service manager must give one Unix socket at a path: ListenSequentialPacket=, nothing else";
    return out;
  }
  ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  ::fcntl(fd, F_SETFL, O_NONBLOCK);
  out.listener = UniqueFd(fd);
  out.path = address.sun_path;
  return out;
}

void ServiceManager::notify(const char* state) const noexcept {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t size = notify_socket.size();
  if (size < 2 || size >= sizeof(address.sun_path) || (notify_socket[0] != '/' && notify_socket[0] != '@')) return;
  std::copy(notify_socket.begin(), notify_socket.end(), address.sun_path);
  const bool is_abstract = address.sun_path[0] == '@';  // a name without a file: its first byte is 0, and it has no end
  if (is_abstract) address.sun_path[0] = '\0';
  const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return;
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size + (is_abstract ? 0 : 1));
  (void)::sendto(socket.get(), state, std::strlen(state), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address),
                 length);
}

}  // namespace symphony::detail::broker
