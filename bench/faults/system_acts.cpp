#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>

#include "bench/faults/acts.hpp"

namespace symphony::faults {
namespace {

std::int32_t tell_errno(const symphony_host& host, const char* what) {
  char text[128];
  std::snprintf(text, sizeof text, "%s: %s", what, std::strerror(errno));
  return tell(host, text);
}

std::int32_t exhaust_descriptors(const symphony_host& host) {
  int opened = 0;
  while (opened < 100'000 && ::open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0) ++opened;  // allowed: kept, the fault
  char text[128];
  std::snprintf(text, sizeof text, "holds %d descriptors; the next: %s", opened, std::strerror(errno));
  return tell(host, text);
}

// Each process begins more, until there are processes_max; they end by themselves after some seconds.
std::int32_t bomb(const symphony_host& host) {
  void* shared = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return tell_errno(host, "mmap");
  auto* const count = new (shared) std::atomic<std::uint32_t>(0);
  bool is_first = true;
  for (;;) {
    // sync none relaxed: a mere count, and fork() orders what parent and child did before it.
    if (count->fetch_add(1, std::memory_order_relaxed) >= processes_max) break;
    const pid_t child = ::fork();
    if (child < 0) {
      if (is_first) return tell_errno(host, "fork");
      break;
    }
    if (child == 0) is_first = false;
  }
  if (!is_first) {
    ::alarm(10);
    for (;;) ::pause();
  }
  return tell(host, "forked until it stopped by itself");
}

std::int32_t read_secret(const Order& order, const symphony_host& host) {
  const int file = ::open(order.secret_path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return tell_errno(host, "open");
  char text[64]{};
  const ssize_t n = ::read(file, text, sizeof text - 1);
  ::close(file);
  return n < 0 ? tell_errno(host, "read") : tell(host, text);
}

std::int32_t open_socket(const Order& order, const symphony_host& host) {
  const int one = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (one < 0) return tell_errno(host, "socket");
  sockaddr_in there{};
  there.sin_family = AF_INET;
  there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  there.sin_port = htons(order.port);
  const bool sent = ::connect(one, reinterpret_cast<const sockaddr*>(&there), sizeof there) == 0 &&
                    ::send(one, "culprit", 7, MSG_NOSIGNAL) == 7;
  const std::int32_t ending = sent ? tell(host, "sent 7 bytes") : tell_errno(host, "connect");
  ::close(one);
  return ending;
}

// 0, or errno.
int trace_and_write(const Order& order) {
  const auto victim = static_cast<pid_t>(order.host_pid);
  if (::ptrace(PTRACE_ATTACH, victim, nullptr, nullptr) != 0) return errno;
  ::waitpid(victim, nullptr, __WALL);
  const long word =
      ::ptrace(PTRACE_POKEDATA, victim, reinterpret_cast<void*>(order.canary), reinterpret_cast<void*>(1));
  const int failed = word != 0 ? errno : 0;
  ::ptrace(PTRACE_DETACH, victim, nullptr, nullptr);
  return failed;
}

std::int32_t trace_host(const Order& order, const symphony_host& host) {
  int failed = 0;
  if (static_cast<std::uint64_t>(::getpid()) != order.host_pid) {
    failed = trace_and_write(order);
  } else {  // nobody traces itself: a child does
    const pid_t child = ::fork();
    if (child == 0) ::_exit(trace_and_write(order));
    int status = 0;
    if (child < 0) {
      failed = errno;
    } else {
      while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
      }
      failed = WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
    }
  }
  errno = failed;
  return failed == 0 ? tell(host, "wrote into the host's memory") : tell_errno(host, "ptrace");
}

}  // namespace

std::int32_t commit_system_fault(const Order& order, const symphony_host& host) {
  switch (order.fault) {
    case Fault::fd_exhaustion:
      return exhaust_descriptors(host);
    case Fault::fork_bomb:
      return bomb(host);
    case Fault::read_secret:
      return read_secret(order, host);
    case Fault::open_socket:
      return open_socket(order, host);
    case Fault::ptrace_host:
      return trace_host(order, host);
    default:
      return SYMPHONY_UNKNOWN_TYPE;
  }
}

}  // namespace symphony::faults
