// symphony broker run | status: the broker as a daemon of this user, and a look at it.
#include <CLI/CLI.hpp>

#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include <symphony/broker.hpp>
#include <symphony/endpoint.hpp>

#include "tools/symphony/commands.hpp"
#include "tools/symphony/exit_status.hpp"
#include "tools/symphony/manifest.hpp"
#include "tools/symphony/table.hpp"

namespace symphony::tools {
namespace {

struct BrokerArguments {
  std::string realm = "default";
  std::string socket;
  std::vector<std::string> manifests;
  std::string format = "table";
  double timeout_s = 5;
};

int run(const BrokerArguments& arguments) {
  DaemonOptions options;
  options.realm = arguments.realm;
  options.socket_path = arguments.socket;
  for (const std::string& path : arguments.manifests) {
    auto pit = read_manifest(path);
    if (!pit) {
      std::fprintf(stderr, "symphony broker run: %s\n", pit.error().text.c_str());
      return exit_usage;
    }
    options.pits.push_back(*std::move(pit));
  }
  // The daemon's statuses in the words of this command's table.
  switch (const int ended = run_daemon(options)) {
    case 64:
      return exit_usage;
    case 69:
      return exit_refused;
    case 71:
      return exit_internal;
    default:
      return ended;
  }
}

int status(const BrokerArguments& arguments) {
  const auto timeout = static_cast<TimeNs>(arguments.timeout_s * static_cast<double>(second_ns));
  const auto fail = [](const error& e) {
    std::fprintf(stderr, "symphony broker status: %s\n", e.text);
    return exit_status_of(e.code);
  };
  auto endpoint = Endpoint::connect({.realm = arguments.realm, .path = arguments.socket, .timeout_ns = timeout});
  if (!endpoint) return fail(endpoint.error());
  const auto state = endpoint->status(timeout);
  if (!state) return fail(state.error());
  if (arguments.format == "json") {
    nlohmann::ordered_json doc{{"schema", "symphony.cli/1"},
                               {"command", "broker status"},
                               {"generation", state->generation},
                               {"pits", nlohmann::ordered_json::array()}};
    for (const PitInfo& pit : state->pits) {
      doc["pits"].push_back({{"name", pit.name},
                             {"state", pit.state},
                             {"pid", pit.pid},
                             {"instance", pit.instance},
                             {"links", pit.links}});
    }
    std::fputs((doc.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n").c_str(), stdout);
    return exit_ok;
  }
  Table table({"pit", "state", "pid", "instance", "links"});
  for (const PitInfo& pit : state->pits) {
    table.add_row({pit.name, pit.state, pit.pid == 0 ? "-" : std::to_string(pit.pid), std::to_string(pit.instance),
                   std::to_string(pit.links)});
  }
  std::fputs((table.text() + fmt::format("\nbroker generation {}\n", state->generation)).c_str(), stdout);
  return exit_ok;
}

}  // namespace

void add_broker_command(CLI::App& app, int& exit_status) {
  auto arguments = std::make_shared<BrokerArguments>();
  auto* broker = app.add_subcommand("broker", "Start pits and introduce callers to them, as a daemon of this user");
  broker->require_subcommand(1);
  const auto place = [&](CLI::App* verb) {
    verb->add_option("--realm", arguments->realm, "Which broker of this user")->capture_default_str();
    verb->add_option("--socket", arguments->socket, "Path of its socket, instead of the realm's")->type_name("PATH");
  };
  auto* run_verb = broker->add_subcommand("run", "Serve until SIGTERM or SIGINT");
  place(run_verb);
  run_verb->add_option("--manifest", arguments->manifests, "A pit to start, described in TOML; may be given again")
      ->type_name("FILE");
  run_verb->footer(std::string(manifest_help()));
  run_verb->callback([arguments, &exit_status] { exit_status = run(*arguments); });

  auto* status_verb = broker->add_subcommand("status", "What the broker knows of its pits");
  place(status_verb);
  status_verb->add_option("--timeout", arguments->timeout_s, "Seconds to wait for the broker")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  status_verb->add_option("-o,--output", arguments->format, "table, or json: one document")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
  status_verb->callback([arguments, &exit_status] { exit_status = status(*arguments); });
}

}  // namespace symphony::tools
