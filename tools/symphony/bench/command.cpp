// symphony bench ring | peers: what a round trip of ours costs beside the machine's limits, and beside its peers.
#include <CLI/CLI.hpp>

#include <fmt/format.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/peers/known.hpp"
#include "bench/support/figure.hpp"
#include "tools/symphony/bench/helper.hpp"
#include "tools/symphony/commands.hpp"
#include "tools/symphony/exit_status.hpp"
#include "tools/symphony/programs.hpp"
#include "tools/symphony/progress.hpp"
#include "tools/symphony/table.hpp"

namespace symphony::tools {
namespace {

using Json = nlohmann::ordered_json;

struct BenchArguments {
  std::string format = "table";
  std::string save;
  bool quick = false;
  std::vector<std::size_t> sizes;
  std::vector<std::string> peers;
};

int fail_bench(const char* verb, const std::string& why, int status) {
  std::fprintf(stderr, "symphony bench %s: %s\n", verb, without_controls(why).c_str());
  return status;
}

Json new_document(const char* command) {
  const auto host = bench::this_host();
  return {{"schema", "symphony.cli/1"},
          {"command", command},
          {"commit", bench::built_commit()},
          {"host", {{"cpu", host.cpu}, {"cores", host.cores}, {"kernel", host.kernel}}}};
}

double middle(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Prints the document or the table, and keeps the document where it was asked for.
int put_out(const BenchArguments& arguments, const char* verb, const Json& document, const std::string& table) {
  const std::string text = document.dump(1) + "\n";
  if (!arguments.save.empty()) {
    std::ofstream file(arguments.save);
    file << text;
    if (!file.flush()) return fail_bench(verb, arguments.save + ": cannot be written", exit_internal);
  }
  std::fputs(arguments.format == "json" ? text.c_str() : table.c_str(), stdout);
  if (std::fflush(stdout) != 0) return fail_bench(verb, "cannot write the result: disk full?", exit_internal);
  return exit_ok;
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
    out += fmt::format("{}: not built here; install {} and configure with -DSYMPHONY_PEERS=ON\n",
                       missing["peer"].get<std::string>(), missing["package"].get<std::string>());
  }
  return out +
         "ratio: ours over theirs; below 1 is ahead for round trips (time), above 1 for streams (messages a second)\n";
}

int bench_peers(BenchArguments arguments) {
  if (arguments.sizes.empty()) arguments.sizes = {64, 1024};
  for (const std::size_t size : arguments.sizes) {
    if (size % 8 != 0) return fail_bench("peers", "--size must be a multiple of 8", exit_usage);
  }
  Json document = new_document("bench peers");
  document["missing"] = Json::array();
  document["points"] = Json::array();
  std::vector<Point> points;
  for (const auto& peer : bench::peers::known_peers) {
    const bool named = std::find(arguments.peers.begin(), arguments.peers.end(), peer.name) != arguments.peers.end();
    if (!arguments.peers.empty() && !named) continue;
    if (find_program(fmt::format("symphony-peer-{}", peer.program)).empty()) {
      if (named) {
        return fail_bench("peers",
                          fmt::format("{} is not built here; install {} and configure with -DSYMPHONY_PEERS=ON",
                                      peer.name, peer.package),
                          exit_not_found);
      }
      document["missing"].push_back({{"peer", peer.name}, {"package", peer.package}});
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
  for (const Point& point : points) {
    const TimeNs start = now_ns();
    Json results = Json::array();
    for (std::uint64_t pair = 0; pair < pairs; ++pair) {
      const Printed printed = run_helper({find_program(fmt::format("symphony-peer-{}", point.peer->program)),
                                          std::string(point.peer->name), point.pattern, std::to_string(point.size),
                                          std::to_string(pair + 1), arguments.quick ? "5" : "60"});
      Json result = Json::parse(printed.out, nullptr, false);
      if (!printed.fault.empty() || !result.is_object()) {
        progress.finish();
        return fail_bench("peers", printed.fault.empty() ? "a program printed no result" : printed.fault,
                          exit_internal);
      }
      results.push_back(std::move(result));
      progress.advance();
    }
    document["points"].push_back(summed_up(point, results));
    const double seconds = static_cast<double>(now_ns() - start) / static_cast<double>(second_ns);
    if (!write_peer_figure(point, document["points"].back(), seconds)) return exit_internal;
  }
  progress.finish();
  return put_out(arguments, "peers", document, peers_table(document));
}

int bench_ring(const BenchArguments& arguments) {
  Json document = new_document("bench ring");
  const auto take = [&](const char* name, std::vector<std::string> words, const char* key) {
    const std::string program = find_program(name);
    if (program.empty()) return fail_bench("ring", fmt::format("{} is not beside this program", name), exit_not_found);
    words.insert(words.begin(), program);
    const Printed printed = run_helper(words);
    // 3: measured, and inconclusive.
    const bool measured = WIFEXITED(printed.status) && (printed.status == 0 || WEXITSTATUS(printed.status) == 3);
    document[key] = Json::parse(printed.out, nullptr, false);
    if (measured && document[key].is_object()) return exit_ok;
    return fail_bench("ring", printed.fault.empty() ? "a program printed no result" : printed.fault, exit_internal);
  };
  const std::string pairs = arguments.quick ? "3" : "21";
  if (const int bad = take("bench_yardsticks", {"--pin", "-o", "json"}, "yardsticks"); bad != exit_ok) return bad;
  if (const int bad = take("bench_link", {"--pairs", pairs, "-o", "json"}, "link"); bad != exit_ok) return bad;
  document["verdict"] = document["link"]["verdict"] == "conclusive" ? "ok" : "inconclusive";
  Table table({"round trip", "p50 ns", "ratio", "p5", "p95"});
  for (const Json& row : document["yardsticks"]["yardsticks"]) {
    table.add_row({row["name"], fmt::format("{:.0f}", row["batch_p50_ns"].get<double>()), "-", "-", "-"});
  }
  for (const Json& row : document["link"]["kinds"]) {
    const auto cell = [&](const char* key) { return fmt::format("{:.3f}", row[key].get<double>()); };
    table.add_row({row["name"], fmt::format("{:.0f}", row["p50_ns"].get<double>()), cell("ratio"), cell("ratio_p5"),
                   cell("ratio_p95")});
  }
  return put_out(arguments, "ring", document,
                 table.text() + "verdict: " + document["verdict"].get<std::string>() + "\n");
}

}  // namespace

void add_bench_command(CLI::App& app, int& exit_status) {
  auto arguments = std::make_shared<BenchArguments>();
  auto* bench_command =
      app.add_subcommand("bench", "Measure our link beside the machine's limits and beside its peers");
  bench_command->require_subcommand(1);
  const auto common = [&](CLI::App* verb) {
    verb->add_option("-o,--output", arguments->format, "table, or json: one document")
        ->check(CLI::IsMember({"table", "json"}))
        ->capture_default_str();
    verb->add_option("--save", arguments->save, "Also write the JSON document to this file")->type_name("FILE");
    verb->add_flag("--quick", arguments->quick, "3 pairs of processes: to see that it works");
  };
  auto* ring =
      bench_command->add_subcommand("ring", "Raw line, Unix socket and futex; then a link's round trips over the line");
  common(ring);
  ring->footer(
      "Both sides spin, each on a processor of its own; a ratio is that of medians over turns of 64 round trips.");
  ring->callback([arguments, &exit_status] { exit_status = bench_ring(*arguments); });
  auto* peers = bench_command->add_subcommand("peers", "Our link against what else a program could take");
  common(peers);
  peers->add_option("--size", arguments->sizes, "Bytes of a message, 8 to 65536 (64 and 1024)")
      ->check(CLI::Range(8, 65536));
  std::vector<std::string> names;
  for (const auto& peer : bench::peers::known_peers) names.emplace_back(peer.name);
  peers->add_option("--peer", arguments->peers, "Only this one; may be given again")->check(CLI::IsMember(names));
  peers->footer(
      "Ours and the peer's turns alternate in one pair of processes, each side on a processor of its own; the ratio "
      "is\n"
      "that of medians over turns, and the median over 15 fresh pairs. Every message is written whole, read whole and\n"
      "checked. Peers that spin meet our link spinning, those that sleep meet it sleeping.");
  peers->callback([arguments, &exit_status] { exit_status = bench_peers(*arguments); });
}

}  // namespace symphony::tools
