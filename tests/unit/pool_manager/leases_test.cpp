// Leases: all or nothing, tokens, time to live, and what is refused.
#include "tests/unit/pool_manager/pool_host.hpp"

namespace symphony::pit::pools {
namespace {

using pool::Refusal;
using pool::Why;
using Leases = testing::Pools;
using testing::Ask;

TEST_F(Leases, AmountsAreGivenAndComeBack) {
  const auto p = amount(10);
  const auto a = client.acquire({.wants = {{p, 7}}});
  ASSERT_NE(a.token(), 0U);
  EXPECT_EQ(free(p), 3U);
  EXPECT_EQ(client.acquire({.wants = {{p, 4}}}).denied(), Why::BUSY);
  EXPECT_TRUE(client.release(a).ok());
  EXPECT_EQ(free(p), 10U);
}

TEST_F(Leases, SeveralPoolsAreGivenTogetherOrNotAtAll) {
  const auto p = amount(4);
  const auto q = amount(4);
  ASSERT_NE(client.acquire({.wants = {{q, 3}}}).token(), 0U);
  EXPECT_EQ(client.acquire({.wants = {{p, 1}, {q, 2}}}).denied(), Why::BUSY);
  EXPECT_EQ(free(p), 4U) << "nothing is held while something is missing";
  EXPECT_NE(client.acquire({.wants = {{p, 1}, {q, 1}}}).token(), 0U);
  EXPECT_EQ(free(p), 3U);
  EXPECT_EQ(free(q), 0U);
}

TEST_F(Leases, TokensRiseOverAllPools) {
  const auto p = amount(4);
  const auto q = amount(4);
  std::uint64_t last = 0;
  for (int i = 0; i < 8; ++i) {
    const auto got = client.acquire({.wants = {{i % 2 == 0 ? p : q, 1}}});
    EXPECT_GT(got.token(), last);
    last = got.token();
    if (i % 3 == 0) {
      EXPECT_TRUE(client.release(got).ok());
    }
  }
}

TEST_F(Leases, TokensBeginAboveTheFence) {
  const auto made = client.create("after a loss", 1, 64, 0, 0, std::uint64_t{5} << 32);
  EXPECT_GT(client.acquire({.wants = {{testing::PoolClient::number(made), 1}}}).token(), std::uint64_t{5} << 32);
  EXPECT_TRUE(client.create(nullptr, 1, 64, 0, 0, ~std::uint64_t{0}).is(Refusal::BAD_ARGUMENT));
}

TEST_F(Leases, AReleaseThatLiesChangesNothing) {
  const auto p = amount(2);
  const auto a = client.acquire({.wants = {{p, 1}}, .holder = 1});
  EXPECT_TRUE(client.release(a.lease(), a.token() + 1).is(Refusal::STALE_TOKEN));
  EXPECT_TRUE(client.release(a, 2).is(Refusal::NOT_HOLDER));
  EXPECT_TRUE(client.release(a.lease() + 1, a.token()).is(Refusal::UNKNOWN_LEASE));
  EXPECT_TRUE(client.release(0xFFFFFFFF, a.token()).is(Refusal::UNKNOWN_LEASE));
  EXPECT_EQ(free(p), 1U);
  EXPECT_TRUE(client.release(a).ok());
  EXPECT_TRUE(client.release(a).is(Refusal::UNKNOWN_LEASE)) << "a second one finds nothing to give back";
  EXPECT_EQ(free(p), 2U);
}

TEST_F(Leases, AnOldTokenDoesNotReachTheLeaseThatTookItsNumber) {
  const auto p = amount(1);
  const auto a = client.acquire({.wants = {{p, 1}}});
  ASSERT_TRUE(client.release(a).ok());
  const auto b = client.acquire({.wants = {{p, 1}}});
  ASSERT_EQ(a.lease(), b.lease());
  EXPECT_TRUE(client.release(a).is(Refusal::STALE_TOKEN));
  EXPECT_TRUE(client.renew(a.lease(), a.token(), 5).is(Refusal::STALE_TOKEN));
  EXPECT_TRUE(client.preempt(a.lease(), a.token()).is(Refusal::STALE_TOKEN));
  EXPECT_EQ(free(p), 0U);
}

TEST_F(Leases, WhatCanNeverBeGivenIsRefusedAtOnce) {
  const auto p = amount(4);
  EXPECT_TRUE(client.acquire({.wants = {{p, 5}}, .mode = pool::Mode::TICKET}).is(Refusal::NEVER_FITS));
  EXPECT_TRUE(client.quota(0, p, 1, 1).ok());
  EXPECT_TRUE(client.acquire({.wants = {{p, 3}}, .mode = pool::Mode::TICKET}).is(Refusal::NEVER_FITS));
}

TEST_F(Leases, ARequestThatMakesNoSenseIsRefusedByName) {
  const auto p = amount(4);
  EXPECT_TRUE(client.acquire({.wants = {{p + 1, 1}}}).is(Refusal::NO_SUCH_POOL));
  EXPECT_TRUE(client.acquire({.wants = {{p, 1}, {77, 1}}}).is(Refusal::NO_SUCH_POOL));
  EXPECT_TRUE(client.acquire({.wants = {{p, 0}}}).is(Refusal::ZERO_AMOUNT));
  EXPECT_TRUE(client.acquire({.wants = {{p, 1}, {p, 1}}}).is(Refusal::DUPLICATE_POOL));
  EXPECT_TRUE(client.acquire({.wants = {{p, (std::uint64_t{1} << 60) + 1}}}).is(Refusal::AMOUNT_TOO_LARGE));
  EXPECT_TRUE(client.acquire({.wants = {{p, ~std::uint64_t{0}}}}).is(Refusal::AMOUNT_TOO_LARGE));
  EXPECT_TRUE(client.acquire({.wants = {{p, 1}}, .queue = 9}).is(Refusal::NO_SUCH_QUEUE));
  EXPECT_TRUE(client.acquire({.wants = {{p, 1}}, .priority = 1001}).is(Refusal::BAD_ARGUMENT));
  EXPECT_TRUE(client.acquire({.wants = {{p, 1}}, .tag = std::string(64, 't')}).is(Refusal::LIMIT));
  EXPECT_TRUE(client.acquire({.wants = {{p, 1}}, .ttl_ns = ~std::uint64_t{0}}).is(Refusal::BAD_ARGUMENT));
  EXPECT_TRUE(client.acquire({.wants = {{p, 1}}, .mode = pool::Mode{9}}).is(Refusal::BAD_ARGUMENT));
  Ask many;
  for (std::uint32_t i = 0; i < 17; ++i) many.wants.emplace_back(p, 1);
  EXPECT_TRUE(client.acquire(many).is(Refusal::LIMIT));
  EXPECT_EQ(free(p), 4U);
}

TEST_F(Leases, SumsOfTheLargestAmountsDoNotRunOver) {
  const std::uint64_t most = std::uint64_t{1} << 60;
  const auto p = amount(most);
  EXPECT_TRUE(client.create(nullptr, most + 1).is(Refusal::AMOUNT_TOO_LARGE));
  EXPECT_TRUE(client.queue(1).ok());
  EXPECT_TRUE(client.quota(0, p, most, most, most).ok());
  EXPECT_TRUE(client.quota(1, p, most).is(Refusal::QUOTA_TOO_LARGE));
  EXPECT_TRUE(client.quota(1, p, ~std::uint64_t{0}).is(Refusal::AMOUNT_TOO_LARGE));
  ASSERT_NE(client.acquire({.wants = {{p, most}}}).token(), 0U);
  EXPECT_EQ(client.acquire({.wants = {{p, most}}}).denied(), Why::BUSY);
}

TEST_F(Leases, ALeaseExpiresAndIsNotRenewedAfterwards) {
  const auto p = amount(1);
  const auto a = client.acquire({.wants = {{p, 1}}, .ttl_ns = 3'200});
  ASSERT_GE(a.expires_ns(), 1'000U + 3'200);
  ASSERT_LE(a.expires_ns(), 1'000U + 3'200 + 100) << "spread by a thirty-second at most";
  at(a.expires_ns() - 1);
  EXPECT_EQ(free(p), 0U);
  const auto renewed = client.renew(a.lease(), a.token(), 3'200);
  const std::uint64_t expires_ns = renewed.as<pool::Renewed>()->expires_ns();
  EXPECT_GE(expires_ns, a.expires_ns() - 1 + 3'200);
  at(expires_ns);
  EXPECT_EQ(free(p), 1U);
  EXPECT_TRUE(client.renew(a.lease(), a.token(), 3'200).is(Refusal::UNKNOWN_LEASE));
  const auto revoked = heard.of<pool::LeaseRevoked>();
  ASSERT_EQ(revoked.size(), 1U);
  EXPECT_EQ(revoked[0]->why(), Why::EXPIRED);
  EXPECT_EQ(revoked[0]->token(), a.token());
}

TEST_F(Leases, ExpiriesOfLeasesGrantedTogetherAreSpread) {
  const auto p = amount(100);
  std::vector<std::uint64_t> ends;
  for (int i = 0; i < 100; ++i) ends.push_back(client.acquire({.wants = {{p, 1}}, .ttl_ns = 3'200'000}).expires_ns());
  std::sort(ends.begin(), ends.end());
  EXPECT_GT(std::unique(ends.begin(), ends.end()) - ends.begin(), 90);
}

TEST_F(Leases, APoolsOwnTimeToLiveHoldsForThoseThatAskForNone) {
  const auto p = testing::PoolClient::number(client.create("short", 1, 64, 1'000));
  const auto a = client.acquire({.wants = {{p, 1}}});
  EXPECT_GE(a.expires_ns(), 2'000U);
  const auto q = amount(1);
  EXPECT_EQ(client.acquire({.wants = {{q, 1}}}).expires_ns(), 0U);
}

TEST_F(Leases, ALeaseHeldTooLongIsReportedOnce) {
  const auto p = testing::PoolClient::number(client.create("watched", 2, 64, 0, 500));
  const auto a = client.acquire({.wants = {{p, 1}}, .tag = "job 7"});
  at(1'499);
  EXPECT_TRUE(heard.of<pool::LeakSuspected>().empty());
  at(1'500);
  at(9'000);
  const auto reports = heard.of<pool::LeakSuspected>();
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0]->token(), a.token());
  EXPECT_EQ(reports[0]->held_ns(), 500U);
  EXPECT_EQ(reports[0]->tag()->str(), "job 7");
  const auto listed = client.leases();
  EXPECT_TRUE(listed.as<pool::Leases>()->leases()->Get(0)->leak_suspected());
  EXPECT_EQ(free(p), 1U) << "a report takes nothing away";
}

TEST_F(Leases, PreemptionGivesTheHolderItsGrace) {
  const auto p = amount(1);
  const auto a = client.acquire({.wants = {{p, 1}}});
  ASSERT_TRUE(client.preempt(a.lease(), a.token(), 500).ok());
  ASSERT_EQ(heard.of<pool::LeaseExpiring>().size(), 1U);
  EXPECT_EQ(heard.of<pool::LeaseExpiring>()[0]->expires_ns(), 1'500U);
  EXPECT_EQ(client.renew(a.lease(), a.token(), 9'000).as<pool::Renewed>()->expires_ns(), 1'500U);
  at(1'499);
  EXPECT_EQ(free(p), 0U);
  at(1'500);
  EXPECT_EQ(free(p), 1U);
  EXPECT_EQ(heard.of<pool::LeaseRevoked>()[0]->why(), Why::PREEMPTED);
}

TEST_F(Leases, OfADeadHolderEverythingIsTakenBackAtOnce) {
  const auto p = amount(10);
  const auto a = client.acquire({.wants = {{p, 4}}, .holder = 7, .epoch = 2});
  ASSERT_NE(client.acquire({.wants = {{p, 3}}, .holder = 8}).token(), 0U);
  const auto waits = client.acquire({.wants = {{p, 5}}, .holder = 7, .epoch = 2, .mode = pool::Mode::TICKET});
  const auto next = client.acquire({.wants = {{p, 6}}, .holder = 9, .mode = pool::Mode::TICKET});
  const auto reclaimed = client.gone(7, 2);
  EXPECT_EQ(reclaimed.as<pool::Reclaimed>()->leases(), 1U);
  EXPECT_EQ(reclaimed.as<pool::Reclaimed>()->waiters(), 1U);
  EXPECT_NE(client.collect(next.wait(), 9).token(), 0U) << "what came free went on in the same moment";
  EXPECT_TRUE(client.release(a, 7).is(Refusal::STALE_TOKEN));
  EXPECT_TRUE(client.collect(waits.wait(), 7).is(Refusal::UNKNOWN_WAIT));
  EXPECT_EQ(heard.of<pool::LeaseRevoked>()[0]->why(), Why::HOLDER_DIED);
}

TEST_F(Leases, WhatADeadHolderSentBeforeItsDeathIsRefusedAfterwards) {
  const auto p = amount(10);
  ASSERT_TRUE(client.gone(7, 2).ok());
  EXPECT_TRUE(client.acquire({.wants = {{p, 1}}, .holder = 7, .epoch = 2}).is(Refusal::HOLDER_GONE));
  EXPECT_TRUE(client.acquire({.wants = {{p, 1}}, .holder = 7, .epoch = 1}).is(Refusal::HOLDER_GONE));
  swap();
  EXPECT_TRUE(client.acquire({.wants = {{p, 1}}, .holder = 7, .epoch = 2}).is(Refusal::HOLDER_GONE));
  EXPECT_NE(client.acquire({.wants = {{p, 1}}, .holder = 7, .epoch = 3}).token(), 0U) << "its next life may";
}

TEST_F(Leases, OfHoldersThatDiedTheLatestFourThousandAreRemembered) {
  const auto p = amount(10);
  for (std::uint64_t h = 1; h <= 4'097; ++h) ASSERT_TRUE(client.gone(h, 1).ok());
  EXPECT_NE(client.acquire({.wants = {{p, 1}}, .holder = 1}).token(), 0U);
  EXPECT_TRUE(client.acquire({.wants = {{p, 1}}, .holder = 2}).is(Refusal::HOLDER_GONE));
  EXPECT_TRUE(client.acquire({.wants = {{p, 1}}, .holder = 4'097}).is(Refusal::HOLDER_GONE));
}

TEST_F(Leases, AreListedPageByPage) {
  const auto p = amount(1'000);
  for (int i = 0; i < 300; ++i) ASSERT_NE(client.acquire({.wants = {{p, 1}}, .tag = std::string(63, 'x')}).token(), 0U);
  std::size_t seen = 0;
  for (std::uint32_t first = 0;;) {
    const auto page = client.leases(first);
    ASSERT_NE(page.as<pool::Leases>(), nullptr);
    seen += page.as<pool::Leases>()->leases()->size();
    first = page.as<pool::Leases>()->next();
    if (first == 0) break;
  }
  EXPECT_EQ(seen, 300U);
}

TEST_F(Leases, TheTableOfLeasesHasAnEndThatIsSaid) {
  const auto p = amount(100'000);
  for (std::uint32_t i = 0; i < 65'536; ++i) ASSERT_TRUE(client.acquire({.wants = {{p, 1}}}).ok());
  EXPECT_TRUE(client.acquire({.wants = {{p, 1}}}).is(Refusal::LIMIT));
}

}  // namespace
}  // namespace symphony::pit::pools
