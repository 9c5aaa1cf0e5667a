// What an operation has to tell others: answers to requests that waited, and events.   Layer: pits/pool_manager.
// Threads: plain values.
#pragma once

#include <cstdint>
#include <vector>

#include "pits/pool_manager/lease.hpp"

namespace symphony::pit::pools {

// To a request that was left open. Granted when `lease` is not no_place.
struct Answer {
  std::uint64_t reply_to = 0;
  std::uint64_t wait = 0;
  std::uint32_t lease = no_place;
  Why why = Why::none;
};

enum class EventKind : std::uint8_t {
  lease_expiring,
  lease_revoked,
  leak_suspected,
  waiter_advanced,  // a ticket was granted, or ended without
  pool_pressure,    // the first waiter came or the last one left
  unit_changed,
};

struct Event {
  EventKind kind;
  Holder holder{};
  std::uint64_t wait = 0;
  std::uint64_t token = 0;
  std::uint64_t value = 0;  // when it expires; since when it is held; what is free
  std::uint32_t lease = no_place;
  std::uint32_t pool = 0;  // its number
  std::uint32_t unit = 0;
  Why why = Why::none;
  std::uint32_t waiting = 0;
};

struct Outbox {
  std::vector<Answer> answers;
  std::vector<Event> events;
};

}  // namespace symphony::pit::pools
