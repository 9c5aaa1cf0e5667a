// What happens to a task, and to those behind it, when an attempt does not succeed.   Layer: pits/dag_tracker.
#include <algorithm>

#include "pits/dag_tracker/graph.hpp"

namespace symphony::pit::tracker {

// What the ending of one more task before it makes of a waiting one; waits_for counts that already.
TaskState Graph::after_ending(std::uint32_t task, TaskState ended) const noexcept {
  const bool was_last = tasks_[task].waits_for == 0;
  switch (rule(task)) {
    case Rule::all_success:
      if (is_failure(ended)) return TaskState::upstream_failed;
      if (!is_success(ended)) return ended;
      break;
    case Rule::none_failed:
      if (is_failure(ended)) return TaskState::upstream_failed;
      break;
    case Rule::one_success:
      if (is_success(ended)) return TaskState::ready;
      return was_last ? TaskState::upstream_failed : TaskState::waiting;
    case Rule::all_done:
      break;
  }
  return was_last ? TaskState::ready : TaskState::waiting;
}

void Graph::make_room_to_end() {
  work_.reserve(tasks());
  if (marks_.empty()) marks_.resize(tasks());
}

// Precondition: make_room_to_end() was called.
void Graph::end(std::uint32_t task, TaskState to, Tally* tally) noexcept {
  move(task, to);
  ++tally->ended;
  spread(task, tally);
}

// Tells those behind a task that has just ended.
void Graph::spread(std::uint32_t task, Tally* tally) noexcept {
  work_.assign(1, task);
  while (!work_.empty()) {
    const std::uint32_t ended = work_.back();
    work_.pop_back();
    for (const std::uint32_t s : successors_.of(ended)) {
      --tasks_[s].waits_for;
      if (states_[s] != TaskState::waiting) continue;
      const TaskState now = after_ending(s, states_[ended]);
      if (now == TaskState::waiting) continue;
      move(s, now);
      if (now == TaskState::ready) {
        ++tally->newly_ready;
      } else {
        ++tally->ended;
        work_.push_back(s);
      }
    }
  }
}

void Graph::keep_error(std::uint32_t task, std::string_view error) {
  if (error.empty() || (errors_.size() >= errors_kept_max && !errors_.contains(task))) {
    errors_.erase(task);
    return;
  }
  errors_[task] = error.substr(0, error_size_max);
}

std::string_view Graph::error(std::uint32_t task) const noexcept {
  const auto at = errors_.find(task);
  return at == errors_.end() ? std::string_view() : at->second;
}

Verdict Graph::fail(std::uint32_t task, std::uint64_t token, bool retryable, std::string_view error,
                    std::uint64_t now_ns, Tally* tally) {
  if (const Verdict verdict = attempt_of(task, token); !verdict.ok()) return verdict;
  if (is_success(states_[task])) {
    return {Refusal::stale_attempt, "this attempt has succeeded before; a failure of it is not believed"};
  }
  if (states_[task] != TaskState::running) return {};
  make_room_to_end();
  resting_.make_room();
  keep_error(task, error);
  at(now_ns);
  Mark& entry = marks_[task];
  const bool is_cancelled = (entry.flags & cancel_is_asked) != 0;
  entry.flags = is_cancelled ? by_itself : 0;
  if (is_cancelled) {
    end(task, TaskState::cancelled, tally);
    return {};
  }
  ++entry.failures;  // at most retries_max + 1
  if (!retryable || entry.failures > retries(task) || stopped() == Stop::failures) {
    end(task, TaskState::failed, tally);
    return {};
  }
  const std::uint64_t first_ns = std::uint64_t{delays_ms_.empty() ? 100 : delays_ms_[task]} * 1'000'000;
  const std::uint64_t delay_ns = std::min(first_ns << std::min(entry.failures - 1, 20), delay_ns_max);
  move(task, TaskState::retry_wait);
  resting_.add(task, now_ns + delay_ns);
  at(now_ns);
  if (states_[task] == TaskState::ready) ++tally->newly_ready;
  return {};
}

Verdict Graph::skip(std::uint32_t task, std::uint64_t token, Tally* tally) {
  if (const Verdict verdict = attempt_of(task, token); !verdict.ok()) return verdict;
  if (states_[task] == TaskState::skipped) return {};
  if (states_[task] != TaskState::running) {
    return {Refusal::stale_attempt, "this attempt has ended in another way before; drop the result, claim again"};
  }
  make_room_to_end();
  marks_[task].flags = by_itself;
  end(task, TaskState::skipped, tally);
  return {};
}

std::uint32_t Graph::release(std::uint32_t worker, bool lost, Tally* tally) {
  make_room_to_end();
  std::uint32_t released = 0;
  for (std::uint32_t t = 0; t < tasks(); ++t) {
    if (states_[t] != TaskState::running || tasks_[t].worker != worker) continue;
    Mark& entry = marks_[t];
    ++released;
    if (lost && entry.losses != 0xFF) ++entry.losses;
    const bool is_cancelled = (entry.flags & cancel_is_asked) != 0;
    const bool is_killer = lost && options_.losses_max != 0 && entry.losses >= options_.losses_max;
    if (is_killer) keep_error(t, "its worker died again and again");
    tasks_[t].token = 0;
    entry.flags = is_cancelled ? by_itself : 0;
    if (is_cancelled || is_killer) {
      end(t, is_cancelled ? TaskState::cancelled : TaskState::failed, tally);
    } else {
      move(t, TaskState::ready);
      ++tally->newly_ready;
    }
  }
  return released;
}

void Graph::at(std::uint64_t now_ns) noexcept {
  if (is_clock_unknown_ || now_ns < now_ns_) resting_.shift(now_ns_, now_ns);
  is_clock_unknown_ = false;
  now_ns_ = now_ns;
  while (resting_.next_ns() <= now_ns) move(resting_.take(), TaskState::ready);
}

Verdict Graph::heartbeat(std::uint32_t task, std::uint64_t token, bool* cancel) const noexcept {
  if (const Verdict verdict = attempt_of(task, token); !verdict.ok()) return verdict;
  if (states_[task] != TaskState::running) {
    return {Refusal::stale_attempt, "this attempt is over; drop what it does, claim again"};
  }
  *cancel = !marks_.empty() && (marks_[task].flags & cancel_is_asked) != 0;
  return {};
}

}  // namespace symphony::pit::tracker
