#include "tools/symphony/manifest.hpp"

#include <toml++/toml.h>
#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <vector>

#include <symphony/type_id.hpp>

#include "pits/hosting/process/python.hpp"
#include "tools/symphony/message_names.hpp"
#include "tools/symphony/programs.hpp"
#include "tools/symphony/suggestion.hpp"

namespace symphony::tools {
namespace {

constexpr std::array<std::string_view, 32> keys{"name",
                                                "file",
                                                "executable",
                                                "args",
                                                "config",
                                                "trust",
                                                "failures_max",
                                                "waiting",
                                                "placement",
                                                "calls",
                                                "instances",
                                                "durability",
                                                "snapshot_size",
                                                "journal_size",
                                                "snapshot_after",
                                                "snapshot_after_ms",
                                                "state_folder",
                                                "state_synced",
                                                "sandbox",
                                                "sandbox_may_lack",
                                                "sandbox_needs",
                                                "budget_ms",
                                                "budgets_ms",
                                                "restart",
                                                "fallback",
                                                "exceptions_max",
                                                "callers",
                                                "backoff_first_ms",
                                                "backoff_max_ms",
                                                "start_timeout_ms",
                                                "request_capacity",
                                                "reply_capacity"};

struct Reader {
  const toml::table& table;
  const std::string& label;

  [[nodiscard]] InputError wrong(const std::string& what) const {
    return {InputFault::malformed, printable(label) + ": " + what};
  }
  [[nodiscard]] std::optional<InputError> unknown_key() const {
    for (const auto& [key, value] : table) {
      const std::string_view name = key.str();
      if (std::find(keys.begin(), keys.end(), name) != keys.end()) continue;
      const std::string_view nearest = nearest_to(name, keys);
      return wrong("line " + std::to_string(key.source().begin.line) + ": unknown key '" + printable(name) +
                   "'; did you mean '" + std::string(nearest) + "'?");
    }
    return std::nullopt;
  }
  // The text behind a key; empty when it is absent and not required.
  std::optional<InputError> text(std::string_view key, bool required, std::string& out) const {
    const auto* node = table.get(key);
    if (node == nullptr) {
      if (!required) return std::nullopt;
      return wrong("the key '" + std::string(key) + "' is missing; add " + std::string(key) + " = \"...\"");
    }
    const auto value = node->value_exact<std::string>();
    if (!value || value->empty()) return wrong("'" + std::string(key) + "' must be a text in quotes, not empty");
    out = *value;
    return std::nullopt;
  }
  // The list of texts behind a key; empty when it is absent.
  std::optional<InputError> texts(std::string_view key, std::vector<std::string>& out) const {
    const auto* node = table.get(key);
    if (node == nullptr) return std::nullopt;
    const auto* list = node->as_array();
    for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
      const auto value = (*list)[i].value_exact<std::string>();
      if (!value) list = nullptr;
      if (value) out.push_back(*value);
    }
    if (list == nullptr) return wrong("'" + std::string(key) + "' must be a list of texts");
    return std::nullopt;
  }
  // The number from 1 to `max` behind a key; as it was when the key is absent.
  std::optional<InputError> number(std::string_view key, std::uint32_t max, std::uint32_t& out) const {
    const auto* node = table.get(key);
    if (node == nullptr) return std::nullopt;
    const auto value = node->value_exact<std::int64_t>();
    if (!value || *value < 1 || *value > max) {
      return wrong("'" + std::string(key) + "' must be a number from 1 to " + std::to_string(max));
    }
    out = static_cast<std::uint32_t>(*value);
    return std::nullopt;
  }
};

std::optional<InputError> read_state(const Reader& read, StatePolicy& state) {
  std::string durability(name_of(state.durability));
  if (auto e = read.text("durability", false, durability)) return e;
  if (!durability_of(durability)) return read.wrong("'durability' must be none, snapshot or journal");
  state.durability = *durability_of(durability);
  for (auto [key, size] :
       {std::pair{"snapshot_size", &state.snapshot_size_max}, {"journal_size", &state.journal_size}}) {
    auto bytes = static_cast<std::uint32_t>(*size);
    if (auto e = read.number(key, 1u << 31, bytes)) return e;
    if (bytes % 4096 != 0) return read.wrong("'" + std::string(key) + "' must be a multiple of 4096 bytes");
    *size = bytes;
  }
  auto after_ms = static_cast<std::uint32_t>(state.snapshot_after_ns / ms_ns);
  if (auto e = read.number("snapshot_after", UINT32_MAX, state.snapshot_after)) return e;
  if (auto e = read.number("snapshot_after_ms", UINT32_MAX, after_ms)) return e;
  state.snapshot_after_ns = after_ms * ms_ns;
  if (auto e = read.text("state_folder", false, state.folder)) return e;
  if (const auto* node = read.table.get("state_synced"); node != nullptr) {
    const auto value = node->value_exact<bool>();
    if (!value) return read.wrong("'state_synced' must be true or false");
    state.is_synced = *value;
  }
  return std::nullopt;
}

// The walls that a list names, added to `blocks` or taken from it.
std::optional<InputError> read_blocks(const Reader& read, std::string_view key, bool adds, SandboxBlocks& blocks) {
  std::vector<std::string> names;
  if (auto e = read.texts(key, names)) return e;
  for (const std::string& name : names) {
    const auto block = sandbox_block_of(name);
    if (!block) {
      return read.wrong("line " + std::to_string(read.table.get(key)->source().begin.line) + ": '" + std::string(key) +
                        "' names no wall '" + printable(name) + "'; did you mean '" +
                        std::string(nearest_to(name, sandbox_block_names)) + "'?");
    }
    blocks = adds ? blocks | bit_of(*block) : blocks & ~bit_of(*block);
  }
  return std::nullopt;
}

// Precondition: trust, calls and what it runs have been read.
// As the broker has it, which would refuse all manifests for one and not say which.
bool may_be_named(const std::string& name, std::uint32_t instances) {
  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz0123456789_-.";
  return name.find_first_not_of(letters) == std::string::npos && instance_name(name, instances - 1).size() <= 63;
}

std::optional<InputError> read_sandbox(const Reader& read, const std::string& file, PitConfig& pit) {
  const bool has_file = !file.empty();
  const bool is_hostile = pit.trust == Trust::hostile;
  const bool says = read.table.contains("sandbox");
  const bool is_python = pit::is_python_pit(file);
  if (is_hostile && is_python && !says)
    return read.wrong("a hostile pit is confined, and one in Python cannot be: say sandbox = \"none\", or trust it");
  std::string profile(name_of(is_hostile && has_file ? SandboxProfile::heap : SandboxProfile::none));
  if (auto e = read.text("sandbox", false, profile)) return e;
  if (!sandbox_profile_of(profile)) return read.wrong("'sandbox' must be none, ring, heap or threads");
  pit.sandbox.profile = *sandbox_profile_of(profile);
  if (is_hostile && !has_file && !says) {
    return read.wrong(
        "a hostile pit is confined, and a program of its own would have run before it is: make it a pit's file "
        "('file'), or say sandbox = \"none\"");
  }
  const bool is_confined = pit.sandbox.profile != SandboxProfile::none;
  if (is_confined && is_python && profile != pit::python_sandbox)
    return read.wrong("a pit in Python cannot be confined: say sandbox = \"none\", or leave it out");
  if (is_confined && !has_file) return read.wrong("'sandbox' needs 'file': a program of its own is not confined");
  for (const char* key : {"sandbox_may_lack", "sandbox_needs"}) {
    if (!is_confined && read.table.contains(key)) return read.wrong("'" + std::string(key) + "' needs 'sandbox'");
  }
  if (auto e = read_blocks(read, "sandbox_may_lack", false, pit.sandbox.required)) return e;
  if (auto e = read_blocks(read, "sandbox_needs", true, pit.sandbox.required)) return e;
  if (is_confined && !pit.calls.empty() && pit.sandbox.profile != SandboxProfile::threads)
    return read.wrong("'calls' of a confined pit need sandbox = \"threads\"");
  return std::nullopt;
}

// Precondition: name and calls have been read.
std::optional<InputError> read_restart(const Reader& read, PitConfig& pit) {
  RestartPolicy& restart = pit.restart;
  if (auto e = read.number("failures_max", 16, restart.failures_max)) return e;
  std::string strategy(name_of(restart.strategy));
  if (auto e = read.text("restart", false, strategy)) return e;
  if (strategy == name_of(RestartStrategy::rest_for_one)) {
    restart.strategy = RestartStrategy::rest_for_one;
    if (pit.calls.empty()) return read.wrong("'restart' = \"rest_for_one\" needs 'calls': what it is restarted with");
  } else if (strategy != name_of(RestartStrategy::one_for_one)) {
    return read.wrong("'restart' must be one_for_one or rest_for_one");
  }
  if (auto e = read.text("fallback", false, restart.fallback)) return e;
  if (restart.fallback == pit.name) return read.wrong("'fallback' must be another pit");
  if (auto e = read.number("exceptions_max", 1'000'000, restart.exceptions_max)) return e;
  constexpr std::uint32_t hour_ms = 3'600'000;
  for (auto [key, ns] : {std::pair{"backoff_first_ms", &restart.backoff_first_ns},
                         {"backoff_max_ms", &restart.backoff_max_ns},
                         {"start_timeout_ms", &restart.start_timeout_ns}}) {
    auto ms = static_cast<std::uint32_t>(*ns / ms_ns);
    if (auto e = read.number(key, hour_ms, ms)) return e;
    *ns = ms * ms_ns;
  }
  if (restart.backoff_first_ns <= restart.backoff_max_ns) return std::nullopt;
  return read.wrong("'backoff_first_ms' must not be above 'backoff_max_ms', which is " +
                    std::to_string(restart.backoff_max_ns / ms_ns));
}

std::optional<InputError> read_rings(const Reader& read, RingSizes& rings) {
  constexpr std::uint32_t capacity_min = 4096, capacity_max = 1u << 30;
  for (auto [key, capacity] :
       {std::pair{"request_capacity", &rings.request_capacity}, {"reply_capacity", &rings.reply_capacity}}) {
    if (auto e = read.number(key, capacity_max, *capacity)) return e;
    if (*capacity == 0 || (*capacity >= capacity_min && std::has_single_bit(*capacity))) continue;
    const std::uint32_t near = std::clamp(std::bit_ceil(*capacity), capacity_min, capacity_max);
    return read.wrong("'" + std::string(key) + "' must be a power of two from 4096 to 1073741824 bytes; did you mean " +
                      std::to_string(near) + "?");
  }
  return std::nullopt;
}

constexpr std::int64_t budget_max_ms = time_budget_max_ns / ms_ns;
constexpr std::int64_t budget_min_ms = time_budget_min_ns / ms_ns;

// A message type of a manifest, where it stands.
struct TypeNamed {
  std::string name;
  std::size_t line = 0;
};

std::optional<InputError> read_budget(const Reader& read, const toml::node& node, const std::string& key, TimeNs& ns) {
  const auto value = node.value_exact<std::int64_t>();
  if (!value || *value < budget_min_ms || *value > budget_max_ms) {
    return read.wrong("line " + std::to_string(node.source().begin.line) + ": '" + printable(key) +
                      "' must be a number from " + std::to_string(budget_min_ms) + " to " +
                      std::to_string(budget_max_ms));
  }
  ns = *value * ms_ns;
  return std::nullopt;
}

// Its keys are message types: "space.Table" = 5, or space.Table = 5, which is a table in a table.
std::optional<InputError> read_types(const Reader& read, const toml::table& table, const std::string& space,
                                     TimeBudgets& budgets, std::vector<TypeNamed>& names) {
  for (const auto& [key, value] : table) {
    const std::string name = space + std::string(key.str());
    if (const auto* inner = value.as_table(); inner != nullptr) {
      if (auto e = read_types(read, *inner, name + ".", budgets, names)) return e;
      continue;
    }
    const std::size_t line = key.source().begin.line;
    if (!is_message_name(name)) {
      return read.wrong("line " + std::to_string(line) + ": '" + printable(name) +
                        "' is no message type: name the table of the schema, with its namespace");
    }
    TimeBudgets::OfType one{type_id(name), 0};
    if (auto e = read_budget(read, value, name, one.ns)) return e;
    budgets.of_types.push_back(one);
    names.push_back({name, line});
  }
  return std::nullopt;
}

std::optional<InputError> read_budgets(const Reader& read, TimeBudgets& budgets, std::vector<TypeNamed>& names) {
  if (const auto* node = read.table.get("budget_ms"); node != nullptr) {
    if (auto e = read_budget(read, *node, "budget_ms", budgets.each_ns)) return e;
  }
  const auto* node = read.table.get("budgets_ms");
  if (node == nullptr) return std::nullopt;
  const auto* types = node->as_table();
  if (types == nullptr) return read.wrong("'budgets_ms' must be a table: [budgets_ms], then \"space.Message\" = 100");
  if (auto e = read_types(read, *types, "", budgets, names)) return e;
  if (budgets.of_types.size() <= time_budgets_max) return std::nullopt;
  return read.wrong("'budgets_ms' may hold " + std::to_string(time_budgets_max) + " types: give 'budget_ms' for all");
}

// Where the pit's file can be read, it must handle what has a budget: a budget for nothing is a mistake.
std::optional<InputError> check_types(const std::string& label, const std::string& file,
                                      const std::vector<TypeNamed>& names) {
  pit::PitFile found;
  if (names.empty() || !pit::read_any_pit(file, found).ok() || found.notes.empty()) return std::nullopt;
  std::vector<std::uint32_t> types;
  for (const auto& note : found.notes) {
    for (const auto& message : note.info.messages) types.push_back(message.type);
  }
  for (const TypeNamed& one : names) {
    if (std::find(types.begin(), types.end(), type_id(one.name)) != types.end()) continue;
    const std::string near = message_name_near(one.name, found.notes.front().info.name, types);
    return InputError{
        InputFault::malformed,
        printable(label) + ": line " + std::to_string(one.line) + ": the pit handles no '" + printable(one.name) +
            "'; " + (near.empty() ? "name a table of its schema, with its namespace" : "did you mean '" + near + "'?")};
  }
  return std::nullopt;
}

// Where the pit's file can be read, the manifest must let it call whom it needs: no call of it would be answered else.
std::optional<InputError> check_needs(const std::string& label, const PitConfig& pit) {
  pit::PitFile found;
  if (!pit::read_any_pit(pit.args[0], found).ok() || found.notes.empty()) return std::nullopt;
  for (const std::string& need : found.notes.front().info.needs) {
    if (std::find(pit.calls.begin(), pit.calls.end(), need) != pit.calls.end()) continue;
    return InputError{InputFault::malformed, printable(label) + ": the pit needs '" + printable(need) +
                                                 "', which it may not call; add it: calls = [\"" + printable(need) +
                                                 "\"]"};
  }
  return std::nullopt;
}

// `names`: the message types that have a budget.
InputResult<PitConfig> parse(std::string_view text, const std::string& label, std::vector<TypeNamed>& names);

}  // namespace

InputResult<PitConfig> parse_manifest(std::string_view text, const std::string& label) {
  std::vector<TypeNamed> names;
  return parse(text, label, names);
}

namespace {

InputResult<PitConfig> parse(std::string_view text, const std::string& label, std::vector<TypeNamed>& names) {
  toml::table table;
  try {
    table = toml::parse(text, label);
  } catch (const toml::parse_error& e) {
    return InputError{InputFault::malformed, printable(label) + ": line " + std::to_string(e.source().begin.line) +
                                                 ": " + printable(e.description(), 200)};
  }
  const Reader read{table, label};
  if (auto error = read.unknown_key()) return *std::move(error);
  PitConfig pit;
  std::string trust = "cooperative";
  if (auto e = read.text("name", true, pit.name)) return *std::move(e);
  std::string file;
  if (auto e = read.text("file", false, file)) return *std::move(e);
  if (auto e = read.text("executable", false, pit.executable)) return *std::move(e);
  if (file.empty() && pit.executable.empty())
    return read.wrong("the key 'file' is missing; add file = \"/path/to/pit.so\"");
  if (!file.empty() && (!pit.executable.empty() || table.contains("args")))
    return read.wrong("'file' is a pit for symphony-pit-host; leave out 'executable' and 'args', or 'file'");
  if (auto e = read.text("config", false, pit.config)) return *std::move(e);
  if (auto e = read.text("trust", false, trust)) return *std::move(e);
  if (trust == "trusted") {
    pit.trust = Trust::trusted;
  } else if (trust == "hostile") {
    pit.trust = Trust::hostile;
  } else if (trust != "cooperative") {
    return read.wrong("'trust' must be trusted, cooperative or hostile");
  }
  std::string waiting(name_of(pit.waiting));
  std::string placement(name_of(pit.placement));
  if (auto e = read.text("waiting", false, waiting)) return *std::move(e);
  if (auto e = read.text("placement", false, placement)) return *std::move(e);
  if (!waiting_of(waiting)) return read.wrong("'waiting' must be adaptive, spin or sleep");
  if (!placement_of(placement)) return read.wrong("'placement' must be auto, same_core or other_core");
  pit.waiting = *waiting_of(waiting);
  pit.placement = *placement_of(placement);
  if (auto e = read.texts("args", pit.args)) return *std::move(e);
  if (auto e = read.texts("calls", pit.calls)) return *std::move(e);
  if (auto e = read.texts("callers", pit.callers)) return *std::move(e);
  for (const std::string& who : pit.callers) {
    if (who == "programs" || (who.starts_with("pit:") && who.size() > 4)) continue;
    return read.wrong("'callers' has '" + printable(who) + "': say \"programs\" or \"pit:NAME\"");
  }
  if (auto e = read_sandbox(read, file, pit)) return *std::move(e);
  if (!file.empty()) {
    pit.executable = find_program(pit_host_program);
    if (pit.executable.empty()) return read.wrong("symphony-pit-host is not beside this program: install it whole");
    pit.args = {std::move(file)};
  }
  if (auto e = read_restart(read, pit)) return *std::move(e);
  if (auto e = read_rings(read, pit.rings)) return *std::move(e);
  if (auto e = read.number("instances", instances_max, pit.instances)) return *std::move(e);
  if (!may_be_named(pit.name, pit.instances))
    return read.wrong("'name' has 1 to 63 of a-z, 0-9, _, - and ., those of its further instances (name.1) too");
  if (auto e = read_state(read, pit.state)) return *std::move(e);
  if (auto e = read_budgets(read, pit.budgets, names)) return *std::move(e);
  return pit;
}

}  // namespace

InputResult<PitConfig> read_manifest(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const int why = file.is_open() ? EIO : errno;
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file.is_open() || file.bad()) {
    return InputError{InputFault::no_such_file,
                      printable(path) + ": cannot be read: " + std::strerror(why) + "; name a manifest that exists"};
  }
  std::vector<TypeNamed> names;
  auto pit = parse(text, path, names);
  // A path without a leading / is seen from the manifest, not from where the broker happens to be started.
  const auto folder = path.rfind('/');
  const auto from_manifest = [&](std::string& name) {
    if (name.front() != '/' && folder != std::string::npos) name.insert(0, path, 0, folder + 1);
  };
  if (pit) from_manifest(pit->executable);
  if (pit && !pit->state.folder.empty()) {
    from_manifest(pit->state.folder);
    pit->state.folder = std::filesystem::absolute(pit->state.folder).lexically_normal();
  }
  if (pit && pit->executable == find_program(pit_host_program) && pit->args.size() == 1) {
    from_manifest(pit->args[0]);
    if (auto e = check_types(path, pit->args[0], names)) return *std::move(e);
    if (auto e = check_needs(path, *pit)) return *std::move(e);
  }
  return pit;
}

}  // namespace symphony::tools
