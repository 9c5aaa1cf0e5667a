// Another set of pits: what is new is started, what is gone is stopped, what changed is started again. See core.hpp.
#include <algorithm>
#include <map>

#include "bus/broker/core.hpp"
#include "bus/broker/pit_slots.hpp"

namespace symphony::detail::broker {

void BrokerCore::on(const LogLost& e) {
  if (e.pit < pits_.size()) pits_[e.pit].log_lines_lost = e.lines;
}

void BrokerCore::on(const ConfigRead& e) {
  const auto no = [&](errc code, const std::string& text) { answer(e.conn, e.correlation, code, text); };
  if (stopping_) return no(errc::closed, "the broker stops: start it again, with the new manifests");
  if (!e.trouble.empty()) return no(errc::invalid_argument, e.trouble);
  if (const auto checked = check_pits(e.pits); !checked) return no(checked.error().code, checked.error().text);
  std::map<std::string_view, const PitConfig*> wanted;
  for (const PitConfig& pit : e.pits) wanted[pit.name] = &pit;
  std::size_t places = pits_max - std::min(pits_max, pits_.size()), needed = 0;
  for (const Pit& pit : pits_) places += pit.removed && !pit.alive && pit.links.empty() ? 1 : 0;
  for (const PitConfig& pit : e.pits) needed += index_of(pit.name) ? 0 : 1;
  if (needed > places) {
    return no(errc::busy, "64 pits, those that are removed counted too: reload again when those have stopped");
  }
  control::Answer done;
  std::vector<std::pair<Pit*, const PitConfig*>> changed;
  std::vector<Pit*> gone;
  for (Pit& pit : pits_) {
    if (pit.removed) continue;
    const auto found = wanted.find(pit.config.name);
    if (found == wanted.end()) {
      gone.push_back(&pit);
    } else if (!(*found->second == pit.config)) {
      changed.emplace_back(&pit, found->second);
    }
  }
  for (Pit* pit : gone)
    pit->removed = true, end_probation(*pit);  // first: their places and names are settled before anything is said
  for (const auto& [pit, config] : changed) pit->config = *config, end_probation(*pit);
  std::vector<PitIndex> added;
  for (const PitConfig& config : e.pits) {
    if (index_of(config.name)) continue;
    Pit* const pit = free_place();
    pit->config = config;
    added.push_back(pit->index);
  }
  keep_config();
  adopt_letters(e.letters);
  // By index from here: adding may have moved them.
  done.removed = static_cast<std::uint32_t>(gone.size());
  done.changed = static_cast<std::uint32_t>(changed.size());
  done.added = static_cast<std::uint32_t>(added.size());
  for (PitIndex i = 0; i < pits_.size(); ++i) {
    Pit& pit = pits_[i];
    if (pit.alone_of) continue;
    if (pit.removed) {
      remove(pit);
    } else if (std::find(added.begin(), added.end(), i) != added.end()) {
      if (pit.config.start_at_once) start(pit);
    } else {
      apply_config(pit);
    }
  }
  done.correlation = e.correlation;
  done.daemon_pid = config_.daemon;
  const auto conn = conns_.find(e.conn);
  if (conn != conns_.end() && !conn->second.lost) act(SendToCaller{e.conn, std::move(done), 0, 0, 0, {}});
}

// A pit that is not configured any more, or a process of which nothing is known.
void BrokerCore::remove(Pit& pit) {
  constexpr const char* reason = "it is not in the manifests any more";
  if (pit.state != PitState::stopped) return stop_now(pit, stop_grace_ns, reason);
  if (!pit.alive) forget_removed(pit);
}

// One that an operator stopped stays so, with whatever configuration.
void BrokerCore::apply_config(Pit& pit) {
  constexpr const char* reason = "its manifest changed";
  if (pit.started_with == fingerprint(pit.config)) return;
  if (pit.state == PitState::ready || pit.state == PitState::swapping || pit.state == PitState::starting)
    return restart_now(pit, stop_grace_ns, reason);
  if (pit.state == PitState::backoff || pit.state == PitState::quarantined) return start_now(pit);
}

void BrokerCore::forget_removed(Pit& pit) {
  if (pit.recorded) act(DeleteRecord{pit_key(pit.index)});
  pit.recorded = false;
  drop_state(pit);
}

// One that was never used, so that numbers of instances begin with 1, or one whose pit is gone.
BrokerCore::Pit* BrokerCore::free_place(bool used_first) {
  if (pits_.size() < pits_max && !used_first) {
    Pit& pit = pits_.emplace_back();
    pit.index = static_cast<PitIndex>(pits_.size() - 1);
    return &pit;
  }
  for (Pit& pit : pits_) {
    if (!pit.removed || pit.alive || !pit.links.empty() || pit.index >= pits_max) continue;
    const PitIndex index = pit.index;
    const std::uint32_t instance = pit.instance;  // goes on: a late word about an old process must find nothing
    pit = Pit{};
    pit.index = index;
    pit.instance = instance;
    return &pit;
  }
  return used_first && pits_.size() < pits_max ? free_place(false) : nullptr;
}

void BrokerCore::keep_config() {
  KeepConfig keep;
  for (const Pit& pit : pits_) keep.slots.push_back(pit.removed ? PitConfig{} : pit.config);
  for (const Pit& pit : pits_) {
    if (pit.probation && !pit.removed) keep.probations.push_back(*pit.probation);
  }
  act(std::move(keep));
}

}  // namespace symphony::detail::broker
