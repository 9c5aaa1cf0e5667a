// The shell round the core, and the keeper: their lives, and what they make an event of. What they do of an action is
// in actions.cpp. After bus/broker/shell.cpp, shell_files.cpp, shell_keeper.cpp and keeper.cpp, line for line where
// order matters.
#include <algorithm>
#include <cerrno>

#include "tests/proof/simulator/trace.hpp"
#include "tests/proof/simulator/world.hpp"

namespace symphony::proof {
namespace {

std::uint64_t hash_with(std::uint64_t hash, std::uint64_t word) { return (hash ^ word) * 0x100000001b3; }

}  // namespace

World::Segments* World::segments_of(LinkId link, Epoch epoch) {
  for (Segments& s : segments_) {
    if (s.link == link && s.epoch == epoch) return &s;
  }
  return nullptr;
}

Memory* World::memory_of(LinkId link, Epoch epoch) {
  for (auto m = memories_.rbegin(); m != memories_.rend(); ++m) {
    if ((*m)->link == link && (*m)->epoch == epoch) return m->get();
  }
  return nullptr;
}

World::LinkHistory* World::history_of(LinkId link) {
  for (const auto& h : histories_) {
    if (h->link == link) return h.get();
  }
  return nullptr;
}

Conn* World::conn_of(ConnId id) {
  for (const auto& c : conns_) {
    if (c->id == id) return c.get();
  }
  return nullptr;
}

// ---- the broker's life ----

void World::start_broker() {
  while (!spawns_.empty()) keeper_obeys();  // it reads to the end what the dead one told it
  ++generation_;
  copies_.clear();
  std::erase_if(conns_, [](const auto& c) { return c->broker_closed && c->caller_closed; });
  std::erase_if(active_, [&](const Process* p) {
    return !p->alive && std::none_of(kept_.begin(), kept_.end(), [&](const Kept& k) { return k.process == p->id; });
  });
  core_ = std::make_unique<BrokerCore>(
      CoreConfig{pits_, generation_, options_.seed, 1000, by_path_, by_path_ ? 1 : 0, {}, letters_, probations_});
  adopted_.assign(places_max, {});
  // A place of which nobody knows anything begins anew.
  for (PitIndex i = 0; i < places_max; ++i) {
    const bool is_known = records_.count(pit_key(i)) != 0 ||
                          std::any_of(kept_.begin(), kept_.end(), [&](const Kept& k) { return k.pit == i; });
    if (!is_known) spawned_[i] = told_dead_[i] = 0;
  }
  for (Process* p : active_) p->hang_up_told = false;  // its socket's end is there to be seen again
  Begin begin;
  for (const Kept& k : kept_) {
    begin.processes.push_back({k.pit, k.instance, static_cast<pid_t>(k.process + 1)});
    adopted_[k.pit] = {true, k.instance, k.process};
  }
  for (const auto& [key, blob] : records_) begin.records.push_back({key, blob});
  for (const Kept& k : kept_) {
    if (k.exited) words_.push({KeeperWord::Kind::exited, k.pit, k.instance, k.process, k.status});
  }
  std::erase_if(kept_, [](const Kept& k) { return k.exited; });
  const auto before = DeadLetters::decode(letters_);
  // Of those that died while no broker ran.
  std::vector<Probation> failed;
  for (const Probation& p : probations_) {
    const auto blob = records_.find(pit_key(p.pit));
    const auto record = blob == records_.end() ? std::nullopt : decode_pit(blob->second);
    if (!record || adopted_[p.pit].known || p.until_ns <= now_ns_) continue;
    const bool served =
        record->state == PitState::starting || record->state == PitState::ready || record->state == PitState::swapping;
    if (served) failed.push_back(p);
  }
  feed(begin);
  for (const Probation& p : failed) {
    if (!core_) break;
    check_rolled_back(p, "while no broker ran");
    ++seen.rolled_back_by_the_next;
  }
  if (!core_ || !before) return;
  const std::size_t kept = before->list("", 0, 100000).size(), found = core_->letters_.list("", 0, 100000).size();
  if (kept != found) violation("dead letters are lost with a broker");
}

void World::feed(const Event& event) {
  ++result_.core_steps;
  if (options_.tells) tell("-> " + text_of(event));
  core_->step(event, now_ns_);
  if (options_.traced) result_.hash = hash_with(result_.hash, core_->state_hash());
  // Killed between two actions: what is done stays done.
  std::uint64_t left = ~std::uint64_t{0};
  if (by_path_ && !heals_ && ((enabled_ >> static_cast<unsigned>(Fault::broker_killed_between_actions)) & 1) != 0 &&
      core_->actions_.size() > 1 && dice_.one_in(50)) {
    left = 1 + dice_.below(core_->actions_.size() - 1);
  }
  for (Action action; core_->pop(action);) {
    if (left-- == 0) {
      saw(Fault::broker_killed_between_actions);
      tell("!! broker killed between actions");
      return broker_dies();
    }
    if (options_.tells) tell("     " + text_of(action));
    std::visit([this](const auto& a) { execute(a); }, action);
    if (!core_) return;  // it has finished
  }
  if (std::holds_alternative<TimerFired>(event)) {
    for (const OpenAsked& asked : asked_) {
      if (asked.deadline_ns <= now_ns_) violation("an open is not answered by its deadline");
    }
    for (const CommandAsked& asked : commands_) {
      if (asked.deadline_ns <= now_ns_) violation("a command is not answered by its deadline");
    }
  }
  check_core();
}

void World::end_broker() {
  core_.reset();
  armed_ns_ = no_deadline_ns;
  local_.clear();
  segments_.clear();
  words_seen_.clear();
  asked_.clear();
  commands_.clear();
  words_.clear();
  for (Process* p : active_) p->is_told = false;
  for (const auto& c : conns_) {
    c->death_told = true;
    if (c->broker_closed) continue;
    c->broker_closed = true;
    // With something unread in its own queue, the socket's end is an error that comes before what stands in the other.
    if (!c->to_broker.empty() && !c->to_caller.empty()) {
      saw(Fault::broker_told_half);
      c->to_caller.keep(dice_.below(c->to_caller.size()));
    }
    c->to_broker.clear();
  }
}

void World::broker_dies() {
  end_broker();
  if (!stopping_) return;
  // The daemon was told to stop: it kills what is left instead of starting another broker.
  broker_over_ = true;
  spawns_.clear();
  for (std::size_t i = 0; i < active_.size(); ++i) {
    if (active_[i]->alive) pit_dies(*active_[i], true, 9);
  }
}

void World::execute(const Finished&) {
  for (const Process* p : active_) {
    if (p->alive && !keeper_lost_) violation("the broker has finished, and a pit lives");
  }
  if (!stopping_) violation("the broker has finished, and nobody stopped it");
  broker_over_ = true;
  end_broker();
}

// ---- events ----

// Each side's word on its part of an attach, as the broker reads it.
void World::note_said(const Message& message, std::uint32_t caller, ProcessId process) {
  const auto* mapped = std::get_if<control::Mapped>(&message);
  const auto* ready = std::get_if<control::Ready>(&message);
  if (mapped == nullptr && ready == nullptr) return;
  const control::Attachment& at = mapped != nullptr ? mapped->at : ready->at;
  Memory* const memory = memory_of(at.link, at.epoch);
  if (memory == nullptr) return;
  if (caller != nobody && memory->given_to_caller == caller) {
    (mapped != nullptr ? memory->caller_mapped : memory->caller_ready) = true;
  } else if (process != nobody && memory->given_to_process == process) {
    (mapped != nullptr ? memory->pit_mapped : memory->pit_ready) = true;
    if (ready != nullptr) memory->last_id = ready->last_id;
  }
}

// Whoever asked is gone.
void World::forget_asked(ConnId conn) {
  std::erase_if(asked_, [&](const OpenAsked& a) { return a.conn == conn; });
  std::erase_if(commands_, [&](const CommandAsked& a) { return a.conn == conn; });
}

void World::conn_says(Conn& conn) {
  if (!conn.accepted) {
    conn.accepted = true;
    return feed(CallerConnected{conn.id, conn.uid, conn.pit});
  }
  Message message = conn.to_broker.pop();
  if (std::holds_alternative<control::Welcome>(message)) {  // stands for what is no message
    forget_asked(conn.id);
    return feed(CallerFaulted{conn.id});
  }
  if (const auto* open = std::get_if<control::Open>(&message); open != nullptr && !callers_[conn.caller]->is_stranger) {
    std::erase_if(asked_, [&](const OpenAsked& a) {
      return a.conn == conn.id && (a.correlation == open->correlation || (open->link != 0 && a.link == open->link));
    });
    asked_.push_back({conn.id, open->correlation, open->link, open->deadline_ns});
  } else if (const auto* command = std::get_if<control::Command>(&message)) {
    commands_.push_back({conn.id, command->correlation, command->deadline_ns});
  } else if (const auto* close = std::get_if<control::Close>(&message)) {
    std::erase_if(asked_, [&](const OpenAsked& a) { return a.link == close->link && a.conn == conn.id; });
  }
  note_said(message, conn.caller, nobody);
  if (const auto* still = std::get_if<control::StandsStill>(&message);
      still != nullptr && !callers_[conn.caller]->is_stranger) {
    const auto link = core_->links_.find(still->at.link);
    if (link != core_->links_.end() && link->second.conn == conn.id) note_still(*still);
  }
  feed(CallerMessage{conn.id, std::move(message)});
}

// The socket's end or, of a caller by path, the process's, whichever the loop sees first; what was said is read.
void World::conn_ends(Conn& conn) {
  forget_asked(conn.id);
  const bool may_hang_up = conn.caller_closed && !conn.hang_up_told && !conn.broker_closed;
  const bool may_die = conn.by_path && conn.caller_dead && !conn.death_told;
  if (may_hang_up && !(may_die && dice_.one_in(2))) {
    conn.hang_up_told = true;
    return feed(CallerLeft{conn.id, !conn.by_path});
  }
  conn.death_told = conn.hang_up_told = true;
  feed(CallerLeft{conn.id, true});
}

void World::pit_says(Process& p) {
  Message message = p.to_broker.pop();
  if (std::holds_alternative<control::Welcome>(message)) {  // stands for what is no message: it is read no further
    p.hang_up_told = true;
    p.to_broker.clear();
    return feed(PitFaulted{p.pit, p.instance});
  }
  note_said(message, nobody, p.id);
  if (std::holds_alternative<control::PitReady>(message)) p.is_known_ready = true;
  const auto* drained = std::get_if<control::Drained>(&message);
  const control::Attachment at = drained != nullptr ? drained->at : control::Attachment{};
  const auto link = core_->links_.find(at.link);
  const bool was_open = drained != nullptr && link != core_->links_.end() && link->second.pit == p.pit &&
                        link->second.state == LinkState::open && link->second.epoch == at.epoch;
  feed(PitMessage{p.pit, p.instance, std::move(message)});
  if (!was_open || !core_) return;
  // The pit does not serve that epoch any more, and will not say so again: no later broker may take it for open.
  const auto blob = records_.find(link_key(at.link));
  const auto record = blob == records_.end() ? std::nullopt : decode_link(blob->second);
  if (record && record->open == at.epoch && record->attaching == 0) {
    violation("an epoch that was drained is on record as open");
  }
}

// ---- keeper ----

void World::keeper_obeys() {
  const SpawnPit spawn = spawns_.pop();
  const auto say = [&](KeeperWord::Kind kind, ProcessId process, int value) {
    if (core_) words_.push({kind, spawn.pit, spawn.instance, process, value});
  };
  if (meets(Fault::spawn_fails, 6)) return say(KeeperWord::Kind::failed, 0, EAGAIN);
  if (meets(Fault::spawn_fails_for_good, 24)) return say(KeeperWord::Kind::failed, 0, ENOENT);
  for (const Process* p : active_) {
    if (p->alive && p->pit == spawn.pit) violation("two instances of one pit run");
  }
  Journal& journal = journals_[spawn.pit];
  if (spawn.is_alone) {  // a copy of what the other keeps, of which nothing is owed here
    const Journal& other = journals_[spawn.state_pit];
    journal = Journal{other.is_kept, other.last, {}, {}};
  } else if (spawn.state_instance == 0 ||
             spawn.waits) {  // it begins with nothing, or with what it will be told to read
    journal = Journal{journal.is_kept, {}, {}, {}};
  }
  auto& p = *processes_.emplace_back(std::make_unique<Process>());
  p.id = Kernel::get().start_process();
  p.pit = spawn.pit;
  p.instance = spawn.instance;
  p.name = started_[spawn.pit].name;
  p.calls = started_[spawn.pit].calls;
  p.waits = spawn.waits;
  p.state_pit = spawn.state_pit;
  p.is_alone = spawn.is_alone;
  p.budgets = started_[spawn.pit].budgets;
  p.heeds_cancel = dice_.one_in(3);
  if (dice_.one_in(4)) p.protocol = control::protocol_of_watchdog - 1;
  active_.push_back(&p);
  kept_.push_back({p.pit, p.instance, p.id, false, 0});
  say(KeeperWord::Kind::spawned, p.id, static_cast<int>(p.id + 1));
}

void World::keeper_says() {
  const KeeperWord word = words_.pop();
  Process* const p = word.kind == KeeperWord::Kind::failed ? nullptr : processes_[word.process].get();
  AdoptedPit& adopted = adopted_[word.pit];
  switch (word.kind) {
    case KeeperWord::Kind::failed:
      told_dead_[word.pit] = std::max(told_dead_[word.pit], word.instance);
      return feed(SpawnFailed{word.pit, word.instance, word.value});
    case KeeperWord::Kind::spawned:
      adopted = {true, word.instance, word.process};
      return feed(PitSpawned{word.pit, word.instance, word.value});
    case KeeperWord::Kind::exited:
      if (adopted.known && adopted.instance == word.instance) {  // what it said before it died counts
        while (core_ && !p->to_broker.empty() && !p->hang_up_told) pit_says(*p);
        if (!core_) return;  // killed on the way: the word is lost with it
        adopted.known = false;
      }
      std::erase(active_, p);
      told_dead_[word.pit] = std::max(told_dead_[word.pit], word.instance);
      const PitState before = core_->pit_state(word.pit);
      const auto& pit = core_->pits_[word.pit];
      const bool is_asked = pit.state == PitState::stopping && pit.after_exit != AfterExit::restart &&
                            pit.after_exit != AfterExit::quarantine;
      const bool has_finished = pit.state != PitState::stopping && word.value == 0;
      const bool fails = pit.alive && pit.instance == word.instance && !is_asked && !has_finished && !stopping_;
      const Probation* const kept = fails && !keeper_lost_ ? probation_at(word.pit) : nullptr;
      const auto was = kept != nullptr && kept->until_ns > now_ns_ ? std::optional(*kept) : std::nullopt;
      feed(PitExited{word.pit, word.instance, word.value >= 256, word.value % 256});
      if (!was || !core_) return check_exit(word.pit, word.value, before);
      check_rolled_back(*was, "and its broker knew");
      ++seen.rolled_back;
      return;
  }
}

// As the next broker would find it.
const Probation* World::probation_at(PitIndex pit) const {
  const auto found =
      std::find_if(probations_.begin(), probations_.end(), [&](const Probation& p) { return p.pit == pit; });
  return found == probations_.end() ? nullptr : &*found;
}

void World::check_rolled_back(const Probation& was, const char* how) {
  const std::string text = std::string("a pit died on probation, ") + how + ", and ";
  if (core_->config_of(was.pit).executable != was.file) violation(text + "is started from its new file again");
  if (core_->pit_state(was.pit) != PitState::starting) violation(text + "is not started");
  if (probation_at(was.pit) != nullptr) violation(text + "is on probation still");
}

// 0 is finished, 125 is never again; neither is tried once more.
void World::check_exit(PitIndex pit, int exit_status, PitState before) {
  if (!core_ || stopping_ || is_alone(pit) || core_->pits_[pit].removed) return;
  if (before != PitState::starting && before != PitState::ready && before != PitState::swapping) return;
  const PitState after = core_->pit_state(pit);
  if (exit_status == 0 && after != PitState::stopped) violation("a pit that has finished is started again");
  if (exit_status == 125 && after != PitState::quarantined) violation("a pit that failed for good is started again");
}

}  // namespace symphony::proof
