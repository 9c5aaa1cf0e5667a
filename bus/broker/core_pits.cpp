// Pits: start, readiness, death, restart, quarantine. See core.hpp for who may do what.
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "bus/base/check.hpp"
#include "bus/broker/core.hpp"
#include "bus/broker/pit_slots.hpp"

namespace symphony::detail::broker {
namespace {

constexpr int exit_finished = 0;
constexpr int exit_try_again = 75;
constexpr int exit_storm = 70;  // of one that has a limit for exceptions
constexpr int exit_never_again = 125;

std::string how_it_ended(const PitExited& e) {
  if (e.out_of_memory) return "killed by the kernel, which had no memory left for its group: give it more";
  if (e.signalled) return "killed by signal " + std::to_string(e.value);
  return "ended with status " + std::to_string(e.value);
}

// With the last line that it wrote, where one is kept.
std::string said_before(const std::string& how, const std::string& last_lines) {
  const std::size_t end = last_lines.find_last_not_of('\n');
  if (end == std::string::npos) return how + ": see its last lines on stderr";
  const std::size_t before = last_lines.rfind('\n', end);
  return how + ": " + last_lines.substr(before == std::string::npos ? 0 : before + 1, end - (before + 1) + 1);
}

// Of what its operator requires.
SandboxBlocks missing_blocks(const SandboxPolicy& policy, SandboxBlocks reached) {
  return policy.profile == SandboxProfile::none ? 0 : policy.required & ~reached;
}

// The same would happen again: no use in trying.
bool is_permanent(int sys_errno) {
  return sys_errno == ENOENT || sys_errno == EACCES || sys_errno == ENOEXEC || sys_errno == ENOTDIR ||
         sys_errno == EISDIR || sys_errno == ELOOP || sys_errno == ENAMETOOLONG || sys_errno == E2BIG ||
         sys_errno == EPERM;
}

}  // namespace

BrokerCore::Pit* BrokerCore::live_pit(PitIndex pit, std::uint32_t instance) {
  if (pit >= pits_.size()) return nullptr;
  Pit& p = pits_[pit];
  return p.alive && p.instance == instance ? &p : nullptr;
}

BrokerCore::Pit* BrokerCore::pit_named(const std::string& name) {
  const auto index = index_of(name);
  return index ? &pits_[*index] : nullptr;
}

void BrokerCore::start(Pit& pit) {
  // First: the next broker finds those that need it on their way out, or starts this one itself.
  if (std::exchange(pit.has_served, false) && pit.after_exit != AfterExit::with_needed) restart_those_that_need(pit);
  move(pit, PitState::starting);
  pit.alive = true;
  pit.pid = 0;
  pit.was_ready = pit.hung_up = pit.is_wrong_about_needed = false;
  pit.after_exit = AfterExit::restart;
  pit.version.clear();
  pit.hung_on.reset();
  pit.failed_too_often = false;
  pit.started_with = fingerprint(pit.config);
  ++pit.instance;
  pit.moved_to.reset();
  set_timer(pit, now_ns_ + pit.config.restart.start_timeout_ns);
  if (!pit.is_durable()) drop_state(pit);
  record_pit(pit);
  const std::uint32_t begins_with = pit.alone_of ? pits_[*pit.alone_of].state_instance : pit.state_instance;
  if (pit.alone_of) ++pits_[*pit.alone_of].runs_alone;
  act(SpawnPit{pit.index, pit.instance, begins_with, pit.alone_of.value_or(pit.index), false,
               pit.alone_of.has_value()});
  end_calls_of_leaving(pit);
}

void BrokerCore::on(const PitSpawned& e) {
  Pit* const pit = live_pit(e.pit, e.instance);
  if (pit == nullptr) return;
  pit->pid = e.pid;
  if (pit->state == PitState::stopping) act(KillPit{pit->index, pit->instance});
}

void BrokerCore::on(const SpawnFailed& e) {
  Pit* const pit = live_pit(e.pit, e.instance);
  if (pit == nullptr) return;
  pit->alive = false;
  forget_state(*pit, pit->instance);
  const char* why = ::strerrordesc_np(e.sys_errno);
  std::string reason = "cannot start " + pit->config.executable + ": " + (why != nullptr ? why : "unknown error");
  if (!e.of_state.empty()) reason = "its state: " + e.of_state;
  act(Note{"pit " + pit->config.name + ": " + reason});
  if (heir_failed(*pit, reason)) return end_pit(*pit, PitState::stopped, errc::closed, reason);
  note_death(*pit, DeathCause::cannot_start, false, e.sys_errno);
  if (pit->state == PitState::stopping && pit->after_exit == AfterExit::stop) {
    end_pit(*pit, PitState::stopped, errc::closed, stopping_ ? "the broker stops" : pit->reason);
  } else if (is_permanent(e.sys_errno)) {
    never_again(*pit, reason);
  } else {
    failed(*pit, reason);
  }
}

void BrokerCore::on(const StateFailed& e) {
  if (Pit* pit = live_pit(e.pit, e.instance)) {
    kill(*pit, AfterExit::restart, "its state is not kept: " + e.text, DeathCause::state);
  }
}

void BrokerCore::on(const PitExited& e) {
  Pit* const pit = live_pit(e.pit, e.instance);
  if (pit == nullptr) return;
  pit->alive = false;
  pit->pid = 0;
  if (pit->instance != pit->state_instance) forget_state(*pit, pit->instance);  // never complete
  set_timer(*pit, no_deadline_ns);
  forget_all_words(*pit);
  note_fatal(*pit);
  for (const LinkId id : std::set<LinkId>(pit->links)) fall_back(links_.at(id));
  send_all_home(*pit);
  const bool asked = pit->state == PitState::stopping;
  const std::string how = how_it_ended(e);
  if (heir_failed(*pit, said_before(how, e.last_lines))) return end_pit(*pit, PitState::stopped, errc::closed, how);
  const bool is_storm = !e.signalled && e.value == exit_storm && pit->config.restart.exceptions_max != 0;
  const DeathCause by_itself = is_storm ? DeathCause::exception_storm : cause_of(e);
  note_death(*pit, asked ? pit->cause : by_itself, e.signalled, e.value, e.last_lines);
  pit->deaths.back().core = e.core.substr(0, control::core_size_max);
  if (pit->alone_of && !asked && !stopping_) return failed(*pit, how);
  if (stopping_ || (asked && pit->after_exit == AfterExit::stop)) {
    end_pit(*pit, PitState::stopped, errc::closed, stopping_ ? "the broker stops" : pit->reason);
  } else if (asked && pit->after_exit == AfterExit::start_again) {
    forget_failures(*pit);
    start(*pit);
  } else if (asked && pit->after_exit == AfterExit::with_needed) {
    start(*pit);
  } else if (asked && pit->after_exit == AfterExit::quarantine) {
    never_again(*pit, std::string(pit->reason));
  } else if (asked) {
    failed(*pit, pit->reason);
  } else if (!e.signalled && e.value == exit_finished) {
    end_pit(*pit, PitState::stopped, errc::closed, "it finished (exit status 0) and is not started again");
  } else if (!e.signalled && e.value == exit_never_again) {
    never_again(*pit, said_before("it ended with status 125, never again", e.last_lines));
  } else if (!e.signalled && e.value == exit_try_again) {
    try_again(*pit, said_before("it asked to be tried again (exit status 75)", e.last_lines));
  } else if (is_storm) {
    const RestartPolicy& policy = pit->config.restart;
    failed(*pit,
           said_before("an exception storm: its handlers threw " + std::to_string(policy.exceptions_max) +
                           " times (exceptions_max) within " + std::to_string(policy.window_ns / second_ns) + " s",
                       e.last_lines));
  } else if (e.signalled && e.value == SIGSYS) {
    never_again(*pit, said_before("it asked the kernel for what its filter forbids (SIGSYS)", e.last_lines));
  } else {
    failed(*pit, how);
  }
}

void BrokerCore::failed(Pit& pit, const std::string& reason) {
  if (pit.alone_of) return end_pit(pit, PitState::stopped, errc::quarantined, "alone with one message: " + reason);
  if (roll_back(pit, reason)) return;
  const RestartPolicy& policy = pit.config.restart;
  if (pit.was_ready && now_ns_ - pit.ready_since_ns >= stable_after_ns) forget_failures(pit);
  const auto is_over = [&](TimeNs t) { return now_ns_ - t >= policy.window_ns; };
  std::erase_if(pit.failures, is_over);
  std::erase_if(pit.excused, is_over);
  pit.failures.push_back(now_ns_);
  if (pit.failures.size() >= policy.failures_max) {
    pit.failed_too_often = true;
    end_pit(pit, PitState::quarantined, errc::quarantined,
            "it failed " + std::to_string(pit.failures.size()) + " times in a row (" + reason +
                "): see its last lines on stderr, mend it, then start it (symphony pit start)");
    return;
  }
  pit.reason = reason;
  const std::size_t deaths = pit.failures.size() + pit.excused.size();
  if (pit.was_ready && deaths == 1) {  // a first death must not cost more than the start itself
    move(pit, PitState::backoff);
    return start(pit);
  }
  back_off(pit, deaths - 1);
}

// Its own word, and not a failure: what it needs is not there yet. Never in quarantine for it.
void BrokerCore::try_again(Pit& pit, const std::string& reason) {
  if (roll_back(pit, reason)) return;
  if (pit.was_ready) pit.tries = 0;
  pit.reason = reason;
  back_off(pit, pit.tries++);
}

void BrokerCore::back_off(Pit& pit, std::size_t doublings) {
  const RestartPolicy& policy = pit.config.restart;
  doublings = std::min<std::size_t>(doublings, 20);
  TimeNs delay = std::min(policy.backoff_first_ns << doublings, policy.backoff_max_ns);
  if (policy.backoff_first_ns > policy.backoff_max_ns >> doublings) delay = policy.backoff_max_ns;
  const TimeNs jitter = static_cast<TimeNs>(random() % 1000) * (delay / 2000) - delay / 4;  // +-25 %
  move(pit, PitState::backoff);
  record_pit(pit);
  set_timer(pit, now_ns_ + delay + jitter);
}

void BrokerCore::end_pit(Pit& pit, PitState state, errc code, const std::string& reason) {
  move(pit, state);
  set_timer(pit, no_deadline_ns);
  pit.end_code = code;
  pit.reason = reason;
  if (pit.removed) {
    forget_removed(pit);
  } else {
    record_pit(pit);
  }
  if (state == PitState::quarantined) act(Note{"pit " + pit.config.name + " is quarantined: " + reason});
  note_alone_end(pit);
  send_all_home(pit);
  for (const LinkId id : std::set<LinkId>(pit.links)) {
    Link& link = links_.at(id);
    if (!send_to_stand_in(link)) {
      refuse(link, code, "pit " + pit.config.name + ": " + reason);
    } else if (const auto conn = conns_.find(link.conn); conn != conns_.end() && !conn->second.lost) {
      settle(link);
    }
  }
}

void BrokerCore::kill(Pit& pit, AfterExit after, const std::string& reason, DeathCause cause) {
  const bool is_up = pit.state == PitState::starting || pit.state == PitState::ready || pit.state == PitState::swapping;
  if (!is_up) return;  // already on its way out
  heir_failed(pit, reason);
  if (pit.state == PitState::stopping) return;  // that was its end
  move(pit, PitState::stopping);
  pit.after_exit = after;
  pit.cause = cause;
  pit.reason = reason;
  set_timer(pit, no_deadline_ns);
  record_pit(pit);
  if (!reason.empty()) act(Note{"pit " + pit.config.name + " is killed: " + reason});
  if (pit.pid != 0) act(KillPit{pit.index, pit.instance});  // else when it is spawned
}

void BrokerCore::pit_timer(Pit& pit) {
  switch (pit.state) {
    case PitState::backoff:
      return start(pit);
    case PitState::starting:
      if (!pit.hung_up) {
        return kill(pit, AfterExit::restart, "it was not ready in time", DeathCause::start_timeout);
      }
      return kill(pit, AfterExit::restart, "it closed its control socket", DeathCause::hang_up);
    case PitState::ready:
      if (pit.alone_of && !pit.hung_up) {
        return kill(pit, AfterExit::restart, "its time was over", DeathCause::alone_too_long);
      }
      return kill(pit, AfterExit::restart, "it closed its control socket", DeathCause::hang_up);
    case PitState::swapping:
      return end_swap(pit, errc::busy, "the swap took longer than calls may wait: allow more, or try when it is idle");
    case PitState::stopping:
      if (pit.pid != 0) act(KillPit{pit.index, pit.instance});
      return;
    case PitState::known:
    case PitState::quarantined:
    case PitState::stopped:
      return;
  }
}

void BrokerCore::on(const PitFaulted& e) {
  if (Pit* pit = live_pit(e.pit, e.instance)) kill(*pit, AfterExit::quarantine, "it broke the control protocol");
}

void BrokerCore::on(const PitHungUp& e) {
  Pit* const pit = live_pit(e.pit, e.instance);
  if (pit == nullptr) return;
  if (pit->state != PitState::starting && pit->state != PitState::ready && pit->state != PitState::swapping) return;
  if (pit->state == PitState::swapping) end_swap(*pit, errc::closed, "it closed its control socket");
  pit->hung_up = true;
  set_timer(*pit, now_ns_ + hang_up_grace_ns);
}

void BrokerCore::on(const PitMessage& e) {
  Pit* const pit = live_pit(e.pit, e.instance);
  if (pit == nullptr) return;
  const auto link_at = [&](const Attachment& a) -> Link* {
    const auto found = links_.find(a.link);
    if (found == links_.end() || found->second.pit != pit->index || found->second.epoch != a.epoch) return nullptr;
    return &found->second;
  };
  const auto current = [&](const Attachment& a) { return a.generation == config_.generation ? link_at(a) : nullptr; };
  if (const auto* ready_pit = std::get_if<control::PitReady>(&e.message)) {
    pit_says(*pit, *ready_pit);
  } else if (const auto* wanted = std::get_if<control::CallerWanted>(&e.message)) {
    pit_says(*pit, *wanted);
  } else if (const auto* prepared = std::get_if<control::Prepared>(&e.message)) {
    pit_says(*pit, *prepared);
  } else if (const auto* frozen = std::get_if<control::Frozen>(&e.message)) {
    pit_says(*pit, *frozen);
  } else if (const auto* rehearsed = std::get_if<control::Rehearsed>(&e.message)) {
    pit_says(*pit, *rehearsed);
  } else if (const auto* mapped = std::get_if<control::Mapped>(&e.message)) {
    if (Link* link = current(mapped->at)) side_mapped(*link, false);
  } else if (const auto* ready = std::get_if<control::Ready>(&e.message)) {
    ++pit->words_said;
    if (Link* link = current(ready->at)) {
      forget_words(*pit, link->id, 0, link->epoch);
      side_ready(*link, false, ready->last_id);
    }
  } else if (const auto* failed_map = std::get_if<control::MapFailed>(&e.message)) {
    Link* link = current(failed_map->at);
    if (link != nullptr && (link->state == LinkState::owning || link->state == LinkState::peering)) {
      refuse_unmapped(*link, *failed_map, "the pit");
    }
  } else if (const auto* drained = std::get_if<control::Drained>(&e.message)) {
    ++pit->words_said;
    Link* link = link_at(drained->at);
    if (link != nullptr && link->state == LinkState::closing) {
      erase_link(*link, true);
    } else if (link != nullptr && link->state == LinkState::open) {
      // An earlier broker had told it so, and died before it could forget the link: its caller came back to this one.
      fall_back(*link);
      record_link(*link);  // no longer as open: the pit will not say so again
      if (!conns_.at(link->conn).lost) settle(*link);
    }
    // Last: a broker that died between the two would leave a record that says open, and no word will come again.
    forget_words(*pit, drained->at.link, drained->at.epoch, drained->at.epoch + 1);
  } else if (const auto* fault = std::get_if<control::PeerFault>(&e.message)) {
    Link* link = link_at(fault->at);
    // Peering: the pit has attached, and looks at the ring before the caller has its Go.
    if (link == nullptr || (link->state != LinkState::open && link->state != LinkState::peering)) return;
    const auto conn = conns_.find(link->conn);
    refuse(*link, errc::peer_fault, "the caller broke the ring protocol on this link");
    if (conn == conns_.end() || conn->second.lost) return;
    Conn& caller = conn->second;
    note_word(pit->config.name, caller.pit ? pits_[*caller.pit].config.name : "a program");
    if (caller.pit && outranks(pit->index, *caller.pit)) give_up(caller);
  } else {
    kill(*pit, AfterExit::quarantine, "it broke the control protocol");
  }
}

void BrokerCore::pit_says(Pit& pit, const control::CallerWanted& m) {
  if (pit.config.calls.empty()) {
    act(SendToPit{pit.index, pit.instance, control::CallerSocket{m.correlation, false}, 0, 0, {}});
    return;
  }
  // One at a time: a pit that asks anew has lost the one it had.
  for (auto& [id, conn] : conns_) {
    if (conn.pit != pit.index) continue;
    give_up(conn);
    break;
  }
  act(ConnectPit{pit.index, pit.instance, m.correlation});
}

void BrokerCore::pit_says(Pit& pit, const control::PitReady& m) {
  if (pit.state == PitState::stopping) return;
  if (pit.state != PitState::starting) return kill(pit, AfterExit::quarantine, "it broke the control protocol");
  if (m.protocol_min > control::protocol_max || m.protocol_max < control::protocol_min ||
      m.protocol_min > m.protocol_max) {
    return kill(pit, AfterExit::quarantine, "it speaks no protocol version of this broker: build it again");
  }
  if (m.clock_ns - now_ns_ > clock_ahead_max_ns || now_ns_ - m.clock_ns > clock_behind_max_ns) {
    return kill(pit, AfterExit::quarantine, "its monotonic clock differs: run it in the broker's time namespace");
  }
  if (const SandboxBlocks missing = missing_blocks(pit.config.sandbox, m.sandbox); missing != 0) {
    return kill(pit, AfterExit::quarantine,
                "its sandbox lacks " + names_of(missing) +
                    ": run it where the kernel gives that, or let it do without in its manifest (sandbox_may_lack)");
  }
  move(pit, PitState::ready);
  pit.was_ready = pit.has_served = true;
  pit.ready_since_ns = now_ns_;
  pit.reply_size_max = m.reply_size_max;
  pit.heavy_barriers = m.heavy_barriers;
  pit.sandbox = m.sandbox;
  pit.version = m.version;
  pit.protocol = std::min(m.protocol_max, control::protocol_max);
  if (pit.heir_of) return take_over(pit);
  set_timer(pit, pit.hung_up ? now_ns_ + hang_up_grace_ns : pit.alone_until_ns);
  if (pit.is_durable()) {
    const std::uint32_t before = std::exchange(pit.state_instance, pit.instance);
    record_pit(pit);  // before the old state goes: the next broker must find one of the two
    act(KeepState{pit.index, pit.instance});
    // 0: what was found in a file, if anything was.
    if (before != 0 || !pit.config.state.folder.empty()) act(DeleteRecord{state_key(pit.index, before)});
  } else {
    record_pit(pit);
  }
  for (const LinkId id : std::exchange(pit.gone_links, {})) {
    act(SendToPit{pit.index, pit.instance, control::Drop{{config_.generation, id, 0}, true}, 0, 0, {}});
  }
  for (const LinkId id : std::set<LinkId>(pit.links)) {
    Link& link = links_.at(id);
    const auto conn = conns_.find(link.conn);
    if (link.state == LinkState::waiting && conn != conns_.end() && !conn->second.lost) begin_attach(link);
  }
  if (!pit.alone_of) call_home(pit);
}

void BrokerCore::record_pit(const Pit& pit) {
  PitRecord r{pit.state,          pit.instance, pit.state_instance, pit.reply_size_max,
              pit.heavy_barriers, pit.end_code, pit.reason,         pit.failures};
  r.sandbox = pit.sandbox;
  r.has_served = pit.has_served;
  r.excused = pit.excused;
  r.after_exit = pit.after_exit;
  r.cause = pit.cause;
  r.kill_at_ns = pit.timer_ns == no_deadline_ns ? 0 : pit.timer_ns;
  r.protocol = pit.protocol;
  r.moved_to = pit.moved_to ? *pit.moved_to + 1 : 0;
  r.started_with = pit.started_with;
  r.has_death = !pit.deaths.empty();
  if (r.has_death) r.death = pit.deaths.back();
  act(PutRecord{pit_key(pit.index), encode(r), 0, 0, {}});
  pits_[pit.index].recorded = true;
}

DeathCause BrokerCore::cause_of(const PitExited& e) noexcept {
  if (!e.signalled) return e.value == exit_try_again ? DeathCause::try_again : DeathCause::exit;
  if (e.out_of_memory) return DeathCause::out_of_memory;
  return e.value == SIGSYS ? DeathCause::sandbox : DeathCause::crash;
}

void BrokerCore::note_death(Pit& pit, DeathCause cause, bool signalled, int value, std::string last_lines) {
  if (last_lines.size() > control::last_lines_size_max) {
    last_lines.erase(0, last_lines.size() - control::last_lines_size_max);
  }
  const TimeNs ready_ns = pit.was_ready ? now_ns_ - pit.ready_since_ns : -1;
  pit.deaths.push_back({now_ns_, pit.instance, cause, signalled, value, ready_ns, std::move(last_lines), {}, 0, {}});
  if (cause == DeathCause::hang && pit.hung_on && pit.hung_on->link != 0) {
    pit.deaths.back().executing = *pit.hung_on;
    pit.deaths.back().executing_count = 1;
  }
  if (pit.deaths.size() > control::deaths_max) pit.deaths.pop_front();
}

void BrokerCore::forget_failures(Pit& pit) {
  pit.failures.clear();
  pit.excused.clear();
}

void BrokerCore::drop_state(Pit& pit) {
  const std::uint32_t instance = std::exchange(pit.state_instance, 0);
  if (instance != 0) act(DeleteRecord{state_key(pit.index, instance)});
}

void BrokerCore::forget_state(const Pit& pit, std::uint32_t instance) {
  if (pit.is_durable() && instance != 0) act(DeleteRecord{state_key(pit.index, instance)});
}

}  // namespace symphony::detail::broker
