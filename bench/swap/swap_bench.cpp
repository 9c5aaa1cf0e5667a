// bench_swap: the swap storm. A pit goes round all modes while threads call it; how long they wait at each cut, and
// that no call is lost and none runs twice.   Layer: bench.
//
// Each acknowledged call is in the pit's state once, or it is counted: the pit refuses a number that is not the next.
// The pause is the time in which the gate is closed; `longest call` is what a caller sees, which on a busy machine has
// the scheduler's turns in it. Exit status: 0 measured, 1 could not, or something was lost or doubled, 2 wrong
// arguments, 3 inconclusive: others used the processors.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <symphony/clock.hpp>

#include "bench/support/competing.hpp"
#include "bench/support/figure.hpp"
#include "bench/swap/storm.hpp"

namespace symphony::bench {
namespace {

constexpr Mode modes[] = {Mode::static_, Mode::dynamic, Mode::wasm, Mode::process};

struct Options {
  std::uint32_t rounds = 100;
  std::uint32_t threads = 4;
  bool json = false;
};

// With one size of the state.
struct Part {
  const char* suffix;  // of its figures
  std::uint64_t entries;
  std::vector<Cut> cuts{};
  Storm::Tally tally{};
  double seconds = 0;
};

double quantile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(std::ceil(share * static_cast<double>(values.size()))) - 1];
}

struct Row {
  Mode to;
  std::size_t n = 0;
  double p50 = 0, p99 = 0, cut = 0, transfer = 0, restore = 0, longest_p50 = 0, longest_p99 = 0, prepare = 0;
};
std::vector<Row> rows_of(const Part& part) {
  std::vector<Row> rows;
  for (const Mode to : modes) {
    const auto all = [&](double Cut::*what) {
      std::vector<double> values;
      for (const Cut& cut : part.cuts) {
        if (cut.to == to) values.push_back(cut.*what);
      }
      return values;
    };
    const std::vector<double> pauses = all(&Cut::pause_us);
    if (pauses.empty()) continue;
    rows.push_back({to, pauses.size(), quantile(pauses, 0.5), quantile(pauses, 0.99), quantile(all(&Cut::cut_us), 0.5),
                    quantile(all(&Cut::transfer_us), 0.5), quantile(all(&Cut::restore_us), 0.5),
                    quantile(all(&Cut::longest_us), 0.5), quantile(all(&Cut::longest_us), 0.99),
                    quantile(all(&Cut::prepare_ms), 0.5)});
  }
  return rows;
}

bool measure(const Options& options, const std::string& program, Part& part) {
  Storm storm(program);
  const TimeNs began = now_ns();
  if (!storm.start(options.threads, part.entries)) return false;
  for (std::uint32_t round = 0; round < options.rounds; ++round) {
    if (!storm.round(part.cuts)) return false;
  }
  storm.stop();
  part.tally = storm.tally();
  part.seconds = static_cast<double>(now_ns() - began) / static_cast<double>(second_ns);
  return true;
}

bool write(const std::string& name, double value, const char* unit, std::uint64_t n, const Part& part,
           const std::string& note) {
  Figure figure;
  figure.name = name;
  figure.value = value;
  figure.unit = unit;
  figure.n = n;
  figure.seconds = part.seconds;
  figure.note = note;
  const auto written = write_figure(figure);
  if (!written) std::fprintf(stderr, "bench_swap: %s\n", written.error().text);
  return written.has_value();
}

bool write_figures(const Part& part, const std::string& verdict) {
  const std::string about = verdict + "; " + std::to_string(part.entries) + " entries";
  bool is_written = true;
  for (const Row& row : rows_of(part)) {
    const std::string mode(to_string(row.to));
    char text[200];
    std::snprintf(text, sizeof text,
                  "%s; p50 of it %.0f us to an end of what was under way, %.0f us snapshot, %.0f us restore",
                  about.c_str(), row.cut, row.transfer, row.restore);
    is_written &= write("swap.pause_ms_p50." + mode + part.suffix, row.p50 / 1e3, "ms", row.n, part, text);
    is_written &= write("swap.pause_ms_p99." + mode + part.suffix, row.p99 / 1e3, "ms", row.n, part, text);
  }
  const std::string calls = about + "; of " + std::to_string(part.tally.calls) + " acknowledged calls over " +
                            std::to_string(part.cuts.size()) + " swaps";
  is_written &= write(std::string("swap.lost") + part.suffix, static_cast<double>(part.tally.lost), "count",
                      std::max<std::uint64_t>(1, part.tally.calls), part, calls);
  is_written &= write(std::string("swap.duplicated") + part.suffix, static_cast<double>(part.tally.duplicated), "count",
                      std::max<std::uint64_t>(1, part.tally.calls), part, calls);
  return is_written;
}

void print(const Part& part, const char* verdict, bool json, bool is_first) {
  if (json) {
    std::printf(
        "%s{\"entries\": %llu, \"swaps\": %zu, \"calls\": %llu, \"lost\": %llu, \"duplicated\": %llu, \"failed\": "
        "%llu, \"seconds\": %.1f, \"verdict\": \"%s\", \"to\": [",
        is_first ? "" : ", ", static_cast<unsigned long long>(part.entries), part.cuts.size(),
        static_cast<unsigned long long>(part.tally.calls), static_cast<unsigned long long>(part.tally.lost),
        static_cast<unsigned long long>(part.tally.duplicated), static_cast<unsigned long long>(part.tally.wrong),
        part.seconds, verdict);
    const char* comma = "";
    for (const Row& row : rows_of(part)) {
      std::printf(
          "%s{\"mode\": \"%s\", \"n\": %zu, \"pause_us_p50\": %.1f, \"pause_us_p99\": %.1f, \"cut_us_p50\": %.1f, "
          "\"snapshot_us_p50\": %.1f, \"restore_us_p50\": %.1f, "
          "\"longest_call_us_p50\": %.1f, \"longest_call_us_p99\": %.1f}",
          comma, to_string(row.to).data(), row.n, row.p50, row.p99, row.cut, row.transfer, row.restore, row.longest_p50,
          row.longest_p99);
      comma = ", ";
    }
    std::printf("]}");
    return;
  }
  std::printf("%llu entries: %zu swaps, %llu calls, lost %llu, duplicated %llu, failed %llu; %s\n",
              static_cast<unsigned long long>(part.entries), part.cuts.size(),
              static_cast<unsigned long long>(part.tally.calls), static_cast<unsigned long long>(part.tally.lost),
              static_cast<unsigned long long>(part.tally.duplicated), static_cast<unsigned long long>(part.tally.wrong),
              verdict);
  std::printf("  %-8s %11s %11s | %9s %9s %9s | %11s %11s | %10s\n", "to", "pause p50", "p99 us", "cut", "snapshot",
              "restore", "call p50", "p99 us", "prepare ms");
  for (const Row& row : rows_of(part)) {
    std::printf("  %-8s %11.1f %11.1f | %9.1f %9.1f %9.1f | %11.1f %11.1f | %10.2f\n", to_string(row.to).data(),
                row.p50, row.p99, row.cut, row.transfer, row.restore, row.longest_p50, row.longest_p99, row.prepare);
  }
}

std::optional<Options> read_arguments(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view argument = argv[i], value = argv[i + 1];
    const bool is_number = value.find_first_not_of("0123456789") == std::string_view::npos && value.size() < 5;
    const auto number = static_cast<std::uint32_t>(is_number ? std::strtoul(argv[i + 1], nullptr, 10) : 0);
    if (argument == "-o" && value == "json") {
      options.json = true;
    } else if (argument == "--rounds" && number >= 1) {
      options.rounds = number;
    } else if (argument == "--threads" && number >= 1 && number <= 64) {
      options.threads = number;
    } else {
      return std::nullopt;
    }
  }
  return argc % 2 == 1 ? std::optional(options) : std::nullopt;
}

int run(const Options& options) {
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
  const CompetingCpu others;
  Part parts[] = {{"", 0}, {".10k", 10'000}};
  for (Part& part : parts) {
    if (!measure(options, program, part)) return 1;
  }
  const char* verdict = others.disturbed() ? "inconclusive" : "conclusive";
  bool is_good = true;
  if (options.json) std::printf("[");
  for (Part& part : parts) {
    print(part, verdict, options.json, &part == parts);
    is_good &= part.tally.lost == 0 && part.tally.duplicated == 0 && part.tally.wrong == 0;
    is_good &= write_figures(part, verdict);
  }
  if (options.json) std::printf("]\n");
  if (!is_good) return 1;
  return others.disturbed() ? 3 : 0;
}

}  // namespace
}  // namespace symphony::bench

int main(int argc, char** argv) {
  const bool help = argc == 2 && std::string_view(argv[1]) == "--help";
  const auto options = help ? std::nullopt : symphony::bench::read_arguments(argc, argv);
  if (!options) {
    std::fputs(
        "usage: bench_swap [--rounds 1..9999] [--threads 1..64] [-o json]\n"
        "  --rounds   how often the pit goes round all modes, with each size of its state (100)\n"
        "  --threads  that call it meanwhile (4)\n",
        help ? stdout : stderr);
    return help ? 0 : 2;
  }
  return symphony::bench::run(*options);
}
