// What operators ask for: start, stop, restart, show. Each Command has one Answer. See core.hpp.
#include <algorithm>

#include "bus/base/check.hpp"
#include "bus/broker/core.hpp"
#include "bus/control/codec.hpp"

namespace symphony::detail::broker {
namespace {

using control::Verb;

constexpr const char* by_operator = "an operator stopped it: `symphony pit start` with its name starts it";

}  // namespace

void BrokerCore::caller_says(Conn& conn, const control::Command& m) {
  const auto no = [&](errc code, const char* text) { answer(conn.id, m.correlation, code, text); };
  if (conn.pit) return no(errc::refused, "a pit may not command the broker: ask from a program of the broker's owner");
  if (m.verb == Verb::end_broker || m.verb == Verb::reload) {
    if (config_.daemon == 0) {
      return no(errc::refused, "this broker is part of a program, which ends and configures it: ask that program");
    }
    if (m.verb == Verb::end_broker) {
      answer(conn.id, m.correlation, control::code_done, "");
      return on(StopAll{});
    }
    if (stopping_) return no(errc::closed, "the broker stops: start it again, with the new manifests");
    return act(ReadConfig{conn.id, m.correlation});
  }
  if (m.verb == Verb::letters || m.verb == Verb::letter || m.verb == Verb::drop_letter) return letter_command(conn, m);
  Pit* const pit = pit_named(m.pit);
  if (pit == nullptr) {
    return no(errc::not_found, "there is no pit of this name: `symphony pit list` shows those the broker knows");
  }
  if (m.verb == Verb::show) return answer(conn.id, m.correlation, control::code_done, "", pit);
  if (keeper_lost_)
    return no(errc::unreachable, "the keeper process died and its pits with it: start the program again");
  if (stopping_) return no(errc::closed, "the broker stops: start it again");
  if (m.grace_ns < 0 || m.grace_ns > stop_grace_max_ns) {
    return no(errc::invalid_argument, "a pit may have from nothing to an hour to stop: give another grace");
  }
  if (m.deadline_ns <= now_ns_) return no(errc::timeout, "the command's deadline was over when the broker read it");
  if (commands_.size() >= commands_max) {
    return no(errc::busy, "64 commands wait for pits, the maximum: try again when some are done");
  }
  const TimeNs grace = m.grace_ns == 0 ? stop_grace_ns : m.grace_ns;
  PendingCommand waiting{conn.id, m.correlation, m.verb, pit->index, pit->instance};
  const bool is_newer = m.instance != 0 && pit->instance > m.instance;  // restarted already, for the same Command
  if (m.verb == Verb::swap) {
    const PitIndex index = pit->index;  // a place may be added
    if (!swap_now(*pit, m, waiting)) return;
    waiting.pit = index;
  } else if (m.verb == Verb::stop) {
    stop_now(*pit, grace, by_operator);
  } else if (m.verb == Verb::start || is_newer) {
    start_now(*pit);
    if (pit->state == PitState::stopping) ++waiting.instance;  // the one after this one
    waiting.instance = std::max(waiting.instance, pit->instance);
  } else {
    restart_now(*pit, grace, "an operator restarts it");
    ++waiting.instance;
  }
  const std::uint64_t id = next_command_++;
  PendingCommand& held = commands_[id] = waiting;
  set_timer(held, id, m.deadline_ns);
}

void BrokerCore::start_now(Pit& pit) {
  switch (pit.state) {
    case PitState::starting:
    case PitState::ready:
    case PitState::swapping:
      return;
    case PitState::stopping:
      pit.after_exit = AfterExit::start_again;
      return record_pit(pit);
    case PitState::known:
    case PitState::backoff:
    case PitState::quarantined:
    case PitState::stopped:
      forget_failures(pit);
      pit.reason.clear();
      return start(pit);
  }
}

void BrokerCore::stop_now(Pit& pit, TimeNs grace_ns, const std::string& reason) {
  switch (pit.state) {
    case PitState::ready:
    case PitState::swapping:
      return ask_to_stop(pit, grace_ns, AfterExit::stop, reason);
    case PitState::starting:  // it has nothing to finish yet
      kill(pit, AfterExit::stop, "", DeathCause::stop);
      pit.reason = reason;
      return record_pit(pit);
    case PitState::stopping:
      pit.after_exit = AfterExit::stop;
      pit.reason = reason;
      return record_pit(pit);
    case PitState::known:
    case PitState::backoff:
    case PitState::quarantined:
      return end_pit(pit, PitState::stopped, errc::closed, reason);
    case PitState::stopped:
      return;
  }
}

void BrokerCore::restart_now(Pit& pit, TimeNs grace_ns, const std::string& reason) {
  if (pit.state == PitState::ready || pit.state == PitState::swapping) {
    return ask_to_stop(pit, grace_ns, AfterExit::start_again, reason);
  }
  if (pit.state == PitState::starting) return kill(pit, AfterExit::start_again, "", DeathCause::stop);
  start_now(pit);
}

void BrokerCore::ask_to_stop(Pit& pit, TimeNs grace_ns, AfterExit after, const std::string& reason, DeathCause cause) {
  move(pit, PitState::stopping);
  pit.after_exit = after;
  pit.cause = cause;
  pit.reason = reason;
  set_timer(pit, now_ns_ + grace_ns);
  record_pit(pit);  // before the word: the next broker knows what it was about
  act(SendToPit{pit.index, pit.instance, control::Stop{now_ns_ + grace_ns}, 0, 0, {}});
}

void BrokerCore::settle_commands() {
  for (auto it = commands_.begin(); it != commands_.end();) {
    PendingCommand& waiting = it->second;
    const auto conn = conns_.find(waiting.conn);
    const bool is_gone = conn == conns_.end() || conn->second.lost;  // whoever asked asks again, or does not care
    std::string text;
    const auto outcome = outcome_of(waiting, text);
    if (!is_gone && !outcome) {
      ++it;
      continue;
    }
    if (!is_gone)
      answer(waiting.conn, waiting.correlation, *outcome, text, &pits_[waiting.pit],
             {waiting.pause_ns, waiting.rehearsed_ns});
    set_timer(waiting, it->first, no_deadline_ns);
    it = commands_.erase(it);
  }
}

std::optional<errc> BrokerCore::outcome_of(const PendingCommand& waiting, std::string& text) const {
  const Pit& pit = pits_[waiting.pit];
  if (waiting.failure != control::code_done) {
    text = waiting.failure_text;
    return waiting.failure;
  }
  if (pit.swap || pit.arriving.since_ns != 0 || pit.probation) {
    if (waiting.verb == Verb::swap) return std::nullopt;
  }
  if (waiting.verb == Verb::stop) {
    const bool is_gone = !pit.alive || pit.instance != waiting.instance;
    return is_gone ? std::optional(control::code_done) : std::nullopt;
  }
  if (pit.state == PitState::ready && pit.instance >= waiting.instance) return control::code_done;
  if (pit.state != PitState::backoff && pit.state != PitState::quarantined && pit.state != PitState::stopped) {
    return std::nullopt;
  }
  text = "pit " + pit.config.name + ": " + pit.reason;
  if (pit.state == PitState::backoff) text += "; the broker tries again";
  return pit.state == PitState::backoff ? errc::closed : pit.end_code;
}

void BrokerCore::command_late(std::uint64_t id) {
  PendingCommand& waiting = commands_.at(id);
  set_timer(waiting, id, no_deadline_ns);
  const Pit& pit = pits_[waiting.pit];
  answer(waiting.conn, waiting.correlation, errc::timeout,
         "pit " + pit.config.name + " is " + name_of(pit.state) +
             ": the command's deadline is over, and what it began goes on",
         &pit);
  commands_.erase(id);
}

void BrokerCore::answer(ConnId conn, std::uint64_t correlation, errc code, const std::string& text, const Pit* pit,
                        Waited waited) {
  const auto found = conns_.find(conn);
  if (found == conns_.end() || found->second.lost) return;
  control::Answer out;
  out.correlation = correlation;
  out.code = code;
  out.text = text.substr(0, control::text_size_max);
  if (pit != nullptr) out.pit = report(*pit);
  out.daemon_pid = config_.daemon;
  out.pause_ns = waited.pause_ns;
  out.rehearsed_ns = waited.rehearsed_ns;
  send_answer(found->second, std::move(out));
}

// An older operator would refuse the whole answer for a cause that it does not know: it hears of the nearest that it
// does.
void BrokerCore::send_answer(const Conn& conn, control::Answer m) {
  if (conn.protocol < control::protocol_of_causes) {
    const auto older = [](PitDeath& death) {
      if (death.cause > DeathCause::alone_too_long)
        death.cause = death.signalled ? DeathCause::crash : DeathCause::exit;
    };
    for (PitDeath& death : m.pit.deaths) older(death);
    for (DeadLetter& letter : m.letters) older(letter.death);
  }
  act(SendToCaller{conn.id, std::move(m), 0, 0, 0, {}});
}

PitReport BrokerCore::report(const Pit& pit) const {
  PitReport r;
  r.info = {pit.config.name, name_of(pit.state), pit.pid, pit.instance, static_cast<std::uint32_t>(pit.links.size())};
  if (pit.state != PitState::ready) r.reason = pit.reason.substr(0, control::text_size_max);
  r.version = pit.version.substr(0, control::version_size_max);
  r.ready_since_ns = pit.state == PitState::ready ? pit.ready_since_ns : 0;
  r.executable = pit.config.executable.substr(0, control::path_size_max);
  for (const std::string& argument : pit.config.args) r.arguments += (r.arguments.empty() ? "" : " ") + argument;
  r.arguments.resize(std::min(r.arguments.size(), control::path_size_max));
  r.trust = pit.config.trust;
  r.waiting = pit.config.waiting;
  r.placement = pit.config.placement;
  r.start_at_once = pit.config.start_at_once;
  for (const std::string& name : pit.config.calls) {
    if (r.calls.size() == control::calls_in_report_max) break;
    if (name.size() <= control::pit_name_size_max) r.calls.push_back(name);
  }
  r.restart = pit.config.restart;
  r.failures = static_cast<std::uint32_t>(std::count_if(pit.failures.begin(), pit.failures.end(), [&](TimeNs at) {
    return now_ns_ - at < pit.config.restart.window_ns;
  }));
  if (!config_.log_folder.empty()) {
    r.log = (config_.log_folder + "/" + pit.config.name + ".log").substr(0, control::path_size_max);
  }
  r.log_lines_lost = pit.log_lines_lost;
  r.deaths.assign(pit.deaths.begin(), pit.deaths.end());
  const DeadLetters::Counts letters = letters_.counts(pit.config.name);
  r.letters = letters.kept;
  r.letters_lost = letters.lost;
  r.runs_alone = pit.runs_alone;
  r.sandbox = pit.config.sandbox;
  r.budgets = pit.config.budgets;
  r.rings = pit.config.rings;
  r.overruns = pit.overruns;
  r.hangs = pit.hangs;
  r.sandbox_reached = pit.state == PitState::ready ? pit.sandbox : 0;
  return r;
}

}  // namespace symphony::detail::broker
