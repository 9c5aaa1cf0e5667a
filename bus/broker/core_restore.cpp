// What an earlier broker left: processes, records of pits and of links, memory of states. See core.hpp.
#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "bus/broker/core.hpp"
#include "bus/broker/pit_slots.hpp"

namespace symphony::detail::broker {

void BrokerCore::on(const Begin& e) {
  // An earlier broker may have left processes, and records of them, that this one knows nothing of.
  const auto make_place = [&](PitIndex index) {
    while (index < places_max && index >= pits_.size()) {
      Pit& unknown = pits_.emplace_back();
      unknown.index = static_cast<PitIndex>(pits_.size() - 1);
      unknown.removed = true;
      unknown.state = PitState::stopped;
    }
  };
  for (const ProcessFound& p : e.processes) make_place(p.pit);
  for (const RecordFound& r : e.records) {
    if (is_pit_key(r.key)) make_place(static_cast<PitIndex>(r.key));
  }
  std::map<PitIndex, PitRecord> pit_records;
  for (const RecordFound& r : e.records) {
    if (!is_pit_key(r.key)) continue;
    const auto pit = static_cast<PitIndex>(r.key);
    if (pit >= pits_.size()) {
      act(DeleteRecord{r.key});  // of an instance for one message, whose end nobody was told of
    } else if (auto record = decode_pit(r.blob)) {
      pit_records[pit] = *std::move(record);
    }
  }
  for (const Probation& p : config_.probations) {
    if (p.pit >= pits_.size() || pits_[p.pit].removed || p.until_ns <= now_ns_) continue;
    begin_probation(pits_[p.pit], std::min(p.until_ns, now_ns_ + probation_max_ns), p.file);
  }
  // Those that live first: what died meanwhile is started here, and its dependents with it.
  for (const bool lives : {true, false}) {
    for (Pit& pit : pits_) {
      const auto is_its = [&](const ProcessFound& p) { return p.pit == pit.index; };
      const auto process = std::find_if(e.processes.begin(), e.processes.end(), is_its);
      if ((process != e.processes.end()) != lives) continue;
      const auto record = pit_records.find(pit.index);
      restore_pit(pit, record == pit_records.end() ? nullptr : &record->second, lives ? &*process : nullptr);
    }
  }
  // Memory for a state that is neither complete nor being made: of an instance whose end nobody was told of.
  for (const RecordFound& r : e.records) {
    if (!is_state_key(r.key)) continue;
    const bool is_wanted = std::any_of(pits_.begin(), pits_.end(), [&](const Pit& p) {
      if (p.config.name.empty()) return false;  // whatever it was, it is not configured
      const bool has_state = p.state_instance != 0 || !p.config.state.folder.empty();
      return (has_state && r.key == state_key(p.index, p.state_instance)) ||
             (p.alive && r.key == state_key(p.index, p.instance));
    });
    if (!is_wanted) act(DeleteRecord{r.key});
  }
  Conn& absent = conns_[0];  // holds the links until their callers say Hello
  absent.lost = true;
  for (const RecordFound& r : e.records) {
    if (is_pit_key(r.key) || is_state_key(r.key)) continue;
    const auto record = decode_link(r.blob);
    if (record && record->pit < pits_.size()) {
      restore_link(r.key, *record);
    } else {
      act(DeleteRecord{r.key});
    }
  }
  restore_letters();
  if (absent.links.empty()) {
    conns_.erase(0);
  } else {
    set_timer(absent, now_ns_ + reconnect_grace_ns);
  }
  for (Pit& pit : pits_) {
    if (pit.state == PitState::known && pit.config.start_at_once) start(pit);
    pit.removed ? remove(pit) : apply_config(pit);
  }
}

// What the earlier broker left: its record, a process, both or none. One without the other lost its last message.
void BrokerCore::restore_pit(Pit& pit, const PitRecord* record, const ProcessFound* process) {
  // Done where the configuration says so; where it does not, it never was.
  const PitIndex to = record == nullptr ? pits_max : record->moved_to - 1;
  if (pit.removed && to < pits_.size() && !pits_[to].removed) pit.moved_to = to;
  if (pit.removed && process == nullptr) {  // all that is left of it is a record
    pit.recorded = record != nullptr;
    if (record != nullptr) pit.instance = record->instance;
    return;
  }
  if (record != nullptr) {
    pit.instance = record->instance;
    pit.state_instance =
        pit.config.name.empty() ? 0 : record->state_instance;  // Begin drops it: nobody goes on from it
    pit.reply_size_max = record->reply_size_max;
    pit.heavy_barriers = record->heavy_barriers;
    pit.sandbox = record->sandbox;
    pit.has_served = record->has_served;
    pit.end_code = record->end_code;
    pit.reason = record->reason;
    pit.failures = record->failures;
    pit.excused = record->excused;
    pit.started_with = record->started_with;
    pit.recorded = true;
    pit.protocol = record->protocol;
    if (record->has_death) pit.deaths.push_back(record->death);
    // The last broker may have died before it had done so.
    if (pit.is_durable() && pit.instance != 0 && pit.state_instance == pit.instance) {
      act(KeepState{pit.index, pit.instance});
    }
  }
  if (record != nullptr && record->state == PitState::stopping &&
      (process == nullptr || process->instance == record->instance)) {
    if (process != nullptr) pit.pid = process->pid;
    return restore_on_its_way_out(pit, *record, process != nullptr);
  }
  if (process != nullptr) {
    const bool swapping = record != nullptr && record->state == PitState::swapping;
    const bool ready =
        record != nullptr && record->instance == process->instance && (record->state == PitState::ready || swapping);
    pit.alive = true;
    pit.instance = process->instance;
    pit.pid = process->pid;
    if (record == nullptr) pit.started_with = fingerprint(pit.config);  // nobody knows of another
    pit.was_ready = ready;
    pit.ready_since_ns = now_ns_;
    pit.state = ready ? PitState::ready : PitState::starting;
    if (ready && swapping && !pit.removed) {  // one whose place was taken never goes on
      act(SendToPit{pit.index, pit.instance, control::Thaw{}, 0, 0, {}});
      record_pit(pit);  // after the word
    }
    if (!ready) set_timer(pit, now_ns_ + pit.config.restart.start_timeout_ns);
    return;
  }
  if (record == nullptr) return;
  if (record->state == PitState::quarantined || record->state == PitState::stopped) {
    pit.state = record->state;
  } else if (record->state != PitState::known) {
    pit.state = PitState::starting;  // its exit was told to a broker that is dead too
    pit.was_ready = record->state == PitState::ready || record->state == PitState::swapping;
    pit.ready_since_ns = now_ns_;
    note_death(pit, DeathCause::unseen, false, 0);
    failed(pit, "it ended while the broker was down");
  }
}

// What it was to become holds for this broker too. The word may have been lost with the last one: it is said again.
void BrokerCore::restore_on_its_way_out(Pit& pit, const PitRecord& record, bool alive) {
  pit.state = PitState::stopping;
  pit.after_exit = record.after_exit;
  pit.cause = record.cause;
  if (alive) {
    pit.alive = true;
    pit.is_wrong_about_needed = true;  // nobody says that it is not
    if (record.kill_at_ns == 0) return act(KillPit{pit.index, pit.instance});
    act(SendToPit{pit.index, pit.instance, control::Stop{record.kill_at_ns}, 0, 0, {}});
    return set_timer(pit, record.kill_at_ns);
  }
  note_death(pit, record.cause, false, 0);
  switch (record.after_exit) {
    case AfterExit::start_again:
      forget_failures(pit);
      return start(pit);
    case AfterExit::with_needed:
      return start(pit);
    case AfterExit::stop:
      return end_pit(pit, PitState::stopped, errc::closed, pit.reason);
    case AfterExit::quarantine:
      return never_again(pit, std::string(pit.reason));
    case AfterExit::restart:
      return failed(pit, pit.reason);
  }
}

void BrokerCore::restore_link(LinkId id, const LinkRecord& record) {
  Pit& pit = pits_[pits_[record.pit].moved_to.value_or(record.pit)];
  const bool alive = pit.alive && pit.instance == record.instance;
  if (record.attaching != 0 && alive) {  // was never open: the pit unmaps what it has of it
    act(SendToPit{pit.index, pit.instance, control::Drop{{config_.generation, id, record.attaching}, false}, 0, 0, {}});
  }
  if (record.open == 0) {
    act(DeleteRecord{link_key(id)});
    return;
  }
  Link& link = links_[id];
  link.id = id;
  link.pit = pit.index;
  link.uid = record.uid;
  link.recorded = true;
  link.instance = record.instance;
  link.open_epoch = record.open;
  link.epoch = std::max(record.open, record.attaching);
  link.last_id = record.last_id;
  link.request_capacity = record.request_capacity;
  link.heavy_barriers = record.heavy_barriers;
  link.reply_capacity_wanted = record.reply_capacity;
  link.home = record.home;
  link.state = record.attaching == 0 && alive ? LinkState::open : LinkState::waiting;
  pit.links.insert(id);
  conns_.at(0).links.insert(id);
  if (link.state == LinkState::open) keep_words(link);
  if (pit.index != record.pit) record_link(link);  // the place that it says may be another pit's soon
}

}  // namespace symphony::detail::broker
