// bench_throughput: how many messages a second go through a link, next to raw slots in the same memory.   Layer: bench.
//
// For each size, pairs of fresh processes stream in all kinds of stream_pair.hpp in turns. A ratio is that of the
// medians over the turns of one pair; printed are the median, the 5th and 95th percentile over the pairs of the
// largest placement class (classes.hpp); other classes are printed below it and never pooled with it.
// Exit status: 0 measured, 1 could not measure, 2 wrong arguments, 3 inconclusive (pairs.hpp).
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/support/figure.hpp"
#include "bench/support/pairs.hpp"
#include "bench/support/pinning.hpp"
#include "bench/throughput/stream_pair.hpp"

namespace symphony::bench {
namespace {

constexpr const char* usage =
    "usage: bench_throughput [--size BYTES] [--ring KIB] [--pairs N] [--rounds N] [--seed N] [--quick] [-o json]\n"
    "  --size BYTES  64, 256, 1024, 4096 or 65536 (default: all of them)\n"
    "  --ring KIB    256, 1024 or 4096 (default 1024)\n"
    "  --pairs N     pairs of fresh processes to have in one class (default 15); at most twice as many are run\n"
    "  --rounds N    turns of each kind in a pair (default 10)\n"
    "  --quick       one pair, two rounds of one lap: shows that it works, measures nothing\n"
    "  -o json       one JSON document instead of tables\n";

struct Options {
  std::vector<std::size_t> sizes{stream_sizes.begin(), stream_sizes.end()};
  std::size_t capacity = 1024 * 1024;
  std::size_t pairs = 15;
  std::size_t rounds = 10;
  std::size_t laps = 8;
  std::uint64_t seed = 1;
  bool quick = false;
  bool json = false;
};

// Everything about one size and ring.
struct Cell {
  std::size_t size = 0;
  Pairs<StreamPairResult> pairs;

  [[nodiscard]] Quantiles ratio(std::size_t of_class, std::size_t kind, std::size_t over) const {
    return pairs.over_class(of_class,
                            [&](const StreamPairResult& p) { return p.messages_per_s[kind] / p.messages_per_s[over]; });
  }
  [[nodiscard]] Quantiles rate(std::size_t of_class, std::size_t kind) const {
    return pairs.over_class(of_class, [&](const StreamPairResult& p) { return p.messages_per_s[kind]; });
  }
  [[nodiscard]] double stability(std::size_t kind) const {
    const Quantiles q = rate(pairs.main_class(), kind);
    return q.p5 / q.p50;
  }
};

std::optional<Cell> measure(const Options& options, std::size_t size) {
  auto pairs = measure_pairs<StreamPairResult>({options.pairs, !options.quick}, [&](std::size_t i) {
    std::optional<StreamPairResult> result(std::in_place);
    if (!run_stream_pair({.size = size,
                          .capacity = options.capacity,
                          .rounds = options.rounds,
                          .laps = options.laps,
                          .seed = options.seed + i},
                         *result)) {
      result.reset();
    }
    return result;
  });
  if (!pairs) return std::nullopt;
  return Cell{size, *std::move(pairs)};
}

void print_table(const Options& options, const Cell& cell) {
  std::printf("%zu B, ring %zu KiB, seed %llu: %zu pairs, %zu in the class of %.0f ns a raw round trip\n", cell.size,
              options.capacity / 1024, static_cast<unsigned long long>(options.seed), cell.pairs.size(),
              cell.pairs.members(cell.pairs.main_class()), cell.pairs.round_trip_ns(cell.pairs.main_class()).p50);
  std::printf("  %-18s %9s %9s %8s %8s %8s\n", "stream", "M msg/s", "stability", "ratio", "p5", "p95");
  for (std::size_t kind = 0; kind < stream_kinds; ++kind) {
    const Quantiles ratio = cell.ratio(cell.pairs.main_class(), kind, raw_stream);
    std::printf("  %-18s %9.3f %9.3f %8.3f %8.3f %8.3f  %s\n", stream_facts[kind].name,
                cell.rate(cell.pairs.main_class(), kind).p50 / 1e6, cell.stability(kind), ratio.p50, ratio.p5,
                ratio.p95, stream_facts[kind].what);
  }
  std::printf("  channel over boost spsc: %.3f\n",
              cell.ratio(cell.pairs.main_class(), channel_stream, boost_stream).p50);
  for (std::size_t other = 0; other < cell.pairs.class_count(); ++other) {
    if (other == cell.pairs.main_class()) continue;
    std::printf("  class of %.0f ns, %zu pairs: channel %.3f of raw.slots, %.3f of boost spsc\n",
                cell.pairs.round_trip_ns(other).p50, cell.pairs.members(other),
                cell.ratio(other, channel_stream, raw_stream).p50, cell.ratio(other, channel_stream, boost_stream).p50);
  }
  std::printf("  the limit against itself %.3f, %zu pairs changed class, %zu disturbed ones repeated: %s\n",
              cell.pairs.check().ratio, cell.pairs.changed(), cell.pairs.disturbed, cell.pairs.verdict());
}

void print_json(const Options& options, const Cell& cell, bool first) {
  std::printf(
      "%s{\"size\": %zu, \"ring\": %zu, \"seed\": %llu, \"verdict\": \"%s\", \"self_ratio\": %.4f, "
      "\"changed_class\": %zu, \"disturbed\": %zu, \"classes\": [",
      first ? "" : ", ", cell.size, options.capacity, static_cast<unsigned long long>(options.seed),
      cell.pairs.verdict(), cell.pairs.check().ratio, cell.pairs.changed(), cell.pairs.disturbed);
  for (std::size_t c = 0; c < cell.pairs.class_count(); ++c) {
    std::printf("%s{\"rtt_ns\": %.1f, \"pairs\": %zu, \"main\": %s, \"streams\": [", c == 0 ? "" : ", ",
                cell.pairs.round_trip_ns(c).p50, cell.pairs.members(c),
                c == cell.pairs.main_class() ? "true" : "false");
    for (std::size_t kind = 0; kind < stream_kinds; ++kind) {
      const Quantiles rate = cell.rate(c, kind);
      const Quantiles ratio = cell.ratio(c, kind, raw_stream);
      std::printf(
          "%s{\"name\": \"%s\", \"messages_per_s\": %.0f, \"stability\": %.4f, \"ratio\": %.4f, "
          "\"ratio_p5\": %.4f, \"ratio_p95\": %.4f}",
          kind == 0 ? "" : ", ", stream_facts[kind].name, rate.p50, rate.p5 / rate.p50, ratio.p50, ratio.p5, ratio.p95);
    }
    std::printf("]}");
  }
  std::printf("]}");
}

std::string note_of(const Options& options, const Cell& cell) {
  char text[200];
  std::snprintf(text, sizeof text,
                "%s; ring of %zu KiB; class of %.0f ns a raw round trip; raw.slots %.3f, channel %.3f M/s; %s",
                cell.pairs.verdict(), options.capacity / 1024, cell.pairs.round_trip_ns(cell.pairs.main_class()).p50,
                cell.rate(cell.pairs.main_class(), raw_stream).p50 / 1e6,
                cell.rate(cell.pairs.main_class(), channel_stream).p50 / 1e6, two_cpus() ? "pinned" : "not pinned");
  std::string note = text;
  for (std::size_t other = 0; other < cell.pairs.class_count(); ++other) {
    if (other == cell.pairs.main_class()) continue;
    std::snprintf(text, sizeof text, "; class of %.0f ns (%zu pairs): %.3f", cell.pairs.round_trip_ns(other).p50,
                  cell.pairs.members(other), cell.ratio(other, channel_stream, raw_stream).p50);
    note += text;
  }
  return note;
}

bool write_figures(const Options& options, const Cell& cell) {
  const std::size_t c = cell.pairs.main_class();
  // The ring of 1 MiB is the one that targets speak of.
  const std::string tail = std::to_string(cell.size) + (options.capacity == 256 * 1024    ? ".ring_256k"
                                                        : options.capacity == 4096 * 1024 ? ".ring_4m"
                                                                                          : "");
  const struct {
    std::string name;
    double value;
  } figures[] = {{"ring.throughput_ratio." + tail, cell.ratio(c, channel_stream, raw_stream).p50},
                 {"ring.throughput_stability." + tail, cell.stability(channel_stream)},
                 {"ring.alone_throughput_ratio." + tail, cell.ratio(c, ring_stream, raw_stream).p50},
                 {"ring.batch_throughput_ratio." + tail, cell.ratio(c, channel_batch, raw_stream).p50},
                 {"ring.hostile_throughput_ratio." + tail, cell.ratio(c, channel_read_only, raw_stream).p50},
                 {"ring.throughput_over_boost_lockfree." + tail, cell.ratio(c, channel_stream, boost_stream).p50}};
  for (const auto& [name, value] : figures) {
    Figure figure;
    figure.name = name;
    figure.value = value;
    figure.unit = "ratio";
    figure.n = cell.pairs.members(c);
    figure.seed = options.seed;
    figure.seconds = cell.pairs.seconds;
    figure.note = note_of(options, cell);
    if (const auto written = write_figure(figure); !written) {
      std::fprintf(stderr, "bench_throughput: %s\n", written.error().text);
      return false;
    }
  }
  return true;
}

int run(const Options& options) {
  bool conclusive = true;
  if (options.json) std::printf("{\"cells\": [");
  for (const std::size_t size : options.sizes) {
    const auto cell = measure(options, size);
    if (!cell) return 1;
    options.json ? print_json(options, *cell, size == options.sizes.front()) : print_table(options, *cell);
    std::fflush(stdout);
    conclusive = conclusive && cell->pairs.conclusive();
    // A quick run shows that the program works; its numbers are of nothing.
    if (!options.quick && !write_figures(options, *cell)) return 1;
  }
  if (options.json) std::printf("]}\n");
  return conclusive || options.quick ? 0 : 3;
}

template <class Values>
bool is_one_of(const Values& values, std::uint64_t value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

std::optional<Options> read_arguments(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--quick") {
      options.quick = true;
      options.pairs = 1;
      options.rounds = 2;
      options.laps = 1;
      continue;
    }
    if (++i == argc) return std::nullopt;
    const std::string_view value = argv[i];
    const std::uint64_t number = std::strtoull(argv[i], nullptr, 10);
    const bool is_number = !value.empty() && value.find_first_not_of("0123456789") == std::string_view::npos;
    if (argument == "-o" && value == "json") {
      options.json = true;
    } else if (argument == "--size" && is_number && is_one_of(stream_sizes, number)) {
      options.sizes = {number};
    } else if (argument == "--ring" && is_number && is_one_of(stream_capacities, number * 1024)) {
      options.capacity = number * 1024;
    } else if (argument == "--pairs" && is_number && number >= 1 && number <= 10'000) {
      options.pairs = number;
    } else if (argument == "--rounds" && is_number && number >= 1 && number <= 100'000) {
      options.rounds = number;
    } else if (argument == "--seed" && is_number) {
      options.seed = number;
    } else {
      return std::nullopt;
    }
  }
  return options;
}

}  // namespace
}  // namespace symphony::bench

int main(int argc, char** argv) {
  const bool help = argc == 2 && std::string_view(argv[1]) == "--help";
  const auto options = help ? std::optional<symphony::bench::Options>() : symphony::bench::read_arguments(argc, argv);
  if (!options) {
    std::fputs(symphony::bench::usage, help ? stdout : stderr);
    return help ? 0 : 2;
  }
  return symphony::bench::run(*options);
}
