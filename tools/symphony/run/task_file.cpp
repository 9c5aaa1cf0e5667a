#include "tools/symphony/run/task_file.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "tools/symphony/suggestion.hpp"
#include "tools/symphony/whole_file.hpp"

namespace symphony::tools {
namespace {

constexpr std::uint64_t task_file_size_max = std::uint64_t{1} << 30;
constexpr std::array<std::string_view, 2> file_keys{"pools", "task"};
constexpr std::array<std::string_view, 2> pool_keys{"amount", "units"};
constexpr std::array<std::string_view, 11> task_keys{"id",     "command", "directory", "needs",          "cpu",
                                                     "wants",  "when",    "retries",   "retry_delay_ms", "environment",
                                                     "outputs"};

using Failure = std::optional<InputError>;

// JSON in the shape that TOML is read into; null becomes false, which no key takes.
// What is nested deeper than any key here is, is cut off, so that a file cannot use up the stack.
constexpr int depth_max = 8;
void add_json(const nlohmann::json& value, toml::array& list, int depth);
toml::table table_of(const nlohmann::json& object, int depth) {
  toml::table table;
  for (const auto& [key, value] : object.items()) {
    toml::array one;
    add_json(value, one, depth + 1);
    one[0].visit([&table, &name = key](auto& node) { table.insert_or_assign(name, std::move(node)); });
  }
  return table;
}
void add_json(const nlohmann::json& value, toml::array& list, int depth) {
  if (depth > depth_max) {
    list.push_back(false);
  } else if (value.is_object()) {
    list.push_back(table_of(value, depth));
  } else if (value.is_array()) {
    toml::array inner;
    for (const auto& one : value) add_json(one, inner, depth + 1);
    list.push_back(std::move(inner));
  } else if (value.is_string()) {
    list.push_back(value.get<std::string>());
  } else if (value.is_number_unsigned()) {
    const auto number = value.get<std::uint64_t>();
    list.push_back(number > static_cast<std::uint64_t>(INT64_MAX) ? INT64_MAX : static_cast<std::int64_t>(number));
  } else if (value.is_number_integer()) {
    list.push_back(value.get<std::int64_t>());
  } else if (value.is_number_float()) {
    list.push_back(value.get<double>());
  } else {
    list.push_back(value.is_boolean() && value.get<bool>());
  }
}

class Reader {
 public:
  Reader(const toml::table& root, const std::string& label) : root_(root), label_(label) {}

  InputResult<Work> read() {
    if (auto e = keys_of(root_, file_keys, "")) return *std::move(e);
    if (auto e = read_pools()) return *std::move(e);
    if (auto e = read_tasks()) return *std::move(e);
    if (auto e = read_needs()) return *std::move(e);
    return std::move(work_);
  }

 private:
  [[nodiscard]] InputError wrong(const toml::node& at, const std::string& place, const std::string& what,
                                 InputFault fault = InputFault::malformed) const {
    const auto line = at.source().begin.line;
    std::string text = printable(label_) + ": ";
    if (line != 0) text += "line " + std::to_string(line) + ": ";
    if (!place.empty()) text += place + ": ";
    return {fault, text + what};
  }
  template <class Known>
  Failure keys_of(const toml::table& table, const Known& known, const std::string& place) const {
    for (const auto& [key, value] : table) {
      const std::string_view name = key.str();
      if (std::find(known.begin(), known.end(), name) != known.end()) continue;
      std::string text = printable(label_) + ": ";
      if (key.source().begin.line != 0) text += "line " + std::to_string(key.source().begin.line) + ": ";
      if (!place.empty()) text += place + ": ";
      return InputError{InputFault::malformed, text + "unknown key '" + printable(name) + "'; did you mean '" +
                                                   std::string(nearest_to(name, known)) + "'?"};
    }
    return std::nullopt;
  }
  Failure text(const toml::table& table, std::string_view key, bool required, const std::string& place,
               std::string& out) const {
    const toml::node* node = table.get(key);
    if (node == nullptr) {
      if (!required) return std::nullopt;
      return wrong(table, place,
                   "the key '" + std::string(key) + "' is missing; add " + std::string(key) + " = \"...\"");
    }
    const auto value = node->value_exact<std::string>();
    if (!value || value->empty()) return wrong(*node, place, "'" + std::string(key) + "' must be a text, not empty");
    if (value->find('\0') != std::string::npos)
      return wrong(*node, place, "'" + std::string(key) + "' has a zero byte");
    out = *value;
    return std::nullopt;
  }
  Failure number(const toml::table& table, std::string_view key, std::int64_t min, std::int64_t max,
                 const std::string& place, std::int64_t& out) const {
    const toml::node* node = table.get(key);
    if (node == nullptr) return std::nullopt;
    const auto value = node->value_exact<std::int64_t>();
    if (!value || *value < min || *value > max) {
      return wrong(*node, place,
                   "'" + std::string(key) + "' must be a whole number from " + std::to_string(min) + " to " +
                       std::to_string(max));
    }
    out = *value;
    return std::nullopt;
  }
  Failure texts(const toml::table& table, std::string_view key, const std::string& place,
                std::vector<std::string>& out) const {
    const toml::node* node = table.get(key);
    if (node == nullptr) return std::nullopt;
    const toml::array* list = node->as_array();
    if (list == nullptr) return wrong(*node, place, "'" + std::string(key) + "' must be a list of texts");
    for (const toml::node& one : *list) {
      const auto value = one.value_exact<std::string>();
      if (!value || value->empty()) {
        return wrong(one, place, "'" + std::string(key) + "' must be a list of texts, none of them empty");
      }
      out.push_back(*value);
    }
    return std::nullopt;
  }

  Failure read_pools() {
    const toml::node* node = root_.get("pools");
    if (node == nullptr) return std::nullopt;
    const toml::table* pools = node->as_table();
    if (pools == nullptr) return wrong(*node, "", "'pools' must be a table: [pools]");
    for (const auto& [key, value] : *pools) {
      const std::string place = "pool '" + printable(key.str()) + "'";
      if (key.str() == "cpu") return wrong(value, place, "the pool cpu is there already; set it with --jobs");
      if (key.str().size() > 63 || key.str().empty()) return wrong(value, place, "a pool's name has 1 to 63 bytes");
      if (work_.pools.size() == Work::pools_max) {
        return wrong(value, place,
                     "more than " + std::to_string(Work::pools_max) + " pools; a lease cannot be of more");
      }
      const toml::table* table = value.as_table();
      if (table == nullptr) return wrong(value, place, "must be { amount = N } or { units = [...] }");
      if (auto e = keys_of(*table, pool_keys, place)) return e;
      if (table->contains("amount") == table->contains("units")) {
        return wrong(*table, place, "give either 'amount' or 'units'");
      }
      WorkPool pool{.name = std::string(key.str())};
      std::int64_t amount = 0;
      if (auto e = number(*table, "amount", 1, std::int64_t{1} << 60, place, amount)) return e;
      if (auto e = texts(*table, "units", place, pool.units)) return e;
      if (table->contains("units") && pool.units.empty()) return wrong(*table, place, "'units' is empty");
      pool.amount = static_cast<std::uint64_t>(amount);
      pool_of_.emplace(pool.name, static_cast<std::uint32_t>(work_.pools.size()));
      work_.pools.push_back(std::move(pool));
    }
    return std::nullopt;
  }

  Failure read_tasks() {
    const toml::node* node = root_.get("task");
    const toml::array* list = node == nullptr ? nullptr : node->as_array();
    if (list == nullptr || list->empty()) {
      return InputError{InputFault::no_tasks,
                        printable(label_) + ": there is no task; add [[task]] with id and command"};
    }
    if (list->size() > Work::tasks_max) {
      return InputError{InputFault::too_large, printable(label_) + ": more than " + std::to_string(Work::tasks_max) +
                                                   " tasks; run parts of it one after the other"};
    }
    work_.tasks.reserve(list->size());
    for (std::size_t i = 0; i < list->size(); ++i) {
      const toml::table* table = (*list)[i].as_table();
      if (table == nullptr) return wrong((*list)[i], "task[" + std::to_string(i) + "]", "must be a table: [[task]]");
      if (auto e = read_task(*table, i)) return e;
    }
    return std::nullopt;
  }

  Failure read_task(const toml::table& table, std::size_t index) {
    std::string place = "task[" + std::to_string(index) + "]";
    WorkTask task;
    if (auto e = keys_of(table, task_keys, place)) return e;
    if (auto e = text(table, "id", true, place, task.id)) return e;
    if (task.id.size() > Work::id_size_max ||
        std::any_of(task.id.begin(), task.id.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; })) {
      return wrong(*table.get("id"), place, "'id' must be one line of at most 255 bytes");
    }
    place = "task '" + printable(task.id) + "'";
    if (!task_of_.emplace(task.id, static_cast<std::uint32_t>(index)).second) {
      return wrong(*table.get("id"), place, "an earlier task has this id; give each its own",
                   InputFault::duplicate_task);
    }
    std::int64_t cpu = 1, retries = 0, delay_ms = 100;
    if (auto e = text(table, "command", true, place, task.command)) return e;
    if (auto e = text(table, "directory", false, place, task.directory)) return e;
    if (auto e = number(table, "cpu", 1, 1024, place, cpu)) return e;
    if (auto e = number(table, "retries", 0, 100, place, retries)) return e;
    if (auto e = read_when(table, place, task)) return e;
    if (auto e = number(table, "retry_delay_ms", 0, 3'600'000, place, delay_ms)) return e;
    if (auto e = texts(table, "outputs", place, task.outputs)) return e;
    if (auto e = read_wants(table, place, task)) return e;
    if (auto e = read_environment(table, place, task)) return e;
    task.cpu = static_cast<std::uint32_t>(cpu);
    task.retries = static_cast<std::uint32_t>(retries);
    task.retry_delay_ns = delay_ms * ms_ns;
    work_.tasks.push_back(std::move(task));
    return std::nullopt;
  }

  Failure read_when(const toml::table& table, const std::string& place, WorkTask& task) const {
    std::string word;
    if (auto e = text(table, "when", false, place, word)) return e;
    constexpr std::array<std::string_view, 4> words{"all_success", "all_done", "one_success", "none_failed"};
    const auto found = std::find(words.begin(), words.end(), word);
    if (!word.empty() && found == words.end()) {
      return wrong(*table.get("when"), place, "'when' must be all_success, all_done, one_success or none_failed");
    }
    if (!word.empty()) task.when = static_cast<When>(found - words.begin());
    return std::nullopt;
  }

  Failure read_wants(const toml::table& table, const std::string& place, WorkTask& task) const {
    const toml::node* node = table.get("wants");
    if (node == nullptr) return std::nullopt;
    const toml::table* wants = node->as_table();
    if (wants == nullptr) return wrong(*node, place, "'wants' must be a table: wants = { POOL = AMOUNT }");
    for (const auto& [key, value] : *wants) {
      const auto found = pool_of_.find(std::string(key.str()));
      if (found == pool_of_.end()) {
        std::vector<std::string_view> names;
        for (const WorkPool& pool : work_.pools) names.push_back(pool.name);
        const std::string_view nearest = nearest_to(key.str(), names);
        return wrong(value, place,
                     "there is no pool '" + printable(key.str()) + "'; " +
                         (nearest.empty() ? "add it under [pools]" : "did you mean '" + printable(nearest) + "'?"));
      }
      std::int64_t amount = 0;
      if (auto e = number(*wants, key.str(), 1, std::int64_t{1} << 60, place + ": wants", amount)) return e;
      const WorkPool& pool = work_.pools[found->second];
      if (static_cast<std::uint64_t>(amount) > pool.capacity()) {
        return wrong(value, place,
                     "wants " + std::to_string(amount) + " of the pool '" + printable(pool.name) + "', which has " +
                         std::to_string(pool.capacity()) + " in all: it could never start; ask for less");
      }
      task.wants.push_back({found->second, static_cast<std::uint64_t>(amount)});
    }
    return std::nullopt;
  }

  Failure read_environment(const toml::table& table, const std::string& place, WorkTask& task) const {
    const toml::node* node = table.get("environment");
    if (node == nullptr) return std::nullopt;
    const toml::table* names = node->as_table();
    if (names == nullptr) return wrong(*node, place, "'environment' must be a table: { NAME = \"value\" }");
    for (const auto& [key, value] : *names) {
      const auto text = value.value_exact<std::string>();
      const std::string_view name = key.str();
      if (!text || name.empty() || name.find_first_of(std::string_view("=\0", 2)) != std::string_view::npos ||
          text->find('\0') != std::string::npos) {
        return wrong(value, place, "'environment' must have names without '=' and texts as values");
      }
      task.environment.push_back(std::string(name) + "=" + *text);
    }
    return std::nullopt;
  }

  // Last, as a task may need one that stands behind it.
  Failure read_needs() {
    const toml::array& list = *root_.get("task")->as_array();
    for (std::size_t i = 0; i < work_.tasks.size(); ++i) {
      WorkTask& task = work_.tasks[i];
      const toml::table& table = *list[i].as_table();
      const std::string place = "task '" + printable(task.id) + "'";
      std::vector<std::string> needs;
      if (auto e = texts(table, "needs", place, needs)) return e;
      for (const std::string& need : needs) {
        const auto found = task_of_.find(need);
        if (found != task_of_.end()) {
          task.needs.push_back(found->second);
          continue;
        }
        std::string_view nearest;
        if (work_.tasks.size() <= 10'000) {  // each is compared letter by letter
          std::vector<std::string_view> ids;
          for (const WorkTask& one : work_.tasks) ids.push_back(one.id);
          nearest = nearest_to(need, ids);
        }
        return wrong(*table.get("needs"), place,
                     "needs '" + printable(need) + "', which is no task" +
                         (nearest.empty() ? "; add it" : std::string("; did you mean '") + printable(nearest) + "'?"),
                     InputFault::unknown_task);
      }
    }
    return std::nullopt;
  }

  const toml::table& root_;
  const std::string& label_;
  Work work_;
  std::unordered_map<std::string, std::uint32_t> pool_of_, task_of_;
};

}  // namespace

InputResult<Work> parse_task_file(std::string_view text, const std::string& label) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) {
    return InputError{InputFault::empty, printable(label) + ": is empty; see docs/run.md for what a task file says"};
  }
  if (text[first] == '{') {
    nlohmann::json json;
    try {
      json = nlohmann::json::parse(text);
    } catch (const nlohmann::json::exception& e) {
      return InputError{InputFault::malformed, printable(label) + ": is not JSON: " + printable(e.what(), 160)};
    }
    const toml::table root = table_of(json, 0);
    return Reader(root, label).read();
  }
  try {
    const toml::table root = toml::parse(text, label);
    return Reader(root, label).read();
  } catch (const toml::parse_error& e) {
    return InputError{InputFault::malformed, printable(label) + ": line " + std::to_string(e.source().begin.line) +
                                                 ": is not TOML: " + printable(e.description(), 160)};
  }
}

InputResult<Work> read_task_file(const std::string& path) {
  auto bytes = read_whole_file(path, task_file_size_max);
  if (!bytes) return bytes.error();
  return parse_task_file({reinterpret_cast<const char*>(bytes->data()), bytes->size()},
                         path == "-" ? "standard input" : path);
}

std::string_view task_file_help() noexcept {
  return "A task file is TOML, or JSON of the same shape:\n"
         "  [pools]\n"
         "  memory = { amount = 8192 }\n"
         "  gpu = { units = [\"gpu0\", \"gpu1\"] }\n"
         "  [[task]]\n"
         "  id = \"link\"              unique\n"
         "  command = \"cc -o a a.o\"  for /bin/sh\n"
         "  needs = [\"compile\"]      tasks that must have succeeded\n"
         "  when = \"all_done\"        or as this says: all_success, all_done, one_success, none_failed\n"
         "  wants = { memory = 512 } of pools, all or nothing; units arrive as $SYMPHONY_UNITS_GPU\n"
         "  cpu = 1, directory = \"...\", retries = 0, retry_delay_ms = 100, environment = {}, outputs = []\n";
}

}  // namespace symphony::tools
