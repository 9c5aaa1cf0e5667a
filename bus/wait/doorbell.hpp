// Waking the other side of a link, and only when it sleeps.   Layer: wait.
//
// Each side writes only its own two words: `sleeping` says that it is about to sleep, `bell` is counted up to wake the
// peer, who sleeps on it. While the peer is awake, ringing costs one load of an unchanged, cached word and no system
// call.
//   sleeper: v = peer's bell; sleeping = 1; look again at everything it waits for; sleep while bell == v; sleeping = 0
//   waker:   the store the sleeper waits for (seq_cst); if peer's sleeping: bell + 1, wake
// Both stores come before both loads in one total order (seq_cst), so at least one side sees the other. Where the waker
// uses Order::light instead, the sleeper makes a heavy barrier before it looks again, which stands for that
// (heavy_barrier.hpp). The sleeper takes the bell's value before it says that it sleeps: a ring after that changes the
// value and the futex does not sleep. Threads: the thread that owns this side of the link. Trust: a lying peer only
// wakes us, or lets us sleep to our bound.
#pragma once

#include <cstdint>

#include "bus/wait/futex.hpp"

namespace symphony::detail {

struct DoorbellWords {
  std::uint32_t* sleeping;  // own
  std::uint32_t* bell;      // own
  const std::uint32_t* peer_sleeping;
  const std::uint32_t* peer_bell;
};

// Mem and its names of orders and sites come from the ring layer, which this layer does not know: a template.
template <class Mem, class Order, class Site>
class Doorbell {
 public:
  explicit Doorbell(DoorbellWords words, Mem mem = {}) noexcept : mem_(mem), words_(words) {}

  // After a store of the same order, seq_cst or light, that the peer may be waiting for.   True: a system call was
  // made.
  template <Order order = Order::seq_cst>
  bool ring_if_sleeping() noexcept {
    // sync wait.sleeping seq_cst load: ordered after our publishing store; the sleeper's look is ordered after its
    // flag.
    if (mem_.template load<order, Site::sleeping>(words_.peer_sleeping) == 0) return false;
    ring();
    return true;
  }

  void ring() noexcept {
    // relaxed: this side is the only one that stores its bell; the kernel compares the value under its own lock.
    const std::uint32_t bell = mem_.template load<Order::relaxed, Site::bell>(words_.bell) + 1;
    // sync wait.bell release: a sleeper that finds the new value sees what was published before it.
    mem_.template store<Order::release, Site::bell>(words_.bell, bell);
    ++wakes_sent_;
    if (wake()) ++wakes_needed_;
  }

  // Announces a sleep. The caller looks again at everything it waits for, then passes the word to wait_any, then
  // disarms.
  [[nodiscard]] WaitWord arm() noexcept {
    // sync wait.bell acquire: what was published before this value is seen by the look that follows.
    const std::uint32_t bell = mem_.template load<Order::acquire, Site::bell>(words_.peer_bell);
    // sync wait.sleeping seq_cst store: ordered before the look at what we wait for.
    mem_.template store<Order::seq_cst, Site::sleeping>(words_.sleeping, std::uint32_t{1});
    return {words_.peer_bell, bell};
  }

  void disarm() noexcept {
    // relaxed: too early or too late costs the peer one needless wake-up.
    mem_.template store<Order::relaxed, Site::sleeping>(words_.sleeping, std::uint32_t{0});
  }

  [[nodiscard]] std::uint64_t wakes_sent() const noexcept { return wakes_sent_; }      // system calls
  [[nodiscard]] std::uint64_t wakes_needed() const noexcept { return wakes_needed_; }  // of these: somebody slept

 private:
  // The kernel's futex, or that of a policy which models one. Whether somebody slept.
  bool wake() noexcept {
    if constexpr (requires { mem_.wake_all(words_.bell); }) {
      return mem_.wake_all(words_.bell);
    } else {
      return wake_all(words_.bell);
    }
  }

  [[no_unique_address]] Mem mem_;
  DoorbellWords words_;
  std::uint64_t wakes_sent_ = 0;
  std::uint64_t wakes_needed_ = 0;
};

}  // namespace symphony::detail
