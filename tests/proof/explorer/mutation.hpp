// What a run changes in the code under test, at run time: one memory order, or one thing that the code does.
// Layer: tests. Threads: plain values.
#pragma once

#include <cstdint>

#include "bus/ring/mem.hpp"

namespace symphony::proof {

using detail::Order;
using detail::Site;

enum class Access : std::uint8_t { load, store };

// An ordered access as the code spells it.
struct OrderedAccess {
  Site site{};
  Access access{};
  Order order{};
  friend bool operator==(const OrderedAccess&, const OrderedAccess&) = default;
};

struct Mutation {
  enum class Kind : std::uint8_t {
    none,
    weaker,               // `at` is done with the order `to`
    no_store,             // stores at the site do nothing
    no_zero_store,        // stores of 0 there do nothing
    store_late,           // a store at the site, but not of 0, becomes visible only after the next load
    payload_late,         // what copy_in writes becomes visible only after the next store of a header
    no_wake,              // the futex wakes nobody
    bell_late,            // a sleeper takes the bell's value when it falls asleep, not before it looks
    no_spare_line,        // a record may take the line of the next header
    free_before_read,     // space is given back before the record was read
    write_back_late,      // a line is written back after its space was given back
    write_back_early,     // a line is written back before its request is handled
    finish_before_reply,  // handled is stored before the reply is committed
    begin_after_reply,    // begun is stored when the handler is done
    close_before_send,    // the state says closing before the last commit
    look_at_one_link,     // a sleeper of two links looks again at one only
    look_once,            // a sleeper does not look again after it said that it sleeps
    no_drain,             // a recoverer does not drain the ring of the dead
    drain_before_death,   // ... drains it before it knows of the death, not after
    send_all_again,       // a recoverer sends again what has its reply
    no_heavy_barrier,     // a sleeper makes no barrier between its flag and its look
    no_want_space,        // a sleeper for space does not say what it wants
    batch_unbatched,      // the records of a batch are published one by one
    begin_after_value,    // a slot of a board says whose value it has when that has been written
    one_slot,             // a board writes every value into the same slot
  };
  Kind kind = Kind::none;
  OrderedAccess at{};
  Order to = Order::relaxed;
};

}  // namespace symphony::proof
