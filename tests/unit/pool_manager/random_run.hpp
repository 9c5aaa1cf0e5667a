// A sequence of random operations on a PoolManager and on the model at once; after each, everything that can be seen is
// compared.   Layer: tests.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "tests/support/samples.hpp"
#include "tests/unit/pool_manager/model.hpp"
#include "tests/unit/pool_manager/pool_client.hpp"

namespace symphony::pit::pools::testing {

using test_run::Op;

// What the run needs besides calls. Each returns an empty text, or what failed.
struct Surroundings {
  std::function<std::string(std::uint64_t now_ns)> feed;
  std::function<std::string()> swap;  // the state to a new instance
};

class RandomRun {
 public:
  RandomRun(PoolClient& client, Surroundings surroundings) : client_(client), around_(std::move(surroundings)) {}

  // Empty, or where pit and model part.
  std::string run(const std::vector<Op>& ops) {
    if (std::string wrong = begin(); !wrong.empty()) return wrong;
    for (std::size_t i = 0; i < ops.size(); ++i) {
      std::string wrong = step(ops[i]);
      if (wrong.empty()) wrong = compare();
      if (!wrong.empty()) return "operation " + std::to_string(i) + ": " + done_ + ": " + wrong;
    }
    return finish();
  }
  [[nodiscard]] const Model& model() const { return model_; }
  std::size_t granted = 0, queued = 0, collected = 0;

 private:
  static constexpr std::uint64_t start_ns = 1'000'000;

  std::string begin() {
    model_.now_ns = start_ns;
    if (std::string wrong = around_.feed(start_ns); !wrong.empty()) return wrong;
    for (const auto& [capacity, overtake_max] : {std::pair{6U, 2U}, std::pair{4U, 1U}}) {
      numbers_.push_back(PoolClient::number(client_.create(nullptr, capacity, overtake_max)));
      model_.pools.push_back({.total = capacity, .overtake_max = overtake_max, .cordoned = {}, .quotas = {}});
    }
    numbers_.push_back(PoolClient::number(client_.create_units("u", {"a", "b", "c"}, 3)));
    model_.pools.push_back({.is_units = true, .total = 3, .overtake_max = 3, .cordoned = {}, .quotas = {}});
    for (const std::uint32_t q : {1U, 2U}) {
      if (!client_.queue(q, q == 1 ? pool::Strategy::STRICT : pool::Strategy::BEST_EFFORT, q, 50).ok())
        return "SetQueue";
      model_.queues[q] = {q == 1, q};
    }
    if (!client_.queue(0, pool::Strategy::BEST_EFFORT, 1, 50).ok()) return "SetQueue 0";
    return {};
  }

  std::string step(const Op& op) {
    switch (op[0] % 16) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
      case 5:
        return acquire(op);
      case 6:
      case 7:
      case 8:
        return release(op);
      case 9:
        return collect_or_cancel(op);
      case 10:
        return renew_or_preempt(op);
      case 11:
        return wait_a_while(op);
      case 12:
        return resize_or_cordon(op);
      case 13:
        return set_quota(op);
      case 14:
        return op[1] % 2 == 0 ? set_queue(op) : holder_gone(op);
      default:
        done_ = "swap";
        return around_.swap();
    }
  }

  std::string acquire(const Op& op) {
    Ask ask;
    ModelWants wants;
    for (std::size_t p = 0; p < 3; ++p) {
      const std::uint64_t amount = op[1 + p] / 16U % (p == 0 ? 7 : 5 - p);
      if (p != op[4] % 3U && (op[1 + p] & 8) == 0) continue;  // mostly one pool
      if (amount != 0) wants[p] = amount;
    }
    if (wants.empty()) wants[op[4] % 3U] = 1;
    for (const auto& [p, amount] : wants) ask.wants.emplace_back(numbers_[p], amount);
    ask.holder = 1 + op[5] % 4;
    ask.epoch = ++epoch_;  // its own life, so that who is gone may ask again
    ask.queue = op[5] / 4 % 3;
    ask.priority = op[6] % 3;
    ask.mode = op[6] % 8 == 7 ? pool::Mode::TRY : pool::Mode::TICKET;
    ask.ttl_ns = op[7] % 4 == 0 ? 64 : 0;
    ask.max_wait_ns = op[7] % 8 == 1 ? 100 : 0;
    done_ = "acquire by " + std::to_string(ask.queue);
    const Said answer = client_.acquire(ask);
    if (model_.is_hopeless(ask.queue, wants)) return answer.is(pool::Refusal::NEVER_FITS) ? "" : "it can never fit";
    const std::pair<std::int64_t, std::uint64_t> rank{static_cast<std::int64_t>(model_.now_ns) - 50 * ask.priority,
                                                      model_.next_serial};
    if (const auto victims = model_.fits(ask.queue, rank, wants)) {
      model_.grant(ask.holder, ask.queue, wants, ask.ttl_ns, rank, *victims);
      const std::uint64_t token = model_.next_token - 1;
      model_.dispatch();
      ++granted;
      return answer.token() == token ? "" : "it should be granted with token " + std::to_string(token);
    }
    if (ask.mode == pool::Mode::TRY) return answer.denied() == pool::Why::BUSY ? "" : "it should be denied";
    if (answer.wait() == 0) return "it should wait";
    ++queued;
    ModelWaiter waiter;
    waiter.wait = answer.wait();
    waiter.key = rank.first;
    waiter.serial = model_.next_serial++;
    waiter.holder = ask.holder;
    waiter.queue = ask.queue;
    waiter.wants = wants;
    for (const auto& [p, _] : wants) waiter.skips[p] = 0;
    waiter.ttl_ns = ask.ttl_ns;
    waiter.give_up_ns = ask.max_wait_ns == 0 ? 0 : model_.now_ns + ask.max_wait_ns;
    model_.waiters.push_back(waiter);
    model_.dispatch();
    return {};
  }

  std::string release(const Op& op) {
    done_ = "release";
    if (model_.leases.empty()) return {};
    const std::size_t which = op[1] % model_.leases.size();
    const ModelLease lease = model_.leases[which];
    const bool lies = op[2] % 8 == 0;
    const Said answer = client_.release(*lease.number, lease.token + lies, lease.holder);
    if (lies) return answer.is(pool::Refusal::STALE_TOKEN) ? "" : "a wrong token was taken";
    if (op[2] % 8 == 1) {
      if (!client_.release(*lease.number, lease.token, lease.holder).is(pool::Refusal::UNKNOWN_LEASE) &&
          !client_.release(*lease.number, lease.token, lease.holder).is(pool::Refusal::STALE_TOKEN)) {
        return "it was released twice";
      }
    }
    model_.leases.erase(model_.leases.begin() + static_cast<std::ptrdiff_t>(which));
    model_.dispatch();
    return answer.ok() ? "" : answer.text;
  }

  std::string collect_or_cancel(const Op& op) {
    if (op[1] % 3 == 0 && !model_.waiters.empty()) {
      done_ = "cancel";
      const ModelWaiter waiter = model_.waiters[op[2] % model_.waiters.size()];
      const Said answer = client_.cancel(waiter.wait, waiter.holder);
      model_.end(waiter.wait, std::nullopt);
      model_.dispatch();
      return answer.ok() ? "" : answer.text;
    }
    done_ = "collect";
    if (model_.ended.empty()) return {};
    auto ticket = model_.ended.begin();
    std::advance(ticket, op[2] % model_.ended.size());
    return collect(ticket->first);
  }

  // Its one ending, and nothing after it.
  std::string collect(std::uint64_t wait) {
    const std::optional<std::uint64_t> token = model_.ended.at(wait);
    model_.ended.erase(wait);
    for (std::uint64_t holder = 1; holder <= 4; ++holder) {
      const Said answer = client_.collect(wait, holder);
      if (answer.is(pool::Refusal::NOT_HOLDER)) continue;
      const bool is_there = std::any_of(model_.leases.begin(), model_.leases.end(),
                                        [&](const ModelLease& lease) { return token && lease.token == *token; });
      if (is_there ? answer.token() != *token : answer.denied() == pool::Why::NONE) return "another ending";
      ++collected;
      return client_.collect(wait, holder).is(pool::Refusal::UNKNOWN_WAIT) ? "" : "a second ending";
    }
    return "nobody's ticket";
  }

  std::string renew_or_preempt(const Op& op) {
    done_ = "renew or preempt";
    if (model_.leases.empty()) return {};
    ModelLease& lease = model_.leases[op[1] % model_.leases.size()];
    if (op[2] % 4 == 0) {
      const Said answer = client_.preempt(*lease.number, lease.token);
      const std::uint64_t token = lease.token;
      std::erase_if(model_.leases, [token](const ModelLease& l) { return l.token == token; });
      model_.dispatch();
      return answer.ok() ? "" : answer.text;
    }
    const Said answer = client_.renew(*lease.number, lease.token, 320, lease.holder);
    if (answer.as<pool::Renewed>() == nullptr) return answer.text;
    lease.ttl_ns = 320;
    lease.granted_ns = model_.now_ns;
    lease.expires_ns.reset();
    return {};
  }

  std::string wait_a_while(const Op& op) {
    done_ = "time passes";
    const std::uint64_t now_ns = model_.now_ns + op[1] % 64;
    std::string wrong = around_.feed(now_ns);
    model_.at(now_ns);
    return wrong;
  }

  std::string resize_or_cordon(const Op& op) {
    if (op[1] % 2 == 0) {
      done_ = "cordon";
      const std::uint32_t unit = op[2] % 3;
      const bool cordoned = op[3] % 2 == 0;
      if (!client_.cordon(numbers_[2], unit, cordoned).ok()) return "CordonUnit";
      if (cordoned) {
        model_.pools[2].cordoned.insert(unit);
      } else {
        model_.pools[2].cordoned.erase(unit);
      }
      model_.dispatch();
      return {};
    }
    done_ = "resize";
    ModelPool& pool = model_.pools[0];
    const std::uint64_t total = op[2] % 9;
    const bool revoke = op[3] % 2 == 0;
    std::uint64_t nominal = 0;
    for (const auto& [_, quota] : pool.quotas) nominal += quota.nominal;
    const Said answer = client_.resize(numbers_[0], total, revoke);
    if (total < nominal) return answer.is(pool::Refusal::QUOTA_TOO_LARGE) ? "" : "less than the quotas";
    if (total < model_.used(0) && !revoke) return answer.is(pool::Refusal::IN_USE) ? "" : "leases were in the way";
    while (model_.used(0) > total) {
      auto latest = model_.leases.end();
      while (!(--latest)->wants.contains(0)) {
      }
      model_.leases.erase(latest);
    }
    pool.total = total;
    model_.deny_hopeless();
    model_.dispatch();
    return answer.ok() ? "" : answer.text;
  }

  std::string set_quota(const Op& op) {
    const std::size_t p = op[1] % 3;
    const std::uint32_t queue = op[2] % 3;
    done_ = "quota of " + std::to_string(queue) + " at " + std::to_string(p);
    const ModelPool::Quota quota{op[3] % 5U, op[4] % 4 == 0 ? 100U : op[4] % 4U, op[5] % 4 == 0 ? 100U : op[5] % 4U};
    const Said answer = client_.quota(queue, numbers_[p], quota.nominal, quota.borrow, quota.lend);
    std::uint64_t sum = quota.nominal;
    for (const auto& [q, other] : model_.pools[p].quotas) sum += q == queue ? 0 : other.nominal;
    if (sum > model_.pools[p].total) return answer.is(pool::Refusal::QUOTA_TOO_LARGE) ? "" : "more than there is";
    model_.pools[p].has_quotas = true;
    model_.pools[p].quotas[queue] = quota;
    model_.deny_hopeless();
    model_.dispatch();
    return answer.ok() ? "" : answer.text;
  }

  std::string set_queue(const Op& op) {
    done_ = "queue";
    const std::uint32_t queue = op[2] % 3;
    model_.queues[queue] = {op[3] % 2 == 0, 1 + op[4] % 3U};
    const auto strategy = op[3] % 2 == 0 ? pool::Strategy::STRICT : pool::Strategy::BEST_EFFORT;
    const Said answer = client_.queue(queue, strategy, 1 + op[4] % 3U, 50);
    model_.dispatch();
    return answer.ok() ? "" : answer.text;
  }

  std::string holder_gone(const Op& op) {
    done_ = "a holder dies";
    const std::uint64_t holder = 1 + op[2] % 4;
    const Said answer = client_.gone(holder, epoch_);
    const auto is_its = [holder](const auto& one) { return one.holder == holder; };
    const auto leases = std::erase_if(model_.leases, is_its);
    const auto waiters = std::erase_if(model_.waiters, is_its);
    for (auto ticket = model_.ended.begin(); ticket != model_.ended.end();) {
      const bool forgotten = client_.collect(ticket->first, holder).is(pool::Refusal::UNKNOWN_WAIT);
      ticket = forgotten ? model_.ended.erase(ticket) : std::next(ticket);
    }
    model_.dispatch();
    const auto* reclaimed = answer.as<pool::Reclaimed>();
    return reclaimed != nullptr && reclaimed->leases() == leases && reclaimed->waiters() == waiters ? "" : "its things";
  }

  std::string compare() {
    const Said leases = client_.leases();
    const auto* all = leases.as<pool::Leases>();
    if (all == nullptr || all->leases()->size() != model_.leases.size()) {
      return "the model has " + std::to_string(model_.leases.size()) + " leases, the pit " +
             std::to_string(all == nullptr ? 0 : all->leases()->size());
    }
    for (const auto* theirs : *all->leases()) {
      const auto ours = std::find_if(model_.leases.begin(), model_.leases.end(),
                                     [&](const ModelLease& lease) { return lease.token == theirs->token(); });
      if (ours == model_.leases.end()) return "a lease with token " + std::to_string(theirs->token());
      if (std::string wrong = compare(*ours, *theirs); !wrong.empty()) return wrong;
    }
    const Said waiters = client_.waiters();
    const auto* waiting = waiters.as<pool::Waiters>();
    if (waiting == nullptr || waiting->waiters()->size() != model_.waiters.size()) return "how many wait";
    for (const auto* theirs : *waiting->waiters()) {
      const auto ours = std::find_if(model_.waiters.begin(), model_.waiters.end(),
                                     [&](const ModelWaiter& waiter) { return waiter.wait == theirs->wait(); });
      if (ours == model_.waiters.end()) return "who waits";
      std::size_t before = 0;
      for (const ModelWaiter& other : model_.waiters)
        before += other.queue == ours->queue && other.rank() < ours->rank();
      if (theirs->position() != before) return "a position";
      for (std::uint32_t i = 0; i < theirs->wants()->size(); ++i) {
        const std::size_t p = place(theirs->wants()->Get(i)->pool());
        if (theirs->skips()->Get(i) != ours->skips.at(p)) return "how often one was overtaken";
      }
    }
    for (std::size_t p = 0; p < numbers_.size(); ++p) {
      const Said described = client_.describe(numbers_[p]);
      const auto* info = described.as<pool::PoolInfo>();
      if (info == nullptr || info->free() != model_.free(p) || info->used() != model_.used(p)) {
        return "what is free of pool " + std::to_string(p);
      }
      if (info->free() + info->used() > info->capacity()) return "more than there is";
    }
    return {};
  }

  std::string compare(ModelLease& ours, const pool::LeaseInfo& theirs) {
    if (theirs.holder() != ours.holder || theirs.queue() != ours.queue) return "whose a lease is";
    ModelWants wants;
    for (const auto* want : *theirs.wants()) wants[place(want->pool())] = want->amount();
    if (wants != ours.wants) return "what a lease has";
    std::set<std::uint32_t> units;
    for (std::uint32_t i = 0; theirs.units() != nullptr && i < theirs.units()->size(); ++i) {
      units.insert(theirs.units()->Get(i));
    }
    if (units != (ours.units.contains(2) ? ours.units.at(2) : std::set<std::uint32_t>())) return "a lease's units";
    if (!ours.expires_ns) {
      const std::uint64_t least = ours.ttl_ns == 0 ? 0 : ours.granted_ns + ours.ttl_ns;
      if (theirs.expires_ns() < least || theirs.expires_ns() > least + ours.ttl_ns / 32) return "when a lease expires";
      ours.expires_ns = theirs.expires_ns();
    }
    if (theirs.expires_ns() != *ours.expires_ns) return "a lease expires at another time";
    ours.number = theirs.lease();
    return {};
  }

  // Every holder dies: nothing is left and everything is free.
  std::string finish() {
    done_ = "the end";
    for (auto ticket = model_.ended; const auto& [wait, _] : ticket) {
      if (std::string wrong = collect(wait); !wrong.empty()) return "at the end: " + wrong;
    }
    for (std::uint64_t holder = 1; holder <= 4; ++holder) (void)client_.gone(holder, epoch_ + 1);
    for (std::size_t p = 0; p < numbers_.size(); ++p) {
      const Said described = client_.describe(numbers_[p]);
      if (described.as<pool::PoolInfo>()->free() + model_.pools[p].cordoned.size() != model_.pools[p].total) {
        return "something is lost of pool " + std::to_string(p);
      }
    }
    return {};
  }

  [[nodiscard]] std::size_t place(std::uint32_t number) const {
    return static_cast<std::size_t>(std::find(numbers_.begin(), numbers_.end(), number) - numbers_.begin());
  }

  PoolClient& client_;
  Surroundings around_;
  Model model_;
  std::vector<std::uint32_t> numbers_;
  std::uint32_t epoch_ = 0;
  std::string done_;
};

}  // namespace symphony::pit::pools::testing
