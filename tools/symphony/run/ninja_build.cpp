#include "tools/symphony/run/ninja_build.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_map>

#include <symphony/unique_fd.hpp>

namespace symphony::tools {
namespace {

constexpr std::size_t ninja_text_max = std::size_t{1} << 30;

InputError of_ninja(const std::string& folder, const std::string& what) {
  return {InputFault::malformed, printable(folder) + ": " + what};
}

// What `ninja -C folder arguments...` prints.
InputResult<std::string> ninja_says(const std::string& folder, const std::vector<std::string>& arguments) {
  std::vector<std::string> words{"ninja", "-C", folder};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return InputError{InputFault::read_failed, "no pipe for ninja: too many open files"};
  UniqueFd from(ends[0]), to(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, to.get(), 1);
  pid_t ninja = 0;
  const int failed = posix_spawnp(&ninja, "ninja", &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) {
    return of_ninja(folder,
                    std::string("ninja cannot be started (") + std::strerror(failed) + "); install ninja-build");
  }
  to.reset();
  std::string text;
  char buffer[65536];
  bool too_large = false;
  for (;;) {
    const ssize_t got = read(from.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    too_large = text.size() + static_cast<std::size_t>(got) > ninja_text_max;
    if (too_large) break;
    text.append(buffer, static_cast<std::size_t>(got));
  }
  from.reset();
  int status = 0;
  while (waitpid(ninja, &status, 0) < 0 && errno == EINTR) {
  }
  if (too_large) return of_ninja(folder, "ninja prints more than 1 GiB; build a part of it");
  // ninja has said why on stderr, or, before a tool runs, on stdout.
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return of_ninja(folder, "ninja -t " + arguments[1] + " failed: " + printable(text, 300));
  }
  // With -C, ninja says first where it goes.
  constexpr std::string_view entering = "ninja: Entering directory";
  if (text.starts_with(entering)) text.erase(0, text.find('\n') + 1);
  return text;
}

InputResult<std::string> ask_command(const std::string& folder, const std::string& output) {
  auto text = ninja_says(folder, {"-t", "commands", "-s", output});
  while (text && text->ends_with('\n')) text->pop_back();
  return text;
}

// The dot text of `ninja -t graph`: files and steps are nodes, by address.
class Dot {
 public:
  struct Node {
    std::string label;
    bool is_step = false;             // an ellipse: the step's rule is its label
    std::string rule;                 // of a file that a step of one input and one output makes
    std::vector<std::uint32_t> from;  // what it is made of
    std::vector<std::uint32_t> to;
  };
  std::vector<Node> nodes;

  void read(std::string_view text) {
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      line(text.substr(0, end));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  }

 private:
  std::uint32_t node(std::string_view name) {
    const auto [at, is_new] = numbers_.emplace(std::string(name), static_cast<std::uint32_t>(nodes.size()));
    if (is_new) nodes.emplace_back();
    return at->second;
  }
  // `"` of a path is not escaped by ninja: the last one of the line ends the label.
  static std::string label_in(std::string_view line) {
    const std::size_t begin = line.find("label=\"");
    if (begin == std::string_view::npos) return {};
    const std::size_t end = line.rfind('"');
    return std::string(line.substr(begin + 7, end - begin - 7));
  }
  void line(std::string_view line) {
    if (!line.starts_with("\"0x")) return;
    const std::size_t end = line.find('"', 1);
    if (end == std::string_view::npos) return;
    const std::uint32_t first = node(line.substr(1, end - 1));
    const std::string_view rest = line.substr(end + 1);
    if (rest.starts_with(" -> \"")) {
      const std::size_t stop = rest.find('"', 5);
      if (stop == std::string_view::npos) return;
      const std::uint32_t second = node(rest.substr(5, stop - 5));
      nodes[first].to.push_back(second);
      nodes[second].from.push_back(first);
      std::string rule = label_in(rest);
      while (rule.starts_with(' ')) rule.erase(0, 1);
      if (!rule.empty()) nodes[second].rule = std::move(rule);
      return;
    }
    nodes[first].label = label_in(rest);
    nodes[first].is_step = rest.find("shape=ellipse") != std::string_view::npos;
  }
  std::unordered_map<std::string, std::uint32_t> numbers_;
};

struct Command {
  std::string text, directory;
};

class Builder {
 public:
  Builder(Dot& dot, std::unordered_map<std::string, Command>& commands, const std::string& folder,
          InputResult<std::string> (*command_of)(const std::string&, const std::string&))
      : dot_(dot), commands_(commands), folder_(folder), command_of_(command_of) {}

  InputResult<Work> build() {
    task_of_.assign(dot_.nodes.size(), none);
    for (std::uint32_t i = 0; i < dot_.nodes.size(); ++i) {
      const Dot::Node& node = dot_.nodes[i];
      const std::string& rule = node.is_step ? node.label : node.rule;
      if (rule.empty() || rule == "phony") continue;
      if (auto e = add(i, node)) return *std::move(e);
    }
    if (work_.tasks.empty()) {
      return InputError{InputFault::no_tasks, printable(folder_) + ": ninja has nothing to build there; name a target"};
    }
    for (std::uint32_t i = 0; i < dot_.nodes.size(); ++i) {
      if (task_of_[i] != none && is_maker(i)) link(i);
    }
    return std::move(work_);
  }

 private:
  static constexpr std::uint32_t none = 0xFFFFFFFF;
  [[nodiscard]] bool is_maker(std::uint32_t node) const {
    return dot_.nodes[node].is_step || !dot_.nodes[node].rule.empty();
  }

  std::optional<InputError> add(std::uint32_t number, const Dot::Node& node) {
    WorkTask task;
    if (node.is_step) {
      for (const std::uint32_t out : node.to) task.outputs.push_back(dot_.nodes[out].label);
    } else {
      task.outputs.push_back(node.label);
    }
    if (task.outputs.empty())
      return of_ninja(folder_, "a step of the rule '" + printable(node.label) + "' makes nothing");
    // ninja's list names a step by its first output; the graph may have them in another order.
    const auto listed = std::find_if(task.outputs.begin(), task.outputs.end(),
                                     [this](const std::string& out) { return commands_.contains(out); });
    if (listed != task.outputs.end()) {
      std::iter_swap(task.outputs.begin(), listed);
      Command& command = commands_[task.outputs.front()];
      task.command = std::move(command.text);
      task.directory = std::move(command.directory);
    } else {
      auto asked = command_of_(folder_, task.outputs.front());
      if (!asked) return asked.error();
      task.command = *std::move(asked);
      task.directory = folder_;
    }
    if (task.command.empty()) return of_ninja(folder_, "no command makes " + printable(task.outputs.front()));
    task.id = task.outputs.front();
    if (task.id.size() > Work::id_size_max) task.id = "..." + task.id.substr(task.id.size() - 240);
    if (work_.tasks.size() == Work::tasks_max)
      return of_ninja(folder_, "more steps than one run takes; build a part of it");
    const auto index = static_cast<std::uint32_t>(work_.tasks.size());
    task_of_[number] = index;
    for (const std::uint32_t out : node.to) {
      if (node.is_step) task_of_[out] = index;
    }
    work_.tasks.push_back(std::move(task));
    return std::nullopt;
  }

  // The commands behind a step, through files and phony steps.
  void link(std::uint32_t number) {
    WorkTask& task = work_.tasks[task_of_[number]];
    std::vector<std::uint32_t> open(dot_.nodes[number].from);
    std::vector<bool>& seen = seen_;
    seen.assign(dot_.nodes.size(), false);
    while (!open.empty()) {
      const std::uint32_t at = open.back();
      open.pop_back();
      if (seen[at]) continue;
      seen[at] = true;
      if (task_of_[at] != none) {
        task.needs.push_back(task_of_[at]);
      } else {
        open.insert(open.end(), dot_.nodes[at].from.begin(), dot_.nodes[at].from.end());
      }
    }
    std::sort(task.needs.begin(), task.needs.end());
    task.needs.erase(std::unique(task.needs.begin(), task.needs.end()), task.needs.end());
  }

  Dot& dot_;
  std::unordered_map<std::string, Command>& commands_;
  const std::string& folder_;
  InputResult<std::string> (*command_of_)(const std::string&, const std::string&);
  std::vector<std::uint32_t> task_of_;
  std::vector<bool> seen_;
  Work work_;
};

}  // namespace

InputResult<Work> parse_ninja_build(std::string_view compdb, std::string_view graph, const std::string& folder,
                                    InputResult<std::string> (*command_of)(const std::string&, const std::string&)) {
  const auto list = nlohmann::json::parse(compdb, nullptr, false);
  if (!list.is_array()) return of_ninja(folder, "what ninja -t compdb prints is not understood; is it ninja 1.11?");
  std::unordered_map<std::string, Command> commands;
  for (const auto& one : list) {
    if (!one.is_object() || !one.value("output", "").size() || !one.value("command", "").size()) continue;
    commands.emplace(one["output"].get<std::string>(),
                     Command{one["command"].get<std::string>(), one.value("directory", folder)});
  }
  Dot dot;
  dot.read(graph);
  return Builder(dot, commands, folder, command_of).build();
}

InputResult<Work> read_ninja_build(const std::string& folder, const std::vector<std::string>& targets) {
  std::error_code error;
  if (!std::filesystem::exists(std::filesystem::path(folder) / "build.ninja", error)) {
    return InputError{InputFault::no_such_file,
                      printable(folder) + ": has no build.ninja; make it first, for example with cmake -G Ninja"};
  }
  const std::string whole = std::filesystem::absolute(folder, error).string();
  auto compdb = ninja_says(whole, {"-t", "compdb", "-x"});
  if (!compdb) return compdb.error();
  std::vector<std::string> words{"-t", "graph"};
  words.insert(words.end(), targets.begin(), targets.end());
  auto graph = ninja_says(whole, words);
  if (!graph) return graph.error();
  return parse_ninja_build(*compdb, *graph, whole, ask_command);
}

}  // namespace symphony::tools
