// symphony broker run | status | stop | reload: the broker as a daemon of this user, and what one asks of it.
#include <CLI/CLI.hpp>

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <symphony/broker.hpp>
#include <symphony/endpoint.hpp>
#include <symphony/operator.hpp>

#include "tools/symphony/broker_place.hpp"
#include "tools/symphony/commands.hpp"
#include "tools/symphony/exit_status.hpp"
#include "tools/symphony/manifest.hpp"

namespace symphony::tools {
namespace {

struct BrokerArguments {
  BrokerPlace place;
  std::vector<std::string> manifests;
  std::string logs;
  std::string format = "table";
};

// What the manifests say now: at the start, and at each reload. Of a folder, all files in it whose names end in .toml.
PitSet read_pits(const std::vector<std::string>& manifests) {
  std::vector<std::string> files;
  for (const std::string& path : manifests) {
    std::error_code failed;
    if (!std::filesystem::is_directory(path, failed)) {
      files.push_back(path);
      continue;
    }
    std::set<std::string> in_folder;  // in the order of their names
    for (const auto& entry : std::filesystem::directory_iterator(path, failed)) {
      if (entry.path().extension() == ".toml") in_folder.insert(entry.path().string());
    }
    if (failed) return {{}, printable(path) + ": cannot be read: " + failed.message() + "; name a folder of manifests"};
    files.insert(files.end(), in_folder.begin(), in_folder.end());
  }
  PitSet set;
  for (const std::string& path : files) {
    auto pit = read_manifest(path);
    if (!pit) return {{}, pit.error().text};
    set.pits.push_back(*std::move(pit));
  }
  return set;
}

int run(const BrokerArguments& arguments) {
  // The next broker of a daemon is told of its pits; what the manifests say meanwhile is a reload's.
  PitSet set = is_next_broker() ? PitSet{} : read_pits(arguments.manifests);
  if (!set.trouble.empty()) return report_failure("broker run", exit_usage, set.trouble);
  DaemonOptions options;
  options.realm = arguments.place.realm;
  options.socket_path = arguments.place.socket;
  options.pits = std::move(set.pits);
  options.log_folder = arguments.logs.empty() ? default_log_folder(arguments.place) : arguments.logs;
  options.read_pits = [manifests = arguments.manifests] { return read_pits(manifests); };
  options.next = this_program();
  return serve(options);
}

int status(const BrokerArguments& arguments) {
  const TimeNs timeout = arguments.place.timeout_ns();
  const auto failed = [](const error& e) { return report_failure("broker status", exit_status_of(e.code), e.text); };
  auto endpoint = Endpoint::connect(arguments.place.options());
  if (!endpoint) return failed(endpoint.error());
  const auto state = endpoint->status(timeout);
  if (!state) return failed(state.error());
  if (arguments.format == "json") {
    CliJson document = document_of("broker status");
    document["generation"] = state->generation;
    document["pits"] = json_of_pits(state->pits);
    print(document);
    return exit_ok;
  }
  std::fputs((table_of_pits(state->pits) + fmt::format("\nbroker generation {}\n", state->generation)).c_str(), stdout);
  return exit_ok;
}

// One question to the daemon: `fill` puts what is known of a good answer into the document, `text` says it to a person.
template <class Ask, class Fill, class Text>
int ask(const char* verb, const BrokerArguments& arguments, Ask&& question, Fill&& fill, Text&& text) {
  auto broker = Operator::connect(arguments.place.options());
  if (!broker) return report_failure(verb, exit_status_of(broker.error().code), broker.error().text);
  const OperatorAnswer answer = question(*broker, arguments.place.timeout_ns());
  if (!answer.ok()) return report_failure(verb, exit_status_of(answer), answer.text);
  if (arguments.format == "json") {
    CliJson document = document_of(verb);
    fill(document, answer);
    print(document);
  } else {
    std::fputs(text(answer).c_str(), stdout);
  }
  return exit_ok;
}

int stop(const BrokerArguments& arguments) {
  return ask(
      "broker stop", arguments, [](Operator& broker, TimeNs timeout) { return broker.end_broker(timeout); },
      [](CliJson& document, const OperatorAnswer& a) { document["process"] = a.daemon; },
      [](const OperatorAnswer& a) {
        return fmt::format("the broker has ended, its pits too (it was process {})\n", a.daemon);
      });
}

int reload(const BrokerArguments& arguments) {
  return ask(
      "broker reload", arguments, [](Operator& broker, TimeNs timeout) { return broker.reload(timeout); },
      [](CliJson& document, const OperatorAnswer& a) {
        document["added"] = a.added;
        document["removed"] = a.removed;
        document["changed"] = a.changed;
      },
      [](const OperatorAnswer& a) {
        return fmt::format("{} pits added, {} removed, {} changed\n", a.added, a.removed, a.changed);
      });
}

}  // namespace

void add_broker_command(CLI::App& app, int& exit_status) {
  auto arguments = std::make_shared<BrokerArguments>();
  auto* broker = app.add_subcommand("broker", "Start pits and introduce callers to them, as a daemon of this user");
  broker->require_subcommand(1);
  auto* run_verb = broker->add_subcommand("run", "Serve until SIGTERM or SIGINT");
  add_place_options(*run_verb, arguments->place);
  run_verb
      ->add_option("--manifest", arguments->manifests,
                   "A pit to start, described in TOML, or a folder of such files (*.toml); may be given again")
      ->type_name("PATH");
  run_verb
      ->add_option(
          "--logs", arguments->logs,
          "Where the stderr of each pit is kept, as NAME.log; by default in $XDG_STATE_HOME/symphony/REALM, or with "
          "--socket in PATH.logs")
      ->type_name("FOLDER");
  run_verb->footer(std::string(manifest_help()));
  run_verb->callback([arguments, &exit_status] { exit_status = run(*arguments); });

  auto* status_verb = broker->add_subcommand("status", "What the broker knows of its pits");
  const auto talks = [&](CLI::App* verb) {
    add_place_options(*verb, arguments->place);
    add_timeout_option(*verb, arguments->place);
    add_output_option(*verb, arguments->format);
  };
  talks(status_verb);
  status_verb->callback([arguments, &exit_status] { exit_status = status(*arguments); });
  auto* stop_verb = broker->add_subcommand("stop", "End it and its pits in order; returns when all of them are gone");
  talks(stop_verb);
  stop_verb->callback([arguments, &exit_status] { exit_status = stop(*arguments); });
  auto* reload_verb = broker->add_subcommand("reload",
                                             "Read the manifests that it was started with again: new pits are added, "
                                             "those that are gone stopped, changed ones restarted");
  reload_verb->footer(
      "A manifest that is broken changes nothing. A pit that was stopped stays so. The set of files is that of `broker "
      "run`.");
  talks(reload_verb);
  reload_verb->callback([arguments, &exit_status] { exit_status = reload(*arguments); });
}

}  // namespace symphony::tools
