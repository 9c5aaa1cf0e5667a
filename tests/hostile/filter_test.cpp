// What could go wrong: a rule behind another that decides first, a jump one too far, a condition on the wrong half of
// an argument: calls that a pit may make and nobody knows of. So each filter is worked out over every number, three
// architectures and the arguments that rules look at, and compared with a list that people read; and what it denies is
// tried.
#include "pits/hosting/sandbox/filters.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <linux/audit.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <set>
#include <string>

#include "bench/support/figure.hpp"
#include "pits/hosting/sandbox/answers.hpp"
#include "pits/hosting/sandbox/confine.hpp"
#include "tests/hostile/interpreter.hpp"

namespace symphony::pit::sandbox {
namespace {

using Arguments = std::array<std::uint64_t, 6>;
constexpr std::uint64_t all = ~std::uint64_t{0};
constexpr std::uint32_t own_pid = 2;
constexpr std::uint32_t x32 = 0x40000000;
constexpr std::uint32_t numbers = 1024;

// In the order of the letters of a line of filters/*.txt.
constexpr std::array<Arguments, 28> arguments{{
    {},                                 // 0
    {all, all, all, all, all, all},     // 1
    {0, 128},                           // 2  FUTEX_WAIT, private
    {0, 3},                             // 3  FUTEX_REQUEUE
    {0, 9 | 128 | 256},                 // 4  FUTEX_WAIT_BITSET, private, CLOCK_REALTIME
    {0, 12},                            // 5  FUTEX_CMP_REQUEUE_PI
    {0, 4096, 3, 0x22, all},            // 6  mmap: read, write; private, anonymous
    {0, 4096, 7, 0x22, all},            // 7  mmap: to execute too
    {0, 4096, 3, 1, 5},                 // 8  mmap: shared, of a descriptor
    {0, 4096, 5},                       // 9  mprotect: to execute
    {0x3d0f00},                         // 10 clone: a thread
    {17},                               // 11 clone: a process
    {0x10000011},                       // 12 clone: a process in a namespace of users
    {3},                                // 13 the control socket
    {4},                                // 14 another descriptor
    {own_pid, own_pid, 6},              // 15 tgkill: itself
    {1, 1, 9},                          // 16 tgkill: the first process
    {3, 4, 2048},                       // 17 fcntl F_SETFL
    {3, 1034},                          // 18 fcntl F_GET_SEALS
    {3, 1033, 15},                      // 19 fcntl F_ADD_SEALS
    {3, 8, 1},                          // 20 fcntl F_SETOWN
    {5, 0x1000, 0x1000, 0x1000},        // 21 newfstatat, AT_EMPTY_PATH
    {0, 7, 0, 0x1000},                  // 22 prlimit64: reads
    {0, 7, std::uint64_t{1} << 32, 0},  // 23 prlimit64: sets, its pointer's low half is 0
    {5, 7, 0, 0x1000},                  // 24 prlimit64: of another process
    {15, 0x1000},                       // 25 prctl PR_SET_NAME
    {4, 1},                             // 26 prctl PR_SET_DUMPABLE
    {0, 0x5412, 0x1000},                // 27 ioctl TIOCSTI
}};

struct Named {
  std::string name;
  BpfProgram program;
};
std::vector<Named> filters() {
  FilterOptions options;
  options.own_pid = own_pid;
  std::vector<Named> out{{"start", compile(start_rules(options), unlisted)}};
  for (const auto profile : {SandboxProfile::ring, SandboxProfile::heap, SandboxProfile::threads})
    out.push_back({std::string(name_of(profile)), compile(serving_rules(profile, options), unlisted)});
  return out;
}

std::uint32_t verdict(const BpfProgram& program, std::uint32_t arch, std::uint32_t number, const Arguments& given) {
  seccomp_data data{};
  data.arch = arch;
  data.nr = static_cast<int>(number);
  std::copy(given.begin(), given.end(), data.args);
  const auto answer = answer_of(program, data);
  EXPECT_TRUE(answer.has_value()) << "no filter: " << number;
  return answer.value_or(0xbad);
}

char letter(std::uint32_t answer) {
  switch (static_cast<Verdict>(answer)) {
    case Verdict::allow:
      return 'A';
    case Verdict::refuse:
      return 'r';
    case Verdict::deny:
      return 'd';
    case Verdict::nothing:
      return '0';
    case Verdict::kill:
      return 'K';
  }
  return '?';
}

// Of each number that is not refused whatever its arguments: the number, and a letter for each of `arguments`, or one
// if they are all the same.
std::vector<std::string> lines_of(const Named& filter) {
  std::vector<std::string> lines;
  for (std::uint32_t n = 0; n < numbers; ++n) {
    std::string letters;
    for (const Arguments& given : arguments) letters += letter(verdict(filter.program, AUDIT_ARCH_X86_64, n, given));
    if (std::set<char>(letters.begin(), letters.end()).size() == 1) letters.resize(1);
    if (letters != "r") lines.push_back(std::to_string(n) + " " + letters);
  }
  return lines;
}

// Without what stands behind a #, for readers.
std::vector<std::string> committed_list(const std::string& filter) {
  std::ifstream file(SYMPHONY_FILTER_LISTS "/" + filter + ".txt");
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    line.resize(std::min(line.size(), line.find('#')));
    while (!line.empty() && line.back() == ' ') line.pop_back();
    if (!line.empty()) lines.push_back(line);
  }
  return lines;
}

TEST(Filters, AnswerEveryCallAsTheirListsSay) {
  if (std::getenv("SYMPHONY_PRINT_FILTERS") != nullptr) {
    for (const Named& filter : filters()) {
      for (const std::string& line : lines_of(filter)) std::printf("%s %s\n", filter.name.c_str(), line.c_str());
    }
  }
  for (const Named& filter : filters()) {
    const std::vector<std::string> now = lines_of(filter);
    const std::vector<std::string> list = committed_list(filter.name);
    for (std::size_t i = 0; i < std::max(now.size(), list.size()); ++i) {
      ASSERT_EQ(i < now.size() ? now[i] : "(nothing)", i < list.size() ? list[i] : "(nothing)")
          << filter.name << " " << i;
    }
  }
}

// A pit of profile ring that has used up what was set aside: its malloc() says so. The answer to brk() that the C
// library took for an address ended in SIGSEGV.
TEST(Filters, LetARingPitThatHasNoMemoryLeftHearOfIt) {
  const pid_t child = ::fork();
  if (child == 0) {
    Plan plan;
    plan.profile = SandboxProfile::ring;
    plan.required = 0;
    plan.wanted = bit_of(SandboxBlock::filter);
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    Confinement walls(plan);
    if (!walls.close_files() || !walls.finish()) ::_exit(99);
    std::size_t got = 0;
    while (void* const block = std::malloc(64 << 10)) {
      std::memset(block, 1, 64 << 10);
      got += 64 << 10;
      if (got > (1U << 30)) ::_exit(98);
    }
    // And again, once it knows: small ones too, in the end.
    while (std::malloc(16) != nullptr) {
    }
    ::_exit(got >= (8U << 20) ? 0 : 97);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

// What `symphony sandbox learn` works out without a kernel.
TEST(Filters, AnswerAsTheirRulesDo) {
  FilterOptions options;
  options.own_pid = own_pid;
  const auto check = [](const std::vector<Rule>& rules, std::string_view name) {
    const BpfProgram program = compile(rules, unlisted);
    for (std::uint32_t n = 0; n < numbers; ++n) {
      for (const Arguments& given : arguments) {
        const auto said = static_cast<std::uint32_t>(answer_to(rules, unlisted, {n, given}));
        ASSERT_EQ(said, verdict(program, AUDIT_ARCH_X86_64, n, given)) << name << " " << n;
      }
    }
  };
  check(start_rules(options), "start");
  for (const auto profile : {SandboxProfile::ring, SandboxProfile::heap, SandboxProfile::threads})
    check(serving_rules(profile, options), name_of(profile));
}

TEST(Filters, KillWhoeverComesInByTheNumbersOfAnotherArchitecture) {
  std::uint64_t cells = 0;
  for (const Named& filter : filters()) {
    for (std::uint32_t n = 0; n < numbers; ++n) {
      for (const Arguments& given : arguments) {
        ASSERT_EQ(letter(verdict(filter.program, AUDIT_ARCH_I386, n, given)), 'K') << filter.name << " " << n;
        ASSERT_EQ(letter(verdict(filter.program, AUDIT_ARCH_X86_64, n | x32, given)), 'K') << filter.name << " " << n;
        cells += 3;  // with the list's own
      }
    }
  }
  bench::Figure figure;
  figure.name = "sandbox.filter_cells";
  figure.value = static_cast<double>(cells);
  figure.of = static_cast<double>(cells);
  figure.unit = "cells";
  figure.n = cells;
  figure.note =
      "4 filters, x86-64, x32 and i386, numbers 0 to 1023, 28 sets of arguments; equal to tests/hostile/filters";
  EXPECT_TRUE(bench::write_figure(figure).has_value());
}

// A child that has the filter makes these calls. Of each: 1000 + errno if it was answered an error, 0 if it was made;
// the one that it died of: 2000 + signal, and nothing behind it.
std::vector<int> try_calls(const BpfProgram& program, const std::vector<long>& calls) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return {};
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    const sock_fprog filter{static_cast<unsigned short>(program.size()), const_cast<sock_filter*>(program.data())};
    if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) != 0) ::_exit(99);
    for (const long call : calls) {
      const int said = ::syscall(call, 0, 0, 0, 0, 0, 0) < 0 ? 1000 + errno : 0;
      (void)!::write(ends[1], &said, sizeof said);
    }
    ::_exit(0);
  }
  ::close(ends[1]);
  std::vector<int> out;
  for (int said = 0; ::read(ends[0], &said, sizeof said) == sizeof said;) out.push_back(said);
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) out.push_back(2000 + WTERMSIG(status));
  return out;
}

TEST(Filters, DenyAndKillForRealWhatTheyAreSaidTo) {
  // uretprobe and uprobe: the kernel looks at where they come from before it asks a filter.
  const std::set<std::uint32_t> not_asked{335, 336};
  constexpr std::uint32_t known = 470;
  std::size_t tried = 0;
  for (const Named& filter : filters()) {
    std::vector<long> denied;
    std::vector<int> answers;
    for (std::uint32_t n = 0; n < known; ++n) {
      const char expected = letter(verdict(filter.program, AUDIT_ARCH_X86_64, n, {}));
      if (expected == 'A' || not_asked.count(n) != 0) continue;
      ++tried;
      if (expected == 'K') {
        ASSERT_EQ(try_calls(filter.program, {n}), std::vector<int>{2000 + SIGSYS}) << filter.name << " " << n;
      } else {
        denied.push_back(n);
        answers.push_back(expected == '0' ? 0 : 1000 + (expected == 'd' ? EPERM : ENOSYS));
      }
    }
    ASSERT_EQ(try_calls(filter.program, denied), answers) << filter.name;
    ASSERT_EQ(try_calls(filter.program, {static_cast<long>(x32 | SYS_getpid)}), std::vector<int>{2000 + SIGSYS});
  }
  EXPECT_GT(tried, 1000U);
}

#if defined(__x86_64__)
TEST(Filters, LetNobodyInByTheOldGate) {
  const pid_t child = ::fork();
  if (child == 0) {
    const BpfProgram program = filters()[2].program;
    ::signal(SIGSEGV, SIG_DFL);  // not a sanitizer's
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    const sock_fprog filter{static_cast<unsigned short>(program.size()), const_cast<sock_filter*>(program.data())};
    if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) != 0) ::_exit(99);
    long answer = 20;  // getpid, to i386
    __asm__ volatile("int $0x80" : "+a"(answer) : : "memory");
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status)) << WEXITSTATUS(status);
  // SIGSEGV: this kernel has no such gate at all.
  EXPECT_TRUE(WTERMSIG(status) == SIGSYS || WTERMSIG(status) == SIGSEGV) << WTERMSIG(status);
}
#endif

TEST(Filters, AreShortEnoughForTheKernelAndForAMachineOfNoHurry) {
  for (const Named& filter : filters()) {
    EXPECT_LT(filter.program.size(), 1000U) << filter.name;
    EXPECT_LT(filter.program.size(), static_cast<std::size_t>(BPF_MAXINSNS));
  }
}

}  // namespace
}  // namespace symphony::pit::sandbox
