#include "tests/soak/killer.hpp"

#include <signal.h>

namespace symphony::soak {

bool Killer::await_calls(std::uint64_t count) {
  TimeNs deadline = deadline_after(patience_ns);
  std::uint64_t seen = 0;
  for (;; pause_us(300)) {
    const std::uint64_t now = realm_.calls();
    if (now >= count) return realm_.trouble().empty();
    if (now != seen) deadline = deadline_after(patience_ns);
    seen = now;
    if (!realm_.trouble().empty() || now_ns() > deadline) return false;
  }
}

bool Killer::strike(std::uint64_t calls_between) {
  // One time in four while all is still on its way up.
  if (below(25)) {
    pause_us(static_cast<std::uint32_t>(random_() % 4000));
  } else if (!await_calls(realm_.calls() + random_() % (calls_between * 2 / 3 + 1))) {
    return false;
  }
  const bool broker_may_die = kills_.broker < broker_kills_per_realm_max;
  if (broker_may_die && below(14)) {
    // Most often while it is at work: somebody has just died.
    const std::uint64_t dice = random_() % 8;
    if (dice < 3) {
      kill_caller();
      pause_us(static_cast<std::uint32_t>(random_() % 8000));
    } else if (dice < 6) {
      kill_pit();
      pause_us(static_cast<std::uint32_t>(random_() % 12000));
    }
    kill_broker(dice == 7);
  } else if (below(30)) {
    kill_caller();
  } else {
    kill_pit();
  }
  return realm_.trouble().empty();
}

// Waits a moment for the pit to be there, and not about to leave; not seeing it is no failure.
void Killer::aim(Inside at) {
  for (const TimeNs deadline = deadline_after(20 * ms_ns); now_ns() < deadline;) {
    const PitTrace& trace = realm_.newest_trace();
    const std::uint64_t handled = trace.handled;
    if (trace.inside != at) continue;
    for (const TimeNs stays = now_ns() + 3 * us_ns; now_ns() < stays;) {
    }
    if (trace.inside == at && trace.handled == handled) return;
  }
}

Held Killer::find(Held (Realm::*who)() const) {
  for (const TimeNs deadline = deadline_after(patience_ns); now_ns() < deadline; pause_us(100)) {
    if (Held held = (realm_.*who)()) return held;
    if (!realm_.trouble().empty()) break;
  }
  return {};  // await_calls() says why
}

void Killer::kill_pit() {
  const std::uint64_t how = random_() % 100;
  const Held pit = find(&Realm::pit);
  if (!pit) return;
  if (how < 35) aim(Inside::handler);
  if (how >= 35 && how < 50) aim(Inside::snapshot);
  const bool is_stopped = how >= 85;
  if (is_stopped) {
    pit.signal(SIGSTOP);
    pause_us(static_cast<std::uint32_t>(random_() % 10000));
    if (how >= 93) {
      pit.signal(SIGCONT);
      ++kills_.stops;
      return;
    }
  }
  pit.signal(SIGKILL);
  if (!pit.dies_within(patience_ns)) return;
  kills_.stopped += is_stopped ? 1 : 0;
  count_pit(pit);
  if (how >= 75 && how < 85) kill_restoring_pit(pit.pid);
}

// The next one, while it takes over the state of the one before.
void Killer::kill_restoring_pit(pid_t before) {
  for (const TimeNs deadline = deadline_after(second_ns); now_ns() < deadline;) {
    const PitTrace& trace = realm_.newest_trace();
    if (trace.pid == before || trace.inside != Inside::restore) continue;
    const Held pit = realm_.pit();
    if (!pit) return;
    pit.signal(SIGKILL);
    if (pit.dies_within(patience_ns)) count_pit(pit);
    return;
  }
}

void Killer::count_pit(const Held& pit) {
  ++kills_.pit;
  const PitTrace* const trace = realm_.trace_of(pit.pid);
  const Inside inside = trace != nullptr ? trace->inside.load() : Inside::nothing;
  kills_.in_handler += inside == Inside::handler ? 1 : 0;
  kills_.in_snapshot += inside == Inside::snapshot ? 1 : 0;
  kills_.in_restore += inside == Inside::restore ? 1 : 0;
  kills_.at_start += inside == Inside::nothing && (trace == nullptr || trace->handled == 0) ? 1 : 0;
}

void Killer::kill_caller() {
  count_caller(realm_.kill_caller(random_() % realm_.callers()));
  realm_.start_caller();
  if (!below(30)) return;
  // Once more, while it connects or opens its link.
  const std::size_t newest = realm_.callers() - 1;
  for (const TimeNs deadline = deadline_after(second_ns); now_ns() < deadline; pause_us(50)) {
    if (realm_.page_of(newest).place != Place::between) break;
  }
  pause_us(static_cast<std::uint32_t>(random_() % 1000));
  count_caller(realm_.kill_caller(newest));
  realm_.start_caller();
}

void Killer::count_caller(Place place) noexcept {
  ++kills_.caller;
  kills_.in_call += place == Place::calling || place == Place::closing ? 1 : 0;
  kills_.in_open += place == Place::connecting || place == Place::opening ? 1 : 0;
}

// A caller that opens its link cannot be done with that without a broker; a pit that has not handled anything either.
bool Killer::is_attaching() const {
  for (std::size_t i = 0; i < realm_.callers(); ++i) {
    const Place place = realm_.page_of(i).place;
    if (place == Place::connecting || place == Place::opening) return true;
  }
  const Held pit = realm_.pit();
  const PitTrace* const trace = pit ? realm_.trace_of(pit.pid) : nullptr;
  return trace == nullptr || trace->handled == 0;
}

void Killer::kill_broker(bool and_pit) {
  const Held pit = and_pit ? realm_.pit() : Held{};
  const Held broker = find(&Realm::broker);
  if (!broker) return;
  const bool was_attaching = is_attaching();
  if (pit && random_() % 2 == 0) {
    pit.signal(SIGKILL);
    broker.signal(SIGKILL);
  } else {
    broker.signal(SIGKILL);
    if (pit) pit.signal(SIGKILL);
  }
  const bool was_attaching_still = is_attaching();
  if (!broker.dies_within(patience_ns)) return;
  ++kills_.broker;
  kills_.in_attach += was_attaching && was_attaching_still ? 1 : 0;
  if (!pit || !pit.dies_within(patience_ns)) return;
  ++kills_.both;
  count_pit(pit);
}

void Kills::add(const Kills& o) noexcept {
  pit += o.pit, caller += o.caller, broker += o.broker, both += o.both, stopped += o.stopped, stops += o.stops;
  in_handler += o.in_handler, in_snapshot += o.in_snapshot, in_restore += o.in_restore, in_call += o.in_call;
  in_open += o.in_open, in_attach += o.in_attach, at_start += o.at_start;
}

}  // namespace symphony::soak
