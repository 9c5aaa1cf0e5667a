// Pools and their units, queues and their quotas.
#include "tests/unit/pool_manager/pool_host.hpp"

namespace symphony::pit::pools {
namespace {

using pool::Mode;
using pool::Refusal;
using pool::Why;
using testing::PoolClient;
using Managed = testing::Pools;
using Quotas = testing::Pools;

TEST_F(Managed, NamesAreUniqueAndFindTheirPool) {
  const auto made = client.create("cpu", 4);
  EXPECT_TRUE(client.create("cpu", 4).is(Refusal::NAME_TAKEN));
  EXPECT_EQ(PoolClient::number(client.find("cpu")), PoolClient::number(made));
  EXPECT_TRUE(client.find("gpu").is(Refusal::NO_SUCH_POOL));
  EXPECT_TRUE(client.find("").is(Refusal::NO_SUCH_POOL));
  EXPECT_TRUE(client.create(std::string(256, 'n').c_str(), 1).is(Refusal::LIMIT));
}

TEST_F(Managed, ADeletedPoolsNumberIsNotUsedAgain) {
  const auto p = amount(4);
  ASSERT_TRUE(client.erase(p).ok());
  const auto q = amount(4);
  EXPECT_NE(p, q);
  EXPECT_TRUE(client.acquire({.wants = {{p, 1}}}).is(Refusal::NO_SUCH_POOL));
}

TEST_F(Managed, ThereAreAtMost256Pools) {
  for (int i = 0; i < 256; ++i) ASSERT_NE(amount(1), 0U);
  EXPECT_TRUE(client.create(nullptr, 1).is(Refusal::LIMIT));
}

TEST_F(Managed, DeletingAPoolEndsItsLeasesAndWaitersWhenSaid) {
  const auto p = amount(1);
  const auto q = amount(1);
  const auto a = client.acquire({.wants = {{p, 1}, {q, 1}}});
  const auto ticket = client.acquire({.wants = {{p, 1}, {q, 1}}, .mode = Mode::TICKET});
  EXPECT_TRUE(client.erase(p).is(Refusal::IN_USE));
  ASSERT_TRUE(client.erase(p, true).ok());
  EXPECT_TRUE(client.release(a).is(Refusal::UNKNOWN_LEASE));
  EXPECT_EQ(client.collect(ticket.wait()).denied(), Why::POOL_DELETED);
  EXPECT_EQ(free(q), 1U);
}

TEST_F(Managed, ASmallerPoolTakesBackTheLatestLeasesWhenSaid) {
  const auto p = amount(6);
  const auto a = client.acquire({.wants = {{p, 3}}});
  const auto b = client.acquire({.wants = {{p, 3}}});
  const auto large = client.acquire({.wants = {{p, 5}}, .mode = Mode::TICKET});
  EXPECT_TRUE(client.resize(p, 4).is(Refusal::IN_USE));
  ASSERT_TRUE(client.resize(p, 4, true).ok());
  EXPECT_TRUE(client.release(b).is(Refusal::UNKNOWN_LEASE));
  EXPECT_EQ(heard.of<pool::LeaseRevoked>()[0]->why(), Why::SHRUNK);
  EXPECT_EQ(client.collect(large.wait()).denied(), Why::NEVER_FITS);
  EXPECT_TRUE(client.release(a).ok());
  EXPECT_EQ(free(p), 4U);
}

TEST_F(Managed, ALargerPoolServesWhoWaits) {
  const auto p = amount(1);
  ASSERT_NE(client.acquire({.wants = {{p, 1}}}).token(), 0U);
  const auto ticket = client.acquire({.wants = {{p, 1}}, .mode = Mode::TICKET});
  ASSERT_TRUE(client.resize(p, 2).ok());
  EXPECT_NE(client.collect(ticket.wait()).token(), 0U);
}

TEST_F(Managed, UnitsAreGivenLowestFirstEachToOne) {
  const auto p = PoolClient::number(client.create_units("gpu", {"gpu0", "gpu1", "gpu2"}));
  const auto a = client.acquire({.wants = {{p, 2}}});
  ASSERT_EQ(a.as<pool::Granted>()->units()->size(), 2U);
  EXPECT_EQ(a.as<pool::Granted>()->units()->Get(0), 0U);
  EXPECT_EQ(a.as<pool::Granted>()->units()->Get(1), 1U);
  const auto b = client.acquire({.wants = {{p, 1}}});
  EXPECT_EQ(b.as<pool::Granted>()->units()->Get(0), 2U);
  EXPECT_EQ(client.acquire({.wants = {{p, 1}}}).denied(), Why::BUSY);
  const auto listed = client.units(p);
  EXPECT_EQ(listed.as<pool::Units>()->units()->Get(2)->token(), b.token());
  EXPECT_EQ(listed.as<pool::Units>()->units()->Get(2)->name()->str(), "gpu2");
  ASSERT_TRUE(client.release(a).ok());
  EXPECT_EQ(client.acquire({.wants = {{p, 1}}}).as<pool::Granted>()->units()->Get(0), 0U);
}

TEST_F(Managed, ACordonedUnitIsNotGivenAndALeaseOfItGoesOn) {
  const auto p = PoolClient::number(client.create_units("port", {"8080", "8081"}));
  const auto a = client.acquire({.wants = {{p, 1}}});
  ASSERT_TRUE(client.cordon(p, 0, true, "flaky").ok());
  EXPECT_EQ(heard.of<pool::UnitChanged>().size(), 1U);
  EXPECT_TRUE(client.renew(a.lease(), a.token(), 100).ok());
  ASSERT_TRUE(client.release(a).ok());
  const auto b = client.acquire({.wants = {{p, 1}}});
  EXPECT_EQ(b.as<pool::Granted>()->units()->Get(0), 1U);
  const auto ticket = client.acquire({.wants = {{p, 1}}, .mode = Mode::TICKET});
  ASSERT_NE(ticket.wait(), 0U) << "a cordon may be lifted: it is no reason to refuse";
  EXPECT_EQ(client.units(p).as<pool::Units>()->units()->Get(0)->reason()->str(), "flaky");
  ASSERT_TRUE(client.cordon(p, 0, false).ok());
  EXPECT_EQ(client.collect(ticket.wait()).as<pool::Granted>()->units()->Get(0), 0U);
}

TEST_F(Managed, UnitsComeAndGo) {
  const auto p = PoolClient::number(client.create_units("core", {"0", "1"}));
  const auto a = client.acquire({.wants = {{p, 2}}});
  const auto ticket = client.acquire({.wants = {{p, 2}}, .mode = Mode::TICKET});
  EXPECT_TRUE(client.remove_unit(p, 1).is(Refusal::IN_USE));
  EXPECT_TRUE(client.remove_unit(p, 2).is(Refusal::NO_SUCH_UNIT));
  EXPECT_EQ(client.add_unit(p, "2").as<pool::UnitInfo>()->unit(), 2U);
  ASSERT_TRUE(client.remove_unit(p, 1, true).ok());
  EXPECT_TRUE(client.release(a).is(Refusal::STALE_TOKEN)) << "its number went on to the next";
  const auto got = client.collect(ticket.wait());
  ASSERT_NE(got.token(), 0U);
  EXPECT_EQ(got.as<pool::Granted>()->units()->Get(1), 2U);
}

TEST_F(Managed, AmountsAndUnitsAreNotMistakenForEachOther) {
  const auto p = amount(1);
  const auto q = PoolClient::number(client.create_units("u", {"a"}));
  EXPECT_TRUE(client.add_unit(p, "x").is(Refusal::WRONG_KIND));
  EXPECT_TRUE(client.remove_unit(p, 0).is(Refusal::WRONG_KIND));
  EXPECT_TRUE(client.cordon(p, 0).is(Refusal::WRONG_KIND));
  EXPECT_TRUE(client.resize(q, 3).is(Refusal::WRONG_KIND));
}

TEST_F(Quotas, AQueueBorrowsWhatOthersLeaveUpToItsLimit) {
  const auto p = amount(10);
  ASSERT_TRUE(client.queue(1).ok());
  ASSERT_TRUE(client.quota(0, p, 6).ok());
  ASSERT_TRUE(client.quota(1, p, 4, 3).ok());
  EXPECT_NE(client.acquire({.wants = {{p, 7}}, .queue = 1}).token(), 0U);
  EXPECT_EQ(client.acquire({.wants = {{p, 1}}, .queue = 1}).denied(), Why::BUSY);
}

TEST_F(Quotas, WhatAQueueDoesNotLendStaysFree) {
  const auto p = amount(10);
  ASSERT_TRUE(client.queue(1).ok());
  ASSERT_TRUE(client.quota(0, p, 6, 100, 2).ok());
  ASSERT_TRUE(client.quota(1, p, 4).ok());
  EXPECT_TRUE(client.acquire({.wants = {{p, 7}}, .queue = 1}).is(Refusal::NEVER_FITS));
  EXPECT_NE(client.acquire({.wants = {{p, 6}}, .queue = 1}).token(), 0U);
}

TEST_F(Quotas, ItsOwnIsTakenBackFromTheLatestThatBorrow) {
  const auto p = amount(10);
  ASSERT_TRUE(client.queue(1).ok());
  ASSERT_TRUE(client.quota(0, p, 6).ok());
  ASSERT_TRUE(client.quota(1, p, 4).ok());
  const auto a = client.acquire({.wants = {{p, 4}}, .queue = 1});
  const auto b = client.acquire({.wants = {{p, 3}}, .queue = 1});
  const auto c = client.acquire({.wants = {{p, 1}}, .queue = 1});
  ASSERT_NE(c.token(), 0U);
  EXPECT_NE(client.acquire({.wants = {{p, 5}}, .queue = 0}).token(), 0U);
  EXPECT_TRUE(client.renew(a.lease(), a.token(), 0).ok());
  EXPECT_TRUE(client.release(b).is(Refusal::UNKNOWN_LEASE) || client.release(b).is(Refusal::STALE_TOKEN));
  EXPECT_TRUE(client.renew(c.lease(), c.token(), 0).ok()) << "the smaller, later one was not needed after all";
  ASSERT_EQ(heard.of<pool::LeaseRevoked>().size(), 1U);
  EXPECT_EQ(heard.of<pool::LeaseRevoked>()[0]->why(), Why::PREEMPTED);
}

TEST_F(Quotas, WhoNeedsNoMoreThanItsOwnIsNotHeldBack) {
  const auto p = amount(4, 0);
  ASSERT_TRUE(client.queue(1).ok());
  ASSERT_TRUE(client.quota(0, p, 2).ok());
  ASSERT_TRUE(client.quota(1, p, 2).ok());
  const auto a = client.acquire({.wants = {{p, 1}}, .queue = 0});
  const auto large = client.acquire({.wants = {{p, 4}}, .mode = Mode::TICKET, .queue = 0});
  ASSERT_NE(large.wait(), 0U);
  EXPECT_NE(client.acquire({.wants = {{p, 2}}, .queue = 1}).token(), 0U);
  EXPECT_EQ(client.acquire({.wants = {{p, 1}}, .queue = 1}).denied(), Why::BUSY) << "beyond it, it waits behind";
  EXPECT_TRUE(client.release(a).ok());
}

TEST_F(Quotas, WhoseQuotaIsUsedUpReservesNothing) {
  const auto p = amount(4, 0);
  ASSERT_TRUE(client.queue(1).ok());
  ASSERT_TRUE(client.quota(1, p, 1, 0).ok());
  ASSERT_NE(client.acquire({.wants = {{p, 1}}, .queue = 1}).token(), 0U);
  ASSERT_NE(client.acquire({.wants = {{p, 1}}, .mode = Mode::TICKET, .queue = 1}).wait(), 0U);
  EXPECT_NE(client.acquire({.wants = {{p, 1}}, .queue = 0}).token(), 0U);
}

TEST_F(Quotas, TheQueueWithTheLesserShareGoesFirst) {
  const auto p = amount(8);
  ASSERT_TRUE(client.queue(1).ok());
  ASSERT_TRUE(client.queue(2, pool::Strategy::BEST_EFFORT, 4).ok());
  ASSERT_NE(client.acquire({.wants = {{p, 2}}, .queue = 1}).token(), 0U);
  ASSERT_NE(client.acquire({.wants = {{p, 4}}, .queue = 2}).token(), 0U);
  const auto a = client.acquire({.wants = {{p, 2}}, .queue = 0});
  const auto first = client.acquire({.wants = {{p, 2}}, .mode = Mode::TICKET, .queue = 1});
  const auto second = client.acquire({.wants = {{p, 2}}, .mode = Mode::TICKET, .queue = 2});
  ASSERT_TRUE(client.release(a).ok());
  EXPECT_EQ(client.collect(first.wait()).wait(), first.wait());
  EXPECT_NE(client.collect(second.wait()).token(), 0U) << "a half by weight 4 is less than a quarter by weight 1";
}

TEST_F(Quotas, ASmallerQuotaDeniesWhatItCanNeverGive) {
  const auto p = amount(4);
  ASSERT_NE(client.acquire({.wants = {{p, 4}}}).token(), 0U);
  const auto ticket = client.acquire({.wants = {{p, 3}}, .mode = Mode::TICKET});
  ASSERT_TRUE(client.quota(0, p, 1, 1).ok());
  EXPECT_EQ(client.collect(ticket.wait()).denied(), Why::NEVER_FITS);
  EXPECT_TRUE(client.quota(0, p, 5).is(Refusal::QUOTA_TOO_LARGE));
  EXPECT_TRUE(client.quota(7, p, 1).is(Refusal::NO_SUCH_QUEUE));
  EXPECT_TRUE(client.resize(p, 0, true).is(Refusal::QUOTA_TOO_LARGE));
}

TEST_F(Quotas, AQueueOutsideItsNumbersIsRefused) {
  EXPECT_TRUE(client.queue(64).is(Refusal::LIMIT));
  EXPECT_TRUE(client.queue(1, pool::Strategy::STRICT, 0).is(Refusal::BAD_ARGUMENT));
  EXPECT_TRUE(client.queue(1, pool::Strategy{7}).is(Refusal::BAD_ARGUMENT));
  EXPECT_TRUE(client.queue(63).ok());
}

}  // namespace
}  // namespace symphony::pit::pools
