#include "tools/symphony/bench/faults.hpp"

#include <CLI/CLI.hpp>

#include <fmt/format.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <symphony/clock.hpp>

#include "bench/support/figure.hpp"
#include "tools/symphony/bench/document.hpp"
#include "tools/symphony/bench/helper.hpp"
#include "tools/symphony/exit_status.hpp"
#include "tools/symphony/programs.hpp"
#include "tools/symphony/progress.hpp"
#include "tools/symphony/table.hpp"

namespace symphony::tools {
namespace {

struct FaultArguments : BenchArguments {
  std::vector<std::string> modes;
  std::vector<std::string> faults;
};

// "process+ring", as the command line names it.
std::string name_of_mode(const BenchJson& mode) {
  const std::string name = mode["mode"];
  return mode["profile"].is_null() ? name : name + "+" + mode["profile"].get<std::string>();
}

std::string cell_text(const BenchJson& cell) {
  const std::string what = cell["class"];
  if (what == "contained") {
    return duration_text(static_cast<std::int64_t>(cell["service_back_ms"].get<double>() * static_cast<double>(ms_ns)));
  }
  static const std::map<std::string, std::string> words{
      {"pit_lost", "pit"}, {"host_lost", "HOST"}, {"machine_hurt", "MACHINE"}, {"not_run", "-"}};
  return words.at(what);
}

std::string faults_table(const BenchJson& document) {
  std::vector<std::string> heads{"fault"};
  std::map<std::string, std::vector<std::string>> rows;
  std::string why_not;
  for (const BenchJson& mode : document["modes"]) {
    heads.push_back(name_of_mode(mode));
    for (const BenchJson& cell : mode["cells"]) {
      rows[cell["fault"]].push_back(cell_text(cell));
      if (!cell["not_run"].is_null()) {
        why_not += fmt::format("{} in {}: {}\n", cell["fault"].get<std::string>(), heads.back(),
                               without_controls(cell["not_run"].get<std::string>()));
      }
    }
  }
  Table table(heads);
  for (const BenchJson& fault : document["faults"]) {
    const auto found = rows.find(fault["name"]);
    if (found == rows.end()) continue;
    std::vector<std::string> cells{found->first};
    cells.insert(cells.end(), found->second.begin(), found->second.end());
    table.add_row(cells);
  }
  std::vector<std::string> scores{"contained"};
  for (const BenchJson& mode : document["modes"])
    scores.push_back(fmt::format("{}/{}", mode["contained"].get<int>(), mode["faults"].get<int>()));
  table.add_row(scores);
  return table.text() +
         "a time: contained, and the pit served again after that; pit: it did not; HOST: the program that hosts was "
         "lost;\nMACHINE: others were reached; -: not run, and not counted\n" +
         why_not;
}

// Of a whole matrix alone, so that a figure is always of all faults.
bool write_scores(const BenchJson& document, double seconds) {
  for (const BenchJson& mode : document["modes"]) {
    if (mode["faults"].get<int>() == 0) continue;
    bench::Figure figure;
    std::string name = name_of_mode(mode);
    std::replace(name.begin(), name.end(), '+', '_');
    figure.name = "faults.contained." + name;
    figure.value = mode["contained"].get<double>();
    figure.of = mode["faults"].get<double>();
    figure.unit = "faults";
    figure.n = mode["faults"].get<std::uint64_t>();
    figure.seconds = seconds;
    figure.note = fmt::format("each run in a cell of its own; {} not run", mode["not_run"].get<int>());
    if (const auto written = bench::write_figure(figure); !written) {
      std::fprintf(stderr, "symphony bench faults: %s\n", written.error().text);
      return false;
    }
  }
  return true;
}

// Those of `all` that were asked for; all where none was.
std::vector<std::string> chosen(const std::vector<std::string>& asked, const std::vector<std::string>& all) {
  if (asked.empty()) return all;
  std::vector<std::string> out;
  for (const std::string& one : all) {
    if (std::find(asked.begin(), asked.end(), one) != asked.end()) out.push_back(one);
  }
  return out;
}

// The first of `asked` that is not among `all`; empty: there is none.
std::string unknown_among(const std::vector<std::string>& asked, const std::vector<std::string>& all) {
  for (const std::string& one : asked) {
    if (std::find(all.begin(), all.end(), one) == all.end()) return one;
  }
  return {};
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out.append(out.empty() ? "" : ", ").append(name);
  return out;
}

int bench_faults(const FaultArguments& arguments) {
  const std::string program = find_program("bench_faults");
  if (program.empty()) return fail_bench("faults", "bench_faults is not beside this program", exit_not_found);
  const BenchJson list = BenchJson::parse(run_helper({program, "--list"}).out, nullptr, false);
  if (!list.is_object()) return fail_bench("faults", "bench_faults names no cells", exit_internal);
  std::vector<std::string> all_faults;
  for (const BenchJson& fault : list["faults"]) all_faults.push_back(fault["name"]);
  const std::vector<std::string> all_modes = list["modes"];
  if (const std::string name = unknown_among(arguments.modes, all_modes); !name.empty())
    return fail_bench("faults", name + " is no mode; they are " + joined(all_modes), exit_usage);
  if (const std::string name = unknown_among(arguments.faults, all_faults); !name.empty())
    return fail_bench("faults", name + " is no fault; they are " + joined(all_faults), exit_usage);
  const auto modes = chosen(arguments.modes, all_modes), faults = chosen(arguments.faults, all_faults);

  BenchJson document{{"format", "symphony-faults"}, {"version", 1}};
  document.update(new_bench_document("bench faults"));
  document["machine"] = document["host"];
  document["build"] = list["build"];
  document["compiler"] = list["compiler"];
  document["faults"] = list["faults"];
  document["modes"] = BenchJson::array();
  Progress progress("faults", modes.size() * faults.size());
  const TimeNs begun = now_ns();
  std::vector<std::string> broken;
  std::string why_not;
  int ran = 0;
  for (const std::string& mode : modes) {
    BenchJson row{{"mode", nullptr}, {"profile", nullptr}, {"trust", nullptr},           {"contained", 0},
                  {"faults", 0},     {"not_run", 0},       {"cells", BenchJson::array()}};
    for (const std::string& fault : faults) {
      const Printed printed = run_helper({program, "--mode", mode, "--fault", fault, "--keep-promises", "yes"});
      BenchJson cell = BenchJson::parse(printed.out, nullptr, false);
      // 1: it was run, and broke a promise.
      if (!cell.is_object() || !WIFEXITED(printed.status) || WEXITSTATUS(printed.status) > 1) {
        progress.finish();
        return fail_bench("faults", printed.fault.empty() ? "bench_faults printed no cell" : printed.fault,
                          exit_internal);
      }
      row["mode"] = cell["mode"];
      row["profile"] = cell["profile"];
      row["trust"] = cell["trust"];
      for (const char* key : {"mode", "profile", "trust"}) cell.erase(key);
      const bool is_run = cell["class"] != "not_run";
      row[is_run ? "faults" : "not_run"] = row[is_run ? "faults" : "not_run"].get<int>() + 1;
      if (cell["class"] == "contained") row["contained"] = row["contained"].get<int>() + 1;
      if (!is_run) why_not = cell["not_run"];
      if (is_run && printed.status != 0) broken.push_back(printed.last_line);
      ran += is_run ? 1 : 0;
      row["cells"].push_back(std::move(cell));
      progress.advance();
    }
    document["modes"].push_back(std::move(row));
  }
  progress.finish();
  const double seconds = static_cast<double>(now_ns() - begun) / static_cast<double>(second_ns);
  document["seconds"] = seconds;
  const bool is_whole = modes == all_modes && faults == all_faults;
  if (is_whole && !write_scores(document, seconds)) return exit_internal;
  if (const int put = put_out(arguments, "faults", document, faults_table(document)); put != exit_ok) return put;
  for (const std::string& line : broken) (void)fail_bench("faults", line, exit_bad);
  if (!broken.empty()) return exit_bad;
  return ran != 0 ? exit_ok : fail_bench("faults", "no cell could be run: " + why_not, exit_refused);
}

}  // namespace

void add_bench_faults_verb(CLI::App& bench, int& exit_status) {
  auto arguments = std::make_shared<FaultArguments>();
  auto* verb =
      bench.add_subcommand("faults", "What each mode of hosting contains of twenty faults, each really committed");
  verb->add_option("-o,--output", arguments->format, "table, or json: one document (bench/faults/README.md)")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
  verb->add_option("--save", arguments->save, "Also write the JSON document to this file")->type_name("FILE");
  verb->add_option("--results", arguments->results,
                   "Also write it into this folder, named by what was measured, machine and commit")
      ->type_name("DIR")
      ->check(CLI::ExistingDirectory);
  verb->add_option("--mode", arguments->modes,
                   "Only this one: static, dynamic, wasm, process, process+threads, process+heap, process+ring; may be "
                   "given again")
      ->type_name("MODE");
  verb->add_option("--fault", arguments->faults, "Only this one, as null_write; may be given again")
      ->type_name("FAULT");
  verb->footer(
      "Each cell is a host with the faulty pit and an honest one, in namespaces of its own with limits, thrown away "
      "afterwards:\n"
      "about two minutes for all of them. Exit status 1: a fault that the documents promise to be contained was not; "
      "6: this\n"
      "machine gives no namespaces to make cells of.");
  verb->callback([arguments, &exit_status] { exit_status = bench_faults(*arguments); });
}

}  // namespace symphony::tools
