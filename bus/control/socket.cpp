#include "bus/control/socket.hpp"

#include <array>
#include <cerrno>
#include <new>

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bus/control/codec.hpp"

namespace symphony::detail::control {

namespace {

// A message that there is no memory for must not end the user's program.
template <class Make>
auto within_memory(Make&& make) -> decltype(make()) {
  try {
    return make();
  } catch (const std::bad_alloc&) {
    return unexpected(errc::out_of_memory, "control: no memory for a message");
  }
}

}  // namespace

result<void> ControlSocket::send(const Message& message, std::span<const int> fds) const {
  const auto bytes = within_memory([&] { return encode(message); });
  if (!bytes) return unexpected(bytes.error());
  return send_packet(socket_.get(), *bytes, fds);
}

result<void> ControlSocket::wait_send(const Message& message, std::span<const int> fds, TimeNs deadline_ns) const {
  const auto bytes = within_memory([&] { return encode(message); });
  if (!bytes) return unexpected(bytes.error());
  for (;;) {
    const auto sent = send_packet(socket_.get(), *bytes, fds);
    if (sent || sent.error().code != errc::busy) return sent;
    if (const auto room = wait_writable(socket_.get(), deadline_ns); !room) return room;
  }
}

result<std::optional<Received>> ControlSocket::receive(FdPolicy policy) const {
  alignas(8) std::array<std::byte, message_size_max> buffer;  // filled before it is read
  auto packet = within_memory([&] { return receive_packet(socket_.get(), buffer, policy); });
  if (!packet) return unexpected(packet.error());
  if (!*packet) return std::optional<Received>();
  auto message = within_memory([&] { return decode(std::span<const std::byte>(buffer.data(), (*packet)->size)); });
  if (!message) return unexpected(message.error());
  return std::optional<Received>(Received{*std::move(message), std::move((*packet)->fds), (*packet)->fds_lost});
}

result<Received> ControlSocket::wait_receive(FdPolicy policy, TimeNs deadline_ns) const {
  for (;;) {
    auto got = receive(policy);
    if (!got) return unexpected(got.error());
    if (*got) return std::move(**got);
    if (const auto more = wait_readable(socket_.get(), deadline_ns); !more) return unexpected(more.error());
  }
}

result<SocketPair> make_socket_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return unexpected(errc::out_of_descriptors, "socketpair: no descriptors left: raise the limit (ulimit -n)", errno);
  }
  return SocketPair{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

result<PeerCredentials> peer_credentials(int socket) {
  ucred who{};
  socklen_t size = sizeof(who);
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0) {
    return unexpected(errc::system, "SO_PEERCRED: the kernel does not say who connected", errno);
  }
  return PeerCredentials{who.pid, who.uid};
}

result<UniqueFd> peer_pidfd(int socket) {
  constexpr int so_peerpidfd = 77;  // not in the C library of Debian 12
  int fd = -1;
  socklen_t size = sizeof(fd);
  if (::getsockopt(socket, SOL_SOCKET, so_peerpidfd, &fd, &size) == 0 && fd >= 0) return UniqueFd(fd);
  const auto who = peer_credentials(socket);
  if (!who) return unexpected(who.error());
  UniqueFd by_pid(static_cast<int>(::syscall(SYS_pidfd_open, who->pid, 0)));
  if (!by_pid) return unexpected(errc::closed, "pidfd_open: the process at the other end is gone", errno);
  return by_pid;
}

}  // namespace symphony::detail::control
