#include "tests/soak/processes.hpp"

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace symphony::soak {
namespace {

UniqueFd pidfd_of(pid_t pid) { return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); }

bool is_readable(int fd, TimeNs timeout_ns) {
  for (const TimeNs deadline = deadline_after(timeout_ns);;) {
    const TimeNs left = deadline - now_ns();
    pollfd one{fd, POLLIN, 0};
    if (::poll(&one, 1, left <= 0 ? 0 : static_cast<int>(left / ms_ns) + 1) > 0) return true;
    if (left <= 0) return false;
  }
}

// Its name, and its parent; false: it is gone.
bool look_at(pid_t pid, std::string& name, pid_t& parent) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  if (!std::getline(file, line)) return false;
  const auto begin = line.find('('), end = line.rfind(')');
  if (begin == std::string::npos || end == std::string::npos) return false;
  name = line.substr(begin + 1, end - begin - 1);
  char state = 0;
  return std::sscanf(line.c_str() + end + 1, " %c %d", &state, &parent) == 2;
}

}  // namespace

bool Child::wait(TimeNs timeout_ns, int& status) {
  if (!is_readable(pidfd.get(), timeout_ns)) return false;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return true;
}

Child spawn(const std::vector<std::string>& words, const std::string& errors) {
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, errors.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  Child child;
  if (::posix_spawn(&child.pid, argv[0], &actions, nullptr, argv.data(), environ) == 0)
    child.pidfd = pidfd_of(child.pid);
  ::posix_spawn_file_actions_destroy(&actions);
  return child;
}

void Held::signal(int number) const noexcept { ::syscall(SYS_pidfd_send_signal, pidfd.get(), number, nullptr, 0); }

bool Held::dies_within(TimeNs timeout_ns) const noexcept { return is_readable(pidfd.get(), timeout_ns); }

Held child_of(pid_t parent, const char* name) {
  const std::string id = std::to_string(parent);
  std::ifstream children("/proc/" + id + "/task/" + id + "/children");
  for (pid_t pid = 0; children >> pid;) {
    std::string its_name;
    pid_t its_parent = 0;
    if (!look_at(pid, its_name, its_parent) || its_name != name) continue;
    Held held{pid, pidfd_of(pid)};
    // Looked at again, now that the number cannot become another's.
    if (held && look_at(pid, its_name, its_parent) && its_parent == parent && !is_readable(held.pidfd.get(), 0)) {
      return held;
    }
  }
  return {};
}

void pause_us(std::uint32_t us) noexcept {
  const timespec time{us / 1'000'000, static_cast<long>(us % 1'000'000) * 1000};
  (void)::ppoll(nullptr, 0, &time, nullptr);
}

}  // namespace symphony::soak
