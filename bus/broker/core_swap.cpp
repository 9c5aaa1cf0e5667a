// Another process in the place of one that serves (W1-W5 of the link protocol). See core.hpp.
//
//   preparing --Prepared, rehearsed where it is to be--> freezing --Frozen--> restoring --PitReady--> committed
//   every state falls back: the heir is killed, the pit that serves goes on with the links that it has
//
// The heir has a place of its own in the table from the beginning, as a pit that is configured nowhere. To commit is to
// keep a configuration in which it has the pit's name and the old place is free: one write, and the next broker finds
// either that or what was before. What it finds without a configuration it ends, as always; a pit that it finds in the
// middle of a swap which is not in the configuration is told to go on.
#include <algorithm>
#include <utility>

#include "bus/base/check.hpp"
#include "bus/broker/core.hpp"
#include "bus/broker/pit_file.hpp"
#include "bus/broker/pit_slots.hpp"

namespace symphony::detail::broker {
// Whether it was begun; else it is answered.
bool BrokerCore::swap_now(Pit& pit, const control::Command& m, PendingCommand& waiting) {
  const auto no = [&](errc code, const std::string& text) {
    answer(waiting.conn, m.correlation, code, text, &pit);
    return false;
  };
  const PitConfig config = with_file(pit.config, m.file);
  if (pit.instance > m.instance && m.instance != 0 && pit.config == config) return true;  // done for the same Command
  if (const auto checked = check_pits({config}); !checked) return no(checked.error().code, checked.error().text);
  if (!m.file.empty() && m.file.front() != '/') return no(errc::invalid_argument, "the file to swap to is no path");
  if (std::string why; !may_be_on_probation(pit, config, m, why)) return no(errc::invalid_argument, why);
  if (pit.swap) return no(errc::busy, "a swap of this pit is under way: wait for it");
  if (pit.state == PitState::stopping) return no(errc::busy, "the pit is being stopped: swap it when it is ready");
  if (pit.state != PitState::ready) {  // nobody has to hand over anything
    if (!(pit.config == config)) {
      pit.config = config;
      end_probation(pit);
      keep_config();
    }
    restart_now(pit, stop_grace_ns, "it is swapped");
    ++waiting.instance;
    return true;
  }
  if (pit.hung_up) return no(errc::closed, "the pit closed its control socket and is about to end: try again");
  if (pit.protocol < control::protocol_of_swap) {
    return no(errc::version_mismatch, "the pit's process is of a release that cannot be swapped: restart it once");
  }
  const PitIndex old = pit.index;
  Pit* const heir = free_place(true);
  Pit& from = pits_[old];  // adding a place may have moved it
  if (heir == nullptr) {
    return no(errc::busy, "64 pits are there, and a swap needs a place for one more: remove one, or restart this pit");
  }
  heir->config = config;
  heir->removed = true;  // nobody's, until it takes over
  heir->heir_of = old;
  heir->state = PitState::starting;
  heir->alive = true;
  heir->instance = std::max(heir->instance, from.instance) + 1;
  heir->started_with = fingerprint(config);
  from.swap = Swap{heir->index, SwapPhase::preparing, ++next_swap_, m.grace_ns == 0 ? swap_pause_ns : m.grace_ns,
                   0,           m.probation_ns,       m.rehearse};
  waiting.instance = heir->instance;
  set_timer(*heir, now_ns_ + config.restart.start_timeout_ns);
  act(SpawnPit{heir->index, heir->instance, from.state_instance, old, true});
  return true;
}

void BrokerCore::pit_says(Pit& heir, const control::Prepared& m) {
  if (!heir.heir_of || heir.state != PitState::starting) {
    return kill(heir, AfterExit::quarantine, "it broke the control protocol");
  }
  Pit& pit = pits_[*heir.heir_of];
  if (pit.swap->phase != SwapPhase::preparing) {
    return kill(heir, AfterExit::quarantine, "it broke the control protocol");
  }
  if (m.protocol_min > control::protocol_max || m.protocol_max < control::protocol_of_swap ||
      m.protocol_min > m.protocol_max) {
    return end_swap(pit, errc::version_mismatch, "the new process speaks no protocol version of this broker");
  }
  heir.protocol = std::min(m.protocol_max, control::protocol_max);
  pit.swap->rehearses ? begin_rehearsal(pit) : begin_freeze(pit);
}

void BrokerCore::begin_freeze(Pit& pit) {
  Pit& heir = pits_[pit.swap->heir];
  const TimeNs until = now_ns_ + pit.swap->pause_max_ns;
  pit.swap->phase = SwapPhase::freezing;
  pit.swap->froze_at_ns = now_ns_;
  move(pit, PitState::swapping);
  set_timer(pit, until);
  set_timer(heir, no_deadline_ns);  // the pause is shorter
  record_pit(pit);                  // before the word: the next broker tells it to go on
  std::vector<FdName> memory;
  if (!pit.is_durable()) memory.push_back(FdName::handed_state);
  act(SendToPit{pit.index, pit.instance, control::Freeze{pit.swap->number, until}, 0, 0, std::move(memory)});
}

void BrokerCore::pit_says(Pit& pit, const control::Frozen& m) {
  // One that was told to go on may have answered before it heard so.
  if (pit.state != PitState::swapping || pit.swap->phase != SwapPhase::freezing) return;
  Pit& heir = pits_[pit.swap->heir];
  if (m.number != pit.swap->number) return;
  if (m.code != control::code_done) {
    return end_swap(pit, m.code, "it could not be stopped: " + (m.text.empty() ? "it gives no reason" : m.text));
  }
  pit.swap->phase = SwapPhase::restoring;
  act(SendToPit{heir.index, heir.instance, control::TakeState{m.number}, 0, 0, {}});
}

// PitReady of an heir.
void BrokerCore::take_over(Pit& heir) {
  const PitIndex old = *heir.heir_of;
  Pit& pit = pits_[old];
  if (pit.swap->phase != SwapPhase::restoring) {
    return kill(heir, AfterExit::quarantine, "it broke the control protocol");
  }
  const Swap swap = *std::exchange(pit.swap, std::nullopt);
  heir.heir_of.reset();
  heir.removed = false;
  pit.removed = true;
  pit.moved_to = heir.index;
  heir.deaths = std::move(pit.deaths);
  heir.deaths.push_back(
      {now_ns_, pit.instance, DeathCause::swap, false, 0, now_ns_ - pit.ready_since_ns, {}, {}, 0, {}});
  if (heir.deaths.size() > control::deaths_max) heir.deaths.pop_front();
  heir.log_lines_lost = pit.log_lines_lost;
  forget_failures(heir);
  if (heir.is_durable()) heir.state_instance = heir.instance;
  if (swap.probation_ns != 0 && file_of(heir.config) != file_of(pit.config)) {  // a reload may have come in between
    begin_probation(heir, now_ns_ + swap.probation_ns, file_of(pit.config));
  }
  end_probation(pit);
  record_pit(heir);
  record_pit(pit);
  keep_config();  // from here it has happened
  if (heir.is_durable()) act(KeepState{heir.index, heir.instance});
  forget_handed(heir);
  heir.arriving.since_ns = swap.froze_at_ns;
  for (auto& [id, waiting] : commands_) {
    if (waiting.pit == old) waiting.pit = heir.index;
  }
  heir.runs_alone = pit.runs_alone;
  for (Pit& alone : pits_) {
    if (alone.alone_of == old) alone.alone_of = heir.index;
  }
  move_links(pit, heir);
  move(pit, PitState::stopping);
  pit.after_exit = AfterExit::stop;
  pit.cause = DeathCause::swap;
  pit.reason = "another process took its place";
  set_timer(pit, no_deadline_ns);
  record_pit(pit);
  act(KillPit{pit.index, pit.instance});  // it stands still: there is nothing that it could end in order
  act(Note{"pit " + heir.config.name + " was swapped: instance " + std::to_string(heir.instance)});
}

void BrokerCore::move_links(Pit& from, Pit& to) {
  for (const LinkId id : std::set<LinkId>(from.links)) {
    Link& link = links_.at(id);
    if (link.state == LinkState::closing) {
      fall_back(link);  // erased: its caller is gone, and `to` is told so below
      continue;
    }
    fall_back(link);
    from.links.erase(id);
    link.pit = to.index;
    to.links.insert(id);
    if (link.recorded) record_link(link);
  }
  for (const LinkId id : std::exchange(from.gone_links, {})) {
    act(SendToPit{to.index, to.instance, control::Drop{{config_.generation, id, 0}, true}, 0, 0, {}});
  }
  for (const LinkId id : std::set<LinkId>(to.links)) {
    Link& link = links_.at(id);
    const auto conn = conns_.find(link.conn);
    if (link.state != LinkState::waiting || conn == conns_.end() || conn->second.lost) continue;
    to.arriving.links.insert(id);
    begin_attach(link);
  }
}

// Those that are there, or will not come.
void BrokerCore::note_arrivals(Pit& pit) {
  if (pit.arriving.since_ns == 0) return;
  std::erase_if(pit.arriving.links, [&](LinkId id) {
    const auto link = links_.find(id);
    if (link == links_.end() || link->second.state == LinkState::open) return true;
    const auto conn = conns_.find(link->second.conn);
    return conn == conns_.end() || conn->second.lost;
  });
  if (!pit.arriving.links.empty()) return;
  const TimeNs pause_ns = now_ns_ - std::exchange(pit.arriving.since_ns, 0);
  for (auto& [id, waiting] : commands_) {
    if (waiting.pit == pit.index && waiting.verb == control::Verb::swap) waiting.pause_ns = pause_ns;
  }
}

// The pit that serves goes on; nothing has happened to it but a pause.
void BrokerCore::end_swap(Pit& pit, errc code, const std::string& text) {
  const Swap swap = *std::exchange(pit.swap, std::nullopt);
  Pit& heir = pits_[swap.heir];
  heir.heir_of.reset();
  forget_handed(heir);
  if (swap.rehearses) act(ForgetCopy{heir.index});
  if (heir.alive) kill(heir, AfterExit::stop, "", DeathCause::swap);
  for (auto& [id, waiting] : commands_) {
    if (waiting.pit != pit.index || waiting.verb != control::Verb::swap) continue;
    waiting.failure = code;
    waiting.failure_text = "pit " + pit.config.name + " goes on as it was: " + text;
  }
  if (pit.state != PitState::swapping) return;
  move(pit, PitState::ready);
  set_timer(pit, pit.hung_up ? now_ns_ + hang_up_grace_ns : no_deadline_ns);
  act(SendToPit{pit.index, pit.instance, control::Thaw{swap.number}, 0, 0, {}});
  record_pit(pit);  // after the word
  for (const LinkId id : std::set<LinkId>(pit.links)) {
    Link& link = links_.at(id);
    const auto conn = conns_.find(link.conn);
    if (link.state == LinkState::waiting && conn != conns_.end() && !conn->second.lost) settle(link);
  }
}

// It died, was killed or never was. False: it was no heir.
bool BrokerCore::heir_failed(Pit& heir, const std::string& how) {
  if (!heir.heir_of) return false;
  Pit& pit = pits_[*heir.heir_of];
  constexpr const char* steps[] = {"while it was made ready", "while it waited to rehearse", "at the rehearsal",
                                   "while it waited for the state", "with the state"};
  const std::string step = steps[static_cast<std::size_t>(pit.swap->phase)];
  end_swap(pit, errc::closed, "the new process failed " + step + ": " + how);
  return true;
}

// A non-durable pit's state, on its way.
void BrokerCore::forget_handed(const Pit& heir) {
  if (!heir.is_durable()) act(DeleteRecord{state_key(heir.index, 0)});
}

}  // namespace symphony::detail::broker
