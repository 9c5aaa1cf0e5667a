// symphony bench ring | modes | faults | peers: what a round trip of ours costs beside the machine's limits, what each
// mode of hosting costs, and our link beside its peers.
#include <CLI/CLI.hpp>

#include <fmt/format.h>
#include <sys/wait.h>

#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "bench/peers/known.hpp"
#include "tools/symphony/bench/document.hpp"
#include "tools/symphony/bench/faults.hpp"
#include "tools/symphony/bench/helper.hpp"
#include "tools/symphony/bench/hosting.hpp"
#include "tools/symphony/bench/modes.hpp"
#include "tools/symphony/bench/peers.hpp"
#include "tools/symphony/bench/report.hpp"
#include "tools/symphony/commands.hpp"
#include "tools/symphony/exit_status.hpp"
#include "tools/symphony/programs.hpp"
#include "tools/symphony/progress.hpp"
#include "tools/symphony/table.hpp"

namespace symphony::tools {
namespace {

using Json = BenchJson;

// One program of the ring's document: what it is given, and under which key its document goes.
struct RingPart {
  const char* program;
  const char* key;
  std::vector<std::string> arguments;
  std::vector<std::string> quick_arguments;
};
const std::vector<RingPart>& ring_parts() {
  static const std::vector<RingPart> parts{
      {"bench_yardsticks", "yardsticks", {"--pin"}, {"--pin"}},
      {"bench_link", "link", {}, {"--pairs", "2", "--rounds", "40", "--disturbed", "count"}},
      {"bench_call", "call", {}, {"--pairs", "1", "--rounds", "20", "--disturbed", "count"}},
      {"bench_throughput", "streams", {}, {"--quick"}},
      {"bench_wake", "wake", {}, {"--pairs", "1", "--rounds", "5", "--disturbed", "count"}},
  };
  return parts;
}

// Before anything is measured, not after.
std::string in_a_folder(const std::string& path) {
  const auto folder = std::filesystem::path(path).parent_path();
  std::error_code error;
  if (folder.empty() || std::filesystem::is_directory(folder, error)) return {};
  return "There is no folder " + without_controls(folder.string()) + ": make it first";
}

// The class that a part reports.
const Json& main_class(const Json& part) {
  for (const Json& one : part["classes"]) {
    if (one["main"] == true) return one;
  }
  return part["classes"][0];
}

std::string ring_table(const Json& document) {
  Table table({"", "limit", "ours", "ratio", "p5", "p95", "pairs", "verdict"});
  const auto time = [](double ns) { return duration_text(static_cast<std::int64_t>(ns)); };
  const auto row = [&](std::string name, std::string limit, std::string ours, const Json& ratio, std::size_t pairs,
                       const std::string& verdict) {
    const auto cell = [&](const char* key) { return fmt::format("{:.3f}", ratio[key].get<double>()); };
    table.add_row({std::move(name), std::move(limit), std::move(ours), cell("ratio"), cell("ratio_p5"),
                   cell("ratio_p95"), std::to_string(pairs), verdict});
  };
  for (const Json& one : document["yardsticks"]["yardsticks"]) {
    table.add_row({one["name"], time(one["batch_p50_ns"].get<double>()), "-", "-", "-", "-", "-", "-"});
  }
  const Json& link = document["link"];
  for (const Json& kind : main_class(link)["kinds"]) {
    row(kind["name"], "-", time(kind["p50_ns"].get<double>()), kind, main_class(link)["pairs"].get<std::size_t>(),
        link["verdict"]);
  }
  for (const Json& series : document["call"]["series"]) {
    for (const Json& point : main_class(series)["points"]) {
      row("call " + point["name"].get<std::string>(), time(point["limit_ns"].get<double>()),
          time(point["call_ns"].get<double>()), point, main_class(series)["pairs"].get<std::size_t>(),
          series["verdict"]);
    }
  }
  for (const Json& cell : document["streams"]["cells"]) {
    const Json& streams = main_class(cell)["streams"];
    for (const Json& stream : streams) {
      if (stream["name"] != "channel") continue;
      const auto rate = [](const Json& one) {
        return fmt::format("{:.2f} M/s", one["messages_per_s"].get<double>() / 1e6);
      };
      row(fmt::format("stream {}", cell["size"].get<int>()), rate(streams[0]), rate(stream), stream,
          main_class(cell)["pairs"].get<std::size_t>(), cell["verdict"]);
    }
  }
  for (const Json& place : document["wake"]["places"]) {
    row("wake " + place["name"].get<std::string>(), "-", time(place["kinds"][0]["p50_us"].get<double>() * 1000), place,
        place["pairs"].get<std::size_t>(), place["verdict"]);
  }
  return table.text() +
         "ratio: ours over the limit; below 1 is ahead for times, above 1 for streams (messages a second)\nverdict: " +
         document["verdict"].get<std::string>() + "\n";
}

int bench_ring(const BenchArguments& arguments) {
  Json document = new_bench_document("bench ring");
  document["verdict"] = "ok";
  Progress progress("ring", ring_parts().size());
  for (const RingPart& part : ring_parts()) {
    const std::string program = find_program(part.program);
    if (program.empty()) {
      progress.finish();
      return fail_bench("ring", fmt::format("{} is not beside this program", part.program), exit_not_found);
    }
    std::vector<std::string> words{program, "-o", "json"};
    const auto& more = arguments.quick ? part.quick_arguments : part.arguments;
    words.insert(words.end(), more.begin(), more.end());
    const Printed printed = run_helper(words);
    // 3: measured, and inconclusive.
    const bool measured = WIFEXITED(printed.status) && (printed.status == 0 || WEXITSTATUS(printed.status) == 3);
    document[part.key] = Json::parse(printed.out, nullptr, false);
    if (!measured || !document[part.key].is_object()) {
      progress.finish();
      return fail_bench("ring", printed.fault.empty() ? "a program printed no result" : printed.fault, exit_internal);
    }
    if (printed.status != 0) document["verdict"] = "inconclusive";
    progress.advance();
  }
  progress.finish();
  return put_out(arguments, "ring", document, ring_table(document));
}

}  // namespace

void add_bench_command(CLI::App& app, int& exit_status) {
  auto arguments = std::make_shared<BenchArguments>();
  auto* bench_command = app.add_subcommand(
      "bench",
      "Measure our link beside the machine's limits and its peers, and what each mode of hosting costs and contains");
  bench_command->require_subcommand(1);
  const auto common = [&](CLI::App* verb) {
    verb->add_option("-o,--output", arguments->format, "table, or json: one document")
        ->check(CLI::IsMember({"table", "json"}))
        ->capture_default_str();
    verb->add_option("--save", arguments->save, "Also write the JSON document to this file")
        ->type_name("FILE")
        ->check(in_a_folder);
    verb->add_option("--results", arguments->results,
                     "Also write it into this folder, named by what was measured, machine and commit")
        ->type_name("DIR")
        ->check(CLI::ExistingDirectory);
    verb->add_flag("--quick", arguments->quick, "A few pairs of processes, or turns: to see that it works");
  };
  add_hosting_verb(*bench_command, exit_status);
  add_report_verbs(*bench_command, exit_status);
  auto* ring = bench_command->add_subcommand(
      "ring", "A link's round trips, calls, streams and wake-ups over the limits of each");
  common(ring);
  ring->footer(
      "bench_yardsticks, bench_link, bench_call, bench_throughput and bench_wake, one after the other: about ten "
      "minutes\n"
      "on a quiet machine. A ratio is that of medians over turns of one pair of processes, and the median over at "
      "least\n"
      "15 pairs of one placement class; pairs that others took processor time from are repeated.");
  ring->callback([arguments, &exit_status] { exit_status = bench_ring(*arguments); });
  auto* modes = bench_command->add_subcommand("modes", "A call of one pit in every mode, over a virtual call");
  common(modes);
  modes->footer(
      "bench_modes: the ways take turns, and a figure is the median over the turns of what two of them took in the "
      "same\n"
      "turn. Calls in this process go by the executor's door and are not verified; what that costs is a row of its "
      "own.");
  modes->callback([arguments, &exit_status] { exit_status = bench_modes(*arguments); });
  add_bench_faults_verb(*bench_command, exit_status);
  auto* peers = bench_command->add_subcommand("peers", "Our link against what else a program could take");
  common(peers);
  peers
      ->add_option("--size", arguments->sizes,
                   "Bytes of a message, 8 to 65536; may be given again (64, 1024, 4096 and 65536)")
      ->check(CLI::Range(8, 65536));
  std::vector<std::string> names;
  for (const auto& peer : bench::peers::known_peers) names.emplace_back(peer.name);
  peers->add_option("--peer", arguments->peers, "Only this one; may be given again")->check(CLI::IsMember(names));
  peers->footer(
      "Ours and the peer's turns alternate in one pair of processes, each side on a processor of its own; the ratio "
      "is\n"
      "that of medians over turns, and the median over 15 fresh pairs; of streams, over pairs of one placement class: "
      "up to\n"
      "30 are run, and what the other classes say is printed apart. Pairs that others took processor time from are "
      "repeated,\n"
      "at most 30 of a point. Every message is written whole, read whole and checked. Peers that spin meet our link\n"
      "spinning, those that sleep meet it sleeping.");
  peers->callback([arguments, &exit_status] { exit_status = bench_peers(*arguments); });
}

}  // namespace symphony::tools
