// One pool: an amount, or units that are each leased whole; and what each queue has of it.   Layer: pits/pool_manager.
//
// Invariants: used = the sum of the queues' `used`, free + used <= total; of units, free counts those that are neither
// leased nor cordoned, and they are the members of `free_units`. Threads: one at a time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "pits/parts/rank_set.hpp"
#include "pits/pool_manager/limits.hpp"
#include "pits/pool_manager/line.hpp"

namespace symphony::pit::pools {

enum class Kind : std::uint8_t { amount = 0, units = 1 };

struct PoolOptions {
  std::uint64_t ttl_ns = 0;         // of a lease that asks for none; 0: it does not expire
  std::uint64_t leak_after_ns = 0;  // a lease held longer is reported once; 0: none is
  std::uint32_t overtake_max = 64;  // how often a waiter may be overtaken here
};
inline constexpr std::uint32_t overtake_unlimited = 0xFFFFFFFF;

struct Unit {
  bool exists = false;
  bool cordoned = false;
  std::uint32_t lease = no_place;
  std::string name;
  std::string reason;  // of the cordon
};

// What a queue may have of a pool.
struct Quota {
  std::uint64_t nominal = 0;          // its own
  std::uint64_t borrow = amount_max;  // how much more, of what others do not use
  std::uint64_t lend = amount_max;    // how much of its own others may use meanwhile
  [[nodiscard]] std::uint64_t cap() const noexcept { return nominal + borrow; }
  [[nodiscard]] std::uint64_t kept() const noexcept { return nominal - std::min(nominal, lend); }
};

struct Share {
  Quota quota;
  std::uint64_t used = 0;
  Line line = 0;  // its waiters that want of this pool
};

struct Pool {
  std::uint32_t number = 0;
  std::string name;
  Kind kind = Kind::amount;
  PoolOptions options;
  std::uint64_t total = 0;  // cordoned units included
  std::uint64_t free = 0;
  std::uint64_t used = 0;
  std::uint32_t waiting = 0;  // in all queues
  bool has_quotas = false;
  std::vector<Share> shares;  // by queue
  std::vector<Unit> units;    // by number
  parts::RankSet free_units;

  // What a queue can be given now without taking anything from anybody.
  [[nodiscard]] std::uint64_t room(std::uint32_t queue) const noexcept {
    if (!has_quotas) return free;
    const Share& own = shares[queue];
    std::uint64_t kept = 0;  // for the others, whom nobody borrows it from
    for (std::uint32_t q = 0; q < shares.size(); ++q) {
      if (q != queue) kept += less(shares[q].quota.kept(), shares[q].used);
    }
    return std::min(less(free, kept), less(own.quota.cap(), own.used));
  }
  // What the others never lend, used or not.
  [[nodiscard]] std::uint64_t kept_from(std::uint32_t queue) const noexcept {
    std::uint64_t kept = 0;
    for (std::uint32_t q = 0; q < shares.size(); ++q) kept += q == queue ? 0 : shares[q].quota.kept();
    return kept;
  }
  // What is left of the queue's own part.
  [[nodiscard]] std::uint64_t own_left(std::uint32_t queue) const noexcept {
    return has_quotas ? less(shares[queue].quota.nominal, shares[queue].used) : 0;
  }
  [[nodiscard]] std::uint64_t nominal_sum() const noexcept {
    std::uint64_t sum = 0;
    for (const Share& share : shares) sum += share.quota.nominal;
    return sum;
  }
  // After units came or went: counts and finds anew which are free.
  void count_units() {
    free_units.reset(static_cast<std::uint32_t>(units.size()));
    total = free = 0;
    for (std::uint32_t u = 0; u < units.size(); ++u) {
      total += units[u].exists;
      if (!units[u].exists || units[u].cordoned || units[u].lease != no_place) continue;
      free_units.insert(u);
      ++free;
    }
  }

  [[nodiscard]] static std::uint64_t less(std::uint64_t a, std::uint64_t b) noexcept { return a > b ? a - b : 0; }
};

}  // namespace symphony::pit::pools
