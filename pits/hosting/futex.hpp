// Sleeping on a word of this process.   Layer: hosting. Never in shared memory: bus/wait is for that.
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <climits>
#include <cstdint>

#include <symphony/clock.hpp>

namespace symphony::pit {

// Returns when the word is not `expected`, at a wake, at `until`, or for no reason.
inline void futex_wait_until(std::atomic<std::uint32_t>& word, std::uint32_t expected, TimeNs until) noexcept {
  const timespec at{until / second_ns, until % second_ns};
  ::syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, expected, &at, nullptr, FUTEX_BITSET_MATCH_ANY);
}

// The word's owner may have returned and freed it by now: the kernel only hashes the address, and whoever else sleeps
// there takes one wake for no reason.
inline void futex_wake(const void* word) noexcept {
  ::syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

inline void futex_wake_all(const void* word) noexcept {
  ::syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

}  // namespace symphony::pit
