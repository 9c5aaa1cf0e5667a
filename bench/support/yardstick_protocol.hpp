// What Yardsticks and its helper process agree on.   Layer: bench.
// Both are built from one tree and start together; nothing of this is kept or sent elsewhere.
#pragma once

#include <sched.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>

#include <poll.h>

#include <symphony/clock.hpp>

#include "bench/support/raw_line.hpp"
#include "bus/base/platform.hpp"
#include "bus/wait/futex.hpp"

namespace symphony::bench::yardstick {

// Descriptors of the helper: one end of a SOCK_SEQPACKET pair, and the memory. Its parent's process id is argument 1.
inline constexpr int socket_fd = 3;
inline constexpr int memory_fd = 4;

inline constexpr std::size_t body_size = 32;
using Line = RawLine<body_size>;
using Packet = std::array<std::uint64_t, body_size / sizeof(std::uint64_t)>;

enum class Task : std::uint32_t { line = 1, uds = 2, futex = 3 };

// The only message but those that are measured: answer `count` round trips numbered from `first`.
struct Order {
  Task task;
  std::uint32_t reserved;
  std::uint64_t first;
  std::uint64_t count;
};

// The memory: a page with the two futex words, then the lines of either side. As large as a link's default rings, so
// that both sides of a comparison live in the same caches.
struct FutexWords {
  alignas(detail::cache_line_size) std::uint32_t request;
  alignas(detail::cache_line_size) std::uint32_t reply;
};
inline constexpr std::size_t lines_bytes = 256UL * 1024;
inline constexpr std::size_t memory_size = detail::page_size + 2 * lines_bytes;

inline FutexWords& futex_words(std::byte* memory) noexcept { return *reinterpret_cast<FutexWords*>(memory); }
inline std::byte* caller_lines(std::byte* memory) noexcept { return memory + detail::page_size; }
inline std::byte* helper_lines(std::byte* memory) noexcept { return caller_lines(memory) + lines_bytes; }

// Whether the process at the other end of `socket` is gone. Lets others run first: it is asked by those who waited
// long.
[[nodiscard]] inline bool is_gone(int socket) noexcept {
  ::sched_yield();
  pollfd fd{socket, POLLRDHUP, 0};
  return ::poll(&fd, 1, 0) > 0;
}

inline void set_word(std::uint32_t& word, std::uint32_t value) noexcept {
  // sync yardstick.futex release: pairs with the look of the side that was woken.
  std::atomic_ref(word).store(value, std::memory_order_release);
  detail::wake_all(&word);
}

// Sleeps until the word is `value`; false: give_up() said so, which is asked every 10 ms.
template <class GiveUp>
[[nodiscard]] bool wait_word(std::uint32_t& word, std::uint32_t value, GiveUp&& give_up) noexcept {
  for (;;) {
    // sync yardstick.futex acquire: pairs with the store of the side that wakes.
    const std::uint32_t seen = std::atomic_ref(word).load(std::memory_order_acquire);
    if (seen == value) return true;
    const detail::WaitWord wait{&word, seen};
    if (detail::wait_any({&wait, 1}, deadline_after(10 * ms_ns)) == detail::Wakeup::timeout && give_up()) return false;
  }
}

[[nodiscard]] inline bool send_packet(int socket, const Packet& packet) noexcept {
  ssize_t sent = 0;
  do {
    sent = ::send(socket, packet.data(), sizeof packet, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent == static_cast<ssize_t>(sizeof packet);
}

// The size of what came; 0: the other end is gone, or nothing came within the socket's time-out.
[[nodiscard]] inline std::size_t receive(int socket, std::span<std::byte> into) noexcept {
  ssize_t size = 0;
  do {
    size = ::recv(socket, into.data(), into.size(), 0);
  } while (size < 0 && errno == EINTR);
  return size > 0 ? static_cast<std::size_t>(size) : 0;
}

}  // namespace symphony::bench::yardstick
