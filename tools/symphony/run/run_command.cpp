#include <CLI/CLI.hpp>

#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include "tools/symphony/commands.hpp"
#include "tools/symphony/exit_status.hpp"
#include "tools/symphony/run/jobserver_bridge.hpp"
#include "tools/symphony/run/ninja_build.hpp"
#include "tools/symphony/run/run_look.hpp"
#include "tools/symphony/run/runner.hpp"
#include "tools/symphony/run/task_file.hpp"

namespace symphony::tools {
namespace {

struct RunArguments {
  std::string graph, ninja, journal, mode = "static", format = "table";
  std::vector<std::string> targets;
  std::uint32_t jobs = 0, keep_going = 1, retries = 0;
  bool resume = false, quiet = false;
  LookOptions look;
};

int say_run(const std::string& text, int exit_status) {
  std::fprintf(stderr, "symphony run: %s\n", text.c_str());
  return exit_status;
}

int run_arguments(const RunArguments& given) {
  if (given.graph.empty() == given.ninja.empty()) {
    return say_run("give either a task file or --ninja BUILDDIR", exit_usage);
  }
  if (!given.targets.empty() && given.ninja.empty()) return say_run("--target needs --ninja", exit_usage);
  const bool only_look = !given.look.explain.empty() || !given.look.export_form.empty();
  if (given.journal.empty() && given.graph == "-" && !only_look) {
    return say_run("a graph from standard input needs --journal FILE", exit_usage);
  }
  auto work = given.ninja.empty() ? read_task_file(given.graph) : read_ninja_build(given.ninja, given.targets);
  if (!work) return say_run(work.error().text, work.error().exit_status());
  for (WorkTask& task : work->tasks) {
    if (task.retries == 0) task.retries = given.retries;
  }
  RunnerOptions options;
  options.journal = given.journal;
  if (options.journal.empty()) {
    options.journal = given.ninja.empty() ? given.graph + ".journal"
                                          : (std::filesystem::path(given.ninja) / ".symphony_run.journal").string();
  }
  options.jobs = given.jobs != 0 ? given.jobs : std::max(1U, std::thread::hardware_concurrency());
  options.failures_max = given.keep_going;
  options.resume = given.resume;
  options.mode = given.mode == "process" ? Mode::process : Mode::static_;
  options.format = given.format == "jsonl" ? RunFormat::jsonl : RunFormat::lines;
  options.quiet = given.quiet;
  return only_look ? look_at_work(*work, options, given.look) : run_work(*work, options);
}

}  // namespace

void add_run_command(CLI::App& app, int& exit_status) {
  auto* run =
      app.add_subcommand("run", "Run a graph of commands with limited resources; changes what the commands change");
  auto given = std::make_shared<RunArguments>();
  run->add_option("GRAPH", given->graph, "Task file, TOML or JSON; - is standard input");
  run->add_option("--ninja", given->ninja, "Build what ninja builds in this folder")->type_name("BUILDDIR");
  run->add_option("--target", given->targets, "With --ninja: only this; may be given more than once")
      ->type_name("NAME");
  run->add_option("-j,--jobs", given->jobs, "Size of the pool cpu, and the most commands at once")
      ->check(CLI::Range(1U, 1024U))
      ->default_str("the processors");
  run->add_option("-k,--keep-going", given->keep_going, "Start nothing new once so many tasks have failed; 0: go on")
      ->check(CLI::Range(0U, 1'000'000U))
      ->capture_default_str();
  run->add_option("--retries", given->retries, "Of tasks that say none themselves")
      ->check(CLI::Range(0U, 100U))
      ->capture_default_str();
  run->add_flag("--resume", given->resume, "Do not run again what the journal has finished with the same command");
  run->add_option("--journal", given->journal, "Where finished tasks are written down")
      ->type_name("FILE")
      ->default_str("GRAPH.journal, or BUILDDIR/.symphony_run.journal");
  run->add_option("--explain", given->look.explain, "Run nothing; say by the journal why this task does not run yet")
      ->type_name("ID");
  run->add_option("--export", given->look.export_form,
                  "Run nothing; write the graph, with what the journal has finished")
      ->check(CLI::IsMember({"dot", "json"}));
  run->add_option("--mode", given->mode, "How the two pits are hosted: static or process")
      ->check(CLI::IsMember({"static", "process"}))
      ->capture_default_str();
  run->add_option("-o,--output", given->format, "table: lines; jsonl: an event a line")
      ->check(CLI::IsMember({"table", "jsonl"}))
      ->capture_default_str();
  run->add_flag("--quiet", given->quiet, "No living line, and of tasks that succeeded only what they wrote");
  run->footer("DagTracker says what is ready, the longest chain first; PoolManager who may start.\n" +
              std::string(task_file_help()) +
              "\nExit status: 0 all succeeded, 1 a task failed, 2 the graph cannot be run, 128+n stopped by a signal.");
  run->callback([given, &exit_status] { exit_status = run_arguments(*given); });
}

void add_jobserver_command(CLI::App& app, int& exit_status) {
  auto* bridge =
      app.add_subcommand("jobserver", "Run make with tokens that are leases: none is lost or made up when a make dies");
  auto options = std::make_shared<JobserverOptions>();
  bridge->add_option("--pool", options->pool, "What the pool is called")->capture_default_str();
  bridge->add_option("-j,--jobs", options->jobs, "Its size")
      ->check(CLI::Range(1U, 1024U))
      ->default_str("make's -j, else the processors");
  bridge->add_flag("--tell", options->tell, "Say the account of the tokens at the end");
  bridge->add_option("COMMAND", options->command, "make and its arguments, behind --")->required();
  bridge->footer(
      "  symphony jobserver --pool cpu -- make -j8 all\n"
      "Every $(MAKE) of a recipe, and gcc -flto=jobserver in a recipe with +, takes part. The exit status is make's.");
  bridge->callback([options, &exit_status] { exit_status = run_jobserver(*options); });
}

}  // namespace symphony::tools
