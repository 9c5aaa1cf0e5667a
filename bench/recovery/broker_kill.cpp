#include <poll.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <thread>

#include "bench/recovery/parts.hpp"
#include "bench/recovery/party.hpp"

namespace symphony::bench::recovery {
namespace {

constexpr TimeNs slice_ns = 200 * ms_ns;
constexpr int kill_after_ms = 20;            // of a slice
constexpr std::size_t kills_per_daemon = 4;  // its keeper gives up at the fifth within ten seconds

struct Calls {
  std::uint64_t asked = 0;  // what the next answer must be
  std::uint64_t lost = 0;
};

// The p99 of a slice of calls, in microseconds.
double p99_of_slice(Link& link, Calls& calls, std::size_t& count) {
  std::vector<double> times;
  times.reserve(1u << 17);
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

}  // namespace

void measure_broker_kill(std::size_t pairs) {
  const TimeNs begun = now_ns();
  std::vector<double> with, without, ratios;
  std::size_t count = 0;
  std::uint64_t lost = 0;
  for (std::size_t done = 0; done < pairs;) {
    Party party(1, false);
    Link link = party.open();
    Calls calls;
    (void)p99_of_slice(link, calls, count);  // warm
    for (std::size_t i = 0; i < kills_per_daemon && done < pairs; ++i, ++done) {
      const auto undisturbed = [&] { without.push_back(p99_of_slice(link, calls, count)); };
      const auto killed = [&] {
        const pid_t before = party.broker();
        const UniqueFd broker = pidfd_of(before);
        std::thread killer([&] {
          (void)::poll(nullptr, 0, kill_after_ms);
          kill_by(broker);
        });
        with.push_back(p99_of_slice(link, calls, count));
        killer.join();
        if (!is_readable(broker.get(), patience_ns)) give_up("broker", "it does not die");
        (void)party.pit();  // the next one serves
        if (party.broker() == before) give_up("broker", "it is the same");
      };
      if (done % 2 == 0) undisturbed(), killed();
      if (done % 2 != 0) killed(), undisturbed();
      ratios.push_back(with.back() / without.back());
    }
    lost += calls.lost;
  }
  const double ratio = quantile(ratios, 0.5);
  std::printf(
      "broker killed under load: p99 of calls %.2f us with, %.2f us without (medians of slices); ratio p50 %.3f, "
      "p5 %.3f, p95 %.3f of %zu pairs; %zu calls, %llu lost\n",
      quantile(with, 0.5), quantile(without, 0.5), ratio, quantile(ratios, 0.05), quantile(ratios, 0.95), ratios.size(),
      count, static_cast<unsigned long long>(lost));
  if (lost != 0) give_up("broker", "calls were lost");
  write("bus.broker_kill_p99_ratio", ratio, "ratio", ratios.size(), begun,
        "p99 of calls in slices of 200 ms in which the broker is killed, over that of slices in which it is not, in "
        "turns; median over pairs; 0 lost; target 1.1");
}

}  // namespace symphony::bench::recovery
