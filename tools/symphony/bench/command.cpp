// symphony bench ring | peers: what a round trip of ours costs beside the machine's limits, and beside its peers.
#include <CLI/CLI.hpp>

#include <fmt/format.h>
#include <sys/wait.h>

#include <memory>
#include <string>
#include <vector>

#include "bench/peers/known.hpp"
#include "tools/symphony/bench/document.hpp"
#include "tools/symphony/bench/helper.hpp"
#include "tools/symphony/bench/peers.hpp"
#include "tools/symphony/commands.hpp"
#include "tools/symphony/exit_status.hpp"
#include "tools/symphony/programs.hpp"
#include "tools/symphony/table.hpp"

namespace symphony::tools {
namespace {

using Json = BenchJson;

int bench_ring(const BenchArguments& arguments) {
  Json document = new_bench_document("bench ring");
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
