// bench_call: what a whole call over a default link costs above the limit of its size.   Layer: bench.
//
// Pairs of fresh processes (call_pair.hpp) make calls in turns with the raw line of the same user bytes; of 1 MiB with
// memcpy into shared memory, a flag and memcpy out of it. A ratio is that of medians over the turns of one pair, of the
// tail that of the 99th percentiles of single round trips. A typed call is over the raw line of its bytes and twice
// what building, verifying and reading its message takes. Printed are the median, the 5th and 95th percentile over the
// pairs of the largest placement class; other classes beside it.
// Exit status: 0 measured, 1 could not measure, 2 wrong arguments, 3 inconclusive (pairs.hpp).
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "bench/latency/call_pair.hpp"
#include "bench/support/figure.hpp"
#include "bench/support/pairs.hpp"

namespace symphony::bench {
namespace {

struct Options {
  PairsWanted pairs;
  CallPairOptions pair;
  bool json = false;
};

constexpr std::size_t large_rounds_share = 8;  // a turn of the large point takes as long as many of the others

struct PointFacts {
  std::string name;
  std::size_t bytes;
  const char* over;
  std::string figure;
};
PointFacts facts_of(std::size_t point) {
  switch (point) {
    case tail:
      return {"32, p99", line_sizes[0], "the p99 of the raw line", "ring.rtt_p99_ratio.32"};
    case typed:
      return {"typed", order_size, "the raw line and 2 x (build, verify, read)", "ring.typed_rtt_ratio"};
    case large:
      return {"1 MiB", large_size, "flag and memcpy", "ring.rtt_ratio.1048576"};
    default:
      return {std::to_string(line_sizes[point]), line_sizes[point], "the raw line",
              "ring.rtt_ratio." + std::to_string(line_sizes[point])};
  }
}

double limit_ns(const CallPairResult& pair, std::size_t point) noexcept {
  return pair.ns[point][limit] + (point == typed ? 2 * pair.ns[point][beside] : 0);
}

using CallPairs = Pairs<CallPairResult>;

// One point as the pairs of one class have it.
struct Row {
  Quantiles ratio, limit_ns, ours_ns, beside_ns, limit_again;
};
Row row_of(const CallPairs& pairs, std::size_t point, std::size_t of_class) {
  const auto over = [&](auto&& value) { return pairs.over_class(of_class, value); };
  const auto ns = [&](std::size_t kind) {
    return over([&](const CallPairResult& pair) { return pair.ns[point][kind]; });
  };
  return {over([&](const CallPairResult& pair) { return pair.ns[point][ours] / limit_ns(pair, point); }),
          over([&](const CallPairResult& pair) { return limit_ns(pair, point); }), ns(ours), ns(beside),
          over([&](const CallPairResult& pair) { return pair.ns[point][limit_again] / pair.ns[point][limit]; })};
}

bool is_measured(const CallPairs& pairs, std::size_t point) {
  return row_of(pairs, point, pairs.main_class()).ours_ns.p50 > 0;
}

void print_table(const CallPairs& pairs) {
  for (std::size_t point = 0; point < point_count; ++point) {
    if (!is_measured(pairs, point)) continue;
    const Row row = row_of(pairs, point, pairs.main_class());
    const PointFacts facts = facts_of(point);
    std::printf("%8s %11.1f %11.1f %8.3f %8.3f %8.3f  over %s\n", facts.name.c_str(), row.limit_ns.p50, row.ours_ns.p50,
                row.ratio.p50, row.ratio.p5, row.ratio.p95, facts.over);
    if (point == typed) std::printf("%8s building, verifying and reading once: %.1f ns\n", "", row.beside_ns.p50);
    if (point == tail) std::printf("%8s the p99 of the line over itself: %.3f\n", "", row.limit_again.p50);
    if (point == large) std::printf("%8s memcpy that moves on through 8 MiB: %.1f ns\n", "", row.beside_ns.p50);
    for (std::size_t other = 0; other < pairs.class_count(); ++other) {
      if (other == pairs.main_class()) continue;
      std::printf("%8s class of %.0f ns, %zu pairs: %.3f\n", "", pairs.round_trip_ns(other).p50, pairs.members(other),
                  row_of(pairs, point, other).ratio.p50);
    }
  }
  std::printf(
      "%zu pairs, %zu in the class of %.0f ns a raw round trip; the limit against itself %.3f, %zu pairs changed "
      "class, "
      "%zu disturbed ones repeated: %s\n",
      pairs.size(), pairs.members(pairs.main_class()), pairs.round_trip_ns(pairs.main_class()).p50, pairs.check().ratio,
      pairs.changed(), pairs.disturbed, pairs.verdict());
}

// Histogram::to_text() has lines; JSON wants \n.
std::string quoted_lines(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) out += c == '\n' ? std::string("\\n") : std::string(1, c);
  return out + "\"";
}

void print_json(const CallPairs& pairs, bool first) {
  std::printf(
      "%s{\"pairs\": %zu, \"disturbed\": %zu, \"changed_class\": %zu, \"self_ratio\": %.4f, \"verdict\": \"%s\", "
      "\"classes\": [",
      first ? "" : ", ", pairs.size(), pairs.disturbed, pairs.changed(), pairs.check().ratio, pairs.verdict());
  for (std::size_t c = 0; c < pairs.class_count(); ++c) {
    std::printf("%s{\"rtt_ns\": %.1f, \"pairs\": %zu, \"main\": %s, \"points\": [", c == 0 ? "" : ", ",
                pairs.round_trip_ns(c).p50, pairs.members(c), c == pairs.main_class() ? "true" : "false");
    const char* comma = "";
    for (std::size_t point = 0; point < point_count; ++point) {
      if (!is_measured(pairs, point)) continue;
      const Row row = row_of(pairs, point, c);
      const PointFacts facts = facts_of(point);
      std::printf(
          "%s{\"name\": \"%s\", \"bytes\": %zu, \"over\": \"%s\", \"limit_ns\": %.1f, \"call_ns\": %.1f, "
          "\"beside_ns\": %.1f, \"ratio\": %.4f, \"ratio_p5\": %.4f, \"ratio_p95\": %.4f}",
          comma, facts.name.c_str(), facts.bytes, facts.over, row.limit_ns.p50, row.ours_ns.p50, row.beside_ns.p50,
          row.ratio.p50, row.ratio.p5, row.ratio.p95);
      comma = ", ";
    }
    std::array<Histogram, kind_count> tails;
    pairs.for_each(c, [&](const CallPairResult& pair) {
      for (std::size_t kind = 0; kind < kind_count; ++kind) tails[kind].merge(pair.tails[kind]);
    });
    std::printf("], \"histograms\": {\"line.32\": %s, \"call.32\": %s}}", quoted_lines(tails[limit].to_text()).c_str(),
                quoted_lines(tails[ours].to_text()).c_str());
  }
  std::printf("]}");
}

bool write_figures(const CallPairs& pairs) {
  for (std::size_t point = 0; point < point_count; ++point) {
    if (!is_measured(pairs, point)) continue;
    const Row row = row_of(pairs, point, pairs.main_class());
    const PointFacts facts = facts_of(point);
    Figure figure;
    figure.name = facts.figure;
    figure.value = row.ratio.p50;
    figure.unit = "ratio";
    figure.n = pairs.members(pairs.main_class());
    figure.seconds = pairs.seconds;
    char text[256];
    std::snprintf(
        text, sizeof text,
        "%s; whole call of a default link, %.0f ns, over %s, %.0f ns; p5 %.3f, p95 %.3f; class of %.0f ns a raw "
        "round trip; %zu disturbed pairs repeated",
        pairs.verdict(), row.ours_ns.p50, facts.over, row.limit_ns.p50, row.ratio.p5, row.ratio.p95,
        pairs.round_trip_ns(pairs.main_class()).p50, pairs.disturbed);
    figure.note = text;
    for (std::size_t other = 0; other < pairs.class_count(); ++other) {
      if (other == pairs.main_class()) continue;
      std::snprintf(text, sizeof text, "; class of %.0f ns (%zu pairs): %.3f", pairs.round_trip_ns(other).p50,
                    pairs.members(other), row_of(pairs, point, other).ratio.p50);
      figure.note += text;
    }
    if (const auto written = write_figure(figure); !written) {
      std::fprintf(stderr, "bench_call: %s\n", written.error().text);
      return false;
    }
  }
  return true;
}

int run(const Options& options) {
  bool conclusive = true;
  if (options.json) std::printf("{\"series\": [");
  if (!options.json) {
    std::printf("%8s %11s %11s %8s %8s %8s\n", "bytes", "limit ns", "call ns", "ratio", "p5", "p95");
  }
  for (const bool is_large : {false, true}) {
    CallPairOptions of_pair = options.pair;
    of_pair.is_large = is_large;
    if (is_large) of_pair.rounds = std::max<std::size_t>(1, of_pair.rounds / large_rounds_share);
    const auto pairs =
        measure_pairs<CallPairResult>(options.pairs, [&](std::size_t) { return run_call_pair(of_pair); });
    if (!pairs) return 1;
    options.json ? print_json(*pairs, !is_large) : print_table(*pairs);
    std::fflush(stdout);
    conclusive = conclusive && pairs->conclusive();
    const bool is_default = options.pair.trust == Trust::cooperative && options.pair.waiting == Waiting::adaptive;
    if (is_default && !write_figures(*pairs)) return 1;
  }
  if (options.json) std::printf("], \"verdict\": \"%s\"}\n", conclusive ? "conclusive" : "inconclusive");
  return conclusive ? 0 : 3;
}

std::optional<Options> read_arguments(int argc, char** argv) {
  Options options;
  options.pair.program = std::filesystem::read_symlink("/proc/self/exe").string();
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view argument = argv[i], value = argv[i + 1];
    const bool is_number = value.find_first_not_of("0123456789") == std::string_view::npos && value.size() < 6;
    const std::size_t number = is_number ? std::strtoull(argv[i + 1], nullptr, 10) : 0;
    if (argument == "-o" && value == "json") {
      options.json = true;
    } else if (argument == "--pairs" && number >= 1) {
      options.pairs.in_one_class = number;
    } else if (argument == "--rounds" && number >= 1) {
      options.pair.rounds = number;
    } else if (argument == "--trust" && (value == "hostile" || value == "cooperative")) {
      options.pair.trust = value == "hostile" ? Trust::hostile : Trust::cooperative;
    } else if (argument == "--waiting" && (value == "spin" || value == "adaptive")) {
      options.pair.waiting = value == "spin" ? Waiting::spin : Waiting::adaptive;
    } else if (argument == "--disturbed" && (value == "repeat" || value == "count")) {
      options.pairs.repeat_disturbed = value == "repeat";
    } else {
      return std::nullopt;
    }
  }
  return argc % 2 == 1 ? std::optional(options) : std::nullopt;
}

}  // namespace
}  // namespace symphony::bench

int main(int argc, char** argv) {
  if (argc == 5 && std::string_view(argv[1]) == "--pit") return symphony::bench::be_call_pit(argv[2], argv[3], argv[4]);
  const bool help = argc == 2 && std::string_view(argv[1]) == "--help";
  const auto options = help ? std::optional<symphony::bench::Options>() : symphony::bench::read_arguments(argc, argv);
  if (!options) {
    std::fputs(
        "usage: bench_call [--pairs 1..99999] [--rounds 1..99999] [--trust cooperative|hostile]\n"
        "                  [--waiting adaptive|spin] [--disturbed repeat|count] [-o json]\n"
        "  --pairs      pairs of fresh processes to have in one placement class (15), at most twice as many in all\n"
        "  --rounds     turns of each kind in a pair (400)\n"
        "  --disturbed  repeat pairs that others took processor time from, at most twice as many as --pairs (repeat)\n",
        help ? stdout : stderr);
    return help ? 0 : 2;
  }
  return symphony::bench::run(*options);
}
