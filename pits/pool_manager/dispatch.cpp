// Who is next: the rules of manager.hpp about whom a change lets through.   Layer: pits/pool_manager.
//
// A change marks its pools; only there can a waiter fit that did not before, for each waiter is shown where it lacks
// something. One that still lacks something elsewhere is moved there and not looked at again until that changes.
#include <algorithm>

#include "pits/pool_manager/manager.hpp"

namespace symphony::pit::pools {

// With quotas, what a queue uses of one pool decides what it may reserve at others: then everything is looked at.
void Manager::touch(std::uint32_t place) noexcept {
  if (has_quotas_) {
    dirty_.set_all();
  } else {
    dirty_.set(place);
  }
}

void Manager::dispatch() {
  if (waiting_ == 0) {
    dirty_.reset_all();
    return;
  }
  while (!leases_.full()) {
    std::uint32_t best = no_place;
    for (std::uint32_t p = dirty_.next(0); p != no_place; p = dirty_.next(p + 1)) {
      const bool is_idle = p >= pools_.size() || pools_[p] == nullptr || pools_[p]->waiting == 0;
      const std::uint32_t found = is_idle ? no_place : best_of(p);
      if (found == no_place) {
        dirty_.reset(p);
      } else if (best == no_place || (found != best && goes_before(found, best))) {
        best = found;
      }
    }
    if (best == no_place) return;
    const Waiter& waiter = waiters_[best];
    (void)blocked_at(waiter.queue, waiter.rank, waiter.wants, 0);  // whose leases end for it
    const std::uint32_t lease =
        grant(waiter.holder, waiter.queue, waiter.wants, waiter.ttl_ns, waiter.tag, waiter.rank);
    end_wait(best, Why::none, lease);
  }
}

std::uint32_t Manager::best_of(std::uint32_t place) {
  std::uint32_t best = no_place;
  for (std::uint32_t q = 0; q < pools_[place]->shares.size(); ++q) {
    if (pools_[place]->shares[q].line == 0) continue;
    const std::uint32_t found = candidate(place, q);
    if (found != no_place && (best == no_place || goes_before(found, best))) best = found;
  }
  return best;
}

std::uint32_t Manager::candidate(std::uint32_t place, std::uint32_t queue) {
  const Pool& pool = *pools_[place];
  const Line& line = pool.shares[queue].line;
  const std::uint64_t own = pool.own_left(queue);
  std::uint64_t want_max = std::max(pool.room(queue), own);
  for (std::uint32_t node = lines_.first_within(line, want_max, nullptr); node != 0;) {
    const std::uint32_t place_of_waiter = lines_.waiter(node);
    const Waiter& waiter = waiters_[place_of_waiter];
    const Rank rank = waiter.rank;
    const std::uint32_t want = blocked_at(queue, rank, waiter.wants, waiter.shown);
    if (want == no_place) return place_of_waiter;
    if (want != waiter.shown) {
      show(place_of_waiter, want);
    } else if (is_held_back(place, rank)) {
      want_max = own;  // and so is all that follows, but for what is its queue's own
    }
    node = want_max == 0 ? 0 : lines_.first_within(line, want_max, &rank);
  }
  return no_place;
}

bool Manager::goes_before(std::uint32_t waiter, std::uint32_t other) const noexcept {
  const Waiter& a = waiters_[waiter];
  const Waiter& b = waiters_[other];
  if (a.queue != b.queue) {
    const double load_a = load(a.queue);
    const double load_b = load(b.queue);
    if (load_a != load_b) return load_a < load_b;
  }
  return a.rank < b.rank;
}

// The largest part of a pool that the queue has, by its weight.
double Manager::load(std::uint32_t queue) const noexcept {
  double most = 0;
  for (const auto& pool : pools_) {
    if (pool == nullptr || pool->shares[queue].used == 0 || pool->total == 0) continue;
    most = std::max(most, static_cast<double>(pool->shares[queue].used) / static_cast<double>(pool->total));
  }
  return most / static_cast<double>(queues_[queue].options.weight);
}

std::uint32_t Manager::blocked_at(std::uint32_t queue, Rank rank, const Wants& wants, std::uint32_t first) {
  victims_.clear();
  if (has_quotas_ && is_own(queue, wants)) return plan_victims(queue, wants);
  const auto lacks = [&](std::uint32_t i) {
    return wants[i].amount > pools_[wants[i].pool]->room(queue) || is_held_back(wants[i].pool, rank);
  };
  if (lacks(first)) return first;
  for (std::uint32_t i = 0; i < wants.size(); ++i) {
    if (i != first && lacks(i)) return i;
  }
  return no_place;
}

bool Manager::is_behind_head(std::uint32_t queue, Rank rank) const noexcept {
  const Line order = queues_[queue].order;
  if (order == 0 || queues_[queue].options.strategy != Strategy::strict) return false;
  return lines_.rank(lines_.first(order)) < rank;
}

bool Manager::is_held_back(std::uint32_t place, Rank rank) const noexcept {
  const Pool& pool = *pools_[place];
  if (pool.waiting == 0 || pool.options.overtake_max == overtake_unlimited) return false;
  for (const Share& share : pool.shares) {
    if (share.line == 0) continue;
    std::uint32_t node = lines_.first_skipped(share.line, pool.options.overtake_max, nullptr);
    while (node != 0) {
      const Rank reserved = lines_.rank(node);
      if (!(reserved < rank)) break;
      if (is_within_cap(waiters_[lines_.waiter(node)])) return true;
      node = lines_.first_skipped(share.line, pool.options.overtake_max, &reserved);
    }
  }
  return false;
}

bool Manager::is_within_cap(const Waiter& waiter) const noexcept {
  for (std::uint32_t i = 0; has_quotas_ && i < waiter.wants.size(); ++i) {
    const Want& want = waiter.wants[i];
    const Share& share = pools_[want.pool]->shares[waiter.queue];
    if (pools_[want.pool]->has_quotas && share.used + want.amount > share.quota.cap()) return false;
  }
  return true;
}

bool Manager::is_own(std::uint32_t queue, const Wants& wants) const noexcept {
  for (std::uint32_t i = 0; i < wants.size(); ++i) {
    if (!has_quotas_ || wants[i].amount > pools_[wants[i].pool]->own_left(queue)) return false;
  }
  return true;
}

bool Manager::is_hopeless(std::uint32_t queue, const Wants& wants) const noexcept {
  for (std::uint32_t i = 0; i < wants.size(); ++i) {
    const Pool& pool = *pools_[wants[i].pool];
    if (wants[i].amount > pool.total) return true;
    if (pool.has_quotas &&
        wants[i].amount > std::min(pool.shares[queue].quota.cap(), pool.total - pool.kept_from(queue))) {
      return true;
    }
  }
  return false;
}

}  // namespace symphony::pit::pools
