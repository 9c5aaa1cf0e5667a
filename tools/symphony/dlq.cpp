// symphony dlq: the messages that killed their pit each time, for whoever mends it.
#include <CLI/CLI.hpp>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include <symphony/endpoint.hpp>

#include "tools/symphony/broker_place.hpp"
#include "tools/symphony/commands.hpp"
#include "tools/symphony/pit_running.hpp"
#include "tools/symphony/schema_messages.hpp"
#include "tools/symphony/table.hpp"

namespace symphony::tools {
namespace {

struct LetterArguments {
  BrokerPlace place{.timeout_s = 30};
  std::string pit;
  std::uint64_t id = 0;
  bool all = false;
  std::vector<std::string> schemas;
  std::vector<std::string> folders;
  std::string format = "table";
};

std::string_view effect_text(Effect effect) {
  return effect == Effect::read ? "read" : effect == Effect::once ? "once" : "idempotent";
}

std::string hex_of(const std::vector<std::byte>& body) {
  std::string out;
  for (const std::byte b : body) out += fmt::format("{:02x}", static_cast<unsigned>(b));
  return out;
}

// Sixteen bytes a line, and what of them can be read.
std::string dump_of(const std::vector<std::byte>& body) {
  std::string out;
  for (std::size_t at = 0; at < body.size(); at += 16) {
    std::string hex, text;
    for (std::size_t i = at; i < at + 16 && i < body.size(); ++i) {
      const auto value = static_cast<unsigned>(body[i]);
      hex += fmt::format(" {:02x}", value);
      text += value >= 0x20 && value < 0x7f ? static_cast<char>(value) : '.';
    }
    out += fmt::format("{:08x} {:<48}  {}\n", at, hex, text);
  }
  return out;
}

int refused(const std::string& verb, const OperatorAnswer& answer, const LetterArguments& a) {
  const bool is_pit = answer.code == errc::not_found && answer.text.find("no pit") != std::string::npos;
  return report_failure(verb, exit_status_of(answer),
                        is_pit ? with_suggestion(answer.text, a.place, a.pit) : answer.text);
}

CliJson json_of(const DeadLetter& l) {
  return {{"id", l.id},
          {"pit", l.pit},
          {"version", l.version},
          {"at", wall_time(l.at_ns)},
          {"link", l.link},
          {"message", l.message},
          {"type", l.type},
          {"effect", effect_text(l.effect)},
          {"attempts", l.attempts},
          {"alone", name_of(l.outcome)},
          {"size", l.size},
          {"kept_size", l.kept_size},
          {"death", json_of_death(l.death)}};
}

int list(const LetterArguments& a) {
  auto broker = Operator::connect(a.place.options());
  if (!broker) return report_failure("dlq list", exit_status_of(broker.error().code), broker.error().text);
  std::vector<DeadLetter> all;
  for (std::uint64_t after = 0;;) {
    OperatorAnswer answer = broker->letters(a.pit, after, a.place.timeout_ns());
    if (!answer.ok()) return refused("dlq list", answer, a);
    if (answer.letters.empty()) break;
    after = answer.letters.back().id;
    all.insert(all.end(), answer.letters.begin(), answer.letters.end());
  }
  if (a.format == "json") {
    CliJson document = document_of("dlq list");
    document["letters"] = CliJson::array();
    for (const DeadLetter& l : all) document["letters"].push_back(json_of(l));
    print(document);
    return exit_ok;
  }
  Table table({"id", "pit", "parked at", "type", "effect", "bytes", "deaths", "how", "alone"});
  for (const DeadLetter& l : all) {
    table.add_row({std::to_string(l.id), l.pit, wall_time(l.at_ns), fmt::format("{:#010x}", l.type),
                   std::string(effect_text(l.effect)), std::to_string(l.size), std::to_string(l.attempts),
                   how_text(l.death), std::string(name_of(l.outcome))});
  }
  std::fputs(table.text().c_str(), stdout);
  return exit_ok;
}

// The letter with its body, and the schemas if there are any.   The exit status where there is none.
struct Opened {
  std::optional<Operator> broker;
  std::optional<SchemaMessages> messages;
  DeadLetter letter;
};
int open_letter(const std::string& verb, const LetterArguments& a, Opened& out) {
  if (!a.schemas.empty()) {
    auto messages = SchemaMessages::read(a.schemas, a.folders);
    if (!messages) return report_failure(verb, messages.error().exit_status(), messages.error().text);
    out.messages.emplace(std::move(*messages));
  }
  auto broker = Operator::connect(a.place.options());
  if (!broker) return report_failure(verb, exit_status_of(broker.error().code), broker.error().text);
  out.broker.emplace(*std::move(broker));
  OperatorAnswer answer = out.broker->letter(a.pit, a.id, a.place.timeout_ns());
  if (!answer.ok() || answer.letters.empty()) return refused(verb, answer, a);
  out.letter = std::move(answer.letters[0]);
  return exit_ok;
}

// A message as JSON where a schema has its type and it is one, else nothing.
CliJson typed(std::optional<SchemaMessages>& messages, std::uint32_t type, std::span<const std::byte> body) {
  if (!messages) return {};
  const std::string table = messages->table_of(type);
  if (table.empty()) return {};
  const auto text = messages->to_json(table, body);
  if (!text) return {};
  CliJson out = CliJson::parse(*text, nullptr, false);
  return out.is_discarded() ? CliJson() : out;
}

int show(const LetterArguments& a) {
  Opened o;
  if (const int status = open_letter("dlq show", a, o); status != exit_ok) return status;
  const DeadLetter& l = o.letter;
  const CliJson message = typed(o.messages, l.type, l.body);
  const std::string table = o.messages ? o.messages->table_of(l.type) : std::string();
  if (a.format == "json") {
    CliJson document = document_of("dlq show");
    document["letter"] = json_of(l);
    document["letter"]["table"] = table.empty() ? CliJson() : CliJson(table);
    document["letter"]["body"] = message;
    document["letter"]["hex"] = hex_of(l.body);
    print(document);
    return exit_ok;
  }
  Table facts({"", ""});
  facts.add_row({"letter", fmt::format("{} of {}{}", l.id, l.pit, l.version.empty() ? "" : ", version " + l.version)});
  facts.add_row({"parked at", wall_time(l.at_ns)});
  facts.add_row({"message", fmt::format("{} of link {}", l.message, l.link)});
  facts.add_row({"type", table.empty() ? fmt::format("{:#010x}", l.type) : fmt::format("{:#010x}, {}", l.type, table)});
  facts.add_row({"effect", std::string(effect_text(l.effect))});
  facts.add_row({"deaths", std::to_string(l.attempts)});
  facts.add_row({"alone", std::string(name_of(l.outcome))});
  facts.add_row(
      {"died", fmt::format("{}, {}, instance {}", name_of(l.death.cause), how_text(l.death), l.death.instance)});
  facts.add_row({"bytes", l.kept_size < l.size ? fmt::format("{}, of which the first {} are kept", l.size, l.kept_size)
                                               : std::to_string(l.size)});
  std::fputs(facts.text(false).c_str(), stdout);
  if (!l.death.last_lines.empty()) {
    std::fputs("\nits last lines:\n", stdout);
    std::fputs(indented_lines(l.death.last_lines).c_str(), stdout);
  }
  std::fputs(("\n" + (message.is_null() ? dump_of(l.body) : message.dump(2) + "\n")).c_str(), stdout);
  return exit_ok;
}

int replay(const LetterArguments& a) {
  Opened o;
  if (const int status = open_letter("dlq replay", a, o); status != exit_ok) return status;
  const DeadLetter& l = o.letter;
  if (l.kept_size < l.size) {
    return report_failure(
        "dlq replay", exit_bad,
        fmt::format("only {} of its {} bytes are kept, so it cannot be sent again", l.kept_size, l.size));
  }
  const TimeNs deadline = deadline_after(a.place.timeout_ns());
  auto endpoint = Endpoint::connect(a.place.options());
  if (!endpoint) return report_failure("dlq replay", exit_status_of(endpoint.error().code), endpoint.error().text);
  auto link = endpoint->open(a.pit, {.waiting = symphony::Waiting::sleep}, deadline - now_ns());
  if (!link) {
    const error& e = link.error();
    const bool is_away = e.code == errc::quarantined || e.code == errc::closed;
    return report_failure("dlq replay", is_away ? exit_bad : exit_status_of(e.code), e.text);
  }
  // Once: where it kills this instance too, that is enough.
  const Reply reply = link->call(l.type, l.body, {.effect = Effect::once, .deadline_ns = deadline});
  if (!reply.ok()) {
    const std::string name = reply.status > 0 ? "status " + std::to_string(reply.status) : status_name(reply.status);
    return report_failure("dlq replay", reply.status == status::deadline ? exit_timeout : exit_bad,
                          "the letter is kept: " + name + (reply.text.empty() ? "" : ": " + std::string(reply.text)));
  }
  const CliJson body = typed(o.messages, reply.type, reply.body);
  const std::vector<std::byte> bytes(reply.body.begin(), reply.body.end());
  const OperatorAnswer dropped = o.broker->drop_letters(a.pit, a.id, a.place.timeout_ns());
  if (!dropped.ok() && dropped.code != errc::not_found) return refused("dlq replay", dropped, a);
  if (a.format == "json") {
    CliJson document = document_of("dlq replay");
    document["pit"] = a.pit;
    document["id"] = a.id;
    document["type"] = reply.type;
    document["reply"] = body;
    document["hex"] = hex_of(bytes);
    print(document);
  } else {
    std::printf("%s answered, and the letter is dropped\n", a.pit.c_str());
    std::fputs((body.is_null() ? dump_of(bytes) : body.dump(2) + "\n").c_str(), stdout);
  }
  return exit_ok;
}

int drop(const LetterArguments& a) {
  if (a.all == (a.id != 0)) return report_failure("dlq drop", exit_usage, "give the number of a letter, or --all");
  auto broker = Operator::connect(a.place.options());
  if (!broker) return report_failure("dlq drop", exit_status_of(broker.error().code), broker.error().text);
  const OperatorAnswer answer = broker->drop_letters(a.pit, a.id, a.place.timeout_ns());
  if (!answer.ok()) return refused("dlq drop", answer, a);
  if (a.format == "json") {
    CliJson document = document_of("dlq drop");
    document["pit"] = a.pit;
    document["dropped"] = answer.removed;
    print(document);
  } else {
    std::printf("%u dropped\n", answer.removed);
  }
  return exit_ok;
}

}  // namespace

void add_dlq_command(CLI::App& app, int& exit_status) {
  auto* dlq = app.add_subcommand("dlq", "The messages that killed a broker's pit each time: show, send again, drop");
  dlq->require_subcommand(1);
  dlq->footer(
      "A message that may run again and killed its pit twice is tried alone; then it is a dead letter. A pit's are at\n"
      "most 32 and 128 KiB, of which the oldest goes; they outlive the broker's death, and end with the daemon.");
  auto arguments = std::make_shared<LetterArguments>();
  const auto add = [&](const char* name, const char* help, int (*run)(const LetterArguments&)) {
    auto* verb = dlq->add_subcommand(name, help);
    verb->callback([arguments, &exit_status, run] { exit_status = run(*arguments); });
    return verb;
  };
  const auto add_rest = [&](CLI::App& verb) {
    add_place_options(verb, arguments->place);
    add_timeout_option(verb, arguments->place);
    add_output_option(verb, arguments->format);
  };
  const auto add_schemas = [&](CLI::App& verb) {
    verb.add_option("--schema", arguments->schemas,
                    "The .fbs file of the pit's messages, to show them as JSON; may be given again")
        ->type_name("FILE");
    verb.add_option("-I,--include", arguments->folders,
                    "Where to look for files that a schema includes; may be given again")
        ->type_name("FOLDER");
  };
  auto* const list_verb = add("list", "List dead letters, oldest first", list);
  list_verb->add_option("pit", arguments->pit, "Of this pit; of all by default")->type_name("PIT");
  add_rest(*list_verb);
  auto* const show_verb = add("show", "Show one, with the message itself and what the pit died of", show);
  auto* const replay_verb =
      add("replay", "Send one again as a call of your own; one that is answered is dropped", replay);
  for (auto* verb : {show_verb, replay_verb}) {
    verb->add_option("pit", arguments->pit, "The pit's name")->required()->type_name("PIT");
    verb->add_option("id", arguments->id, "The letter's number")->required()->type_name("ID");
    add_schemas(*verb);
    add_rest(*verb);
  }
  auto* const drop_verb = add("drop", "Forget one, or all of a pit", drop);
  drop_verb->add_option("pit", arguments->pit, "The pit's name")->required()->type_name("PIT");
  drop_verb->add_option("id", arguments->id, "The letter's number")->type_name("ID");
  drop_verb->add_flag("--all", arguments->all, "All letters of the pit");
  add_rest(*drop_verb);
}

}  // namespace symphony::tools
