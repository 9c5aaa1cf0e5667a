// Making pools, changing and deleting them; queues and quotas.   Layer: pits/pool_manager.
#include <algorithm>

#include "pits/pool_manager/manager.hpp"

namespace symphony::pit::pools {
namespace {

constexpr Verdict long_name{Refusal::limit, "a name or a reason is too long; use at most 255 bytes"};
constexpr Verdict not_units{Refusal::wrong_kind, "this pool is an amount; change it with ResizePool"};
constexpr Verdict not_amount{Refusal::wrong_kind, "this pool consists of units; use AddUnit and RemoveUnit"};
constexpr Verdict no_unit{Refusal::no_such_unit, "this pool has no such unit; see ListUnits"};
constexpr Verdict leased{Refusal::in_use, "leases are in the way; wait for them, or say `revoke` to end them"};
constexpr Verdict too_many_units{Refusal::limit, "too many units for one pit; remove some, or use a second pit"};
constexpr Verdict below_quotas{Refusal::quota_too_large,
                               "less than the sum of the nominal quotas; lower those with SetQuota first"};

}  // namespace

Verdict Manager::create_pool(std::string_view name, Kind kind, std::uint64_t capacity,
                             const std::vector<std::string_view>& units, const PoolOptions& options,
                             std::uint64_t fence, std::uint32_t* place) {
  if (name.size() > limits_.name_size) return long_name;
  if (fence > fence_max) return {Refusal::bad_argument, "fence leaves no room for tokens; use at most 2^62"};
  if (options.ttl_ns > duration_max_ns || options.leak_after_ns > duration_max_ns) {
    return {Refusal::bad_argument, "a duration is above 2^60 ns; use less"};
  }
  if (kind == Kind::amount && !units.empty()) return {Refusal::wrong_kind, "an amount has no units; leave them out"};
  if (kind == Kind::units && capacity != 0) {
    return {Refusal::wrong_kind, "units are counted by their names; leave the capacity out"};
  }
  if (capacity > amount_max) return {Refusal::amount_too_large, "the capacity is above 2^60; use less"};
  if (place_of(name) != no_place) return {Refusal::name_taken, "a pool of this name exists; look it up with FindPool"};
  if (pool_count_ == limits_.pools || pools_made_ == 0xFFFFFF) {
    return {Refusal::limit, "too many pools for one pit; delete some, or use a second pit"};
  }
  if (units.size() > limits_.units - units_) return too_many_units;
  for (const std::string_view unit : units) {
    if (unit.size() > limits_.name_size) return long_name;
  }
  *place = static_cast<std::uint32_t>(std::find(pools_.begin(), pools_.end(), nullptr) - pools_.begin());
  if (*place == pools_.size()) pools_.emplace_back();
  pools_[*place] = std::make_unique<Pool>();
  Pool& pool = *pools_[*place];
  pool.number = ++pools_made_ << 8 | *place;
  pool.name = name;
  pool.kind = kind;
  pool.options = options;
  pool.shares.resize(queues_.size());
  for (const std::string_view unit : units)
    pool.units.push_back({.exists = true, .name = std::string(unit), .reason = {}});
  if (kind == Kind::amount) {
    pool.total = pool.free = capacity;
  } else {
    pool.count_units();
  }
  units_ += static_cast<std::uint32_t>(units.size());
  ++pool_count_;
  next_token_ = std::max(next_token_, fence + 1);
  return {};
}

Verdict Manager::resize(std::uint32_t place, std::uint64_t capacity, bool revoke) {
  Pool& pool = *pools_[place];
  if (pool.kind != Kind::amount) return not_amount;
  if (capacity > amount_max) return {Refusal::amount_too_large, "the capacity is above 2^60; use less"};
  if (capacity < pool.nominal_sum()) return below_quotas;
  if (capacity < pool.used && !revoke) return leased;
  for (const std::uint32_t l : latest_leases(place)) {
    if (pool.used <= capacity) break;
    this->revoke(l, Why::shrunk);
  }
  pool.total = capacity;
  pool.free = capacity - pool.used;
  touch(place);
  deny_hopeless();
  dispatch();
  return {};
}

Verdict Manager::erase_pool(std::uint32_t place, bool revoke) {
  Pool& pool = *pools_[place];
  if (pool.used != 0 && !revoke) return leased;
  for (std::uint32_t w = 0; w < waiters_.end(); ++w) {
    if (waiters_[w].rank.serial == 0 || waiters_[w].ended || waiters_[w].wants.of(place) == 0) continue;
    end_wait(w, Why::pool_deleted, no_place);
  }
  for (const std::uint32_t l : latest_leases(place)) this->revoke(l, Why::pool_deleted);
  units_ -= static_cast<std::uint32_t>(
      std::count_if(pool.units.begin(), pool.units.end(), [](const Unit& unit) { return unit.exists; }));
  pools_[place] = nullptr;
  while (!pools_.empty() && pools_.back() == nullptr) pools_.pop_back();
  --pool_count_;
  has_quotas_ = std::any_of(pools_.begin(), pools_.end(), [](const auto& p) { return p != nullptr && p->has_quotas; });
  dirty_.set_all();
  dispatch();
  return {};
}

Verdict Manager::add_unit(std::uint32_t place, std::string_view name, std::uint32_t* unit) {
  Pool& pool = *pools_[place];
  if (pool.kind != Kind::units) return not_units;
  if (name.size() > limits_.name_size) return long_name;
  if (units_ == limits_.units) return too_many_units;
  const auto at = std::find_if(pool.units.begin(), pool.units.end(), [](const Unit& u) { return !u.exists; });
  *unit = static_cast<std::uint32_t>(at - pool.units.begin());
  if (at == pool.units.end()) pool.units.emplace_back();
  pool.units[*unit] = {.exists = true, .name = std::string(name), .reason = {}};
  ++units_;
  pool.count_units();
  touch(place);
  dispatch();
  return {};
}

Verdict Manager::remove_unit(std::uint32_t place, std::uint32_t unit, bool revoke) {
  Pool& pool = *pools_[place];
  if (pool.kind != Kind::units) return not_units;
  if (unit >= pool.units.size() || !pool.units[unit].exists) return no_unit;
  if (pool.total - 1 < pool.nominal_sum()) return below_quotas;
  if (pool.units[unit].lease != no_place && !revoke) return leased;
  if (pool.units[unit].lease != no_place) this->revoke(pool.units[unit].lease, Why::shrunk);
  pool.units[unit] = Unit();
  while (!pool.units.empty() && !pool.units.back().exists) pool.units.pop_back();
  --units_;
  pool.count_units();
  touch(place);
  deny_hopeless();
  dispatch();
  return {};
}

Verdict Manager::cordon(std::uint32_t place, std::uint32_t unit, bool cordoned, std::string_view reason) {
  Pool& pool = *pools_[place];
  if (pool.kind != Kind::units) return not_units;
  if (unit >= pool.units.size() || !pool.units[unit].exists) return no_unit;
  if (reason.size() > limits_.name_size) return long_name;
  pool.units[unit].cordoned = cordoned;
  pool.units[unit].reason = cordoned ? reason : std::string_view();
  pool.count_units();
  outbox_.events.push_back({.kind = EventKind::unit_changed,
                            .value = cordoned,
                            .lease = pool.units[unit].lease,
                            .pool = pool.number,
                            .unit = unit});
  touch(place);
  dispatch();
  return {};
}

Verdict Manager::set_queue(std::uint32_t queue, const QueueOptions& options) {
  if (queue >= limits_.queues) return {Refusal::limit, "a queue's number is too high; use 0 to 63"};
  if (options.weight == 0 || options.weight > limits_.weight || options.ageing_ns > limits_.ageing_ns) {
    return {Refusal::bad_argument, "use a weight of 1 to 1,000,000 and an ageing of up to 10^15 ns"};
  }
  if (queue >= queues_.size()) {
    queues_.resize(queue + 1);
    for (const auto& pool : pools_) {
      if (pool != nullptr) pool->shares.resize(queue + 1);
    }
  }
  queues_[queue].exists = true;
  queues_[queue].options = options;
  expose_queue(queue);
  dirty_.set_all();
  dispatch();
  return {};
}

Verdict Manager::set_quota(std::uint32_t queue, std::uint32_t place, const Quota& quota) {
  if (queue >= queues_.size() || !queues_[queue].exists) {
    return {Refusal::no_such_queue, "no queue has this number; make it with SetQueue, or use 0"};
  }
  if (quota.nominal > amount_max || quota.borrow > amount_max || quota.lend > amount_max) {
    return {Refusal::amount_too_large, "a quota is above 2^60; use less"};
  }
  Pool& pool = *pools_[place];
  const std::uint64_t others = pool.nominal_sum() - pool.shares[queue].quota.nominal;
  if (quota.nominal > pool.total || others > pool.total - quota.nominal) {
    return {Refusal::quota_too_large, "the nominal quotas of a pool are more than it has; lower one or enlarge it"};
  }
  pool.shares[queue].quota = quota;
  pool.has_quotas = has_quotas_ = true;
  dirty_.set_all();
  deny_hopeless();
  dispatch();
  return {};
}

}  // namespace symphony::pit::pools
