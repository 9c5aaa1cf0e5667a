// What a process that crashes says of it. What could go wrong: it says nothing, or nothing that leads to a line of the
// source; it hangs; it dies of something else, or not at all.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <regex>
#include <string>
#include <vector>

#include "pits/hosting/process/crash_report.hpp"

namespace {

// Named, so that addr2line finds them. The compiler may not know what they do.
volatile std::uintptr_t nowhere = 0x10;
volatile int depth = 0;
int (*volatile again)(int) = nullptr;

}  // namespace

extern "C" {
[[gnu::noinline]] void symphony_test_writes_nowhere() { *reinterpret_cast<volatile int*>(nowhere) = 1; }
[[gnu::noinline]] void symphony_test_jumps() {
  reinterpret_cast<void (*)()>(nowhere)();
  depth = depth + 1;
}
[[gnu::noinline]] void symphony_test_calls_it() {
  symphony_test_writes_nowhere();
  depth = depth + 1;
}
[[gnu::noinline]] int symphony_test_never_returns(int n) {
  volatile char page[4096];
  page[n % 4096] = 1;
  return again(n + 1) + page[0];
}
}

namespace symphony::pit {
namespace {

struct Crashed {
  std::string text;
  int status = 0;
  [[nodiscard]] int signal() const { return WIFSIGNALED(status) ? WTERMSIG(status) : 0; }
};

Crashed crash(const std::function<void()>& how) {
  std::array<int, 2> ends{};
  EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], STDERR_FILENO);
    ::close(ends[0]);
    ::close(ends[1]);
    install_crash_report("/somewhere/pit.so");
    how();
    ::_exit(0);
  }
  ::close(ends[1]);
  Crashed out;
  std::array<char, 4096> bytes{};
  for (ssize_t got = 0; (got = ::read(ends[0], bytes.data(), bytes.size())) > 0;) {
    out.text.append(bytes.data(), static_cast<std::size_t>(got));
  }
  ::close(ends[0]);
  EXPECT_EQ(::waitpid(child, &out.status, 0), child);
  return out;
}

// What addr2line says of this program's code there.
std::string function_at(const std::string& offset) {
  const std::string command =
      "addr2line -f -e " + std::filesystem::read_symlink("/proc/self/exe").string() + " " + offset;
  std::FILE* const out = ::popen(command.c_str(), "r");
  std::array<char, 512> line{};
  const bool is_read = std::fgets(line.data(), line.size(), out) != nullptr;
  ::pclose(out);
  const std::string text = is_read ? line.data() : "";
  return text.substr(0, text.find('\n'));
}

std::vector<std::string> functions_in(const std::string& text) {
  std::vector<std::string> out;
  const std::regex frame(R"(#\d+ symphony-pit-host\+(0x[0-9a-f]+))");
  for (std::sregex_iterator i(text.begin(), text.end(), frame), end; i != end; ++i) {
    out.push_back(function_at((*i)[1].str()));
  }
  return out;
}

TEST(CrashReport, LeadsToTheFunctionThatCrashedAndToWhoCalledIt) {
  const Crashed crashed = crash(symphony_test_calls_it);
  EXPECT_EQ(crashed.signal(), SIGSEGV);
  EXPECT_NE(crashed.text.find("symphony: SIGSEGV at 0x10 (code "), std::string::npos) << crashed.text;
#if defined(__x86_64__)
  EXPECT_NE(crashed.text.find(" rip 0x"), std::string::npos) << crashed.text;
#endif
  EXPECT_TRUE(std::regex_search(crashed.text, std::regex("file symphony-pit-host, build-id [0-9a-f]{40}\n")))
      << crashed.text;
  const std::vector<std::string> functions = functions_in(crashed.text);
  ASSERT_GE(functions.size(), 2U) << crashed.text;
  EXPECT_EQ(functions[0], "symphony_test_writes_nowhere") << crashed.text;
  EXPECT_EQ(functions[1], "symphony_test_calls_it") << crashed.text;
}

TEST(CrashReport, OfAStackThatIsUsedUpIsMadeOnAnother) {
  const Crashed crashed = crash([] {
    again = symphony_test_never_returns;
    depth = again(depth);
  });
  EXPECT_EQ(crashed.signal(), SIGSEGV);
  EXPECT_NE(crashed.text.find("symphony: SIGSEGV at 0x"), std::string::npos) << crashed.text;
  const std::vector<std::string> functions = functions_in(crashed.text);
  ASSERT_GE(functions.size(), 8U) << crashed.text;
  EXPECT_EQ(functions[7], "symphony_test_never_returns") << crashed.text;
}

TEST(CrashReport, OfAJumpToNoCodeSaysWhereThatWas) {
  const Crashed crashed = crash(symphony_test_jumps);
  EXPECT_EQ(crashed.signal(), SIGSEGV);
  EXPECT_NE(crashed.text.find("#0 0x10 in no file"), std::string::npos) << crashed.text;
#if defined(__x86_64__)
  EXPECT_EQ(functions_in(crashed.text), std::vector<std::string>{"symphony_test_jumps"}) << crashed.text;
#endif
}

TEST(CrashReport, EndsInTheSameSignalWhoeverSentIt) {
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) {
    const Crashed raised = crash([signal] { ::raise(signal); });
    EXPECT_EQ(raised.signal(), signal);
    const std::string name = "symphony: SIG" + std::string(::sigabbrev_np(signal));
    EXPECT_NE(raised.text.find(name + " raised by itself"), std::string::npos) << raised.text;
  }
  const Crashed aborted = crash([] { std::abort(); });
  EXPECT_EQ(aborted.signal(), SIGABRT);
  EXPECT_NE(aborted.text.find("#0 "), std::string::npos);
  const pid_t parent = ::getpid();
  const Crashed killed = crash([] {
    if (::fork() == 0) {
      ::kill(::getppid(), SIGSEGV);
      ::_exit(0);
    }
    for (;;) ::pause();
  });
  EXPECT_EQ(killed.signal(), SIGSEGV);
  EXPECT_NE(killed.text.find("SIGSEGV sent by process "), std::string::npos) << killed.text;
  EXPECT_EQ(::getpid(), parent);
}

// A sanitizer's, most of all, which says more.
TEST(CrashReport, LeavesASignalToWhoHandlesItAlready) {
  const Crashed crashed = crash([] {
    struct sigaction by_default {};
    by_default.sa_handler = SIG_DFL;
    struct sigaction own {};
    own.sa_handler = [](int) { ::_exit(41); };
    ::sigaction(SIGBUS, &own, nullptr);
    ::sigaction(SIGFPE, &by_default, nullptr);
    install_crash_report("pit.so");
    ::raise(SIGBUS);
  });
  EXPECT_TRUE(WIFEXITED(crashed.status));
  EXPECT_EQ(WEXITSTATUS(crashed.status), 41) << crashed.text;
  EXPECT_EQ(crashed.text, "");
}

// What is damaged may lead the report into another fault: that one is the end.
TEST(CrashReport, OfAReportThatCrashesIsTheEnd) {
  const Crashed crashed = crash([] {
  // No stack at all, and the registers that unwinding begins with lead nowhere.
#if defined(__x86_64__)
    asm volatile("xor %%ebp, %%ebp\n mov $0x20, %%rsp\n mov $0, %%rax\n mov (%%rax), %%rax" ::: "memory");
#else
    symphony_test_writes_nowhere();
#endif
  });
  EXPECT_EQ(crashed.signal(), SIGSEGV);
  EXPECT_NE(crashed.text.find("symphony: SIGSEGV at 0x"), std::string::npos) << crashed.text;
}

}  // namespace
}  // namespace symphony::pit
