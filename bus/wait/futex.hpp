// Sleeping on words of shared memory.   Layer: wait (uses base only).
//
// Always the shared kind of futex: the words live in memfds that two processes map (std::atomic waits on the private
// kind). A read-only view is enough to wait on. Threads: any.
#pragma once

#include <cstdint>
#include <span>

#include <symphony/clock.hpp>

namespace symphony::detail {

// Sleep only while *word == expected.
struct WaitWord {
  const std::uint32_t* word;
  std::uint32_t expected;
};

inline constexpr std::size_t wait_words_max = 128;  // of one futex_waitv

enum class Wakeup : std::uint8_t { woken, timeout };

// Sleeps until one of the words changed and was woken, or until deadline_ns. `woken` may be spurious: look again.
// Precondition: 1 to wait_words_max words. Without futex_waitv (Linux < 5.16, or a filter that denies it) it waits on
// the first word in slices of at most 1 ms.
[[nodiscard]] Wakeup wait_any(std::span<const WaitWord> words, TimeNs deadline_ns) noexcept;

// Wakes everyone who sleeps on the word. About 0.5 us with nobody asleep, so ask first. Returns whether somebody slept.
bool wake_all(const std::uint32_t* word) noexcept;

}  // namespace symphony::detail
