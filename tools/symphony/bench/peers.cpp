#include "tools/symphony/bench/peers.hpp"

#include <fmt/format.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include <symphony/clock.hpp>

#include "bench/peers/goals.hpp"
#include "bench/peers/known.hpp"
#include "bench/peers/summary.hpp"
#include "bench/support/competing.hpp"
#include "bench/support/figure.hpp"
#include "bench/support/pairs.hpp"
#include "tools/symphony/bench/helper.hpp"
#include "tools/symphony/exit_status.hpp"
#include "tools/symphony/programs.hpp"
#include "tools/symphony/progress.hpp"
#include "tools/symphony/table.hpp"

namespace symphony::tools {
namespace {

using bench::peers::ClassSummary;
using bench::peers::MeasuredPair;
using bench::peers::Pattern;
using bench::peers::PeerFacts;
using bench::peers::Summary;
using bench::peers::Wait;
using Json = BenchJson;

// One peer, pattern and size, over fresh pairs of processes.
struct Point {
  const PeerFacts* peer;
  Pattern pattern;
  std::size_t size;
};

constexpr const char* name_of(Pattern pattern) noexcept { return pattern == Pattern::stream ? "stream" : "rtt"; }
constexpr const char* name_of(Wait wait) noexcept { return wait == Wait::spin ? "spin" : "sleep"; }

MeasuredPair measured_pair(const Json& pair) {
  return {pair["ours_ns"], pair["peer_ns"], pair["self_ratio"], pair["raw_before_ns"], pair["raw_after_ns"]};
}

Json class_row(const ClassSummary& one) {
  return {{"raw_ns", one.raw_ns}, {"pairs", one.pairs},         {"ours_ns", one.ours_ns},    {"peer_ns", one.peer_ns},
          {"ratio", one.ratio},   {"ratio_min", one.ratio_min}, {"ratio_max", one.ratio_max}};
}

Json row_of(const Point& point, const Summary& all, Json pairs) {
  Json row = {{"peer", point.peer->name},
              {"wait", name_of(point.peer->wait)},
              {"threads", point.peer->threads},
              {"settings", point.peer->settings},
              {"pattern", name_of(point.pattern)},
              {"size", point.size},
              {"ours_ns", all.main.ours_ns},
              {"peer_ns", all.main.peer_ns},
              {"ratio", all.main.ratio},
              {"ratio_min", all.main.ratio_min},
              {"ratio_max", all.main.ratio_max},
              {"goal", nullptr},
              {"goal_met", nullptr},
              {"raw_ns", all.main.raw_ns},
              {"pairs_counted", all.main.pairs},
              {"other_classes", Json::array()},
              {"self_ratio", all.self_ratio},
              {"class_changes", all.changed},
              {"disturbed", all.disturbed},
              {"verdict", all.conclusive ? "ok" : "inconclusive"},
              {"pairs", std::move(pairs)}};
  for (const ClassSummary& other : all.others) row["other_classes"].push_back(class_row(other));
  if (const auto goal = bench::peers::ratio_goal(*point.peer, point.pattern, point.size)) {
    row["goal"] = *goal;
    row["goal_met"] = bench::peers::meets(point.pattern, all.main.ratio, *goal);
  }
  return row;
}

std::string not_built(const PeerFacts& peer) {
  if (peer.package.empty()) return "not built here; build the target symphony_peer_programs";
  return fmt::format("not built here; install {} and configure with -DSYMPHONY_PEERS=ON", peer.package);
}

std::string note_of(const Point& point, const Summary& all) {
  std::string note = fmt::format("{}; {} against {}; ours {:.0f} ns, theirs {:.0f} ns; pairs of fresh processes",
                                 all.conclusive ? "ok" : "inconclusive", name_of(point.peer->wait),
                                 name_of(point.peer->wait), all.main.ours_ns, all.main.peer_ns);
  if (all.disturbed != 0) note += fmt::format("; {} disturbed ones repeated", all.disturbed);
  if (point.pattern == Pattern::rtt) return note + ", classes pooled";
  note += fmt::format(", class of {:.0f} ns a raw round trip", all.main.raw_ns);
  for (const ClassSummary& other : all.others) {
    note += fmt::format("; class of {:.0f} ns ({} pairs): {:.3f}", other.raw_ns, other.pairs, other.ratio);
  }
  return note;
}

bool write_peer_figure(const Point& point, const Summary& all, double seconds) {
  bench::Figure figure;
  const char* kind = point.pattern == Pattern::stream ? "throughput_ratio" : "rtt_ratio";
  figure.name = fmt::format("peer.{}.{}.{}", point.peer->name, kind, point.size);
  figure.value = all.main.ratio;
  figure.unit = "ratio";
  figure.n = all.main.pairs;
  figure.seconds = seconds;
  figure.note = note_of(point, all);
  const auto written = bench::write_figure(figure);
  if (!written) std::fprintf(stderr, "symphony bench peers: %s\n", written.error().text);
  return written.has_value();
}

// Rows of one way to wait: round trips first, then by size, so that peers stand below one another.
std::vector<Json> rows_of(const Json& document, const char* wait) {
  std::vector<Json> rows;
  for (const Json& row : document["points"]) {
    if (row["wait"] == wait) rows.push_back(row);
  }
  std::stable_sort(rows.begin(), rows.end(), [](const Json& a, const Json& b) {
    return std::pair(a["pattern"] != "rtt", a["size"].get<int>()) <
           std::pair(b["pattern"] != "rtt", b["size"].get<int>());
  });
  return rows;
}

std::vector<std::string> cells_of(const Json& row) {
  const auto ns = [&](const char* key) { return duration_text(static_cast<std::int64_t>(row[key].get<double>())); };
  const auto ratio = [&](const char* key) { return fmt::format("{:.2f}", row[key].get<double>()); };
  const bool is_trip = row["pattern"] == "rtt";
  const std::string verdict = row["verdict"];
  const bool missed = row["goal_met"] == false && verdict == "ok";
  return {is_trip ? "round trip" : "stream",
          std::to_string(row["size"].get<int>()),
          row["peer"].get<std::string>() + (row["threads"].get<bool>() ? " (threads)" : ""),
          ns("ours_ns"),
          ns("peer_ns"),
          ratio("ratio"),
          row["goal"].is_null() ? "-" : (is_trip ? "<= " : ">= ") + ratio("goal"),
          ratio("ratio_min"),
          ratio("ratio_max"),
          std::to_string(row["pairs_counted"].get<int>()),
          missed ? "goal missed" : verdict};
}

std::string peers_table(const Json& document) {
  std::string out;
  for (const char* wait : {"spin", "sleep"}) {
    const auto rows = rows_of(document, wait);
    if (rows.empty()) continue;
    std::string others;
    Table table({"", "bytes", "peer", "ours", "theirs", "ratio", "goal", "least", "most", "pairs", "verdict"});
    for (const Json& row : rows) {
      table.add_row(cells_of(row));
      for (const Json& other : row["other_classes"]) {
        others += fmt::format("  {} stream {}: {} pairs of another class, {:.0f} ns a raw round trip: {:.2f}\n",
                              row["peer"].get<std::string>(), row["size"].get<int>(), other["pairs"].get<int>(),
                              other["raw_ns"].get<double>(), other["ratio"].get<double>());
      }
    }
    Table settings({"peer", "what it is", "its settings"});
    for (const PeerFacts& peer : bench::peers::known_peers) {
      const auto is_its = [&](const Json& row) { return row["peer"] == peer.name; };
      if (std::none_of(rows.begin(), rows.end(), is_its)) continue;
      settings.add_row({std::string(peer.name), std::string(peer.what), std::string(peer.settings)});
    }
    out += fmt::format("{} against {}\n{}{}\n{}\n", wait, wait, table.text(), others, settings.text());
  }
  out +=
      "ratio: ours over theirs; below 1 is ahead for round trips (time), above 1 for streams (messages a second)\n"
      "goal: what we want of it; a row that is inconclusive says nothing about it\n";
  for (const Json& missing : document["missing"]) {
    out += fmt::format("{}: {}\n", missing["peer"].get<std::string>(), missing["why"].get<std::string>());
  }
  return out;
}

}  // namespace

int bench_peers(BenchArguments arguments) {
  if (arguments.sizes.empty()) arguments.sizes = {64, 1024, 4096, 65536};
  for (const std::size_t size : arguments.sizes) {
    if (size % 8 != 0) return fail_bench("peers", "--size must be a multiple of 8", exit_usage);
  }
  Json document = new_bench_document("bench peers");
  document["missing"] = Json::array();
  document["points"] = Json::array();
  const auto add_missing = [&](const PeerFacts& peer, const std::string& why) {
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
      points.push_back({&peer, Pattern::rtt, size});
      if (peer.streams) points.push_back({&peer, Pattern::stream, size});
    }
  }
  if (points.empty()) return fail_bench("peers", "no program symphony-peer-* beside this one", exit_not_found);
  const std::size_t wanted = arguments.quick ? 3 : 15;
  Progress progress("peers", points.size() * wanted);
  std::uint64_t done = 0;
  const PeerFacts* cannot_run = nullptr;
  for (const Point& point : points) {
    progress.set(done);
    done += wanted;
    if (point.peer == cannot_run) continue;
    const TimeNs start = now_ns();
    Json printed_pairs = Json::array();
    std::vector<MeasuredPair> pairs;
    bench::Repeats repeats(arguments.quick ? 0 : 2 * wanted);
    Summary all;
    do {
      const bench::CompetingCpu others;
      const Printed printed =
          run_helper({find_program(fmt::format("symphony-peer-{}", point.peer->program)), std::string(point.peer->name),
                      name_of(point.pattern), std::to_string(point.size),
                      std::to_string(pairs.size() + repeats.count() + 1), arguments.quick ? "5" : "60"});
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
      if (repeats.repeat(others.disturbed())) continue;
      pairs.push_back(measured_pair(result));
      printed_pairs.push_back(std::move(result));
      all = bench::peers::sum_up(point.pattern, pairs);
      if (pairs.size() <= wanted) progress.advance();
    } while (pairs.size() < wanted || (!arguments.quick && wants_more(all, pairs.size(), wanted)));
    if (point.peer == cannot_run) continue;
    all.disturbed = repeats.count();
    all.conclusive = all.conclusive && !repeats.spent();
    document["points"].push_back(row_of(point, all, std::move(printed_pairs)));
    const double seconds = static_cast<double>(now_ns() - start) / static_cast<double>(second_ns);
    if (!write_peer_figure(point, all, seconds)) return exit_internal;
  }
  progress.finish();
  return put_out(arguments, "peers", document, peers_table(document));
}

}  // namespace symphony::tools
