// bench_threads: calls a second of many threads of one program to one pit, by the way they take to it.   Layer: bench.
//
//   mutex      one link in process mode, and a mutex round it: what most programs would write
//   queue      one link owned by one thread, to which the others submit (pits/hosting/process/link_queue.hpp)
//   link each  a link for each thread (pits/hosting/thread_links.hpp)
//   static     the same pit linked in: the executor's door
// The ways take turns within one process, and so does the raw line (bench/support/yardstick.hpp), the limit of one
// caller. Ratios are medians over the rounds of what stood in the same round. Exit status: 0 measured, 1 could not
// measure, 2 wrong arguments, 3 inconclusive: the line against itself left 0.93 to 1.07.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/hosting/thread_doors.hpp"
#include "bench/support/classes.hpp"
#include "bench/support/figure.hpp"
#include "bench/support/yardstick.hpp"

namespace symphony::bench {
namespace {

constexpr std::array<std::size_t, 4> thread_counts{1, 2, 4, 8};
constexpr std::uint64_t line_round_trips = 20 * yardstick_batch;

struct Options {
  std::size_t rounds = 21;
  TimeNs turn_ns = 30 * ms_ns;
};

struct Round {
  std::array<double, door_count> calls_per_s{};
  double line_rtt_ns = 0;
};

template <class Value>
Quantiles over_rounds(const std::vector<Round>& rounds, Value&& value) {
  std::vector<double> values;
  for (const Round& round : rounds) values.push_back(value(round));
  return quantiles_of(std::move(values));
}
double rate(const std::vector<Round>& rounds, std::size_t door) {
  return over_rounds(rounds, [&](const Round& r) { return r.calls_per_s[door]; }).p50;
}
Quantiles over(const std::vector<Round>& rounds, std::size_t a, std::size_t b) {
  return over_rounds(rounds, [&](const Round& r) { return r.calls_per_s[a] / r.calls_per_s[b]; });
}
// How many of the line's round trips pass while one call does; below 1 where several calls pass at once.
double in_lines(const std::vector<Round>& rounds, std::size_t door) {
  const auto lines = [&](const Round& r) {
    return static_cast<double>(second_ns) / r.calls_per_s[door] / r.line_rtt_ns;
  };
  return over_rounds(rounds, lines).p50;
}

bool measure(const Options& options, Doors& doors, Yardsticks& line, std::size_t threads, std::vector<Round>& out) {
  Workers workers(doors, threads);
  for (std::size_t i = 0; i < options.rounds; ++i) {
    Round round;
    for (std::size_t k = 0; k < door_count; ++k) {
      const std::size_t door = (k + i) % door_count;  // each follows each other one
      round.calls_per_s[door] = workers.turn(door, options.turn_ns);
      if (round.calls_per_s[door] == 0) return false;
    }
    const auto raw = line.measure_line(line_round_trips);
    if (!raw) return false;
    round.line_rtt_ns = raw->batch_p50_ns;
    out.push_back(round);
  }
  return true;
}

bool write(const std::vector<Round>& rounds, std::size_t threads, double seconds, const std::string& verdict) {
  const auto figure = [&](const char* suffix, const Quantiles& value, const std::string& text) {
    char note[400];
    std::snprintf(note, sizeof note, "%s; %s; p5 %.2f, p95 %.2f", verdict.c_str(), text.c_str(), value.p5, value.p95);
    const auto written = write_figure({.name = "contract.threads." + std::to_string(threads) + suffix,
                                       .value = value.p50,
                                       .of = {},
                                       .unit = "ratio",
                                       .n = rounds.size(),
                                       .seed = {},
                                       .seconds = seconds,
                                       .note = note});
    if (!written) std::fprintf(stderr, "bench_threads: %s\n", written.error().text);
    return written.has_value();
  };
  char rates[300];
  std::snprintf(
      rates, sizeof rates,
      "calls/s of a link each over those of a mutex round one; mutex %.0f, queue %.0f, link each %.0f, static "
      "%.0f calls/s; a call of a link each takes %.2f round trips of the line",
      rate(rounds, mutex_door), rate(rounds, queue_door), rate(rounds, own_door), rate(rounds, static_door),
      in_lines(rounds, own_door));
  return figure("", over(rounds, own_door, mutex_door), rates) &&
         figure(".queue", over(rounds, queue_door, mutex_door),
                "calls/s of submission to the link's owner over those of a mutex round the link") &&
         figure(".static", over(rounds, static_door, own_door),
                "calls/s of the executor's door, linked in, over those of a link each");
}

int run(const Options& options) {
  const auto folder = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  auto doors = Doors::open((folder / "symphony-pit-host").string(), SYMPHONY_ECHO_FILE);
  auto line = Yardsticks::start();
  if (!doors || !line) {
    std::fprintf(stderr, "bench_threads: %s\n", doors ? line.error().text : doors.error().text);
    return 1;
  }
  std::printf("calls/s, and what stood in the same round in ratio to each other (%zu rounds)\n", options.rounds);
  std::printf("%7s %10s %10s %10s %10s  %11s %10s %14s %8s\n", "threads", door_names[0], door_names[1], door_names[2],
              door_names[3], "queue/mutex", "each/mutex", "(p5 to p95)", "in lines");
  bool conclusive = true;
  for (const std::size_t threads : thread_counts) {
    const TimeNs start = now_ns();
    std::vector<Round> rounds;
    if (!measure(options, **doors, *line, threads, rounds)) {
      std::fputs("bench_threads: a call or a raw round trip failed\n", stderr);
      return 1;
    }
    const auto check = line->check_line(line_round_trips);
    const bool is_good = check && check->conclusive();
    conclusive = conclusive && is_good;
    const Quantiles each = over(rounds, own_door, mutex_door);
    std::printf("%7zu %10.0f %10.0f %10.0f %10.0f  %11.2f %10.2f %6.2f %7.2f %8.2f%s\n", threads,
                rate(rounds, mutex_door), rate(rounds, queue_door), rate(rounds, own_door), rate(rounds, static_door),
                over(rounds, queue_door, mutex_door).p50, each.p50, each.p5, each.p95, in_lines(rounds, own_door),
                is_good ? "" : "  inconclusive");
    std::fflush(stdout);
    const double seconds = static_cast<double>(now_ns() - start) / static_cast<double>(second_ns);
    if (!write(rounds, threads, seconds, is_good ? "conclusive" : "inconclusive")) return 1;
  }
  return conclusive ? 0 : 3;
}

}  // namespace
}  // namespace symphony::bench

int main(int argc, char** argv) {
  symphony::bench::Options options;
  bool usage = argc % 2 == 0;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    const unsigned long long number = std::strtoull(argv[i + 1], nullptr, 10);
    if (name == "--rounds" && number >= 1 && number <= 10'000) {
      options.rounds = number;
    } else if (name == "--turn-ms" && number >= 1 && number <= 10'000) {
      options.turn_ns = static_cast<symphony::TimeNs>(number) * symphony::ms_ns;
    } else {
      usage = true;
    }
  }
  const bool help = argc == 2 && std::string_view(argv[1]) == "--help";
  if (usage) {
    std::fputs(
        "usage: bench_threads [--rounds 1..10000] [--turn-ms 1..10000]\n"
        "  --rounds   turns of each way to the pit, at 1, 2, 4 and 8 threads (21)\n"
        "  --turn-ms  how long a turn lasts (30)\n",
        help ? stdout : stderr);
    return help ? 0 : 2;
  }
  return symphony::bench::run(options);
}
