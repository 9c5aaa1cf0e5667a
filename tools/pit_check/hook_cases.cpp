// Each function of a pit by itself, run as often as its state machine allows: it returns, with a status that may be,
// and no exception comes out of it. One that hangs or dies is named: what stands between marks which one runs.
#include <array>
#include <string>

#include "tools/pit_check/between.hpp"
#include "tools/pit_check/by_hand.hpp"
#include "tools/pit_check/cases.hpp"
#include "tools/pit_check/hooks_apart.hpp"

namespace symphony::pit_check {
namespace hook {
namespace {

constexpr int messages = 60;

// What no function may end with, whatever it was asked.
void require_sound(Trial& trial, Hook hook, const pit::Outcome& outcome) {
  const std::string& escaped = Between::of_this_process().escaped();
  Trial::require(escaped.empty(), escaped);
  if (const auto fault = fault_of(trial.note(), {outcome.status, 0, {}, {}})) {
    Trial::fail(std::string(to_string(hook)) + "(): " + *fault + outcome.text);
  }
}

// A step that has no reason to fail.
void require_taken(Trial& trial, Hook hook, const pit::Outcome& outcome) {
  require_sound(trial, hook, outcome);
  Trial::require_ok(outcome, std::string(to_string(hook)) + "()");
}

std::unique_ptr<pit::Instance> created(Trial& trial) {
  std::unique_ptr<pit::Instance> instance;
  require_taken(trial, Hook::create, trial.stage.make_instance({.seed = 7}, instance));
  return instance;
}

std::unique_ptr<pit::Instance> inited(Trial& trial) {
  auto instance = created(trial);
  require_taken(trial, Hook::init, instance->init());
  return instance;
}

std::unique_ptr<pit::Instance> running(Trial& trial) {
  auto instance = inited(trial);
  require_taken(trial, Hook::start, instance->start());
  instance->feed(7, fed_start_ns);
  return instance;
}

// Without a corpus, for which a pit would be mounted first: bodies that are shaped like messages.
void work_by_hand(Trial& trial, pit::Instance& instance) {
  for (int i = 0; i < messages; ++i) {
    const auto& types = trial.note().messages;
    const std::uint32_t type =
        types.empty() || i % 10 == 9 ? unlisted_type(trial) : types[below(trial.random, types.size())].type;
    const Ending ending = send(instance, {type, i % 7 == 0 ? Body() : random_table(trial.random)});
    require_sound(trial, Hook::handle, {ending.status, ending.text});
  }
}

std::unique_ptr<pit::Instance> worked(Trial& trial) {
  auto instance = running(trial);
  work_by_hand(trial, *instance);
  return instance;
}

void run_create(Trial& trial) {
  for (int i = 0; i < 3; ++i) created(trial).reset();
}
void run_init(Trial& trial) {
  for (int i = 0; i < 3; ++i) inited(trial).reset();
}

void run_start(Trial& trial) {
  const auto instance = worked(trial);
  for (int i = 0; i < 3; ++i) {
    require_taken(trial, Hook::drain, instance->drain(0));
    require_taken(trial, Hook::start, instance->start());
  }
}

void run_handle(Trial& trial) { (void)worked(trial); }

void run_timer(Trial& trial) {
  const auto instance = running(trial);
  const symphony::TimeNs step = 3'600 * second_ns;
  std::uint64_t ran = 0;
  for (int round = 1; round <= 10; ++round) {
    work_by_hand(trial, *instance);
    instance->feed(7, fed_start_ns + round * step);
    for (int i = 0; i < SYMPHONY_TIMERS_MAX && instance->run_timer(fed_start_ns + round * step); ++i) {
      ++ran;
      require_sound(trial, Hook::timer, {});
      Trial::require(instance->state() == pit::State::running, "timer(): the pit trapped");
    }
  }
  trial.remark = std::to_string(ran) + " timers ran";
}

void run_drain(Trial& trial) {
  const auto fresh = running(trial);
  require_taken(trial, Hook::drain, fresh->drain(0));
  const auto late = worked(trial);
  require_sound(trial, Hook::drain, late->drain(1));
  const auto busy = worked(trial);
  require_taken(trial, Hook::drain, busy->drain(static_cast<std::uint64_t>(now_ns() + 10 * second_ns)));
}

void run_snapshot(Trial& trial) {
  trial.need_snapshots();
  pit::Snapshot taken;
  require_taken(trial, Hook::snapshot, running(trial)->snapshot(taken));
  const auto instance = worked(trial);
  require_taken(trial, Hook::snapshot, instance->snapshot(taken));
  require_taken(trial, Hook::drain, instance->drain(0));
  require_taken(trial, Hook::snapshot, instance->snapshot(taken));
}

void run_restore(Trial& trial) {
  trial.need_snapshots();
  pit::Snapshot good;
  require_taken(trial, Hook::snapshot, worked(trial)->snapshot(good));
  pit::Snapshot bad = good;
  for (int i = 0; i < 20; ++i) {
    bad.bytes = damaged(trial.random, good.bytes);
    const auto instance = inited(trial);
    require_sound(trial, Hook::restore, instance->restore(bad));
    if (instance->state() == pit::State::trapped) Trial::fail("restore(): the pit trapped");
  }
  require_taken(trial, Hook::restore, inited(trial)->restore(good));
}

void run_stop(Trial& trial) {
  for (const auto& instance : {running(trial), worked(trial)}) {
    require_taken(trial, Hook::drain, instance->drain(0));
    require_taken(trial, Hook::stop, instance->stop());
  }
}

void run_destroy(Trial& trial) {
  created(trial).reset();
  inited(trial).reset();
  running(trial).reset();
  worked(trial).reset();
  const auto drained = worked(trial);
  require_taken(trial, Hook::drain, drained->drain(0));
  require_sound(trial, Hook::destroy, {});
}

// By hand where the mode runs pits in this process; else by way of the host.
template <void (*by_hand)(Trial&), Hook which>
void run(Trial& trial) {
  return trial.stage.has_instances() ? by_hand(trial) : check_hook_apart(trial, which);
}

constexpr std::array cases{
    Case{"hook.create", "create() returns, and lets no exception out", Ground::any, &run<run_create, Hook::create>},
    Case{"hook.init", "init() returns, and lets no exception out", Ground::any, &run<run_init, Hook::init>},
    Case{"hook.start", "start() returns, also of a drained pit, and lets no exception out", Ground::any,
         &run<run_start, Hook::start>},
    Case{"hook.handle", "handle() returns, and lets no exception out", Ground::any, &run<run_handle, Hook::handle>},
    Case{"hook.timer", "timer() returns, and lets no exception out", Ground::any, &run<run_timer, Hook::timer>},
    Case{"hook.drain", "drain() returns, also after its deadline, and lets no exception out", Ground::any,
         &run<run_drain, Hook::drain>},
    Case{"hook.snapshot", "snapshot() returns, and lets no exception out", Ground::any,
         &run<run_snapshot, Hook::snapshot>},
    Case{"hook.restore", "restore() returns, whatever it reads, and lets no exception out", Ground::any,
         &run<run_restore, Hook::restore>},
    Case{"hook.stop", "stop() returns, and lets no exception out", Ground::any, &run<run_stop, Hook::stop>},
    Case{"hook.destroy", "destroy() returns, in each state, and lets no exception out", Ground::any,
         &run<run_destroy, Hook::destroy>},
};

}  // namespace
}  // namespace hook

std::span<const Case> hook_cases() noexcept { return hook::cases; }

}  // namespace symphony::pit_check
