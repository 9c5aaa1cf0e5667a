// Who serves the callers of a quarantined pit. See core.hpp.
//
//   a link of a pit that is quarantined, which has a fallback --> attaches there, under the next epoch; the same link
//   one that is there, and its own pit serves again  --------> goes home when the fallback's process ends. That one is
//                                                              told to, where it serves nobody else: it answers first
//   its own pit is known to serve, and the fallback is not there --> goes home
//
// To a caller it is a death like each other: what was being executed is judged by its effect, the rest is sent again,
// here to another pit. That has a state of its own, and knows nothing of what the quarantined one had accepted.
#include <algorithm>
#include <utility>

#include "bus/broker/core.hpp"

namespace symphony::detail::broker {

// Null: nobody, so its callers are told why.
BrokerCore::Pit* BrokerCore::stand_in_of(const Pit& pit) {
  if (pit.state != PitState::quarantined || pit.removed || pit.config.restart.fallback.empty()) return nullptr;
  if (stopping_ || keeper_lost_) return nullptr;
  Pit* const other = pit_named(pit.config.restart.fallback);
  if (other == nullptr || other == &pit) return nullptr;
  return other->state == PitState::quarantined || other->state == PitState::stopped ? nullptr : other;
}

// A link that waits, to another pit's list.
void BrokerCore::hand_link(Link& link, Pit& to, const std::string& home) {
  Pit& from = pits_[link.pit];
  from.links.erase(link.id);
  // Whichever the link is not of any more has it in its state, and is told when it can be.
  if (from.is_durable() && link.open_epoch != 0) from.gone_links.insert(link.id);
  to.gone_links.erase(link.id);
  to.links.insert(link.id);
  link.pit = to.index;
  link.home = home;
}

// False: nobody stands in.
bool BrokerCore::send_to_stand_in(Link& link) {
  Pit& pit = pits_[link.pit];
  Pit* const other = link.state == LinkState::waiting && link.home.empty() ? stand_in_of(pit) : nullptr;
  if (other == nullptr) return false;
  hand_link(link, *other, pit.config.name);
  return true;
}

// True: its own pit serves, will do so, or says why it does not; it is that one's again.
bool BrokerCore::send_home(Link& link) {
  Pit* const home = link.home.empty() ? nullptr : pit_named(link.home);
  if (home == nullptr || link.state != LinkState::waiting) return false;
  if (stand_in_of(*home) == &pits_[link.pit]) return false;
  hand_link(link, *home, {});
  return true;
}

// Those whose process has just ended, or that will have none.
void BrokerCore::send_all_home(const Pit& pit) {
  for (const LinkId id : std::set<LinkId>(pit.links)) {
    Link& link = links_.at(id);
    if (!send_home(link)) continue;
    const auto conn = conns_.find(link.conn);
    if (conn != conns_.end() && !conn->second.lost) settle(link);
  }
}

// It serves again.
void BrokerCore::call_home(const Pit& pit) {
  for (Pit& other : pits_) {
    bool has_attached = false, serves_others = false;
    for (const LinkId id : std::set<LinkId>(other.links)) {
      Link& link = links_.at(id);
      serves_others |= link.home != pit.config.name;
      has_attached |= link.home == pit.config.name && link.state != LinkState::waiting;
    }
    send_all_home(other);
    if (!has_attached) continue;
    if (serves_others || other.state != PitState::ready) {
      act(Note{"pit " + pit.config.name + " serves again; links of its that " + other.config.name +
               " serves stay there until that is restarted (symphony pit restart)"});
    } else {
      ask_to_stop(other, stop_grace_ns, AfterExit::start_again, "pit " + pit.config.name + " serves its callers again");
    }
  }
}

}  // namespace symphony::detail::broker
