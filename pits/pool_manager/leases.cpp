// Granting, renewing and ending leases.   Layer: pits/pool_manager.
#include <algorithm>

#include "pits/pool_manager/manager.hpp"

namespace symphony::pit::pools {
namespace {

// A spread of up to a thirty-second of the time, so that leases granted together do not expire together. Never shorter
// than asked for: the holder may rely on what it asked.
std::uint64_t spread_ns(std::uint64_t token, std::uint64_t ttl_ns) noexcept {
  return ((token * 0x9E3779B97F4A7C15U) >> 32) % (ttl_ns / 32 + 1);
}

}  // namespace

Verdict Manager::check(const Request& request) const noexcept {
  if (request.queue >= queues_.size() || !queues_[request.queue].exists) {
    return {Refusal::no_such_queue, "no queue has this number; make it with SetQueue, or use 0"};
  }
  const Wants& wants = request.wants;
  if (wants.size() > limits_.wants) return {Refusal::limit, "too many pools in one request; ask for 16 at most"};
  for (std::uint32_t i = 0; i < wants.size(); ++i) {
    if (wants[i].amount == 0)
      return {Refusal::zero_amount, "an amount is 0; leave out pools of which nothing is wanted"};
    if (wants[i].amount > amount_max) return {Refusal::amount_too_large, "an amount is above 2^60; ask for less"};
    for (std::uint32_t j = 0; j < i; ++j) {
      if (wants[i].pool == wants[j].pool) {
        return {Refusal::duplicate_pool, "a pool stands twice in one request; add its amounts up"};
      }
    }
  }
  if (is_hopeless(request.queue, wants)) {
    return {Refusal::never_fits, "more than the pool or the queue's quota can ever give; ask for less or enlarge it"};
  }
  if (request.tag.size() > limits_.tag_size) return {Refusal::limit, "the tag is too long; use at most 63 bytes"};
  if (request.priority < -limits_.priority || request.priority > limits_.priority) {
    return {Refusal::bad_argument, "the priority is beyond -1000 to 1000; use one between"};
  }
  if (request.ttl_ns > duration_max_ns) return {Refusal::bad_argument, "the time to live is above 2^60 ns; use less"};
  if (is_gone(request.holder)) {
    return {Refusal::holder_gone, "this holder was reported gone; begin a new epoch with a higher number"};
  }
  return {};
}

Verdict Manager::acquire(const Request& request, Decision* out) {
  if (const Verdict refused = check(request); !refused.ok()) return refused;
  if (leases_.full()) return {Refusal::limit, "too many leases for one pit; release some, or use a second pit"};
  const QueueOptions& options = queues_[request.queue].options;
  const auto worth = request.priority * static_cast<std::int64_t>(options.ageing_ns);
  const Rank rank{static_cast<std::int64_t>(now_ns_) - worth, next_serial_};
  if (!is_behind_head(request.queue, rank) && blocked_at(request.queue, rank, request.wants, 0) == no_place) {
    out->lease = grant(request.holder, request.queue, request.wants, request.ttl_ns, request.tag, rank);
    dispatch();
    return {};
  }
  if (request.mode == Mode::try_now) {
    out->why = Why::busy;
    out->position = lines_.before(queues_[request.queue].order, rank);
    return {};
  }
  if (waiting_ == limits_.waiters) {
    return {Refusal::limit, "too many requests wait; try later, or use a second pit"};
  }
  if (request.mode == Mode::wait && replies_ >= limits_.replies) {
    return {Refusal::limit, "too many requests are left open; ask with mode TICKET and Collect"};
  }
  enqueue(request, rank, out);
  dispatch();
  return {};
}

std::uint32_t Manager::grant(const Holder& holder, std::uint32_t queue, const Wants& wants, std::uint64_t ttl_ns,
                             std::string_view tag, Rank rank) {
  if (waiting_ != 0 && !is_own(queue, wants)) {
    for (std::uint32_t i = 0; i < wants.size(); ++i) {
      Pool& pool = *pools_[wants[i].pool];
      if (pool.options.overtake_max == overtake_unlimited) continue;
      for (const Share& share : pool.shares) lines_.overtake(share.line, rank);
    }
  }
  for (const std::uint32_t victim : victims_) revoke(victim, Why::preempted);
  victims_.clear();

  const std::uint32_t place = leases_.take();
  Lease& lease = leases_[place];
  lease.token = next_token_++;
  lease.holder = holder;
  lease.queue = queue;
  lease.wants = wants;
  lease.granted_ns = now_ns_;
  lease.leak_ns = 0;
  lease.ending = Why::expired;
  lease.tag.assign(tag);
  std::uint64_t leak_after_ns = 0;
  for (std::uint32_t i = 0; i < wants.size(); ++i) {
    Pool& pool = *pools_[wants[i].pool];
    pool.used += wants[i].amount;
    pool.free -= wants[i].amount;
    pool.shares[queue].used += wants[i].amount;
    if (ttl_ns == 0) ttl_ns = pool.options.ttl_ns;
    if (pool.options.leak_after_ns != 0 && (leak_after_ns == 0 || pool.options.leak_after_ns < leak_after_ns)) {
      leak_after_ns = pool.options.leak_after_ns;
    }
    for (std::uint64_t n = 0; pool.kind == Kind::units && n < wants[i].amount; ++n) {
      lease.units.push_back(pool.free_units.take_min());
      pool.units[lease.units.back()].lease = place;
    }
  }
  if (leak_after_ns != 0) lease.leak_ns = now_ns_ + leak_after_ns;
  set_expiry(place, ttl_ns);
  if (has_quotas_) dirty_.set_all();  // whoever reserved what its quota does not allow any more, reserves nothing
  return place;
}

void Manager::set_expiry(std::uint32_t place, std::uint64_t ttl_ns) {
  Lease& lease = leases_[place];
  lease.expires_ns = ttl_ns == 0 ? 0 : now_ns_ + ttl_ns + spread_ns(lease.token, ttl_ns);
  arm(place);
}

void Manager::arm(std::uint32_t place) {
  const Lease& lease = leases_[place];
  const std::uint64_t expires_ns = lease.expires_ns == 0 ? Deadlines::never : lease.expires_ns;
  const std::uint64_t leak_ns = lease.leak_ns == 0 ? Deadlines::never : lease.leak_ns;
  deadlines_.set(2 * place, std::min(expires_ns, leak_ns));
}

void Manager::end_lease(std::uint32_t place) {
  Lease& lease = leases_[place];
  std::size_t next_unit = 0;
  for (std::uint32_t i = 0; i < lease.wants.size(); ++i) {
    const Want& want = lease.wants[i];
    Pool& pool = *pools_[want.pool];
    pool.used -= want.amount;
    pool.shares[lease.queue].used -= want.amount;
    if (pool.kind == Kind::amount) pool.free += want.amount;
    for (std::uint64_t n = 0; pool.kind == Kind::units && n < want.amount; ++n) {
      const std::uint32_t unit = lease.units[next_unit++];
      pool.units[unit].lease = no_place;
      if (pool.units[unit].cordoned) continue;
      pool.free_units.insert(unit);
      ++pool.free;
    }
    touch(want.pool);
  }
  deadlines_.clear(2 * place);
  lease.token = 0;
  lease.units.clear();
  lease.tag.clear();
  leases_.give(place);
}

void Manager::revoke(std::uint32_t place, Why why) {
  const Lease& lease = leases_[place];
  outbox_.events.push_back(
      {.kind = EventKind::lease_revoked, .holder = lease.holder, .token = lease.token, .lease = place, .why = why});
  end_lease(place);
}

Verdict Manager::find_lease(std::uint32_t place, std::uint64_t token) const noexcept {
  if (place >= leases_.end() || leases_[place].token == 0) {
    return {Refusal::unknown_lease, "no such lease; it was released, has expired or was revoked: acquire anew"};
  }
  if (leases_[place].token != token) {
    return {Refusal::stale_token, "the token is not this lease's; yours has ended: stop using it and acquire anew"};
  }
  return {};
}

namespace {
constexpr Verdict not_holder{Refusal::not_holder, "another holder has this; only the one that asked for it may"};
}

Verdict Manager::release(std::uint32_t place, std::uint64_t token, std::uint64_t holder) {
  if (const Verdict refused = find_lease(place, token); !refused.ok()) return refused;
  if (leases_[place].holder.id != holder) return not_holder;
  end_lease(place);
  dispatch();
  return {};
}

Verdict Manager::renew(std::uint32_t place, std::uint64_t token, std::uint64_t holder, std::uint64_t ttl_ns) {
  if (const Verdict refused = find_lease(place, token); !refused.ok()) return refused;
  const Lease& lease = leases_[place];
  if (lease.holder.id != holder) return not_holder;
  if (ttl_ns > duration_max_ns) return {Refusal::bad_argument, "the time to live is above 2^60 ns; use less"};
  for (std::uint32_t i = 0; ttl_ns == 0 && i < lease.wants.size(); ++i) {
    ttl_ns = pools_[lease.wants[i].pool]->options.ttl_ns;
  }
  if (lease.ending == Why::expired) set_expiry(place, ttl_ns);  // one that is being taken back keeps its end
  return {};
}

Verdict Manager::preempt(std::uint32_t place, std::uint64_t token, std::uint64_t grace_ns) {
  if (const Verdict refused = find_lease(place, token); !refused.ok()) return refused;
  if (grace_ns > duration_max_ns) return {Refusal::bad_argument, "the grace is above 2^60 ns; use less"};
  if (grace_ns == 0) {
    revoke(place, Why::preempted);
    dispatch();
    return {};
  }
  Lease& lease = leases_[place];
  const std::uint64_t end_ns = now_ns_ + grace_ns;
  if (lease.expires_ns == 0 || end_ns < lease.expires_ns) {
    lease.expires_ns = end_ns;
    lease.ending = Why::preempted;
    arm(place);
  }
  outbox_.events.push_back({.kind = EventKind::lease_expiring,
                            .holder = lease.holder,
                            .token = lease.token,
                            .value = lease.expires_ns,
                            .lease = place,
                            .why = Why::preempted});
  return {};
}

Verdict Manager::cancel(std::uint64_t wait, std::uint64_t holder) {
  const std::uint32_t place = waiter_of(wait);
  if (place == no_place || waiters_[place].ended) {
    return {Refusal::unknown_wait, "nobody waits under this number; it was granted or ended before: see Collect"};
  }
  if (waiters_[place].holder.id != holder) return not_holder;
  end_wait(place, Why::cancelled, no_place);
  dispatch();
  return {};
}

Verdict Manager::collect(std::uint64_t wait, std::uint64_t holder, Decision* out) {
  const std::uint32_t place = waiter_of(wait);
  if (place == no_place || waiters_[place].mode != Mode::ticket) {
    return {Refusal::unknown_wait, "no ticket has this number; its ending was collected before"};
  }
  const Waiter& waiter = waiters_[place];
  if (waiter.holder.id != holder) return not_holder;
  out->wait = wait;
  if (!waiter.ended) {
    out->position = position(waiter);
    return {};
  }
  out->wait = 0;
  out->why = waiter.why;
  if (waiter.why == Why::none) {
    if (find_lease(waiter.lease, waiter.token).ok()) {
      out->lease = waiter.lease;
    } else {
      out->why = Why::expired;  // granted, and over before it was collected
    }
  }
  drop_ticket(place);
  return {};
}

void Manager::holder_gone(const Holder& holder, std::uint32_t* leases, std::uint32_t* waiters) {
  bury(holder);
  const auto is_its = [&holder](const Holder& other) { return other.id == holder.id && other.epoch <= holder.epoch; };
  for (std::uint32_t w = 0; w < waiters_.end(); ++w) {
    if (waiters_[w].rank.serial == 0 || !is_its(waiters_[w].holder)) continue;
    if (!waiters_[w].ended) {
      end_wait(w, Why::holder_died, no_place);
      ++*waiters;
    }
    if (waiters_[w].rank.serial != 0) drop_ticket(w);
  }
  for (std::uint32_t l = 0; l < leases_.end(); ++l) {
    if (leases_[l].token == 0 || !is_its(leases_[l].holder)) continue;
    revoke(l, Why::holder_died);
    ++*leases;
  }
  dispatch();
}

void Manager::unheard(std::uint32_t lease) {
  revoke(lease, Why::unheard);
  dispatch();
}

bool Manager::is_gone(const Holder& holder) const noexcept {
  if (graves_.empty()) return false;
  const auto at = std::lower_bound(graves_.begin(), graves_.end(), holder.id,
                                   [](const Grave& grave, std::uint64_t id) { return grave.holder.id < id; });
  return at != graves_.end() && at->holder.id == holder.id && holder.epoch <= at->holder.epoch;
}

void Manager::bury(const Holder& holder) {
  const auto before = [](const Grave& grave, std::uint64_t id) { return grave.holder.id < id; };
  auto at = std::lower_bound(graves_.begin(), graves_.end(), holder.id, before);
  if (at != graves_.end() && at->holder.id == holder.id) {
    if (at->holder.epoch < holder.epoch) *at = {holder, next_serial_++};  // a repeat changes nothing
    return;
  }
  if (graves_.size() == limits_.graves) {
    graves_.erase(std::min_element(graves_.begin(), graves_.end(),
                                   [](const Grave& a, const Grave& b) { return a.order < b.order; }));
    at = std::lower_bound(graves_.begin(), graves_.end(), holder.id, before);
  }
  graves_.insert(at, {holder, next_serial_++});
}

}  // namespace symphony::pit::pools
