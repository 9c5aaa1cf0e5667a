// A link whose pit stands still: what could go wrong is that its broker hears nothing because of how the caller waits,
// or is bothered with pits that are only busy.
#include <gtest/gtest.h>

#include <thread>

#include "tests/unit/endpoint/epoch_fixture.hpp"

namespace symphony::detail {
namespace {

constexpr TimeNs look_after = 2 * ms_ns;
constexpr CallOptions patient_read{.timeout_ns = 60 * second_ns, .effect = Effect::read};

struct LinkStillTest : testing::Test {
  void begin(TimeNs look_after_ns = look_after, Waiting waiting = Waiting::adaptive) {
    auto epoch = make_epoch(1);
    epoch.caller->look_after_ns = look_after_ns;
    at = epoch.caller->at;
    pit = std::make_unique<HandPit>(std::move(epoch.pit));
    link = std::make_unique<LinkCore>(control, mailbox, std::move(epoch.caller),
                                      LinkOptions{.in_flight_max = 16, .waiting = waiting});
  }
  CallId start(const CallOptions& options = patient_read) { return link->try_start(5, bytes_of("x"), options).value(); }
  // Polls for so long, or until the broker was told.
  void poll_for(TimeNs ns) {
    for (const TimeNs until = deadline_after(ns); now_ns() < until && control->still.empty();) (void)link->try_take(0);
  }
  std::shared_ptr<FakeControl> control = std::make_shared<FakeControl>();
  std::shared_ptr<LinkMailbox> mailbox = std::make_shared<LinkMailbox>();
  std::unique_ptr<HandPit> pit;
  std::unique_ptr<LinkCore> link;
  control::Attachment at;
};
using LinkStill = LinkStillTest;

TEST_F(LinkStill, IsSaidByACallerThatPolls) {
  begin();
  const CallId id = start();
  ASSERT_EQ(pit->begin(), id);
  poll_for(30 * second_ns);
  ASSERT_EQ(control->still.size(), 1U);
  EXPECT_EQ(control->still[0], at);
}

TEST_F(LinkStill, IsSaidByACallerThatSleepsAndByOneThatSpins) {
  for (const Waiting waiting : {Waiting::sleep, Waiting::spin, Waiting::adaptive}) {
    control->still.clear();
    begin(look_after, waiting);
    const CallId id = start({.timeout_ns = 300 * ms_ns, .effect = Effect::read});
    ASSERT_EQ(pit->begin(), id);
    EXPECT_EQ(link->wait(id).status, status::deadline);
    EXPECT_FALSE(control->still.empty()) << name_of(waiting);
  }
}

TEST_F(LinkStill, IsSaidByACallerThatWaitsBehindAnotherLinksRequest) {
  begin();
  (void)start();  // and the pit begins nothing of this link
  poll_for(30 * second_ns);
  EXPECT_FALSE(control->still.empty());
}

TEST_F(LinkStill, IsNotSaidWhileRequestsAreHandledOneAfterTheOther) {
  begin();
  for (const TimeNs until = deadline_after(100 * ms_ns); now_ns() < until;) {
    const CallId id = start();
    (void)link->try_take(id);
    ASSERT_EQ(pit->serve("y"), id);
    EXPECT_TRUE(link->try_take(id));
    pit->free();
  }
  EXPECT_TRUE(control->still.empty());
}

TEST_F(LinkStill, IsNotSaidOfARequestThatWasLeftForLater) {
  begin();
  const CallId id = start();
  ASSERT_EQ(pit->begin(), id);
  pit->finish();
  poll_for(100 * ms_ns);
  EXPECT_TRUE(control->still.empty());
}

TEST_F(LinkStill, IsNotSaidWhereNobodyWantsToHearIt) {
  begin(0);
  const CallId id = start();
  ASSERT_EQ(pit->begin(), id);
  poll_for(100 * ms_ns);
  EXPECT_TRUE(control->still.empty());
}

TEST_F(LinkStill, IsNotSaidWhenNobodyWaitsAnyMore) {
  begin();
  const CallId id = start({.timeout_ns = 1, .effect = Effect::read});
  ASSERT_EQ(pit->begin(), id);
  for (const TimeNs until = deadline_after(30 * second_ns); now_ns() < until && !link->try_take(id);) {
  }
  control->still.clear();
  poll_for(100 * ms_ns);
  EXPECT_TRUE(control->still.empty());
}

}  // namespace
}  // namespace symphony::detail
