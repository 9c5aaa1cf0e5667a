#include "tools/symphony/pit_check.hpp"

#include <CLI/CLI.hpp>

#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <string>
#include <system_error>

#include "pits/hosting/process/python.hpp"
#include "tools/pit_check/check.hpp"
#include "tools/symphony/exit_status.hpp"
#include "tools/symphony/graph/input_error.hpp"
#include "tools/symphony/pit_files.hpp"
#include "tools/symphony/programs.hpp"
#include "tools/symphony/table.hpp"

namespace symphony::tools {
namespace {

using pit_check::CaseResult;
using pit_check::ModeResult;
using pit_check::Verdict;

struct CheckArguments {
  std::string file;
  std::string format = "table";
  std::string mode;
  std::string reproduce;
  std::optional<std::uint64_t> seed;
  std::uint32_t time_limit_s = 120;
  bool in_process = false;
};

int refuse(const std::string& text) {
  std::fprintf(stderr, "symphony pit check: %s\n", printable(text, 4096).c_str());
  return exit_usage;
}

std::string again_with(const CheckArguments& arguments, const CaseResult& result) {
  return fmt::format("symphony pit check {} --mode {} --seed {} --reproduce {}", arguments.file, result.mode,
                     *arguments.seed, result.name);
}

void print_case(const CheckArguments& arguments, const CaseResult& result) {
  std::string line = fmt::format("{:<8} {:<8} {}", pit_check::to_string(result.verdict), result.mode, result.name);
  if (!result.text.empty()) line += ": " + printable(result.text, 1'000);
  std::printf("%s\n", line.c_str());
  if (result.verdict == Verdict::failed) {
    std::printf("         again:   %s\n", printable(again_with(arguments, result), 4'096).c_str());
    std::string_view output = result.output;
    while (!output.empty()) {
      const std::size_t end = std::min(output.find('\n'), output.size());
      if (end != 0) std::printf("         | %s\n", printable(output.substr(0, end), 200).c_str());
      output.remove_prefix(std::min(end + 1, output.size()));
    }
  }
  std::fflush(stdout);
}

void print_summary(const pit_check::Report& report) {
  Table table({"mode", "passed", "failed", "skipped", "of"});
  for (const ModeResult& mode : report.modes) {
    if (!mode.missing.empty()) continue;
    table.add_row({mode.mode, count_text(mode.passed), count_text(mode.failed), count_text(mode.skipped),
                   count_text(mode.total())});
  }
  std::printf("\n%s", table.text().c_str());
  for (const ModeResult& mode : report.modes) {
    if (!mode.missing.empty()) std::printf("%s not run: %s\n", mode.mode.c_str(), printable(mode.missing, 500).c_str());
  }
}

void print_json(const CheckArguments& arguments, const pit::PitInfo& info, const pit_check::Report& report) {
  using Document = nlohmann::ordered_json;
  Document document{{"schema", "symphony.cli/1"}, {"command", "pit check"},     {"file", arguments.file},
                    {"pit", info.name},           {"version", info.version},    {"seed", *arguments.seed},
                    {"ok", report.ok()},          {"modes", Document::array()}, {"cases", Document::array()}};
  for (const ModeResult& mode : report.modes) {
    Document one{{"mode", mode.mode}, {"run", mode.missing.empty()}};
    if (!mode.missing.empty()) {
      one["reason"] = mode.missing;
    } else {
      one.update({{"passed", mode.passed}, {"failed", mode.failed}, {"skipped", mode.skipped}, {"of", mode.total()}});
    }
    document["modes"].push_back(std::move(one));
  }
  for (const CaseResult& result : report.cases) {
    Document one{{"mode", result.mode},
                 {"case", result.name},
                 {"verdict", std::string(pit_check::to_string(result.verdict))},
                 {"took_ns", result.took_ns}};
    if (!result.text.empty()) one["text"] = result.text;
    if (!result.output.empty()) one["output"] = result.output;
    if (result.verdict == Verdict::failed) one["again"] = again_with(arguments, result);
    document["cases"].push_back(std::move(one));
  }
  std::printf("%s\n", document.dump(2, ' ', false, Document::error_handler_t::replace).c_str());
}

int check(CheckArguments arguments) {
  if (!arguments.mode.empty() && !pit_check::is_mode(arguments.mode)) {
    return refuse("there is no mode '" + arguments.mode + "': they are static, dynamic, wasm and process");
  }
  if (!arguments.reproduce.empty() && !pit_check::is_case(arguments.reproduce)) {
    return refuse("there is no case '" + arguments.reproduce + "': a run without --reproduce names them");
  }
  pit::PitFile file;
  arguments.file = pit_path(arguments.file);
  if (const pit::Outcome outcome = pit::read_any_pit(arguments.file, file); !outcome.ok()) {
    std::fprintf(stderr, "symphony pit check: %s\n", printable(outcome.text, 4096).c_str());
    return exit_status_of(outcome);
  }
  if (file.notes.size() != 1) {
    std::fprintf(stderr, "symphony pit check: %s holds %zu pits, and the .so of a pit has one: build one .so a pit\n",
                 printable(arguments.file, 4096).c_str(), file.notes.size());
    return exit_bad;
  }
  if (!arguments.seed) arguments.seed = std::random_device{}();

  const bool to_people = arguments.format != "json";
  const pit::PitInfo& info = file.notes[0].info;
  pit_check::CheckOptions options;
  options.programs = {find_program(pit_host_program), find_program("symphony-keeper")};
  options.mode = arguments.mode;
  options.only = arguments.reproduce;
  options.seed = *arguments.seed;
  options.in_process = arguments.in_process;
  options.time_limit_ns = arguments.time_limit_s * second_ns;
  if (to_people) {
    std::printf("%s: pit %s %s, seed %llu\n", printable(arguments.file, 4096).c_str(), info.name.c_str(),
                info.version.c_str(), static_cast<unsigned long long>(*arguments.seed));
    options.on_case = [&](const CaseResult& result) { print_case(arguments, result); };
  }
  const pit_check::Report report = pit_check::check(file, options);
  if (to_people) {
    print_summary(report);
  } else {
    print_json(arguments, info, report);
  }
  if (!report.ran()) {
    for (const ModeResult& mode : report.modes) {
      if (mode.missing.empty()) continue;
      return refuse("nothing was checked; mode " + mode.mode + " cannot be run: " + mode.missing);
    }
    return refuse("nothing was checked: mode " + arguments.mode + " has no case '" + arguments.reproduce + "'");
  }
  return report.ok() ? exit_ok : exit_bad;
}

}  // namespace

void add_pit_check_verb(CLI::App& pit, int& exit_status) {
  auto arguments = std::make_shared<CheckArguments>();
  auto* verb = pit.add_subcommand(
      "check",
      "Run the conformance suite on a pit's file, each case in a process of its own; exit status 1: a case failed");
  verb->add_option("file", arguments->file, "A pit's .so, _wasm.so or .py, or the name of a listed pit")
      ->required()
      ->type_name("FILE");
  verb->add_option(
          "--mode", arguments->mode,
          "Only this one: dynamic, wasm (NAME_wasm.so beside NAME.so) or process; otherwise each in which the file can "
          "be hosted here. static is the code that dynamic loads, and takes a program with the pit linked in")
      ->type_name("MODE");
  verb->add_option("--seed", arguments->seed, "Of everything random; chosen and printed otherwise")->type_name("N");
  verb->add_option("--reproduce", arguments->reproduce,
                   "Only this case (or the cases of a subject: the part before the dot); with --seed, the same again")
      ->type_name("CASE");
  verb->add_option("--time-limit", arguments->time_limit_s, "Of a case, in seconds")
      ->check(CLI::Range(1, 86'400))
      ->type_name("SECONDS")
      ->capture_default_str();
  verb->add_flag("--in-process", arguments->in_process,
                 "No child processes and no time limit: for a debugger. A crash of the pit is one of this command");
  verb->add_option("-o,--output", arguments->format, "table, or json: one document")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
  verb->callback([arguments, &exit_status] { exit_status = check(*arguments); });
}

}  // namespace symphony::tools
