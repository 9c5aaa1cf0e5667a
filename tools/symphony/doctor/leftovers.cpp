#include "tools/symphony/doctor/leftovers.hpp"

#include <poll.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <vector>

namespace symphony::tools::doctor {
namespace {

namespace fs = std::filesystem;

constexpr int grace_ms = 500;  // a keeper whose program died ends its pits, then itself

struct Process {
  pid_t pid = 0;
  pid_t parent = 0;
  std::string start;  // its time of start: a number that comes again is another process
  std::string program;
  friend bool operator==(const Process&, const Process&) = default;
};

std::string all_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Field n of /proc/PID/stat, counted from 1 behind the name in brackets, which may hold anything.
std::string stat_field(const std::string& stat, int n) {
  std::size_t at = stat.rfind(") ");
  for (; at != std::string::npos && n > 0; --n) at = stat.find(' ', at + 1);
  if (at == std::string::npos) return {};
  return stat.substr(at + 1, stat.find(' ', at + 1) - at - 1);
}

// A keeper, or what a keeper started: its environment says so. Of other users nothing is seen.
std::optional<Process> process_of_ours(const fs::path& folder) {
  const std::string number = folder.filename().string();
  Process out;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), out.pid);
  if (error != std::errc{} || end != number.data() + number.size()) return std::nullopt;
  std::error_code unseen;
  const fs::path program = fs::read_symlink(folder / "exe", unseen);
  if (unseen) return std::nullopt;
  out.program = program.filename().string();
  const std::string environment = '\0' + all_of(folder / "environ");
  const bool is_pit = environment.find(std::string("\0SYMPHONY_PIT_INSTANCE=", 23)) != std::string::npos;
  if (!is_pit && !out.program.starts_with("symphony-keeper")) return std::nullopt;
  const std::string stat = all_of(folder / "stat");
  const std::string parent = stat_field(stat, 2);
  if (std::from_chars(parent.data(), parent.data() + parent.size(), out.parent).ec != std::errc{}) return std::nullopt;
  out.start = stat_field(stat, 20);
  return out;
}

bool is_nobodys_child(const Process& p, const fs::path& proc) {
  return p.parent == 1 || all_of(proc / std::to_string(p.parent) / "comm").starts_with("systemd");
}

std::vector<Process> orphans(const fs::path& proc) {
  std::vector<Process> out;
  std::error_code gone;
  for (auto entry = fs::directory_iterator(proc, gone); entry != fs::directory_iterator(); entry.increment(gone)) {
    const auto process = process_of_ours(entry->path());
    if (process && is_nobodys_child(*process, proc)) out.push_back(*process);
    if (gone) break;
  }
  return out;
}

}  // namespace

Findings look_for_leftovers(const std::string& proc) {
  std::vector<Process> left = orphans(proc);
  if (!left.empty()) {
    (void)::poll(nullptr, 0, grace_ms);
    const std::vector<Process> now = orphans(proc);
    std::erase_if(left, [&](const Process& p) { return std::find(now.begin(), now.end(), p) == now.end(); });
  }
  if (left.empty()) return {{"leftovers", "processes", Health::ok, "none", ""}};
  Findings out;
  for (const Process& p : left) {
    out.push_back(
        {"leftovers", "process " + std::to_string(p.pid), Health::bad, p.program,
         "its program died and it lives on, which is a fault of ours: report it, then kill " + std::to_string(p.pid)});
  }
  return out;
}

}  // namespace symphony::tools::doctor
