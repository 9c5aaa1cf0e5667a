// Time, and finding things.   Layer: pits/pool_manager.
#include "pits/pool_manager/manager.hpp"

#include <algorithm>

namespace symphony::pit::pools {

Manager::Manager(const Limits& limits) : limits_(limits), queues_(1), leases_(limits.leases), waiters_(limits.waiters) {
  queues_[0].exists = true;
}

void Manager::at(std::uint64_t now_ns) {
  if (now_ns < now_ns_) set_back(now_ns);
  now_ns_ = now_ns;
  if (deadlines_.next_ns() > now_ns_) return;
  while (deadlines_.next_ns() <= now_ns_) {
    const std::uint32_t id = deadlines_.next_id();
    const std::uint32_t place = id / 2;
    if (id % 2 != 0) {
      end_wait(place, Why::timed_out, no_place);
      continue;
    }
    Lease& lease = leases_[place];
    if (lease.expires_ns != 0 && lease.expires_ns <= now_ns_) {
      revoke(place, lease.ending);
      continue;
    }
    outbox_.events.push_back({.kind = EventKind::leak_suspected,
                              .holder = lease.holder,
                              .token = lease.token,
                              .value = now_ns_ - lease.granted_ns,
                              .lease = place});
    lease.leak_ns = 0;
    arm(place);
  }
  dispatch();
}

// The machine began anew, and its clock with it.
void Manager::set_back(std::uint64_t now_ns) {
  const auto left = [this, now_ns](std::uint64_t at_ns) {
    return at_ns == 0 ? 0 : now_ns + (at_ns > now_ns_ ? at_ns - now_ns_ : 1);
  };
  const auto past = [this, now_ns](std::uint64_t at_ns) { return now_ns - std::min(now_ns, now_ns_ - at_ns); };
  const auto back = static_cast<std::int64_t>(now_ns_ - now_ns);
  lines_.move_keys(-back);
  for (std::uint32_t l = 0; l < leases_.end(); ++l) {
    Lease& lease = leases_[l];
    if (lease.token == 0) continue;
    lease.granted_ns = past(lease.granted_ns);
    lease.expires_ns = left(lease.expires_ns);
    lease.leak_ns = left(lease.leak_ns);
    arm(l);
  }
  for (std::uint32_t w = 0; w < waiters_.end(); ++w) {
    Waiter& waiter = waiters_[w];
    if (waiter.rank.serial == 0 || waiter.ended) continue;
    waiter.rank.key -= back;
    waiter.since_ns = past(waiter.since_ns);
    waiter.give_up_ns = left(waiter.give_up_ns);
    if (waiter.give_up_ns != 0) deadlines_.set(2 * w + 1, waiter.give_up_ns);
  }
}

std::uint32_t Manager::place_of(std::uint32_t number) const noexcept {
  const std::uint32_t place = number & 255;
  return place < pools_.size() && pools_[place] != nullptr && pools_[place]->number == number ? place : no_place;
}

std::uint32_t Manager::place_of(std::string_view name) const noexcept {
  for (std::uint32_t p = 0; p < pools_.size(); ++p) {
    if (pools_[p] != nullptr && !name.empty() && pools_[p]->name == name) return p;
  }
  return no_place;
}

std::uint32_t Manager::waiter_of(std::uint64_t wait) const noexcept {
  const auto place = static_cast<std::uint32_t>(wait & 0xFFFF);
  return wait >> 16 != 0 && place < waiters_.end() && waiters_[place].rank.serial == wait >> 16 ? place : no_place;
}

std::uint32_t Manager::skips(const Waiter& waiter, std::uint32_t want) const noexcept {
  return lines_.skips(pools_[waiter.wants[want].pool]->shares[waiter.queue].line, waiter.nodes[want]);
}

Manager::Lack Manager::lack(const Waiter& waiter, std::uint32_t want) const noexcept {
  const Want& wanted = waiter.wants[want];
  const Pool& pool = *pools_[wanted.pool];
  if (is_own(waiter.queue, waiter.wants) ? wanted.amount > pool.free : wanted.amount > pool.room(waiter.queue)) {
    return wanted.amount > pool.free ? Lack::room : Lack::quota;
  }
  if (!is_own(waiter.queue, waiter.wants) && is_held_back(wanted.pool, waiter.rank)) return Lack::reservation;
  return is_behind_head(waiter.queue, waiter.rank) ? Lack::order : Lack::none;
}

std::uint64_t Manager::eta_ns(const Waiter& waiter, std::uint32_t want) const {
  const Want& wanted = waiter.wants[want];
  std::uint64_t free = pools_[wanted.pool]->room(waiter.queue);
  if (wanted.amount <= free) return now_ns_;
  std::vector<std::uint32_t> ending;
  for (std::uint32_t l = 0; l < leases_.end(); ++l) {
    if (leases_[l].token != 0 && leases_[l].expires_ns != 0 && usable(leases_[l], wanted.pool) != 0)
      ending.push_back(l);
  }
  std::sort(ending.begin(), ending.end(),
            [this](std::uint32_t a, std::uint32_t b) { return leases_[a].expires_ns < leases_[b].expires_ns; });
  for (const std::uint32_t l : ending) {
    free += usable(leases_[l], wanted.pool);
    if (wanted.amount <= free) return leases_[l].expires_ns;
  }
  return 0;
}

}  // namespace symphony::pit::pools
