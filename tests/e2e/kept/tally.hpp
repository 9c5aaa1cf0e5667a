// What the pit `tally` does for each message type: it keeps what it was told, and says what it knows.   Layer: tests.
#pragma once

#include <array>
#include <cstdint>

namespace tally {

inline constexpr std::uint32_t callers_max = 8;

enum Order : std::uint32_t {
  add = 100,          // keeps the entry; replies with a Report
  look,               // the same without an entry
  wait,               // keeps the entry; ends later, with status 1000 + the entry's number
  end_oldest,         // keeps the entry, ends the request that has waited longest; replies with a Report
  ask_random,         // takes a random number into the state; replies with a Report
  arm,                // a timer that is due at the point of the clock `number`: it counts as an entry of nobody
  arm_trap,           // likewise; on_timer() traps
  publish,            // keeps the entry, publishes its number
  publish_then_trap,  //
  trap,               // keeps the entry, and traps
  reply_then_trap,    // likewise, after its reply
  end_then_trap,      // likewise, after it ended the request that has waited longest
  hang,               // keeps the entry, and does not return
  eat,                // keeps the entry, and takes all memory there is
};
inline constexpr std::uint32_t timers_trap = 666;

struct Entry {  // a request's body
  std::uint64_t caller = 0;
  std::uint64_t number = 0;
};
struct Report {
  std::array<std::uint64_t, callers_max> last{};  // number of each caller's last entry
  std::uint64_t entries = 0;
  std::uint64_t wrong = 0;  // entries that were not one more than their caller's last
  std::uint64_t timers = 0;
  std::uint64_t waiting = 0;
  std::uint64_t hash = 0;  // of all that ever happened
  friend bool operator==(const Report&, const Report&) = default;
};

}  // namespace tally
