// Starting one process the way the keeper needs it: it dies with its parent, and inherits what it is given.
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <map>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bus/broker/keeper.hpp"

namespace symphony::detail::broker::keeper {
namespace {

constexpr int exec_failed = 127;

std::vector<char*> pointers_to(std::vector<std::string>& strings) {
  std::vector<char*> out;
  out.reserve(strings.size() + 1);
  for (auto& s : strings) out.push_back(s.data());
  out.push_back(nullptr);
  return out;
}

// What is inherited, overridden by what was asked for.
std::vector<std::string> environment_of(const SpawnRequest& request) {
  std::map<std::string, std::string> by_name;
  const auto add = [&](const std::string& entry) { by_name[entry.substr(0, entry.find('='))] = entry; };
  for (char** e = request.clear_environment ? nullptr : environ; e != nullptr && *e != nullptr; ++e) add(*e);
  for (const auto& e : request.environment) add(e);
  std::vector<std::string> out;
  out.reserve(by_name.size());
  for (auto& [name, entry] : by_name) out.push_back(std::move(entry));
  return out;
}

// What execve() is given, made before the child is: the child lives in its parent's memory and allocates nothing there.
struct Program {
  explicit Program(const SpawnRequest& request)
      : path(request.executable.c_str()), args(request.args), environment(environment_of(request)) {}

  const char* path;
  std::vector<std::string> args, environment;
  std::vector<char*> argv = pointers_to(args), envp = pointers_to(environment);
};

// `failure` tells the parent why exec failed, or by its end that it did not. Never inlined: the frame of who called
// vfork() is the parent's.
[[noreturn, gnu::noinline]] void become(const Program& program, int socket, std::span<const UniqueFd> inherited,
                                        int failure, int output, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(exec_failed);  // it died before the line above
  // All away from where they go, so that none overwrites another.
  constexpr int above = 64;
  const int failure_fd = first_inherited_fd + static_cast<int>(inherited.size());
  const int high_socket = ::fcntl(socket, F_DUPFD_CLOEXEC, above);
  const int high_failure = ::fcntl(failure, F_DUPFD_CLOEXEC, above);
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  std::array<int, inherited_max> high{};
  bool have_all = high_socket >= 0 && high_failure >= 0 && null >= 0;
  for (std::size_t i = 0; i < inherited.size(); ++i) {
    high.at(i) = ::fcntl(inherited[i].get(), F_DUPFD_CLOEXEC, above);
    have_all = have_all && high.at(i) >= 0;
  }
  int why = EMFILE;
  if (have_all) {
    ::dup2(null, STDIN_FILENO);
    if (output >= 0) ::dup2(output, STDERR_FILENO);
    ::dup2(STDERR_FILENO, STDOUT_FILENO);  // what a pit prints must not end up in the application's output
    ::dup2(high_socket, control_fd);
    for (std::size_t i = 0; i < inherited.size(); ++i) ::dup2(high.at(i), first_inherited_fd + static_cast<int>(i));
    ::dup3(high_failure, failure_fd, O_CLOEXEC);
    ::close_range(static_cast<unsigned>(failure_fd) + 1, ~0U, 0);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::setpgid(0, 0);  // Ctrl-C is for the program in the foreground; it stops its pits in order
    ::execve(program.path, program.argv.data(), program.envp.data());
    why = errno;
    failure = failure_fd;
  }
  while (::write(failure, &why, sizeof(why)) < 0 && errno == EINTR) {
  }
  ::_exit(exec_failed);
}

}  // namespace

void hold_standard_descriptors() noexcept {
  for (int fd = ::open("/dev/null", O_RDWR | O_CLOEXEC); fd >= 0; fd = ::open("/dev/null", O_RDWR | O_CLOEXEC)) {
    if (fd > STDERR_FILENO) {
      ::close(fd);
      return;
    }
    ::fcntl(fd, F_SETFD, 0);
  }
}

result<Process> start_process(const SpawnRequest& request, UniqueFd socket, std::span<const UniqueFd> inherited,
                              int output) {
  if (inherited.size() > inherited_max) return unexpected(errc::invalid_argument, "too many descriptors for a pit");
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return unexpected(errc::out_of_descriptors, "pipe: no descriptors left", errno);
  UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  const pid_t parent = ::getpid();
  const Program program(request);
  // Not fork(): that copies the tables of every page and has the child fault each page it touches, 1 ms of a recovery.
  // The child borrows this process, which stands still until execve(); nobody else runs in it, and its signals have no
  // handlers. Of what the child changes, descriptors, signal mask and process group are its own.
  const pid_t pid = ::vfork();
  if (pid < 0) return unexpected(errc::system, "vfork: the system gives no process", errno);
  if (pid == 0) become(program, socket.get(), inherited, writer.get(), output, parent);
  writer.reset();
  // Not reaped yet, so the number is still this child's.
  UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  int why = 0;
  ssize_t got = -1;
  do got = ::read(reader.get(), &why, sizeof(why));
  while (got < 0 && errno == EINTR);
  const bool failed = got == static_cast<ssize_t>(sizeof(why));
  if (failed || !pidfd) {
    if (!failed) why = EMFILE;
    ::kill(pid, SIGKILL);
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    return unexpected(errc::system, "execve: the program could not be started", why);
  }
  return Process{pid, std::move(pidfd)};
}

}  // namespace symphony::detail::broker::keeper
