// bench_modes: what each mode adds to a call of the same pit, in one run.   Layer: bench.
//
// All ways (ways.hpp) take turns, many times; a figure is the median over the turns of the difference or ratio of two
// ways in the same turn. In-process calls are over the executor's door and are not verified: what building, verifying
// and reading a message takes is a row of its own. Processes are warmed up before each of their turns: both sides spin.
//
// Exit status: 0 measured, 1 could not measure, 2 wrong arguments, 3 inconclusive: others used the processors.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <symphony/clock.hpp>

#include "bench/hosting/ways.hpp"
#include "bench/support/classes.hpp"
#include "bench/support/competing.hpp"
#include "bench/support/figure.hpp"

namespace symphony::bench {
namespace {

struct Options {
  std::size_t rounds = 300;
  bool json = false;
};

struct WayFacts {
  const char* name;
  const char* what;
  std::size_t turn;  // calls
};
constexpr std::array<WayFacts, way_count> facts{{
    {"virtual call", "64 bytes there, 64 back", 2'000},
    {"static", "64 bytes there, 64 back", 1'000},
    {"dynamic", "64 bytes there, 64 back", 1'000},
    {"wasm", "64 bytes copied, 64 back", 1'000},
    {"wasm, window", "64 bytes read in place, 64 back", 1'000},
    {"wasm, 1 MiB", "copied, 64 bytes back", 4},
    {"wasm, window, 1 MiB", "read in place, 64 bytes back", 1'000},
    {"build, verify, read", "an Order of 112 bytes, once", 200},
    {"ring", "112 bytes there and back, the bus alone", 100},
    {"process", "an Order there, another one back", 100},
}};
constexpr std::size_t process_warm_up = 300;  // calls before a turn of a process: the other side has to be awake
constexpr std::size_t warm_up = 100;
constexpr TimeNs pause_ns = 2 * ms_ns;  // after such a turn: the other side spins until it sleeps, beside this one

class Table {
 public:
  [[nodiscard]] bool measure(Ways& ways, std::size_t rounds) {
    const TimeNs start = now_ns();
    for (std::size_t round = 0; round <= rounds; ++round) {
      for (std::size_t k = 0; k < way_count; ++k) {
        const std::size_t way = (k + round) % way_count;
        if (!ways.has(way)) continue;
        const bool is_apart = way == ring || way == in_process;
        if (!ways.go(way, is_apart ? process_warm_up : std::min(warm_up, facts[way].turn))) return failed(way);
        const TimeNs began = now_ns();
        if (!ways.go(way, facts[way].turn)) return failed(way);
        const auto ns = static_cast<double>(now_ns() - began) / static_cast<double>(facts[way].turn);
        if (round != 0) times_[way].push_back(ns);  // the first one warms up
        if (is_apart) std::this_thread::sleep_for(std::chrono::nanoseconds(pause_ns));
      }
    }
    seconds_ = static_cast<double>(now_ns() - start) / static_cast<double>(second_ns);
    return true;
  }
  [[nodiscard]] bool has(std::size_t way) const noexcept { return !times_[way].empty(); }
  [[nodiscard]] Quantiles ns(std::size_t way) const { return quantiles_of(times_[way]); }
  // Of value(turn) over the turns.
  template <class Value>
  [[nodiscard]] Quantiles over(Value&& value) const {
    std::vector<double> values;
    for (std::size_t i = 0; i < times_[direct].size(); ++i) values.push_back(value(i));
    return quantiles_of(std::move(values));
  }
  [[nodiscard]] Quantiles above(std::size_t way, std::size_t other) const {
    return over([&](std::size_t i) { return times_[way][i] - times_[other][i]; });
  }
  [[nodiscard]] Quantiles ratio(std::size_t way, std::size_t other) const {
    return over([&](std::size_t i) { return times_[way][i] / times_[other][i]; });
  }
  // A typed call over the ring's round trip and what its two messages cost wherever they go.
  [[nodiscard]] Quantiles process_ratio() const {
    return over([&](std::size_t i) { return times_[in_process][i] / (times_[ring][i] + 2 * times_[message_work][i]); });
  }
  [[nodiscard]] double seconds() const noexcept { return seconds_; }
  [[nodiscard]] std::size_t rounds() const noexcept { return times_[direct].size(); }

 private:
  static bool failed(std::size_t way) {
    std::fprintf(stderr, "bench_modes: a call failed: %s\n", facts[way].name);
    return false;
  }
  std::array<std::vector<double>, way_count> times_;
  double seconds_ = 0;
};

// One figure: how it is called, what it is, its value.
struct Result {
  std::string name;
  const char* unit;
  std::string what;
  Quantiles value;
};
std::vector<Result> results_of(const Table& table) {
  std::vector<Result> results;
  const auto mode = [&](const char* name, std::size_t way) {
    if (!table.has(way)) return;
    results.push_back({std::string("contract.") + name + ".call_ns", "ns", "a call", table.ns(way)});
    results.push_back(
        {std::string("contract.") + name + ".over_virtual_ns", "ns", "above a virtual call", table.above(way, direct)});
  };
  mode("static", in_static);
  mode("dynamic", in_dynamic);
  mode("wasm", in_wasm);
  mode("process", in_process);
  results.push_back({"contract.dynamic.over_static_ns", "ns", "above static", table.above(in_dynamic, in_static)});
  if (table.has(in_wasm)) {
    results.push_back({"contract.wasm.over_static_ns", "ns", "above static", table.above(in_wasm, in_static)});
    results.push_back({"contract.wasm.flatness", "ratio", "1 MiB over 64 bytes, both read in place",
                       table.ratio(wasm_window_large, in_wasm_window)});
    results.push_back({"contract.wasm.copy_ratio", "ratio", "1 MiB copied over read in place",
                       table.ratio(wasm_large, wasm_window_large)});
  }
  results.push_back(
      {"contract.process.ratio", "ratio", "a typed call over ring + 2 x (build, verify, read)", table.process_ratio()});
  return results;
}

void print(const Table& table, const std::vector<Result>& results, const char* verdict, bool json) {
  if (!json) {
    std::printf("%-20s %10s %10s %10s\n", "ns a call", "p50", "p5", "p95");
    for (std::size_t way = 0; way < way_count; ++way) {
      if (!table.has(way)) continue;
      const Quantiles ns = table.ns(way);
      std::printf("%-20s %10.1f %10.1f %10.1f  %s\n", facts[way].name, ns.p50, ns.p5, ns.p95, facts[way].what);
    }
    std::printf("\n");
    for (const Result& one : results) {
      std::printf("%-32s %9.3f %9.3f %9.3f %-6s %s\n", one.name.c_str(), one.value.p50, one.value.p5, one.value.p95,
                  one.unit, one.what.c_str());
    }
    std::printf("%zu turns of each: %s\n", table.rounds(), verdict);
    return;
  }
  std::printf("{\"rounds\": %zu, \"seconds\": %.1f, \"ways\": [", table.rounds(), table.seconds());
  const char* comma = "";
  for (std::size_t way = 0; way < way_count; ++way) {
    if (!table.has(way)) continue;
    const Quantiles ns = table.ns(way);
    std::printf("%s{\"name\": \"%s\", \"what\": \"%s\", \"ns\": %.1f, \"ns_p5\": %.1f, \"ns_p95\": %.1f}", comma,
                facts[way].name, facts[way].what, ns.p50, ns.p5, ns.p95);
    comma = ", ";
  }
  std::printf("], \"figures\": [");
  comma = "";
  for (const Result& one : results) {
    std::printf("%s{\"name\": \"%s\", \"unit\": \"%s\", \"value\": %.4f, \"p5\": %.4f, \"p95\": %.4f}", comma,
                one.name.c_str(), one.unit, one.value.p50, one.value.p5, one.value.p95);
    comma = ", ";
  }
  std::printf("], \"verdict\": \"%s\"}\n", verdict);
}

bool write_figures(const Table& table, const std::vector<Result>& results, bool conclusive) {
  for (const Result& one : results) {
    Figure figure;
    figure.name = one.name;
    figure.value = one.value.p50;
    figure.unit = one.unit;
    figure.n = table.rounds();
    figure.seconds = table.seconds();
    char text[160];
    std::snprintf(text, sizeof text, "%s; %s; p5 %.2f, p95 %.2f; a virtual call takes %.2f ns, ring %.0f ns",
                  conclusive ? "conclusive" : "inconclusive", one.what.c_str(), one.value.p5, one.value.p95,
                  table.ns(direct).p50, table.ns(ring).p50);
    figure.note = text;
    if (const auto written = write_figure(figure); !written) {
      std::fprintf(stderr, "bench_modes: %s\n", written.error().text);
      return false;
    }
  }
  return true;
}

std::optional<Options> read_arguments(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view argument = argv[i], value = argv[i + 1];
    const bool is_number = value.find_first_not_of("0123456789") == std::string_view::npos && value.size() < 6;
    const std::size_t number = is_number ? std::strtoull(argv[i + 1], nullptr, 10) : 0;
    if (argument == "-o" && value == "json") {
      options.json = true;
    } else if (argument == "--rounds" && number >= 1) {
      options.rounds = number;
    } else {
      return std::nullopt;
    }
  }
  return argc % 2 == 1 ? std::optional(options) : std::nullopt;
}

int run(const Options& options) {
  const CompetingCpu others;
  auto ways = Ways::make(std::filesystem::read_symlink("/proc/self/exe").string());
  if (ways == nullptr) return 1;
  Table table;
  if (!table.measure(*ways, options.rounds)) return 1;
  ways.reset();  // ends the pits, whose time is then ours
  const bool conclusive = !others.disturbed();
  const std::vector<Result> results = results_of(table);
  print(table, results, conclusive ? "conclusive" : "inconclusive", options.json);
  if (!write_figures(table, results, conclusive)) return 1;
  return conclusive ? 0 : 3;
}

}  // namespace
}  // namespace symphony::bench

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "--pit") return symphony::bench::be_ring_pit();
  const bool help = argc == 2 && std::string_view(argv[1]) == "--help";
  const auto options = help ? std::nullopt : symphony::bench::read_arguments(argc, argv);
  if (!options) {
    std::fputs(
        "usage: bench_modes [--rounds 1..99999] [-o json]\n"
        "  --rounds  turns of each way (300)\n",
        help ? stdout : stderr);
    return help ? 0 : 2;
  }
  return symphony::bench::run(*options);
}
