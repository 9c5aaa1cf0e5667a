// Where a task is in its life, and when it may begin.   Layer: pits/dag_tracker.
//
// What a waiting task becomes is a function of its rule and of how the tasks before it stand, nothing else: fits() is
// that function, and what is saved is held against it.
// Threads: plain values and pure functions.
#pragma once

#include <cstdint>

namespace symphony::pit::tracker {

// As in schemas/dag_tracker.fbs; the gaps leave room.
enum class TaskState : std::uint8_t {
  waiting = 0,
  ready = 10,
  retry_wait = 15,
  running = 20,
  succeeded = 30,
  cached = 31,
  failed = 40,
  upstream_failed = 41,
  skipped = 42,
  cancelled = 43
};

enum class Rule : std::uint8_t { all_success = 0, all_done = 1, one_success = 2, none_failed = 3 };
inline constexpr std::uint8_t rules = 4;

[[nodiscard]] constexpr bool is_known(TaskState s) noexcept {
  return s == TaskState::waiting || s == TaskState::ready || s == TaskState::retry_wait || s == TaskState::running ||
         s == TaskState::succeeded || s == TaskState::cached || (s >= TaskState::failed && s <= TaskState::cancelled);
}
[[nodiscard]] constexpr bool is_success(TaskState s) noexcept {
  return s == TaskState::succeeded || s == TaskState::cached;
}
[[nodiscard]] constexpr bool is_failure(TaskState s) noexcept {
  return s == TaskState::failed || s == TaskState::upstream_failed;
}
[[nodiscard]] constexpr bool has_ended(TaskState s) noexcept { return s >= TaskState::succeeded; }

// The tasks before one, counted by how they stand.
struct Before {
  std::uint32_t open = 0;  // not ended
  std::uint32_t succeeded = 0;
  std::uint32_t failed = 0;
  std::uint32_t skipped = 0;
  std::uint32_t cancelled = 0;

  void add(TaskState s) noexcept {
    ++(!has_ended(s)             ? open
       : is_success(s)           ? succeeded
       : is_failure(s)           ? failed
       : s == TaskState::skipped ? skipped
                                 : cancelled);
  }
  [[nodiscard]] std::uint32_t total() const noexcept { return open + succeeded + failed + skipped + cancelled; }
};

// What a task that has not begun is: waiting, ready, or ended by what is before it. Where several endings are possible
// the gravest.
[[nodiscard]] constexpr TaskState judge(Rule rule, const Before& b) noexcept {
  switch (rule) {
    case Rule::all_success:
      if (b.failed != 0) return TaskState::upstream_failed;
      if (b.cancelled != 0) return TaskState::cancelled;
      if (b.skipped != 0) return TaskState::skipped;
      break;
    case Rule::none_failed:
      if (b.failed != 0) return TaskState::upstream_failed;
      break;
    case Rule::one_success:
      if (b.succeeded != 0) return TaskState::ready;
      if (b.open == 0 && b.total() != 0) return TaskState::upstream_failed;
      break;
    case Rule::all_done:
      break;
  }
  return b.open == 0 ? TaskState::ready : TaskState::waiting;
}

// Whether a task of this state can stand behind those. `by_itself`: its ending is its own, not that of one before it.
// The first ending that decides stays, so that any of those that are possible fits.
[[nodiscard]] constexpr bool fits(TaskState s, bool by_itself, Rule rule, const Before& b) noexcept {
  if (by_itself && s == TaskState::cancelled) return true;
  const TaskState now = judge(rule, b);
  if (s == TaskState::cancelled) return rule == Rule::all_success && b.cancelled != 0;
  if (s == TaskState::skipped && !by_itself) return rule == Rule::all_success && b.skipped != 0;
  if (s == TaskState::upstream_failed || s == TaskState::waiting) return s == now;
  return now == TaskState::ready;
}

}  // namespace symphony::pit::tracker
