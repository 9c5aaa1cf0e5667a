// bench_link: what a link's channel adds to the limit, the raw cache line.   Layer: bench.
//
// Each pair of fresh processes (fresh mappings: where lines land is a lottery) does all kinds of round trips of
// link_series.hpp in turns of 64, in an order drawn anew each round from the seed. A ratio is that of medians over the
// turns of one pair; printed are its median and its 5th and 95th percentile over the pairs of the largest placement
// class, other classes beside it. Both sides spin.
// Exit status: 0 measured, 1 could not measure, 2 wrong arguments, 3 inconclusive (pairs.hpp).
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <symphony/clock.hpp>

#include "bench/latency/link_series.hpp"
#include "bench/support/figure.hpp"
#include "bench/support/pairs.hpp"
#include "bench/support/pinning.hpp"

namespace symphony::bench {
namespace {

constexpr std::size_t turn_size = 64;

struct Options {
  PairsWanted pairs;
  std::size_t rounds = 400;
  std::uint64_t seed = 1;
  bool json = false;
};

enum Kind : std::size_t { line32, line32_again, ring32, channel32, eager32, line64, ring64, channel64, kind_count };
struct KindFacts {
  const char* name;
  Kind limit;
  const char* what;
};
constexpr std::array<KindFacts, kind_count> kinds{{
    {"line.32", line32, "raw cache line"},
    {"line.32 again", line32, "the same: 1.00 but for the machine's unrest"},
    {"ring.32", line32, "ring alone, release commit"},
    {"channel.32", line32, "channel, space given back by the eighth"},
    {"channel.32 eager", line32, "channel, space given back each time"},
    {"line.64", line64, "raw cache lines, two each way"},
    {"ring.64", line64, "ring alone, release commit"},
    {"channel.64", line64, "channel, space given back by the eighth"},
}};

// The segments of all kinds but line32_again, which uses those of line32.
using Segments = std::array<detail::SegmentPair, kind_count>;

class Side {
 public:
  static result<Side> make(const Segments& segments, End end) {
    std::array<Area, kind_count> areas;
    for (std::size_t kind = 0; kind < kind_count; ++kind) {
      if (kind == line32_again) continue;
      const bool shared_write = kind == line32 || kind == line64;
      auto area = Area::map(segments[kind], end, shared_write ? detail::Access::read_write : detail::Access::read_only);
      if (!area) return unexpected(area.error());
      areas[kind] = *std::move(area);
    }
    return Side(std::move(areas), end);
  }

  // One round trip of a kind, from this side.
  template <class GiveUp>
  bool step(std::size_t kind, GiveUp&& give_up) noexcept {
    const auto go = [&](auto& pair) { return end_ == End::caller ? pair.call(give_up) : pair.serve(give_up); };
    switch (kind) {
      case line32:
      case line32_again:
        return go(line32_);
      case ring32:
        return go(ring32_);
      case channel32:
        return go(channel32_);
      case eager32:
        return go(eager32_);
      case line64:
        return go(line64_);
      case ring64:
        return go(ring64_);
      case channel64:
        return go(channel64_);
      default:
        return false;
    }
  }

 private:
  Side(std::array<Area, kind_count> areas, End end)
      : areas_(std::move(areas)),
        end_(end),
        line32_(areas_[line32], end),
        ring32_(areas_[ring32], end),
        channel32_(areas_[channel32], end),
        eager32_(areas_[eager32], end),
        line64_(areas_[line64], end),
        ring64_(areas_[ring64], end),
        channel64_(areas_[channel64], end) {}

  std::array<Area, kind_count> areas_;
  End end_;
  RawPair<32> line32_;
  RingPair<32> ring32_;
  ChannelPair<32, false> channel32_;
  ChannelPair<32, true> eager32_;
  RawPair<64> line64_;
  RingPair<64> ring64_;
  ChannelPair<64, false> channel64_;
};

// Both processes draw the same orders.
class Orders {
 public:
  explicit Orders(std::uint64_t seed) : random_(seed) { std::iota(order_.begin(), order_.end(), std::size_t{0}); }
  const std::array<std::size_t, kind_count>& next() {
    for (std::size_t i = kind_count - 1; i > 0; --i) std::swap(order_[i], order_[random_() % (i + 1)]);
    return order_;
  }

 private:
  std::mt19937_64 random_;
  std::array<std::size_t, kind_count> order_{};
};

int serve(const Segments& segments, const Options& options, std::uint64_t seed, pid_t parent,
          const std::optional<CpuPair>& cpus) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) return 1;
  const Pinned pinned(cpus ? std::optional(cpus->helper) : std::nullopt);
  auto side = Side::make(segments, End::pit);
  if (!side) return 1;
  Orders orders(seed);
  const auto yield = [] { return ::sched_yield() != 0; };
  for (std::size_t round = 0; round <= options.rounds; ++round) {
    for (const std::size_t kind : orders.next()) {
      for (std::size_t i = 0; i < turn_size; ++i) {
        if (!side->step(kind, yield)) return 1;
      }
    }
  }
  return 0;
}

// Of one pair of processes.
struct LinkPairResult {
  std::array<double, kind_count> ns{};  // a round trip of each kind, medians over the turns
  double rtt_before_ns = 0;             // the raw line in the first and in the last quarter of the turns
  double rtt_after_ns = 0;
  [[nodiscard]] double self_ratio() const noexcept { return ns[line32_again] / ns[line32]; }
};

double median(std::span<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

bool call(const Segments& segments, const Options& options, std::uint64_t seed, pid_t child,
          const std::optional<CpuPair>& cpus, LinkPairResult& result) {
  const Pinned pinned(cpus ? std::optional(cpus->caller) : std::nullopt);
  auto side = Side::make(segments, End::caller);
  if (!side) return false;
  const auto child_gone = [child] {
    ::sched_yield();
    siginfo_t about{};
    return ::waitid(P_PID, static_cast<id_t>(child), &about, WEXITED | WNOHANG | WNOWAIT) != 0 || about.si_pid != 0;
  };
  std::array<std::vector<double>, kind_count> times;
  for (auto& of_kind : times) of_kind.reserve(options.rounds);
  Orders orders(seed);
  for (std::size_t round = 0; round <= options.rounds; ++round) {
    for (const std::size_t kind : orders.next()) {
      const TimeNs start = now_ns();
      for (std::size_t i = 0; i < turn_size; ++i) {
        if (!side->step(kind, child_gone)) return false;
      }
      const TimeNs took = now_ns() - start;
      if (round != 0) times[kind].push_back(static_cast<double>(took) / turn_size);  // the first one warms up
    }
  }
  const std::size_t quarter = (options.rounds + 3) / 4;
  std::vector<double> of_line = times[line32];
  result.rtt_before_ns = median(std::span(of_line).first(quarter));
  of_line = times[line32];
  result.rtt_after_ns = median(std::span(of_line).last(quarter));
  for (std::size_t kind = 0; kind < kind_count; ++kind) result.ns[kind] = median(times[kind]);
  return true;
}

bool run_pair(const Options& options, std::uint64_t seed, LinkPairResult& result) {
  Segments segments;
  for (std::size_t kind = 0; kind < kind_count; ++kind) {
    if (kind == line32_again) continue;
    auto made = detail::create_segment_pair(detail::caller_segment_size(link_capacity),
                                            detail::pit_segment_size(link_capacity), seed);
    if (!made) {
      std::fprintf(stderr, "bench_link: %s\n", made.error().text);
      return false;
    }
    segments[kind] = *std::move(made);
  }
  const auto cpus = two_cpus();
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();  // this program has one thread
  if (child < 0) return false;
  if (child == 0) ::_exit(serve(segments, options, seed, parent, cpus));
  const bool done = call(segments, options, seed, child, cpus, result);
  if (!done) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return done && status == 0;
}

using LinkPairs = Pairs<LinkPairResult>;

Quantiles ratio_of(const LinkPairs& pairs, std::size_t of_class, std::size_t kind) {
  return pairs.over_class(of_class,
                          [&](const LinkPairResult& one) { return one.ns[kind] / one.ns[kinds[kind].limit]; });
}
Quantiles ns_of(const LinkPairs& pairs, std::size_t of_class, std::size_t kind) {
  return pairs.over_class(of_class, [&](const LinkPairResult& one) { return one.ns[kind]; });
}

// The name of the figure that a kind gives, or null.
const char* figure_name(std::size_t kind) {
  return kind == channel32 ? "ring.channel_rtt_ratio.32" : kind == channel64 ? "ring.channel_rtt_ratio.64" : nullptr;
}

bool write_figures(const Options& options, const LinkPairs& pairs) {
  const std::size_t main = pairs.main_class();
  for (std::size_t kind = 0; kind < kind_count; ++kind) {
    if (figure_name(kind) == nullptr) continue;
    const Quantiles ratio = ratio_of(pairs, main, kind);
    Figure figure;
    figure.name = figure_name(kind);
    figure.value = ratio.p50;
    figure.unit = "ratio";
    figure.n = pairs.members(main);
    figure.seed = options.seed;
    figure.seconds = pairs.seconds;
    char text[192];
    std::snprintf(
        text, sizeof text,
        "%s; channel over the raw line with the same user data; p5 %.3f, p95 %.3f; class of %.0f ns a raw round "
        "trip; %zu disturbed pairs repeated",
        pairs.verdict(), ratio.p5, ratio.p95, pairs.round_trip_ns(main).p50, pairs.disturbed);
    figure.note = text;
    for (std::size_t other = 0; other < pairs.class_count(); ++other) {
      if (other == main) continue;
      std::snprintf(text, sizeof text, "; class of %.0f ns (%zu pairs): %.3f", pairs.round_trip_ns(other).p50,
                    pairs.members(other), ratio_of(pairs, other, kind).p50);
      figure.note += text;
    }
    if (const auto written = write_figure(figure); !written) {
      std::fprintf(stderr, "bench_link: %s\n", written.error().text);
      return false;
    }
  }
  return true;
}

void print_table(const Options& options, const LinkPairs& pairs) {
  const std::size_t main = pairs.main_class();
  std::printf("%-17s %9s %9s %9s %9s  (seed %llu, %zu pairs of processes in the class of %.0f ns)\n", "round trip",
              "p50 ns", "ratio", "p5", "p95", static_cast<unsigned long long>(options.seed), pairs.members(main),
              pairs.round_trip_ns(main).p50);
  for (std::size_t kind = 0; kind < kind_count; ++kind) {
    const Quantiles ratio = ratio_of(pairs, main, kind);
    std::printf("%-17s %9.1f %9.3f %9.3f %9.3f  %s\n", kinds[kind].name, ns_of(pairs, main, kind).p50, ratio.p50,
                ratio.p5, ratio.p95, kinds[kind].what);
  }
  for (std::size_t other = 0; other < pairs.class_count(); ++other) {
    if (other == main) continue;
    std::printf("class of %.0f ns, %zu pairs: channel.32 %.3f, channel.64 %.3f\n", pairs.round_trip_ns(other).p50,
                pairs.members(other), ratio_of(pairs, other, channel32).p50, ratio_of(pairs, other, channel64).p50);
  }
  std::printf("the limit against itself: %.3f, %zu pairs changed class, %zu disturbed ones repeated: %s\n",
              pairs.check().ratio, pairs.changed(), pairs.disturbed, pairs.verdict());
}

void print_json(const Options& options, const LinkPairs& pairs) {
  std::printf(
      "{\"seed\": %llu, \"pairs\": %zu, \"rounds\": %zu, \"disturbed\": %zu, \"changed_class\": %zu, "
      "\"self_ratio\": %.4f, \"verdict\": \"%s\", \"classes\": [",
      static_cast<unsigned long long>(options.seed), pairs.size(), options.rounds, pairs.disturbed, pairs.changed(),
      pairs.check().ratio, pairs.verdict());
  for (std::size_t c = 0; c < pairs.class_count(); ++c) {
    std::printf("%s{\"rtt_ns\": %.1f, \"pairs\": %zu, \"main\": %s, \"kinds\": [", c == 0 ? "" : ", ",
                pairs.round_trip_ns(c).p50, pairs.members(c), c == pairs.main_class() ? "true" : "false");
    for (std::size_t kind = 0; kind < kind_count; ++kind) {
      const Quantiles ratio = ratio_of(pairs, c, kind);
      std::printf("%s{\"name\": \"%s\", \"p50_ns\": %.1f, \"ratio\": %.4f, \"ratio_p5\": %.4f, \"ratio_p95\": %.4f}",
                  kind == 0 ? "" : ", ", kinds[kind].name, ns_of(pairs, c, kind).p50, ratio.p50, ratio.p5, ratio.p95);
    }
    std::printf("]}");
  }
  std::printf("]}\n");
}

int run(const Options& options) {
  const auto pairs = measure_pairs<LinkPairResult>(options.pairs, [&](std::size_t i) {
    std::optional<LinkPairResult> result(std::in_place);
    if (!run_pair(options, options.seed + i, *result)) result.reset();
    return result;
  });
  if (!pairs) {
    std::fputs("bench_link: a pair of processes did not finish; is there memory for 2 MiB more?\n", stderr);
    return 1;
  }
  options.json ? print_json(options, *pairs) : print_table(options, *pairs);
  if (!write_figures(options, *pairs)) return 1;
  return pairs->conclusive() ? 0 : 3;
}

std::optional<Options> read_arguments(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (++i == argc) return std::nullopt;
    const std::string_view value = argv[i];
    char* end = nullptr;
    const std::uint64_t number = std::strtoull(argv[i], &end, 10);
    const bool is_number = *end == '\0' && value.find_first_not_of("0123456789") == std::string_view::npos;
    if (argument == "-o" && value == "json") {
      options.json = true;
    } else if (argument == "--pairs" && is_number && number >= 1 && number <= 10'000) {
      options.pairs.in_one_class = number;
    } else if (argument == "--rounds" && is_number && number >= 1 && number <= 1'000'000) {
      options.rounds = number;
    } else if (argument == "--disturbed" && (value == "repeat" || value == "count")) {
      options.pairs.repeat_disturbed = value == "repeat";
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
    std::fputs(
        "usage: bench_link [--pairs 1..10000] [--rounds 1..1000000] [--seed N] [--disturbed repeat|count] [-o json]\n",
        help ? stdout : stderr);
    return help ? 0 : 2;
  }
  return symphony::bench::run(*options);
}
