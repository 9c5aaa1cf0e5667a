// What callers were told, held against what is in the pit's state: the strict checker of the kill soak.   Layer: tests.
//
// Each caller's incarnation numbers its calls from 1 and sends them over one link; the pit writes down the numbers in
// the order in which it handled them, and answers each with its place. So with a journal, whatever was killed:
//   lost           answered with success, and not in the state                                   0
//   duplicated     in the state more often than once                                             0
//   unexpected     in the state, and nobody made that call                                       0
//   hole           not in the state, but a later call of the same incarnation is                 0
//                  (but for one that surely failed, and one that is `once` and has no answer)
//   reordered      in the state before one that was made earlier                                 0
//   moved          answered with another place than it has                                       0
//   stale          a read whose answer is not what was in the state at its turn                  0
//   contradicted   told that it failed, and in the state                                         0
//   odd            an ending that nothing in the soak explains                                   0
// A call without an answer (its caller was killed, or it ended as CRASHED) is unknown: there once, or not at all.
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <symphony/status.hpp>

namespace symphony::soak {

enum class Kind : std::uint8_t { once, idempotent, read };

struct Call {
  std::uint32_t number = 0;  // from 1; of a read: of the last call before it that is none
  Kind kind = Kind::once;
  bool has_ended = false;  // else the caller was killed before
  CallStatus status = status::ok;
  std::uint64_t answer = 0;  // the place in the incarnation's list, from 1; of a read: how many were in it
};

// One incarnation of one caller: calls in the order in which they were made.
struct History {
  std::uint32_t incarnation = 0;
  std::vector<Call> calls;
};

// Numbers in the order in which the pit handled them: first, first + 1, ..., first + count - 1.
struct Run {
  std::uint32_t first = 0;
  std::uint32_t count = 0;
  friend bool operator==(const Run&, const Run&) = default;
};

struct State {
  std::map<std::uint32_t, std::vector<Run>> handled;  // by incarnation
  std::uint64_t torn = 0;                             // messages that were not whole when they were handled
  friend bool operator==(const State&, const State&) = default;
};

struct Verdict {
  std::uint64_t calls = 0, acknowledged = 0, unknown = 0, failed = 0, reads = 0;
  std::uint64_t unknown_in_state = 0;
  std::uint64_t lost = 0, duplicated = 0, unexpected = 0, hole = 0, reordered = 0, moved = 0, stale = 0,
                contradicted = 0, odd = 0, torn = 0;
  std::vector<std::string> examples;  // of what is wrong, at most examples_max

  [[nodiscard]] std::uint64_t wrong() const noexcept {
    return lost + duplicated + unexpected + hole + reordered + moved + stale + contradicted + odd + torn;
  }
  void add(const Verdict& other);
};
inline constexpr std::size_t examples_max = 12;

[[nodiscard]] Verdict check(const std::vector<History>& histories, const State& state);

}  // namespace symphony::soak
