// Messages to a broker that does not read just now: they wait here, in order, and nobody waits for them.   Layer:
// endpoint. Threads: one at a time; its owner says which. The control thread flushes when the socket has room.
#pragma once

#include <cstddef>
#include <deque>
#include <vector>

#include "bus/control/socket.hpp"

namespace symphony::detail {

class Outbox {
 public:
  // Four for each link a caller may have: more than the attaching of all of them takes. With more waiting, the broker
  // is given up: the connection is shut down, and whoever reads it finds its end.
  static constexpr std::size_t messages_max = 4 * control::links_per_caller_max;

  // Sends it now if nothing waits and the socket has room. Never blocks. A peer that is gone is not told: who reads the
  // socket learns of it.
  void send(const control::ControlSocket& socket, const control::Message& message) noexcept;
  // Sends what the socket takes.
  void flush(const control::ControlSocket& socket) noexcept;
  [[nodiscard]] bool empty() const noexcept { return waiting_.empty(); }
  void clear() noexcept { waiting_.clear(); }

 private:
  std::deque<std::vector<std::byte>> waiting_;
};

}  // namespace symphony::detail
