// A caller's control side against a broker made by hand. What could go wrong: what is said of one link reaches another;
// a program waits for a broker that does not read, or what it had to say is lost; a question outlives who was asked.
#include "bus/endpoint/caller_control.hpp"

#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include <array>
#include <thread>

#include "tests/support/mapped_segments.hpp"
#include "tests/unit/endpoint/fake_broker.hpp"

namespace symphony::detail {
namespace {

using namespace control;

constexpr CallOptions read_call{.timeout_ns = 60 * second_ns, .effect = Effect::read};
constexpr TimeNs not_now = 0;

struct CallerControlTest : testing::Test {
  FakeBroker broker;
  UniqueFd pit_process = this_process();
  Endpoint endpoint = broker.endpoint();

  // Questions without answers until the socket takes no more; then more, which wait in the endpoint.   How many.
  std::size_t ask_until_the_socket_is_full() {
    std::size_t asked = 0;
    const auto fits = [&] {
      int queued = 0;
      ::ioctl(broker.mine.fd(), FIONREAD, &queued);
      return queued;
    };
    for (int before = -1; fits() != before || asked < 2; ++asked) {
      before = fits();
      EXPECT_EQ(endpoint.status(not_now).error().code, errc::timeout);
    }
    return asked;
  }
};

TEST_F(CallerControlTest, ARefusedReopenEndsTheCallsOfThatLinkAndOfNoOther) {
  for (const std::size_t refused : {0U, 1U}) {
    const LinkId first = 10 * (refused + 1);
    std::array<std::pair<Link, std::unique_ptr<HandPit>>, 2> links{broker.open(endpoint, first, pit_process.get()),
                                                                   broker.open(endpoint, first + 1, pit_process.get())};
    auto& [lost, lost_pit] = links.at(refused);
    auto& [kept, kept_pit] = links.at(1 - refused);
    const CallId of_kept = kept.try_start(5, bytes_of("x"), read_call).value();
    const CallId of_lost = lost.try_start(5, bytes_of("x"), read_call).value();
    broker.say(Drop{lost_pit->attached->at, false});
    const auto asked = broker.expect<Open>();
    EXPECT_EQ(asked.link, lost_pit->attached->at.link);
    // A broker that does not know the link cannot name it.
    broker.say(Refused{asked.correlation, 0, errc::quarantined, "the pit failed too often"});
    const Reply ended = lost.wait(of_lost);
    EXPECT_EQ(ended.status, status::quarantined);
    EXPECT_EQ(lost.call(5, bytes_of("x"), read_call).status, status::quarantined);
    EXPECT_EQ(kept_pit->serve("still here"), of_kept);
    EXPECT_EQ(text_of(kept.wait(of_kept)), "still here");
    for (auto& [link, pit] : links) {
      link = Link();
      (void)broker.expect<Close>();
    }
  }
}

TEST_F(CallerControlTest, ALinkClosedOrFaultedWhileTheBrokerDoesNotReadReturnsAtOnceAndTheBrokerHearsItLater) {
  auto [closed, closed_pit] = broker.open(endpoint, 11, pit_process.get());
  auto [faulted, faulted_pit] = broker.open(endpoint, 12, pit_process.get());
  const std::size_t asked = ask_until_the_socket_is_full();
  // Both return although nobody reads; how this process would wait is up to it, that it ends is what is tested here.
  *reinterpret_cast<std::uint64_t*>(faulted_pit->attached->own.data() + data_offset) = 0x1234'5678'0000'0001;
  (void)faulted.try_take(0);
  EXPECT_EQ(faulted.counters().peer_faults, 1U);
  closed = Link();
  for (std::size_t i = 0; i < asked; ++i) (void)broker.expect<StatusQuery>();
  const auto fault = broker.expect<PeerFault>();
  EXPECT_EQ(fault.at, faulted_pit->attached->at);
  EXPECT_EQ(broker.expect<Close>().link, 11U);
}

TEST_F(CallerControlTest, WhatWasToldLastReachesTheBrokerBeforeTheEndOfTheConnection) {
  // Many times: the control thread may have heard of the close before it is told to stop.
  for (int round = 0; round < 200; ++round) {
    FakeBroker other;
    {
      Endpoint gone = other.endpoint();
      const Link closed = other.open(gone, 11, pit_process.get()).first;
    }
    ASSERT_EQ(other.expect<Close>().link, 11U);
    EXPECT_EQ(other.mine.wait_receive(FdPolicy::refuse, FakeBroker::deadline()).error().code, errc::closed);
  }
}

// Of what the endpoint's own thread is in the middle of, too.
TEST_F(CallerControlTest, AForkedChildThatDestroysItsCopyDuringAnAttachUnmapsNothing) {
  auto opened = std::async(std::launch::async, [&] { return endpoint.open("pit"); });
  const MadeEpoch made({1, 11, 1}, broker.expect<Open>().correlation);
  broker.say(made.own, {made.segments.caller.get()});
  (void)broker.expect<Mapped>();
  const MappedSegments segments;
  ASSERT_EQ(segments.count(), 1U);
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(30);  // a child that waits for a thread of its parent would wait for ever
    if (!segments.replace()) ::_exit(2);
    { const Endpoint gone = std::move(endpoint); }
    ::_exit(segments.replacements_stand() ? 0 : 3);
  }
  int result = 1;
  ASSERT_EQ(::waitpid(child, &result, 0), child);
  EXPECT_EQ(result, 0);
  broker.say(Refused{made.own.correlation, 11, errc::quarantined, ""});
  EXPECT_EQ(opened.get().error().code, errc::quarantined) << "the parent's thread goes on";
}

TEST_F(CallerControlTest, ABrokerThatReadsNothingIsGivenUpWhenTheQueueIsFull) {
  const std::size_t asked = ask_until_the_socket_is_full();
  // The connection ends behind the last message that had room; some questions more until its end is noticed.
  constexpr std::size_t never = 100 * Outbox::messages_max;
  std::size_t more = 0;
  while (endpoint.status(not_now).error().code == errc::timeout && more < never) ++more;
  EXPECT_GE(asked + more, Outbox::messages_max);
  EXPECT_LT(more, never);
  EXPECT_EQ(endpoint.status(60 * second_ns).error().code, errc::unreachable);
}

TEST_F(CallerControlTest, AStatusAskedOfTheOnlyBrokerAsItDiesEndsAtOnce) {
  auto answer = std::async(std::launch::async, [&] { return endpoint.status(5 * second_ns); });
  (void)broker.expect<StatusQuery>();
  broker.mine.close();
  EXPECT_EQ(answer.get().error().code, errc::unreachable) << "else it waited for its deadline";
}

}  // namespace
}  // namespace symphony::detail
