#include "tests/hostile/escape/cell.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "bench/support/cell_namespaces.hpp"
#include "pits/hosting/sandbox/confine.hpp"

namespace symphony::hostile {
namespace {

constexpr int trial_ms_max = 10'000;  // then it counts as one that did not work
constexpr char neighbour_pid[] = "1000";
char secret[16] = "secret";

bool holds(const std::string& path, std::string_view text) {
  char there[64];
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const ssize_t size = ::read(fd, there, sizeof there);
  if (fd >= 0) ::close(fd);
  return size >= 0 && std::string_view(there, static_cast<std::size_t>(size)) == text;
}

bool map_ids() {
  return bench::put("/proc/self/setgroups", "deny") && bench::put("/proc/self/uid_map", "0 0 1") &&
         bench::put("/proc/self/gid_map", "0 0 1");
}

template <class Address>
void listen_at(int family, int type, const Address& at, socklen_t size) {
  const int fd = ::socket(family, type | SOCK_CLOEXEC, 0);
  const int yes = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&at), size) == 0 && type == SOCK_STREAM) ::listen(fd, 8);
}

[[noreturn]] void be_neighbour(const Neighbour& n, int ready) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::signal(SIGUSR1, SIG_IGN);
  const int file = static_cast<int>(::syscall(SYS_memfd_create, "ring", 0));
  ::dup2(file, n.secret_fd);
  sockaddr_in here{};
  here.sin_family = AF_INET;
  here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  here.sin_port = htons(n.tcp_port);
  listen_at(AF_INET, SOCK_STREAM, here, sizeof here);
  here.sin_port = htons(n.udp_port);
  listen_at(AF_INET, SOCK_DGRAM, here, sizeof here);
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path + 1, n.abstract, std::strlen(n.abstract));
  listen_at(AF_UNIX, SOCK_STREAM, name,
            static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + std::strlen(n.abstract)));
  std::memset(name.sun_path, 0, sizeof name.sun_path);
  std::strncpy(name.sun_path, n.socket_path, sizeof name.sun_path - 1);
  ::unlink(n.socket_path);
  listen_at(AF_UNIX, SOCK_STREAM, name, sizeof name);
  ::shmget(n.shm_key, 4096, IPC_CREAT | 0600);  // allowed: for the attempt
  ::msgget(n.queue_key, IPC_CREAT | 0600);
  (void)!::write(ready, "r", 1);
  for (;;) ::pause();
}

// Who is to get out, and behind which walls.
struct Subject {
  const Attempt& attempt;
  const Walls& walls;
  const Neighbour& neighbour;
  int report;
  bool has_users, has_pids;
};

[[noreturn]] void attempt_it(const Subject& s) {
  ::dup2(s.report, report_fd);
  const int file = static_cast<int>(::syscall(SYS_memfd_create, "file", 0));
  const int read_only = ::open(("/proc/self/fd/" + std::to_string(file)).c_str(), O_RDONLY | O_CLOEXEC);
  ::dup2(read_only, read_only_fd);
  ::close_range(5, 7, 0);
  SandboxBlocks reached = 0;
  if (s.walls.wanted != 0) {
    if (s.has_users && !map_ids()) ::_exit(90);
    pit::sandbox::Plan plan;
    plan.required = 0;
    plan.wanted = s.walls.wanted;
    plan.has_user_namespace = s.has_users;
    plan.has_pid_namespace = s.has_pids;
    static const std::byte nothing{};
    pit::sandbox::Confinement walls(plan);
    if (!walls.begin({&nothing, 1})) ::_exit(91);
    if (!s.walls.first_phase_only && (!walls.close_files() || !walls.finish())) ::_exit(92);
    reached = walls.reached();
  } else {
    ::close_range(8, ~0U, 0);
  }
  (void)!::write(report_fd, &reached, sizeof reached);
  (void)!::write(report_fd, s.attempt.run(s.neighbour) ? "S" : "B", 1);
  ::_exit(0);
}

int attempt_in_clone(void* subject) { attempt_it(*static_cast<const Subject*>(subject)); }

Trial try_once(const Attempt& attempt, const Walls& walls, Neighbour n) {
  bench::put("/proc/sys/kernel/ns_last_pid", neighbour_pid);
  for (const char* left : {"/new", "/link", "/mine"}) ::unlink((std::string(n.folder) + left).c_str());
  bench::put((std::string(n.folder) + "/secret").c_str(), "secret", O_WRONLY | O_CREAT | O_TRUNC);
  int ready[2], report[2];
  Trial trial;
  if (::pipe2(ready, O_CLOEXEC) != 0) return trial;
  n.pid = ::fork();
  if (n.pid == 0) be_neighbour(n, ready[1]);
  char byte = 0;
  (void)!::read(ready[0], &byte, 1);
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, report) != 0) return trial;  // not for the neighbour
  const bool has_users = (walls.wanted & bit_of(SandboxBlock::user_namespace)) != 0;
  const bool has_pids = (walls.wanted & bit_of(SandboxBlock::pid_namespace)) != 0;
  Subject subject{attempt, walls, n, report[1], has_users, has_pids};
  std::vector<std::byte> stack(256UL * 1024);
  const int flags = SIGCHLD | (has_users ? CLONE_NEWUSER : 0) | (has_pids ? CLONE_NEWPID : 0);
  const pid_t child = ::clone(attempt_in_clone, stack.data() + stack.size(), flags, &subject);
  ::close(report[1]);
  std::string said;
  for (pollfd wait{report[0], POLLIN, 0}; ::poll(&wait, 1, trial_ms_max) > 0;) {
    char part[64];
    const ssize_t got = ::read(report[0], part, sizeof part);
    if (got <= 0) break;
    said.append(part, static_cast<std::size_t>(got));
    if (said.size() > sizeof trial.reached) break;
  }
  trial.ran = said.size() >= sizeof trial.reached;
  if (trial.ran) std::memcpy(&trial.reached, said.data(), sizeof trial.reached);
  trial.worked = said.size() > sizeof trial.reached && said[sizeof trial.reached] == 'S';
  int status = 0;
  if (said.size() == sizeof trial.reached && ::waitpid(child, &status, 0) == child) {
    trial.was_killed = (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) ||
                       (WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGSYS);
  }
  trial.neighbour_is_well =
      ::waitpid(n.pid, nullptr, WNOHANG) == 0 && holds(std::string(n.folder) + "/secret", "secret");
  ::close(report[0]);
  ::close(ready[0]);
  ::close(ready[1]);
  ::kill(-1, SIGKILL);  // this is the first process of the cell: all that is in it
  while (::waitpid(-1, nullptr, 0) > 0 || errno == EINTR) {
  }
  return trial;
}

[[noreturn]] void be_cell(const Attempt& attempt, const std::vector<Walls>& trials, int out) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) ::_exit(1);
  ::mount("proc", "/proc", "proc", 0, nullptr);
  ::mount("tmpfs", "/tmp", "tmpfs", 0, nullptr);
  ::mount("tmpfs", "/dev/shm", "tmpfs", 0, nullptr);
  bench::raise_loopback();
  Neighbour n;
  n.secret_fd = 200;
  n.secret_at = secret;
  std::snprintf(n.folder, sizeof n.folder, "/tmp/theirs");
  std::snprintf(n.abstract, sizeof n.abstract, "symphony-neighbour");
  std::snprintf(n.socket_path, sizeof n.socket_path, "/tmp/theirs/socket");
  n.tcp_port = 7001;
  n.udp_port = 7002;
  n.shm_key = 7003;
  n.queue_key = 7004;
  ::mkdir(n.folder, 0700);
  for (const Walls& walls : trials) {
    const Trial trial = try_once(attempt, walls, n);
    (void)!::write(out, &trial, sizeof trial);
  }
  ::_exit(0);
}

}  // namespace

std::optional<std::vector<Trial>> try_in_cell(const Attempt& attempt, const std::vector<Walls>& walls) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return std::nullopt;
  const pid_t outside = ::fork();
  if (outside == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!bench::enter_namespaces()) ::_exit(1);
    const pid_t cell = ::fork();
    if (cell == 0) be_cell(attempt, walls, ends[1]);
    int status = 0;
    ::waitpid(cell, &status, 0);
    ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
  }
  ::close(ends[1]);
  std::vector<Trial> trials(walls.size());
  std::size_t done = 0;
  while (done < trials.size() && ::read(ends[0], &trials[done], sizeof(Trial)) == sizeof(Trial)) ++done;
  ::close(ends[0]);
  ::waitpid(outside, nullptr, 0);
  if (done < trials.size()) return std::nullopt;
  return trials;
}

}  // namespace symphony::hostile
