#include "bench/recovery/others.hpp"

#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

#include "bench/recovery/party.hpp"

namespace symphony::bench::recovery {
namespace {

// Of one process, in ticks; 0 when it is gone. `reaped`: with those of its children that were waited for.
long long ticks_of(pid_t pid, bool reaped) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  std::getline(file, line);
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return 0;
  std::istringstream rest(line.substr(name_end + 2));
  std::string skipped;
  constexpr int before_utime = 11;
  for (int i = 0; i < before_utime; ++i) rest >> skipped;
  long long user = 0, system = 0, children_user = 0, children_system = 0;
  rest >> user >> system >> children_user >> children_system;
  return user + system + (reaped ? children_user + children_system : 0);
}

}  // namespace

TimeNs taken_by_others(pid_t daemon) {
  std::ifstream file("/proc/stat");
  std::string cpu;
  long long user = 0, nice = 0, system = 0, idle = 0, waiting = 0, irq = 0, softirq = 0, steal = 0;
  if (!(file >> cpu >> user >> nice >> system >> idle >> waiting >> irq >> softirq >> steal)) {
    give_up("/proc/stat", "cannot be read");
  }
  long long ours = ticks_of(::getpid(), false) + ticks_of(daemon, true);
  const std::string id = std::to_string(daemon);
  std::ifstream children("/proc/" + id + "/task/" + id + "/children");
  for (pid_t pid = 0; children >> pid;) ours += ticks_of(pid, false);
  const long long busy = user + nice + system + irq + softirq + steal;
  return (busy - ours) * (second_ns / ::sysconf(_SC_CLK_TCK));
}

}  // namespace symphony::bench::recovery
