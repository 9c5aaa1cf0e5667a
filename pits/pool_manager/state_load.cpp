// Loading the saved state, whose form stands in state_save.cpp.   Layer: pits/pool_manager.
//
// The bytes may be anybody's: whatever they say is checked against the limits and against the rest of the state.
#include <algorithm>
#include <string>
#include <utility>

#include "pits/pool_manager/manager.hpp"

namespace symphony::pit::pools {
namespace {

bool load_text(parts::StateReader& from, std::uint32_t size_max, std::string* out) {
  std::uint8_t size = 0;
  return from.number(&size) && size <= size_max && from.array(size, out);
}
bool load_holder(parts::StateReader& from, Holder* out) { return from.number(&out->id) && from.number(&out->epoch); }

// Each pool once, no amount 0; whether the pools exist is the caller's to check.
bool load_wants(parts::StateReader& from, std::uint32_t count_max, Wants* out) {
  std::uint8_t count = 0;
  std::vector<Want> wants;
  if (!from.number(&count) || count == 0 || count > count_max) return false;
  for (std::uint32_t i = 0; i < count; ++i) {
    std::uint8_t pool = 0;
    Want want;
    if (!from.number(&pool) || !from.number(&want.amount) || want.amount == 0 || want.amount > amount_max) return false;
    want.pool = pool;
    if (std::any_of(wants.begin(), wants.end(), [&](const Want& w) { return w.pool == want.pool; })) return false;
    wants.push_back(want);
  }
  out->assign(wants.data(), wants.size());
  return true;
}

bool load_flag(parts::StateReader& from, bool* out) {
  std::uint8_t byte = 0;
  if (!from.number(&byte) || byte > 1) return false;
  *out = byte != 0;
  return true;
}

}  // namespace

bool Manager::load(parts::StateReader& from) {
  std::uint64_t found_magic = 0;
  std::uint32_t revision = 0;
  if (!from.number(&found_magic) || found_magic != magic) return false;
  if (!from.number(&revision) || revision != state_revision) return false;
  if (!from.number(&now_ns_) || !from.number(&next_token_) || !from.number(&next_serial_) ||
      !from.number(&last_reply_) || !from.number(&pools_made_)) {
    return false;
  }
  constexpr std::uint64_t time_max = std::uint64_t{1} << 62;
  if (now_ns_ > time_max || next_token_ == 0 || next_serial_ == 0 || next_serial_ > time_max >> 16) return false;
  if (!load_queues(from) || !load_pools(from) || !load_leases(from) || !load_waiters(from)) return false;
  std::uint32_t graves = 0;
  if (!from.number(&graves) || graves > limits_.graves) return false;
  for (std::uint32_t i = 0; i < graves; ++i) {
    Grave grave;
    if (!load_holder(from, &grave.holder) || !from.number(&grave.order) || grave.order >= next_serial_) return false;
    if (i > 0 && grave.holder.id <= graves_.back().holder.id) return false;
    graves_.push_back(grave);
  }
  if (!from.finish()) return false;
  outbox_ = Outbox();  // what came about by loading was told before
  return true;
}

bool Manager::load_queues(parts::StateReader& from) {
  std::uint32_t end = 0;
  if (!from.number(&end) || end == 0 || end > limits_.queues) return false;
  queues_.resize(end);
  for (Queue& queue : queues_) {
    std::uint8_t strategy = 0;
    if (!load_flag(from, &queue.exists) || !from.number(&strategy) || strategy > 1) return false;
    if (!from.number(&queue.options.weight) || !from.number(&queue.options.ageing_ns)) return false;
    queue.options.strategy = Strategy{strategy};
    const QueueOptions& options = queue.options;
    if (options.weight == 0 || options.weight > limits_.weight || options.ageing_ns > limits_.ageing_ns) return false;
  }
  return queues_[0].exists;
}

bool Manager::load_pools(parts::StateReader& from) {
  if (!from.number(&pool_count_) || pool_count_ > limits_.pools) return false;
  for (std::uint32_t i = 0; i < pool_count_; ++i) {
    std::uint8_t place = 0;
    std::uint8_t kind = 0;
    std::uint64_t size = 0;
    auto pool = std::make_unique<Pool>();
    if (!from.number(&place) || place < pools_.size() || place >= limits_.pools) return false;
    if (!from.number(&pool->number) || (pool->number & 255) != place || pool->number >> 8 == 0 ||
        pool->number >> 8 > pools_made_) {
      return false;
    }
    if (!load_text(from, limits_.name_size, &pool->name) || place_of(pool->name) != no_place) return false;
    if (!from.number(&kind) || kind > 1 || !from.number(&size) || !from.number(&pool->options.ttl_ns) ||
        !from.number(&pool->options.leak_after_ns) || !from.number(&pool->options.overtake_max)) {
      return false;
    }
    pool->kind = Kind{kind};
    if (size > amount_max || pool->options.ttl_ns > duration_max_ns || pool->options.leak_after_ns > duration_max_ns) {
      return false;
    }
    pool->total = pool->free = size;
    for (std::uint64_t u = 0; pool->kind == Kind::units && u < size; ++u) {
      std::uint8_t flags = 0;
      Unit unit;
      if (!from.number(&flags) || flags > 3 || flags == 2 || !load_text(from, limits_.name_size, &unit.name) ||
          !load_text(from, limits_.name_size, &unit.reason)) {
        return false;
      }
      unit.exists = (flags & 1) != 0;
      unit.cordoned = (flags & 2) != 0;
      units_ += unit.exists;
      if (units_ > limits_.units || pool->units.size() > limits_.units) return false;
      pool->units.push_back(std::move(unit));
    }
    if (pool->kind == Kind::units) pool->count_units();
    pool->shares.resize(queues_.size());
    if (!load_flag(from, &pool->has_quotas)) return false;
    has_quotas_ = has_quotas_ || pool->has_quotas;
    std::uint64_t nominal = 0;
    for (Share& share : pool->shares) {
      Quota& quota = share.quota;
      if (!pool->has_quotas) continue;
      if (!from.number(&quota.nominal) || !from.number(&quota.borrow) || !from.number(&quota.lend)) return false;
      if (quota.borrow > amount_max || quota.lend > amount_max || quota.nominal > pool->total - nominal) return false;
      nominal += quota.nominal;
    }
    pools_.resize(place + 1U);
    pools_[place] = std::move(pool);
  }
  return true;
}

bool Manager::load_leases(parts::StateReader& from) {
  std::uint32_t count = 0;
  if (!from.number(&count) || count > limits_.leases) return false;
  std::vector<std::uint64_t> tokens;
  for (std::uint32_t i = 0; i < count; ++i) {
    std::uint32_t place = 0;
    if (!from.number(&place) || !leases_.take_at(place)) return false;
    Lease& lease = leases_[place];
    std::uint8_t ending = 0;
    if (!from.number(&lease.token) || lease.token == 0 || lease.token >= next_token_ ||
        !load_holder(from, &lease.holder) || !from.number(&lease.queue) || lease.queue >= queues_.size() ||
        !load_wants(from, limits_.wants, &lease.wants)) {
      return false;
    }
    for (std::uint32_t w = 0; w < lease.wants.size(); ++w) {
      const Want& want = lease.wants[w];
      if (want.pool >= pools_.size() || pools_[want.pool] == nullptr) return false;
      Pool& pool = *pools_[want.pool];
      if (want.amount > pool.total - pool.used) return false;
      pool.used += want.amount;
      pool.shares[lease.queue].used += want.amount;
      if (pool.kind == Kind::amount) pool.free -= want.amount;
      for (std::uint64_t n = 0; pool.kind == Kind::units && n < want.amount; ++n) {
        std::uint32_t unit = 0;
        if (!from.number(&unit) || unit >= pool.units.size()) return false;
        if (!pool.units[unit].exists || pool.units[unit].lease != no_place) return false;
        pool.units[unit].lease = place;
        lease.units.push_back(unit);
      }
    }
    if (!from.number(&lease.granted_ns) || lease.granted_ns > now_ns_ || !from.number(&lease.expires_ns) ||
        !from.number(&lease.leak_ns) || !from.number(&ending) || !load_text(from, limits_.tag_size, &lease.tag)) {
      return false;
    }
    if (ending != static_cast<std::uint8_t>(Why::expired) && ending != static_cast<std::uint8_t>(Why::preempted)) {
      return false;
    }
    lease.ending = Why{ending};
    tokens.push_back(lease.token);
    arm(place);
  }
  for (const auto& pool : pools_) {
    if (pool != nullptr && pool->kind == Kind::units) pool->count_units();
  }
  std::sort(tokens.begin(), tokens.end());
  return std::adjacent_find(tokens.begin(), tokens.end()) == tokens.end();
}

bool Manager::load_waiters(parts::StateReader& from) {
  std::uint32_t count = 0;
  if (!from.number(&count) || count > limits_.waiters) return false;
  std::vector<std::uint64_t> serials;
  for (std::uint32_t i = 0; i < count; ++i) {
    std::uint32_t place = 0;
    if (!from.number(&place) || !waiters_.take_at(place)) return false;
    Waiter& waiter = waiters_[place];
    std::uint8_t mode = 0;
    if (!from.number(&waiter.rank.key) || !from.number(&waiter.rank.serial) || !load_holder(from, &waiter.holder) ||
        !from.number(&mode) || mode == 0 || mode > 2 || !load_flag(from, &waiter.ended)) {
      return false;
    }
    if (waiter.rank.serial == 0 || waiter.rank.serial >= next_serial_) return false;
    serials.push_back(waiter.rank.serial);
    waiter.mode = Mode{mode};
    if (waiter.ended) {
      std::uint8_t why = 0;
      if (waiter.mode != Mode::ticket || !from.number(&why) || why > static_cast<std::uint8_t>(Why::unheard) ||
          !from.number(&waiter.lease) || !from.number(&waiter.token) || !from.number(&waiter.ended_serial)) {
        return false;
      }
      waiter.why = Why{why};
      if ((waiter.why == Why::none) == (waiter.lease == no_place) || waiter.ended_serial >= next_serial_) return false;
      continue;
    }
    if (!from.number(&waiter.queue) || waiter.queue >= queues_.size() || !from.number(&waiter.priority) ||
        !load_wants(from, limits_.wants, &waiter.wants)) {
      return false;
    }
    std::vector<std::uint32_t> skips(waiter.wants.size());
    for (std::uint32_t w = 0; w < waiter.wants.size(); ++w) {
      if (waiter.wants[w].pool >= pools_.size() || pools_[waiter.wants[w].pool] == nullptr) return false;
      if (!from.number(&skips[w])) return false;
    }
    if (!from.number(&waiter.ttl_ns) || waiter.ttl_ns > duration_max_ns || !from.number(&waiter.give_up_ns) ||
        !from.number(&waiter.since_ns) || waiter.since_ns > now_ns_ || !from.number(&waiter.reply_to) ||
        !load_text(from, limits_.tag_size, &waiter.tag)) {
      return false;
    }
    if (is_hopeless(waiter.queue, waiter.wants)) return false;
    replies_ += waiter.mode == Mode::wait;
    this->place(place, skips.data());
  }
  if (replies_ > limits_.replies) return false;
  std::sort(serials.begin(), serials.end());
  return std::adjacent_find(serials.begin(), serials.end()) == serials.end();
}

}  // namespace symphony::pit::pools
