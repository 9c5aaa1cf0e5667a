// Saved state: what moves along, equal bytes for equal states, and bytes that are no state.
#include <random>

#include "pits/pool_manager/manager.hpp"
#include "tests/support/samples.hpp"
#include "tests/unit/pool_manager/pool_host.hpp"

namespace symphony::pit::pools {
namespace {

using pool::Mode;
using pool::Refusal;
using testing::PoolClient;

class SavedPools : public testing::Pools {
 protected:
  // Something of everything.
  void fill() {
    p = PoolClient::number(client.create("cpu", 4, 1, 5'000, 900));
    u = PoolClient::number(client.create_units("gpu", {"a", "b"}));
    ASSERT_TRUE(client.queue(2, pool::Strategy::STRICT, 3).ok());
    ASSERT_TRUE(client.quota(2, p, 2, 2, 1).ok());
    ASSERT_TRUE(client.cordon(u, 1, true, "hot").ok());
    held = client.acquire({.wants = {{p, 2}, {u, 1}}, .tag = "first"});
    ASSERT_NE(held.token(), 0U);
    other = client.acquire({.wants = {{p, 1}}, .ttl_ns = 320});
    waits = client.acquire({.wants = {{p, 3}}, .mode = Mode::TICKET, .max_wait_ns = 7'000});
    ASSERT_NE(waits.wait(), 0U);
    const auto ended = client.acquire({.wants = {{u, 1}}, .mode = Mode::TICKET});
    ASSERT_TRUE(client.cancel(ended.wait()).ok());
    ASSERT_TRUE(client.gone(99, 3).ok());
  }
  std::uint32_t p = 0, u = 0;
  testing::Said held, other, waits;
};

TEST_F(SavedPools, GoesOnInAnotherInstanceAsIfNothingHadBeen) {
  fill();
  Snapshot before, after;
  ASSERT_TRUE(host->snapshot(before).ok());
  ASSERT_TRUE(host->restore(before).ok());
  ASSERT_TRUE(host->snapshot(after).ok());
  EXPECT_EQ(before.bytes, after.bytes);
  EXPECT_EQ(client.leases().as<pool::Leases>()->leases()->size(), 2U);
  at(other.expires_ns());
  EXPECT_TRUE(client.release(other).is(Refusal::UNKNOWN_LEASE)) << "the time to live went along";
  ASSERT_TRUE(client.release(held).ok());
  EXPECT_NE(client.collect(waits.wait()).token(), 0U);
}

TEST(PoolStates, OfTwoWaysToOneAreTheSameBytes) {
  const auto run = [](bool detour) {
    InProcessOptions options;
    std::unique_ptr<StaticHost> host;
    std::unique_ptr<Link> link;
    EXPECT_TRUE(StaticHost::mount(*symphony_pit_pool_manager(), options, host).ok() && host->open(link).ok());
    EXPECT_TRUE(host->feed(7, 1'000).ok());
    PoolClient to([&](std::uint32_t type, std::span<const std::byte> body) {
      const Reply reply = link->call({.type = type, .body = body});
      return testing::said(reply.status, reply.type, reply.body, reply.text);
    });
    const auto p = PoolClient::number(to.create("cpu", 10));
    std::vector<testing::Said> got;
    for (int i = 0; i < 4; ++i) got.push_back(to.acquire({.wants = {{p, 1}}}));
    // The tables and heaps grow in another order; what is left is the same.
    for (const int i : detour ? std::vector{3, 0} : std::vector{0, 3})
      EXPECT_TRUE(to.release(got[std::size_t(i)]).ok());
    Snapshot state;
    EXPECT_TRUE(host->snapshot(state).ok());
    return state.bytes;
  };
  EXPECT_EQ(run(false), run(true));
}

// Bytes into a manager of their own.
class Bytes final : public parts::StateReader {
 public:
  explicit Bytes(std::span<const std::byte> bytes) : left_(bytes) {}

 private:
  std::int64_t get(std::span<std::byte> out) override {
    const std::size_t now = std::min(out.size(), left_.size());
    std::copy_n(left_.begin(), now, out.begin());
    left_ = left_.subspan(now);
    return static_cast<std::int64_t>(now);
  }
  std::span<const std::byte> left_;
};

TEST_F(SavedPools, BytesThatAreNoStateAreRefusedAndTheOldOneStays) {
  fill();
  Snapshot good;
  ASSERT_TRUE(host->snapshot(good).ok());
  for (std::size_t size = 0; size < good.bytes.size(); ++size) {
    Manager manager;
    Bytes bytes(std::span(good.bytes).first(size));
    ASSERT_FALSE(manager.load(bytes)) << size;
  }
  Snapshot bad = good;
  bad.bytes[good.bytes.size() / 2] ^= std::byte{1};
  EXPECT_FALSE(host->restore(bad).ok());
  EXPECT_EQ(client.leases().as<pool::Leases>()->leases()->size(), 2U);
}

// A checksum finds damage, not malice: whatever it lets through has to be a sound state.
TEST_F(SavedPools, ChangedBytesWithARightChecksumAreRefusedOrASoundState) {
  fill();
  Snapshot good;
  ASSERT_TRUE(host->snapshot(good).ok());
  std::mt19937_64 rng(test_run::seed());
  std::size_t taken = 0;
  for (std::uint64_t i = 0; i < test_run::samples(4'000); ++i) {
    std::vector<std::byte> bytes(good.bytes.begin(), good.bytes.end() - 8);
    for (std::uint64_t n = 1 + rng() % 3; n > 0; --n) {
      bytes[20 + rng() % (bytes.size() - 20)] = rng() % 2 == 0 ? std::byte{0xFF} : std::byte(rng() % 256);
    }
    parts::Checksum sum;
    sum.add(bytes);
    const std::uint64_t value = sum.value();
    const auto* tail = reinterpret_cast<const std::byte*>(&value);
    bytes.insert(bytes.end(), tail, tail + 8);
    Manager manager;
    Bytes reader(bytes);
    if (!manager.load(reader)) continue;
    ++taken;
    for (std::uint32_t place = 0; place < 2; ++place) {
      if (manager.place_of(place == 0 ? p : u) == no_place) continue;
      const Pool& pool = manager.pool(manager.place_of(place == 0 ? p : u));
      std::uint64_t used = 0;
      for (const Share& share : pool.shares) used += share.used;
      ASSERT_EQ(used, pool.used);
      ASSERT_LE(pool.free + pool.used, pool.total);
    }
    // It goes on: everything comes back.
    manager.at(2'000);
    std::uint32_t leases = 0, waiters = 0;
    for (std::uint32_t l = 0; l < manager.leases().end(); ++l) {
      const Lease& lease = manager.leases()[l];
      if (lease.token != 0) manager.holder_gone({lease.holder.id, 0xFFFFFFFF}, &leases, &waiters);
    }
    manager.outbox() = Outbox();
  }
  EXPECT_GT(taken, 0U);
}

TEST_F(SavedPools, AClockThatBeganAnewKeepsWhatWasLeft) {
  Manager manager;
  std::uint32_t place = 0;
  ASSERT_TRUE(manager.create_pool("p", Kind::amount, 1, {}, {}, 0, &place).ok());
  manager.at(1'000'000);
  Request request;
  const Want want{place, 1};
  request.wants.assign(&want, 1);
  request.ttl_ns = 31;
  Decision decision;
  ASSERT_TRUE(manager.acquire(request, &decision).ok());
  manager.at(500);
  EXPECT_EQ(manager.next_deadline_ns(), 500U + 31);
  request.mode = pools::Mode::ticket;
  Decision first, second;
  manager.at(520);
  ASSERT_TRUE(manager.acquire(request, &first).ok());
  manager.at(510);
  ASSERT_TRUE(manager.acquire(request, &second).ok());
  EXPECT_EQ(second.position, 1U) << "who came before the clock began anew still came before";
  manager.at(600);
  EXPECT_EQ(manager.waiting(), 1U);
}

}  // namespace
}  // namespace symphony::pit::pools
