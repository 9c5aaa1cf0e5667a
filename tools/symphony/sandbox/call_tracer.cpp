#include "tools/symphony/sandbox/call_tracer.hpp"

#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace symphony::tools {
namespace {

constexpr unsigned long trace_options =
    PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK;
constexpr int call_stop = SIGTRAP | 0x80;

std::vector<pid_t> numbers_in(const std::filesystem::path& folder) {
  std::vector<pid_t> out;
  std::error_code gone;
  for (const auto& entry : std::filesystem::directory_iterator(folder, gone)) {
    if (const int number = std::atoi(entry.path().filename().c_str()); number > 0) out.push_back(number);
  }
  return out;
}

std::string task_folder(pid_t process) { return "/proc/" + std::to_string(process) + "/task"; }

std::vector<pid_t> children_of(pid_t process) {
  std::vector<pid_t> out;
  for (const pid_t thread : numbers_in(task_folder(process))) {
    std::ifstream file(task_folder(process) + '/' + std::to_string(thread) + "/children");
    for (pid_t child = 0; file >> child;) out.push_back(child);
  }
  return out;
}

pid_t process_of(pid_t thread) {
  std::ifstream file("/proc/" + std::to_string(thread) + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("Tgid:")) return std::atoi(line.c_str() + 5);
  }
  return thread;
}

}  // namespace

CallTracer::~CallTracer() { let_go(); }

result<void> CallTracer::watch(pid_t process) {
  const auto threads = numbers_in(task_folder(process));
  if (threads.empty()) return unexpected(errc::not_found, "there is no such process any more");
  for (const pid_t thread : threads) {
    if (threads_.contains(thread)) continue;
    if (::ptrace(PTRACE_SEIZE, thread, nullptr, trace_options) != 0) {
      if (errno == ESRCH) continue;  // ended since
      return unexpected(errc::refused,
                        "ptrace: this user may not watch that process: run it as the pit's user or as root, where "
                        "nobody else traces it (kernel.yama.ptrace_scope, containers)",
                        errno);
    }
    threads_[thread] = process;
    ::ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr);  // it stops, and goes on from call to call
  }
  for (const pid_t child : children_of(process)) {
    if (auto watched = watch(child); !watched && watched.error().code != errc::not_found) return watched;
  }
  return {};
}

void CallTracer::run(const std::function<void(const Seen&)>& tell, const std::function<bool()>& is_over) {
  while (!is_over()) {
    int status = 0;
    const pid_t thread = ::waitpid(-1, &status, __WALL | WNOHANG | __WNOTHREAD);
    if (thread > 0) {
      stopped(thread, status, tell);
      continue;
    }
    const timespec pause{0, 200'000};
    ::nanosleep(&pause, nullptr);
  }
}

void CallTracer::stopped(pid_t thread, int status, const std::function<void(const Seen&)>& tell) {
  if (!WIFSTOPPED(status)) {
    threads_.erase(thread);
    return;
  }
  const auto [at, is_new] = threads_.try_emplace(thread, 0);
  if (is_new) at->second = process_of(thread);
  const int signal = WSTOPSIG(status), event = status >> 16;
  int handed_on = 0;
  if (signal == call_stop) {
    __ptrace_syscall_info info{};
    const long size = ::ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info);
    if (size > 0 && info.op == PTRACE_SYSCALL_INFO_ENTRY) {
      Seen seen{thread, at->second, {static_cast<std::uint32_t>(info.entry.nr), {}}};
      for (std::size_t i = 0; i < seen.call.arguments.size(); ++i) seen.call.arguments[i] = info.entry.args[i];
      tell(seen);
    }
  } else if (event == PTRACE_EVENT_STOP) {
    if (signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU) {
      ::ptrace(PTRACE_LISTEN, thread, nullptr, nullptr);  // it stands still for somebody else
      return;
    }
  } else if (event == 0) {
    handed_on = signal;
  }
  ::ptrace(PTRACE_SYSCALL, thread, nullptr, static_cast<unsigned long>(handed_on));
}

// A thread can be let go only where it stands.
void CallTracer::let_go() {
  for (const auto& [thread, process] : threads_) ::ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr);
  while (!threads_.empty()) {
    int status = 0;
    const pid_t thread = ::waitpid(-1, &status, __WALL | __WNOTHREAD);
    if (thread < 0 && errno == EINTR) continue;
    if (thread < 0) break;
    if (WIFSTOPPED(status)) {
      const int signal = WSTOPSIG(status);
      const bool is_its_own = status >> 16 == 0 && signal != call_stop;
      ::ptrace(PTRACE_DETACH, thread, nullptr, static_cast<unsigned long>(is_its_own ? signal : 0));
    }
    threads_.erase(thread);
  }
}

}  // namespace symphony::tools
