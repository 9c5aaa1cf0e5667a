// The links of a caller over the death of its broker, one event after the other. What could go wrong: two things that
// happen at once each leave it to the other to ask for the next epoch, and the link waits for ever.
#include "bus/endpoint/caller_links.hpp"

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/unit/endpoint/fake_broker.hpp"

namespace symphony::detail {
namespace {

using namespace control;

// A process that has died; its descriptor says so.
UniqueFd dead_process() {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  ::waitpid(child, nullptr, 0);
  return pidfd;
}

struct CallerLinksTest : testing::Test {
  void SetUp() override { connection.connect(ControlSocket(std::move(broker.theirs)), protocol_max); }

  // Up to Go; the open() that asked has not looked yet.
  Attachment open_link(Opening& opening) {
    opening.pit = "pit";
    const std::uint64_t correlation = links.begin_opening(opening, no_deadline_ns);
    EXPECT_EQ(broker.expect<Open>().correlation, correlation);
    MadeEpoch made({1, 11, 1}, correlation);
    std::vector<UniqueFd> own, peer;
    own.push_back(made.segments.caller.duplicate());
    links.on_own(made.own, std::move(own));
    EXPECT_EQ(broker.expect<Mapped>().at, made.own.at);
    made.seal();
    peer.push_back(reopen_read_only(made.segments.pit.get()).value());
    peer.push_back(dead_process());
    links.on_peer({made.own.at}, std::move(peer));
    EXPECT_EQ(broker.expect<Ready>().at, made.own.at);
    links.on_go({made.own.at, 0});
    EXPECT_TRUE(opening.attached);
    return made.own.at;
  }
  void expect_asked_again() {
    const auto asked = broker.expect<Open>();
    EXPECT_EQ(asked.link, 11U);
    EXPECT_EQ(asked.pit, "pit");
  }
  FakeBroker broker;
  UniqueFd epoll{::epoll_create1(EPOLL_CLOEXEC)};
  BrokerConnection connection{epoll.get(), 0};
  CallerLinks links{connection, epoll.get()};
};

TEST_F(CallerLinksTest, ALinkThatTheNextBrokerDoesNotKnowIsAskedForAlsoWhenItsPitHasDiedMeanwhile) {
  Opening opening;
  const Attachment at = open_link(opening);
  links.on_pit_died(11);
  links.on_drop({at, false});
  expect_asked_again();
}

TEST_F(CallerLinksTest, ALinkThatTheNextBrokerDoesNotKnowIsAskedForAlsoWhenItsPitWasReported) {
  Opening opening;
  const Attachment at = open_link(opening);
  links.report_fault(at, RingFault::bad_size);
  EXPECT_EQ(broker.expect<PeerFault>().at, at);
  links.on_drop({at, false});
  expect_asked_again();
}

TEST_F(CallerLinksTest, ARefusalAfterGoEndsTheLinkAlsoWhenItsOpenHasNotReturnedYet) {
  Opening opening;
  open_link(opening);
  links.on_pit_died(11);
  links.ask_again({});
  const auto asked = broker.expect<Open>();
  links.on_refused({asked.correlation, asked.link, errc::quarantined, "it failed too often"});
  EXPECT_FALSE(opening.failure) << "it has its Go";
  bool is_ended = false;
  for (const LinkEvent& event : opening.mailbox->take()) is_ended |= std::holds_alternative<link_event::Ended>(event);
  EXPECT_TRUE(is_ended);
}

TEST_F(CallerLinksTest, WhatIsClosedWhileTheNextBrokerIsGreetedIsClosedThereToo) {
  Opening opening;
  open_link(opening);
  connection.disconnect();
  links.forget_forming();
  const auto told = links.held();
  ASSERT_EQ(told.size(), 1U);
  links.close(11);  // nobody hears it
  FakeBroker next;
  connection.connect(ControlSocket(std::move(next.theirs)), protocol_max);
  links.ask_again(told);
  EXPECT_EQ(next.expect<Close>().link, 11U);
}

}  // namespace
}  // namespace symphony::detail
