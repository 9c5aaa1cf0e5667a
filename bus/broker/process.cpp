// Starting one process the way the keeper needs it: it dies with its parent, and inherits what it is given.
#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
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

// The namespaces that a process begins in, and what it is told of them. The kernel gives all of it or, to a user who
// may not, less; what a pit must have is for symphony-pit-host to see to.
struct Beginning {
  int namespaces;
  const char* told;
};
constexpr Beginning as_its_parent{0, nullptr};
constexpr std::array<Beginning, 3> of_its_own{{{CLONE_NEWUSER | CLONE_NEWPID, "SYMPHONY_PIT_NAMESPACES=user pid"},
                                               {CLONE_NEWPID, "SYMPHONY_PIT_NAMESPACES=pid"},
                                               {0, "SYMPHONY_PIT_NAMESPACES="}}};

// What execve() is given, made before the child is: the child lives in its parent's memory and allocates nothing there.
struct Program {
  Program(const SpawnRequest& request, const Beginning& beginning)
      : path(request.executable.c_str()), args(request.args), environment(environment_of(request)) {
    if (beginning.told != nullptr) environment.emplace_back(beginning.told);
    argv = pointers_to(args);
    envp = pointers_to(environment);
    const auto line = [](std::array<char, 32>& out, unsigned id) {
      return static_cast<std::size_t>(std::snprintf(out.data(), out.size(), "0 %u 1", id));
    };
    uid_map_size = line(uid_map, ::geteuid());
    gid_map_size = line(gid_map, ::getegid());
  }

  const char* path;
  std::vector<std::string> args, environment;
  std::vector<char*> argv, envp;
  std::array<char, 32> uid_map{}, gid_map{};  // in a namespace of users: itself as the owner of that, nobody else
  std::size_t uid_map_size = 0, gid_map_size = 0;
};

bool write_whole(const char* path, const char* bytes, std::size_t size) {
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  const bool done = fd >= 0 && ::write(fd, bytes, size) == static_cast<ssize_t>(size);
  if (fd >= 0) ::close(fd);
  return done;
}

bool map_itself(const Program& program) {
  return write_whole("/proc/self/setgroups", "deny", 4) &&
         write_whole("/proc/self/uid_map", program.uid_map.data(), program.uid_map_size) &&
         write_whole("/proc/self/gid_map", program.gid_map.data(), program.gid_map_size);
}

// `failure` tells the parent why exec failed, or by its end that it did not. Never inlined: the frame of who called
// vfork() is the parent's.
[[noreturn, gnu::noinline]] void become(const Program& program, int socket, std::span<const UniqueFd> inherited,
                                        int failure, int output) {
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

namespace {

constexpr int no_namespace = 1 << 16;  // in what a child says: the kernel gave the namespace, and no rights in it

struct Child {
  const Program& program;
  const Beginning& beginning;
  int socket;
  std::span<const UniqueFd> inherited;
  int reader;  // of the two ends of the pipe
  int failure;
  int output;
};

// Never inlined, as become().
[[noreturn, gnu::noinline]] void live(const Child& child) {
  ::close(child.reader);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // Whether its parent died before the line above. Not by getppid(): from another namespace of processes that is 0.
  pollfd parent{child.failure, 0, 0};
  if (::poll(&parent, 1, 0) != 0) ::_exit(exec_failed);
  if ((child.beginning.namespaces & CLONE_NEWUSER) != 0 && !map_itself(child.program)) {
    const int why = errno | no_namespace;
    while (::write(child.failure, &why, sizeof(why)) < 0 && errno == EINTR) {
    }
    ::_exit(exec_failed);
  }
  become(child.program, child.socket, child.inherited, child.failure, child.output);
}

int begin_to_live(void* child) { live(*static_cast<const Child*>(child)); }

// Not fork(): that copies the tables of every page and has the child fault each page it touches, 1 ms of a recovery.
// The child borrows this process, which stands still until execve(); nobody else runs in it, and its signals have no
// handlers. Of what the child changes, descriptors, signal mask and process group are its own.
pid_t borrow_this_process(const Child& child) {
  if (child.beginning.namespaces == 0) {
    const pid_t pid = ::vfork();
    if (pid == 0) live(child);
    return pid;
  }
  // As vfork(), which knows of no namespaces, on a stack of its own.
  constexpr std::size_t stack_size = 64UL * 1024;
  std::vector<std::byte> stack(stack_size);
  return ::clone(begin_to_live, stack.data() + stack.size(),
                 CLONE_VM | CLONE_VFORK | SIGCHLD | child.beginning.namespaces, const_cast<Child*>(&child));
}

// False, with the errno: the child did not come to be, or is gone again.
result<Process> start_in(const Beginning& beginning, const SpawnRequest& request, const UniqueFd& socket,
                         std::span<const UniqueFd> inherited, int output) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return unexpected(errc::out_of_descriptors, "pipe: no descriptors left", errno);
  UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  const Program program(request, beginning);
  const pid_t pid =
      borrow_this_process({program, beginning, socket.get(), inherited, reader.get(), writer.get(), output});
  if (pid < 0) return unexpected(errc::system, "vfork: the system gives no process", errno | no_namespace);
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
  return Process{pid, std::move(pidfd), (beginning.namespaces & CLONE_NEWPID) != 0};
}

}  // namespace

result<Process> start_process(const SpawnRequest& request, UniqueFd socket, std::span<const UniqueFd> inherited,
                              int output) {
  if (inherited.size() > inherited_max) return unexpected(errc::invalid_argument, "too many descriptors for a pit");
  const std::span<const Beginning> beginnings =
      request.own_namespaces ? std::span<const Beginning>(of_its_own) : std::span(&as_its_parent, 1);
  for (std::size_t i = 0;; ++i) {
    auto process = start_in(beginnings[i], request, socket, inherited, output);
    if (process) return process;
    const int why = process.error().sys_errno;
    const bool is_last = (why & no_namespace) == 0 || i + 1 == beginnings.size();
    if (is_last) return unexpected(process.error().code, process.error().text, why & ~no_namespace);
  }
}

}  // namespace symphony::detail::broker::keeper
