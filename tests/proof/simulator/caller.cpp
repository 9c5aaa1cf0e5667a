// A program that calls: CallerControl and LinkCore as bus/endpoint has them, round the real CallerLinks.
#include <algorithm>

#include "tests/proof/simulator/world.hpp"

namespace symphony::proof {
namespace {

using detail::Verdict;

constexpr std::uint64_t no_progress_bound = ~std::uint64_t{0};
constexpr std::size_t calls_max = 4, owners_max = 3;
constexpr TimeNs deadlines[] = {5 * ms_ns, 200 * ms_ns, 3 * second_ns, 30 * second_ns};

}  // namespace

// ---- the control thread: caller_control.cpp, caller_reconnect.cpp ----

Caller& World::add_caller(uid_t uid, bool by_path) {
  auto& c = *callers_.emplace_back(std::make_unique<Caller>(static_cast<std::uint32_t>(callers_.size()), uid));
  c.by_path = by_path;
  c.notices_late = dice_.one_in(3);
  return c;
}

// A socket, and the hello on it.
Conn& World::add_conn(Caller& c) {
  auto& conn = *conns_.emplace_back(std::make_unique<Conn>());
  conn.id = next_conn_++;
  conn.caller = c.index;
  conn.uid = c.uid;
  conn.by_path = c.by_path;
  c.conn = &conn;
  c.state = Caller::State::greeting;
  control::Hello hello;
  hello.clock_ns = now_ns_;
  if (c.is_stranger) {
    for (std::uint64_t n = dice_.below(4); n != 0; --n) {
      const control::Attachment at = some_attachment();
      hello.links.push_back({at.link, at.epoch});
    }
  } else {
    hello.links = c.told_held = c.links->held();
    if (by_path_ && meets(Fault::caller_has_another_clock, 40)) hello.clock_ns += 3600 * second_ns;
  }
  conn.to_broker.push(std::move(hello));
  return conn;
}

void World::caller_connects(Caller& c) { add_conn(c); }

void World::caller_hears(Caller& c) {
  if (c.conn->to_caller.empty()) return caller_loses_broker(c);
  ToCaller got = c.conn->to_caller.pop();
  if (c.is_stranger) return stranger_hears(c, got);
  std::vector<UniqueFd> fds;
  for (const FdName name : got.fds) {
    if (c.state != Caller::State::greeting)
      fds.push_back(Kernel::get().open({.name = name, .link = got.link, .epoch = got.epoch, .process = got.process}));
  }
  if (std::holds_alternative<control::Welcome>(got.message)) {
    if (c.state != Caller::State::greeting) violation("a second welcome");
    c.state = Caller::State::connected;
    c.broker.connect(c.conn->to_broker);
    if (c.by_path) c.links->ask_again(c.told_held);
  } else if (c.state == Caller::State::greeting) {
    if (std::holds_alternative<control::Refused>(got.message)) return caller_loses_broker(c);
    violation("something comes before the welcome");
  } else if (const auto* own = std::get_if<control::Own>(&got.message)) {
    if (meets(Fault::caller_cannot_map, 16)) Kernel::get().fail_next_map();
    c.links->on_own(*own, std::move(fds));
  } else if (const auto* peer = std::get_if<control::Peer>(&got.message)) {
    if (meets(Fault::caller_cannot_map, 24)) Kernel::get().fail_next_map();
    c.links->on_peer(*peer, std::move(fds));
  } else if (const auto* go = std::get_if<control::Go>(&got.message)) {
    c.links->on_go(*go);
  } else if (const auto* drop = std::get_if<control::Drop>(&got.message)) {
    c.links->on_drop(*drop);
  } else if (const auto* refused = std::get_if<control::Refused>(&got.message)) {
    c.links->on_refused(*refused);
  }
  (void)Kernel::get().take_map_failure();
}

void World::caller_loses_broker(Caller& c) {
  c.conn->caller_closed = true;
  c.conn = nullptr;
  c.broker.disconnect();
  c.links->forget_forming();
  c.state = Caller::State::apart;
  if (c.by_path) return;
  c.links->end_all({errc::unreachable, 0, "the broker is gone"});
  c.state = Caller::State::over;
}

// hear()
void World::caller_is_told(Caller& c) {
  for (const Message& word : std::exchange(c.words, {})) {
    c.broker.send(word);
    if (dice_.one_in(4)) c.broker.send(word);  // it costs nobody else anything
  }
  const auto told = std::exchange(c.told, {});
  for (const auto& [at, is_fault] : told) {
    if (is_fault) {
      c.links->report_fault(at, detail::RingFault::bad_check);
    } else {
      c.links->close(at.link);
    }
  }
}

void World::caller_dies(Caller& c) {
  c.alive = false;
  c.conn = nullptr;
  for (const auto& conn : conns_) {
    if (conn->caller == c.index) conn->caller_closed = conn->caller_dead = true;
  }
  Kernel::get().forget_watches(c.index);
  c.owners.clear();
  c.links.reset();
}

// ---- the threads that own links ----

void World::caller_runs(Caller& c) {
  const auto own = static_cast<std::size_t>(
      std::count_if(c.owners.begin(), c.owners.end(), [](const auto& o) { return o->alone_for == 0; }));
  const bool may_open = !heals_ && own < owners_max && (c.broker || c.by_path);
  if (may_open && (c.owners.empty() || dice_.one_in(12))) {
    return open_link(c, c.process != nobody ? "pit1" : some_name());
  }
  if (!heals_ && c.state == Caller::State::connected && dice_.one_in(commands_every_)) return command(c);
  if (c.owners.empty()) return;
  const std::size_t first = dice_.below(c.owners.size());
  for (std::size_t n = 0; n < c.owners.size(); ++n) {
    const std::size_t i = (first + n) % c.owners.size();
    if (heals_ && !owner_has_work(*c.owners[i])) continue;
    if (!owner_runs(c, *c.owners[i])) c.owners.erase(c.owners.begin() + static_cast<std::ptrdiff_t>(i));
    return;
  }
}

// An operator's, of which every program of this user may be one.
void World::command(Caller& c) {
  using control::Verb;
  constexpr Verb verbs[] = {Verb::start, Verb::start,  Verb::start, Verb::stop, Verb::restart, Verb::restart,
                            Verb::show,  Verb::reload, Verb::swap,  Verb::swap, Verb::swap,    Verb::swap,
                            Verb::swap,  Verb::swap,   Verb::swap,  Verb::swap, Verb::swap};
  control::Command m;
  m.correlation = (std::uint64_t{1} << 32) + next_command_++;
  m.verb = commands_every_ < 20 ? Verb::swap : verbs[dice_.below(std::size(verbs))];
  m.pit = some_name();
  constexpr const char* files[] = {"", "/pit", "/other", "/third", "/fourth"};
  if (m.verb == Verb::swap) m.file = files[dice_.below(std::size(files))];
  if (!m.file.empty() && !dice_.one_in(4)) m.probation_ns = dice_.one_in(4) ? 20 * ms_ns : 5 * second_ns;
  if (m.verb == Verb::swap && dice_.one_in(2)) m.grace_ns = 20 * ms_ns;
  m.rehearse = m.verb == Verb::swap && dice_.one_in(4);
  m.deadline_ns = now_ns_ + deadlines[1 + dice_.below(3)];
  saw(Fault::operator_commands);
  c.conn->to_broker.push(std::move(m));
}

// A pit moves to another place when it is swapped; its name stays.
const std::string& World::some_name() {
  const PitConfig* some = nullptr;
  do some = &pits_[dice_.below(pits_.size())];
  while (some->name.empty());
  return some->name;
}

void World::open_link(Caller& c, const std::string& pit) {
  caller_is_told(c);
  auto& o = *c.owners.emplace_back(std::make_unique<Owner>());
  o.serial = next_serial_++;
  o.attempts_max = dice_.one_in(4) ? 1 : 3;
  o.opening.pit = pit;
  o.opening.options.waiting = Waiting::sleep;
  o.deadline_ns = now_ns_ + deadlines[dice_.below(4)];
  o.correlation = c.links->begin_opening(o.opening, o.deadline_ns);
}

bool World::owner_has_work(const Owner& o) const {
  if (o.wants_close) return true;
  if (o.phase == Owner::Phase::opening) {
    return o.opening.attached != nullptr || o.opening.failure.has_value() || o.deadline_ns <= now_ns_;
  }
  if (o.opening.mailbox->has_mail()) return true;
  if (waits_for_pit(o) && o.next_look_ns <= now_ns_) return true;
  if (o.phase == Owner::Phase::open && o.memory->replies_taken < o.memory->replies.size()) return true;
  if (o.alone_for != 0) {
    return !o.alone_sent || o.alone_harmless || o.phase == Owner::Phase::ended ||
           o.alone_call.request.deadline_ns <= now_ns_;
  }
  return std::any_of(o.calls.begin(), o.calls.end(), [&](const SimCall& call) {
    return call.request.deadline_ns <= now_ns_ ||
           (o.phase == Owner::Phase::open && call.state == SimCall::State::queued);
  });
}

bool World::owner_runs(Caller& c, Owner& o) {
  if (o.alone_for != 0) return alone_runs(c, o);
  if (o.phase == Owner::Phase::opening) {
    const bool is_decided = o.opening.attached != nullptr || o.opening.failure.has_value();
    if (!is_decided && o.deadline_ns > now_ns_ && !o.wants_close) return true;
    c.links->end_opening(o.correlation, o.opening);
    if (!o.opening.attached) return false;
    o.link = o.opening.attached->at.link;
    on_new_epoch(c, o, std::move(o.opening.attached));
    return true;
  }
  progress(c, o);
  end_overdue(o);
  look_at_pit(c, o);
  if (o.wants_close || (!heals_ && dice_.one_in(o.phase == Owner::Phase::ended ? 4 : 60))) {
    close_owner(c, o);
    return false;
  }
  if (!heals_ && o.calls.size() < calls_max) start_call(o);
  return true;
}

void World::progress(Caller& c, Owner& o) {
  if (o.opening.mailbox->has_mail()) {
    for (detail::LinkEvent& event : o.opening.mailbox->take()) {
      if (const auto* died = std::get_if<detail::link_event::PeerDied>(&event)) {
        on_peer_died(o, died->epoch);
      } else if (auto* fresh = std::get_if<detail::link_event::NewEpoch>(&event)) {
        on_new_epoch(c, o, std::move(fresh->attached));
      } else {
        const auto& ended = std::get<detail::link_event::Ended>(event);
        if (o.phase == Owner::Phase::open) on_peer_died(o, o.attached->at.epoch);
        if (o.phase == Owner::Phase::ended) continue;
        detail::DeadEpoch dead = autopsy(o);
        if (!ended.pit_is_dead) dead.begun = no_progress_bound;
        o.phase = Owner::Phase::ended;
        for (SimCall& call : o.calls) {
          if (call.state != SimCall::State::sent) continue;
          if (ended.pit_is_dead) note_executing(c, call, o.attached->at, dead);
          (void)end_by_verdict(c, o, call, judged(o, call, dead, 0));
        }
        for (SimCall& call : o.calls) {
          if (call.state == SimCall::State::sent || call.state == SimCall::State::queued) {
            end_call(o, call, ended.status);
          }
        }
      }
    }
  }
  if (o.phase != Owner::Phase::open) return;
  take_replies(o);
  for (SimCall& call : o.calls) {
    if (call.state == SimCall::State::queued) send(o, call);
  }
}

void World::on_peer_died(Owner& o, Epoch epoch) {
  if (o.phase != Owner::Phase::open || o.attached->at.epoch != epoch) return;
  o.phase = Owner::Phase::down;
  take_replies(o);
}

detail::DeadEpoch World::autopsy(Owner& o) {
  o.phase = Owner::Phase::down;
  take_replies(o);
  const std::uint64_t freed = o.memory->freed;
  const std::uint64_t handled = std::max(o.memory->handled, freed);
  return {std::max(o.memory->begun, handled), handled, freed, o.faulted ? Trust::hostile : o.attached->trust};
}

void World::on_new_epoch(Caller& c, Owner& o, std::unique_ptr<detail::Attached> attached) {
  if (o.phase == Owner::Phase::ended) return;
  detail::DeadEpoch dead;
  const bool is_first = !o.attached;
  if (!is_first) dead = autopsy(o);
  if (!is_first && attached->at.epoch <= o.attached->at.epoch) violation("a link gets an epoch that is not newer");
  const control::Attachment before = is_first ? control::Attachment{} : o.attached->at;
  o.attached = std::move(attached);
  o.memory = memory_of(o.attached->at.link, o.attached->at.epoch);
  o.faulted = false;
  o.phase = Owner::Phase::open;
  o.next_look_ns = 0;
  if (is_first) return;
  for (SimCall& call : o.calls) {  // D4
    if (call.state != SimCall::State::sent) continue;
    const Verdict verdict = judged(o, call, dead, o.attached->last_id);
    if (verdict == Verdict::in_state) {
      call.was_in_state = true;
      continue;
    }
    note_executing(c, call, before, dead);
    if (end_by_verdict(c, o, call, verdict)) continue;
    if (verdict == Verdict::attempt_alone && o.alone_for == 0) {
      try_alone(c, o, call);
      continue;
    }
    if (verdict == Verdict::attempt_again) ++call.attempt;
    send(o, call);
  }
  for (SimCall& call : o.calls) {
    if (call.state == SimCall::State::queued) send(o, call);
  }
}

void World::note_executing(Caller& c, const SimCall& call, const control::Attachment& at,
                           const detail::DeadEpoch& dead) {
  if (call.was_in_state) return;
  const std::uint64_t handled = dead.trust == Trust::hostile ? dead.freed : dead.handled;
  if (call.position < handled || call.position >= dead.begun) return;
  c.words.emplace_back(
      control::Executing{at, call.request.id, call.request.type, 4, call.attempt, call.request.effect});
}

Verdict World::judged(const Owner& o, const SimCall& call, const detail::DeadEpoch& dead, std::uint64_t last_id) {
  Verdict verdict = judge({call.request.id, call.position, call.request.effect, call.attempt, call.was_in_state}, dead,
                          last_id, o.attempts_max);
  if (o.alone_for != 0 && verdict == Verdict::attempt_alone) verdict = Verdict::attempt_again;
  ++seen.verdicts[static_cast<std::size_t>(verdict)];
  return verdict;
}

bool World::end_by_verdict(Caller& c, Owner& o, SimCall& call, Verdict verdict) {
  if (verdict == Verdict::crashed) return end_call(o, call, status::crashed), true;
  if (verdict == Verdict::crashed_accepted) return end_call(o, call, status::crashed_accepted), true;
  if (verdict == Verdict::poisoned) {
    park(c, o.link, call, AloneOutcome::not_run, 0);
    return end_call(o, call, status::poisoned), true;
  }
  return false;
}

void World::take_replies(Owner& o) {
  Memory& m = *o.memory;
  while (m.replies_taken < m.replies.size()) {
    const std::uint64_t id = m.replies[m.replies_taken++];
    for (SimCall& call : o.calls) {
      if (call.request.id == id && call.state == SimCall::State::sent) end_call(o, call, status::ok);
    }
  }
  std::erase_if(o.calls, [](const SimCall& call) { return call.state == SimCall::State::ended; });
}

void World::send(Owner& o, SimCall& call) {
  call.state = SimCall::State::sent;
  call.position = o.memory->requests.size() * record_size;
  o.memory->requests.push_back(call.request);
}

// Whether look_at_pit() has anything to look at.
bool World::waits_for_pit(const Owner& o) const {
  return o.phase == Owner::Phase::open && o.attached->look_after_ns != 0 &&
         std::any_of(o.calls.begin(), o.calls.end(),
                     [](const SimCall& call) { return call.state == SimCall::State::sent; });
}

// LinkCore's of the same name.
void World::look_at_pit(Caller& c, Owner& o) {
  if (!waits_for_pit(o) || now_ns_ < o.next_look_ns) return;
  const TimeNs after = o.attached->look_after_ns;
  const std::uint64_t handled = o.memory->handled;
  const bool waits = handled != o.memory->requests.size() * record_size;
  const bool stands_still = waits && o.next_look_ns != 0 && handled == o.handled_then;
  o.handled_then = handled;
  o.next_look_ns = now_ns_ + (stands_still ? std::max(after, second_ns) : after);
  if (stands_still) c.words.emplace_back(control::StandsStill{o.attached->at});
}

void World::start_call(Owner& o) {
  if (o.phase == Owner::Phase::ended) return;
  SimCall& call = o.calls.emplace_back();
  ++seen.calls;
  call.request.id = o.next_id++;
  call.request.effect = dice_.one_in(2) ? Effect::once : dice_.one_in(2) ? Effect::read : Effect::idempotent;
  call.request.deadly = meets(Fault::pit_dies_of_a_message, 12);
  call.request.later = dice_.one_in(5);
  call.request.type = static_cast<std::uint32_t>(1 + dice_.below(3));
  // That it may: whether it does is for the pit to say.
  call.request.hangs = !heals_ && ((enabled_ >> static_cast<unsigned>(Fault::pit_hangs)) & 1) != 0 && dice_.one_in(16);
  call.request.deadline_ns = now_ns_ + deadlines[dice_.below(4)];
  const bool waits = std::any_of(o.calls.begin(), o.calls.end() - 1,
                                 [](const SimCall& other) { return other.state == SimCall::State::queued; });
  if (o.phase == Owner::Phase::open && !waits) send(o, call);
}

void World::end_call(Owner& o, SimCall& call, CallStatus ending) {
  if (call.state == SimCall::State::ended) violation("a call ends twice");
  call.state = SimCall::State::ended;
  if (ending != status::ok) return;
  ++seen.answered;
  o.alone_harmless = true;
  const LinkHistory* const history = history_of(o.link);
  if (history == nullptr || history->ran.size() <= call.request.id || history->ran[call.request.id] == 0) {
    violation("a call ends well that was never run");
  }
}

void World::end_overdue(Owner& o) {
  for (SimCall& call : o.calls) {
    if (call.state != SimCall::State::ended && call.request.deadline_ns <= now_ns_) end_call(o, call, status::deadline);
  }
  std::erase_if(o.calls, [](const SimCall& call) { return call.state == SimCall::State::ended; });
}

void World::close_owner(Caller& c, Owner& o) {
  if (o.phase == Owner::Phase::open) take_replies(o);
  for (SimCall& call : o.calls) {
    if (call.state != SimCall::State::ended) end_call(o, call, status::closed);
  }
  cancel_alone(c, o);
  c.told.emplace_back(o.attached->at, false);
}

// ---- one that says what it likes, about links that are not its own ----

void World::stranger_says(Caller& c) {
  const control::Attachment at = dice_.one_in(2) ? c.seen : some_attachment();
  const auto say = [&](Message m) { c.conn->to_broker.push(std::move(m)); };
  saw(Fault::caller_speaks_of_others);
  switch (dice_.below(14)) {
    case 0:
      return say(control::Mapped{at});
    case 1:
      return say(control::Ready{at, dice_.below(100)});
    case 2:
      return say(control::MapFailed{at, 12});
    case 3:
      return say(control::PeerFault{at, 1});
    case 4:
      return say(control::Close{at.link});
    case 5:
      return say(control::StatusQuery{1});
    case 6:
      return dice_.one_in(4) ? say(control::Hello{1, 1, now_ns_, {{at.link, at.epoch}}}) : say(control::Mapped{c.seen});
    case 7:
      return say(control::Ready{c.seen, 0});
    case 8:
      return say(control::Executing{at, 1 + dice_.below(3), 1, 4, 0, Effect::read});
    case 9:
      return say(control::Park{at.link, 1 + dice_.below(3), 1, 4, 2, Effect::read, AloneOutcome::not_run, 0, {}});
    case 13:
      return say(control::StandsStill{at});
    case 10:
      return say(control::Open{1 + dice_.below(100), pits_[dice_.below(pits_.size())].name, 0, 0, 0,
                               now_ns_ + deadlines[dice_.below(4)], false, true});
    default:
      return say(control::Open{1 + dice_.below(100), some_name(), dice_.one_in(2) ? 0 : at.link, 0, 0,
                               now_ns_ + deadlines[dice_.below(4)]});
  }
}

void World::stranger_hears(Caller& c, const ToCaller& got) {
  if (const auto* own = std::get_if<control::Own>(&got.message)) c.seen = own->at;
  if (const auto* keep = std::get_if<control::Keep>(&got.message)) {
    const LinkHistory* const history = history_of(keep->link);
    if (history != nullptr && history->caller != c.index) violation("a stranger is given somebody's link");
  }
}

}  // namespace symphony::proof
