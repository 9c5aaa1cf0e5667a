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
  // Precondition: greeted, and not connected. `protocol`: of its Welcome.
  void connect(control::ControlSocket socket, std::uint16_t protocol) noexcept;
  void disconnect() noexcept;

  // Whether the broker takes Executing, Park and an Open with `alone`; an older one would hang up on the first two and
  // make an ordinary link of the third. While there is none, as the last one did.
  [[nodiscard]] bool keeps_letters() const noexcept { return protocol_ >= control::protocol_of_letters; }

  // Whether the broker takes StandsStill.
  [[nodiscard]] bool watches() const noexcept { return protocol_ >= control::protocol_of_watchdog; }

  // Whether it knows boards.
  [[nodiscard]] bool has_boards() const noexcept { return protocol_ >= control::protocol_of_boards; }

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
  std::uint16_t protocol_ = 0;
  Outbox outbox_;
};

}  // namespace symphony::detail
