#include "bus/endpoint/link_set.hpp"

#include <algorithm>
#include <new>

namespace symphony::detail {

void LinkSet::erase(std::size_t i) noexcept {
  if (slots_[i].parked) unpark(i, true);
  slots_.erase(slots_.begin() + static_cast<std::ptrdiff_t>(i));
}

void LinkSet::clear() noexcept {
  while (!slots_.empty()) erase(slots_.size() - 1);
}

std::size_t LinkSet::find(control::LinkId link) const noexcept {
  const auto found =
      std::find_if(slots_.begin(), slots_.end(), [&](const Slot& slot) { return slot.link->at().link == link; });
  return static_cast<std::size_t>(found - slots_.begin());
}

bool LinkSet::glance() const noexcept {
  return slots_.size() > looked_at_always_max ||
         std::any_of(slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.link->glance(); });
}

LinkSet::Swept LinkSet::sweep(RequestHandler& handler, ServiceCounters& counters, TimeNs now_ns) noexcept {
  Swept swept;
  ++sweep_;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (!is_due(i)) continue;
    ServedLink& link = *slots_[i].link;
    int taken = 0;
    auto turn = ServedLink::Turn::served;
    while (taken < requests_per_turn_max &&
           (turn = link.serve_one(handler, counters, now_ns)) == ServedLink::Turn::served) {
      ++taken;
    }
    if (taken != 0) {
      swept.served = true;
      served_last_ = i;
      slots_[i].idle_sweeps = 0;
      if (slots_[i].parked) unpark(i, true);
    }
    if (turn == ServedLink::Turn::faulted) {
      swept.faulted = i;
      return swept;
    }
    if (turn == ServedLink::Turn::idle) {
      if (taken == 0) ++slots_[i].idle_sweeps;
      link.free_idle_space();
      link.answer_close();
    }
  }
  swept.faulted = slots_.size();
  return swept;
}

bool LinkSet::flush_later(RequestHandler& handler) noexcept {
  bool all = true;
  for (const Slot& slot : slots_) all = slot.link->flush_later(handler) && all;
  return all;
}

std::uint32_t LinkSet::placement() const noexcept {
  return served_last_ < slots_.size() ? slots_[served_last_].link->placement() : 0;
}

bool LinkSet::park(Slot& slot) noexcept {
  Watch watch;
  watch.words[watch.count++] = slot.link->arm();
  watch.memory = slot.link;
  watch.target = rung_;
  watch.tag = slot.link->at().link;
  // Armed before this look, as for any sleep: what comes after it rings. On a link of heavy barriers that holds from
  // the one of the sleep that follows; what came before is seen by the look behind that, at all links.
  bool watched = false;
  try {
    watched = !slot.link->look_again() && watchers_.add(std::move(watch)).has_value();
  } catch (const std::bad_alloc&) {
  }
  if (!watched) slot.link->disarm();
  slot.parked = watched;
  if (watched) ++parked_;
  return watched;
}

void LinkSet::unpark(std::size_t i, bool watched) noexcept {
  Slot& slot = slots_[i];
  if (watched) watchers_.cancel(rung_.get(), slot.link->at().link);
  slot.link->disarm();
  slot.parked = false;
  slot.idle_sweeps = 0;
  --parked_;
}

void LinkSet::rang(control::LinkId link) noexcept {
  const std::size_t i = find(link);
  if (i != size() && slots_[i].parked) unpark(i, false);
}

// The idlest first; a threshold instead of a sorted list, so that nothing is allocated.
void LinkSet::park_surplus() noexcept {
  if (slots_.size() - parked_ <= bells_max) return;
  for (std::uint32_t idle = idle_after; slots_.size() - parked_ > bells_after_parking; idle /= 2) {
    for (Slot& slot : slots_) {
      if (slots_.size() - parked_ <= bells_after_parking) return;
      if (!slot.parked && slot.idle_sweeps >= idle) (void)park(slot);
    }
    if (idle == 0) return;
  }
}

bool LinkSet::arm(std::span<WaitWord> words, std::size_t& count) noexcept {
  park_surplus();
  for (Slot& slot : slots_) {
    if (slot.parked) continue;
    if (count == words.size()) return false;
    words[count++] = slot.link->arm();
    slot.armed = true;
  }
  return true;
}

bool LinkSet::needs_heavy_barrier() const noexcept {
  return std::any_of(slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.link->needs_heavy_barrier(); });
}

bool LinkSet::look_again() const noexcept {
  return std::any_of(slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.link->look_again(); });
}

void LinkSet::disarm() noexcept {
  for (Slot& slot : slots_) {
    if (slot.armed) slot.link->disarm();
    slot.armed = false;
  }
}

}  // namespace symphony::detail
