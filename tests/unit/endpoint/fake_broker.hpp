// The broker as an endpoint or a pit sees one, every step the test's: real sockets and segments, nobody behind them.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bus/control/socket.hpp"
#include "tests/unit/endpoint/epoch_fixture.hpp"

namespace symphony::detail {

// One epoch that the broker makes: both segments, and what each side is told.
struct MadeEpoch {
  explicit MadeEpoch(const control::Attachment& at, std::uint64_t correlation = 0) {
    own.at = at;
    own.correlation = correlation;
    own.request_capacity = own.reply_capacity = 4096;
    own.request_salt = static_cast<std::uint32_t>(at.link * 31 + at.epoch);
    own.reply_salt = own.request_salt + 1;
    own.in_flight_max = 16;
    own.reply_size_max = 500;
    own.trust = static_cast<std::uint8_t>(Trust::cooperative);
    segments = create_segment_pair(caller_segment_size(4096), pit_segment_size(4096), at.epoch).value();
  }
  void seal() {
    seal_segment(segments.caller.get()).value();
    seal_segment(segments.pit.get()).value();
  }
  // The side that no process under test has: mapped writable before the seal, the other's read-only after it.
  std::unique_ptr<Attached> map(Side side) {
    const UniqueFd& mine = side == Side::caller ? segments.caller : segments.pit;
    return map_own(own, mine.duplicate(), side).value();
  }
  void map_other(Attached& attached, Side side) {
    const UniqueFd& other = side == Side::caller ? segments.pit : segments.caller;
    map_peer(attached, reopen_read_only(other.get()).value(), side).value();
  }
  control::Own own;
  SegmentPair segments;
};

class FakeBroker {
 public:
  FakeBroker() {
    auto ends = control::make_socket_pair().value();
    mine = control::ControlSocket(std::move(ends.first));
    theirs = std::move(ends.second);
  }
  static TimeNs deadline() { return deadline_after(60 * second_ns); }
  void say(const control::Message& message, const std::vector<int>& fds = {}) {
    ASSERT_TRUE(mine.wait_send(message, fds, deadline()));
  }
  // The next message, which must be of this kind.
  template <class T>
  T expect() {
    auto got = mine.wait_receive(control::FdPolicy::refuse, deadline());
    EXPECT_TRUE(got) << got.error().text;
    if (!got) return {};
    const T* message = std::get_if<T>(&got->message);
    EXPECT_NE(message, nullptr) << "another message came, number " << got->message.index();
    return message != nullptr ? *message : T{};
  }

  // ---- towards a caller

  // An endpoint that is connected to this broker. The welcome waits for it in the socket.
  Endpoint endpoint(std::uint16_t protocol = control::protocol_max) {
    say(control::Welcome{1, protocol});
    Endpoint made = Endpoint::adopt(std::move(theirs)).value();
    (void)expect<control::Hello>();
    return made;
  }
  // A link as the endpoint opens it, and its pit in the test's hand. `pit_process`: whose death is the pit's.
  std::pair<Link, std::unique_ptr<HandPit>> open(Endpoint& endpoint, control::LinkId link, int pit_process) {
    auto opened = std::async(std::launch::async, [&] { return endpoint.open("pit", {.in_flight_max = 16}); });
    const auto asked = expect<control::Open>();
    auto pit = attach({{1, link, 1}, asked.correlation}, pit_process);
    return {opened.get().value(), std::move(pit)};
  }
  struct Epoch {
    control::Attachment at;
    std::uint64_t correlation = 0;
  };
  std::unique_ptr<HandPit> attach(const Epoch& epoch, int pit_process) {
    MadeEpoch made(epoch.at, epoch.correlation);
    made.own.look_after_ms = look_after_ms;
    auto pit = made.map(Side::pit);
    say(made.own, {made.segments.caller.get()});
    (void)expect<control::Mapped>();
    made.seal();
    const UniqueFd pit_segment = reopen_read_only(made.segments.pit.get()).value();
    say(control::Peer{epoch.at}, {pit_segment.get(), pit_process});
    made.map_other(*pit, Side::pit);
    (void)expect<control::Ready>();
    say(control::Go{epoch.at, 0});
    return std::make_unique<HandPit>(std::move(pit));
  }

  control::ControlSocket mine;
  UniqueFd theirs;
  std::uint32_t look_after_ms = 0;  // of the links that it attaches
};

inline UniqueFd this_process() { return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0))); }

}  // namespace symphony::detail
