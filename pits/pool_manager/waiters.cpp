// Who waits: in the lines, shown or hidden, and out of them again.   Layer: pits/pool_manager.
#include <utility>

#include "pits/pool_manager/manager.hpp"

namespace symphony::pit::pools {

void Manager::enqueue(const Request& request, Rank rank, Decision* out) {
  if (request.mode == Mode::wait) {
    // A host numbers a pit's requests upwards. When it begins anew, those that were open are nobody's any more.
    if (request.reply_to <= last_reply_) {
      for (std::uint32_t w = 0; w < waiters_.end(); ++w) {
        if (waiters_[w].rank.serial == 0 || waiters_[w].mode != Mode::wait) continue;
        waiters_[w].reply_to = 0;
        end_wait(w, Why::unheard, no_place);
      }
    }
    last_reply_ = request.reply_to;
    ++replies_;
  }
  const std::uint32_t place = take_waiter();
  Waiter& waiter = waiters_[place];
  waiter.rank = rank;
  waiter.holder = request.holder;
  waiter.queue = request.queue;
  waiter.priority = request.priority;
  waiter.mode = request.mode;
  waiter.wants = request.wants;
  waiter.ttl_ns = request.ttl_ns;
  waiter.give_up_ns = request.give_up_ns;
  waiter.since_ns = now_ns_;
  waiter.reply_to = request.reply_to;
  waiter.tag.assign(request.tag);
  ++next_serial_;
  this->place(place, nullptr);
  out->wait = wait_of(place);
  out->position = position(waiter);
}

// `skips`: how often it was overtaken at each of its pools; null: never.
void Manager::place(std::uint32_t place, const std::uint32_t* skips) {
  Waiter& waiter = waiters_[place];
  Queue& queue = queues_[waiter.queue];
  const std::uint32_t head = lines_.first(queue.order);
  waiter.nodes.clear();
  for (std::uint32_t i = 0; i < waiter.wants.size(); ++i) {
    Pool& pool = *pools_[waiter.wants[i].pool];
    Line& line = pool.shares[waiter.queue].line;
    waiter.nodes.push_back(lines_.insert(line, waiter.rank, place, skips == nullptr ? 0 : skips[i]));
    if (++pool.waiting == 1) {
      outbox_.events.push_back(
          {.kind = EventKind::pool_pressure, .value = pool.free, .pool = pool.number, .waiting = 1});
    }
  }
  waiter.queue_node = lines_.insert(queue.order, waiter.rank, place);
  ++waiting_;
  if (waiter.give_up_ns != 0) deadlines_.set(2 * place + 1, waiter.give_up_ns);
  if (queue.options.strategy == Strategy::strict) {
    if (lines_.first(queue.order) != waiter.queue_node) return;
    if (head != 0) hide(lines_.waiter(head));
  }
  expose(place);
}

void Manager::unplace(std::uint32_t place) {
  Waiter& waiter = waiters_[place];
  Queue& queue = queues_[waiter.queue];
  for (std::uint32_t i = 0; i < waiter.wants.size(); ++i) {
    Pool& pool = *pools_[waiter.wants[i].pool];
    lines_.erase(pool.shares[waiter.queue].line, waiter.nodes[i]);
    touch(waiter.wants[i].pool);  // what it reserved is free for those behind it
    if (--pool.waiting == 0) {
      outbox_.events.push_back({.kind = EventKind::pool_pressure, .value = pool.free, .pool = pool.number});
    }
  }
  lines_.erase(queue.order, waiter.queue_node);
  --waiting_;
  deadlines_.clear(2 * place + 1);
  const bool was_shown = std::exchange(waiter.shown, no_place) != no_place;
  if (was_shown && queue.options.strategy == Strategy::strict && queue.order != 0) {
    expose(lines_.waiter(lines_.first(queue.order)));
  }
}

void Manager::show(std::uint32_t place, std::uint32_t want) {
  Waiter& waiter = waiters_[place];
  const auto line = [&](std::uint32_t i) { return pools_[waiter.wants[i].pool]->shares[waiter.queue].line; };
  if (waiter.shown != no_place) lines_.show(line(waiter.shown), waiter.nodes[waiter.shown], Lines::hidden);
  waiter.shown = want;
  if (want != no_place) lines_.show(line(want), waiter.nodes[want], waiter.wants[want].amount);
}

void Manager::hide(std::uint32_t place) { show(place, no_place); }

void Manager::expose(std::uint32_t place) {
  const Waiter& waiter = waiters_[place];
  std::uint32_t want = blocked_at(waiter.queue, waiter.rank, waiter.wants, 0);
  if (want == no_place) want = 0;
  show(place, want);
  touch(waiter.wants[want].pool);
}

// After the strategy changed.
void Manager::expose_queue(std::uint32_t queue) {
  const bool is_strict = queues_[queue].options.strategy == Strategy::strict;
  for (std::uint32_t w = 0; w < waiters_.end(); ++w) {
    const Waiter& waiter = waiters_[w];
    if (waiter.rank.serial == 0 || waiter.ended || waiter.queue != queue) continue;
    if (is_strict && lines_.first(queues_[queue].order) != waiter.queue_node) {
      hide(w);
    } else {
      expose(w);
    }
  }
}

// Its one answer: a lease, or why not.
void Manager::end_wait(std::uint32_t place, Why why, std::uint32_t lease) {
  unplace(place);
  Waiter& waiter = waiters_[place];
  if (waiter.mode == Mode::wait) {
    if (waiter.reply_to != 0) {
      outbox_.answers.push_back({.reply_to = waiter.reply_to, .wait = wait_of(place), .lease = lease, .why = why});
    }
    --replies_;
    waiter = Waiter();
    waiters_.give(place);
    return;
  }
  waiter.ended = true;
  waiter.why = why;
  waiter.lease = lease;
  waiter.token = lease == no_place ? 0 : leases_[lease].token;
  waiter.ended_serial = next_serial_++;
  outbox_.events.push_back({.kind = EventKind::waiter_advanced,
                            .holder = waiter.holder,
                            .wait = wait_of(place),
                            .token = waiter.token,
                            .lease = lease,
                            .why = why});
}

void Manager::drop_ticket(std::uint32_t place) {
  waiters_[place] = Waiter();
  waiters_.give(place);
}

// A free place; where there is none, that of the ticket that ended first and was not collected.
std::uint32_t Manager::take_waiter() {
  if (waiters_.full()) {
    std::uint32_t oldest = no_place;
    for (std::uint32_t w = 0; w < waiters_.end(); ++w) {
      if (!waiters_[w].ended) continue;
      if (oldest == no_place || waiters_[w].ended_serial < waiters_[oldest].ended_serial) oldest = w;
    }
    drop_ticket(oldest);
  }
  return waiters_.take();
}

// Ends the waiters that nothing can satisfy any more, after something was made smaller.
void Manager::deny_hopeless() {
  for (std::uint32_t w = 0; w < waiters_.end(); ++w) {
    const Waiter& waiter = waiters_[w];
    if (waiter.rank.serial == 0 || waiter.ended || !is_hopeless(waiter.queue, waiter.wants)) continue;
    end_wait(w, Why::never_fits, no_place);
  }
}

}  // namespace symphony::pit::pools
