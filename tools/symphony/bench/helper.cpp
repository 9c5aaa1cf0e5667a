#include "tools/symphony/bench/helper.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <symphony/unique_fd.hpp>

namespace symphony::tools {
namespace {

// Until both ends are closed, or the program is gone and what it left is read.
void read_both(int out_fd, int err_fd, std::string& out, std::string& err) {
  pollfd fds[2] = {{out_fd, POLLIN, 0}, {err_fd, POLLIN, 0}};
  std::string* texts[2] = {&out, &err};
  while (fds[0].fd >= 0 || fds[1].fd >= 0) {
    if (::poll(fds, 2, -1) < 0 && errno != EINTR) return;
    for (int i = 0; i < 2; ++i) {
      if (fds[i].fd < 0 || fds[i].revents == 0) continue;
      char some[4096];
      const ssize_t size = ::read(fds[i].fd, some, sizeof some);
      if (size > 0) {
        texts[i]->append(some, static_cast<std::size_t>(size));
      } else if (size == 0 || errno != EINTR) {
        fds[i].fd = -1;
      }
    }
  }
}

std::string last_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  const auto line = text.rfind('\n');
  return line == std::string::npos ? text : text.substr(line + 1);
}

}  // namespace

Printed run_helper(const std::vector<std::string>& arguments) {
  Printed printed;
  const std::string name = arguments[0].substr(arguments[0].rfind('/') + 1);
  int out[2] = {-1, -1};
  int err[2] = {-1, -1};
  if (::pipe2(out, O_CLOEXEC) != 0 || ::pipe2(err, O_CLOEXEC) != 0) {
    printed.fault = name + ": no descriptors left; raise the limit";
    return printed;
  }
  UniqueFd ends[4] = {UniqueFd(out[0]), UniqueFd(out[1]), UniqueFd(err[0]), UniqueFd(err[1])};
  std::vector<char*> words;
  for (const std::string& word : arguments) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // survives exec
    if (::getppid() == parent && ::dup2(out[1], STDOUT_FILENO) >= 0 && ::dup2(err[1], STDERR_FILENO) >= 0) {
      ::execv(words[0], words.data());
    }
    ::_exit(127);
  }
  ends[1].reset();
  ends[3].reset();
  if (pid < 0) {
    printed.fault = name + ": no process left";
    return printed;
  }
  std::string errors;
  read_both(ends[0].get(), ends[2].get(), printed.out, errors);
  while (::waitpid(pid, &printed.status, 0) < 0 && errno == EINTR) {
  }
  printed.last_line = last_line(errors);
  if (WIFSIGNALED(printed.status)) {
    printed.fault = name + " was killed by signal " + std::to_string(WTERMSIG(printed.status)) + " (" +
                    ::strsignal(WTERMSIG(printed.status)) + ")";
  } else if (printed.status != 0) {
    printed.fault = printed.last_line;
    if (printed.fault.find(name) == std::string::npos) {
      printed.fault = name + " ended with status " + std::to_string(WEXITSTATUS(printed.status)) +
                      (printed.fault.empty() ? "" : ": " + printed.fault);
    }
  }
  return printed;
}

}  // namespace symphony::tools
