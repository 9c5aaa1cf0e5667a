#include <CLI/CLI.hpp>

#include <memory>
#include <string>

#include "tools/symphony/commands.hpp"
#include "tools/symphony/demo/demo.hpp"

namespace symphony::tools {

void add_demo_command(CLI::App& app, int& exit_status) {
  auto* demo = app.add_subcommand("demo", "Conduct a real dependency graph with one pit, linked in and as a process");
  auto options = std::make_shared<DemoOptions>();
  auto format = std::make_shared<std::string>("table");
  demo->add_option("--graph", options->graph, "File to take the graph from; - is standard input")
      ->default_str("the machine's installed packages, condensed")
      ->type_name("FILE")
      ->check([](const std::string& file) { return std::string(file.empty() ? "It is empty: name a file" : ""); });
  demo->add_flag("--condense", options->condense, "Merge each cycle into one task and go on");
  demo->add_option("--workers", options->workers, "Callers at once in the second pair of runs")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  demo->add_option("--seconds", options->seconds, "Repeat the graph for so long in each of the four runs, ...")
      ->check(CLI::Range(0.05, 3600.0))
      ->capture_default_str();
  demo->add_option("--calls", options->calls, "... or for so many calls, whichever is reached first")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{10'000'000'000}))
      ->capture_default_str();
  demo->add_flag("!--no-kill", options->kill, "Do not kill the pit half-way through the last run");
  demo->add_option("-o,--output", *format, "table, or json: one document")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
  demo->footer(
      "Reads a dependency graph, and runs it twice in each mode: with one worker, then with several.\n"
      "In the last run the pit is killed half-way and started again; nothing may be lost.\n\n" +
      std::string(graph_formats_help()));
  demo->callback([options, format, &exit_status] {
    options->json = *format == "json";
    exit_status = run_demo(*options);
  });
}

}  // namespace symphony::tools
