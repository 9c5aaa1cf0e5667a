// Whose leases end so that a queue gets what is its own.   Layer: pits/pool_manager.
#include <algorithm>

#include "pits/pool_manager/manager.hpp"

namespace symphony::pit::pools {

// Into victims_ the leases that have to end, at each pool the latest of those that borrow, and as few as can be left of
// them. A want that this does not make room for, else no_place: then victims_ is the plan. Precondition: is_own().
std::uint32_t Manager::plan_victims(std::uint32_t queue, const Wants& wants) {
  victims_.clear();
  for (std::uint32_t i = 0; i < wants.size(); ++i) {
    const Want& want = wants[i];
    const Pool& pool = *pools_[want.pool];
    if (want.amount <= pool.free) continue;
    std::uint64_t freed = 0;
    std::vector<std::uint64_t> taken(pool.shares.size());  // by queue
    for (const std::uint32_t v : victims_) {
      freed += usable(leases_[v], want.pool);
      taken[leases_[v].queue] += leases_[v].wants.of(want.pool);
    }
    const std::size_t fixed = victims_.size();
    for (const std::uint32_t l : borrowed_leases(want.pool, queue)) {
      if (pool.free + freed >= want.amount) break;
      const Lease& lease = leases_[l];
      const Share& share = pool.shares[lease.queue];
      if (share.used - taken[lease.queue] <= share.quota.nominal) continue;
      if (usable(lease, want.pool) == 0 || std::find(victims_.begin(), victims_.end(), l) != victims_.end()) continue;
      victims_.push_back(l);
      freed += usable(lease, want.pool);
      taken[lease.queue] += lease.wants.of(want.pool);
    }
    if (pool.free + freed < want.amount) {
      victims_.clear();
      return i;
    }
    for (std::size_t v = victims_.size(); v-- > fixed;) {  // one that came late may have made an earlier one needless
      const std::uint64_t part = usable(leases_[victims_[v]], want.pool);
      if (pool.free + freed - part < want.amount) continue;
      freed -= part;
      victims_.erase(victims_.begin() + static_cast<std::ptrdiff_t>(v));
    }
  }
  return no_place;
}

// Of other queues that have more of this pool than is their own; the latest first.
std::vector<std::uint32_t> Manager::borrowed_leases(std::uint32_t place, std::uint32_t but_of) const {
  std::vector<std::uint32_t> found = latest_leases(place);
  std::erase_if(found, [&](std::uint32_t l) {
    const Share& share = pools_[place]->shares[leases_[l].queue];
    return leases_[l].queue == but_of || share.used <= share.quota.nominal;
  });
  return found;
}

std::vector<std::uint32_t> Manager::latest_leases(std::uint32_t place) const {
  std::vector<std::uint32_t> found;
  for (std::uint32_t l = 0; l < leases_.end(); ++l) {
    if (leases_[l].token != 0 && leases_[l].wants.of(place) != 0) found.push_back(l);
  }
  std::sort(found.begin(), found.end(),
            [this](std::uint32_t a, std::uint32_t b) { return leases_[a].token > leases_[b].token; });
  return found;
}

// How much of the pool is free when that lease ends: cordoned units are not.
std::uint64_t Manager::usable(const Lease& lease, std::uint32_t place) const noexcept {
  const Pool& pool = *pools_[place];
  if (pool.kind == Kind::amount) return lease.wants.of(place);
  std::size_t next_unit = 0;
  std::uint64_t count = 0;
  for (std::uint32_t i = 0; i < lease.wants.size(); ++i) {
    const Pool& of = *pools_[lease.wants[i].pool];
    if (of.kind != Kind::units) continue;
    for (std::uint64_t n = 0; n < lease.wants[i].amount; ++n) {
      const std::uint32_t unit = lease.units[next_unit++];
      count += &of == &pool && !of.units[unit].cordoned;
    }
  }
  return count;
}

}  // namespace symphony::pit::pools
