#include "bus/endpoint/broker_connection.hpp"

#include <sys/epoll.h>

#include <utility>

namespace symphony::detail {

using namespace control;

result<Welcome> greet(ControlSocket& socket, std::vector<HeldLink> links, TimeNs deadline_ns) {
  Hello hello;
  hello.clock_ns = now_ns();
  hello.links = std::move(links);
  if (const auto sent = socket.wait_send(hello, {}, deadline_ns); !sent) return unexpected(sent.error());
  auto answer = socket.wait_receive(FdPolicy::refuse, deadline_ns);
  if (!answer) return unexpected(answer.error());
  if (const auto* welcome = std::get_if<Welcome>(&answer->message)) {
    if (welcome->protocol >= protocol_min && welcome->protocol <= protocol_max) return *welcome;
    return unexpected(errc::version_mismatch, "the broker chose a protocol version that this endpoint did not offer");
  }
  if (const auto* refused = std::get_if<Refused>(&answer->message)) {
    return unexpected(refused->code, "the broker refused this endpoint: another protocol version or time namespace");
  }
  return unexpected(errc::peer_fault, "the broker did not answer a hello with a welcome");
}

void BrokerConnection::watch(int operation, bool for_room) noexcept {
  epoll_event event{};
  event.events = EPOLLIN | (for_room ? EPOLLOUT : 0U);
  event.data.u64 = tag_;
  ::epoll_ctl(epoll_, operation, socket_.fd(), &event);
}

void BrokerConnection::connect(ControlSocket socket, std::uint16_t protocol) noexcept {
  protocol_ = protocol;
  socket_ = std::move(socket);
  watch(EPOLL_CTL_ADD, false);
}

void BrokerConnection::disconnect() noexcept {
  ::epoll_ctl(epoll_, EPOLL_CTL_DEL, socket_.fd(), nullptr);
  socket_.close();
  outbox_.clear();
}

void BrokerConnection::send(const Message& message) noexcept {
  if (!socket_) return;
  const bool waited = !outbox_.empty();
  outbox_.send(socket_, message);
  if (outbox_.empty() == waited) watch(EPOLL_CTL_MOD, !outbox_.empty());
}

void BrokerConnection::flush() noexcept {
  if (outbox_.empty()) return;
  outbox_.flush(socket_);
  if (outbox_.empty()) watch(EPOLL_CTL_MOD, false);
}

result<std::optional<Received>> BrokerConnection::receive() const { return socket_.receive(FdPolicy::accept_or_tell); }

}  // namespace symphony::detail
