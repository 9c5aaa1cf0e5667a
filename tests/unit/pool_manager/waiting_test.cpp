// Who waits, in which order they are served, and how often somebody may be passed.
#include "tests/unit/pool_manager/pool_host.hpp"

namespace symphony::pit::pools {
namespace {

using pool::Mode;
using pool::Refusal;
using pool::Why;
using Waiters = testing::Pools;
using testing::Ask;
using testing::Waiting;

TEST_F(Waiters, ARequestThatWaitsIsAnsweredWhenItIsItsTurn) {
  const auto p = amount(2);
  const auto a = client.acquire({.wants = {{p, 2}}});
  Waiting waiting(*host);
  waiting.start({.wants = {{p, 1}}, .holder = 5, .mode = Mode::WAIT});
  EXPECT_FALSE(waiting.ended());
  ASSERT_TRUE(client.release(a).ok());
  ASSERT_TRUE(waiting.ended());
  EXPECT_GT(waiting.answer.token(), a.token());
  EXPECT_NE(waiting.answer.as<pool::Granted>()->wait(), 0U);
  EXPECT_EQ(free(p), 1U);
}

TEST_F(Waiters, ATicketIsCollectedOnce) {
  const auto p = amount(1);
  const auto a = client.acquire({.wants = {{p, 1}}});
  const auto ticket = client.acquire({.wants = {{p, 1}}, .holder = 5, .mode = Mode::TICKET});
  ASSERT_NE(ticket.wait(), 0U);
  EXPECT_EQ(client.collect(ticket.wait(), 5).wait(), ticket.wait()) << "it still waits";
  EXPECT_TRUE(client.collect(ticket.wait(), 6).is(Refusal::NOT_HOLDER));
  ASSERT_TRUE(client.release(a).ok());
  ASSERT_EQ(heard.of<pool::WaiterAdvanced>().size(), 1U);
  const auto got = client.collect(ticket.wait(), 5);
  EXPECT_EQ(got.token(), heard.of<pool::WaiterAdvanced>()[0]->token());
  EXPECT_TRUE(client.collect(ticket.wait(), 5).is(Refusal::UNKNOWN_WAIT));
  EXPECT_TRUE(client.release(got, 5).ok());
}

TEST_F(Waiters, ALeaseThatNobodyHearsOfGoesToTheNext) {
  const auto p = amount(1);
  const auto a = client.acquire({.wants = {{p, 1}}});
  Waiting first(*host);
  first.start({.wants = {{p, 1}}, .mode = Mode::WAIT});
  const auto second = client.acquire({.wants = {{p, 1}}, .mode = Mode::TICKET});
  first.hang_up();
  ASSERT_TRUE(client.release(a).ok());
  EXPECT_NE(client.collect(second.wait()).token(), 0U);
  ASSERT_EQ(heard.of<pool::LeaseRevoked>().size(), 1U);
  EXPECT_EQ(heard.of<pool::LeaseRevoked>()[0]->why(), Why::UNHEARD);
}

TEST_F(Waiters, WaitingEndsAtItsTimeOrWithTheCall) {
  const auto p = amount(1);
  ASSERT_NE(client.acquire({.wants = {{p, 1}}}).token(), 0U);
  const auto ticket = client.acquire({.wants = {{p, 1}}, .mode = Mode::TICKET, .max_wait_ns = 500});
  at(1'499);
  EXPECT_EQ(client.collect(ticket.wait()).wait(), ticket.wait());
  at(1'500);
  EXPECT_EQ(client.collect(ticket.wait()).denied(), Why::TIMED_OUT);
  // The call's own deadline is one too: after it nobody hears the answer.
  Waiting waiting(*host);
  waiting.start({.wants = {{p, 1}}, .mode = Mode::WAIT, .max_wait_ns = 1'000'000}, 2'000);
  at(2'000);
  EXPECT_EQ(client.waiters().as<pool::Waiters>()->waiters()->size(), 0U);
}

TEST_F(Waiters, CancellingEndsTheWaitingOfItsHolderOnly) {
  const auto p = amount(1);
  ASSERT_NE(client.acquire({.wants = {{p, 1}}}).token(), 0U);
  const auto ticket = client.acquire({.wants = {{p, 1}}, .mode = Mode::TICKET});
  EXPECT_TRUE(client.cancel(ticket.wait(), 2).is(Refusal::NOT_HOLDER));
  EXPECT_TRUE(client.cancel(ticket.wait() + 1).is(Refusal::UNKNOWN_WAIT));
  EXPECT_TRUE(client.cancel(ticket.wait() + 65'536).is(Refusal::UNKNOWN_WAIT));
  EXPECT_TRUE(client.cancel(ticket.wait()).ok());
  EXPECT_TRUE(client.cancel(ticket.wait()).is(Refusal::UNKNOWN_WAIT));
  EXPECT_EQ(client.collect(ticket.wait()).denied(), Why::CANCELLED);
}

TEST_F(Waiters, WithBestEffortASmallRequestPassesOneThatDoesNotFit) {
  const auto p = amount(4);
  const auto a = client.acquire({.wants = {{p, 2}}});
  const auto large = client.acquire({.wants = {{p, 4}}, .mode = Mode::TICKET});
  EXPECT_NE(client.acquire({.wants = {{p, 1}}}).token(), 0U);
  EXPECT_EQ(client.collect(large.wait()).wait(), large.wait());
  ASSERT_TRUE(client.release(a).ok());
}

TEST_F(Waiters, InAStrictQueueNobodyPassesTheFirst) {
  const auto p = amount(4);
  ASSERT_TRUE(client.queue(0, pool::Strategy::STRICT).ok());
  const auto a = client.acquire({.wants = {{p, 2}}});
  const auto large = client.acquire({.wants = {{p, 4}}, .mode = Mode::TICKET});
  EXPECT_EQ(client.acquire({.wants = {{p, 1}}}).denied(), Why::BUSY);
  const auto small = client.acquire({.wants = {{p, 1}}, .mode = Mode::TICKET});
  EXPECT_EQ(client.collect(small.wait()).wait(), small.wait());
  ASSERT_TRUE(client.release(a).ok());
  const auto got = client.collect(large.wait());
  ASSERT_NE(got.token(), 0U);
  EXPECT_EQ(client.collect(small.wait()).wait(), small.wait());
  ASSERT_TRUE(client.release(got).ok());
  EXPECT_NE(client.collect(small.wait()).token(), 0U);
}

TEST_F(Waiters, AQueueThatBecomesBestEffortLetsThroughWhatFits) {
  const auto p = amount(4);
  ASSERT_TRUE(client.queue(0, pool::Strategy::STRICT).ok());
  ASSERT_NE(client.acquire({.wants = {{p, 2}}}).token(), 0U);
  (void)client.acquire({.wants = {{p, 4}}, .mode = Mode::TICKET});
  const auto small = client.acquire({.wants = {{p, 1}}, .mode = Mode::TICKET});
  ASSERT_TRUE(client.queue(0, pool::Strategy::BEST_EFFORT).ok());
  EXPECT_NE(client.collect(small.wait()).token(), 0U);
}

TEST_F(Waiters, AfterBeingOvertakenOftenEnoughOneComesFirst) {
  const auto p = amount(4, 2);
  const auto a = client.acquire({.wants = {{p, 3}}});
  const auto large = client.acquire({.wants = {{p, 4}}, .mode = Mode::TICKET});
  for (int i = 0; i < 2; ++i) {
    const auto small = client.acquire({.wants = {{p, 1}}});
    ASSERT_NE(small.token(), 0U) << "overtaking " << i;
    ASSERT_TRUE(client.release(small).ok());
  }
  EXPECT_EQ(client.acquire({.wants = {{p, 1}}}).denied(), Why::BUSY) << "a third time would be too often";
  const auto after = client.acquire({.wants = {{p, 1}}, .mode = Mode::TICKET});
  const auto why = client.explain(after.wait());
  EXPECT_EQ(why.as<pool::Explained>()->blocked()->Get(0)->lack(), pool::Lack::RESERVATION);
  EXPECT_EQ(why.as<pool::Explained>()->first_in_queue(), large.wait());
  swap();
  ASSERT_TRUE(client.release(a).ok());
  EXPECT_NE(client.collect(large.wait()).token(), 0U);
}

TEST_F(Waiters, WhoLeavesLetsThroughThoseItHeldBack) {
  const auto p = amount(4, 0);
  ASSERT_NE(client.acquire({.wants = {{p, 3}}}).token(), 0U);
  const auto large = client.acquire({.wants = {{p, 4}}, .mode = Mode::TICKET});
  const auto small = client.acquire({.wants = {{p, 1}}, .mode = Mode::TICKET});
  EXPECT_EQ(client.collect(small.wait()).wait(), small.wait());
  ASSERT_TRUE(client.cancel(large.wait()).ok());
  EXPECT_NE(client.collect(small.wait()).token(), 0U);
}

TEST_F(Waiters, PriorityIsWorthWaitingTimeAndNoMore) {
  const auto p = amount(1);
  ASSERT_TRUE(client.queue(0, pool::Strategy::BEST_EFFORT, 1, 100).ok());
  auto held = client.acquire({.wants = {{p, 1}}});
  const auto old = client.acquire({.wants = {{p, 1}}, .mode = Mode::TICKET});
  at(1'100);
  const auto urgent = client.acquire({.wants = {{p, 1}}, .mode = Mode::TICKET, .priority = 2});
  at(1'300);
  const auto late = client.acquire({.wants = {{p, 1}}, .mode = Mode::TICKET, .priority = 2});
  std::vector<std::uint64_t> order;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(client.release(held).ok());
    for (const auto& waiter : {old, urgent, late}) {
      if (const auto got = client.collect(waiter.wait()); got.token() != 0) {
        order.push_back(waiter.wait());
        held = got;
      }
    }
  }
  EXPECT_EQ(order, (std::vector{urgent.wait(), old.wait(), late.wait()}));
}

TEST_F(Waiters, ARequestOverSeveralPoolsIsServedWhenTheLastOneFits) {
  const auto p = amount(2);
  const auto q = amount(2);
  const auto a = client.acquire({.wants = {{p, 2}}});
  const auto b = client.acquire({.wants = {{q, 2}}});
  const auto both = client.acquire({.wants = {{p, 1}, {q, 1}}, .mode = Mode::TICKET});
  ASSERT_TRUE(client.release(a).ok());
  EXPECT_EQ(client.collect(both.wait()).wait(), both.wait());
  EXPECT_EQ(free(p), 2U);
  ASSERT_TRUE(client.release(b).ok());
  EXPECT_NE(client.collect(both.wait()).token(), 0U);
}

TEST_F(Waiters, ExplainSaysWhatIsMissingAndWhoHasIt) {
  const auto p = amount(4);
  const auto a = client.acquire({.wants = {{p, 3}}, .holder = 42, .ttl_ns = 320, .tag = "linker"});
  const auto ticket = client.acquire({.wants = {{p, 2}}, .mode = Mode::TICKET});
  const auto said = client.explain(ticket.wait());
  const auto* why = said.as<pool::Explained>();
  ASSERT_NE(why, nullptr);
  const auto* blocked = why->blocked()->Get(0);
  EXPECT_EQ(blocked->lack(), pool::Lack::ROOM);
  EXPECT_EQ(blocked->free(), 1U);
  EXPECT_EQ(blocked->wanted(), 2U);
  EXPECT_EQ(blocked->eta_ns(), a.expires_ns());
  ASSERT_EQ(blocked->holders()->size(), 1U);
  EXPECT_EQ(blocked->holders()->Get(0)->holder(), 42U);
  EXPECT_EQ(blocked->holders()->Get(0)->tag()->str(), "linker");
  EXPECT_TRUE(client.explain(ticket.wait() + 1).is(Refusal::UNKNOWN_WAIT));
}

TEST_F(Waiters, PressureIsToldWhenTheFirstComesAndTheLastGoes) {
  const auto p = amount(1);
  ASSERT_NE(client.acquire({.wants = {{p, 1}}}).token(), 0U);
  const auto a = client.acquire({.wants = {{p, 1}}, .mode = Mode::TICKET});
  const auto b = client.acquire({.wants = {{p, 1}}, .mode = Mode::TICKET});
  ASSERT_TRUE(client.cancel(a.wait()).ok());
  ASSERT_TRUE(client.cancel(b.wait()).ok());
  const auto told = heard.of<pool::PoolPressure>();
  ASSERT_EQ(told.size(), 2U);
  EXPECT_TRUE(told[0]->waiting());
  EXPECT_FALSE(told[1]->waiting());
}

TEST_F(Waiters, MoreThanAThousandOpenRequestsAreRefusedAndTicketsAreNot) {
  const auto p = amount(1);
  ASSERT_NE(client.acquire({.wants = {{p, 1}}}).token(), 0U);
  std::vector<std::unique_ptr<Waiting>> open;
  for (int i = 0; i <= 1'000; ++i) {
    open.push_back(std::make_unique<Waiting>(*host));
    open.back()->start({.wants = {{p, 1}}, .mode = Mode::WAIT});
  }
  ASSERT_TRUE(open.back()->ended());
  EXPECT_TRUE(open.back()->answer.is(Refusal::LIMIT));
  EXPECT_NE(client.acquire({.wants = {{p, 1}}, .mode = Mode::TICKET}).wait(), 0U);
}

TEST_F(Waiters, TheLinesHaveAnEndThatIsSaid) {
  const auto p = amount(1);
  ASSERT_NE(client.acquire({.wants = {{p, 1}}}).token(), 0U);
  const Ask ask{.wants = {{p, 1}}, .mode = Mode::TICKET};
  for (std::uint32_t i = 0; i < 65'536; ++i) ASSERT_NE(client.acquire(ask).wait(), 0U);
  EXPECT_TRUE(client.acquire(ask).is(Refusal::LIMIT));
}

}  // namespace
}  // namespace symphony::pit::pools
