// symphony pub, sub, topic list, topic rate: cells and topics by hand, as JSON, without a program and generated code.
#include <CLI/CLI.hpp>

#include <fmt/format.h>

#include <poll.h>

#include <cstdio>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <symphony/endpoint.hpp>
#include <symphony/type_id.hpp>

#include "tools/symphony/broker_place.hpp"
#include "tools/symphony/commands.hpp"
#include "tools/symphony/schema_messages.hpp"
#include "tools/symphony/table.hpp"

namespace symphony::tools {
namespace {

struct TopicArguments {
  BrokerPlace place{};
  std::string name;
  std::string method;
  std::string message;
  std::vector<std::string> schemas;
  std::vector<std::string> folders;
  bool is_cell = false;
  bool keep = false;
  std::uint32_t value_size_max = 4096;
  std::uint32_t history = 64;
  std::uint64_t count = 0;
  double seconds = 0;
  std::string format = "table";
};

int topic_failure(const char* verb, const error& e) {
  return report_failure(verb, e.code == errc::too_large ? exit_usage : exit_status_of(e.code), e.text);
}

// ---- pub

template <class Writer>
int publish_all(const TopicArguments& a, SchemaMessages& messages, const std::string& table, Writer& writer) {
  const auto one = [&](const std::string& json) {
    const auto bytes = messages.to_bytes(table, json);
    if (!bytes) return report_failure("pub", bytes.error().exit_status(), bytes.error().text);
    const auto number = writer.write(type_id(table), *bytes);
    if (!number) return topic_failure("pub", number.error());
    return exit_ok;
  };
  if (a.message != "-") return one(a.message);
  for (std::string line; std::getline(std::cin, line);) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    if (const int status = one(line); status != exit_ok) return status;
  }
  return exit_ok;
}

int publish(const TopicArguments& a) {
  auto messages = SchemaMessages::read(a.schemas, a.folders);
  if (!messages) return report_failure("pub", messages.error().exit_status(), messages.error().text);
  const auto table = messages->table_named(a.method);
  if (!table) return report_failure("pub", table.error().exit_status(), table.error().text);
  // One that cannot be a message is told before anybody goes over to a new board for it.
  if (a.message != "-") {
    const auto tried = messages->to_bytes(*table, a.message);
    if (!tried) return report_failure("pub", tried.error().exit_status(), tried.error().text);
  }
  auto endpoint = Endpoint::connect(a.place.options());
  if (!endpoint) return topic_failure("pub", endpoint.error());
  const auto run = [&](auto writer) {
    if (!writer) return topic_failure("pub", writer.error());
    const int status = publish_all(a, *messages, *table, *writer);
    if (a.keep) writer->leave();
    return status;
  };
  if (a.is_cell) {
    return run(endpoint->write_cell(a.name, {.value_size_max = a.value_size_max}, a.place.timeout_ns()));
  }
  return run(
      endpoint->publish(a.name, {.value_size_max = a.value_size_max, .history = a.history}, a.place.timeout_ns()));
}

// ---- sub

// The value as JSON; without a schema that has its type, its bytes.
std::optional<CliJson> json_of_value(SchemaMessages* messages, const TopicValue& value,
                                     std::span<const std::byte> bytes, std::string& table) {
  table = messages != nullptr ? messages->table_of(value.type) : std::string();
  if (!table.empty()) {
    const auto text = messages->to_json(table, bytes);
    if (!text) return std::nullopt;
    CliJson body = CliJson::parse(*text, nullptr, false);
    if (body.is_discarded()) return std::nullopt;
    return body;
  }
  std::string hex;
  for (const std::byte b : bytes) hex += fmt::format("{:02x}", static_cast<unsigned>(b));
  return CliJson{{"type", value.type}, {"bytes", hex}};
}

class ValuePrinter {
 public:
  ValuePrinter(const TopicArguments& a, SchemaMessages* messages, std::optional<std::uint32_t> type)
      : a_(a), messages_(messages), type_(type) {}

  // False: its reader is gone, or it is no message.
  bool print(const TopicValue& value, std::span<const std::byte> bytes) {
    dropped_ += value.dropped;
    if (type_ && value.type != *type_) return true;
    std::string table;
    auto body = json_of_value(messages_, value, bytes, table);
    if (!body) {
      ++malformed_;
      std::fprintf(stderr, "symphony sub: value %llu is no %s\n", static_cast<unsigned long long>(value.number),
                   table.c_str());
      return true;
    }
    if (a_.format == "json") {
      CliJson document = document_of("sub");
      document["name"] = a_.name;
      document["number"] = value.number;
      document["dropped"] = std::exchange(dropped_, 0);
      document["type"] = table.empty() ? CliJson(value.type) : CliJson(table);
      document["value"] = table.empty() ? CliJson((*body)["bytes"]) : std::move(*body);
      body = std::move(document);
    } else if (dropped_ != 0) {
      std::fprintf(stderr, "symphony sub: %llu values were lost before number %llu\n",
                   static_cast<unsigned long long>(std::exchange(dropped_, 0)),
                   static_cast<unsigned long long>(value.number));
    }
    ++printed_;
    std::fputs((body->dump(-1, ' ', false, CliJson::error_handler_t::replace) + "\n").c_str(), stdout);
    return std::fflush(stdout) == 0;
  }
  [[nodiscard]] bool has_all() const noexcept { return a_.count != 0 && printed_ >= a_.count; }
  [[nodiscard]] bool was_malformed() const noexcept { return malformed_ != 0; }
  [[nodiscard]] std::uint64_t printed() const noexcept { return printed_; }

 private:
  const TopicArguments& a_;
  SchemaMessages* messages_;
  std::optional<std::uint32_t> type_;
  std::uint64_t printed_ = 0;
  std::uint64_t dropped_ = 0;
  std::uint64_t malformed_ = 0;
};

// A cell: each value that is newer than the one before, as far as one looks often enough.
class NewerOf {
 public:
  explicit NewerOf(CellReader& cell) : cell_(cell) {}
  TopicValue wait_next(std::span<std::byte> into, TimeNs deadline_ns) {
    for (;;) {
      TopicValue value = cell_.read(into);
      if (!value.ok() && value.outcome != ReadOutcome::none && value.outcome != ReadOutcome::busy) return value;
      if (value.ok() && std::pair(value.source, value.number) != last_) {
        last_ = {value.source, value.number};
        return value;
      }
      if (now_ns() >= deadline_ns) return {};
      (void)::poll(nullptr, 0, 5);
    }
  }
  [[nodiscard]] std::uint32_t value_size_max() const noexcept { return cell_.value_size_max(); }

 private:
  CellReader& cell_;
  std::pair<std::uint64_t, std::uint64_t> last_{0, 0};
};

template <class Reader>
int print_all(const TopicArguments& a, ValuePrinter& printer, Reader& reader, TimeNs deadline_ns) {
  std::vector<std::byte> into;
  while (!printer.has_all()) {
    into.resize(std::max<std::size_t>(into.size(), reader.value_size_max()));
    const TimeNs slice = std::min(deadline_ns, deadline_after(second_ns));
    const TopicValue value = reader.wait_next(into, slice);
    switch (value.outcome) {
      case ReadOutcome::value:
        if (!printer.print(value, std::span(into).first(value.size))) return exit_internal;  // said when it is flushed
        break;
      case ReadOutcome::fault:
        return report_failure("sub", exit_bad, "the writer of '" + a.name + "' broke the format of its board");
      case ReadOutcome::none:
        if (now_ns() < deadline_ns) break;
        if (a.count == 0) return printer.was_malformed() ? exit_bad : exit_ok;
        return report_failure("sub", exit_timeout,
                              fmt::format("{} of {} values came in time", printer.printed(), a.count));
      case ReadOutcome::busy:
      case ReadOutcome::too_big:
        break;
    }
  }
  return printer.was_malformed() ? exit_bad : exit_ok;
}

int subscribe(const TopicArguments& a) {
  std::optional<SchemaMessages> messages;
  std::optional<std::uint32_t> type;
  if (!a.schemas.empty()) {
    auto read = SchemaMessages::read(a.schemas, a.folders);
    if (!read) return report_failure("sub", read.error().exit_status(), read.error().text);
    messages.emplace(std::move(*read));
  }
  if (!a.method.empty()) {
    if (!messages) return report_failure("sub", exit_usage, "--type needs the table's --schema");
    const auto table = messages->table_named(a.method);
    if (!table) return report_failure("sub", table.error().exit_status(), table.error().text);
    type = type_id(*table);
  }
  const TimeNs deadline =
      a.seconds > 0 ? deadline_after(static_cast<TimeNs>(a.seconds * static_cast<double>(second_ns))) : no_deadline_ns;
  auto endpoint = Endpoint::connect(a.place.options());
  if (!endpoint) return topic_failure("sub", endpoint.error());
  ValuePrinter printer(a, messages ? &*messages : nullptr, type);
  const TimeNs wait_ns =
      deadline == no_deadline_ns ? 1000 * 3600 * second_ns : std::max<TimeNs>(deadline - now_ns(), 0);
  if (a.is_cell) {
    auto cell = endpoint->read_cell(a.name, wait_ns);
    if (!cell) return topic_failure("sub", cell.error());
    NewerOf newer(*cell);
    return print_all(a, printer, newer, deadline);
  }
  auto topic = endpoint->subscribe(a.name, a.history, wait_ns);
  if (!topic) return topic_failure("sub", topic.error());
  return print_all(a, printer, *topic, deadline);
}

// ---- topic

std::string writer_text(const TopicInfo& t) {
  if (!t.writer.empty()) return "pit " + t.writer;
  return t.pid != 0 ? "process " + std::to_string(t.pid) : "-";
}

CliJson json_of_topic(const TopicInfo& t) {
  return {{"name", t.name},
          {"kind", t.is_cell ? "cell" : "topic"},
          {"pit", t.writer.empty() ? CliJson() : CliJson(t.writer)},
          {"pid", t.pid == 0 ? CliJson() : CliJson(t.pid)},
          {"readers", t.readers},
          {"history", t.history},
          {"value_size_max", t.value_size_max},
          {"latest", t.latest}};
}

int list_topics(const TopicArguments& a) {
  auto endpoint = Endpoint::connect(a.place.options());
  if (!endpoint) return topic_failure("topic list", endpoint.error());
  const auto all = endpoint->topics(a.place.timeout_ns());
  if (!all) return topic_failure("topic list", all.error());
  if (a.format == "json") {
    CliJson document = document_of("topic list");
    document["topics"] = CliJson::array();
    for (const TopicInfo& t : *all) document["topics"].push_back(json_of_topic(t));
    print(document);
    return exit_ok;
  }
  Table table({"NAME", "KIND", "WRITTEN BY", "READERS", "KEEPS", "LARGEST", "NEWEST"});
  for (const TopicInfo& t : *all) {
    table.add_row({t.name, t.is_cell ? "cell" : "topic", writer_text(t), std::to_string(t.readers),
                   t.is_cell ? "1" : std::to_string(t.history), std::to_string(t.value_size_max),
                   std::to_string(t.latest)});
  }
  std::fputs(table.text().c_str(), stdout);
  return exit_ok;
}

int rate_topics(const TopicArguments& a) {
  auto endpoint = Endpoint::connect(a.place.options());
  if (!endpoint) return topic_failure("topic rate", endpoint.error());
  const auto before = endpoint->topics(a.place.timeout_ns());
  if (!before) return topic_failure("topic rate", before.error());
  const TimeNs start = now_ns();
  const auto is_wanted = [&](const TopicInfo& t) { return a.name.empty() || t.name == a.name; };
  if (!a.name.empty() && std::none_of(before->begin(), before->end(), is_wanted)) {
    return report_failure("topic rate", exit_not_found,
                          "nobody writes or reads '" + a.name + "'; `symphony topic list` shows what there is");
  }
  (void)::poll(nullptr, 0, static_cast<int>(a.seconds * 1000));
  const auto after = endpoint->topics(a.place.timeout_ns());
  if (!after) return topic_failure("topic rate", after.error());
  const double seconds = static_cast<double>(now_ns() - start) / static_cast<double>(second_ns);
  std::map<std::string, std::uint64_t> counts;
  for (const TopicInfo& t : *before) counts[t.name] = t.latest;
  CliJson document = document_of("topic rate");
  document["seconds"] = seconds;
  document["topics"] = CliJson::array();
  Table table({"NAME", "VALUES/S", "NEWEST", "READERS"});
  for (const TopicInfo& t : *after) {
    if (!is_wanted(t)) continue;
    // Another writer counts from the beginning.
    const std::uint64_t first = counts[t.name] <= t.latest ? counts[t.name] : 0;
    const double rate = static_cast<double>(t.latest - first) / seconds;
    table.add_row({t.name, fmt::format("{:.1f}", rate), std::to_string(t.latest), std::to_string(t.readers)});
    document["topics"].push_back(
        {{"name", t.name}, {"per_second", rate}, {"latest", t.latest}, {"readers", t.readers}});
  }
  if (a.format == "json") {
    print(document);
  } else {
    std::fputs(table.text().c_str(), stdout);
  }
  return exit_ok;
}

void add_schema_options(CLI::App& verb, TopicArguments& a, bool required) {
  auto* option = verb.add_option("--schema", a.schemas, "The .fbs file of the messages; may be given again");
  option->type_name("FILE");
  if (required) option->required();
  verb.add_option("-I,--include", a.folders, "Where to look for files that a schema includes; may be given again")
      ->type_name("FOLDER");
}

void add_pub(CLI::App& app, int& exit_status) {
  auto a = std::make_shared<TopicArguments>();
  auto* verb = app.add_subcommand("pub", "Write a topic, or a cell: each message for whoever reads the name");
  verb->add_option("name", a->name, "The topic's name")->required()->type_name("NAME");
  verb->add_option("table", a->method, "The table of the message, whole (pool.Take) or its last part")
      ->required()
      ->type_name("TABLE");
  a->message = "{}";
  verb->add_option("message", a->message, "Its fields; - reads a message from each line of standard input")
      ->type_name("JSON")
      ->capture_default_str();
  add_schema_options(*verb, *a, true);
  verb->add_flag("--cell", a->is_cell, "A cell: only the newest value is of interest");
  verb->add_flag("--keep", a->keep, "What was written stays for who comes later, until somebody writes the name again");
  verb->add_option("--size", a->value_size_max, "Bytes of the largest message")
      ->check(CLI::Range(0U, 64U * 1024U))
      ->capture_default_str();
  verb->add_option("--history", a->history, "How many messages a topic keeps for slow and late readers")
      ->check(CLI::Range(2U, 4096U))
      ->capture_default_str();
  add_place_options(*verb, a->place);
  add_timeout_option(*verb, a->place);
  verb->callback([a, &exit_status] { exit_status = publish(*a); });
}

void add_sub(CLI::App& app, int& exit_status) {
  auto a = std::make_shared<TopicArguments>();
  a->history = 0;
  auto* verb = app.add_subcommand("sub", "Read a topic, or a cell: a line of JSON for each message");
  verb->add_option("name", a->name, "The topic's name; waits until somebody writes it")->required()->type_name("NAME");
  add_schema_options(*verb, *a, false);
  verb->add_option("--type", a->method, "Only messages of this table")->type_name("TABLE");
  verb->add_flag("--cell", a->is_cell, "A cell: its value now, and each newer one that is seen");
  verb->add_option("--history", a->history, "Begin with so many of the messages that are there already")
      ->check(CLI::Range(0U, 4096U))
      ->capture_default_str();
  verb->add_option("-n,--count", a->count, "End after so many; 0: never")->capture_default_str();
  verb->add_option("--for", a->seconds, "End after so many seconds; with -n, status 5 if fewer came")
      ->check(CLI::Range(0.0, 1e6));
  add_place_options(*verb, a->place);
  verb->add_option("-o,--output", a->format,
                   "table: the message alone; json: a document a line, with number and losses")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
  verb->footer("Without a schema that has its type a message is printed as its type's number and its bytes.");
  verb->callback([a, &exit_status] { exit_status = subscribe(*a); });
}

}  // namespace

void add_topic_commands(CLI::App& app, int& exit_status) {
  add_pub(app, exit_status);
  add_sub(app, exit_status);
  auto* topic = app.add_subcommand("topic", "Cells and topics of a broker");
  topic->require_subcommand(1);
  auto a = std::make_shared<TopicArguments>();
  auto* list = topic->add_subcommand("list", "The names that are written or read");
  add_place_options(*list, a->place);
  add_timeout_option(*list, a->place);
  add_output_option(*list, a->format);
  list->callback([a, &exit_status] { exit_status = list_topics(*a); });
  auto* rate = topic->add_subcommand("rate", "How many values a second are written");
  a->seconds = 1;
  rate->add_option("name", a->name, "One of them; without: all")->type_name("NAME");
  rate->add_option("--for", a->seconds, "Seconds to count for")->check(CLI::Range(0.01, 3600.0))->capture_default_str();
  add_place_options(*rate, a->place);
  add_timeout_option(*rate, a->place);
  add_output_option(*rate, a->format);
  rate->callback([a, &exit_status] { exit_status = rate_topics(*a); });
}

}  // namespace symphony::tools
