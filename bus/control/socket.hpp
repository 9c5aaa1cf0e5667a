// A control socket that speaks messages.   Layer: control.
// Threads: one thread receives and one sends at a time.   Trust: the peer may send anything; see receive().
#pragma once

#include <optional>
#include <span>
#include <vector>

#include <sys/types.h>

#include "bus/control/messages.hpp"
#include "bus/control/packet.hpp"

namespace symphony::detail::control {

struct Received {
  Message message;
  std::vector<UniqueFd> fds;  // close-on-exec, owned by the receiver
  bool fds_lost = false;      // as in Packet
};

class ControlSocket {
 public:
  ControlSocket() noexcept = default;
  explicit ControlSocket(UniqueFd socket) noexcept : socket_(std::move(socket)) {}

  [[nodiscard]] int fd() const noexcept { return socket_.get(); }
  [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(socket_); }
  void close() noexcept { socket_.reset(); }
  [[nodiscard]] UniqueFd release() noexcept { return std::move(socket_); }

  // One message, never blocking. errc::busy: the peer's buffer is full; errc::closed: it is gone; `fds` are borrowed.
  [[nodiscard]] result<void> send(const Message& message, std::span<const int> fds = {}) const;
  // As send(), waiting for room until the deadline.
  [[nodiscard]] result<void> wait_send(const Message& message, std::span<const int> fds, TimeNs deadline_ns) const;

  // The next message, nothing when none is there yet. errc::closed at the end; errc::peer_fault for anything that is no
  // message or breaks the fd policy: the datagram is consumed, its fds are closed, and the connection should be given
  // up.
  [[nodiscard]] result<std::optional<Received>> receive(FdPolicy policy) const;
  // As receive(), waiting for one until the deadline (errc::timeout).
  [[nodiscard]] result<Received> wait_receive(FdPolicy policy, TimeNs deadline_ns) const;

 private:
  UniqueFd socket_;
};

// Two ends of a new connection, close-on-exec.
struct SocketPair {
  UniqueFd first;
  UniqueFd second;
};
[[nodiscard]] result<SocketPair> make_socket_pair();

// Who is at the other end, as the kernel recorded it when the connection was made (for a socket pair: its maker).
struct PeerCredentials {
  pid_t pid = 0;
  uid_t uid = 0;
};
[[nodiscard]] result<PeerCredentials> peer_credentials(int socket);

// A pidfd of that process: readable once it is dead. From the socket itself where the kernel can (6.5), else by its
// pid.
[[nodiscard]] result<UniqueFd> peer_pidfd(int socket);

}  // namespace symphony::detail::control
