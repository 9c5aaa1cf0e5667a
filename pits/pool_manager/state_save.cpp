// Saving the state; state_load.cpp loads it.   Layer: pits/pool_manager.
//
// Written is what cannot be computed; what is free and used, the lines and the deadlines are found anew when loading,
// so bytes that contradict themselves are noticed.
//   u64 magic  u32 revision  u64 now  u64 next token  u64 next serial  u64 last reply  u32 pools made
//   queues:  u32 end; for each: u8 exists, u8 strategy, u32 weight, u64 ageing
//   pools:   u32 count; for each, by place: u8 place, u32 number, name, u8 kind, u64 capacity (units: their end), u64
//   ttl,
//            u64 leak after, u32 overtake max; units: u8 flags (1 exists, 2 cordoned), name, reason of each;
//            u8 has quotas; then u64 nominal, borrow, lend of each queue
//   leases:  u32 count; for each, by place: u32 place, u64 token, holder, u32 queue, wants, u32 each unit, u64 granted,
//            u64 expires, u64 leak, u8 ending, tag
//   waiters: u32 count; for each, by place: u32 place, i64 key, u64 serial, holder, u8 mode, u8 ended;
//            waiting: u32 queue, i32 priority, wants, u32 skips at each, u64 ttl, give up, since, reply to, tag
//            ended:   u8 why, u32 lease, u64 token, u64 serial of the end
//   graves:  u32 count; for each, by holder: holder, u64 order
//   u64 checksum
// A text is u8 size and bytes; a holder u64 id, u32 epoch; wants u8 count, then u8 place and u64 amount each.
#include <span>
#include <string>

#include "pits/pool_manager/manager.hpp"

namespace symphony::pit::pools {
namespace {

bool save_text(parts::StateWriter& to, const std::string& text) {
  return to.number(static_cast<std::uint8_t>(text.size())) && to.array(std::span<const char>(text));
}
bool save_holder(parts::StateWriter& to, const Holder& holder) {
  return to.number(holder.id) && to.number(holder.epoch);
}
bool save_wants(parts::StateWriter& to, const Wants& wants) {
  if (!to.number(static_cast<std::uint8_t>(wants.size()))) return false;
  for (std::uint32_t i = 0; i < wants.size(); ++i) {
    if (!to.number(static_cast<std::uint8_t>(wants[i].pool)) || !to.number(wants[i].amount)) return false;
  }
  return true;
}

bool save_pool(parts::StateWriter& to, std::uint32_t place, const Pool& pool) {
  const std::uint64_t size = pool.kind == Kind::units ? pool.units.size() : pool.total;
  if (!to.number(static_cast<std::uint8_t>(place)) || !to.number(pool.number) || !save_text(to, pool.name) ||
      !to.number(static_cast<std::uint8_t>(pool.kind)) || !to.number(size) || !to.number(pool.options.ttl_ns) ||
      !to.number(pool.options.leak_after_ns) || !to.number(pool.options.overtake_max)) {
    return false;
  }
  for (const Unit& unit : pool.units) {
    const auto flags = static_cast<std::uint8_t>((unit.exists ? 1 : 0) | (unit.cordoned ? 2 : 0));
    if (!to.number(flags) || !save_text(to, unit.name) || !save_text(to, unit.reason)) return false;
  }
  if (!to.number(static_cast<std::uint8_t>(pool.has_quotas))) return false;
  for (const Share& share : pool.shares) {
    const Quota& quota = share.quota;
    if (pool.has_quotas && !(to.number(quota.nominal) && to.number(quota.borrow) && to.number(quota.lend)))
      return false;
  }
  return true;
}

bool save_lease(parts::StateWriter& to, std::uint32_t place, const Lease& lease) {
  return to.number(place) && to.number(lease.token) && save_holder(to, lease.holder) && to.number(lease.queue) &&
         save_wants(to, lease.wants) && to.array(std::span<const std::uint32_t>(lease.units)) &&
         to.number(lease.granted_ns) && to.number(lease.expires_ns) && to.number(lease.leak_ns) &&
         to.number(static_cast<std::uint8_t>(lease.ending)) && save_text(to, lease.tag);
}

}  // namespace

bool Manager::save(parts::StateWriter& to) const {
  if (!to.number(magic) || !to.number(state_revision) || !to.number(now_ns_) || !to.number(next_token_) ||
      !to.number(next_serial_) || !to.number(last_reply_) || !to.number(pools_made_) ||
      !to.number(static_cast<std::uint32_t>(queues_.size()))) {
    return false;
  }
  for (const Queue& queue : queues_) {
    if (!to.number(static_cast<std::uint8_t>(queue.exists)) ||
        !to.number(static_cast<std::uint8_t>(queue.options.strategy)) || !to.number(queue.options.weight) ||
        !to.number(queue.options.ageing_ns)) {
      return false;
    }
  }
  if (!to.number(pool_count_)) return false;
  for (std::uint32_t p = 0; p < pools_.size(); ++p) {
    if (pools_[p] != nullptr && !save_pool(to, p, *pools_[p])) return false;
  }
  if (!to.number(leases_.count())) return false;
  for (std::uint32_t l = 0; l < leases_.end(); ++l) {
    if (leases_[l].token != 0 && !save_lease(to, l, leases_[l])) return false;
  }
  if (!to.number(waiters_.count())) return false;
  for (std::uint32_t w = 0; w < waiters_.end(); ++w) {
    const Waiter& waiter = waiters_[w];
    if (waiter.rank.serial == 0) continue;
    if (!to.number(w) || !to.number(waiter.rank.key) || !to.number(waiter.rank.serial) ||
        !save_holder(to, waiter.holder) || !to.number(static_cast<std::uint8_t>(waiter.mode)) ||
        !to.number(static_cast<std::uint8_t>(waiter.ended))) {
      return false;
    }
    if (waiter.ended) {
      if (!to.number(static_cast<std::uint8_t>(waiter.why)) || !to.number(waiter.lease) || !to.number(waiter.token) ||
          !to.number(waiter.ended_serial)) {
        return false;
      }
      continue;
    }
    if (!to.number(waiter.queue) || !to.number(waiter.priority) || !save_wants(to, waiter.wants)) return false;
    for (std::uint32_t i = 0; i < waiter.wants.size(); ++i) {
      if (!to.number(skips(waiter, i))) return false;
    }
    if (!to.number(waiter.ttl_ns) || !to.number(waiter.give_up_ns) || !to.number(waiter.since_ns) ||
        !to.number(waiter.reply_to) || !save_text(to, waiter.tag)) {
      return false;
    }
  }
  if (!to.number(static_cast<std::uint32_t>(graves_.size()))) return false;
  for (const Grave& grave : graves_) {
    if (!save_holder(to, grave.holder) || !to.number(grave.order)) return false;
  }
  return to.finish();
}

}  // namespace symphony::pit::pools
