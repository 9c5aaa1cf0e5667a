// Calls that are ended from outside in the middle of the pit's code, in a mode where the host outlives that: the next
// instance takes over with the state that was last kept.
#include <sched.h>
#include <time.h>

#include <array>
#include <atomic>
#include <string>
#include <thread>

#include "tools/pit_check/caller.hpp"
#include "tools/pit_check/cases.hpp"

namespace symphony::pit_check {
namespace trap {
namespace {

constexpr std::uint32_t traps_wanted = 100;
constexpr TimeNs time_for_traps_ns = 20 * second_ns;

// Ends a call of the pit each time it is let loose, if it comes in time: at most one.
class Killer {
 public:
  explicit Killer(Mounted& mounted) : mounted_(mounted) {
    // On one processor: it runs where it has pushed the pit aside, at a random place of the pit's code.
    cpu_set_t here;
    CPU_ZERO(&here);
    CPU_SET(static_cast<std::size_t>(std::max(::sched_getcpu(), 0)), &here);
    (void)::sched_getaffinity(0, sizeof before_, &before_);
    (void)::sched_setaffinity(0, sizeof here, &here);
    thread_ = std::thread([this] { run(); });
  }
  Killer(const Killer&) = delete;
  Killer& operator=(const Killer&) = delete;
  ~Killer() {
    // relaxed: nothing is read because of it.
    ending_.store(true, std::memory_order_relaxed);
    thread_.join();
    (void)::sched_setaffinity(0, sizeof before_, &before_);
  }
  // relaxed: what it does is seen by the call that it ends.
  void let_loose() noexcept { loose_.store(true, std::memory_order_relaxed); }

 private:
  void run() noexcept {
    std::uint32_t random = 1;
    // relaxed: as above, all.
    while (!ending_.load(std::memory_order_relaxed)) {
      random = random * 1'664'525U + 1'013'904'223U;
      const timespec moment{0, 20'000 + random % 200'000};
      ::nanosleep(&moment, nullptr);
      if (!loose_.load(std::memory_order_relaxed)) continue;
      (void)mounted_.kill();
      // Only now, also for a call that began meanwhile: if it is the one that was ended, the next instance is being
      // made in it, which nobody is to end.
      loose_.store(false, std::memory_order_relaxed);
    }
  }
  Mounted& mounted_;
  cpu_set_t before_{};
  std::atomic<bool> loose_{false};
  std::atomic<bool> ending_{false};
  std::thread thread_;
};

struct Played {
  std::uint64_t calls = 0;
  std::uint32_t trapped = 0;
};

// Calls until `wanted` of them were ended from outside, or the time is over. Each ends once: as the pit ends it, or as
// TRAPPED. `between` is run before each, while nobody ends anything.
template <class Before>
Played play(Trial& trial, const Corpus& corpus, Mounted& mounted, std::uint32_t wanted, Before&& before) {
  std::unique_ptr<pit::Link> link;
  Trial::require_ok(mounted.host().open(link), "no link");
  Killer killer(mounted);
  Played played;
  const TimeNs until = now_ns() + time_for_traps_ns;
  while (played.trapped < wanted && now_ns() < until) {
    before(played);
    const Message& message = corpus.any(trial.random);
    killer.let_loose();
    const pit::Reply reply = link->call({message.type, SYMPHONY_EFFECT_ONCE, message.body, now_ns() + call_timeout_ns});
    ++played.calls;
    if (reply.status == SYMPHONY_TRAPPED) {
      ++played.trapped;
    } else if (const auto fault = fault_of(trial.note(), reply)) {
      Trial::fail("after " + std::to_string(played.trapped) + " calls that were ended: " + *fault);
    }
  }
  const pit::Tally tally = link->tally();
  Trial::require(tally.calls == played.calls && tally.ended == played.calls && tally.dropped == 0,
                 "the link's own count of calls and endings differs");
  if (played.trapped == 0) Trial::skip("none of its calls was long enough to be ended in the middle");
  trial.remark = std::to_string(played.calls) + " calls, " + std::to_string(played.trapped) + " ended from outside";
  return played;
}

void at_work(Trial& trial) {
  const Corpus corpus(trial);
  const auto mounted = mount(trial);
  pit::Host& host = mounted->host();
  const bool has_state = trial.note().state_revision != 0;
  (void)play(trial, corpus, *mounted, trial.rounds(traps_wanted), [&](const Played& played) {
    // So that the next instance begins with a state that work has made. The end of the call before may still come.
    if (!has_state || played.calls % 50 != 0) return;
    pit::Snapshot kept;
    if (const pit::Outcome taken = host.snapshot(kept); taken.status != SYMPHONY_TRAPPED) {
      Trial::require_ok(taken, "snapshot between calls that are ended");
    }
  });
  require_usable(trial, host, "calls that were ended from outside");
}

void state_is_kept(Trial& trial) {
  trial.need_snapshots();
  const Corpus corpus(trial);
  const auto mounted = mount_fed(trial);
  pit::Host& host = mounted->host();
  (void)work(trial, trial.random, corpus, host, 100);
  const pit::Snapshot kept = snapshot_of(host, "after work");
  (void)play(trial, corpus, *mounted, 1, [](const Played&) {});
  Trial::require(same_state(kept, snapshot_of(host, "of the next instance")),
                 "the instance after a trap has another state than the one that was last kept");
  require_usable(trial, host, "a call that was ended from outside");
}

constexpr std::array cases{
    Case{"trap.at_work", "100 calls ended from outside at random points: each ends once, the next is served",
         Ground::trap, &at_work},
    Case{"trap.state_is_kept", "the instance after a trap has the state that was last kept", Ground::trap,
         &state_is_kept},
};

}  // namespace
}  // namespace trap

std::span<const Case> trap_cases() noexcept { return trap::cases; }

}  // namespace symphony::pit_check
