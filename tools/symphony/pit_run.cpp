// symphony pit run: one pit's file behind a broker of its own, in the foreground.
#include "tools/symphony/pit_run.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <filesystem>

#include <symphony/broker.hpp>

#include "tools/symphony/broker_place.hpp"
#include "tools/symphony/exit_status.hpp"
#include "tools/symphony/pit_files.hpp"
#include "tools/symphony/programs.hpp"

namespace symphony::tools {
namespace {

struct PitRunArguments {
  BrokerPlace place;
  std::string file;
  std::string config;
  std::string durability = "none";
  std::string sandbox = "none";
};

int run_failed(int status, const std::string& text) { return report_failure("pit run", status, text); }

int run_pit_command(const PitRunArguments& arguments) {
  std::vector<pit::PitNote> notes;
  const std::string path = pit_path(arguments.file);
  // The next broker of a daemon is told of its pit.
  DaemonOptions options;
  options.realm = arguments.place.realm;
  options.socket_path = arguments.place.socket;
  options.log_folder = default_log_folder(arguments.place);
  options.next = this_program();
  if (!is_next_broker()) {
    if (const pit::Outcome read = read_notes_in(path, notes); !read.ok())
      return run_failed(exit_status_of(read), read.text);
    if (notes.size() != 1) return run_failed(exit_bad, path + " holds several pits: name the .so of one");
    PitConfig& config = options.pits.emplace_back();
    config.name = notes[0].info.name;
    config.executable = find_program(pit_host_program);
    if (config.executable.empty())
      return run_failed(exit_usage, "symphony-pit-host is not beside this program: install it whole");
    std::error_code ignored;
    config.args = {std::filesystem::absolute(path, ignored).string()};
    config.config = arguments.config;
    config.state.durability = *durability_of(arguments.durability);
    config.sandbox.profile = *sandbox_profile_of(arguments.sandbox);
    if (pit::is_python_pit(path) && arguments.sandbox != pit::python_sandbox)
      return run_failed(exit_usage, "a pit in Python cannot be confined: leave out --sandbox");
    if (!notes[0].info.needs.empty())
      return run_failed(exit_usage, path + ": it calls other pits: write manifests, for symphony broker run");
  }
  return serve(options);
}

}  // namespace

void add_pit_run_verb(CLI::App& pit, int& exit_status) {
  auto arguments = std::make_shared<PitRunArguments>();
  auto* verb = pit.add_subcommand(
      "run", "Run a pit's file as a process behind a broker of its own, until SIGTERM or Ctrl-C; for trying one out");
  verb->add_option("file", arguments->file, "A pit's .so or .py, or the name of a listed pit")
      ->required()
      ->type_name("FILE");
  add_place_options(*verb, arguments->place);
  verb->add_option("--config", arguments->config, "For the pit: a text, JSON by custom")->type_name("TEXT");
  verb->add_option("--durability", arguments->durability, "What of its state outlives it: none, snapshot, journal")
      ->check(CLI::IsMember({"none", "snapshot", "journal"}))
      ->capture_default_str();
  verb->add_option("--sandbox", arguments->sandbox, "How it is confined: none, ring, heap, threads")
      ->check(CLI::IsMember({"none", "ring", "heap", "threads"}))
      ->capture_default_str();
  verb->footer(
      "Callers find it by the name that its file says, at this realm or socket. It is trusted not to mean harm, unless "
      "--sandbox says otherwise. Several pits, or limits: symphony broker run with manifests.");
  verb->callback([arguments, &exit_status] { exit_status = run_pit_command(*arguments); });
}

}  // namespace symphony::tools
