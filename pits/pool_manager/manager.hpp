// All pools, queues, leases and waiters of one instance, and the rules between them.   Layer: pits/pool_manager.
//
// The rules, in short:
//   - A request names amounts of one or more pools and gets all of them or nothing.
//   - Waiters are ranked by when they came minus priority x ageing. A waiter is granted as soon as it fits and nothing
//     holds it back: in a strict queue each but the first is held back; in any, who would overtake a waiter that was
//     overtaken `overtake_max` times at one of its pools and whose own quota has room.
//   - Of several that could be granted, the queue with the least dominant share of the pools by weight goes first, in
//   it
//     the first by rank.
//   - A request within its queue's nominal quota at all its pools takes back what others borrowed: their latest leases
//     end. It is no overtaking and is not held back by one.
// Between two operations: no waiter could be granted (unless the table of leases is full), each waiter that is not held
// back by a strict queue is shown in the line of one pool where it lacks something, and nowhere else.
// Threads: one at a time. Answers and events pile up in outbox() for whoever calls.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "pits/parts/state_io.hpp"
#include "pits/pool_manager/deadlines.hpp"
#include "pits/pool_manager/lease.hpp"
#include "pits/pool_manager/outbox.hpp"
#include "pits/pool_manager/place_set.hpp"
#include "pits/pool_manager/pool.hpp"
#include "pits/pool_manager/slots.hpp"
#include "pits/pool_manager/verdict.hpp"

namespace symphony::pit::pools {

enum class Strategy : std::uint8_t { best_effort = 0, strict = 1 };

struct QueueOptions {
  Strategy strategy = Strategy::best_effort;
  std::uint32_t weight = 1;
  std::uint64_t ageing_ns = 1'000'000'000;  // so long a wait is worth one step of priority
};

struct Queue {
  bool exists = false;
  QueueOptions options;
  Line order = 0;  // all its waiters
};

// What became of an acquire or of a ticket. `lease` is no_place unless it was granted; `wait` is 0 unless it waits.
struct Decision {
  std::uint32_t lease = no_place;
  std::uint64_t wait = 0;
  Why why = Why::none;
  std::uint32_t position = 0;
};

class Manager {
 public:
  static constexpr std::uint64_t magic = 0x6E61'4D6C'6F6F'5053;  // "SPoolMan"
  static constexpr std::uint32_t state_revision = 1;

  explicit Manager(const Limits& limits = {});

  // ---- time (manager.cpp): first thing in each call. Ends what is due by `now_ns`. Where the clock stands before the
  // last call's, it began anew, and deadlines keep what was left of them.
  void at(std::uint64_t now_ns);
  [[nodiscard]] std::uint64_t next_deadline_ns() const noexcept { return deadlines_.next_ns(); }

  // ---- pools (pools.cpp)
  Verdict create_pool(std::string_view name, Kind kind, std::uint64_t capacity,
                      const std::vector<std::string_view>& units, const PoolOptions& options, std::uint64_t fence,
                      std::uint32_t* place);
  // `revoke`: leases that are in the way end, the latest first; without it they are a reason to refuse.
  Verdict resize(std::uint32_t place, std::uint64_t capacity, bool revoke);
  Verdict erase_pool(std::uint32_t place, bool revoke);
  Verdict add_unit(std::uint32_t place, std::string_view name, std::uint32_t* unit);
  Verdict remove_unit(std::uint32_t place, std::uint32_t unit, bool revoke);
  // A cordoned unit is not leased any more; a lease of it goes on.
  Verdict cordon(std::uint32_t place, std::uint32_t unit, bool cordoned, std::string_view reason);
  Verdict set_queue(std::uint32_t queue, const QueueOptions& options);
  Verdict set_quota(std::uint32_t queue, std::uint32_t place, const Quota& quota);

  // ---- leases (leases.cpp)
  Verdict acquire(const Request& request, Decision* out);
  Verdict release(std::uint32_t lease, std::uint64_t token, std::uint64_t holder);
  Verdict renew(std::uint32_t lease, std::uint64_t token, std::uint64_t holder, std::uint64_t ttl_ns);
  Verdict preempt(std::uint32_t lease, std::uint64_t token, std::uint64_t grace_ns);
  Verdict cancel(std::uint64_t wait, std::uint64_t holder);
  // Of a ticket: granted, denied or still waiting. An ending is given once.
  Verdict collect(std::uint64_t wait, std::uint64_t holder, Decision* out);
  // The holder is gone with this epoch and those before; what it asks in them from now on is refused.
  void holder_gone(const Holder& holder, std::uint32_t* leases, std::uint32_t* waiters);
  // The answer to a waiter found nobody: the lease that it was given ends.
  void unheard(std::uint32_t lease);

  // ---- looking
  [[nodiscard]] std::uint32_t place_of(std::uint32_t number) const noexcept;  // no_place: no such pool
  [[nodiscard]] std::uint32_t place_of(std::string_view name) const noexcept;
  [[nodiscard]] const Pool& pool(std::uint32_t place) const noexcept { return *pools_[place]; }
  [[nodiscard]] const Slots<Lease>& leases() const noexcept { return leases_; }
  [[nodiscard]] const Slots<Waiter>& waiters() const noexcept { return waiters_; }
  [[nodiscard]] std::uint32_t waiting() const noexcept { return waiting_; }
  [[nodiscard]] const Limits& limits() const noexcept { return limits_; }
  [[nodiscard]] std::uint64_t now_ns() const noexcept { return now_ns_; }
  [[nodiscard]] std::uint64_t wait_of(std::uint32_t waiter) const noexcept {
    return waiters_[waiter].rank.serial << 16 | waiter;
  }
  // The place of a waiter or of an ended ticket; no_place: no such wait.
  [[nodiscard]] std::uint32_t waiter_of(std::uint64_t wait) const noexcept;
  [[nodiscard]] std::uint32_t position(const Waiter& waiter) const noexcept {
    return lines_.before(queues_[waiter.queue].order, waiter.rank);
  }
  [[nodiscard]] std::uint64_t first_of(std::uint32_t queue) const noexcept {  // its wait; 0: nobody waits
    const Line order = queues_[queue].order;
    return order == 0 ? 0 : wait_of(lines_.waiter(lines_.first(order)));
  }
  [[nodiscard]] std::uint32_t skips(const Waiter& waiter, std::uint32_t want) const noexcept;
  // Why this want is not granted; NONE: it is not what the waiter lacks.
  enum class Lack : std::uint8_t { none = 0, room = 1, quota = 2, reservation = 3, order = 4 };
  [[nodiscard]] Lack lack(const Waiter& waiter, std::uint32_t want) const noexcept;
  // When expiring leases will have left enough for that want if nobody gives any back before; 0: not by that.
  [[nodiscard]] std::uint64_t eta_ns(const Waiter& waiter, std::uint32_t want) const;

  [[nodiscard]] Outbox& outbox() noexcept { return outbox_; }

  // ---- keeping (state.cpp): equal states save as equal bytes.
  [[nodiscard]] bool save(parts::StateWriter& to) const;
  // Into a new manager. False when the bytes are no state within its limits; it is then of no use.
  [[nodiscard]] bool load(parts::StateReader& from);

 private:
  void set_back(std::uint64_t now_ns);

  // leases.cpp
  [[nodiscard]] Verdict check(const Request& request) const noexcept;
  [[nodiscard]] bool is_gone(const Holder& holder) const noexcept;
  [[nodiscard]] Verdict find_lease(std::uint32_t lease, std::uint64_t token) const noexcept;
  void bury(const Holder& holder);
  std::uint32_t grant(const Holder& holder, std::uint32_t queue, const Wants& wants, std::uint64_t ttl_ns,
                      std::string_view tag, Rank rank);
  void set_expiry(std::uint32_t lease, std::uint64_t ttl_ns);
  void arm(std::uint32_t lease);
  void end_lease(std::uint32_t lease);
  void revoke(std::uint32_t lease, Why why);

  // waiters.cpp
  void enqueue(const Request& request, Rank rank, Decision* out);
  void place(std::uint32_t waiter, const std::uint32_t* skips);
  void unplace(std::uint32_t waiter);
  void show(std::uint32_t waiter, std::uint32_t want);
  void expose(std::uint32_t waiter);
  void hide(std::uint32_t waiter);
  void expose_queue(std::uint32_t queue);
  void end_wait(std::uint32_t waiter, Why why, std::uint32_t lease);
  void drop_ticket(std::uint32_t waiter);
  [[nodiscard]] std::uint32_t take_waiter();
  void deny_hopeless();

  // dispatch.cpp
  void touch(std::uint32_t place) noexcept;
  void dispatch();
  [[nodiscard]] std::uint32_t candidate(std::uint32_t place, std::uint32_t queue);
  [[nodiscard]] std::uint32_t best_of(std::uint32_t place);
  [[nodiscard]] bool goes_before(std::uint32_t waiter, std::uint32_t other) const noexcept;
  [[nodiscard]] double load(std::uint32_t queue) const noexcept;
  // The first want that keeps a request from being granted, that one if it does; no_place: victims_ are to end and it
  // can.
  [[nodiscard]] std::uint32_t blocked_at(std::uint32_t queue, Rank rank, const Wants& wants, std::uint32_t first);
  [[nodiscard]] bool is_behind_head(std::uint32_t queue, Rank rank) const noexcept;
  [[nodiscard]] bool is_held_back(std::uint32_t place, Rank rank) const noexcept;
  [[nodiscard]] bool is_within_cap(const Waiter& waiter) const noexcept;
  [[nodiscard]] bool is_own(std::uint32_t queue, const Wants& wants) const noexcept;
  [[nodiscard]] bool is_hopeless(std::uint32_t queue, const Wants& wants) const noexcept;

  // preempt.cpp
  [[nodiscard]] std::uint32_t plan_victims(std::uint32_t queue, const Wants& wants);
  [[nodiscard]] std::vector<std::uint32_t> borrowed_leases(std::uint32_t place, std::uint32_t but_of) const;
  [[nodiscard]] std::uint64_t usable(const Lease& lease, std::uint32_t place) const noexcept;
  [[nodiscard]] std::vector<std::uint32_t> latest_leases(std::uint32_t place) const;

  // state.cpp
  [[nodiscard]] bool load_queues(parts::StateReader& from);
  [[nodiscard]] bool load_pools(parts::StateReader& from);
  [[nodiscard]] bool load_leases(parts::StateReader& from);
  [[nodiscard]] bool load_waiters(parts::StateReader& from);

  struct Grave {
    Holder holder;
    std::uint64_t order = 0;
  };

  Limits limits_;
  std::uint64_t now_ns_ = 0;
  std::uint64_t next_token_ = 1;
  std::uint64_t next_serial_ = 1;  // of waiters, endings and graves
  std::uint64_t last_reply_ = 0;   // the latest request that was left open
  std::uint32_t pools_made_ = 0;
  std::uint32_t pool_count_ = 0;
  std::uint32_t units_ = 0;    // of all pools
  std::uint32_t waiting_ = 0;  // without ended tickets
  std::uint32_t replies_ = 0;
  bool has_quotas_ = false;

  std::vector<std::unique_ptr<Pool>> pools_;  // by place
  std::vector<Queue> queues_;                 // by number; each pool has as many shares
  Slots<Lease> leases_;
  Slots<Waiter> waiters_;
  std::vector<Grave> graves_;  // by holder
  Lines lines_;
  Deadlines deadlines_;  // of leases 2 x place, of waiters 2 x place + 1
  PlaceSet dirty_;       // pools where somebody may fit who did not before
  std::vector<std::uint32_t> victims_;
  Outbox outbox_;
};

}  // namespace symphony::pit::pools
