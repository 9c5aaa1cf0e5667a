// Who goes next, how time passes, and when all of it has come to rest.
#include "tests/proof/simulator/world.hpp"

#include <algorithm>
#include <cstdio>

namespace symphony::proof {
namespace {

constexpr std::size_t rest_steps_max = 20'000;
// After the last fault: each pit's start-up time a few times over, the grace of lost callers, an open's deadline.
constexpr TimeNs recovery_max_ns = 150 * second_ns;

}  // namespace

void World::violation(std::string text) {
  if (result_.violations.size() >= 8) return;
  result_.violations.push_back("step " + std::to_string(result_.steps) + ": " + std::move(text));
}

void World::tell(const std::string& text) const {
  if (options_.tells) std::printf("%5zu %12.6f %s\n", result_.steps, static_cast<double>(now_ns_) / 1e9, text.c_str());
}

// A place where this fault may happen: whether it does.
bool World::meets(Fault fault, std::uint64_t odds) {
  if (heals_ || ((enabled_ >> static_cast<unsigned>(fault)) & 1) == 0 || !dice_.one_in(odds)) return false;
  saw(fault);
  return true;
}

World::Result World::run(const Options& options) {
  options_ = options;
  begin();
  for (std::size_t i = 0; i < options.steps && result_.violations.empty(); ++i) {
    // A swap is over in a few steps: more is to break in them.
    const bool swaps =
        std::any_of(active_.begin(), active_.end(), [](const Process* p) { return p->alive && p->frozen; });
    if (!options.only && dice_.one_in(swaps ? 6 : break_every_)) break_something();
    if (!options.only) break_probation();
    if (options.only && i == options.only_at) {
      enabled_ = ~std::uint64_t{0};
      if (break_this(*options.only)) saw(*options.only);
      enabled_ = 0;
    }
    if (!step(false)) break;
  }
  const TimeNs healed_ns = now_ns_;
  for (const auto& c : callers_) {
    if (c->is_stranger && c->alive) caller_dies(*c);
  }
  rest();
  if (result_.violations.empty()) {
    if (now_ns_ - healed_ns > recovery_max_ns) violation("it took too long to come to rest");
    check_settled();
  }
  closes_ = true;
  for (const auto& c : callers_) {
    if (c->alive && !options.only && dice_.one_in(3)) {
      caller_dies(*c);
    } else if (c->alive) {
      for (const auto& owner : c->owners) owner->wants_close = true;
    }
  }
  rest();
  if (result_.violations.empty()) check_closed();
  if (core_ && !stopping_) {
    stopping_ = true;
    feed(StopAll{});
  }
  rest();
  if (result_.violations.empty()) {
    if (!broker_over_) violation("the broker was told to stop and does not");
    for (const Process* p : active_) {
      if (p->alive) violation("a pit lives on after the broker's end");
    }
  }
  for (const std::string& text : Kernel::get().violations()) violation(text);
  // Nothing of this world stays with the kernel: the next one may be another object's.
  for (const auto& c : callers_) Kernel::get().forget_watches(c->index);
  callers_.clear();
  return std::move(result_);
}

void World::begin() {
  dice_ = Dice(options_.seed);
  enabled_ = options_.only ? 0 : dice_.next() | dice_.next();  // three quarters of all kinds
  commands_every_ = dice_.one_in(2) ? 60 : 12;
  break_every_ = 8 + dice_.below(dice_.one_in(2) ? 40 : 200);
  heals_ = closes_ = false;
  now_ns_ = 100 * second_ns;
  result_ = {};
  core_.reset();
  by_path_ = options_.only ? dice_.one_in(2) : !dice_.one_in(5);
  stopping_ = broker_over_ = keeper_lost_ = false;
  generation_ = 0;
  armed_ns_ = no_deadline_ns;
  local_.clear();
  adopted_.clear();
  segments_.clear();
  words_seen_.clear();
  asked_.clear();
  commands_.clear();
  next_command_ = 1;
  next_conn_ = 1;
  records_.clear();
  kept_.clear();
  spawns_.clear();
  words_.clear();
  Kernel::get().reset();
  conns_.clear();
  processes_.clear();
  active_.clear();
  memories_.clear();
  histories_.clear();

  const std::size_t pits = 3;
  pits_.assign(pits, {});
  journals_.assign(places_max, {});  // a place a pit, those of swaps, and of messages alone
  letters_.clear();
  probations_.clear();
  letters_seen_ = 0;
  parked_.clear();
  next_serial_ = 1;
  told_dead_.assign(places_max, 0);
  spawned_.assign(places_max, 0);
  for (std::size_t i = 0; i < pits; ++i) {
    PitConfig& pit = pits_[i];
    pit.name = std::string("pit") + static_cast<char>('0' + i);
    pit.executable = "/pit";
    pit.start_at_once = !dice_.one_in(3);
    pit.trust = dice_.one_in(3) ? Trust::hostile : Trust::cooperative;
    pit.restart.failures_max = static_cast<std::uint32_t>(3 + dice_.below(6));
    pit.restart.backoff_max_ns = second_ns;
    pit.restart.start_timeout_ns = 5 * second_ns;
    if (!dice_.one_in(3)) {
      if (dice_.one_in(2)) pit.budgets.each_ns = 200 * ms_ns;
      pit.budgets.of_types = {{1, 50 * ms_ns}, {2, (dice_.one_in(2) ? 100 : 2000) * ms_ns}};
    }
    journals_[i].is_kept = dice_.one_in(2);
    if (journals_[i].is_kept) pit.state.durability = Durability::journal;
    if (i == 0 && pit.trust != Trust::hostile) pit.calls = {"pit1"};
  }
  Dice policies(~options_.seed);  // of its own: worlds without them are as they were
  if (!pits_[0].calls.empty() && policies.one_in(3)) pits_[0].restart.strategy = RestartStrategy::rest_for_one;
  if (policies.one_in(3)) pits_[2].restart.fallback = "pit1";
  needed_.clear();
  beginnings_.assign(places_max, 0);
  last_beginning_ = 0;
  start_broker();
  const std::size_t callers = 2 + dice_.below(2);
  for (std::size_t i = 0; i < callers; ++i) {
    Caller& c = add_caller(1000, by_path_);
    if (!by_path_) add_conn(c);
  }
  if (by_path_ && !options_.only && dice_.one_in(2)) add_caller(0, true).is_stranger = true;
}

// ---- one step ----

// False: nothing is left to do. Who rests does nothing new, and lets time pass only when nobody has anything to do.
bool World::step(bool rests) {
  choices_.clear();
  const auto may = [&](Way way, std::size_t index = 0) {
    choices_.push_back({way, static_cast<std::uint32_t>(index)});
  };
  if (core_ && !local_.empty()) {  // an event of the shell's own comes before anything else
    ++result_.steps;
    feed(local_.pop());
    return true;
  }
  if (core_) {
    if (armed_ns_ <= now_ns_) may(Way::timer);
    if (!words_.empty()) may(Way::keeper_says);
  } else if (!broker_over_) {
    may(Way::broker_starts);
  }
  if (!spawns_.empty()) may(Way::keeper_obeys);
  for (std::size_t i = 0; i < conns_.size(); ++i) {
    const Conn& c = *conns_[i];
    if (!core_) break;
    const bool is_there = !c.broker_closed && !c.hang_up_told;
    if (is_there && (!c.accepted || !c.to_broker.empty())) {
      may(Way::conn_says, i);
    } else if ((is_there && c.caller_closed) ||
               (c.by_path && c.caller_dead && !c.death_told && (is_there || c.hang_up_told))) {
      may(Way::conn_ends, i);
    }
  }
  for (std::size_t i = 0; i < active_.size(); ++i) {
    const Process& p = *active_[i];
    if (core_ && adopted_[p.pit].known && adopted_[p.pit].process == p.id && !p.hang_up_told) {
      if (!p.to_broker.empty()) {
        may(Way::pit_says, i);
      } else if (p.hung_up || !p.alive) {
        may(Way::pit_hang_up, i);
      }
    }
    if (!p.alive || p.stopped) {
      if (p.stopped && (rests || dice_.one_in(8))) may(Way::wakes_up, i);
      continue;
    }
    if (!p.started) may(Way::pit_starts, i);
    if (!p.serves) continue;
    if (!p.from_broker.empty() && !p.hung_up) may(Way::pit_control, i);
    if (pit_has_work(p)) may(Way::pit_data, i);
  }
  for (std::size_t i = 0; i < callers_.size(); ++i) {
    const Caller& c = *callers_[i];
    if (!c.alive) continue;
    if (c.stopped) {
      if (rests || dice_.one_in(8)) may(Way::wakes_up, 1000 + i);
      continue;
    }
    using State = Caller::State;
    if (c.state == State::apart && c.by_path && !broker_over_) may(Way::caller_connects, i);
    if (c.conn != nullptr && (!c.conn->to_caller.empty() || c.conn->broker_closed)) may(Way::caller_hears, i);
    if (c.is_stranger) {
      if (!rests && c.conn != nullptr && dice_.one_in(4)) may(Way::caller_runs, i);
      continue;
    }
    if (c.state != State::greeting && Kernel::get().readable(i) && (rests || !c.notices_late || dice_.one_in(400))) {
      may(Way::caller_reads_death, i);
    }
    if (c.state != State::greeting && !(c.told.empty() && c.words.empty())) may(Way::caller_is_told, i);
    if (!rests) {
      if (dice_.one_in(3)) may(Way::caller_runs, i);
    } else if (std::any_of(c.owners.begin(), c.owners.end(), [&](const auto& o) { return owner_has_work(*o); })) {
      may(Way::caller_runs, i);
    }
  }
  if (!rests && (choices_.empty() || dice_.one_in(3))) may(Way::time);
  if (choices_.empty()) return false;
  ++result_.steps;
  now_ns_ += static_cast<TimeNs>(1 + dice_.below(20)) * us_ns;  // no two deaths at one time
  take(choices_[dice_.below(choices_.size())]);
  return true;
}

void World::take(const Choice& choice) {
  const std::size_t i = choice.index;
  switch (choice.way) {
    case Way::local:
      return;
    case Way::timer:
      armed_ns_ = no_deadline_ns;
      return feed(TimerFired{});
    case Way::time:
      return pass_time();
    case Way::broker_starts:
      return start_broker();
    case Way::keeper_obeys:
      return keeper_obeys();
    case Way::keeper_says:
      return keeper_says();
    case Way::conn_says:
      return conn_says(*conns_[i]);
    case Way::conn_ends:
      return conn_ends(*conns_[i]);
    case Way::pit_says:
      return pit_says(*active_[i]);
    case Way::pit_hang_up: {
      Process& p = *active_[i];
      p.hang_up_told = true;
      return feed(PitHungUp{p.pit, p.instance});
    }
    case Way::pit_starts:
      return pit_starts(*active_[i]);
    case Way::pit_control:
      return pit_control(*active_[i]);
    case Way::pit_data:
      return pit_data(*active_[i]);
    case Way::caller_hears:
      return caller_hears(*callers_[i]);
    case Way::caller_reads_death:
      return callers_[i]->links->on_pit_died(*Kernel::get().readable(i));
    case Way::caller_connects:
      return caller_connects(*callers_[i]);
    case Way::caller_is_told:
      return caller_is_told(*callers_[i]);
    case Way::caller_runs:
      return callers_[i]->is_stranger ? stranger_says(*callers_[i]) : caller_runs(*callers_[i]);
    case Way::wakes_up:
      if (i >= 1000) {
        callers_[i - 1000]->stopped = false;
      } else {
        Process& p = *active_[i];
        p.stopped = false;
        p.stopped_ns += now_ns_ - std::max(p.stopped_at_ns, p.begun_at_ns);
        ++p.stops;
      }
      return;
  }
}

// Mostly a little, now and then up to the next timer or past it.
void World::pass_time() {
  const std::uint64_t how = dice_.below(16);
  if (how < 9) {
    now_ns_ += static_cast<TimeNs>(dice_.below(2000)) * us_ns;
  } else if (how < 13) {
    if (core_ && armed_ns_ != no_deadline_ns) now_ns_ = std::max(now_ns_, armed_ns_);
  } else if (how == 13) {
    if (core_ && armed_ns_ != no_deadline_ns && meets(Fault::timer_late, 1)) {
      now_ns_ = std::max(now_ns_, armed_ns_);
      freeze_all(static_cast<TimeNs>(dice_.below(3000)) * ms_ns);
    }
  } else if (how == 14) {
    freeze_all(static_cast<TimeNs>(dice_.below(500)) * ms_ns);
  } else if (meets(Fault::clock_jumps, 2)) {
    freeze_all(static_cast<TimeNs>(dice_.below(80)) * second_ns);
  }
}

// Time in which nobody runs: the machine is overloaded, or stands still.
void World::freeze_all(TimeNs for_ns) {
  now_ns_ += for_ns;
  for (Process* p : active_) {
    if (p->stopped) continue;
    p->froze_ns += for_ns;
    ++p->jumps;
  }
}

// Until nothing is under way and nothing is waited for.
void World::rest() {
  heals_ = true;
  std::size_t steps = 0;
  for (; steps < rest_steps_max && result_.violations.empty(); ++steps) {
    if (!step(true) && !wait_for_something()) return;
  }
  if (result_.violations.empty()) violation("it does not come to rest");
}

// To the next point that somebody waits for. False: nobody waits.
bool World::wait_for_something() {
  TimeNs next = core_ ? armed_ns_ : no_deadline_ns;
  for (const auto& c : callers_) {
    if (!c->alive || c->is_stranger) continue;
    for (const auto& o : c->owners) {
      if (o->phase == Owner::Phase::opening) {
        next = std::min(next, o->deadline_ns);
        if (core_ && c->state == Caller::State::connected) check_known(*c, *o);
      }
      for (const SimCall& call : o->calls) {
        if (call.state != SimCall::State::ended) next = std::min(next, call.request.deadline_ns);
      }
      if (waits_for_pit(*o)) next = std::min(next, o->next_look_ns);
    }
  }
  if (next == no_deadline_ns) return false;
  now_ns_ = std::max(now_ns_, next);
  if (core_ && armed_ns_ <= now_ns_) {
    ++result_.steps;
    armed_ns_ = no_deadline_ns;
    feed(TimerFired{});
    return true;
  }
  return true;
}

}  // namespace symphony::proof
