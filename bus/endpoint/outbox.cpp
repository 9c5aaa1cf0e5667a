#include "bus/endpoint/outbox.hpp"

#include <sys/socket.h>

#include <new>
#include <utility>

#include "bus/control/codec.hpp"

namespace symphony::detail {

using namespace control;

void Outbox::send(const ControlSocket& socket, const Message& message) noexcept {
  try {
    auto bytes = encode(message);
    if (!bytes) return;  // longer than any message of ours
    if (waiting_.empty()) {
      const auto sent = send_packet(socket.fd(), *bytes);
      if (sent || sent.error().code != errc::busy) return;
    }
    if (waiting_.size() < messages_max) {
      waiting_.push_back(*std::move(bytes));
      return;
    }
  } catch (const std::bad_alloc&) {
    // As if there were no room left: a message left out would leave both sides with different pictures.
  }
  ::shutdown(socket.fd(), SHUT_RDWR);
  waiting_.clear();
}

void Outbox::flush(const ControlSocket& socket) noexcept {
  while (!waiting_.empty()) {
    const auto sent = send_packet(socket.fd(), waiting_.front());
    if (!sent && sent.error().code == errc::busy) return;
    waiting_.pop_front();
  }
}

}  // namespace symphony::detail
