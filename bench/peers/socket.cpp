// Sockets as peers: Unix stream, Unix seqpacket, TCP over loopback.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "bench/peers/adapter.hpp"
#include "bench/peers/fd_wire.hpp"

namespace symphony::bench::peers {
namespace {

// Both ends are made and connected before the fork; each side keeps its own.
class ConnectedSockets : public Adapter {
 public:
  std::unique_ptr<Link> open(End end) override {
    UniqueFd mine = std::move(ends_[end == End::caller ? 0 : 1]);
    return std::make_unique<LinkOf<FdWire>>(std::move(mine), UniqueFd(), size_);
  }

 protected:
  UniqueFd ends_[2];
  std::size_t size_ = 0;
};

template <int type>
class UnixSockets final : public ConnectedSockets {
 public:
  result<void> prepare(std::size_t size) override {
    size_ = size;
    int ends[2] = {-1, -1};
    if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) != 0) {
      return unexpected(errc::out_of_descriptors, "no socket pair to be had", errno);
    }
    ends_[0].reset(ends[0]);
    ends_[1].reset(ends[1]);
    return {};
  }
};

class LoopbackSockets final : public ConnectedSockets {
 public:
  result<void> prepare(std::size_t size) override {
    size_ = size;
    const auto failed = [] { return unexpected(errc::system, "no TCP connection over loopback", errno); };
    const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    socklen_t length = sizeof address;
    if (!listener || ::bind(listener.get(), any, length) != 0 || ::listen(listener.get(), 1) != 0 ||
        ::getsockname(listener.get(), any, &length) != 0) {
      return failed();
    }
    ends_[0].reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!ends_[0] || ::connect(ends_[0].get(), any, length) != 0) return failed();
    ends_[1].reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!ends_[1]) return failed();
    for (const UniqueFd& end : ends_) {
      const int on = 1;
      if (::setsockopt(end.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) return failed();
    }
    return {};
  }
};

constexpr std::array<AdapterEntry, 3> all{{
    {"uds", []() -> std::unique_ptr<Adapter> { return std::make_unique<UnixSockets<SOCK_STREAM>>(); }},
    {"uds_seqpacket", []() -> std::unique_ptr<Adapter> { return std::make_unique<UnixSockets<SOCK_SEQPACKET>>(); }},
    {"tcp", []() -> std::unique_ptr<Adapter> { return std::make_unique<LoopbackSockets>(); }},
}};

}  // namespace

std::span<const AdapterEntry> adapters() noexcept { return all; }

}  // namespace symphony::bench::peers
