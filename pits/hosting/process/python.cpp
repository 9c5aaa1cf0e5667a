#include "pits/hosting/process/python.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <system_error>

#include <symphony/type_id.hpp>
#include <symphony/unique_fd.hpp>

namespace symphony::pit {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t note_text_max = 1 << 20;
constexpr const char* debian_python = "/usr/bin/python3";
constexpr const char* runs_pit =
    "import sys; sys.path.pop(0); from symphony_ipc import _host; sys.exit(_host.main(sys.argv[1]))";

fs::path beside_program(std::initializer_list<const char*> places) {
  std::error_code ignored;
  const auto self = fs::read_symlink("/proc/self/exe", ignored);
  for (const char* place : places) {
    auto found = (self.parent_path() / place).lexically_normal();
    if (!self.empty() && fs::exists(found, ignored)) return found;
  }
  return {};
}

// The folder that holds the package symphony_ipc: of a build tree, or of an installation.
fs::path package_folder() {
  const auto found = beside_program({"../python/symphony_ipc", "../lib/symphony/python/symphony_ipc"});
  return found.empty() ? found : found.parent_path();
}

std::string interpreter() {
  if (const char* const chosen = std::getenv("SYMPHONY_PYTHON"); chosen != nullptr && *chosen != '\0') return chosen;
  const char* const path = std::getenv("PATH");
  std::string_view folders = path != nullptr ? path : "";
  while (!folders.empty()) {
    const std::size_t end = std::min(folders.find(':'), folders.size());
    const std::string program = std::string(folders.substr(0, end)) + "/python3";
    if (program.front() == '/' && ::access(program.c_str(), X_OK) == 0) return program;
    folders.remove_prefix(std::min(end + 1, folders.size()));
  }
  return debian_python;
}

Outcome no_package() {
  return {SYMPHONY_UNREACHABLE, "the Python package symphony_ipc is not beside this program: install the whole tree"};
}

Outcome no_interpreter(const std::string& program, int why) {
  return {SYMPHONY_UNREACHABLE, "the interpreter " + program + " cannot be run: " + std::strerror(why) +
                                    "; install python3, or set SYMPHONY_PYTHON to its path"};
}

std::optional<std::uint32_t> number_of(std::string_view text) {
  std::uint32_t number = 0;
  const auto [at, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  return failed == std::errc{} && at == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

// One line a fact, as symphony_ipc/_note.py prints them. False: no such fact.
bool read_fact(std::string_view line, NoteFields& fields) {
  const std::size_t space = std::min(line.find(' '), line.size());
  const std::string_view key = line.substr(0, space);
  const std::string_view value = line.substr(std::min(space + 1, line.size()));
  if (key == "name") return fields.name = value, true;
  if (key == "version") return fields.version = value, true;
  if (key == "need") return fields.needs.push_back(value), true;
  if (key == "message") {
    constexpr std::array<std::string_view, 3> effects{"once", "read", "idempotent"};
    const std::size_t end = std::min(value.find(' '), value.size());
    for (std::uint32_t effect = 0; effect < effects.size(); ++effect) {
      if (value.substr(0, end) != effects[effect]) continue;
      fields.messages.push_back({type_id(value.substr(std::min(end + 1, value.size()))), effect});
      return true;
    }
    return false;
  }
  const auto number = number_of(value);
  if (!number) return false;
  if (key == "reply_size_max") return fields.reply_size_max = *number, true;
  if (key == "state_revision") return fields.state_revision = *number, true;
  if (key == "state_revision_min") return fields.state_revision_min = *number, true;
  return false;
}

// What the program says on both its outputs; its exit status, or -1.
int said_by(const std::vector<std::string>& words, std::string& said, int& why) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return why = errno, -1;
  const UniqueFd reads(ends[0]);
  UniqueFd writes(ends[1]);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, writes.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, writes.get(), STDERR_FILENO);
  std::vector<char*> pointers;
  for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  pid_t child = -1;
  why = ::posix_spawn(&child, pointers[0], &actions, nullptr, pointers.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (why != 0) return -1;
  writes = UniqueFd();
  std::array<char, 4096> chunk{};
  for (ssize_t size = 0; (size = ::read(reads.get(), chunk.data(), chunk.size())) != 0;) {
    if (size < 0 && errno != EINTR) break;
    if (size > 0 && said.size() < note_text_max) said.append(chunk.data(), static_cast<std::size_t>(size));
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

bool is_python_pit(std::string_view path) noexcept { return path.ends_with(".py"); }

Outcome become_python_pit(const std::string& path) {
  const fs::path folder = package_folder();
  if (folder.empty()) return no_package();
  const char* const others = std::getenv("PYTHONPATH");
  const std::string search = folder.string() + (others != nullptr && *others != '\0' ? ":" + std::string(others) : "");
  ::setenv("PYTHONPATH", search.c_str(), 1);
  const auto library = beside_program({"../lib/libsymphony.so.1", "../" SYMPHONY_LIBRARY_FOLDER "/libsymphony.so.1"});
  if (!library.empty()) ::setenv("SYMPHONY_LIBRARY", library.c_str(), 0);
  const std::string program = interpreter();
  ::execl(program.c_str(), "python3", "-c", runs_pit, path.c_str(), nullptr);
  return no_interpreter(program, errno);
}

Outcome read_python_pit(const std::string& path, PitFile& out) {
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) {
    return {SYMPHONY_UNREACHABLE, path + ": there is no such file; name the .py of a pit"};
  }
  const fs::path folder = package_folder();
  if (folder.empty()) return no_package();
  const std::string program = interpreter();
  std::string said;
  int why = 0;
  // Its text is data here: isolated, without what is installed, and nothing of it is imported.
  const int status =
      said_by({program, "-I", "-S", "-B", (folder / "symphony_ipc" / "_note.py").string(), path}, said, why);
  if (status < 0 || status == 127) return no_interpreter(program, why);
  if (status != 0) {
    const std::size_t end = said.find_last_not_of('\n');
    const std::string line = said.substr(0, end + 1);
    return {SYMPHONY_BAD_MESSAGE, line.substr(line.rfind('\n') + 1)};
  }
  NoteFields fields;
  fields.abi_major = SYMPHONY_ABI_MAJOR;
  fields.abi_minor = SYMPHONY_ABI_MINOR;
  std::string_view rest = said;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    if (!read_fact(rest.substr(0, end), fields)) {
      return {SYMPHONY_BAD_MESSAGE,
              path + ": its note has a value that no note can have: '" + std::string(rest.substr(0, end)) + "'"};
    }
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  std::sort(fields.messages.begin(), fields.messages.end(),
            [](const auto& a, const auto& b) { return a.type < b.type; });
  out = PitFile();
  out.path = path;
  PitNote& note = out.notes.emplace_back();
  note.build = "python";
  note.exceptions = true;
  Outcome checked = check_note(fields, note.info);
  if (!checked.ok()) checked.text = path + ": " + checked.text;
  return checked;
}

Outcome read_any_pit(const std::string& path, PitFile& out) {
  return is_python_pit(path) ? read_python_pit(path, out) : read_pit_file(path, out);
}

}  // namespace symphony::pit
