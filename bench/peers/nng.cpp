// nng as a peer: pair0 over its Unix-socket transport, under an abstract name. Its manual
// names no setting for latency over this transport; messages are made in place and handed over, which spares copies.
#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <unistd.h>

#include <array>
#include <string>

#include <symphony/clock.hpp>

#include "bench/peers/link_of.hpp"
#include "bench/peers/payload.hpp"

namespace symphony::bench::peers {
namespace {

constexpr int messages_each_way = 128;

class NngWire {
 public:
  NngWire(nng_socket socket, std::size_t size) noexcept : socket_(socket), size_(size) {}

  bool send(std::uint64_t number) noexcept {
    nng_msg* message = nullptr;
    if (::nng_msg_alloc(&message, size_) != 0) return false;
    fill(::nng_msg_body(message), size_, number);
    if (::nng_sendmsg(socket_, message, 0) == 0) return true;
    ::nng_msg_free(message);
    return false;
  }
  Outcome receive(std::uint64_t number) noexcept {
    nng_msg* message = nullptr;
    if (::nng_recvmsg(socket_, &message, 0) != 0) return Outcome::failed;
    const bool right = ::nng_msg_len(message) == size_ && is_right(::nng_msg_body(message), size_, number);
    ::nng_msg_free(message);
    return judged(right);
  }

 private:
  nng_socket socket_;
  std::size_t size_;
};

class Nng final : public Adapter {
 public:
  result<void> prepare(std::size_t size) override {
    size_ = size;
    address_ = "abstract://symphony-peer-" + std::to_string(::getpid()) + "-" + std::to_string(now_ns());
    return {};
  }
  // Never closed: the processes end.
  std::unique_ptr<Link> open(End end) override {
    nng_socket socket;
    if (::nng_pair0_open(&socket) != 0) return nullptr;
    ::nng_socket_set_int(socket, NNG_OPT_SENDBUF, messages_each_way);
    ::nng_socket_set_int(socket, NNG_OPT_RECVBUF, messages_each_way);
    // The one that dials tries again until the other listens, at once at first.
    ::nng_socket_set_ms(socket, NNG_OPT_RECONNMINT, 1);
    const int done = end == End::helper ? ::nng_listen(socket, address_.c_str(), nullptr, 0)
                                        : ::nng_dial(socket, address_.c_str(), nullptr, NNG_FLAG_NONBLOCK);
    if (done != 0) return nullptr;
    return std::make_unique<LinkOf<NngWire>>(socket, size_);
  }

 private:
  std::string address_;
  std::size_t size_ = 0;
};

constexpr std::array<AdapterEntry, 1> all{
    {{"nng", []() -> std::unique_ptr<Adapter> { return std::make_unique<Nng>(); }}}};

}  // namespace

std::span<const AdapterEntry> adapters() noexcept { return all; }

}  // namespace symphony::bench::peers
