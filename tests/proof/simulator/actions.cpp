// What the shell and the keeper do of each action of the core, and what must hold when the core asks for it.
// After bus/broker/shell.cpp, shell_files.cpp and shell_keeper.cpp, line for line where order matters.
#include <algorithm>
#include <cerrno>

#include "tests/proof/simulator/world.hpp"

namespace symphony::proof {
namespace {

bool is_read_only(FdName fd) { return fd == FdName::caller_segment_ro || fd == FdName::pit_segment_ro; }

// What a message is about, if it is about an attachment.
std::optional<control::Attachment> subject_of(const Message& message) {
  return std::visit(
      [](const auto& m) -> std::optional<control::Attachment> {
        if constexpr (requires { m.at; }) return m.at;
        return std::nullopt;
      },
      message);
}

}  // namespace

void World::check_fds(const std::vector<FdName>& fds, LinkId link, Epoch epoch, std::uint32_t caller,
                      ProcessId process) {
  for (const FdName fd : fds) {
    if (fd == FdName::pit_pidfd || fd == FdName::handed_state || fd == FdName::copy_of_state) continue;
    const Segments* const s = segments_of(link, epoch);
    if (s == nullptr || !s->made) return violation("an action names segments that are not there");
    if (is_read_only(fd) && !s->sealed) violation("a side gets the other's segment before the seal");
    Memory& memory = *memory_of(link, epoch);
    if (caller != nobody) {
      if (memory.given_to_caller != nobody && memory.given_to_caller != caller)
        violation("one epoch's segments go to two callers");
      memory.given_to_caller = caller;
    }
    if (process != nobody) {
      if (memory.given_to_process != nobody && memory.given_to_process != process)
        violation("one epoch's segments go to two processes");
      memory.given_to_process = process;
    }
  }
}

void World::check_named(PitIndex pit, std::uint32_t instance) {
  if (instance <= told_dead_[pit]) violation("an action names an instance that is dead, and the core knows it");
}

void World::execute(const SendToCaller& a) {
  if (const auto at = subject_of(a.message); at && at->generation != generation_) {
    violation("the broker speaks of another generation");
  }
  if (const auto* own = std::get_if<control::Own>(&a.message)) {
    for (OpenAsked& asked : asked_) {
      if (asked.conn == a.conn && asked.correlation == own->correlation) asked.link = own->at.link;
    }
    const auto record = records_.find(link_key(own->at.link));
    const auto link = record == records_.end() ? std::nullopt : decode_link(record->second);
    if (!keeper_lost_ && is_alone_link(own->at.link) != !link)
      violation("only a link to an instance alone is on no record");
    if (!keeper_lost_ && link && link->attaching != own->at.epoch) violation("an Own comes before its record");
  } else if (const auto* go = std::get_if<control::Go>(&a.message)) {
    const auto record = records_.find(link_key(go->at.link));
    const auto link = record == records_.end() ? std::nullopt : decode_link(record->second);
    if (!keeper_lost_ && !is_alone_link(go->at.link) && (!link || link->open != go->at.epoch || link->attaching != 0)) {
      violation("a Go comes before its record");
    }
    const Memory* const memory = memory_of(go->at.link, go->at.epoch);
    if (memory == nullptr || !memory->caller_ready || !memory->pit_ready) {
      violation("a Go comes before both sides are ready");
    } else if (memory->last_id != go->last_id) {
      violation("a Go names another last id than the pit");
    }
    std::erase_if(asked_, [&](const OpenAsked& asked) { return asked.link == go->at.link && asked.conn == a.conn; });
  } else if (const auto* refused = std::get_if<control::Refused>(&a.message)) {
    const auto answers = [&](const OpenAsked& asked) {
      return asked.conn == a.conn &&
             (asked.correlation == refused->correlation || (refused->link != 0 && asked.link == refused->link));
    };
    const Conn* const to = conn_of(a.conn);
    const bool is_honest = to != nullptr && !callers_[to->caller]->is_stranger;
    if (std::erase_if(asked_, answers) == 0 && refused->correlation != 0 && is_honest) {
      violation("an open is answered twice");
    }
  }
  if (const auto* answer = std::get_if<control::Answer>(&a.message)) {
    const auto is_it = [&](const CommandAsked& asked) {
      return asked.conn == a.conn && asked.correlation == answer->correlation;
    };
    if (std::erase_if(commands_, is_it) != 1) violation("a command is answered twice");
  }
  Conn* const conn = conn_of(a.conn);
  if (conn == nullptr || conn->broker_closed) return;
  check_fds(a.fds, a.link, a.epoch, conn->caller, nobody);
  if (std::holds_alternative<control::Own>(a.message)) check_needed(a, *conn);
  ToCaller out{a.message, a.fds, a.link, a.epoch, nobody};
  if (std::find(a.fds.begin(), a.fds.end(), FdName::pit_pidfd) != a.fds.end()) {
    if (!adopted_[a.pit].known) return violation("an action names the descriptor of a process that is not there");
    out.process = adopted_[a.pit].process;
  }
  conn->to_caller.push(std::move(out));
}

// No process of a pit that begins anew with what it needs says anything to two instances of that. A swap is none: the
// state goes along, and so the links.
void World::check_needed(const SendToCaller& a, const Conn& conn) {
  const ProcessId process = callers_[conn.caller]->process;
  if (!conn.pit || process == nobody || !processes_[process]->alive) return;  // what a dead one had still said
  if (core_->config_of(*conn.pit).restart.strategy != RestartStrategy::rest_for_one) return;
  const std::pair now{core_->config_of(a.pit).name, beginnings_[a.pit]};
  const auto [entry, is_first] = needed_.try_emplace(process, now);
  if (!is_first && entry->second.first == now.first && entry->second.second != now.second) {
    violation("a pit that is to begin anew speaks to the next instance of what it needs");
  }
  entry->second = now;
}

void World::execute(const DisconnectCaller& a) {
  forget_asked(a.conn);
  Conn* const conn = conn_of(a.conn);
  if (conn == nullptr) return;
  conn->broker_closed = true;
  conn->to_broker.clear();
}

void World::execute(const SendToPit& a) {
  check_named(a.pit, a.instance);
  if (const auto at = subject_of(a.message); at && at->generation != generation_) {
    violation("the broker speaks of another generation");
  }
  if (std::holds_alternative<control::CancelRequest>(a.message) && adopted_[a.pit].known &&
      processes_[adopted_[a.pit].process]->protocol < control::protocol_of_watchdog) {
    violation("a pit is told what it does not know");
  }
  if (const auto* own = std::get_if<control::Own>(&a.message)) {
    const auto record = records_.find(link_key(own->at.link));
    const auto link = record == records_.end() ? std::nullopt : decode_link(record->second);
    if (!keeper_lost_ && !is_alone_link(own->at.link) && (!link || link->attaching != own->at.epoch)) {
      violation("an Own comes before its record");
    }
  }
  const AdoptedPit& adopted = adopted_[a.pit];
  if (!adopted.known || adopted.instance != a.instance) return;
  check_fds(a.fds, a.link, a.epoch, nobody, adopted.process);
  Process& p = *processes_[adopted.process];
  if (!p.is_known_ready && std::holds_alternative<control::Own>(a.message)) {
    violation("a pit is given a link before it is ready");
  }
  if (std::holds_alternative<control::TakeState>(a.message)) p.was_told_to_take = true;
  const bool is_needed = core_->pits_[a.pit].cause == DeathCause::needed;
  seen.restarted_with_needed += std::holds_alternative<control::Stop>(a.message) && is_needed;
  check_rehearsal(a);
  if (p.alive && !p.hung_up) p.from_broker.push(a.message);
}

// What a rehearsal is for: nobody stands still before it has succeeded, and it is of a copy that is whole.
void World::check_rehearsal(const SendToPit& a) {
  const auto process_of = [&](PitIndex pit) {
    return adopted_[pit].known ? &*processes_[adopted_[pit].process] : nullptr;
  };
  const BrokerCore::Pit& pit = core_->pits_[a.pit];
  if (std::holds_alternative<control::Freeze>(a.message) && pit.swap && pit.swap->rehearses) {
    const Process* const heir = process_of(pit.swap->heir);
    if (heir == nullptr || !heir->was_rehearsed) violation("a pit stands still before its swap was rehearsed");
  }
  const auto* const rehearse = std::get_if<control::Rehearse>(&a.message);
  if (rehearse == nullptr || !pit.heir_of) return;
  const Process* const serves = process_of(*pit.heir_of);
  if (serves != nullptr && serves->copied != rehearse->number) violation("a copy is tried that was not written");
}

void World::execute(const ConnectPit& a) {
  check_named(a.pit, a.instance);
  const AdoptedPit& adopted = adopted_[a.pit];
  if (!adopted.known || adopted.instance != a.instance) return;
  Process& p = *processes_[adopted.process];
  if (!p.alive || p.hung_up) return;
  p.from_broker.push(control::CallerSocket{a.correlation, true});
  Caller& c = add_caller(1000, false);
  c.process = p.id;
  Conn& conn = add_conn(c);
  conn.pit = a.pit;
  conn.accepted = true;
  local_.push(CallerConnected{conn.id, conn.uid, conn.pit});
}

void World::execute(const KillPit& a) {
  check_named(a.pit, a.instance);
  const AdoptedPit& adopted = adopted_[a.pit];
  if (!adopted.known || adopted.instance != a.instance) return;
  Process& p = *processes_[adopted.process];
  if (p.alive && core_->pits_[a.pit].cause == DeathCause::hang) check_hang(core_->pits_[a.pit], p);
  if (p.alive) pit_dies(p, true, 9);
}

// What is seen of requests: as much as the shell has mapped.
void World::execute(const KeepWords& a) {
  const Segments* const s = segments_of(a.link, a.epoch);
  const auto blob = records_.find(link_key(a.link));
  const auto record = blob == records_.end() ? std::nullopt : decode_link(blob->second);
  if (s == nullptr && !keeper_lost_ && (!record || record->open != a.epoch || record->attaching != 0)) {
    violation("words are kept of an epoch that nobody holds");
  }
  // Where the segments are gone the keeper is asked.
  if (!words_seen_.try_emplace({a.link, a.epoch}, s != nullptr).second) violation("words are kept twice");
}

void World::execute(const ForgetWords& a) {
  if (words_seen_.erase({a.link, a.epoch}) == 0) violation("words are forgotten twice");
}

void World::execute(const LookAtPit& a) {
  check_named(a.pit, a.instance);
  PitSeen out{a.pit, a.instance, true, {}};
  const AdoptedPit& adopted = adopted_[a.pit];
  if (adopted.known && adopted.instance == a.instance) {
    const Process& p = *processes_[adopted.process];
    out.is_stopped = p.stopped || !p.alive;
  }
  for (const auto& [link, epoch] : a.links) {
    const auto words = words_seen_.find({link, epoch});
    if (words == words_seen_.end()) {
      violation("the broker looks at words that it did not keep");
      continue;
    }
    const Memory* const m = memory_of(link, epoch);
    if (m != nullptr && words->second) {
      out.waits |= m->begun == m->handled && m->requests.size() * record_size > m->handled;
      out.progress += m->handled;
    }
    const std::size_t index = m == nullptr ? 0 : m->handled / record_size;
    const bool executes = m != nullptr && m->begun == m->handled + record_size && index < m->requests.size();
    if (executes && words->second) {
      const Request& request = m->requests[index];
      out.executing.push_back({epoch, m->begun, {link, request.id, request.type, 4, 0}});
    }
  }
  local_.push(std::move(out));
  if (dice_.one_in(2)) return;
  for (auto& [of, is_mapped] : words_seen_) is_mapped = true;  // the keeper has answered meanwhile
}

// A caller says that it waits: where the broker can see what for, the pit is replaced.
void World::note_still(const control::StandsStill& still) {
  const auto link = core_->links_.find(still.at.link);
  if (link == core_->links_.end() || link->second.state != LinkState::open || link->second.epoch != still.at.epoch)
    return;
  const BrokerCore::Pit& pit = core_->pits_[link->second.pit];
  const auto seen_here = words_seen_.find({still.at.link, still.at.epoch});
  for (Process* p : active_) {
    if (p->pit == pit.index && p->alive && p->hung && p->stage == Process::Stage::idle) {
      const Memory* const m = memory_of(still.at.link, still.at.epoch);
      const bool waits = m != nullptr && m->begun == m->handled && m->requests.size() * record_size > m->handled;
      const bool is_served =
          std::any_of(p->links.begin(), p->links.end(), [&](const auto& l) { return l.memory == m; });
      p->is_told |= waits && is_served && seen_here != words_seen_.end() && seen_here->second;
      continue;
    }
    const auto words = words_seen_.find({p->working_at.link, p->working_at.epoch});
    if (p->pit != link->second.pit || !p->alive || !p->hung || words == words_seen_.end()) continue;
    p->is_told = p->is_told || words->second;
  }
}

// Of a pit that is killed for standing still: it did, in that request, for as long as it had, and while it could run.
void World::check_hang(const BrokerCore::Pit& pit, const Process& p) {
  if (!pit.hung_on) return;                                          // an earlier broker's doing
  const bool was_stopped = p.stopped && p.stopped_at_ns != now_ns_;  // and not since the look
  if (was_stopped) violation("a pit is killed for standing still while it is stopped");
  // Of the words that the broker looks at, those of that link, or of any: whether it wrote what it liked into them, and
  // so has itself to blame; whether it let go of the link and told so a broker that died, so that requests wait there
  // for ever.
  const auto any_seen = [&](LinkId of, auto&& is_so) {
    return std::any_of(memories_.begin(), memories_.end(), [&](const auto& m) {
      return m->given_to_process == p.id && (of == 0 || m->link == of) && words_seen_.count({m->link, m->epoch}) != 0 &&
             is_so(*m);
    });
  };
  if (any_seen(pit.hung_on->link, [](const Memory& m) { return m.is_scribbled; })) return;
  if (pit.hung_on->link == 0) {  // in whatever
    const bool nobody_knows = any_seen(0, [](const Memory& m) { return m.is_reported; });
    if (!pit_has_work(p) && !p.hung && !nobody_knows) {
      violation("a pit is killed for standing still that has nothing to do");
    }
    seen.hung_in_timers += p.hung && p.stage == Process::Stage::idle;
    return;
  }
  if (p.stage == Process::Stage::idle || p.working_at.link != pit.hung_on->link || p.working_on.id != pit.hung_on->id) {
    return violation("a pit is killed for standing still in a request that it does not execute");
  }
  const TimeNs budget = p.budgets.of(p.working_on.type);
  if (budget == 0)
    return violation("a pit is killed for standing still in a request that may take as long as it likes");
  const TimeNs grace = p.protocol < control::protocol_of_watchdog ? 0 : std::min(budget, cancel_grace_max_ns);
  const TimeNs stood = now_ns_ - p.begun_at_ns - p.stopped_ns - p.froze_ns;
  // What happens between two looks and is over at the second one is not seen.
  const auto unseen = static_cast<TimeNs>(p.stops + p.jumps);
  const TimeNs every = std::clamp(p.budgets.smallest() / 8, look_every_min_ns, look_every_max_ns);
  if (stood + 2 * every * unseen < budget + grace) violation("a pit is killed for standing still before its time");
  ++seen.hung;
}

void World::execute(const SpawnPit& a) {
  if (a.instance <= spawned_[a.pit]) violation("an instance's number comes twice");
  spawned_[a.pit] = a.instance;
  if (!a.is_alone) beginnings_[a.pit] = a.waits ? beginnings_[a.state_pit] : ++last_beginning_;
  if (keeper_lost_) return;
  const bool is_durable = core_->config_of(a.pit).state.durability != Durability::none;
  if (is_durable) records_[state_key(a.pit, a.instance)] = {};  // the shell's: memory for its state
  journals_[a.pit].is_kept = is_durable;
  started_[a.pit] = {core_->config_of(a.pit).name, !core_->config_of(a.pit).calls.empty(),
                     core_->config_of(a.pit).budgets};
  if (!is_durable && a.waits) records_[state_key(a.pit, 0)] = {};
  if (is_durable && a.state_instance != 0 && records_.count(state_key(a.state_pit, a.state_instance)) == 0) {
    violation("an instance is to begin with a state that nobody holds");
  }
  spawns_.push(a);
}

// What there is to keep in a file is the shell's to know; here it can only fail.
void World::execute(const KeepState& a) {
  if (meets(Fault::state_not_kept, 12)) local_.push(StateFailed{a.pit, a.instance, "no folder"});
}

// Whoever configures this broker has changed something, or not.
void World::execute(const ReadConfig& a) {
  ConfigRead read{a.conn, a.correlation, {}, in_use(pits_)};
  if (dice_.one_in(4)) read.trouble = "a manifest that makes no sense";
  if (dice_.one_in(2)) read.pits[dice_.below(read.pits.size())].args = {std::to_string(dice_.below(100))};
  local_.push(std::move(read));
}

// Who takes over is in it: from here on it is the pit.
void World::execute(const KeepConfig& a) {
  for (PitIndex i = 0; i < a.slots.size(); ++i) {
    const bool is_new = !a.slots[i].name.empty() && (i >= pits_.size() || pits_[i].name.empty());
    if (!is_new || !adopted_[i].known) continue;
    const Process& p = *processes_[adopted_[i].process];
    if (p.waits && !p.was_told_to_take) violation("a pit takes over without the state");
    if (p.waits && !p.lies && !p.took_whole_state) violation("a pit takes over with the state of one that went on");
    for (const Process* q : active_) {
      const bool only_waits = q->waits && q->links.empty() && q->forming.empty();  // of a swap that is over, and to end
      if (q->alive && q != &p && q->name == p.name && !q->frozen && !only_waits) {
        violation("two processes of one pit serve");
      }
    }
  }
  for (const Probation& p : probations_) {
    const bool goes_on = p.pit < a.slots.size() && pits_[p.pit] == a.slots[p.pit];
    if (goes_on && std::find(a.probations.begin(), a.probations.end(), p) == a.probations.end()) ++seen.passed;
  }
  for (const Probation& p : a.probations) {
    const PitConfig& pit = a.slots.at(p.pit);
    if (pit.name.empty() || pit.executable == p.file) violation("a pit is on probation without a file to go back to");
  }
  pits_ = a.slots;
  probations_ = a.probations;
  while (pits_.back().name.empty()) pits_.pop_back();  // places for messages alone
}

void World::execute(const MakeSegments& a) {
  if (segments_of(a.link, a.epoch) != nullptr) violation("segments of an epoch are made twice");
  LinkHistory* history = history_of(a.link);
  const auto found = core_->links_.find(a.link);
  if (found == core_->links_.end()) {  // its deadline was over in the same step: they are forgotten in it too
    segments_.push_back({a.link, a.epoch, false, false});
    return;
  }
  const BrokerCore::Link& link = found->second;
  const Conn* const conn = conn_of(link.conn);
  if (conn == nullptr) return violation("segments are made for nobody");
  if (history == nullptr) {
    history = histories_.emplace_back(std::make_unique<LinkHistory>()).get();
    history->link = a.link;
    history->caller = conn->caller;
  }
  // A stranger may ask for the number of a link that is gone; nobody else knows it.
  if (history->caller != conn->caller && !callers_[conn->caller]->is_stranger &&
      !callers_[history->caller]->is_stranger) {
    violation("the number of a link serves another caller");
  }
  history->caller = conn->caller;
  history->pit = link.pit;
  const bool was_away = std::exchange(history->is_away, !link.home.empty());
  seen.stood_in += history->is_away;
  seen.came_home += was_away && !history->is_away;
  if (a.epoch <= history->last_epoch) violation("an epoch's number comes twice, or goes back");
  history->last_epoch = a.epoch;
  Segments& s = segments_.emplace_back();
  s.link = a.link;
  s.epoch = a.epoch;
  if (meets(Fault::segments_fail, 12)) {
    local_.push(SegmentsFailed{a.link, a.epoch, dice_.one_in(2) ? EMFILE : ENOMEM});
    return;
  }
  s.made = true;
  Memory& memory = *memories_.emplace_back(std::make_unique<Memory>());
  memory.link = a.link;
  memory.epoch = a.epoch;
  local_.push(SegmentsMade{a.link, a.epoch});
}

void World::execute(const SealSegments& a) {
  Segments* const s = segments_of(a.link, a.epoch);
  if (s == nullptr) return violation("segments are sealed that are not there");
  const Memory* const memory = memory_of(a.link, a.epoch);
  if (memory == nullptr || !memory->caller_mapped || !memory->pit_mapped) {
    violation("segments are sealed before both sides have mapped theirs");
  }
  if (meets(Fault::seal_fails, 12)) {
    local_.push(SegmentsFailed{a.link, a.epoch, EMFILE});
    return;
  }
  s->sealed = true;
  local_.push(SegmentsSealed{a.link, a.epoch});
}

void World::execute(const ForgetSegments& a) {
  const auto is_it = [&](const Segments& s) { return s.link == a.link && s.epoch == a.epoch; };
  if (std::erase_if(segments_, is_it) == 0) violation("segments are forgotten twice");
}

void World::execute(const PutRecord& a) {
  check_fds(a.fds, a.link, a.epoch, nobody, nobody);
  if (a.blob.size() > record_size_max) violation("a record is too long for the keeper");
  if (!keeper_lost_) records_[a.key] = a.blob;
}

void World::execute(const DeleteRecord& a) {
  if (records_.erase(a.key) == 0 && !keeper_lost_) violation("a record is deleted that is not there");
}

void World::execute(const ArmTimer& a) { armed_ns_ = a.at_ns; }

}  // namespace symphony::proof
