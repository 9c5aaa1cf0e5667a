// A caller's connection to its broker, while there is one.   Layer: endpoint.
// Threads: all members under the mutex of their owner; greet() touches nothing but its arguments.
#pragma once

#include <cstdint>
#include <vector>

#include "bus/control/socket.hpp"

namespace symphony::detail {

// Hello, then Welcome; whatever the broker says in between about links stays in the socket.
[[nodiscard]] result<control::Welcome> greet(control::ControlSocket& socket, std::vector<control::HeldLink> links,
                                             TimeNs deadline_ns);

class BrokerConnection {
 public:
  // `epoll`, which must live longer, reports the socket's events under `tag`.
  BrokerConnection(int epoll, std::uint64_t tag) noexcept : epoll_(epoll), tag_(tag) {}

  [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(socket_); }
  // Precondition: greeted, and not connected.
  void connect(control::ControlSocket socket) noexcept;
  void disconnect() noexcept;

  // A broker that cannot be told will learn it from the end of the connection.
  void send(const control::Message& message) noexcept;
  [[nodiscard]] result<std::optional<control::Received>> receive() const;

 private:
  const int epoll_;
  const std::uint64_t tag_;
  control::ControlSocket socket_;
};

}  // namespace symphony::detail
