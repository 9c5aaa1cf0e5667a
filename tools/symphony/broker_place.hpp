// What the verbs that talk to a broker share: where it is, how to say what came of it.   Layer: tools.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include <symphony/broker.hpp>
#include <symphony/endpoint.hpp>
#include <symphony/operator.hpp>

#include "tools/symphony/exit_status.hpp"

namespace CLI {
class App;
}

namespace symphony::tools {

using CliJson = nlohmann::ordered_json;

struct BrokerPlace {
  std::string realm = "default";
  std::string socket{};  // instead of the realm's
  double timeout_s = 5;

  [[nodiscard]] TimeNs timeout_ns() const noexcept {
    return static_cast<TimeNs>(timeout_s * static_cast<double>(second_ns));
  }
  [[nodiscard]] ConnectOptions options() const { return {.realm = realm, .path = socket, .timeout_ns = timeout_ns()}; }
};

// --realm and --socket; --timeout; -o. `place` and `format` live as long as the application.
void add_place_options(CLI::App& verb, BrokerPlace& place);
void add_timeout_option(CLI::App& verb, BrokerPlace& place);
void add_output_option(CLI::App& verb, std::string& format);

// Where `broker run` keeps logs when it is not told: $XDG_STATE_HOME/symphony/REALM, by default below ~/.local/state;
// with a socket of its own, beside that. Empty: nowhere (no home).
[[nodiscard]] std::string default_log_folder(const BrokerPlace& place);

// Runs the daemon until it is told to end; its status in the words of this command's table.
int serve(const DaemonOptions& options);

// One line to stderr; `exit_status`.
int report_failure(std::string_view verb, int exit_status, std::string_view text);
void print(const CliJson& document);
// {"schema": ..., "command": ...}
[[nodiscard]] CliJson document_of(std::string_view command);
[[nodiscard]] CliJson json_of_pits(const std::vector<PitInfo>& pits);
[[nodiscard]] std::string table_of_pits(const std::vector<PitInfo>& pits);

// 1: the pit is not as it was asked to be; else as for an error of the library.
[[nodiscard]] int exit_status_of(const OperatorAnswer& answer) noexcept;

// One line to stderr for a link that could not be opened; its exit status. 1: the pit is stopped or quarantined.
int report_open_failure(std::string_view verb, const error& e, const BrokerPlace& place, std::string_view pit);

// `text`, with the name that was probably meant.
[[nodiscard]] std::string with_suggestion(const std::string& text, const BrokerPlace& place, std::string_view pit);

}  // namespace symphony::tools
