// Pits that begin anew together with what they need (rest_for_one). See core.hpp.
//
// Whoever keeps something of another pit's in its own state (a handle, a number of a pool) is wrong about it once that
// one begins anew. So before the next instance of it exists, those that need it are told to stop, and those that need
// them; what they say to it from here on ends at once, so none of it reaches the next instance. Each is started again
// when it has stopped, as after an operator's restart: no failure of its own, and its callers' links follow.
#include <algorithm>

#include "bus/broker/core.hpp"

namespace symphony::detail::broker {
namespace {

bool needs(const PitConfig& config, const std::string& pit) {
  return config.restart.strategy == RestartStrategy::rest_for_one &&
         std::find(config.calls.begin(), config.calls.end(), pit) != config.calls.end();
}

}  // namespace

// Precondition: it is about to be started again, and has no process.
void BrokerCore::restart_those_that_need(const Pit& pit) {
  std::vector<PitIndex> anew{pit.index};
  const std::string name = pit.config.name;
  for (std::size_t i = 0; i < anew.size(); ++i) {
    for (Pit& other : pits_) {
      const bool is_up =
          other.state == PitState::starting || other.state == PitState::ready || other.state == PitState::swapping;
      const bool leaves = other.state == PitState::stopping;  // for whatever reason
      if ((!is_up && !leaves) || other.removed || other.alone_of || other.heir_of) continue;
      if (!needs(other.config, pits_[anew[i]].config.name)) continue;
      other.is_wrong_about_needed = true;
      if (leaves) continue;
      if (std::find(anew.begin(), anew.end(), other.index) != anew.end()) continue;
      anew.push_back(other.index);
      const std::string reason = "pit " + name + ", which it needs, begins anew";
      if (other.state == PitState::starting) {
        kill(other, AfterExit::with_needed, reason, DeathCause::needed);
      } else {
        ask_to_stop(other, stop_grace_ns, AfterExit::with_needed, reason, DeathCause::needed);
        act(Note{"pit " + other.config.name + " is started again: " + reason});
      }
    }
  }
}

// It is on its way out, and that one, which it needs, begins anew: it is to say nothing to it any more.
bool BrokerCore::leaves_with(const Conn& conn, const std::string& pit) const {
  if (!conn.pit) return false;
  const Pit& caller = pits_[*conn.pit];
  return caller.state == PitState::stopping && caller.is_wrong_about_needed && needs(caller.config, pit);
}

// What such pits wait for here.
void BrokerCore::end_calls_of_leaving(const Pit& pit) {
  for (const LinkId id : std::set<LinkId>(pit.links)) {
    Link& link = links_.at(id);
    const auto conn = conns_.find(link.conn);
    if (link.state != LinkState::waiting || conn == conns_.end()) continue;
    if (leaves_with(conn->second, pit.config.name)) refuse_leaving(link);
  }
}

void BrokerCore::refuse_leaving(Link& link) {
  refuse(link, errc::closed,
         "pit " + pits_[link.pit].config.name + " begins anew, and so does this one: call when it has");
}

}  // namespace symphony::detail::broker
