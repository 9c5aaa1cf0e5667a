// ZeroMQ as a peer: a PAIR of sockets over its Unix-socket transport, under an abstract name. All is as it is by
// default: its guide advises one I/O thread below a gigabyte a second, which is what a context has.
#include <unistd.h>
#include <zmq.h>

#include <array>
#include <string>

#include <symphony/clock.hpp>

#include "bench/peers/link_of.hpp"
#include "bench/peers/payload.hpp"

namespace symphony::bench::peers {
namespace {

class ZeromqWire {
 public:
  ZeromqWire(void* socket, std::size_t size) noexcept : socket_(socket), size_(size) {}

  bool send(std::uint64_t number) noexcept {
    zmq_msg_t message;
    if (::zmq_msg_init_size(&message, size_) != 0) return false;
    fill(::zmq_msg_data(&message), size_, number);
    return ::zmq_msg_send(&message, socket_, 0) >= 0;
  }
  Outcome receive(std::uint64_t number) noexcept {
    zmq_msg_t message;
    ::zmq_msg_init(&message);
    if (::zmq_msg_recv(&message, socket_, 0) < 0) return Outcome::failed;
    const bool right = ::zmq_msg_size(&message) == size_ && is_right(::zmq_msg_data(&message), size_, number);
    ::zmq_msg_close(&message);
    return judged(right);
  }

 private:
  void* socket_;
  std::size_t size_;
};

class Zeromq final : public Adapter {
 public:
  result<void> prepare(std::size_t size) override {
    size_ = size;
    address_ = "ipc://@symphony-peer-" + std::to_string(::getpid()) + "-" + std::to_string(now_ns());
    return {};
  }
  // Never closed: the processes end.
  std::unique_ptr<Link> open(End end) override {
    void* const context = ::zmq_ctx_new();
    void* const socket = context == nullptr ? nullptr : ::zmq_socket(context, ZMQ_PAIR);
    if (socket == nullptr) return nullptr;
    const int done =
        end == End::helper ? ::zmq_bind(socket, address_.c_str()) : ::zmq_connect(socket, address_.c_str());
    if (done != 0) return nullptr;
    return std::make_unique<LinkOf<ZeromqWire>>(socket, size_);
  }

 private:
  std::string address_;
  std::size_t size_ = 0;
};

constexpr std::array<AdapterEntry, 1> all{
    {{"zeromq", []() -> std::unique_ptr<Adapter> { return std::make_unique<Zeromq>(); }}}};

}  // namespace

std::span<const AdapterEntry> adapters() noexcept { return all; }

}  // namespace symphony::bench::peers
