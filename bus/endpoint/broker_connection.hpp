// A caller's connection to its broker, while there is one.   Layer: endpoint.
// Threads: all members under the mutex of their owner; greet() touches nothing but its arguments.
#pragma once

#include <cstdint>
#include <vector>

#include "bus/control/socket.hpp"
#include "bus/endpoint/outbox.hpp"

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

  // Never blocks: what the broker does not take now goes out as it reads. One that is gone is not told.
  void send(const control::Message& message) noexcept;
  // `epoll` said that there is room, or nothing may be left behind.
  void flush() noexcept;
  [[nodiscard]] result<std::optional<control::Received>> receive() const;

 private:
  void watch(int operation, bool for_room) noexcept;

  const int epoll_;
  const std::uint64_t tag_;
  control::ControlSocket socket_;
  Outbox outbox_;
};

}  // namespace symphony::detail
