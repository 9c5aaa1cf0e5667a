// symphony pit list --files | show FILE: the pits of this build or installation, and what a pit's file says of itself.
// The same verbs about a broker's pits, and the other verbs, have files of their own.
#include <CLI/CLI.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "pits/hosting/pit_file.hpp"
#include "tools/pit_check/modes.hpp"
#include "tools/symphony/broker_place.hpp"
#include "tools/symphony/commands.hpp"
#include "tools/symphony/exit_status.hpp"
#include "tools/symphony/graph/input_error.hpp"
#include "tools/symphony/pit_check.hpp"
#include "tools/symphony/pit_fault.hpp"
#include "tools/symphony/pit_files.hpp"
#include "tools/symphony/pit_logs.hpp"
#include "tools/symphony/pit_new.hpp"
#include "tools/symphony/pit_run.hpp"
#include "tools/symphony/pit_running.hpp"
#include "tools/symphony/pit_snapshot.hpp"
#include "tools/symphony/programs.hpp"
#include "tools/symphony/table.hpp"

namespace symphony::tools {
namespace {

constexpr std::string_view report_suffix = ".pit.json";
constexpr std::string_view file_suffix = ".so";

struct ModeReport {
  std::string mode;
  bool built = false;
  std::string reason;  // why not
};

// One line of the list.
struct ListedPit {
  std::string name;
  std::string file;       // empty: none was built
  std::string wasm_file;  // the same pit by way of WebAssembly; or `file` is that form
  std::optional<pit::PitNote> note;
  std::string trouble;  // of reading them
  std::vector<ModeReport> modes;
};

// What symphony_add_pit wrote when the tree was configured.
bool read_report(const std::filesystem::path& path, ListedPit& into) {
  std::ifstream file(path, std::ios::binary);
  const CliJson report = CliJson::parse(file, nullptr, false);
  if (!report.is_object() || !report.contains("modes") || !report["modes"].is_array()) return false;
  for (const CliJson& entry : report["modes"]) {
    if (!entry.is_object()) return false;
    into.modes.push_back({entry.value("mode", ""), entry.value("built", false), entry.value("reason", "")});
  }
  return true;
}

// Of files that somebody put there without a report.
std::vector<ModeReport> modes_of_files(const ListedPit& pit) {
  std::vector<ModeReport> modes;
  if (pit.wasm_file.empty() || pit.wasm_file != pit.file) modes = {{"dynamic", true, ""}, {"process", true, ""}};
  if (!pit.wasm_file.empty()) modes.push_back({"wasm", true, ""});
  return modes;
}

std::vector<ListedPit> list_folder(const std::string& folder) {
  std::map<std::string, ListedPit> by_name;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    const std::string file = entry.path().filename().string();
    const bool is_report = file.ends_with(report_suffix);
    if (!is_report && !file.ends_with(file_suffix)) continue;
    const std::string name = file.substr(0, file.size() - (is_report ? report_suffix : file_suffix).size());
    ListedPit& pit = by_name[name];
    pit.name = name;
    if (is_report) {
      if (!read_report(entry.path(), pit)) pit.trouble = file + " is damaged: configure the tree again";
      continue;
    }
    pit.file = entry.path().string();
    pit::PitFile read;
    if (const pit::Outcome outcome = pit::read_pit_file(pit.file, read); outcome.ok()) {
      pit.note = read.notes[0];
      if (pit_check::is_wasm_form(read)) pit.wasm_file = pit.file;
    } else {
      pit.trouble = outcome.text;
    }
  }
  // <name>_wasm.so beside <name> is that pit once more.
  std::erase_if(by_name, [&](const auto& entry) {
    constexpr std::string_view suffix = "_wasm";
    const auto& [name, form] = entry;
    if (!name.ends_with(suffix)) return false;
    const auto native = by_name.find(name.substr(0, name.size() - suffix.size()));
    if (native == by_name.end()) return false;
    native->second.wasm_file = form.wasm_file;
    if (native->second.trouble.empty()) native->second.trouble = form.trouble;
    return true;
  });
  std::vector<ListedPit> all;
  all.reserve(by_name.size());
  for (auto& [name, pit] : by_name) {
    if (pit.modes.empty()) pit.modes = modes_of_files(pit);
    for (ModeReport& mode : pit.modes) {
      const bool there = mode.mode == "static" || !(mode.mode == "wasm" ? pit.wasm_file : pit.file).empty();
      if (mode.built && !there) mode = {mode.mode, false, "not built yet: build the whole tree"};
    }
    all.push_back(std::move(pit));
  }
  return all;
}

int list_files(const std::string& format) {
  const std::string folder = pit_folder();
  if (folder.empty()) {
    return report_failure("pit list", exit_not_found,
                          "there is no folder of pits where this program is: build or install the whole tree");
  }
  const std::vector<ListedPit> pits = list_folder(folder);
  const bool sound = std::all_of(pits.begin(), pits.end(), [](const ListedPit& pit) { return pit.trouble.empty(); });
  if (format == "json") {
    CliJson document{
        {"schema", "symphony.cli/1"}, {"command", "pit list"}, {"folder", folder}, {"pits", CliJson::array()}};
    for (const ListedPit& pit : pits) {
      CliJson one{{"name", pit.name}, {"version", nullptr}, {"file", nullptr}, {"modes", CliJson::array()}};
      if (pit.note) one["version"] = pit.note->info.version;
      if (!pit.file.empty()) one["file"] = pit.file;
      if (!pit.trouble.empty()) one["trouble"] = pit.trouble;
      for (const ModeReport& mode : pit.modes) {
        CliJson said{{"mode", mode.mode}, {"built", mode.built}};
        if (!mode.built) said["reason"] = mode.reason;
        one["modes"].push_back(std::move(said));
      }
      document["pits"].push_back(std::move(one));
    }
    print(document);
    return sound ? exit_ok : exit_bad;
  }
  Table table({"pit", "version", "modes", "not built"});
  for (const ListedPit& pit : pits) {
    std::string built, missing;
    for (const ModeReport& mode : pit.modes) {
      std::string& into = mode.built ? built : missing;
      if (!into.empty()) into += mode.built ? " " : "; ";
      into += mode.built ? mode.mode : mode.mode + ": " + mode.reason;
    }
    table.add_row({pit.name, pit.note ? pit.note->info.version : "-", built, missing});
  }
  std::fputs((table.text() + fmt::format("\nin {}\n", printable(folder, 4096))).c_str(), stdout);
  for (const ListedPit& pit : pits) {
    if (!pit.trouble.empty()) (void)report_failure("pit list", exit_bad, pit.trouble);
  }
  return sound ? exit_ok : exit_bad;
}

std::string effect_name(std::uint32_t effect) {
  switch (effect) {
    case SYMPHONY_EFFECT_READ:
      return "read";
    case SYMPHONY_EFFECT_IDEMPOTENT:
      return "idempotent";
    default:
      return "once";
  }
}

std::string hash_text(std::uint64_t hash) { return hash == 0 ? "unknown" : fmt::format("{:016x}", hash); }

CliJson json_of(const pit::PitNote& note) {
  const pit::PitInfo& info = note.info;
  CliJson one{{"name", info.name},
              {"version", info.version},
              {"abi", {{"major", info.abi_major}, {"minor", info.abi_minor}}},
              {"messages", CliJson::array()},
              {"needs", info.needs},
              {"reply_size_max", info.reply_size_max},
              {"state_revision", info.state_revision},
              {"state_revision_min", info.state_revision_min},
              {"thread_model", "serial"},
              {"schema_hash", hash_text(info.schema_hash)},
              {"build", {{"compiler", note.build}, {"exceptions", note.exceptions}, {"rtti", note.rtti}}}};
  for (const symphony_message_note& message : info.messages) {
    one["messages"].push_back({{"type", message.type}, {"effect", effect_name(message.effect)}});
  }
  return one;
}

void print_note(const pit::PitNote& note) {
  const pit::PitInfo& info = note.info;
  std::string needs;
  for (const std::string& need : info.needs) needs.append(needs.empty() ? "" : " ").append(need);
  const std::string revisions = info.state_revision == 0
                                    ? "none"
                                    : fmt::format("writes {}, restores {} to {}", info.state_revision,
                                                  info.state_revision_min, info.state_revision);
  Table facts({"", ""});
  facts.add_row({"pit", info.name});
  facts.add_row({"version", info.version});
  facts.add_row({"ABI", fmt::format("{}.{}", info.abi_major, info.abi_minor)});
  facts.add_row({"needs", needs.empty() ? "nothing" : needs});
  facts.add_row({"snapshots", revisions});
  facts.add_row({"largest reply", count_text(info.reply_size_max) + " bytes"});
  facts.add_row({"threads", "serial"});
  facts.add_row({"schema hash", hash_text(info.schema_hash)});
  facts.add_row({"built by", note.build + (note.exceptions ? ", exceptions" : ", no exceptions") +
                                 (note.rtti ? ", RTTI" : ", no RTTI")});
  std::fputs((facts.text(false) + "\n").c_str(), stdout);
  Table messages({"message type", "if the pit dies with it"});
  for (const symphony_message_note& message : info.messages) {
    messages.add_row({fmt::format("0x{:08x}", message.type), effect_name(message.effect)});
  }
  std::fputs(messages.text().c_str(), stdout);
}

int show_file(const std::string& given, const std::string& format) {
  const std::string path = pit_path(given);
  std::vector<pit::PitNote> notes;
  if (const pit::Outcome outcome = read_notes_in(path, notes); !outcome.ok()) {
    return report_failure("pit show", exit_status_of(outcome), outcome.text);
  }
  if (format == "json") {
    CliJson document{{"schema", "symphony.cli/1"}, {"command", "pit show"}, {"file", path}, {"pits", CliJson::array()}};
    for (const pit::PitNote& note : notes) document["pits"].push_back(json_of(note));
    print(document);
    return exit_ok;
  }
  for (std::size_t i = 0; i < notes.size(); ++i) {
    if (i != 0) std::fputs("\n", stdout);
    print_note(notes[i]);
  }
  return exit_ok;
}

}  // namespace

void add_pit_command(CLI::App& app, int& exit_status) {
  struct Arguments {
    BrokerPlace place;
    std::string pit;
    bool files = false;
    std::string format = "table";
  };
  auto arguments = std::make_shared<Arguments>();
  auto* pit =
      app.add_subcommand("pit", "Pits of a broker: look, start, stop; files of pits: look, check, make new ones");
  pit->require_subcommand(1);
  auto* list_verb = pit->add_subcommand("list", "The pits of a broker and what they do now");
  list_verb->add_flag("--files", arguments->files,
                      "Not a broker's: the pits of this build or installation, and the modes they are built for");
  add_place_options(*list_verb, arguments->place);
  add_timeout_option(*list_verb, arguments->place);
  add_output_option(*list_verb, arguments->format);
  list_verb->callback([arguments, &exit_status] {
    exit_status = arguments->files ? list_files(arguments->format) : list_running(arguments->place, arguments->format);
  });
  auto* show_verb =
      pit->add_subcommand("show", "Everything known of a broker's pit; or what a pit's file says of itself");
  show_verb
      ->add_option(
          "pit", arguments->pit,
          "The name of a broker's pit; or a file: a pit's .so, .wasm or .py, or a program with pits linked in. What "
          "is there as a file, or has a / in it, is a file")
      ->required()
      ->type_name("NAME|FILE");
  show_verb->add_flag("--files", arguments->files,
                      "A name, too, means a file: that of the pit of this build or installation");
  add_place_options(*show_verb, arguments->place);
  add_timeout_option(*show_verb, arguments->place);
  add_output_option(*show_verb, arguments->format);
  show_verb->callback([arguments, &exit_status] {
    std::error_code ignored;
    const bool is_file = arguments->files || arguments->pit.find('/') != std::string::npos ||
                         std::filesystem::is_regular_file(arguments->pit, ignored);
    exit_status = is_file ? show_file(arguments->pit, arguments->format)
                          : show_running(arguments->place, arguments->pit, arguments->format);
  });
  add_pit_run_verb(*pit, exit_status);
  add_pit_running_verbs(*pit, exit_status);
  add_pit_snapshot_verbs(*pit, exit_status);
  add_pit_fault_verb(*pit, exit_status);
  add_pit_logs_verb(*pit, exit_status);
  add_pit_check_verb(*pit, exit_status);
  add_pit_new_verb(*pit, exit_status);
}

}  // namespace symphony::tools
