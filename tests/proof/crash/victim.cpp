#include "tests/proof/crash/victim.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "bus/base/check.hpp"

namespace symphony::proof {
namespace {

constexpr int death_wait_ms = 10'000;

// ptrace takes addresses of another process, and offsets, as pointers.
void* as_pointer(std::uint64_t address) noexcept {
  return reinterpret_cast<void*>(address);  // NOLINT(performance-no-int-to-ptr)
}

#if defined(__x86_64__)
#define SYMPHONY_MARKER() asm volatile("int3" ::: "memory")
std::uint64_t instruction_pointer(pid_t pid) {
  return static_cast<std::uint64_t>(
      ::ptrace(PTRACE_PEEKUSER, pid, as_pointer(offsetof(user_regs_struct, rip)), nullptr));
}
void set_instruction_pointer(pid_t pid, std::uint64_t address) {
  SYMPHONY_CHECK(::ptrace(PTRACE_POKEUSER, pid, as_pointer(offsetof(user_regs_struct, rip)), address) == 0);
}
constexpr bool has_breakpoints = true;
#else
#define SYMPHONY_MARKER() static_cast<void>(0)
std::uint64_t instruction_pointer(pid_t) { return 0; }
void set_instruction_pointer(pid_t, std::uint64_t) {}
constexpr bool has_breakpoints = false;
#endif

// Whether the child stopped because it executed a breakpoint, not because it was stepped.
bool at_breakpoint(pid_t pid) {
  siginfo_t info{};
  SYMPHONY_CHECK(::ptrace(PTRACE_GETSIGINFO, pid, nullptr, &info) == 0);
  return info.si_code == SI_KERNEL;
}

}  // namespace

std::string tracing_works() {
  if (!has_breakpoints) return "no breakpoints known for this processor";
  const pid_t pid = ::fork();
  if (pid < 0) return "fork: " + std::string(std::strerror(errno));
  if (pid == 0) {
    if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(errno);
    SYMPHONY_MARKER();
    ::_exit(0);
  }
  int status = 0;
  SYMPHONY_CHECK(::waitpid(pid, &status, 0) == pid);
  if (WIFEXITED(status)) return "ptrace: " + std::string(std::strerror(WEXITSTATUS(status)));
  if (WIFSIGNALED(status)) return "ptrace: the child was not stopped but killed";
  const bool steps = ::ptrace(PTRACE_SINGLESTEP, pid, nullptr, nullptr) == 0 && ::waitpid(pid, &status, 0) == pid &&
                     WIFSTOPPED(status);
  ::kill(pid, SIGKILL);
  ::waitpid(pid, &status, 0);
  return steps ? "" : "ptrace: children are not stepped";
}

bool is_dead(int pidfd, int wait_ms) noexcept {
  pollfd event{pidfd, POLLIN, 0};
  return ::poll(&event, 1, wait_ms) == 1;
}

Victim::Victim(void (*body)(void*), void* context) {
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  SYMPHONY_CHECK(pid_ >= 0);
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent || ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(1);
    SYMPHONY_MARKER();
    body(context);
    SYMPHONY_MARKER();
    ::_exit(0);
  }
  pidfd_ = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  SYMPHONY_CHECK(pidfd_.get() >= 0);
  SYMPHONY_CHECK(wait_for_stop());
  SYMPHONY_CHECK(::ptrace(PTRACE_SETOPTIONS, pid_, nullptr, PTRACE_O_EXITKILL) == 0);
}

Victim::~Victim() { kill(); }

bool Victim::wait_for_stop() {
  int status = 0;
  SYMPHONY_CHECK(::waitpid(pid_, &status, 0) == pid_);
  if (!WIFSTOPPED(status)) {
    dead_ = true;
    return false;
  }
  SYMPHONY_CHECK(WSTOPSIG(status) == SIGTRAP);
  return true;
}

bool Victim::step() {
  SYMPHONY_CHECK(::ptrace(PTRACE_SINGLESTEP, pid_, nullptr, nullptr) == 0);
  return wait_for_stop() && !at_breakpoint(pid_);
}

std::uint64_t Victim::next_instruction() const { return instruction_pointer(pid_); }

bool Victim::run_to(std::uint64_t address, std::size_t times) {
  if (next_instruction() == address && --times == 0) return true;
  void* const at = as_pointer(address);
  errno = 0;
  const long code = ::ptrace(PTRACE_PEEKTEXT, pid_, at, nullptr);
  SYMPHONY_CHECK(errno == 0);
  const long with_breakpoint = (code & ~0xffL) | 0xcc;
  for (;; --times) {
    // Over the instruction itself first, if it is next: it is not to be counted again.
    if (next_instruction() == address && !step()) return false;
    if (next_instruction() == address && times == 1) return true;  // one that repeats itself
    if (next_instruction() == address) continue;
    SYMPHONY_CHECK(::ptrace(PTRACE_POKETEXT, pid_, at, with_breakpoint) == 0);
    SYMPHONY_CHECK(::ptrace(PTRACE_CONT, pid_, nullptr, nullptr) == 0);
    if (!wait_for_stop() || next_instruction() != address + 1) return false;
    SYMPHONY_CHECK(::ptrace(PTRACE_POKETEXT, pid_, at, code) == 0);
    set_instruction_pointer(pid_, address);
    if (times == 1) return true;
  }
}

void Victim::kill() {
  if (pid_ < 0 || dead_) return;
  dead_ = true;
  SYMPHONY_CHECK(::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0) == 0);
  SYMPHONY_CHECK(is_dead(pidfd_.get(), death_wait_ms));
  int status = 0;
  SYMPHONY_CHECK(::waitpid(pid_, &status, 0) == pid_ && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

void Path::add(std::uint64_t address) {
  constexpr std::size_t hit_cost = 3;  // a breakpoint that is run into, stepped over and planted again
  const std::size_t times = ++times_[address];
  const std::size_t here = points_.size();
  Point point{address, times, here, times * hit_cost};
  if (here != 0 && points_.back().cost + 1 < point.cost) {
    point.anchor = points_.back().anchor;
    point.cost = points_.back().cost + 1;
  }
  points_.push_back(point);
}

bool Path::lead(Victim& victim, std::size_t point) const {
  std::size_t at = points_[point].anchor;
  if (!victim.run_to(points_[at].address, points_[at].times)) return false;
  for (; at < point; ++at) {
    if (!victim.step() || victim.next_instruction() != points_[at + 1].address) return false;
  }
  return true;
}

}  // namespace symphony::proof
