// Round trips over what the kernel offers for waking another process, nothing around it.   Layer: bench.
// A pair is made before fork() and used by both sides, each its own way. Every wait sleeps at once and, but for
// BoundedFutexPath, without a bound: that is the cheapest there is. Threads: one a process. Both trust each other.
#pragma once

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>

#include <symphony/clock.hpp>

#include "bus/base/platform.hpp"

namespace symphony::bench {

// Sleeps while the word is `seen`, until the other side wakes.   False: the kernel refuses.
struct SleepOnOneWord {
  bool operator()(const std::uint32_t& word, std::uint32_t seen) const noexcept {
    return ::syscall(SYS_futex, &word, FUTEX_WAIT, seen, nullptr, nullptr, 0) == 0 || errno == EAGAIN || errno == EINTR;
  }
};
// As a link's side sleeps: on a second word as well (its mailbox), and not for ever.
struct SleepOnTwoWords {
  bool operator()(const std::uint32_t& word, std::uint32_t seen) const noexcept {
    const TimeNs until_ns = now_ns() + 100 * ms_ns;
    const timespec until{static_cast<time_t>(until_ns / second_ns), static_cast<long>(until_ns % second_ns)};
    const std::uint32_t mail = 0;
    const std::array<futex_waitv, 2> words{{{seen, reinterpret_cast<std::uintptr_t>(&word), FUTEX_32, 0},
                                            {0, reinterpret_cast<std::uintptr_t>(&mail), FUTEX_32, 0}}};
    return ::syscall(SYS_futex_waitv, words.data(), words.size(), 0, &until, CLOCK_MONOTONIC) >= 0 || errno == EAGAIN ||
           errno == EINTR || errno == ETIMEDOUT;
  }
};

// Two words in shared memory; the other's is slept on.
template <class Sleep>
class WordsPath {
 public:
  WordsPath()
      : words_(static_cast<Words*>(
            ::mmap(nullptr, sizeof(Words), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {}
  [[nodiscard]] bool ok() const noexcept { return words_ != MAP_FAILED; }
  bool call() noexcept {
    set(words_->request, ++number_);
    return wait(words_->reply, number_);
  }
  bool serve() noexcept {
    if (!wait(words_->request, ++number_)) return false;
    set(words_->reply, number_);
    return true;
  }

 private:
  struct Words {
    alignas(detail::cache_line_size) std::uint32_t request;
    alignas(detail::cache_line_size) std::uint32_t reply;
  };
  static void set(std::uint32_t& word, std::uint32_t value) noexcept {
    // sync bench.futex release: pairs with the look of the side that was woken.
    std::atomic_ref(word).store(value, std::memory_order_release);
    ::syscall(SYS_futex, &word, FUTEX_WAKE, 1, nullptr, nullptr, 0);
  }
  static bool wait(std::uint32_t& word, std::uint32_t value) noexcept {
    for (;;) {
      // sync bench.futex acquire: pairs with the store of the side that wakes.
      const std::uint32_t seen = std::atomic_ref(word).load(std::memory_order_acquire);
      if (seen == value) return true;
      if (!Sleep()(word, seen)) return false;
    }
  }
  Words* words_;
  std::uint32_t number_ = 0;
};
using FutexPath = WordsPath<SleepOnOneWord>;
using BoundedFutexPath = WordsPath<SleepOnTwoWords>;

// Two descriptors that are written and read, each way: pipes, or both ends of a socket.
class ByteStreamPath {
 public:
  static ByteStreamPath of_pipes() {
    std::array<int, 2> out{-1, -1};
    std::array<int, 2> back{-1, -1};
    if (::pipe2(out.data(), O_CLOEXEC) != 0 || ::pipe2(back.data(), O_CLOEXEC) != 0) return {};
    return {back[0], out[1], out[0], back[1]};
  }
  static ByteStreamPath of_sockets() {
    std::array<int, 2> ends{-1, -1};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return {};
    return {ends[0], ends[0], ends[1], ends[1]};
  }
  [[nodiscard]] bool ok() const noexcept { return caller_in_ >= 0; }
  bool call() noexcept { return put(caller_out_) && get(caller_in_); }
  bool serve() noexcept { return get(pit_in_) && put(pit_out_); }

 private:
  ByteStreamPath() = default;
  ByteStreamPath(int caller_in, int caller_out, int pit_in, int pit_out)
      : caller_in_(caller_in), caller_out_(caller_out), pit_in_(pit_in), pit_out_(pit_out) {}
  using Body = std::array<char, 32>;
  static bool put(int fd) noexcept {
    const Body body{};
    return ::write(fd, body.data(), body.size()) == static_cast<ssize_t>(body.size());
  }
  static bool get(int fd) noexcept {
    Body body;
    return ::read(fd, body.data(), body.size()) == static_cast<ssize_t>(body.size());
  }
  int caller_in_ = -1;
  int caller_out_ = -1;
  int pit_in_ = -1;
  int pit_out_ = -1;
};

}  // namespace symphony::bench
