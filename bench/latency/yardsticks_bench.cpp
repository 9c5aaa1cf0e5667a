// bench_yardsticks: what a round trip costs on this machine now without any library.   Layer: bench.
// Prints a table, or one JSON document with -o json, and writes the figures yardstick.*_rtt_ns.
// Exit status: 0 measured, 1 could not measure, 2 wrong arguments.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <symphony/clock.hpp>

#include "bench/support/figure.hpp"
#include "bench/support/yardstick.hpp"

namespace symphony::bench {
namespace {

constexpr const char* usage =
    "usage: bench_yardsticks [-n COUNT] [--pin] [-o json]\n"
    "  -n COUNT   cache-line round trips, 64 to 100000000 (default 200000); the sleeping kinds do a hundredth\n"
    "  --pin      keep both processes on processors of their own\n"
    "  -o json    one JSON document instead of a table\n";

struct Options {
  std::uint64_t count = 200'000;
  bool pin = false;
  bool json = false;
  bool help = false;
};

std::optional<Options> read_arguments(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const std::string_view next = i + 1 < argc ? argv[i + 1] : "";
    if (argument == "--help" || argument == "-h") {
      options.help = true;
    } else if (argument == "--pin") {
      options.pin = true;
    } else if (argument == "-o" && next == "json") {
      options.json = true;
      ++i;
    } else if (argument == "-n" && !next.empty() && next.find_first_not_of("0123456789") == std::string_view::npos) {
      options.count = std::strtoull(argv[++i], nullptr, 10);
      if (options.count < yardstick_batch || options.count > yardstick_count_max) return std::nullopt;
    } else {
      return std::nullopt;
    }
  }
  return options;
}

struct Row {
  const char* name;
  const char* what;
  Samples samples;
  double seconds;
};

void print_table(const std::vector<Row>& rows, const SelfCheck& check) {
  std::printf("%-7s %12s %12s %12s %10s  %s\n", "", "batch p50", "stamped p50", "p99 ns", "n", "");
  for (const Row& row : rows) {
    std::printf("%-7s %12.1f %12.0f %12.0f %10llu  %s\n", row.name, row.samples.batch_p50_ns, row.samples.p50_ns,
                row.samples.p99_ns, static_cast<unsigned long long>(row.samples.n), row.what);
  }
  std::printf("%s; the line against itself: %.3f%s\n",
              rows[0].samples.pinned ? "both sides pinned" : "the sides are not pinned", check.ratio,
              check.conclusive() ? "" : ": inconclusive, the machine is too restless for ratios");
}

void print_json(const std::vector<Row>& rows, const SelfCheck& check) {
  std::printf("{\"yardsticks\": [");
  for (const Row& row : rows) {
    std::printf(
        "%s{\"name\": \"%s\", \"batch_p50_ns\": %.1f, \"p50_ns\": %.0f, \"p99_ns\": %.0f, \"n\": %llu, "
        "\"pinned\": %s}",
        &row == rows.data() ? "" : ", ", row.name, row.samples.batch_p50_ns, row.samples.p50_ns, row.samples.p99_ns,
        static_cast<unsigned long long>(row.samples.n), row.samples.pinned ? "true" : "false");
  }
  std::printf("], \"self_ratio\": %.4f, \"conclusive\": %s}\n", check.ratio, check.conclusive() ? "true" : "false");
}

int say(const error& e) {
  const std::string why = e.sys_errno == 0 ? "" : std::string(" (") + std::strerror(e.sys_errno) + ")";
  std::fprintf(stderr, "bench_yardsticks: %s%s\n", e.text, why.c_str());
  return 1;
}

int run(const Options& options) {
  auto yardsticks = Yardsticks::start({.pin = options.pin});
  if (!yardsticks) return say(yardsticks.error());
  const std::uint64_t slow = std::max(options.count / 100, yardstick_batch);
  using Measure = result<Samples> (Yardsticks::*)(std::uint64_t);
  struct Kind {
    const char* name;
    const char* what;
    Measure measure;
    std::uint64_t count;
  };
  const Kind kinds[] = {{"line", "a cache line each way, both spinning", &Yardsticks::measure_line, options.count},
                        {"uds", "Unix socket, seqpacket, blocking", &Yardsticks::measure_uds, slow},
                        {"futex", "two processes waking each other", &Yardsticks::measure_futex, slow}};
  std::vector<Row> rows;
  for (const Kind& kind : kinds) {
    const TimeNs start = now_ns();
    auto samples = ((*yardsticks).*kind.measure)(kind.count);
    if (!samples) return say(samples.error());
    rows.push_back({kind.name, kind.what, *std::move(samples), static_cast<double>(now_ns() - start) / 1e9});
  }
  const auto check = yardsticks->check_line(options.count);
  if (!check) return say(check.error());
  options.json ? print_json(rows, *check) : print_table(rows, *check);
  for (const Row& row : rows) {
    Figure figure;
    figure.name = std::string("yardstick.") + row.name + "_rtt_ns";
    figure.value = row.samples.batch_p50_ns;
    figure.unit = "ns";
    figure.n = row.samples.n;
    figure.seconds = row.seconds;
    figure.note = std::string("median over batches of ") + std::to_string(yardstick_batch) +
                  "; stamped one by one p50 " + std::to_string(static_cast<long>(row.samples.p50_ns)) + " ns, p99 " +
                  std::to_string(static_cast<long>(row.samples.p99_ns)) + " ns; " +
                  (row.samples.pinned ? "pinned" : "not pinned");
    if (const auto written = write_figure(figure); !written) return say(written.error());
  }
  return 0;
}

}  // namespace
}  // namespace symphony::bench

int main(int argc, char** argv) {
  const auto options = symphony::bench::read_arguments(argc, argv);
  if (!options || options->help) {
    std::fputs(symphony::bench::usage, options ? stdout : stderr);
    return options ? 0 : 2;
  }
  return symphony::bench::run(*options);
}
