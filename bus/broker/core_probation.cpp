// After a swap: a pit whose new file proves bad goes on from the one before. See core.hpp.
//
//   committed --time is over--> for good
//   committed --it dies, and nobody asked it to--> the file before, from what the dead one kept
//
// There is no second process that waits: what a pit keeps is what its next instance begins with, whatever file that is
// made of, and its callers' requests follow as after each death. So nothing is lost that its durability keeps. That it
// is on probation, and the file, stand in the configuration that the swap commits; going back is one more such write.
#include <algorithm>
#include <utility>

#include "bus/broker/core.hpp"
#include "bus/broker/pit_file.hpp"

namespace symphony::detail::broker {

bool BrokerCore::may_be_on_probation(const Pit& pit, const PitConfig& config, const control::Command& m,
                                     std::string& why) const {
  if (m.probation_ns < 0 || m.probation_ns > probation_max_ns) {
    why = "a probation lasts from nothing to an hour: give another time";
  } else if (m.probation_ns != 0 && file_of(config) == file_of(pit.config)) {
    why = "a probation needs another file: there is none to go back to where the old one was written over";
  }
  return why.empty();
}

// Before keep_config().
void BrokerCore::begin_probation(Pit& pit, TimeNs until_ns, const std::string& file) {
  pit.probation = Probation{pit.index, until_ns, file};
  set_probation_timer(pit, until_ns);
}

void BrokerCore::end_probation(Pit& pit) {
  pit.probation.reset();
  set_probation_timer(pit, no_deadline_ns);
}

void BrokerCore::probation_is_over(Pit& pit) {
  end_probation(pit);
  keep_config();
  act(Note{"pit " + pit.config.name + " has passed its probation"});
}

// It died. False: not on probation, or of what ends its broker too.
bool BrokerCore::roll_back(Pit& pit, const std::string& how) {
  if (!pit.probation || stopping_ || keeper_lost_ || pit.removed) return false;
  if (now_ns_ >= pit.probation->until_ns) return false;  // the timer is late
  const std::string bad = file_of(pit.config);
  pit.config = with_file(std::move(pit.config), pit.probation->file);
  end_probation(pit);
  keep_config();         // from here it goes on from the file before, whoever is the broker
  forget_failures(pit);  // those were the other file's
  const std::string text = "it died on probation (" + how + ") and goes on from " + file_of(pit.config) +
                           (pit.is_durable() ? ", with what it keeps" : ", which begins with no state: it keeps none");
  act(Note{"pit " + pit.config.name + ", swapped to " + bad + ": " + text});
  for (auto& [id, waiting] : commands_) {
    if (waiting.pit != pit.index || waiting.verb != control::Verb::swap) continue;
    waiting.failure = errc::closed;
    waiting.failure_text = "pit " + pit.config.name + ": " + text;
  }
  move(pit, PitState::backoff);
  start(pit);
  return true;
}

// It would come to the same end each time, as it is.
void BrokerCore::never_again(Pit& pit, const std::string& reason) {
  if (!roll_back(pit, reason)) end_pit(pit, PitState::quarantined, errc::quarantined, reason);
}

}  // namespace symphony::detail::broker
