// At fed time, with a fed seed, the same messages give the same replies; and the fuzz case, for all of it at once.
#include <array>
#include <string>

#include "tools/pit_check/caller.hpp"
#include "tools/pit_check/cases.hpp"

namespace symphony::pit_check {
namespace replay {
namespace {

constexpr int fuzz_steps = 3'000;

// The same random work at fed time.
std::vector<Ending> play(Trial& trial, const Corpus& corpus, pit::Host& host, std::uint64_t seed) {
  Random random(seed);
  std::vector<Ending> all;
  TimeNs now = fed_start_ns;
  for (int round = 0; round < 20; ++round) {
    Trial::require_ok(host.feed(1 + below(random, 1'000), now), "feed");
    const auto some = work(trial, random, corpus, host, 10);
    all.insert(all.end(), some.begin(), some.end());
    now += static_cast<TimeNs>(below(random, static_cast<std::uint64_t>(second_ns)));
  }
  return all;
}

void same_replies(Trial& trial) {
  const Corpus corpus(trial);
  const std::uint64_t seed = trial.random();
  const auto first = mount_fed(trial);
  const auto second = mount_fed(trial);
  const auto a = play(trial, corpus, first->host(), seed);
  const auto b = play(trial, corpus, second->host(), seed);
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i]) {
      Trial::fail("message " + std::to_string(i) + " was answered with " + a[i].described() + " and, replayed, with " +
                  b[i].described() + ": take time and randomness from the host only");
    }
  }
}

void same_states(Trial& trial) {
  trial.need_snapshots();
  const Corpus corpus(trial);
  const std::uint64_t seed = trial.random();
  const auto first = mount_fed(trial);
  const auto second = mount_fed(trial);
  (void)play(trial, corpus, first->host(), seed);
  (void)play(trial, corpus, second->host(), seed);
  const pit::Snapshot a = snapshot_of(first->host(), "of the first");
  const pit::Snapshot b = snapshot_of(second->host(), "of the replay");
  Trial::require(a.bytes == b.bytes && a.revision == b.revision && a.timers == b.timers,
                 "replayed, the same messages give another snapshot: write it in an order that does not depend on "
                 "addresses or hashes");
}

void timer_storm(Trial& trial) {
  const Corpus corpus(trial);
  const auto mounted = mount_fed(trial);
  pit::Host& host = mounted->host();
  TimeNs now = fed_start_ns;
  for (int i = 0; i < 500; ++i) {
    (void)work(trial, trial.random, corpus, host, 2);
    // From a moment to half an hour at once.
    now += static_cast<TimeNs>(std::uint64_t{1} << below(trial.random, 41));
    Trial::require_ok(host.feed(1 + below(trial.random, 1'000), now), "feed");
  }
  require_usable(trial, host, "a storm of timers");
}

void fuzz(Trial& trial) {
  const Corpus corpus(trial);
  const auto mounted = mount_fed(trial);
  pit::Host& host = mounted->host();
  Caller caller(trial, host);
  const bool has_state = trial.note().state_revision != 0;
  pit::Snapshot kept = has_state ? snapshot_of(host, "at the start") : pit::Snapshot{};
  TimeNs now = fed_start_ns;
  const int steps = trial.rounds(fuzz_steps);
  for (int step = 0; step < steps; ++step) {
    try {
      const Message& message = corpus.any(trial.random);
      switch (below(trial.random, 16)) {
        case 0:
          now += static_cast<TimeNs>(below(trial.random, static_cast<std::uint64_t>(second_ns)));
          Trial::require_ok(host.feed(1 + trial.random() / 2, now), "feed");
          break;
        case 1:
          if (has_state) kept = snapshot_of(host, "in between");
          break;
        case 2:
          if (has_state) {
            Trial::require_ok(host.restore(kept), "restore");
            Trial::require(same_state(kept, snapshot_of(host, "after restore")), "restore gave another state");
            Trial::require_ok(host.feed(1 + trial.random() / 2, now), "feed");
          }
          break;
        case 3:
          if (has_state) {
            const Body odd = damaged(trial.random, kept.bytes);
            const pit::Outcome outcome = host.restore({kept.revision, odd, kept.timers});
            if (const auto fault = fault_of(trial.note(), {outcome.status, 0, {}, {}})) Trial::fail(*fault);
            if (outcome.ok()) Trial::require_ok(host.restore(kept), "restore");
            Trial::require_ok(host.feed(1 + trial.random() / 2, now), "feed");
          }
          break;
        case 4:
          Trial::require_ok(host.drain(no_deadline_ns), "drain");
          Trial::require_ok(host.start(), "start after drain");
          break;
        case 5:
          (void)caller.call(unlisted_type(trial), message.body);
          break;
        case 6:
          (void)caller.call(message.type, random_bytes(trial.random, below(trial.random, 256)));
          break;
        case 7:
        case 8:
        case 9:
          (void)caller.call(message.type, damaged(trial.random, message.body));
          break;
        case 10:
          (void)caller.call(message.type, random_table(trial.random));
          break;
        default:
          (void)caller.call(message.type, message.body);
      }
    } catch (const Failed& failed) {
      Trial::fail("step " + std::to_string(step) + ": " + failed.why);
    }
  }
  trial.remark = std::to_string(steps) + " steps";
}

constexpr std::array cases{
    Case{"replay.same_replies", "the same messages at the same fed time give the same replies", Ground::any,
         &same_replies},
    Case{"replay.same_states", "and the same snapshots", Ground::any, &same_states},
    Case{"replay.timer_storm", "time that leaps leaves the pit usable", Ground::any, &timer_storm},
    Case{"fuzz.everything_mixed", "3,000 random steps of all that callers and hosts may do", Ground::any, &fuzz},
};

}  // namespace
}  // namespace replay

std::span<const Case> replay_cases() noexcept { return replay::cases; }

}  // namespace symphony::pit_check
