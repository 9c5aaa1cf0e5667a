#include "pits/pool_manager/replies.hpp"

#include <algorithm>
#include <string_view>
#include <vector>

namespace symphony::pit::pools {
namespace {

auto text(Builder& b, std::string_view from) { return b.CreateString(from.data(), from.size()); }

auto wants_of(Builder& b, const Manager& m, const Wants& wants) {
  std::vector<pool::Want> all;
  for (std::uint32_t i = 0; i < wants.size(); ++i) all.emplace_back(wants[i].amount, m.pool(wants[i].pool).number);
  return b.CreateVectorOfStructs(all);
}

// Whose expiry is first; those that never expire come last.
std::vector<std::uint32_t> holders_of(const Manager& m, std::uint32_t place) {
  constexpr std::size_t shown = 8;
  std::vector<std::uint32_t> found;
  for (std::uint32_t l = 0; l < m.leases().end(); ++l) {
    if (m.leases()[l].token != 0 && m.leases()[l].wants.of(place) != 0) found.push_back(l);
  }
  const auto ends_before = [&m](std::uint32_t a, std::uint32_t b) {
    const std::uint64_t end_a = m.leases()[a].expires_ns - 1;  // 0, never, becomes the latest
    const std::uint64_t end_b = m.leases()[b].expires_ns - 1;
    return end_a != end_b ? end_a < end_b : a < b;
  };
  std::sort(found.begin(), found.end(), ends_before);
  if (found.size() > shown) found.resize(shown);
  return found;
}

}  // namespace

Made<pool::PoolInfo> pool_info(Builder& b, const Manager& m, std::uint32_t place) {
  const Pool& pool = m.pool(place);
  std::uint32_t lease_count = 0;
  for (std::uint32_t l = 0; l < m.leases().end(); ++l) {
    lease_count += m.leases()[l].token != 0 && m.leases()[l].wants.of(place) != 0;
  }
  std::vector<pool::QuotaOf> quotas;
  for (std::uint32_t q = 0; pool.has_quotas && q < pool.shares.size(); ++q) {
    const Share& share = pool.shares[q];
    quotas.emplace_back(share.quota.nominal, share.quota.borrow, share.quota.lend, share.used, q);
  }
  const auto name = text(b, pool.name);
  const auto all_quotas = pool.has_quotas ? b.CreateVectorOfStructs(quotas) : 0;
  return pool::CreatePoolInfo(b, pool.number, name, static_cast<pool::Kind>(pool.kind), pool.total, pool.free,
                              pool.used, pool.waiting, lease_count, pool.options.ttl_ns, pool.options.leak_after_ns,
                              pool.options.overtake_max, all_quotas);
}

Made<pool::UnitInfo> unit_info(Builder& b, const Manager& m, const Pool& pool, std::uint32_t unit) {
  const Unit& of = pool.units[unit];
  const auto name = text(b, of.name);
  const auto reason = text(b, of.reason);
  const std::uint64_t token = of.lease == no_place ? 0 : m.leases()[of.lease].token;
  return pool::CreateUnitInfo(b, unit, name, of.cordoned, reason, token);
}

Made<pool::Units> units(Builder& b, const Manager& m, const Pool& pool, std::uint32_t first) {
  constexpr std::uint32_t texts_max = 48 * 1024;  // names and reasons may be long
  std::vector<Made<pool::UnitInfo>> all;
  std::uint32_t at = first;
  for (; at < pool.units.size() && all.size() < page_max && b.GetSize() < texts_max; ++at) {
    if (pool.units[at].exists) all.push_back(unit_info(b, m, pool, at));
  }
  return pool::CreateUnits(b, b.CreateVector(all), at < pool.units.size() ? at : 0);
}

Made<pool::LeaseInfo> lease_info(Builder& b, const Manager& m, std::uint64_t now_ns, std::uint32_t lease) {
  const Lease& of = m.leases()[lease];
  const auto wants = wants_of(b, m, of.wants);
  const std::size_t shown = std::min<std::size_t>(of.units.size(), 64);
  const auto units = of.units.empty() ? 0 : b.CreateVector(of.units.data(), shown);
  const auto tag = text(b, of.tag);
  bool watched = false;
  for (std::uint32_t i = 0; i < of.wants.size(); ++i) watched |= m.pool(of.wants[i].pool).options.leak_after_ns != 0;
  return pool::CreateLeaseInfo(b, lease, of.token, of.holder.id, of.holder.epoch, of.queue, wants, units,
                               now_ns - of.granted_ns, of.expires_ns, watched && of.leak_ns == 0, tag);
}

Made<pool::Leases> leases(Builder& b, const Manager& m, std::uint64_t now_ns, std::uint32_t first) {
  constexpr std::uint32_t size_max = 60 * 1024;
  std::vector<Made<pool::LeaseInfo>> all;
  std::uint32_t at = first;
  for (; at < m.leases().end() && all.size() < page_max && b.GetSize() < size_max; ++at) {
    if (m.leases()[at].token != 0) all.push_back(lease_info(b, m, now_ns, at));
  }
  return pool::CreateLeases(b, b.CreateVector(all), at < m.leases().end() ? at : 0);
}

Made<pool::Waiters> waiters(Builder& b, const Manager& m, std::uint64_t now_ns, std::uint32_t first) {
  std::vector<Made<pool::WaiterInfo>> all;
  std::uint32_t at = first;
  for (; at < m.waiters().end() && all.size() < page_max; ++at) {
    const Waiter& of = m.waiters()[at];
    if (of.rank.serial == 0 || of.ended) continue;
    std::vector<std::uint32_t> skips;
    for (std::uint32_t i = 0; i < of.wants.size(); ++i) skips.push_back(m.skips(of, i));
    const auto wants = wants_of(b, m, of.wants);
    const auto all_skips = b.CreateVector(skips);
    const auto tag = text(b, of.tag);
    all.push_back(pool::CreateWaiterInfo(b, m.wait_of(at), of.holder.id, of.holder.epoch, of.queue, of.priority,
                                         static_cast<pool::Mode>(of.mode), m.position(of), wants, all_skips,
                                         now_ns - of.since_ns, tag));
  }
  return pool::CreateWaiters(b, b.CreateVector(all), at < m.waiters().end() ? at : 0);
}

Made<pool::Explained> explained(Builder& b, const Manager& m, std::uint64_t now_ns, std::uint32_t waiter) {
  const Waiter& of = m.waiters()[waiter];
  std::vector<Made<pool::Blocked>> blocked;
  for (std::uint32_t i = 0; i < of.wants.size(); ++i) {
    const Want& want = of.wants[i];
    std::vector<Made<pool::LeaseInfo>> holders;
    for (const std::uint32_t l : holders_of(m, want.pool)) holders.push_back(lease_info(b, m, now_ns, l));
    const auto all_holders = b.CreateVector(holders);
    const Pool& pool = m.pool(want.pool);
    blocked.push_back(pool::CreateBlocked(b, pool.number, want.amount, pool.free, pool.room(of.queue),
                                          static_cast<pool::Lack>(m.lack(of, i)), m.eta_ns(of, i), all_holders));
  }
  const auto all = b.CreateVector(blocked);
  return pool::CreateExplained(b, m.position(of), m.first_of(of.queue), all);
}

Grant grant_of(const Manager& m, std::uint32_t lease, std::uint64_t wait) {
  const Lease& of = m.leases()[lease];
  return {pool::LeaseBody(of.token, of.expires_ns, lease), of.units, wait};
}

Made<pool::Granted> granted(Builder& b, const Grant& grant) {
  const auto units = grant.units.empty() ? 0 : b.CreateVector(grant.units);
  return pool::CreateGranted(b, &grant.body, units, grant.wait);
}

void publish(Ctx& ctx, const Manager& m, const Event& e) {
  Builder& b = ctx.builder();
  const auto why = static_cast<pool::Why>(e.why);
  switch (e.kind) {
    case EventKind::lease_expiring:
      (void)ctx.publish(pool::CreateLeaseExpiring(b, e.lease, e.token, e.holder.id, e.value, why));
      return;
    case EventKind::lease_revoked:
      (void)ctx.publish(pool::CreateLeaseRevoked(b, e.lease, e.token, e.holder.id, why));
      return;
    case EventKind::leak_suspected: {
      const bool is_there = m.leases()[e.lease].token == e.token;
      const auto tag = text(b, is_there ? std::string_view(m.leases()[e.lease].tag) : std::string_view());
      (void)ctx.publish(pool::CreateLeakSuspected(b, e.lease, e.token, e.holder.id, e.value, tag));
      return;
    }
    case EventKind::waiter_advanced:
      (void)ctx.publish(pool::CreateWaiterAdvanced(b, e.wait, e.holder.id, e.token, why));
      return;
    case EventKind::pool_pressure:
      (void)ctx.publish(pool::CreatePoolPressure(b, e.pool, e.value, e.waiting != 0));
      return;
    case EventKind::unit_changed:
      (void)ctx.publish(pool::CreateUnitChanged(b, e.pool, e.unit, e.value != 0));
      return;
  }
}

}  // namespace symphony::pit::pools
