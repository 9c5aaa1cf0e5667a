// What breaks: by whom and how.
#include <algorithm>

#include "tests/proof/simulator/world.hpp"

namespace symphony::proof {
namespace {

// What may happen at any moment; the others happen at their places (World::meets).
constexpr Fault at_any_moment[] = {
    Fault::pit_killed,
    Fault::pit_killed,
    Fault::pit_exits_0,
    Fault::pit_exits_75,
    Fault::pit_exits_125,
    Fault::pit_hangs_up,
    Fault::pit_stopped,
    Fault::pit_breaks_protocol,
    Fault::pit_speaks_of_others,
    Fault::pit_speaks_of_others,
    Fault::pit_reports_a_fault,
    Fault::caller_killed,
    Fault::caller_stopped,
    Fault::caller_stopped,
    Fault::caller_cut_off,
    Fault::caller_cut_off,
    Fault::caller_breaks_protocol,
    Fault::caller_reports_a_fault,
    Fault::caller_reports_a_fault,
    Fault::caller_reports_a_fault,
    Fault::broker_killed,
    Fault::broker_killed,
    Fault::keeper_lost,
    Fault::stop_all,
};

}  // namespace

const char* name_of(Fault fault) noexcept {
  constexpr const char* names[] = {"pit killed",
                                   "pit dies of a message",
                                   "pit hangs in a message",
                                   "pit exits with 0",
                                   "pit exits with 75",
                                   "pit exits with 125",
                                   "pit never ready",
                                   "pit does not stop when it is told to",
                                   "pit hangs up and lives",
                                   "pit stopped (SIGSTOP)",
                                   "pit breaks the protocol",
                                   "pit speaks another protocol",
                                   "pit has another clock",
                                   "pit speaks of links of others, or of old epochs",
                                   "pit cannot map",
                                   "pit cannot stand still for a swap",
                                   "pit does not answer that it stands still",
                                   "pit fails at a rehearsal, or does not answer",
                                   "pit reports a faulty caller",
                                   "spawn fails, EAGAIN",
                                   "spawn fails, ENOENT",
                                   "caller killed",
                                   "caller stopped (SIGSTOP)",
                                   "caller's connection cut",
                                   "caller breaks the protocol",
                                   "caller has another clock",
                                   "caller speaks of links of others",
                                   "caller cannot map",
                                   "caller reports a faulty pit",
                                   "broker killed between events",
                                   "broker killed between actions",
                                   "messages of a dead broker lost on the way",
                                   "an operator's command",
                                   "keeper lost",
                                   "stopped in order",
                                   "segments: EMFILE, ENOMEM",
                                   "sealing fails",
                                   "a state is not kept",
                                   "clock jumps",
                                   "timer late",
                                   "pit hangs in a timer"};
  static_assert(std::size(names) == fault_count);
  return names[static_cast<std::size_t>(fault)];
}

void World::break_something() {
  const auto stands_still = [](const Process* p) { return p->alive && p->frozen; };
  constexpr Fault ends[] = {Fault::pit_exits_0, Fault::pit_exits_125};
  const bool may_end = std::any_of(active_.begin(), active_.end(), stands_still) && dice_.one_in(3);
  const Fault fault = may_end ? ends[dice_.below(2)] : at_any_moment[dice_.below(std::size(at_any_moment))];
  if (((enabled_ >> static_cast<unsigned>(fault)) & 1) == 0 || !break_this(fault)) return;
  saw(fault);
  if (options_.tells) tell(std::string("!! ") + name_of(fault));
}

// A pit that was swapped lately, and where it can the broker before it hears so.
void World::break_probation() {
  for (Process* const p : active_) {
    if (!p->alive || p->is_alone || probation_at(p->pit) == nullptr || !core_ || !meets(Fault::pit_killed, 7)) continue;
    pit_dies(*p, true, 9);
    if (by_path_ && meets(Fault::broker_killed, 1)) broker_dies();
    return;
  }
}

bool World::break_this(Fault fault) {
  if (fault <= Fault::pit_reports_a_fault) return break_pit(fault);
  if (fault >= Fault::caller_killed && fault <= Fault::caller_reports_a_fault) return break_caller(fault);
  if (!core_) return false;
  if (fault == Fault::broker_killed) {
    if (!by_path_) return false;  // it dies with the program that calls
    return broker_dies(), true;
  }
  if (!options_.only && !dice_.one_in(fault == Fault::keeper_lost ? 2 : 8)) return false;  // little happens after it
  if (fault == Fault::stop_all) {
    if (stopping_) return false;
    stopping_ = true;
    return feed(StopAll{}), true;
  }
  if (fault == Fault::keeper_lost) {
    if (by_path_ || keeper_lost_) return false;  // a daemon's broker dies with it
    keeper_lost_ = true;
    for (std::size_t i = 0; i < active_.size(); ++i) {
      if (active_[i]->alive) pit_dies(*active_[i], true, 9);
    }
    active_.clear();
    kept_.clear();
    spawns_.clear();
    words_.clear();
    records_.clear();
    for (AdoptedPit& adopted : adopted_) adopted.known = false;
    told_dead_ = spawned_;
    return feed(KeeperLost{}), true;
  }
  return false;
}

Process* World::some_pit(bool serving) {
  if (active_.empty()) return nullptr;
  Process* p = active_[dice_.below(active_.size())];
  for (Process* frozen : active_) {  // a short time: half of what happens is to happen then
    if (frozen->alive && frozen->frozen && dice_.one_in(2)) p = frozen;
  }
  return p->alive && (!serving || (p->serves && !p->hung_up)) ? p : nullptr;
}

Caller* World::some_caller(bool connected) {
  Caller* const c = callers_[dice_.below(callers_.size())].get();
  return c->alive && (!connected || (c->conn != nullptr && c->state == Caller::State::connected)) ? c : nullptr;
}

// Of any link there ever was, the newest or an older one.
control::Attachment World::some_attachment() {
  if (histories_.empty()) return {generation_, 1 + dice_.below(8), 1 + dice_.below(8)};
  const LinkHistory& h = *histories_[dice_.below(histories_.size())];
  return {dice_.one_in(4) ? generation_ - 1 : generation_, h.link, dice_.one_in(4) ? h.last_epoch - 1 : h.last_epoch};
}

bool World::break_pit(Fault fault) {
  Process* const p = some_pit(fault != Fault::pit_killed && fault != Fault::pit_stopped);
  if (p == nullptr) return false;
  switch (fault) {
    case Fault::pit_killed:
      return pit_dies(*p, true, 9), true;
    case Fault::pit_exits_0:
      return pit_dies(*p, false, 0), true;
    case Fault::pit_exits_75:
      return pit_dies(*p, false, 75), true;
    case Fault::pit_exits_125:
      return pit_dies(*p, false, 125), true;
    case Fault::pit_hangs_up:
      p->hung_up = true;
      p->from_broker.clear();
      return true;
    case Fault::pit_stopped:
      if (!p->stopped) p->stopped_at_ns = now_ns_;
      return p->stopped = true;
    case Fault::pit_breaks_protocol:
      if (dice_.one_in(2)) {
        p->to_broker.push(control::Hello{});
      } else {
        p->to_broker.push(control::Welcome{});
      }
      return true;
    case Fault::pit_speaks_of_others: {
      control::Attachment at = some_attachment();
      const LinkHistory* const h = history_of(at.link);
      if (h == nullptr) return false;
      if (h->pit == p->pit && at.epoch == h->last_epoch) --at.epoch;
      const std::uint64_t what = dice_.below(5);
      if (what == 0) p->to_broker.push(control::Mapped{at});
      if (what == 1) p->to_broker.push(control::Ready{at, 9});
      if (what == 2) p->to_broker.push(control::MapFailed{at, 12});
      if (what == 3) p->to_broker.push(control::Drained{at});
      if (what == 4) p->to_broker.push(control::PeerFault{at, 1});
      return true;
    }
    case Fault::pit_reports_a_fault:
      if (p->links.empty() || p->stage != Process::Stage::idle) return false;
      p->to_broker.push(control::PeerFault{p->links.front().at, 1});
      p->links.front().memory->is_reported = true;
      p->reported.push_back(p->links.front().at.link);
      p->links.erase(p->links.begin());
      return true;
    default:
      return false;
  }
}

bool World::break_caller(Fault fault) {
  Caller* const c = some_caller(fault == Fault::caller_cut_off || fault == Fault::caller_breaks_protocol);
  if (c == nullptr || c->is_stranger) return false;
  switch (fault) {
    case Fault::caller_killed:
      if (c->process != nobody) return false;  // it dies with its pit
      if (!options_.only && !dice_.one_in(3)) return false;
      return caller_dies(*c), true;
    case Fault::caller_stopped:
      return c->stopped = true;
    case Fault::caller_cut_off:
      return caller_loses_broker(*c), true;
    case Fault::caller_breaks_protocol:
      if (!c->by_path && !dice_.one_in(4)) return false;
      if (dice_.one_in(2)) {
        c->conn->to_broker.push(control::Welcome{});
      } else {
        c->conn->to_broker.push(control::Stop{});
      }
      return true;
    case Fault::caller_reports_a_fault: {
      if (c->owners.empty()) return false;
      Owner& o = *c->owners[dice_.below(c->owners.size())];
      if (o.phase != Owner::Phase::open) return false;
      o.memory->is_scribbled = true;
      o.memory->begun = dice_.below(o.memory->requests.size() + 1) * record_size;
      o.memory->handled = dice_.below(o.memory->requests.size() + 1) * record_size;
      o.faulted = true;
      c->told.emplace_back(o.attached->at, true);
      on_peer_died(o, o.attached->at.epoch);
      return true;
    }
    default:
      return false;
  }
}

}  // namespace symphony::proof
