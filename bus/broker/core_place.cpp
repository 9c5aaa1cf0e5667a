#include "bus/broker/core_place.hpp"

#include <filesystem>
#include <fstream>

namespace symphony::detail::broker {

std::string core_place(std::string_view pattern, bool adds_pid, const std::string& folder, pid_t pid, int signal) {
  if (pattern.empty()) return {};
  if (pattern.front() == '|') return "given to " + std::string(pattern.substr(1, pattern.find(' ') - 1));
  std::string out;
  bool has_pid = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '%') {
      out += pattern[i];
      continue;
    }
    const char what = ++i < pattern.size() ? pattern[i] : '\0';
    switch (what) {
      case '\0':
        break;  // the kernel drops it
      case '%':
        out += '%';
        break;
      case 'p':
        out += std::to_string(pid);
        has_pid = true;
        break;
      case 's':
        out += std::to_string(signal);
        break;
      default:
        out += '*';
    }
  }
  if (adds_pid && !has_pid) out += "." + std::to_string(pid);
  return !out.empty() && out.front() == '/' ? out : folder + "/" + out;
}

std::string core_place(pid_t pid, int signal) {
  std::string pattern;
  std::getline(std::ifstream("/proc/sys/kernel/core_pattern"), pattern);
  int adds_pid = 0;
  std::ifstream("/proc/sys/kernel/core_uses_pid") >> adds_pid;
  std::error_code failed;
  return core_place(pattern, adds_pid != 0, std::filesystem::current_path(failed).string(), pid, signal);
}

}  // namespace symphony::detail::broker
