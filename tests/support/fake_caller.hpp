// A caller as the broker sees one: it speaks the control protocol and maps nothing.   For tests with real sockets.
#pragma once

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <symphony/trust.hpp>

#include "bus/control/socket.hpp"

namespace symphony::detail::control {

class FakeCaller {
 public:
  explicit FakeCaller(UniqueFd socket) : socket_(std::move(socket)) {}

  // Hello and its Welcome; the generation.
  Generation greet(std::vector<HeldLink> held = {}) {
    say(Hello{1, 1, now_ns(), std::move(held)});
    const auto welcome = expect<Welcome>();
    return welcome.generation;
  }
  void say(const Message& m) { ASSERT_TRUE(socket_.wait_send(m, {}, deadline())); }

  // The next message, which must be of this kind.
  template <class T>
  T expect() {
    auto got = socket_.wait_receive(FdPolicy::accept, deadline());
    EXPECT_TRUE(got) << got.error().text;
    if (!got) return {};
    fds = std::move(got->fds);
    const T* m = std::get_if<T>(&got->message);
    EXPECT_NE(m, nullptr) << "another message came, number " << got->message.index();
    return m != nullptr ? *m : T{};
  }
  // From Own to Go.
  Go attach() {
    const auto own = expect<Own>();
    EXPECT_EQ(fds.size(), own.trust == static_cast<std::uint8_t>(Trust::hostile) ? 1U : 2U);
    last_own = own;
    say(Mapped{own.at});
    const auto peer = expect<Peer>();
    EXPECT_EQ(peer.at, own.at);
    EXPECT_EQ(fds.size(), 2U);
    peer_fds = std::move(fds);
    say(Ready{peer.at, 0});
    const auto go = expect<Go>();
    EXPECT_EQ(go.at, own.at);
    return go;
  }
  Go open(const std::string& pit) {
    say(Open{++correlation, pit, 0, 0, 0, deadline()});
    return attach();
  }
  ControlSocket& socket() { return socket_; }

  static TimeNs deadline() { return deadline_after(60 * second_ns); }
  std::vector<UniqueFd> fds;       // of the last message
  std::vector<UniqueFd> peer_fds;  // of the last Peer: the pit's segment, the pit's pidfd
  Own last_own;
  std::uint64_t correlation = 0;

 private:
  ControlSocket socket_;
};

}  // namespace symphony::detail::control
