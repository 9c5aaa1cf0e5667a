// The links that one thread serves: which to look at in a sweep, and which to sleep on.   Layer: endpoint.
//
// Few links are all looked at in each sweep. Of many, one that stays idle is looked at in every 16th only. A thread can
// sleep on 126 bells beside its mailbox: of more links than that, those that were idle longest are parked. A parked
// link stays armed while its thread goes on, and a watcher sleeps on its bell; when it rings, the link is taken back.
// All links, parked or not, are looked at before and after each sleep, so that a watcher never is the only one who
// looks. Threads: the one that serves. Trust: as ServedLink.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "bus/endpoint/served_link.hpp"
#include "bus/endpoint/watcher.hpp"

namespace symphony::detail {

class LinkSet {
 public:
  static constexpr std::size_t looked_at_always_max = 8;
  static constexpr std::uint32_t idle_after = 64;  // sweeps without a request
  static constexpr std::uint32_t idle_period = 16;
  static constexpr std::size_t bells_max = wait_words_max - 2;
  static constexpr std::size_t bells_after_parking = 96;  // so that not each sleep has to park one more

  // `rung`: told the link's number when a parked link rings; outlives the set's watchers.
  explicit LinkSet(std::shared_ptr<WatchTarget> rung) : rung_(std::move(rung)) {}

  [[nodiscard]] std::size_t size() const noexcept { return slots_.size(); }
  [[nodiscard]] ServedLink& operator[](std::size_t i) const noexcept { return *slots_[i].link; }
  void add(std::shared_ptr<ServedLink> link) { slots_.push_back({std::move(link)}); }
  void erase(std::size_t i) noexcept;
  void clear() noexcept;
  // size() when there is none.
  [[nodiscard]] std::size_t find(control::LinkId link) const noexcept;

  // ---- sweeping
  static constexpr int requests_per_turn_max = 16;  // of one link before the next one's turn
  struct Swept {
    bool served = false;
    std::size_t faulted = 0;  // where the sweep ended early: a link to be dropped; size(): nowhere
  };
  // One round over the links that are due. Requests whose deadline lies before now_ns are skipped.
  [[nodiscard]] Swept sweep(RequestHandler& handler, ServiceCounters& counters, TimeNs now_ns) noexcept;
  // Writes replies that waited for room. True: none waits any more.
  [[nodiscard]] bool flush_later(RequestHandler& handler) noexcept;
  // Whether a sweep may find a request, for who polls: a load a link while they are few, else always yes.
  [[nodiscard]] bool glance() const noexcept;

  // What the link that was served last says of its caller's processor; 0: nothing.
  [[nodiscard]] std::uint32_t placement() const noexcept;

  // ---- sleeping
  // Adds the words of all that is not parked and arms them. False: not all found a place, so the sleep must be short.
  [[nodiscard]] bool arm(std::span<WaitWord> words, std::size_t& count) noexcept;
  // Whether one of the links wants a heavy barrier between arm() and look_again().
  [[nodiscard]] bool needs_heavy_barrier() const noexcept;
  [[nodiscard]] bool look_again() const noexcept;
  void disarm() noexcept;
  // A watcher told that this link rang.
  void rang(control::LinkId link) noexcept;
  [[nodiscard]] std::size_t parked() const noexcept { return parked_; }

 private:
  struct Slot {
    std::shared_ptr<ServedLink> link;
    std::uint32_t idle_sweeps = 0;
    bool parked = false;
    bool armed = false;
  };
  [[nodiscard]] bool is_due(std::size_t i) const noexcept {
    return slots_.size() <= looked_at_always_max || slots_[i].idle_sweeps < idle_after ||
           (sweep_ + i) % idle_period == 0;
  }
  void park_surplus() noexcept;
  [[nodiscard]] bool park(Slot& slot) noexcept;  // false: it has something to do, or nobody can watch it
  void unpark(std::size_t i, bool watched) noexcept;

  std::vector<Slot> slots_;
  std::uint64_t sweep_ = 0;
  std::size_t served_last_ = 0;
  std::size_t parked_ = 0;
  std::shared_ptr<WatchTarget> rung_;
  WatcherPool watchers_;
};

}  // namespace symphony::detail
