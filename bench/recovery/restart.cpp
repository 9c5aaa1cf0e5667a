#include <poll.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <thread>
#include <utility>

#include <symphony/operator.hpp>

#include "bench/recovery/parts.hpp"
#include "bench/recovery/party.hpp"

namespace symphony::bench::recovery {
namespace {

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double ms(TimeNs from, TimeNs to) { return static_cast<double>(to - from) * 1e-6; }

struct Times {
  TimeNs kill = 0, dead = 0, told = 0, forked = 0, main = 0, loaded = 0, made = 0, ready = 0, go = 0, reply = 0;
};

// Kills the pit and waits for the reply of the next one, with a call that was made at once.
Times once(Party& party, Link& link, Operator& broker) {
  const PitInfo before = party.pit();
  const UniqueFd pidfd = pidfd_of(before.pid);
  const std::uint64_t epoch = link.epoch();
  Times t;
  // Who does nothing but wait for it is told by the kernel as early as anybody.
  std::jthread mourner([&] { t.dead = is_readable(pidfd.get(), patience_ns) ? now_ns() : 0; });
  t.kill = now_ns();
  kill_by(pidfd);
  const auto id = link.try_start(1, {}, {.timeout_ns = patience_ns, .effect = Effect::idempotent});
  if (!id) give_up("call", "no room for one");
  for (std::optional<Reply> reply; !reply; reply = link.try_take(*id)) {
    if (!link.wait_any(deadline_after(patience_ns))) give_up("call", "no reply");
    if (t.go == 0 && link.epoch() != epoch) t.go = now_ns();
  }
  t.reply = now_ns();
  mourner.join();
  const OperatorAnswer answer = broker.show("echo", patience_ns);
  if (!answer.ok() || answer.pit.deaths.empty()) give_up("show", answer.text.c_str());
  const Row& row = party.row_of(answer.pit.info.instance);
  t.told = answer.pit.deaths.back().at_ns;
  t.dead = std::min(t.dead, t.told);  // this thread may have waited for a processor longer than the broker did
  t.ready = answer.pit.ready_since_ns;
  t.forked = row.forked_ns, t.main = row.main_ns, t.loaded = row.loaded_ns, t.made = row.made_ns;
  return t;
}

}  // namespace

void measure_restart(std::size_t kills) {
  const TimeNs begun = now_ns();
  Party party(1, true);
  Link link = party.open();
  auto broker = Operator::connect(party.place());
  if (!broker) give_up("operator", broker.error().text);
  if (!link.call(1, {}).ok()) give_up("call", "the pit does not answer");
  constexpr const char* names[] = {"kill -> dead (the kernel)", "-> told at the broker", "-> forked",
                                   "-> main (exec, linking)",   "-> pit loaded",         "-> pit made",
                                   "-> READY at the broker",    "-> GO at the caller",   "-> reply"};
  constexpr std::size_t count = std::size(names);
  std::vector<double> parts[count], whole, split, own, loading, dying;
  std::size_t without_split = 0;
  for (std::size_t i = 0; i < kills + 3; ++i) {
    const Times t = once(party, link, *broker);
    (void)::poll(nullptr, 0, 20);  // the pit has served for a moment before it dies again
    if (i < 3) continue;           // files and memory are warm
    whole.push_back(ms(t.kill, t.reply));
    const TimeNs at[] = {t.kill, t.dead, t.told, t.forked, t.main, t.loaded, t.made, t.ready, t.go, t.reply};
    bool is_whole = true;
    for (std::size_t k = 0; k < count; ++k) is_whole = is_whole && at[k] != 0 && at[k + 1] != 0;
    without_split += is_whole ? 0 : 1;
    if (!is_whole) continue;
    for (std::size_t k = 0; k < count; ++k) parts[k].push_back(ms(at[k], at[k + 1]));
    split.push_back(ms(t.kill, t.reply));
    loading.push_back(ms(t.forked, t.main));
    dying.push_back(ms(t.kill, t.dead));
    own.push_back(ms(t.dead, t.reply) - loading.back());
  }
  if (own.empty()) give_up("restart", "no split: is the kernel without /proc/self/schedstat?");
  std::printf("SIGKILL of a process pit to its first reply, empty snapshot: p50 %.2f ms, p99 %.2f ms, %zu kills\n",
              quantile(whole, 0.5), quantile(whole, 0.99), whole.size());
  double sum = 0;  // means add up, medians do not
  for (std::size_t k = 0; k < count; ++k) {
    sum += mean(parts[k]);
    std::printf("  %-28s mean %6.2f ms  p50 %6.2f ms  p99 %6.2f ms\n", names[k], mean(parts[k]),
                quantile(parts[k], 0.5), quantile(parts[k], 0.99));
  }
  std::printf("  %-28s mean %6.2f ms, of the whole %.2f ms\n", "sum", sum, mean(split));
  if (std::abs(sum - mean(split)) > 0.001) give_up("restart", "the parts are not the whole");
  std::printf("  own code (all but dying, exec and linking): p50 %.2f ms, p99 %.2f ms; without a split: %zu\n",
              quantile(own, 0.5), quantile(own, 0.99), without_split);
  write("bus.recovery_ms_p50", quantile(whole, 0.5), "ms", whole.size(), begun,
        "SIGKILL of a process pit to the first reply of the next one, empty snapshot; target 20");
  write("bus.recovery_ms_p99", quantile(whole, 0.99), "ms", whole.size(), begun, "the same, p99");
  write(
      "bus.recovery_own_ms", quantile(own, 0.5), "ms", own.size(), begun,
      "of it, all but SIGKILL to a readable pidfd and the fork to main of the pit's host (exec, linking); loading the "
      "pit's file is in it; target 5");
  write("bus.recovery_dying_ms", quantile(dying, 0.5), "ms", dying.size(), begun,
        "of it, SIGKILL until who only polls the pidfd is told: the kernel takes the process apart");
  write("bus.recovery_exec_ms", quantile(loading, 0.5), "ms", loading.size(), begun, "of it, fork to main");
}

}  // namespace symphony::bench::recovery
