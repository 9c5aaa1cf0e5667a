#include "bus/endpoint/broker_connection.hpp"

#include <sys/epoll.h>

#include <utility>

namespace symphony::detail {
namespace {

using namespace control;

constexpr TimeNs send_timeout_ns = second_ns;

}  // namespace

result<Welcome> greet(ControlSocket& socket, std::vector<HeldLink> links, TimeNs deadline_ns) {
  Hello hello;
  hello.clock_ns = now_ns();
  hello.links = std::move(links);
  if (const auto sent = socket.wait_send(hello, {}, deadline_ns); !sent) return unexpected(sent.error());
  auto answer = socket.wait_receive(FdPolicy::refuse, deadline_ns);
  if (!answer) return unexpected(answer.error());
  if (const auto* welcome = std::get_if<Welcome>(&answer->message)) return *welcome;
  if (const auto* refused = std::get_if<Refused>(&answer->message)) {
    return unexpected(refused->code, "the broker refused this endpoint: another protocol version or time namespace");
  }
  return unexpected(errc::peer_fault, "the broker did not answer a hello with a welcome");
}

void BrokerConnection::connect(ControlSocket socket) noexcept {
  socket_ = std::move(socket);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = tag_;
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, socket_.fd(), &event);
}

void BrokerConnection::disconnect() noexcept {
  ::epoll_ctl(epoll_, EPOLL_CTL_DEL, socket_.fd(), nullptr);
  socket_.close();
}

void BrokerConnection::send(const Message& message) noexcept {
  if (socket_) (void)socket_.wait_send(message, {}, deadline_after(send_timeout_ns));
}

result<std::optional<Received>> BrokerConnection::receive() const { return socket_.receive(FdPolicy::accept); }

}  // namespace symphony::detail
