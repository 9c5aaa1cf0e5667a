#include "bus/broker/oom_kills.hpp"

#include <fstream>
#include <vector>

namespace symphony::detail::broker {
namespace {

std::optional<std::uint64_t> oom_kills_in(const std::string& path) {
  std::ifstream file(path);
  std::string key;
  for (std::uint64_t value = 0; file >> key >> value;) {
    if (key == "oom_kill") return value;
  }
  return std::nullopt;
}

// "4:memory:/a/b" and "0::/a/b": the group by version 1 and by version 2.
std::vector<std::string> counters_of_own_group(const std::string& root) {
  std::vector<std::string> out;
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const std::string group = line.substr(second + 1);
    if (controllers.find(",memory,") != std::string::npos) {
      out.push_back(root + "/sys/fs/cgroup/memory" + group + "/memory.oom_control");
    } else if (controllers == ",,") {
      out.push_back(root + "/sys/fs/cgroup" + group + "/memory.events");
    }
  }
  return out;
}

}  // namespace

OomKills::OomKills(const std::string& root) {
  for (std::string& path : counters_of_own_group(root)) {
    const auto found = oom_kills_in(path);
    if (!found) continue;
    path_ = std::move(path);
    seen_ = *found;
    return;
  }
}

std::optional<std::uint64_t> OomKills::count() const { return path_.empty() ? std::nullopt : oom_kills_in(path_); }

bool OomKills::one_more() {
  const auto now = count();
  if (!now || *now <= seen_) return false;
  ++seen_;
  return true;
}

}  // namespace symphony::detail::broker
