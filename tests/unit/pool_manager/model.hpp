// The rules of the pool manager, said as plainly as possible: nothing is kept that can be computed, everything is
// looked through anew.   Layer: tests.
//
// Tokens are foretold: who is granted, and in which order, must agree. Numbers of leases and waiters, and the spread of
// expiries, are taken from what the pit says.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace symphony::pit::pools::testing {

struct ModelPool {
  bool is_units = false;
  std::uint64_t total = 0;
  std::uint32_t overtake_max = 0;
  std::set<std::uint32_t> cordoned;  // units
  struct Quota {
    std::uint64_t nominal = 0, borrow = std::uint64_t{1} << 60, lend = std::uint64_t{1} << 60;
  };
  bool has_quotas = false;
  std::map<std::uint32_t, Quota> quotas;
};

using ModelWants = std::map<std::size_t, std::uint64_t>;  // by pool, from 0

struct ModelLease {
  std::uint64_t token = 0;
  std::uint64_t holder = 0;
  std::uint32_t queue = 0;
  ModelWants wants;
  std::map<std::size_t, std::set<std::uint32_t>> units;
  std::uint64_t granted_ns = 0, ttl_ns = 0;
  std::optional<std::uint64_t> expires_ns;  // unknown until the pit says
  std::optional<std::uint32_t> number;
};

struct ModelWaiter {
  std::uint64_t wait = 0;  // as the pit says
  std::int64_t key = 0;
  std::uint64_t serial = 0;  // the later the higher
  std::uint64_t holder = 0;
  std::uint32_t queue = 0;
  ModelWants wants;
  std::map<std::size_t, std::uint32_t> skips;
  std::uint64_t ttl_ns = 0, give_up_ns = 0;
  [[nodiscard]] std::pair<std::int64_t, std::uint64_t> rank() const { return {key, serial}; }
};

struct ModelQueue {
  bool is_strict = false;
  std::uint32_t weight = 1;
};

class Model {
 public:
  std::vector<ModelPool> pools;
  std::map<std::uint32_t, ModelQueue> queues{{0, {}}};
  std::vector<ModelLease> leases;  // by token
  std::vector<ModelWaiter> waiters;
  std::map<std::uint64_t, std::optional<std::uint64_t>> ended;  // tickets that can be collected: the token, or denied
  std::uint64_t now_ns = 0, next_token = 1, next_serial = 1;
  std::size_t overtaken_most = 0;

  [[nodiscard]] std::uint64_t used(std::size_t p, std::optional<std::uint32_t> queue = {}) const {
    std::uint64_t sum = 0;
    for (const ModelLease& lease : leases) {
      if (lease.wants.contains(p) && (!queue || lease.queue == *queue)) sum += lease.wants.at(p);
    }
    return sum;
  }
  [[nodiscard]] std::set<std::uint32_t> free_units(std::size_t p) const {
    std::set<std::uint32_t> out;
    for (std::uint32_t u = 0; u < pools[p].total; ++u) out.insert(u);
    for (const std::uint32_t u : pools[p].cordoned) out.erase(u);
    for (const ModelLease& lease : leases) {
      if (!lease.units.contains(p)) continue;
      for (const std::uint32_t u : lease.units.at(p)) out.erase(u);
    }
    return out;
  }
  [[nodiscard]] std::uint64_t free(std::size_t p) const {
    return pools[p].is_units ? free_units(p).size() : pools[p].total - used(p);
  }
  [[nodiscard]] ModelPool::Quota quota(std::size_t p, std::uint32_t queue) const {
    const auto at = pools[p].quotas.find(queue);
    return at == pools[p].quotas.end() ? ModelPool::Quota() : at->second;
  }
  [[nodiscard]] std::uint64_t room(std::size_t p, std::uint32_t queue) const {
    if (!pools[p].has_quotas) return free(p);
    std::uint64_t left = free(p);
    for (const auto& [q, _] : queues) {
      const auto other = quota(p, q);
      const std::uint64_t kept = other.nominal - std::min(other.nominal, other.lend);
      const std::uint64_t in_use = used(p, q);
      if (q != queue && kept > in_use) left -= std::min(left, kept - in_use);
    }
    const auto own = quota(p, queue);
    const std::uint64_t cap = own.nominal + own.borrow;
    return std::min(left, cap - std::min(cap, used(p, queue)));
  }
  [[nodiscard]] bool is_own(std::uint32_t queue, const ModelWants& wants) const {
    return std::all_of(wants.begin(), wants.end(), [&](const auto& want) {
      return pools[want.first].has_quotas && used(want.first, queue) + want.second <= quota(want.first, queue).nominal;
    });
  }
  [[nodiscard]] bool is_hopeless(std::uint32_t queue, const ModelWants& wants) const {
    return std::any_of(wants.begin(), wants.end(), [&](const auto& want) {
      const auto own = quota(want.first, queue);
      std::uint64_t kept = 0;  // what others never lend
      for (const auto& [q, other] : pools[want.first].quotas) {
        kept += q == queue ? 0 : other.nominal - std::min(other.nominal, other.lend);
      }
      return want.second + kept > pools[want.first].total ||
             (pools[want.first].has_quotas && want.second > own.nominal + own.borrow);
    });
  }
  [[nodiscard]] bool is_within_cap(const ModelWaiter& waiter) const {
    return std::all_of(waiter.wants.begin(), waiter.wants.end(), [&](const auto& want) {
      const auto own = quota(want.first, waiter.queue);
      return !pools[want.first].has_quotas || used(want.first, waiter.queue) + want.second <= own.nominal + own.borrow;
    });
  }
  [[nodiscard]] bool is_held_back(std::size_t p, std::pair<std::int64_t, std::uint64_t> rank) const {
    return std::any_of(waiters.begin(), waiters.end(), [&](const ModelWaiter& other) {
      return other.wants.contains(p) && other.rank() < rank && other.skips.at(p) >= pools[p].overtake_max &&
             is_within_cap(other);
    });
  }
  [[nodiscard]] bool is_behind_head(std::uint32_t queue, std::pair<std::int64_t, std::uint64_t> rank) const {
    return queues.at(queue).is_strict && std::any_of(waiters.begin(), waiters.end(), [&](const ModelWaiter& other) {
             return other.queue == queue && other.rank() < rank;
           });
  }

  // Whose leases have to end; nothing: it cannot be granted now.
  [[nodiscard]] std::optional<std::set<std::uint64_t>> plan(std::uint32_t queue, const ModelWants& wants) const {
    std::set<std::uint64_t> victims;
    for (const auto& want : wants) {
      const std::size_t p = want.first;
      const std::uint64_t amount = want.second;
      const auto back = [&](const ModelLease& lease) -> std::uint64_t {
        if (!lease.wants.contains(p)) return 0;
        if (!pools[p].is_units) return lease.wants.at(p);
        return static_cast<std::uint64_t>(
            std::count_if(lease.units.at(p).begin(), lease.units.at(p).end(),
                          [&](std::uint32_t u) { return !pools[p].cordoned.contains(u); }));
      };
      const auto freed = [&] {
        std::uint64_t sum = free(p);
        for (const ModelLease& lease : leases) sum += victims.contains(lease.token) ? back(lease) : 0;
        return sum;
      };
      std::vector<std::uint64_t> chosen;
      if (amount > free(p)) {
        for (auto lease = leases.rbegin(); lease != leases.rend() && freed() < amount; ++lease) {
          if (lease->queue == queue || victims.contains(lease->token) || back(*lease) == 0) continue;
          std::uint64_t has = 0;
          for (const ModelLease& other : leases) {
            if (other.queue == lease->queue && other.wants.contains(p) && !victims.contains(other.token)) {
              has += other.wants.at(p);
            }
          }
          if (has <= quota(p, lease->queue).nominal) continue;
          victims.insert(lease->token);
          chosen.push_back(lease->token);
        }
      }
      if (amount > free(p) && freed() < amount) return std::nullopt;
      for (auto token = chosen.rbegin(); token != chosen.rend(); ++token) {
        victims.erase(*token);
        if (freed() < amount) victims.insert(*token);
      }
    }
    return victims;
  }
  // As plan(): nothing when it cannot be granted now.
  [[nodiscard]] std::optional<std::set<std::uint64_t>> fits(std::uint32_t queue,
                                                            std::pair<std::int64_t, std::uint64_t> rank,
                                                            const ModelWants& wants) const {
    if (is_behind_head(queue, rank)) return std::nullopt;
    if (is_own(queue, wants)) return plan(queue, wants);
    for (const auto& [p, amount] : wants) {
      if (amount > room(p, queue) || is_held_back(p, rank)) return std::nullopt;
    }
    return std::set<std::uint64_t>();
  }

  void grant(std::uint64_t holder, std::uint32_t queue, const ModelWants& wants, std::uint64_t ttl_ns,
             std::pair<std::int64_t, std::uint64_t> rank, const std::set<std::uint64_t>& victims) {
    if (!is_own(queue, wants)) {
      for (ModelWaiter& waiter : waiters) {
        for (auto& [p, skips] : waiter.skips) {
          if (!wants.contains(p) || !(waiter.rank() < rank)) continue;
          ++skips;
          if (is_within_cap(waiter)) overtaken_most = std::max<std::size_t>(overtaken_most, skips);
        }
      }
    }
    std::erase_if(leases, [&](const ModelLease& lease) { return victims.contains(lease.token); });
    ModelLease lease;
    lease.token = next_token++;
    lease.holder = holder;
    lease.queue = queue;
    lease.wants = wants;
    lease.granted_ns = now_ns;
    lease.ttl_ns = ttl_ns;
    for (const auto& [p, amount] : wants) {
      if (!pools[p].is_units) continue;
      const std::set<std::uint32_t> free = free_units(p);
      auto unit = free.begin();
      for (std::uint64_t i = 0; i < amount; ++i) lease.units[p].insert(*unit++);
    }
    leases.push_back(std::move(lease));
  }

  [[nodiscard]] double load(std::uint32_t queue) const {
    double most = 0;
    for (std::size_t p = 0; p < pools.size(); ++p) {
      if (pools[p].total == 0) continue;
      most = std::max(most, static_cast<double>(used(p, queue)) / static_cast<double>(pools[p].total));
    }
    return most / static_cast<double>(queues.at(queue).weight);
  }

  void dispatch() {
    for (;;) {
      const ModelWaiter* best = nullptr;
      for (const ModelWaiter& waiter : waiters) {
        if (!fits(waiter.queue, waiter.rank(), waiter.wants)) continue;
        const auto order = [this](const ModelWaiter& w) { return std::pair(load(w.queue), w.rank()); };
        if (best == nullptr || order(waiter) < order(*best)) best = &waiter;
      }
      if (best == nullptr) return;
      const ModelWaiter waiter = *best;
      const auto victims = fits(waiter.queue, waiter.rank(), waiter.wants);
      grant(waiter.holder, waiter.queue, waiter.wants, waiter.ttl_ns, waiter.rank(), *victims);
      end(waiter.wait, next_token - 1);
    }
  }
  void end(std::uint64_t wait, std::optional<std::uint64_t> token) {
    std::erase_if(waiters, [wait](const ModelWaiter& waiter) { return waiter.wait == wait; });
    ended[wait] = token;
  }
  void deny_hopeless() {
    for (const ModelWaiter& waiter : std::vector(waiters)) {
      if (is_hopeless(waiter.queue, waiter.wants)) end(waiter.wait, std::nullopt);
    }
  }
  void at(std::uint64_t now) {
    now_ns = now;
    std::erase_if(leases, [now](const ModelLease& lease) {
      return lease.expires_ns.value_or(0) != 0 && *lease.expires_ns <= now;
    });
    for (const ModelWaiter& waiter : std::vector(waiters)) {
      if (waiter.give_up_ns != 0 && waiter.give_up_ns <= now) end(waiter.wait, std::nullopt);
    }
    dispatch();
  }
};

}  // namespace symphony::pit::pools::testing
