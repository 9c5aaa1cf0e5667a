// symphony call: one message to a pit and its reply, as JSON, without a program and without generated code.
#include <CLI/CLI.hpp>

#include <cstdio>
#include <iostream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include <symphony/endpoint.hpp>
#include <symphony/type_id.hpp>

#include "tools/symphony/broker_place.hpp"
#include "tools/symphony/commands.hpp"
#include "tools/symphony/schema_messages.hpp"

namespace symphony::tools {
namespace {

struct CallArguments {
  BrokerPlace place{.timeout_s = 30};
  std::string pit;
  std::string method;
  std::string message = "{}";
  std::vector<std::string> schemas;
  std::vector<std::string> folders;
  std::string format = "table";
};

int call(const CallArguments& arguments) {
  const auto wrong = [](const InputError& e) { return report_failure("call", e.exit_status(), e.text); };
  auto messages = SchemaMessages::read(arguments.schemas, arguments.folders);
  if (!messages) return wrong(messages.error());
  const auto method = messages->table_named(arguments.method);
  if (!method) return wrong(method.error());
  std::string json = arguments.message;
  if (json == "-") json.assign(std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>());
  const auto request = messages->to_bytes(*method, json);
  if (!request) return wrong(request.error());

  const TimeNs deadline = deadline_after(arguments.place.timeout_ns());
  auto endpoint = Endpoint::connect(arguments.place.options());
  if (!endpoint) return report_failure("call", exit_status_of(endpoint.error().code), endpoint.error().text);
  auto link = endpoint->open(arguments.pit, {.waiting = symphony::Waiting::sleep}, deadline - now_ns());
  if (!link) return report_open_failure("call", link.error(), arguments.place, arguments.pit);
  const Reply reply = link->call(type_id(*method), *request, {.deadline_ns = deadline});
  if (!reply.ok()) {
    const std::string name = reply.status > 0 ? "status " + std::to_string(reply.status) : status_name(reply.status);
    return report_failure("call", exit_status_of_ending(reply.status),
                          name + (reply.text.empty() ? std::string() : ": " + std::string(reply.text)));
  }
  const std::string table = reply.body.empty() ? std::string() : messages->table_of(reply.type);
  if (table.empty() && !reply.body.empty()) {
    return report_failure("call", exit_version,
                          "the reply is of a type that no table of the schema has: add its file with --schema");
  }
  CliJson body = nullptr;  // a handler that only succeeds
  if (!table.empty()) {
    const auto text = messages->to_json(table, reply.body);
    if (!text) return report_failure("call", exit_version, text.error().text);
    body = CliJson::parse(*text, nullptr, false);
    if (body.is_discarded())
      return report_failure("call", exit_bad, "a number of the reply has no form in JSON (infinite, or none)");
  }
  if (arguments.format == "json") {
    CliJson document = document_of("call");
    document["pit"] = arguments.pit;
    document["method"] = *method;
    document["type"] = table.empty() ? CliJson() : CliJson(table);
    document["reply"] = std::move(body);
    body = std::move(document);
  }
  print(body);
  return exit_ok;
}

}  // namespace

void add_call_command(CLI::App& app, int& exit_status) {
  auto arguments = std::make_shared<CallArguments>();
  auto* verb = app.add_subcommand("call", "Send one message to a broker's pit and print its reply, both as JSON");
  verb->add_option("pit", arguments->pit, "Its name")->required()->type_name("PIT");
  verb->add_option("method", arguments->method, "The table of the message, whole (pool.Take) or its last part")
      ->required()
      ->type_name("METHOD");
  verb->add_option("message", arguments->message, "Its fields; - reads them from standard input")
      ->type_name("JSON")
      ->capture_default_str();
  verb->add_option("--schema", arguments->schemas, "The .fbs file of the pit's messages; may be given again")
      ->required()
      ->type_name("FILE");
  verb->add_option("-I,--include", arguments->folders,
                   "Where to look for files that a schema includes; may be given again")
      ->type_name("FOLDER");
  add_place_options(*verb, arguments->place);
  add_timeout_option(*verb, arguments->place);
  verb->add_option("-o,--output", arguments->format, "table: the reply alone; json: one document with it")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
  verb->footer("A message runs once: where the pit dies while it handles it, the call ends as CRASHED.");
  verb->callback([arguments, &exit_status] { exit_status = call(*arguments); });
}

}  // namespace symphony::tools
