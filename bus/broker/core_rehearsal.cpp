// Before a pit stands still for a swap: can the new process take its state? See core.hpp and core_swap.cpp.
//
//   preparing --Prepared--> copying --Rehearsed, of the pit--> trying --Rehearsed, of the heir--> freezing
//
// The pit writes a copy of its state between two messages and serves on; the heir restores the copy, takes a snapshot
// of what it has then, and compares the two, byte for byte. Whatever fails ends the swap before anybody has waited.
// What both took is how long calls will have to wait, their links' attach apart.
#include <algorithm>

#include "bus/broker/core.hpp"

namespace symphony::detail::broker {

void BrokerCore::begin_rehearsal(Pit& pit) {
  Pit& heir = pits_[pit.swap->heir];
  if (pit.protocol < control::protocol_of_rehearsal || heir.protocol < control::protocol_of_rehearsal) {
    const std::string which = pit.protocol < control::protocol_of_rehearsal ? "its process" : "the new process";
    return end_swap(pit, errc::version_mismatch, which + " is of a release that rehearses nothing: swap without");
  }
  pit.swap->phase = SwapPhase::copying;
  set_timer(heir, now_ns_ + heir.config.restart.start_timeout_ns);
  act(MakeCopy{heir.index, pit.index});
  act(SendToPit{pit.index, pit.instance, control::Rehearse{pit.swap->number}, 0, 0, {FdName::copy_of_state}});
}

void BrokerCore::pit_says(Pit& pit, const control::Rehearsed& m) {
  const bool is_heir = pit.heir_of.has_value();
  Pit& serving = is_heir ? pits_[*pit.heir_of] : pit;
  // One whose swap has ended meanwhile may have answered before it heard so.
  const SwapPhase answers = is_heir ? SwapPhase::trying : SwapPhase::copying;
  if (!serving.swap || serving.swap->number != m.number || serving.swap->phase != answers) return;
  if (m.code != control::code_done) {
    const std::string what = is_heir ? "the rehearsal failed: " : "it could not write a copy of its state: ";
    return end_swap(serving, m.code, what + (m.text.empty() ? "without a reason" : m.text));
  }
  Swap& swap = *serving.swap;
  swap.rehearsed_ns += std::clamp<TimeNs>(m.took_ns, 0, stop_grace_max_ns);
  if (!is_heir) {
    Pit& heir = pits_[swap.heir];
    swap.phase = SwapPhase::trying;
    act(SendToPit{heir.index, heir.instance, control::Rehearse{swap.number}, 0, 0, {FdName::copy_of_state}});
    return;
  }
  act(ForgetCopy{pit.index});
  for (auto& [id, waiting] : commands_) {
    if (waiting.pit == serving.index && waiting.verb == control::Verb::swap) waiting.rehearsed_ns = swap.rehearsed_ns;
  }
  if (swap.rehearsed_ns > swap.pause_max_ns) {
    return end_swap(serving, errc::busy, "rehearsed, it takes longer than calls may wait: allow more");
  }
  begin_freeze(serving);
}

}  // namespace symphony::detail::broker
