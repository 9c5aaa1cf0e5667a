// Programs that are killed under load, and go on from the state in their folder. What could go wrong: a call that was
// answered is not in the state, one is in it twice, or one of which nobody knows.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <filesystem>
#include <new>
#include <random>
#include <string>

#include <symphony/clock.hpp>
#include <symphony/unique_fd.hpp>

#include "tests/e2e/kept/load_book.hpp"
#include "tests/support/samples.hpp"

extern char** environ;

namespace symphony::kept {
namespace {

struct KeptKills : testing::Test {
  void SetUp() override {
    char pattern[] = "/tmp/symphony-test-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern), nullptr);
    folder = pattern;
    fd = UniqueFd(::memfd_create("book", MFD_CLOEXEC));
    ASSERT_EQ(::ftruncate(fd.get(), sizeof(LoadBook)), 0);
    void* const at = ::mmap(nullptr, sizeof(LoadBook), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
    ASSERT_NE(at, MAP_FAILED);
    book = new (at) LoadBook;
  }
  void TearDown() override {
    ::munmap(book, sizeof(LoadBook));
    std::filesystem::remove_all(folder);
  }

  pid_t begin(const std::string& mode, bool is_synced) {
    book->stage.store(0);
    const std::string file = mode == "wasm" ? wasm_file() : SYMPHONY_TALLY, number = std::to_string(fd.get());
    std::string words[] = {SYMPHONY_KEPT_PROGRAM, mode, file, folder, is_synced ? "1" : "0", number};
    char* arguments[] = {words[0].data(), words[1].data(), words[2].data(), words[3].data(),
                         words[4].data(), words[5].data(), nullptr};
    pid_t pid = 0;
    posix_spawn_file_actions_t inherits;
    ::posix_spawn_file_actions_init(&inherits);
    ::posix_spawn_file_actions_adddup2(&inherits, fd.get(), fd.get());
    EXPECT_EQ(::posix_spawn(&pid, SYMPHONY_KEPT_PROGRAM, &inherits, nullptr, arguments, environ), 0);
    ::posix_spawn_file_actions_destroy(&inherits);
    return pid;
  }
  static std::string wasm_file() {
#if defined(SYMPHONY_WASM_TALLY)
    return SYMPHONY_WASM_TALLY;
#else
    return {};
#endif
  }
  [[nodiscard]] std::uint64_t answered() const {
    std::uint64_t sum = 0;
    for (const auto& line : book->lines) sum += line.answered.load();
    return sum;
  }
  // False: the program ended by itself, or nothing came of it in a long time.
  template <class Condition>
  static bool comes_true(pid_t pid, Condition&& condition) {
    const TimeNs deadline = now_ns() + 60 * second_ns;
    while (now_ns() < deadline) {
      if (condition()) return true;
      siginfo_t about{};
      if (::waitid(P_PID, static_cast<id_t>(pid), &about, WEXITED | WNOHANG | WNOWAIT) != 0 || about.si_pid == pid) {
        return false;
      }
      ::sched_yield();
    }
    return false;
  }

  void kill_again_and_again(const std::string& mode, bool is_synced, std::uint64_t kills) {
    std::mt19937_64 random(test_run::seed());
    std::uint64_t in_calls = 0, in_starts = 0;
    for (std::uint64_t i = 0; i < kills; ++i) {
      const std::uint64_t before = answered();
      const pid_t pid = begin(mode, is_synced);
      const bool in_start = random() % 4 == 0;
      if (!in_start) {
        ASSERT_TRUE(comes_true(pid, [&] { return book->stage.load() == 1; })) << "after " << i << " kills";
        check(i);
        if (HasFatalFailure()) return;
        book->stage.store(2);
        const std::uint64_t wanted = before + random() % 300;
        ASSERT_TRUE(comes_true(pid, [&] { return answered() >= wanted; })) << "after " << i << " kills";
      }
      for (std::uint64_t spin = random() % (in_start ? 3'000'000 : 30'000); spin != 0; --spin) asm volatile("");
      ::kill(pid, SIGKILL);
      int status = 0;
      ASSERT_EQ(::waitpid(pid, &status, 0), pid);
      ASSERT_TRUE(WIFSIGNALED(status)) << "it ended by itself, with status " << WEXITSTATUS(status);
      for (const auto& line : book->lines) in_calls += line.asked.load() != line.answered.load() ? 1 : 0;
      in_starts += book->stage.load() == 0 ? 1 : 0;
    }
    const pid_t pid = begin(mode, is_synced);
    ASSERT_TRUE(comes_true(pid, [&] { return book->stage.load() == 1; }));
    check(kills);
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    std::printf("%llu kills, %llu calls answered; %llu calls were under way, %llu kills met a start\n",
                static_cast<unsigned long long>(kills), static_cast<unsigned long long>(answered()),
                static_cast<unsigned long long>(in_calls), static_cast<unsigned long long>(in_starts));
    EXPECT_GT(in_calls, 0U);
  }
  // What the state had when this program began, against what those before it were told.
  void check(std::uint64_t after) {
    ASSERT_EQ(book->wrong.load(), 0U) << "a hole or a repetition, after " << after << " kills";
    for (auto& line : book->lines) {
      ASSERT_GE(line.found.load(), line.answered.load()) << "a call that was answered is lost, after " << after;
      ASSERT_LE(line.found.load(), line.asked.load()) << "a call that nobody made, after " << after;
      line.answered.store(line.found.load());
    }
  }

  std::string folder;
  UniqueFd fd;
  LoadBook* book = nullptr;
};

TEST_F(KeptKills, InModeStaticLoseNothingThatWasAnsweredAndDoNothingTwice) {
  kill_again_and_again("static", false, test_run::samples(220));
}

TEST_F(KeptKills, InModeDynamicLoseNothingThatWasAnsweredAndDoNothingTwice) {
  kill_again_and_again("dynamic", false, test_run::samples(220));
}

TEST_F(KeptKills, InModeWasmLoseNothingThatWasAnsweredAndDoNothingTwice) {
  if (wasm_file().empty()) GTEST_SKIP() << "no module was built";
  kill_again_and_again("wasm", false, test_run::samples(220));
}

TEST_F(KeptKills, OfAStateThatIsSyncedLoseNothingEither) {
  kill_again_and_again("static", true, test_run::samples(40));
}

}  // namespace
}  // namespace symphony::kept
