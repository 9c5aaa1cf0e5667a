#include <poll.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>
#include <thread>
#include <utility>

#include "bench/recovery/others.hpp"
#include "bench/recovery/parts.hpp"
#include "bench/recovery/party.hpp"

namespace symphony::bench::recovery {
namespace {

constexpr TimeNs slice_ns = 500 * ms_ns;
constexpr int kill_after_ms = 20;  // of a slice
// Set before anything was measured: a pair counts if in neither of its slices others took more of one processor.
constexpr double others_max = 0.1;
constexpr std::size_t pairs_min = 10;  // fewer say nothing
constexpr double target = 1.1;
constexpr std::size_t kills_per_daemon = 4;  // its keeper gives up at the fifth within ten seconds

struct Calls {
  std::uint64_t asked = 0;  // what the next answer must be
  std::uint64_t lost = 0;
};

// The p99 of a slice of calls, in microseconds.
double p99_of_slice(Link& link, Calls& calls, std::size_t& count) {
  std::vector<double> times;
  times.reserve(1u << 18);
  for (TimeNs now = now_ns(), end = now + slice_ns; now < end;) {
    const Reply reply = link.call(1, {}, {.timeout_ns = patience_ns});
    const TimeNs after = now_ns();
    std::uint64_t answer = 0;
    if (reply.ok() && reply.body.size() == sizeof answer) std::memcpy(&answer, reply.body.data(), sizeof answer);
    if (answer != ++calls.asked) ++calls.lost, calls.asked = answer;
    times.push_back(static_cast<double>(after - now) * 1e-3);
    now = after;
  }
  count += times.size();
  return quantile(times, 0.99);
}

// Ranks of a 95 % confidence interval of the median, from the binomial distribution; ordered, of at least 10.
std::pair<double, double> interval_of_median(const std::vector<double>& ordered) {
  const auto n = static_cast<double>(ordered.size());
  const double half = 0.98 * std::sqrt(n);
  const auto low = static_cast<std::size_t>(std::max(std::floor(n / 2 - half), 1.0)) - 1;
  return {ordered[low], ordered[ordered.size() - 1 - low]};
}

void report(std::vector<double>& ratios, std::vector<double>& with, std::vector<double>& without, std::size_t pairs,
            TimeNs begun) {
  if (ratios.size() < pairs_min) {
    std::printf(
        "  no figure: in %zu of %zu pairs others took no more than %.0f %% of a processor, and %zu are needed\n",
        ratios.size(), pairs, 100 * others_max, pairs_min);
    return;
  }
  const double ratio = quantile(ratios, 0.5);
  const auto [low, high] = interval_of_median(ratios);
  const char* const verdict = high <= target ? "at most" : low > target ? "above" : "not told apart from";
  std::printf(
      "  of %zu pairs the %zu in which others took no more than %.0f %% of a processor: p99 %.2f us with, %.2f us "
      "without (medians of slices); median ratio %.3f, 95 %% interval %.3f to %.3f: %s %.1f\n",
      pairs, ratios.size(), 100 * others_max, quantile(with, 0.5), quantile(without, 0.5), ratio, low, high, verdict,
      target);
  char note[320];
  std::snprintf(note, sizeof note,
                "p99 of calls in slices of 500 ms in which the broker is killed, over that of slices in which it is "
                "not, in turns; median over the pairs in which others took at most 10 %% of a processor (%zu of %zu), "
                "95 %% interval %.3f to %.3f: %s the target, 1.1; 0 lost",
                ratios.size(), pairs, low, high, verdict);
  write("bus.broker_kill_p99_ratio", ratio, "ratio", ratios.size(), begun, note);
}

}  // namespace

void measure_broker_kill(std::size_t pairs) {
  const TimeNs begun = now_ns();
  std::vector<double> with, without, ratios, all;
  std::size_t count = 0;
  std::uint64_t lost = 0;
  for (std::size_t done = 0; done < pairs;) {
    Party party(1, false);
    Link link = party.open();
    Calls calls;
    (void)p99_of_slice(link, calls, count);  // warm
    for (std::size_t i = 0; i < kills_per_daemon && done < pairs; ++i, ++done) {
      double p99_without = 0, p99_with = 0;
      TimeNs others = 0;  // of the slice in which they took more
      const auto slice = [&](double& p99) {
        const TimeNs before = taken_by_others(party.daemon());
        p99 = p99_of_slice(link, calls, count);
        others = std::max(others, taken_by_others(party.daemon()) - before);
      };
      const auto undisturbed = [&] { slice(p99_without); };
      const auto killed = [&] {
        const pid_t before = party.broker();
        const UniqueFd broker = pidfd_of(before);
        std::thread killer([&] {
          (void)::poll(nullptr, 0, kill_after_ms);
          kill_by(broker);
        });
        slice(p99_with);
        killer.join();
        if (!is_readable(broker.get(), patience_ns)) give_up("broker", "it does not die");
        (void)party.pit();  // the next one serves
        if (party.broker() == before) give_up("broker", "it is the same");
      };
      if (done % 2 == 0) undisturbed(), killed();
      if (done % 2 != 0) killed(), undisturbed();
      all.push_back(p99_with / p99_without);
      if (static_cast<double>(others) > others_max * static_cast<double>(slice_ns)) continue;
      with.push_back(p99_with);
      without.push_back(p99_without);
      ratios.push_back(all.back());
    }
    lost += calls.lost;
  }
  std::printf(
      "broker killed under load: %zu calls, %llu lost; p99 of calls with over without: p50 %.3f, p5 %.3f, p95 %.3f "
      "of all %zu pairs\n",
      count, static_cast<unsigned long long>(lost), quantile(all, 0.5), quantile(all, 0.05), quantile(all, 0.95),
      all.size());
  if (lost != 0) give_up("broker", "calls were lost");
  report(ratios, with, without, all.size(), begun);
}

}  // namespace symphony::bench::recovery
