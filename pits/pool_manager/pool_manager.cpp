// PoolManager: the pools of manager.hpp behind the messages of schemas/pool_manager.fbs.   Layer: pits/pool_manager.
//
// Only translation happens here: a message in, a call, a reply or a refusal with its text; then what the call left in
// the outbox. A request that waits is left open and answered when it is its turn. When nobody hears that answer, the
// lease goes on to the next at once. One timer is armed, for the earliest deadline.
// Threads: serial, as the contract says.
#include <symphony/pit.hpp>

#include <algorithm>
#include <utility>

#include "pits/parts/fields.hpp"
#include "pits/parts/state_host.hpp"
#include "pits/pool_manager/manager.hpp"
#include "pits/pool_manager/replies.hpp"
#include "pool_manager_generated.h"

namespace symphony::pit::pools {
namespace {

using parts::text_of;

template <class Ours, class Theirs>
constexpr bool same(Ours a, Theirs b) {
  return static_cast<std::int64_t>(a) == static_cast<std::int64_t>(b);
}
static_assert(same(Refusal::no_such_pool, pool::Refusal::NO_SUCH_POOL) &&
              same(Refusal::no_such_queue, pool::Refusal::NO_SUCH_QUEUE) &&
              same(Refusal::no_such_unit, pool::Refusal::NO_SUCH_UNIT) &&
              same(Refusal::unknown_lease, pool::Refusal::UNKNOWN_LEASE) &&
              same(Refusal::stale_token, pool::Refusal::STALE_TOKEN) &&
              same(Refusal::not_holder, pool::Refusal::NOT_HOLDER) &&
              same(Refusal::unknown_wait, pool::Refusal::UNKNOWN_WAIT) &&
              same(Refusal::never_fits, pool::Refusal::NEVER_FITS) &&
              same(Refusal::zero_amount, pool::Refusal::ZERO_AMOUNT) &&
              same(Refusal::duplicate_pool, pool::Refusal::DUPLICATE_POOL) &&
              same(Refusal::amount_too_large, pool::Refusal::AMOUNT_TOO_LARGE) &&
              same(Refusal::limit, pool::Refusal::LIMIT) && same(Refusal::name_taken, pool::Refusal::NAME_TAKEN) &&
              same(Refusal::in_use, pool::Refusal::IN_USE) && same(Refusal::holder_gone, pool::Refusal::HOLDER_GONE) &&
              same(Refusal::quota_too_large, pool::Refusal::QUOTA_TOO_LARGE) &&
              same(Refusal::wrong_kind, pool::Refusal::WRONG_KIND) &&
              same(Refusal::bad_argument, pool::Refusal::BAD_ARGUMENT));
static_assert(same(Why::busy, pool::Why::BUSY) && same(Why::timed_out, pool::Why::TIMED_OUT) &&
              same(Why::cancelled, pool::Why::CANCELLED) && same(Why::holder_died, pool::Why::HOLDER_DIED) &&
              same(Why::pool_deleted, pool::Why::POOL_DELETED) && same(Why::never_fits, pool::Why::NEVER_FITS) &&
              same(Why::expired, pool::Why::EXPIRED) && same(Why::preempted, pool::Why::PREEMPTED) &&
              same(Why::shrunk, pool::Why::SHRUNK) && same(Why::unheard, pool::Why::UNHEARD));
static_assert(same(Kind::units, pool::Kind::UNITS) && same(Strategy::strict, pool::Strategy::STRICT) &&
              same(Mode::wait, pool::Mode::WAIT) && same(Mode::ticket, pool::Mode::TICKET) &&
              same(Manager::Lack::room, pool::Lack::ROOM) && same(Manager::Lack::quota, pool::Lack::QUOTA) &&
              same(Manager::Lack::reservation, pool::Lack::RESERVATION) &&
              same(Manager::Lack::order, pool::Lack::ORDER));

constexpr std::uint64_t timer_id = 1;

Status status_of(const Verdict& verdict) noexcept { return {static_cast<std::int32_t>(verdict.refusal), verdict.text}; }

Status refuse(Refusal refusal, std::string_view text) noexcept { return {static_cast<std::int32_t>(refusal), text}; }

}  // namespace

class PoolManager {
 public:
  static constexpr std::uint32_t reply_size_max = 262'144;
  static constexpr std::uint32_t state_revision = Manager::state_revision;

  // ---- pools ----
  Status on(In<pool::CreatePool> m, Ctx& ctx) {
    begin(ctx);
    names_.clear();
    for (std::uint32_t i = 0; m->units() != nullptr && i < m->units()->size(); ++i) {
      names_.push_back(text_of(m->units()->Get(i)));
    }
    if (m->kind() > pool::Kind::MAX) return refuse(Refusal::bad_argument, "no such kind; use AMOUNT or UNITS");
    std::uint32_t place = no_place;
    const Verdict made = manager_.create_pool(text_of(m->name()), static_cast<Kind>(m->kind()), m->capacity(), names_,
                                              {m->ttl_ns(), m->leak_after_ns(), m->overtake_max()}, m->fence(), &place);
    return made.ok() ? info(place, ctx) : status_of(made);
  }
  Status on(In<pool::FindPool> m, Ctx& ctx) {
    const std::uint32_t place = manager_.place_of(text_of(m->name()));
    if (place == no_place) return refuse(Refusal::no_such_pool, "no pool has this name; make one with CreatePool");
    return ctx.reply(pool_info(ctx.builder(), manager_, place));
  }
  Status on(In<pool::DescribePool> m, Ctx& ctx) {
    return with(m->pool(), ctx, [&](std::uint32_t p) { return ctx.reply(pool_info(ctx.builder(), manager_, p)); });
  }
  Status on(In<pool::ListUnits> m, Ctx& ctx) {
    return with(m->pool(), ctx, [&](std::uint32_t p) {
      return ctx.reply(units(ctx.builder(), manager_, manager_.pool(p), m->first()));
    });
  }
  Status on(In<pool::ResizePool> m, Ctx& ctx) {
    return change(
        m->pool(), ctx, [&](std::uint32_t p) { return manager_.resize(p, m->capacity(), m->revoke()); },
        [&](std::uint32_t p) { return info(p, ctx); });
  }
  Status on(In<pool::DeletePool> m, Ctx& ctx) {
    return change(
        m->pool(), ctx, [&](std::uint32_t p) { return manager_.erase_pool(p, m->revoke()); },
        [&](std::uint32_t) { return done(ctx); });
  }
  Status on(In<pool::AddUnit> m, Ctx& ctx) {
    std::uint32_t unit = 0;
    return change(
        m->pool(), ctx, [&](std::uint32_t p) { return manager_.add_unit(p, text_of(m->name()), &unit); },
        [&](std::uint32_t p) { return unit_of(p, unit, ctx); });
  }
  Status on(In<pool::RemoveUnit> m, Ctx& ctx) {
    return change(
        m->pool(), ctx, [&](std::uint32_t p) { return manager_.remove_unit(p, m->unit(), m->revoke()); },
        [&](std::uint32_t) { return done(ctx); });
  }
  Status on(In<pool::CordonUnit> m, Ctx& ctx) {
    return change(
        m->pool(), ctx,
        [&](std::uint32_t p) { return manager_.cordon(p, m->unit(), m->cordoned(), text_of(m->reason())); },
        [&](std::uint32_t p) { return unit_of(p, m->unit(), ctx); });
  }
  Status on(In<pool::SetQueue> m, Ctx& ctx) {
    if (m->strategy() > pool::Strategy::MAX) {
      return refuse(Refusal::bad_argument, "no such strategy; use BEST_EFFORT or STRICT");
    }
    begin(ctx);
    return ended(manager_.set_queue(m->queue(), {static_cast<Strategy>(m->strategy()), m->weight(), m->ageing_ns()}),
                 ctx);
  }
  Status on(In<pool::SetQuota> m, Ctx& ctx) {
    const Quota quota{m->nominal(), m->borrow_limit(), m->lend_limit()};
    return change(
        m->pool(), ctx, [&](std::uint32_t p) { return manager_.set_quota(m->queue(), p, quota); },
        [&](std::uint32_t p) { return info(p, ctx); });
  }

  // ---- leases ----
  Status on(In<pool::Acquire> m, Ctx& ctx) {
    begin(ctx);
    const pool::AcquireBody& body = *m->body();
    if (body.mode() > pool::Mode::MAX) return refuse(Refusal::bad_argument, "no such mode; use TRY, WAIT or TICKET");
    const std::uint32_t more = parts::count_of(m->more());
    if (more >= manager_.limits().wants) {
      return refuse(Refusal::limit, "too many pools in one request; ask for 16 at most");
    }
    wants_.clear();
    std::uint32_t unknown = 0;
    const auto want = [&](std::uint32_t number, std::uint64_t amount) {
      wants_.push_back({manager_.place_of(number), amount});
      if (wants_.back().pool == no_place && unknown == 0) unknown = number;
      return wants_.back().pool != no_place;
    };
    bool known = want(body.pool(), body.amount());
    for (std::uint32_t i = 0; i < more; ++i) {
      const pool::Want one = parts::struct_at(m->more(), i);
      known = want(one.pool(), one.amount()) && known;
    }
    if (!known) return no_such_pool(ctx, unknown);

    Request& request = request_;
    request.wants.assign(wants_.data(), wants_.size());
    request.holder = {body.holder(), body.epoch()};
    request.queue = body.queue();
    request.priority = body.priority();
    request.mode = static_cast<Mode>(body.mode());
    request.ttl_ns = body.ttl_ns();
    request.give_up_ns = give_up_ns(body, ctx);
    request.reply_to = ctx.request();
    request.tag = text_of(m->tag());
    Decision decision;
    const Verdict verdict = manager_.acquire(request, &decision);
    if (!verdict.ok()) return status_of(verdict);
    if (decision.wait == 0 || request.mode != Mode::wait) return decided(decision, ctx);
    // Whom it let through by coming may be itself: then the request is not left open.
    std::vector<Answer>& answers = manager_.outbox().answers;
    const auto own = std::find_if(answers.begin(), answers.end(),
                                  [&](const Answer& answer) { return answer.reply_to == request.reply_to; });
    if (own == answers.end()) {
      finish(ctx);
      return ctx.later();
    }
    const Answer answer = *own;
    answers.erase(own);
    return decided({.lease = answer.lease, .why = answer.why}, ctx, answer.wait);
  }
  Status on(In<pool::Release> m, Ctx& ctx) {
    begin(ctx);
    const pool::LeaseRef& of = *m->body();
    return ended(manager_.release(of.lease(), of.token(), of.holder()), ctx);
  }
  Status on(In<pool::Renew> m, Ctx& ctx) {
    begin(ctx);
    const pool::LeaseRef& of = *m->body();
    const Verdict renewed = manager_.renew(of.lease(), of.token(), of.holder(), m->ttl_ns());
    if (!renewed.ok()) return status_of(renewed);
    const std::uint64_t expires_ns = manager_.leases()[of.lease()].expires_ns;
    finish(ctx);
    return ctx.reply(pool::CreateRenewed(ctx.builder(), expires_ns));
  }
  Status on(In<pool::Preempt> m, Ctx& ctx) {
    begin(ctx);
    return ended(manager_.preempt(m->lease(), m->token(), m->grace_ns()), ctx);
  }
  Status on(In<pool::Collect> m, Ctx& ctx) {
    begin(ctx);
    Decision decision;
    const Verdict collected = manager_.collect(m->wait(), m->holder(), &decision);
    if (!collected.ok()) return status_of(collected);
    return decided(decision, ctx, m->wait());
  }
  Status on(In<pool::CancelWait> m, Ctx& ctx) {
    begin(ctx);
    return ended(manager_.cancel(m->wait(), m->holder()), ctx);
  }
  Status on(In<pool::HolderGone> m, Ctx& ctx) {
    begin(ctx);
    std::uint32_t leases = 0;
    std::uint32_t waiters = 0;
    manager_.holder_gone({m->holder(), m->epoch()}, &leases, &waiters);
    finish(ctx);
    return ctx.reply(pool::CreateReclaimed(ctx.builder(), leases, waiters));
  }

  // ---- looking ----
  Status on(In<pool::ListLeases> m, Ctx& ctx) {
    return ctx.reply(leases(ctx.builder(), manager_, ctx.now_ns(), m->first()));
  }
  Status on(In<pool::ListWaiters> m, Ctx& ctx) {
    return ctx.reply(waiters(ctx.builder(), manager_, ctx.now_ns(), m->first()));
  }
  Status on(In<pool::Explain> m, Ctx& ctx) {
    const std::uint32_t waiter = manager_.waiter_of(m->wait());
    if (waiter == no_place || manager_.waiters()[waiter].ended) {
      return refuse(Refusal::unknown_wait, "nobody waits under this number; it was granted or ended before");
    }
    return ctx.reply(explained(ctx.builder(), manager_, ctx.now_ns(), waiter));
  }

  // ---- time and keeping ----
  Status start(Ctx& ctx) {
    // Deadlines of a restored state are looked at by the first message or timer, at its own time: a host that replays
    // feeds older times than now.
    if (ctx.now_ns() < manager_.now_ns()) manager_.at(ctx.now_ns());
    armed_ns_ = Deadlines::never;
    finish(ctx);
    return ok();
  }
  Status on_timer(std::uint64_t, Ctx& ctx) {
    armed_ns_ = Deadlines::never;
    begin(ctx);
    return ok();
  }
  Status snapshot(Sink out) const {
    parts::SinkWriter writer(out);
    if (manager_.save(writer)) return ok();
    return out.status().ok() ? fail(SYMPHONY_INTERNAL, "the snapshot was not written") : out.status();
  }
  Status restore(Source in, std::uint32_t) {
    parts::SourceReader reader(in);
    Manager fresh;
    if (fresh.load(reader)) {
      manager_ = std::move(fresh);
      return ok();
    }
    if (!in.status().ok()) return in.status();
    return fail(SYMPHONY_BAD_MESSAGE, "these bytes are no whole PoolManager snapshot; use an older one or begin anew");
  }

 private:
  void begin(Ctx& ctx) {
    manager_.at(ctx.now_ns());
    finish(ctx);
  }

  // After each call that may have changed something, and before its own reply: both use the builder.
  void finish(Ctx& ctx) {
    Outbox& outbox = manager_.outbox();
    for (std::size_t i = 0; i < outbox.answers.size(); ++i) {  // it may grow: a lease that is not heard goes on
      const Answer answer = outbox.answers[i];
      if (answer.lease == no_place) {
        (void)ctx.end(answer.reply_to, pool::CreateDenied(ctx.builder(), static_cast<pool::Why>(answer.why)));
      } else if (!ctx.end(answer.reply_to, granted(ctx.builder(), grant_of(manager_, answer.lease, answer.wait)))
                      .ok()) {
        manager_.unheard(answer.lease);
      }
    }
    outbox.answers.clear();
    for (const Event& event : outbox.events) publish(ctx, manager_, event);
    outbox.events.clear();
    if (const std::uint64_t next_ns = manager_.next_deadline_ns(); next_ns < armed_ns_) {
      if (ctx.set_timer(timer_id, next_ns).ok()) armed_ns_ = next_ns;  // a later one than needed is armed anew then
    }
  }

  Status done(Ctx& ctx) {
    finish(ctx);
    return ok();
  }
  Status ended(const Verdict& verdict, Ctx& ctx) { return verdict.ok() ? done(ctx) : status_of(verdict); }
  Status info(std::uint32_t place, Ctx& ctx) {
    finish(ctx);
    return ctx.reply(pool_info(ctx.builder(), manager_, place));
  }
  Status unit_of(std::uint32_t place, std::uint32_t unit, Ctx& ctx) {
    finish(ctx);
    return ctx.reply(unit_info(ctx.builder(), manager_, manager_.pool(place), unit));
  }
  Status decided(const Decision& decision, Ctx& ctx, std::uint64_t wait = 0) {
    if (decision.lease != no_place) {
      const Grant grant = grant_of(manager_, decision.lease, wait);
      finish(ctx);
      return ctx.reply(granted(ctx.builder(), grant));
    }
    finish(ctx);
    Builder& b = ctx.builder();
    if (decision.wait != 0) return ctx.reply(pool::CreateQueued(b, decision.wait, decision.position));
    return ctx.reply(pool::CreateDenied(b, static_cast<pool::Why>(decision.why), decision.position));
  }

  static Status no_such_pool(Ctx& ctx, std::uint32_t number) {
    return ctx.fail(static_cast<std::int32_t>(Refusal::no_such_pool), "no pool has the number ", number,
                    "; make one with CreatePool or look one up with FindPool");
  }
  template <class Look>
  Status with(std::uint32_t number, Ctx& ctx, Look&& look) {
    const std::uint32_t place = manager_.place_of(number);
    return place == no_place ? no_such_pool(ctx, number) : look(place);
  }
  template <class Change, class Answer>
  Status change(std::uint32_t number, Ctx& ctx, Change&& make, Answer&& answer) {
    begin(ctx);
    return with(number, ctx, [&](std::uint32_t place) {
      const Verdict verdict = make(place);
      return verdict.ok() ? answer(place) : status_of(verdict);
    });
  }

  // The earlier of what the request says and the call's own deadline, after which nobody hears the answer.
  std::uint64_t give_up_ns(const pool::AcquireBody& body, Ctx& ctx) const {
    const std::uint64_t longest_ns = std::min(body.max_wait_ns(), duration_max_ns);
    const std::uint64_t own_ns = longest_ns == 0 ? 0 : manager_.now_ns() + longest_ns;
    const std::uint64_t call_ns = body.mode() == pool::Mode::WAIT ? ctx.envelope()->deadline_ns : 0;
    if (own_ns == 0 || call_ns == 0) return own_ns + call_ns;
    return std::min(own_ns, call_ns);
  }

  Manager manager_;
  std::uint64_t armed_ns_ = Deadlines::never;
  Request request_;
  std::vector<Want> wants_;
  std::vector<std::string_view> names_;
};

SYMPHONY_PIT(PoolManager, pool_manager, "1.0.0", symphony::once<pool::CreatePool>, symphony::read<pool::FindPool>,
             symphony::read<pool::DescribePool>, symphony::idempotent<pool::ResizePool>,
             symphony::idempotent<pool::DeletePool>, symphony::once<pool::AddUnit>,
             symphony::idempotent<pool::RemoveUnit>, symphony::idempotent<pool::CordonUnit>,
             symphony::read<pool::ListUnits>, symphony::idempotent<pool::SetQueue>,
             symphony::idempotent<pool::SetQuota>, symphony::once<pool::Acquire>, symphony::idempotent<pool::Release>,
             symphony::idempotent<pool::Renew>, symphony::idempotent<pool::Preempt>, symphony::once<pool::Collect>,
             symphony::idempotent<pool::CancelWait>, symphony::idempotent<pool::HolderGone>,
             symphony::read<pool::ListLeases>, symphony::read<pool::ListWaiters>, symphony::read<pool::Explain>);

}  // namespace symphony::pit::pools
