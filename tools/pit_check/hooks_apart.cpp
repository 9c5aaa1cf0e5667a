#include "tools/pit_check/hooks_apart.hpp"

#include <poll.h>

#include <memory>
#include <string>

#include "tools/pit_check/caller.hpp"

namespace symphony::pit_check {
namespace {

using pit::Outcome;

constexpr int messages = 60;

class ApartPit {
 public:
  explicit ApartPit(Trial& trial) : trial_(trial) {
    const Between::Asked asked(Hook::beginning);
    const Outcome begun = trial.stage.mount(nullptr, mounted_);
    if (!begun.ok()) Trial::fail("create(), init() or start(): the pit did not become ready: " + begun.text);
    process_ = mounted_->process();
    Trial::require(process_ > 0, "create(), init() or start(): the pit has no process");
  }

  // What the host was asked for ended, and the pit lives. `ok`: it has no reason to fail either.
  void ask(Hook hook, bool must_succeed, auto&& request) {
    const Between::Asked asked(hook);
    const Outcome outcome = request(mounted_->host());
    const std::string name = std::string(to_string(hook)) + "()";
    if (!lives()) Trial::fail(name + ": the pit's process died: an exception left it, or it crashed");
    if (const auto fault = fault_of(trial_.note(), {outcome.status, 0, {}, {}})) {
      Trial::fail(name + ": " + *fault + outcome.text);
    }
    if (must_succeed) Trial::require_ok(outcome, name);
  }
  void drain(TimeNs deadline_ns = no_deadline_ns) {
    ask(Hook::drain, true, [&](pit::Host& host) { return host.drain(deadline_ns); });
  }
  void start() {
    ask(Hook::start, true, [](pit::Host& host) { return host.start(); });
  }
  void snapshot(pit::Snapshot& out) {
    ask(Hook::snapshot, true, [&](pit::Host& host) { return host.snapshot(out); });
  }
  void feed(TimeNs at) {
    ask(Hook::timer, true, [&](pit::Host& host) { return host.feed(7, at); });
  }
  void work() {
    std::unique_ptr<pit::Link> link;
    ask(Hook::handle, true, [&](pit::Host& host) { return host.open(link); });
    for (int i = 0; i < messages; ++i) {
      const auto& types = trial_.note().messages;
      const std::uint32_t type =
          types.empty() || i % 10 == 9 ? unlisted_type(trial_) : types[below(trial_.random, types.size())].type;
      const Body body = i % 7 == 0 ? Body() : random_table(trial_.random);
      ask(Hook::handle, false, [&](pit::Host&) -> Outcome {
        const pit::Reply reply = link->call({type, SYMPHONY_EFFECT_ONCE, body, now_ns() + call_timeout_ns});
        return {reply.status, std::string(reply.text)};
      });
    }
  }

 private:
  // The broker may hear of a death a moment after its caller: who asks the pit itself hears of it, too.
  [[nodiscard]] bool lives() {
    const TimeNs deadline_ns = now_ns() + 5 * second_ns;
    while (mounted_->host().incarnation() == 0) {
      if (mounted_->process() != process_ || now_ns() > deadline_ns) return false;
      (void)::poll(nullptr, 0, 1);
    }
    return mounted_->process() == process_;
  }

  Trial& trial_;
  std::unique_ptr<Mounted> mounted_;
  pid_t process_ = 0;
};

void begin_often(Trial& trial) {
  for (int i = 0; i < 3; ++i) ApartPit{trial};
}

void start_again(Trial& trial) {
  begin_often(trial);
  ApartPit pit(trial);
  pit.work();
  for (int i = 0; i < 3; ++i) {
    pit.drain();
    pit.start();
  }
}

void handle(Trial& trial) { ApartPit(trial).work(); }

void run_timers(Trial& trial) {
  ApartPit pit(trial);
  pit.feed(fed_start_ns);
  for (int round = 1; round <= 10; ++round) {
    pit.work();
    pit.feed(fed_start_ns + round * 3'600 * second_ns);
  }
}

void drain(Trial& trial) {
  ApartPit(trial).drain();
  ApartPit late(trial);
  late.work();
  late.ask(Hook::drain, false, [](pit::Host& host) { return host.drain(1); });
  ApartPit busy(trial);
  busy.work();
  busy.drain(now_ns() + 10 * second_ns);
}

void snapshot(Trial& trial) {
  trial.need_snapshots();
  ApartPit pit(trial);
  pit::Snapshot taken;
  pit.snapshot(taken);
  pit.work();
  pit.snapshot(taken);
  pit.drain();
  pit.snapshot(taken);
}

void restore(Trial& trial) {
  trial.need_snapshots();
  ApartPit pit(trial);
  pit.work();
  pit::Snapshot good;
  pit.snapshot(good);
  for (int i = 0; i < 20; ++i) {
    pit::Snapshot bad = good;
    bad.bytes = damaged(trial.random, good.bytes);
    pit.ask(Hook::restore, false, [&](pit::Host& host) { return host.restore(bad); });
  }
  pit.ask(Hook::restore, true, [&](pit::Host& host) { return host.restore(good); });
}

void stop(Trial& trial) {
  for (const bool works : {false, true}) {
    ApartPit pit(trial);
    if (works) pit.work();
    pit.drain();
    pit.ask(Hook::stop, true, [](pit::Host& host) { return host.stop(); });
  }
}

// An instance is destroyed in a process that goes on where a restore takes its place.
void destroy(Trial& trial) {
  ApartPit pit(trial);
  if (trial.note().state_revision == 0) return;
  pit::Snapshot fresh;
  pit.snapshot(fresh);
  for (int i = 0; i < 3; ++i) {
    pit.work();
    pit.ask(Hook::destroy, true, [&](pit::Host& host) { return host.restore(fresh); });
  }
}

}  // namespace

void check_hook_apart(Trial& trial, Hook hook) {
  switch (hook) {
    case Hook::create:
    case Hook::init:
    case Hook::beginning:
      return begin_often(trial);
    case Hook::start:
      return start_again(trial);
    case Hook::handle:
      return handle(trial);
    case Hook::timer:
      return run_timers(trial);
    case Hook::drain:
      return drain(trial);
    case Hook::snapshot:
      return snapshot(trial);
    case Hook::restore:
      return restore(trial);
    case Hook::stop:
      return stop(trial);
    case Hook::destroy:
      return destroy(trial);
    case Hook::none:
      return;
  }
}

}  // namespace symphony::pit_check
