// symphony advise: requirements and this machine's figures in, a way of hosting with reasons out.
#include "tools/symphony/decision/advice.hpp"

#include <CLI/CLI.hpp>

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>

#include "tools/symphony/bench/hosting.hpp"
#include "tools/symphony/commands.hpp"
#include "tools/symphony/decision/verdict.hpp"
#include "tools/symphony/exit_status.hpp"
#include "tools/symphony/table.hpp"

namespace symphony::tools {
namespace {

struct AdviseArguments {
  Requirements wanted;
  std::string result, faults, pit, format = "table";
  double p99_us = 0, swap_ms = 0, fail_over_ms = 0;
  bool measure = false, asks = false;
};

int fail_advice(const std::string& why, int status) {
  std::fprintf(stderr, "symphony advise: %s\n", without_controls(why).c_str());
  return status;
}

// Where a result is kept for the next time; empty: there is no home.
std::string kept_result() {
  const char* state = std::getenv("XDG_STATE_HOME");
  const char* home = std::getenv("HOME");
  if (state != nullptr && *state == '/') return std::string(state) + "/symphony/hosting.json";
  return home != nullptr && *home == '/' ? std::string(home) + "/.local/state/symphony/hosting.json" : "";
}

bool yes(std::string_view question) {
  std::fprintf(stderr, "%.*s [y/N] ", static_cast<int>(question.size()), question.data());
  std::string line;
  return std::getline(std::cin, line) && !line.empty() && (line[0] == 'y' || line[0] == 'Y');
}

// The checklist on a terminal.
void ask(AdviseArguments& arguments) {
  for (const ChecklistLine& line : checklist) {
    if (line.flag == "--untrusted") arguments.wanted.untrusted = yes(line.question);
    if (line.flag == "--crash-tolerant") arguments.wanted.crash_tolerant = yes(line.question);
    if (line.flag == "--frequent-changes") arguments.wanted.frequent_changes = yes(line.question);
    if (line.flag == "--simple") arguments.wanted.simple = yes(line.question);
    if (line.flag == "--other-host") arguments.wanted.other_host = yes(line.question);
    if (line.flag == "--p99" && yes("Do you need sub-microsecond responses?")) arguments.p99_us = 1;
  }
}

// A quick run, kept for the next time.
int measure(const std::string& to) {
  std::error_code failed;
  std::filesystem::create_directories(std::filesystem::path(to).parent_path(), failed);
  HostingArguments hosting;
  hosting.common.quick = true;
  hosting.common.save = to;
  hosting.to_stderr = true;
  const int status = bench_hosting(hosting);
  return status == exit_bad ? exit_ok : status;  // a way that failed is one way less
}

int advise_command(AdviseArguments& arguments) {
  const bool is_person = ::isatty(STDIN_FILENO) == 1 && ::isatty(STDERR_FILENO) == 1;
  if (arguments.asks && !is_person) return fail_advice("--ask needs a terminal: give the answers as flags", exit_usage);
  if (arguments.asks) ask(arguments);
  if (arguments.p99_us > 0) arguments.wanted.p99_ns = arguments.p99_us * 1e3;
  if (arguments.swap_ms > 0) arguments.wanted.swap_pause_ms = arguments.swap_ms;
  if (arguments.fail_over_ms > 0) arguments.wanted.fail_over_ms = arguments.fail_over_ms;
  std::string path = arguments.result;
  if (path.empty()) {
    path = kept_result();
    if (path.empty()) return fail_advice("there is no home to keep a result in: name one with --result", exit_usage);
    std::error_code none;
    bool measures = arguments.measure;
    if (!measures && !std::filesystem::exists(path, none)) {
      measures = is_person && yes("Nothing was measured on this machine yet. Measure now, in about a minute?");
      if (!measures)
        return fail_advice("nothing was measured on this machine: --measure (about a minute), or --result FILE",
                           exit_not_found);
    }
    if (measures) {
      if (const int failed = measure(path); failed != exit_ok) return failed;
    }
  }
  HostingResult result;
  if (const ReadFault fault = read_result(path, result); !fault.ok())
    return fail_advice(fault.text, fault.is_version ? exit_version : exit_usage);
  if (!arguments.faults.empty()) {
    if (const ReadFault fault = read_faults(arguments.faults, result); !fault.ok())
      return fail_advice(fault.text, fault.is_version ? exit_version : exit_usage);
  }
  const auto pit =
      std::find_if(result.pits.begin(), result.pits.end(), [&](const PitResult& p) { return p.pit == arguments.pit; });
  if (!arguments.pit.empty() && pit == result.pits.end()) {
    std::string have;
    for (const PitResult& one : result.pits) have += (have.empty() ? "" : ", ") + one.pit;
    return fail_advice("the result has no pit '" + arguments.pit + "': it has " + have, exit_not_found);
  }
  const PitResult& subject = arguments.pit.empty() ? main_pit(result) : *pit;
  const Advice advice = advise(result, subject, arguments.wanted);
  std::fputs(
      arguments.format == "json"
          ? (advice_json(result, subject, advice).dump(1, ' ', true, ResultJson::error_handler_t::replace) + "\n")
                .c_str()
          : advice_text(result, subject, advice).c_str(),
      stdout);
  if (std::fflush(stdout) != 0) return exit_internal;
  return advice.mode == nullptr ? exit_bad : exit_ok;
}

}  // namespace

void add_advise_command(CLI::App& app, int& exit_status) {
  auto arguments = std::make_shared<AdviseArguments>();
  auto* verb = app.add_subcommand("advise", "Which way of hosting, by what you need and what this machine measured");
  const auto help = [](std::string_view flag) {
    const auto line =
        std::find_if(checklist.begin(), checklist.end(), [&](const ChecklistLine& l) { return l.flag == flag; });
    return std::string(line->question);
  };
  verb->add_flag("--untrusted", arguments->wanted.untrusted, help("--untrusted"));
  verb->add_flag("--crash-tolerant", arguments->wanted.crash_tolerant, help("--crash-tolerant"));
  verb->add_flag("--frequent-changes", arguments->wanted.frequent_changes, help("--frequent-changes"));
  verb->add_flag("--simple", arguments->wanted.simple, help("--simple"));
  verb->add_flag("--other-host", arguments->wanted.other_host, help("--other-host"));
  verb->add_option("--p99", arguments->p99_us, help("--p99") + ", in microseconds")
      ->check(CLI::PositiveNumber)
      ->type_name("US");
  verb->add_option("--swap-pause", arguments->swap_ms, help("--swap-pause"))
      ->check(CLI::PositiveNumber)
      ->type_name("MS");
  verb->add_option("--fail-over", arguments->fail_over_ms, help("--fail-over"))
      ->check(CLI::PositiveNumber)
      ->type_name("MS");
  verb->add_option("--state", arguments->wanted.state_bytes, "How large its state will be, in bytes (as measured)")
      ->check(CLI::NonNegativeNumber)
      ->type_name("BYTES");
  verb->add_option("--language", arguments->wanted.language, help("--language"))
      ->check(CLI::IsMember({"c++", "c", "python", "other"}))
      ->capture_default_str();
  verb->add_flag("--ask", arguments->asks, "Ask the questions on the terminal");
  verb->add_option("--pit", arguments->pit, "Of the result's pits this one (the last)")->type_name("NAME");
  verb->add_option("--result", arguments->result, "What bench hosting --out wrote, or a report (the last of --measure)")
      ->type_name("FILE");
  verb->add_option("--faults", arguments->faults, "What bench faults wrote")->type_name("FILE");
  verb->add_flag("--measure", arguments->measure, "Measure first, in about a minute, and keep that for the next time");
  verb->add_option("-o,--output", arguments->format, "table, or json: one document")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
  verb->footer("Each answer takes ways away; of the rest the fastest is advised. Exit status 1: none is left.");
  verb->callback([arguments, &exit_status] { exit_status = advise_command(*arguments); });
}

}  // namespace symphony::tools
