// The operations that are cut short, each from a state in which it does something of interest.   Layer: tests.
//
// prepare() is not traced; run() is the operation, alone in its function. Threads: one.
#pragma once

#include <array>
#include <string_view>

#include "tests/proof/crash/world.hpp"

namespace symphony::proof {

enum class Party : std::uint8_t { caller, pit };

template <class Mem>
struct Operation {
  std::string_view name;
  Party actor;
  void (*prepare)(World<Mem>&);
  void (*run)(World<Mem>&);
};

// Several laps of both rings, so that old payload stands wherever a header is expected, and three calls in flight: one
// answered and not taken, two not begun.
template <class Mem>
void after_traffic(World<Mem>& w) {
  for (std::uint32_t i = 0; i < 90; ++i) {
    w.push(i * 37 % 300, i % 2 != 0 ? Effect::idempotent : Effect::once);
    w.serve(i * 53 % 280);
    w.take_reply();
  }
  w.push(20, Effect::idempotent);
  w.serve(30);
  w.push(50, Effect::once);
  w.push(70, Effect::idempotent);
}

// As above, and the next request of 300 bytes does not fit before the end of the ring.
template <class Mem>
void before_wrap(World<Mem>& w) {
  after_traffic(w);
  while (w.serve(10) && w.take_reply()) {
  }
  const std::uint64_t capacity = w.caller.out().capacity();
  while (capacity - w.caller.out().published() % capacity != 128) {
    w.push(10);
    w.serve(10);
    w.take_reply();
  }
}

template <class Mem>
void before_reply_wrap(World<Mem>& w) {
  after_traffic(w);
  while (w.serve(10) && w.take_reply()) {
  }
  const std::uint64_t capacity = w.pit.out().capacity();
  while (capacity - w.pit.out().published() % capacity != 128) {
    w.push(10);
    w.serve(10);
    w.take_reply();
  }
  w.push(12, Effect::idempotent);
}

template <class Mem>
void pit_asleep(World<Mem>& w) {
  after_traffic(w);
  (void)w.pit.arm();
}

// The caller sleeps because the request ring is full.
template <class Mem>
void caller_waits_for_space(World<Mem>& w) {
  after_traffic(w);
  while (w.push(200)) {
  }
  w.caller.want_space(true);
  (void)w.caller.arm();
}

// The next reply is large enough that its space is given back at once.
template <class Mem>
void large_reply_there(World<Mem>& w) {
  after_traffic(w);
  while (w.serve(10)) {
  }
  while (w.take_reply()) {
  }
  w.push(10);
  w.serve(700);
}

// Requests of several lines wait behind the next one.
template <class Mem>
void backlog_of_requests(World<Mem>& w) {
  after_traffic(w);
  w.push(200, Effect::idempotent);
  w.push(150, Effect::once);
}
template <class Mem>
void backlog_of_replies(World<Mem>& w) {
  after_traffic(w);
  w.serve(200);
  w.serve(100);
}

template <class Mem>
void nothing(World<Mem>&) {}

template <class Mem>
inline constexpr std::array operations{
    Operation<Mem>{"push_small", Party::caller, after_traffic<Mem>, [](World<Mem>& w) { w.push(32); }},
    Operation<Mem>{"push_1_kib", Party::caller, after_traffic<Mem>, [](World<Mem>& w) { w.push(1024); }},
    Operation<Mem>{"push_behind_a_pad", Party::caller, before_wrap<Mem>, [](World<Mem>& w) { w.push(300); }},
    Operation<Mem>{"push_trimmed_claim", Party::caller, after_traffic<Mem>,
                   [](World<Mem>& w) { w.push_trimmed(500, 20); }},
    Operation<Mem>{"push_batch", Party::caller, after_traffic<Mem>, [](World<Mem>& w) { w.push_batch(3, 100); }},
    Operation<Mem>{"push_batch_behind_a_pad", Party::caller, before_wrap<Mem>,
                   [](World<Mem>& w) { w.push_batch(3, 300); }},
    Operation<Mem>{"claim_abandoned", Party::caller, after_traffic<Mem>, [](World<Mem>& w) { w.abandon(300); }},
    Operation<Mem>{"push_after_abandoned_claim", Party::caller,
                   [](World<Mem>& w) {
                     after_traffic(w);
                     w.abandon(500);
                   },
                   [](World<Mem>& w) { w.push(10); }},
    Operation<Mem>{"push_and_ring", Party::caller, pit_asleep<Mem>, [](World<Mem>& w) { w.push(32); }},
    Operation<Mem>{"take_reply", Party::caller, large_reply_there<Mem>, [](World<Mem>& w) { w.take_reply(); }},
    Operation<Mem>{"free_replies_when_idle", Party::caller,
                   [](World<Mem>& w) {
                     after_traffic(w);
                     w.take_reply();
                   },
                   [](World<Mem>& w) { w.take_reply(); }},
    Operation<Mem>{"arm_and_disarm", Party::caller, after_traffic<Mem>,
                   [](World<Mem>& w) {
                     w.caller.want_space(true);
                     (void)w.caller.arm();
                     w.caller.look_again_for_space();
                     w.caller.disarm();
                     w.caller.want_space(false);
                   }},
    Operation<Mem>{"close", Party::caller, pit_asleep<Mem>, [](World<Mem>& w) { w.close(); }},
    Operation<Mem>{"push_and_close", Party::caller, after_traffic<Mem>,
                   [](World<Mem>& w) {
                     w.push(60);
                     w.close();
                   }},
    Operation<Mem>{"attach_and_push", Party::caller, nothing<Mem>,
                   [](World<Mem>& w) {
                     w.caller = {w.segments->caller(), w.segments->pit(), w.segments->geometry(), w.mem,
                                 w.segments->pit() + data_offset};
                     w.push(40);
                   }},
    Operation<Mem>{"pop", Party::pit, after_traffic<Mem>, [](World<Mem>& w) { w.take(true); }},
    Operation<Mem>{"free_for_a_waiter", Party::pit, caller_waits_for_space<Mem>, [](World<Mem>& w) { w.take(false); }},
    Operation<Mem>{"serve_once", Party::pit, after_traffic<Mem>, [](World<Mem>& w) { w.serve(40); }},
    Operation<Mem>{"serve_idempotent", Party::pit,
                   [](World<Mem>& w) {
                     after_traffic(w);
                     w.serve(10);
                   },
                   [](World<Mem>& w) { w.serve(700); }},
    Operation<Mem>{"serve_behind_a_pad", Party::pit, before_reply_wrap<Mem>, [](World<Mem>& w) { w.serve(300); }},
    Operation<Mem>{"serve_full_ring", Party::pit, caller_waits_for_space<Mem>, [](World<Mem>& w) { w.serve(50); }},
    Operation<Mem>{"serve_and_write_back", Party::pit, backlog_of_requests<Mem>,
                   [](World<Mem>& w) {
                     w.serve(10);
                     w.serve(300);
                     w.serve(20);
                   }},
    Operation<Mem>{"pop_and_write_back", Party::pit, backlog_of_requests<Mem>,
                   [](World<Mem>& w) {
                     w.take(false);
                     w.take(false);
                     w.take(false);
                   }},
    Operation<Mem>{"take_and_write_back", Party::caller, backlog_of_replies<Mem>,
                   [](World<Mem>& w) {
                     w.take_reply();
                     w.take_reply();
                     w.take_reply();
                   }},
    Operation<Mem>{"pit_arms_and_disarms", Party::pit, after_traffic<Mem>,
                   [](World<Mem>& w) {
                     (void)w.pit.arm();
                     w.pit.disarm();
                   }},
    Operation<Mem>{"pit_closes", Party::pit, after_traffic<Mem>,
                   [](World<Mem>& w) { w.pit.set_state(SideState::closed); }},
    Operation<Mem>{"pit_attaches_and_serves", Party::pit, [](World<Mem>& w) { w.push(40); },
                   [](World<Mem>& w) {
                     w.pit = {w.segments->pit(), w.segments->caller(), w.segments->geometry(), w.mem,
                              w.segments->caller() + data_offset};
                     w.serve(20);
                   }},
};

}  // namespace symphony::proof
