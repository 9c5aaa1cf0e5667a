// The state machine as a host offers it: what is refused leaves the pit as it was.
#include <array>

#include "tools/pit_check/caller.hpp"
#include "tools/pit_check/cases.hpp"

namespace symphony::pit_check {
namespace state {
namespace {

std::int32_t status_of_a_call(Trial& trial, pit::Host& host) {
  Caller caller(trial, host);
  return caller.call(trial.note().messages.empty() ? unlisted_type(trial) : trial.note().messages[0].type, {}).status;
}

void running_refuses_start_and_stop(Trial& trial) {
  const auto mounted = mount(trial);
  pit::Host& host = mounted->host();
  Trial::require_refused(host.start(), SYMPHONY_BAD_STATE, "start of a running pit");
  Trial::require_refused(host.stop(), SYMPHONY_BAD_STATE, "stop of a running pit");
  require_usable(trial, host, "refused steps");
}

void drained_takes_no_messages(Trial& trial) {
  const auto mounted = mount(trial);
  pit::Host& host = mounted->host();
  Trial::require_ok(host.drain(no_deadline_ns), "drain");
  Trial::require(status_of_a_call(trial, host) == SYMPHONY_BAD_STATE, "a drained pit was given a message");
  Trial::require_refused(host.drain(no_deadline_ns), SYMPHONY_BAD_STATE, "a second drain");
}

void drained_starts_again(Trial& trial) {
  const Corpus corpus(trial);
  const auto mounted = mount_fed(trial);
  pit::Host& host = mounted->host();
  (void)work(trial, trial.random, corpus, host, 50);
  const bool has_state = trial.note().state_revision != 0;
  const pit::Snapshot before = has_state ? snapshot_of(host, "before drain") : pit::Snapshot{};
  for (int round = 0; round < 3; ++round) {
    Trial::require_ok(host.drain(no_deadline_ns), "drain");
    Trial::require_ok(host.start(), "start after drain");
  }
  if (has_state && !same_state(before, snapshot_of(host, "after start"))) {
    Trial::fail("drain and start changed the state");
  }
  require_usable(trial, host, "drain and start");
}

void drain_takes_a_deadline(Trial& trial) {
  const auto mounted = mount(trial);
  Trial::require_ok(mounted->host().drain(now_ns() + 10 * second_ns), "drain with a deadline");
  Trial::require_ok(mounted->host().start(), "start after drain");
  // One that has passed: the pit may say that it could not, and is then as it was.
  const pit::Outcome late = mounted->host().drain(now_ns() - second_ns);
  if (late.ok()) Trial::require_ok(mounted->host().start(), "start after drain");
  require_usable(trial, mounted->host(), "a drain that came too late");
}

void stopped_is_the_end(Trial& trial) {
  const auto mounted = mount(trial);
  pit::Host& host = mounted->host();
  Trial::require_ok(host.drain(no_deadline_ns), "drain");
  Trial::require_ok(host.stop(), "stop");
  Trial::require_refused(host.start(), SYMPHONY_BAD_STATE, "start of a stopped pit");
  Trial::require_refused(host.drain(no_deadline_ns), SYMPHONY_BAD_STATE, "drain of a stopped pit");
  Trial::require_refused(host.stop(), SYMPHONY_BAD_STATE, "stop of a stopped pit");
  pit::Snapshot none;
  Trial::require_refused(host.snapshot(none), SYMPHONY_BAD_STATE, "snapshot of a stopped pit");
  Trial::require(status_of_a_call(trial, host) == SYMPHONY_BAD_STATE, "a stopped pit was given a message");
}

constexpr std::array cases{
    Case{"state.running_refuses_start_and_stop", "steps outside the state machine are refused and change nothing",
         Ground::any, &running_refuses_start_and_stop},
    Case{"state.drained_takes_no_messages", "calls of a drained pit end as BAD_STATE", Ground::any,
         &drained_takes_no_messages},
    Case{"state.drained_starts_again", "drain and start, thrice, leave state and service as they were", Ground::any,
         &drained_starts_again},
    Case{"state.drain_takes_a_deadline", "drain with a deadline ahead succeeds; one behind leaves the pit usable",
         Ground::any, &drain_takes_a_deadline},
    Case{"state.stopped_is_the_end", "nothing is legal for a stopped pit", Ground::any, &stopped_is_the_end},
};

}  // namespace
}  // namespace state

std::span<const Case> state_cases() noexcept { return state::cases; }

}  // namespace symphony::pit_check
