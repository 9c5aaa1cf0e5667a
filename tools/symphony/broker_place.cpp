#include "tools/symphony/broker_place.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "tools/symphony/graph/input_error.hpp"
#include "tools/symphony/suggestion.hpp"
#include "tools/symphony/table.hpp"

namespace symphony::tools {

void add_place_options(CLI::App& verb, BrokerPlace& place) {
  verb.add_option("--realm", place.realm, "Which broker of this user")->capture_default_str();
  verb.add_option("--socket", place.socket, "Path of its socket, instead of the realm's")->type_name("PATH");
}

void add_timeout_option(CLI::App& verb, BrokerPlace& place) {
  verb.add_option("--timeout", place.timeout_s, "Seconds to wait for the broker")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
}

void add_output_option(CLI::App& verb, std::string& format) {
  verb.add_option("-o,--output", format, "table, or json: one document")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
}

std::string default_log_folder(const BrokerPlace& place) {
  if (!place.socket.empty()) return place.socket + ".logs";
  const char* state = std::getenv("XDG_STATE_HOME");
  const char* home = std::getenv("HOME");
  std::string base;
  if (state != nullptr && state[0] == '/') {
    base = state;
  } else if (home != nullptr && home[0] == '/') {
    base = std::string(home) + "/.local/state";
  } else {
    return {};
  }
  return base + "/symphony/" + place.realm;
}

int serve(const DaemonOptions& options) {
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

int report_failure(std::string_view verb, int exit_status, std::string_view text) {
  std::fprintf(stderr, "symphony %s: %s\n", std::string(verb).c_str(), printable(text, 4096).c_str());
  return exit_status;
}

void print(const CliJson& document) {
  std::fputs((document.dump(2, ' ', false, CliJson::error_handler_t::replace) + "\n").c_str(), stdout);
}

CliJson document_of(std::string_view command) { return {{"schema", "symphony.cli/1"}, {"command", command}}; }

CliJson json_of_pits(const std::vector<PitInfo>& pits) {
  CliJson all = CliJson::array();
  for (const PitInfo& pit : pits) {
    all.push_back(
        {{"name", pit.name}, {"state", pit.state}, {"pid", pit.pid}, {"instance", pit.instance}, {"links", pit.links}});
  }
  return all;
}

std::string table_of_pits(const std::vector<PitInfo>& pits) {
  Table table({"pit", "state", "pid", "instance", "links"});
  for (const PitInfo& pit : pits) {
    table.add_row({pit.name, pit.state, pit.pid == 0 ? "-" : std::to_string(pit.pid), std::to_string(pit.instance),
                   std::to_string(pit.links)});
  }
  return table.text();
}

int exit_status_of(const OperatorAnswer& answer) noexcept {
  if (answer.ok()) return exit_ok;
  switch (answer.code) {
    case errc::closed:
    case errc::quarantined:
      return exit_bad;
    case errc::busy:
      return exit_refused;
    default:
      return exit_status_of(answer.code);
  }
}

int report_open_failure(std::string_view verb, const error& e, const BrokerPlace& place, std::string_view pit) {
  const bool is_unknown = e.code == errc::not_found;
  const bool is_away = e.code == errc::quarantined || e.code == errc::closed;
  return report_failure(verb, is_away ? exit_bad : exit_status_of(e.code),
                        is_unknown ? with_suggestion(e.text, place, pit) : e.text);
}

std::string with_suggestion(const std::string& text, const BrokerPlace& place, std::string_view pit) {
  auto endpoint = Endpoint::connect(place.options());
  if (!endpoint) return text;
  const auto state = endpoint->status(place.timeout_ns());
  if (!state || state->pits.empty()) return text;
  std::vector<std::string> names;
  for (const PitInfo& known : state->pits) names.push_back(known.name);
  return text + "; did you mean '" + std::string(nearest_to(pit, names)) + "'?";
}

}  // namespace symphony::tools
