// The shell round the core, and the keeper: what they do of an action, what they make an event of.
// After bus/broker/shell.cpp, shell_keeper.cpp and keeper.cpp, line for line where order matters.
#include <algorithm>
#include <cerrno>

#include "tests/proof/simulator/trace.hpp"
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
  std::erase_if(conns_, [](const auto& c) { return c->broker_closed && c->caller_closed; });
  std::erase_if(active_, [&](const Process* p) {
    return !p->alive && std::none_of(kept_.begin(), kept_.end(), [&](const Kept& k) { return k.process == p->id; });
  });
  core_ = std::make_unique<BrokerCore>(
      CoreConfig{pits_, generation_, options_.seed, 1000, by_path_, by_path_ ? 1 : 0, {}, letters_});
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
  feed(begin);
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
  asked_.clear();
  commands_.clear();
  words_.clear();
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
      feed(PitExited{word.pit, word.instance, word.value >= 256, word.value % 256});
      return check_exit(word.pit, word.value, before);
  }
}

// 0 is finished, 125 is never again; neither is tried once more.
void World::check_exit(PitIndex pit, int exit_status, PitState before) {
  if (!core_ || stopping_ || is_alone(pit) || core_->pits_[pit].removed) return;
  if (before != PitState::starting && before != PitState::ready && before != PitState::swapping) return;
  const PitState after = core_->pit_state(pit);
  if (exit_status == 0 && after != PitState::stopped) violation("a pit that has finished is started again");
  if (exit_status == 125 && after != PitState::quarantined) violation("a pit that failed for good is started again");
}

// ---- actions ----

void World::check_fds(const std::vector<FdName>& fds, LinkId link, Epoch epoch, std::uint32_t caller,
                      ProcessId process) {
  for (const FdName fd : fds) {
    if (fd == FdName::pit_pidfd || fd == FdName::handed_state) continue;
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
  ToCaller out{a.message, a.fds, a.link, a.epoch, nobody};
  if (std::find(a.fds.begin(), a.fds.end(), FdName::pit_pidfd) != a.fds.end()) {
    if (!adopted_[a.pit].known) return violation("an action names the descriptor of a process that is not there");
    out.process = adopted_[a.pit].process;
  }
  conn->to_caller.push(std::move(out));
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
  if (p.alive && !p.hung_up) p.from_broker.push(a.message);
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
  if (p.alive) pit_dies(p, true, 9);
}

void World::execute(const SpawnPit& a) {
  if (a.instance <= spawned_[a.pit]) violation("an instance's number comes twice");
  spawned_[a.pit] = a.instance;
  if (keeper_lost_) return;
  const bool is_durable = core_->config_of(a.pit).state.durability != Durability::none;
  if (is_durable) records_[state_key(a.pit, a.instance)] = {};  // the shell's: memory for its state
  journals_[a.pit].is_kept = is_durable;
  started_[a.pit] = {core_->config_of(a.pit).name, !core_->config_of(a.pit).calls.empty()};
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
      if (q->alive && q != &p && q->name == p.name && !q->frozen) violation("two processes of one pit serve");
    }
  }
  pits_ = a.slots;
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
