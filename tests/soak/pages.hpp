// The pages that outlive their writers: a file mapped shared keeps what a killed process stored.   Layer: tests.
// One writer each, but for `stop`; who reads them while their writer lives sees each word whole, and looks again.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "tests/soak/checker.hpp"

namespace symphony::soak {

[[nodiscard]] constexpr std::uint64_t check_of(std::uint32_t incarnation, std::uint32_t number) noexcept {
  const std::uint64_t x = (std::uint64_t{incarnation} << 32 | number) * 0x9e3779b97f4a7c15u;
  return x ^ (x >> 29);
}

// ---- of a caller

// Where a caller is: the flag word.
enum class Place : std::uint32_t { between = 0, calling = 1, connecting = 2, opening = 3, closing = 4, done = 5 };

struct CallSlot {
  std::uint32_t number;
  Kind kind;
  std::atomic<std::uint8_t> has_ended;  // stored last
  std::uint16_t unused;
  std::int32_t status;
  std::uint32_t unused_too;
  std::uint64_t answer;
};
static_assert(sizeof(CallSlot) == 24);

inline constexpr std::uint32_t calls_per_page_max = 1u << 17;

struct CallerPage {
  std::uint32_t incarnation;
  std::uint32_t seed;
  std::uint32_t rest_ms;  // after each ending; 0: load
  std::atomic<Place> place;
  std::atomic<std::uint32_t> stop;   // its starter wants it to come to an end
  std::atomic<std::uint32_t> count;  // of calls that were made
  std::atomic<std::uint32_t> sent_again, attaches;
  std::array<char, 224> trouble;  // why it gave up
  CallSlot calls[calls_per_page_max];
};

// ---- of a pit

enum class Inside : std::uint32_t { nothing = 0, handler = 1, snapshot = 2, restore = 3 };

// One process of the pit.
struct PitTrace {
  std::atomic<std::int32_t> pid;
  std::atomic<Inside> inside;
  std::atomic<std::uint64_t> handled;  // begun by it, replay included
};
inline constexpr std::uint32_t traces_max = 4096;
struct PitPage {
  std::atomic<std::uint32_t> last;  // the trace of the newest instance
  PitTrace traces[traces_max];
};

}  // namespace symphony::soak
