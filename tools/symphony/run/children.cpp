#include "tools/symphony/run/children.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace symphony::tools {
namespace {

constexpr unsigned rounds_max = 10'000;  // what makes children faster than they can be killed is left to its fate

pid_t parent_of(const char* pid) {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  char text[512];
  const ssize_t size = read(fd, text, sizeof text - 1);
  close(fd);
  if (size <= 0) return 0;
  text[size] = '\0';
  const char* behind = std::strrchr(text, ')');  // a name may hold anything
  int parent = 0;
  return behind != nullptr && std::sscanf(behind + 1, " %*c %d", &parent) == 1 ? parent : 0;
}

}  // namespace

bool adopt_orphans() noexcept { return prctl(PR_SET_CHILD_SUBREAPER, 1) == 0; }

std::vector<pid_t> children_of_this() {
  std::vector<pid_t> found;
  DIR* folder = opendir("/proc");
  if (folder == nullptr) return found;
  while (const dirent* entry = readdir(folder)) {
    if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
    if (parent_of(entry->d_name) == getpid()) found.push_back(std::atoi(entry->d_name));
  }
  closedir(folder);
  return found;
}

unsigned end_children_except(const std::vector<pid_t>& keep) {
  unsigned killed = 0;
  for (unsigned round = 0; round < rounds_max; ++round) {
    bool found = false;
    for (const pid_t child : children_of_this()) {
      if (std::find(keep.begin(), keep.end(), child) != keep.end()) continue;
      found = true;
      kill(child, SIGKILL);
      ++killed;
      while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
      }
    }
    if (!found) break;
  }
  return killed;
}

}  // namespace symphony::tools
