// The process that goes on living: it reads while the victim is stepped, sees its death, recovers, says what it found.
// Layer: tests. Threads: the one that made it.
#pragma once

#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <string>

#include <symphony/unique_fd.hpp>

#include "tests/proof/crash/segments.hpp"
#include "tests/proof/crash/victim.hpp"

namespace symphony::proof {

class Peer {
 public:
  static constexpr int time_to_live_ms = 10'000;

  // Forks; body() returns "" or what is wrong. Returns when the child is running.
  template <class Body>
  explicit Peer(Body& body) {
    board().state = State::forked;
    pid_ = ::fork();
    SYMPHONY_CHECK(pid_ >= 0);
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      board().state = State::running;
      const std::string found = body();
      const std::size_t size = std::min(found.size(), board().text.size() - 1);
      std::copy_n(found.begin(), size, board().text.begin());
      board().text[size] = '\0';
      board().state = State::done;
      ::_exit(0);
    }
    pidfd_ = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    while (board().state == State::forked && !is_dead(pidfd_.get())) ::sched_yield();
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer() {
    if (pid_ > 0) (void)finding();
  }

  // Waits for its end. Text when it found something wrong, was killed, or did not end in time.
  [[nodiscard]] std::string finding() {
    const bool ended = is_dead(pidfd_.get(), time_to_live_ms);
    if (!ended) ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
    int status = 0;
    SYMPHONY_CHECK(::waitpid(pid_, &status, 0) == pid_);
    pid_ = -1;
    if (!ended) return "I5: the survivor does not come to an end";
    if (board().state != State::done) return "the survivor died";
    return board().text.data();
  }

 private:
  enum class State : std::uint32_t { forked, running, done };
  struct Board {
    std::atomic<State> state;
    std::array<char, 256> text;
  };
  static Board& board() {
    static const SharedBytes bytes(sizeof(Board));
    return *reinterpret_cast<Board*>(bytes.data());
  }
  pid_t pid_ = -1;
  UniqueFd pidfd_;
};

}  // namespace symphony::proof
