// Brokers, pits and programs as real processes, for tests that kill them. Each death is the kernel's word (a pidfd),
// never a guess after some time.
#pragma once

#include <symphony/broker.hpp>

#include <filesystem>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bus/control/rendezvous.hpp"

namespace symphony {

using namespace detail::control;
namespace fs = std::filesystem;

inline std::string beside(const char* name) {
  return (fs::read_symlink("/proc/self/exe").parent_path() / name).string();
}

inline PitConfig fake_pit(const std::string& name, std::vector<std::string> args = {}) {
  PitConfig pit;
  pit.name = name;
  pit.executable = beside("fake_pit");
  pit.args = std::move(args);
  return pit;
}

inline EmbeddedBroker broker_of(std::vector<PitConfig> pits) {
  return EmbeddedBroker::start({std::move(pits), {}, 7}).value();
}

inline UniqueFd pidfd_of(pid_t pid) { return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); }

inline testing::AssertionResult is_dead(const UniqueFd& pidfd, TimeNs within_ns = 60 * second_ns) {
  if (wait_readable(pidfd.get(), deadline_after(within_ns))) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "the process lives";
}

template <class Condition>
bool eventually(Condition holds) {
  for (const TimeNs end = deadline_after(60 * second_ns); now_ns() < end; ::poll(nullptr, 0, 1)) {
    if (holds()) return true;
  }
  return false;
}

inline std::string state_of(const EmbeddedBroker& broker, std::size_t pit = 0) { return broker.status().at(pit).state; }

// A program of its own, to be killed.
struct Program {
  pid_t pid = 0;
  UniqueFd pidfd;
  UniqueFd output;
  std::string read_line() {
    std::string line;
    for (char c = 0; ::read(output.get(), &c, 1) == 1 && c != '\n';) line.push_back(c);
    return line;
  }
  int wait() {
    int status = 0;
    ::waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  }
};

// Leads a process group of its own, as a program in the foreground of a terminal does.
inline Program run(std::vector<std::string> args, bool quiet = false) {
  int ends[2];
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  UniqueFd reader(ends[0]), writer(ends[1]);
  args.insert(args.begin(), beside("broker_program"));
  std::vector<char*> argv;
  argv.reserve(args.size() + 1);
  for (auto& a : args) argv.push_back(a.data());
  argv.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::setpgid(0, 0);
    ::dup2(writer.get(), STDOUT_FILENO);
    if (quiet) ::dup2(::open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  return {pid, pidfd_of(pid), std::move(reader)};
}

}  // namespace symphony
