#include "tools/symphony/bench/report.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <fstream>
#include <memory>
#include <string>

#include "tools/symphony/bench/document.hpp"
#include "tools/symphony/decision/compare.hpp"
#include "tools/symphony/decision/report.hpp"
#include "tools/symphony/exit_status.hpp"

namespace symphony::tools {
namespace {

int refused_result(const char* verb, const ReadFault& fault) {
  return fail_bench(verb, fault.text, fault.is_version ? exit_version : exit_usage);
}

struct ReportArguments {
  std::string result, faults, html, other, format = "table";
  bool term = false, markdown = false;
};

int report_command(const ReportArguments& arguments) {
  HostingResult result;
  if (const ReadFault fault = read_result(arguments.result, result); !fault.ok())
    return refused_result("report", fault);
  int status = exit_ok;
  if (!arguments.faults.empty()) {
    // A matrix that cannot be read costs the matrix, not the report.
    if (const ReadFault fault = read_faults(arguments.faults, result); !fault.ok())
      status = refused_result("report", fault);
  }
  if (!arguments.html.empty()) {
    const std::string page = report_html(result);
    if (page.size() > report_size_max) {
      return fail_bench("report", "the page would be larger than 400 KiB: measure fewer pits in one run", exit_usage);
    }
    std::ofstream file(arguments.html, std::ios::binary);
    file << page;
    if (!file.flush()) return fail_bench("report", arguments.html + ": cannot be written", exit_usage);
    if (!arguments.term && !arguments.markdown) std::printf("%s\n", arguments.html.c_str());
  }
  if (arguments.markdown) std::fputs(report_markdown(result).c_str(), stdout);
  if (arguments.term || (arguments.html.empty() && !arguments.markdown))
    std::fputs(report_term(result).c_str(), stdout);
  return std::fflush(stdout) == 0 ? status : exit_internal;
}

int compare_command(const char* verb, const ReportArguments& arguments, bool gates) {
  HostingResult a, b;
  for (auto [path, into] : {std::pair{&arguments.result, &a}, {&arguments.other, &b}}) {
    if (const ReadFault fault = read_result(*path, *into); !fault.ok()) return refused_result(verb, fault);
  }
  const Comparison comparison = compare_results(a, b);
  if (comparison.compared == 0)
    return fail_bench(verb, "the two have no row in common: measure the same pit in both", exit_usage);
  std::fputs(arguments.format == "json" ? (comparison_json(comparison).dump(1) + "\n").c_str()
                                        : comparison_text(comparison).c_str(),
             stdout);
  if (std::fflush(stdout) != 0) return exit_internal;
  return gates && has_regression(comparison) ? exit_bad : exit_ok;
}

}  // namespace

void add_report_verbs(CLI::App& bench, int& exit_status) {
  auto arguments = std::make_shared<ReportArguments>();
  auto* report = bench.add_subcommand("report", "A measured result as a page, for a terminal or as Markdown");
  report->add_option("result", arguments->result, "What bench hosting --out wrote, or an earlier report")
      ->required()
      ->type_name("RESULT");
  report->add_option("faults", arguments->faults, "What bench faults wrote")->type_name("FAULTS");
  report->add_option("--html", arguments->html, "Write one page that needs no network")->type_name("FILE");
  report->add_flag("--term", arguments->term, "Draw it here (where nothing else is asked for)");
  report->add_flag("--markdown", arguments->markdown, "Tables for a change's description");
  report->callback([arguments, &exit_status] { exit_status = report_command(*arguments); });
  const auto add = [&](const char* name, const char* help, bool gates) {
    auto* verb = bench.add_subcommand(name, help);
    verb->add_option("before", arguments->result, "A result or a report")->required()->type_name("A");
    verb->add_option("after", arguments->other, "Another")->required()->type_name("B");
    verb->add_option("-o,--output", arguments->format, "table, or json: one document")
        ->check(CLI::IsMember({"table", "json"}))
        ->capture_default_str();
    verb->footer(
        "Ratios over the cache line are compared by their rounds: a row changed where 1 is outside the 99.9 % interval "
        "of\nafter over before, and the change is above 3 %.");
    verb->callback([arguments, &exit_status, name, gates] { exit_status = compare_command(name, *arguments, gates); });
  };
  add("compare", "What changed between two results beyond the noise", false);
  add("gate", "The same; exit status 1 where something became worse", true);
}

}  // namespace symphony::tools
