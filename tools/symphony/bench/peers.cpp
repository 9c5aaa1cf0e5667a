#include "tools/symphony/bench/peers.hpp"

#include <fmt/format.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>

#include <symphony/clock.hpp>

#include "bench/peers/known.hpp"
#include "bench/support/figure.hpp"
#include "tools/symphony/bench/helper.hpp"
#include "tools/symphony/exit_status.hpp"
#include "tools/symphony/programs.hpp"
#include "tools/symphony/progress.hpp"
#include "tools/symphony/table.hpp"

namespace symphony::tools {
namespace {

using Json = BenchJson;

double middle(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// One peer, pattern and size, over fresh pairs of processes.
struct Point {
  const bench::peers::PeerFacts* peer;
  const char* pattern;
  std::size_t size;
};

// Within these the link against itself says that ratios mean something.
constexpr double self_ratio_min = 0.93;
constexpr double self_ratio_max = 1.07;
// A pair whose raw line changed by so much moved to other processors or lines meanwhile.
constexpr double class_change = 1.4;

Json summed_up(const Point& point, const Json& pairs) {
  std::vector<double> ours, peers, ratios, selves;
  std::size_t changed = 0;
  const bool streams = point.pattern[0] == 's';
  for (const Json& pair : pairs) {
    ours.push_back(pair["ours_ns"]);
    peers.push_back(pair["peer_ns"]);
    // Ours over the peer's: time of a round trip, messages a second of a stream.
    ratios.push_back(streams ? peers.back() / ours.back() : ours.back() / peers.back());
    selves.push_back(pair["self_ratio"]);
    const double before = pair["raw_before_ns"];
    const double after = pair["raw_after_ns"];
    changed += std::max(before, after) > class_change * std::min(before, after) ? 1 : 0;
  }
  const double self = middle(selves);
  const bool ok = self >= self_ratio_min && self <= self_ratio_max && 3 * changed < pairs.size();
  const auto [low, high] = std::minmax_element(ratios.begin(), ratios.end());
  return {{"peer", point.peer->name},
          {"wait", point.peer->wait == bench::peers::Wait::spin ? "spin" : "sleep"},
          {"threads", point.peer->threads},
          {"pattern", point.pattern},
          {"size", point.size},
          {"ours_ns", middle(ours)},
          {"peer_ns", middle(peers)},
          {"ratio", middle(ratios)},
          {"ratio_min", *low},
          {"ratio_max", *high},
          {"self_ratio", self},
          {"class_changes", changed},
          {"verdict", ok ? "ok" : "inconclusive"},
          {"pairs", pairs}};
}

std::string not_built(const bench::peers::PeerFacts& peer) {
  if (peer.package.empty()) return "not built here; build the target symphony_peer_programs";
  return fmt::format("not built here; install {} and configure with -DSYMPHONY_PEERS=ON", peer.package);
}

bool write_peer_figure(const Point& point, const Json& row, double seconds) {
  bench::Figure figure;
  const char* kind = point.pattern[0] == 's' ? "throughput_ratio" : "rtt_ratio";
  figure.name = fmt::format("peer.{}.{}.{}", point.peer->name, kind, point.size);
  figure.value = row["ratio"];
  figure.unit = "ratio";
  figure.n = row["pairs"].size();
  figure.seconds = seconds;
  figure.note =
      fmt::format("{}; {} against {}; ours {:.0f} ns, theirs {:.0f} ns; pairs of fresh processes, classes pooled",
                  row["verdict"].get<std::string>(), row["wait"].get<std::string>(), row["wait"].get<std::string>(),
                  row["ours_ns"].get<double>(), row["peer_ns"].get<double>());
  const auto written = bench::write_figure(figure);
  if (!written) std::fprintf(stderr, "symphony bench peers: %s\n", written.error().text);
  return written.has_value();
}

std::string peers_table(const Json& document) {
  std::string out;
  for (const char* wait : {"spin", "sleep"}) {
    Table table({"peer", "", "bytes", "ours", "theirs", "ratio", "least", "most", "pairs", "verdict"});
    for (const Json& row : document["points"]) {
      if (row["wait"] != wait) continue;
      const auto ns = [&](const char* key) { return duration_text(static_cast<std::int64_t>(row[key].get<double>())); };
      const auto ratio = [&](const char* key) { return fmt::format("{:.2f}", row[key].get<double>()); };
      table.add_row({row["peer"].get<std::string>() + (row["threads"].get<bool>() ? " (threads)" : ""),
                     row["pattern"] == "rtt" ? "round trip" : "stream", std::to_string(row["size"].get<int>()),
                     ns("ours_ns"), ns("peer_ns"), ratio("ratio"), ratio("ratio_min"), ratio("ratio_max"),
                     std::to_string(row["pairs"].size()), row["verdict"].get<std::string>()});
    }
    out += fmt::format("{} against {}\n{}\n", wait, wait, table.text());
  }
  for (const Json& missing : document["missing"]) {
    out += fmt::format("{}: {}\n", missing["peer"].get<std::string>(), missing["why"].get<std::string>());
  }
  return out +
         "ratio: ours over theirs; below 1 is ahead for round trips (time), above 1 for streams (messages a second)\n";
}

}  // namespace

int bench_peers(BenchArguments arguments) {
  if (arguments.sizes.empty()) arguments.sizes = {64, 1024};
  for (const std::size_t size : arguments.sizes) {
    if (size % 8 != 0) return fail_bench("peers", "--size must be a multiple of 8", exit_usage);
  }
  Json document = new_bench_document("bench peers");
  document["missing"] = Json::array();
  document["points"] = Json::array();
  const auto add_missing = [&](const bench::peers::PeerFacts& peer, const std::string& why) {
    document["missing"].push_back({{"peer", peer.name}, {"package", peer.package}, {"why", why}});
  };
  std::vector<Point> points;
  for (const auto& peer : bench::peers::known_peers) {
    const bool named = std::find(arguments.peers.begin(), arguments.peers.end(), peer.name) != arguments.peers.end();
    if (!arguments.peers.empty() && !named) continue;
    if (find_program(fmt::format("symphony-peer-{}", peer.program)).empty()) {
      if (named) return fail_bench("peers", fmt::format("{} is {}", peer.name, not_built(peer)), exit_not_found);
      add_missing(peer, not_built(peer));
      continue;
    }
    for (const std::size_t size : arguments.sizes) {
      points.push_back({&peer, "rtt", size});
      if (peer.streams) points.push_back({&peer, "stream", size});
    }
  }
  if (points.empty()) return fail_bench("peers", "no program symphony-peer-* beside this one", exit_not_found);
  const std::uint64_t pairs = arguments.quick ? 3 : 15;
  Progress progress("peers", points.size() * pairs);
  const bench::peers::PeerFacts* cannot_run = nullptr;
  for (const Point& point : points) {
    if (point.peer == cannot_run) continue;
    const TimeNs start = now_ns();
    Json results = Json::array();
    for (std::uint64_t pair = 0; pair < pairs; ++pair) {
      const Printed printed = run_helper({find_program(fmt::format("symphony-peer-{}", point.peer->program)),
                                          std::string(point.peer->name), point.pattern, std::to_string(point.size),
                                          std::to_string(pair + 1), arguments.quick ? "5" : "60"});
      if (WIFEXITED(printed.status) && WEXITSTATUS(printed.status) == bench::peers::status_cannot_run) {
        const std::string why = "cannot run here: " + printed.last_line;
        if (!arguments.peers.empty()) {
          progress.finish();
          return fail_bench("peers", fmt::format("{} {}", point.peer->name, why), exit_not_found);
        }
        add_missing(*point.peer, why);
        cannot_run = point.peer;
        break;
      }
      Json result = Json::parse(printed.out, nullptr, false);
      if (!printed.fault.empty() || !result.is_object()) {
        progress.finish();
        return fail_bench("peers", printed.fault.empty() ? "a program printed no result" : printed.fault,
                          exit_internal);
      }
      results.push_back(std::move(result));
      progress.advance();
    }
    if (point.peer == cannot_run) continue;
    document["points"].push_back(summed_up(point, results));
    const double seconds = static_cast<double>(now_ns() - start) / static_cast<double>(second_ns);
    if (!write_peer_figure(point, document["points"].back(), seconds)) return exit_internal;
  }
  progress.finish();
  return put_out(arguments, "peers", document, peers_table(document));
}

}  // namespace symphony::tools
