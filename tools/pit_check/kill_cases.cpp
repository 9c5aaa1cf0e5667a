// The pit's process is killed, at rest and at work. Each call ends once, the next instance serves, nothing is left.
#include <poll.h>
#include <signal.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <optional>
#include <string>
#include <thread>

#include "tools/pit_check/caller.hpp"
#include "tools/pit_check/cases.hpp"

namespace symphony::pit_check {
namespace kill {
namespace {

constexpr int kills = 100;
constexpr std::size_t in_flight = 32;

// How a request may end that a dying pit had: by its effect, a call that may be sent again is.
bool is_death(std::int32_t status, std::uint32_t effect) {
  return (status == SYMPHONY_CRASHED && effect == SYMPHONY_EFFECT_ONCE) || status == SYMPHONY_CRASHED_ACCEPTED ||
         status == SYMPHONY_POISONED;
}

void wait_for(const char* what, auto&& holds) {
  const TimeNs deadline = now_ns() + 20 * second_ns;
  while (!holds()) {
    Trial::require(now_ns() < deadline, what);
    (void)::poll(nullptr, 0, 1);
  }
}

// The next instance's first instruction may be its last: only one that is up is killed.
void kill_when_up(Mounted& mounted) {
  wait_for("the pit does not come up again", [&] { return mounted.kill().ok(); });
}

void at_rest(Trial& trial) {
  const auto mounted = mount(trial);
  Caller caller(trial, mounted->host());
  const std::uint32_t type = trial.note().messages.empty() ? unlisted_type(trial) : trial.note().messages[0].type;
  for (int i = 0; i < 5; ++i) {
    (void)caller.call(type, {});
    kill_when_up(*mounted);
    // The call waits for the next instance; fault_of() refuses an ending by the death of the old one, which had no
    // request when it died.
    (void)caller.call(type, {}, 20 * second_ns);
  }
  require_usable(trial, mounted->host(), "kills at rest");
}

void at_work(Trial& trial) {
  const Corpus corpus(trial);
  const auto mounted = mount(trial);
  std::unique_ptr<pit::Link> link;
  Trial::require_ok(mounted->host().open(link), "no link");
  struct Sent {
    std::uint32_t effect;
    int endings;
  };
  std::vector<Sent> sent;
  std::size_t ended = 0, died = 0;
  const auto take = [&] {
    std::uint64_t tag = 0;
    pit::Reply reply;
    while (link->try_take(tag, reply)) {
      Trial::require(tag < sent.size(), "an ending came for a call that nobody made");
      if (++sent[tag].endings != 1) Trial::fail("call " + std::to_string(tag) + " ended twice");
      ++ended;
      if (is_death(reply.status, sent[tag].effect)) {
        ++died;
      } else if (const auto fault = fault_of(trial.note(), reply)) {
        Trial::fail(*fault);
      }
    }
  };
  const auto step = [&] {
    while (sent.size() - ended < in_flight) {
      const Message& message = corpus.any(trial.random);
      const auto effect = trial.note().effect_of(message.type).value_or(SYMPHONY_EFFECT_ONCE);
      if (!link->try_start({message.type, effect, message.body, now_ns() + 60 * second_ns}, sent.size())) break;
      sent.push_back({effect, 0});
    }
    take();
  };
  const int rounds = trial.rounds(kills);
  for (int i = 0; i < rounds; ++i) {
    // Somewhere within the work on the next calls.
    const std::size_t until = ended + 1 + below(trial.random, 300);
    wait_for("calls do not end", [&] {
      step();
      return ended >= until;
    });
    // The work goes on while it is killed: else it would be at rest by then.
    std::atomic<bool> killed{false};
    std::string trouble;
    std::thread killer([&] {
      try {
        kill_when_up(*mounted);
      } catch (const Failed& failed) {
        trouble = failed.why;
      }
      // sync kill_cases.killed release: what went wrong is said.
      killed.store(true, std::memory_order_release);
    });
    std::optional<Failed> wrong;
    try {
      // sync kill_cases.killed acquire: the killer has said what went wrong.
      while (!killed.load(std::memory_order_acquire)) step();
    } catch (const Failed& failed) {
      wrong = failed;
    }
    killer.join();
    if (wrong) throw *wrong;
    Trial::require(trouble.empty(), trouble);
  }
  wait_for("calls are left without an ending", [&] {
    take();
    return ended == sent.size();
  });
  const pit::Tally tally = link->tally();
  Trial::require(tally.calls == sent.size() && tally.ended == sent.size() && tally.dropped == 0,
                 "the link's own count of calls and endings differs");
  trial.remark = std::to_string(sent.size()) + " calls, " + std::to_string(rounds) + " kills, " + std::to_string(died) +
                 " calls ended by them";
  require_usable(trial, mounted->host(), "kills at work");
}

void state_begins_anew(Trial& trial) {
  trial.need_snapshots();
  const Corpus corpus(trial);
  const auto mounted = mount(trial);
  pit::Host& host = mounted->host();
  const pit::Snapshot fresh = snapshot_of(host, "when fresh");
  (void)work(trial, trial.random, corpus, host, 50);
  const pit::Snapshot saved = snapshot_of(host, "after work");
  kill_when_up(*mounted);
  Trial::require(same_state(fresh, snapshot_of(host, "of the next instance")),
                 "the next instance does not begin fresh");
  Trial::require_ok(host.restore(saved), "restore into the next instance");
  Trial::require(same_state(saved, snapshot_of(host, "after restore")), "the state did not come through the death");
}

void nothing_is_left(Trial& trial) {
  auto mounted = mount(trial);
  const pid_t pid = mounted->process();
  Trial::require(pid > 0, "the pit has no process");
  mounted.reset();
  wait_for("the pit's process outlives its broker", [&] { return ::kill(pid, 0) != 0 && errno == ESRCH; });
}

constexpr std::array cases{
    Case{"kill.at_rest", "a pit that was killed between calls is there for the next one", Ground::process, &at_rest},
    Case{"kill.at_work", "100 kills at random points of the work: each call ends exactly once", Ground::process,
         &at_work},
    Case{"kill.state_begins_anew", "the next instance is fresh, and takes the state of the one before", Ground::process,
         &state_begins_anew},
    Case{"kill.nothing_is_left", "no process is left when its host is gone", Ground::process, &nothing_is_left},
};

}  // namespace
}  // namespace kill

std::span<const Case> kill_cases() noexcept { return kill::cases; }

}  // namespace symphony::pit_check
