// What sleeps came to, told apart.   Layer: wait.
//
// A sleep ends because somebody rang, or at its bound. When it ends at its bound although something is there, a wake-up
// was lost: that number stays 0 between honest peers, and is how a missed wake-up is noticed at all. The ring may be on
// its way just then, so the bell gets a moment to change before it counts. Threads: the one that sleeps. Trust: a peer
// that does not ring, or steals wake-ups, raises our count and costs us the bound.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <thread>

#include "bus/base/platform.hpp"
#include "bus/wait/futex.hpp"
#include "bus/wait/heavy_barrier.hpp"

namespace symphony::detail {

struct SleepCounters {
  std::uint64_t sleeps = 0;
  std::uint64_t spurious = 0;            // woken, and nothing was there
  std::uint64_t timeouts = 0;            // ended at the bound
  std::uint64_t timeouts_with_data = 0;  // of these: something was there, and nobody rang
};

// Looks at a bell while its ring may be on the way: the ringer is between two neighbouring stores.
inline constexpr int looks_for_late_ring = 256;

// Whether none of the words changes within that moment.
template <class Mem, class Order, class Site>
[[nodiscard]] bool nobody_rang(std::span<const WaitWord> words) noexcept {
  for (int look = 0; look < looks_for_late_ring; ++look) {
    for (const WaitWord& word : words) {
      // sync wait.bell acquire: as in Doorbell::arm().
      if (Mem::template load<Order::acquire, Site::bell>(word.word) != word.expected) return false;
    }
    if (look % 16 == 15) std::this_thread::yield();
    cpu_relax();
  }
  return true;
}

inline constexpr TimeNs sleep_without_barrier_ns = ms_ns;

// To be called between arm() and the look of a sleep that shall end at deadline_ns. `needed`: one of the peers
// publishes with Order::light. Returns when the sleep has to end: soon where the barrier was refused, since a wake-up
// may be lost.
[[nodiscard]] inline TimeNs barrier_before_sleep(bool needed, TimeNs deadline_ns) noexcept {
  if (!needed || heavy_barrier()) return deadline_ns;
  return std::min(deadline_ns, now_ns() + sleep_without_barrier_ns);
}

// Sleeps on armed words until one is rung or until deadline_ns, unless look() says that something is there already. To
// be called between arm() and disarm() of every word. `barrier`: as barrier_before_sleep().   Returns what look() says
// at the end.
template <class Mem, class Order, class Site, class Look>
bool sleep_unless(Look&& look, std::span<const WaitWord> words, TimeNs deadline_ns, bool barrier,
                  SleepCounters& counters) noexcept {
  deadline_ns = barrier_before_sleep(barrier, deadline_ns);
  if (look()) return true;
  ++counters.sleeps;
  const Wakeup why = wait_any(words, deadline_ns);
  const bool found = look();
  if (why == Wakeup::timeout) {
    ++counters.timeouts;
    if (found && nobody_rang<Mem, Order, Site>(words)) ++counters.timeouts_with_data;
  } else if (!found) {
    ++counters.spurious;
  }
  return found;
}

}  // namespace symphony::detail
