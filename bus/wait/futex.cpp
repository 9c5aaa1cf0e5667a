#include "bus/wait/futex.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <climits>

namespace symphony::detail {
namespace {

constexpr TimeNs slice_ns = ms_ns;

timespec to_timespec(TimeNs t) noexcept {
  timespec out{};
  out.tv_sec = static_cast<time_t>(t / second_ns);
  out.tv_nsec = static_cast<long>(t % second_ns);
  return out;
}

Wakeup verdict(long returned) noexcept { return returned < 0 && errno == ETIMEDOUT ? Wakeup::timeout : Wakeup::woken; }

// FUTEX_WAIT_BITSET takes an absolute time on CLOCK_MONOTONIC, as futex_waitv does.
Wakeup wait_first(const WaitWord& word, TimeNs deadline_ns) noexcept {
  const timespec until = to_timespec(deadline_ns);
  return verdict(
      ::syscall(SYS_futex, word.word, FUTEX_WAIT_BITSET, word.expected, &until, nullptr, FUTEX_BITSET_MATCH_ANY));
}

}  // namespace

Wakeup wait_any(std::span<const WaitWord> words, TimeNs deadline_ns) noexcept {
  // relaxed: a remembered fact about the kernel; seeing it late costs one refused system call.
  static std::atomic<bool> has_waitv{true};
  if (words.size() == 1) return wait_first(words[0], deadline_ns);
  // relaxed: as above.
  if (has_waitv.load(std::memory_order_relaxed)) {
    std::array<futex_waitv, wait_words_max> vector;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled below
    const std::size_t count = std::min(words.size(), vector.size());
    for (std::size_t i = 0; i < count; ++i) {
      vector[i] = {words[i].expected, reinterpret_cast<std::uintptr_t>(words[i].word), FUTEX_32, 0};
    }
    const timespec until = to_timespec(deadline_ns);
    const long r = ::syscall(SYS_futex_waitv, vector.data(), count, 0, &until, CLOCK_MONOTONIC);
    if (r >= 0 || (errno != ENOSYS && errno != EPERM)) return verdict(r);
    // relaxed: as above.
    has_waitv.store(false, std::memory_order_relaxed);
  }
  const TimeNs slice_end = now_ns() + slice_ns;
  if (deadline_ns <= slice_end) return wait_first(words[0], deadline_ns);
  (void)wait_first(words[0], slice_end);
  return Wakeup::woken;
}

bool wake_all(const std::uint32_t* word) noexcept {
  return ::syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0) > 0;
}

}  // namespace symphony::detail
