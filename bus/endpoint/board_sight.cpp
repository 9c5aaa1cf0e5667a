#include "bus/endpoint/board_sight.hpp"

#include <algorithm>
#include <utility>

#include "bus/topic/board_writer.hpp"
#include "bus/wait/futex.hpp"

namespace symphony::detail {
namespace {

// A sleeper looks at least so often whether another board came.
constexpr TimeNs board_sleep_max_ns = 10 * ms_ns;
constexpr int reads_max = 64;  // of values that are overwritten while they are copied, one after the other

}  // namespace

// ---- control thread

void BoardSight::arrive(std::uint64_t board, std::uint64_t source, const BoardGeometry& geometry, Mapping memory,
                        bool reader_was_first) {
  const std::lock_guard lock(mutex_);
  Board next;
  next.number = board;
  next.source = source;
  next.reader.emplace(memory.data(), geometry);
  // Where a reader begins: at what there is when it subscribes, however late it looks. Of a board that comes
  // later everything is newer, also what was written before this message of it.
  if (newest_ == 0 && !reader_was_first) next.latest = next.reader->latest();
  if (arrived_ && arrived_->source == source) next.latest = arrived_->latest;
  newest_ = board;
  next.memory = std::move(memory);
  arrived_ = std::move(next);
  has_writer_.store(true, std::memory_order_relaxed);  // relaxed: see has_writer()
  // sync sight.news release: the board before the word that it is there
  has_news_.store(true, std::memory_order_release);
}

void BoardSight::end(std::uint64_t board) {
  const std::lock_guard lock(mutex_);
  if (board == newest_) has_writer_.store(false, std::memory_order_relaxed);  // relaxed: see has_writer()
}

void BoardSight::refuse(const error& why) {
  const std::lock_guard lock(mutex_);
  failure_ = why;
}

bool BoardSight::is_decided() const {
  const std::lock_guard lock(mutex_);
  return newest_ != 0 || failure_;
}

std::optional<error> BoardSight::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

// ---- reader's thread

// sync sight.news acquire: with the word comes the board
bool BoardSight::is_newer_there() noexcept { return has_news_.load(std::memory_order_acquire); }

void BoardSight::go_over() noexcept {
  const std::lock_guard lock(mutex_);
  has_news_.store(false, std::memory_order_relaxed);  // relaxed: under the mutex that arrive() holds
  if (!arrived_) return;
  const bool is_first = !now_.reader;
  const bool is_same_source = !is_first && now_.source == arrived_->source;
  now_ = *std::exchange(arrived_, std::nullopt);
  if (is_first) {
    next_ = now_.latest + 1 - std::min({history_, now_.latest, std::uint64_t{now_.reader->geometry().slot_count}});
  } else if (!is_same_source) {
    next_ = 1;
  }
}

std::uint32_t BoardSight::value_size_max() noexcept {
  if (!now_.reader && is_newer_there()) go_over();
  std::uint32_t size = now_.reader ? now_.reader->geometry().value_size_max : 0;
  if (is_newer_there()) {
    const std::lock_guard lock(mutex_);
    if (arrived_) size = std::max(size, arrived_->reader->geometry().value_size_max);
  }
  return size;
}

TopicValue BoardSight::taken(BoardRead got, const BoardValue& value) const noexcept {
  TopicValue out;
  out.source = now_.source;
  switch (got) {
    case BoardRead::value:
      out.outcome = ReadOutcome::value;
      out.type = value.type;
      out.size = value.size;
      out.number = value.number;
      break;
    case BoardRead::none:
      out.outcome = ReadOutcome::none;
      break;
    case BoardRead::overwritten:
      out.outcome = ReadOutcome::busy;
      break;
    case BoardRead::fault:
      out.outcome = ReadOutcome::fault;
      break;
  }
  return out;
}

TopicValue BoardSight::read_newest(std::span<std::byte> into) noexcept {
  if (is_newer_there()) {
    // The old value is better than none: its successor may not have written yet.
    bool has_value = !now_.reader;
    if (!has_value) {
      const std::lock_guard lock(mutex_);
      has_value = arrived_ && arrived_->reader->latest() != 0;
    }
    if (has_value) go_over();
  }
  if (!now_.reader) return {};
  if (into.size() < now_.reader->geometry().value_size_max) return {.outcome = ReadOutcome::too_big};
  BoardValue value;
  return taken(now_.reader->read_latest(into, value), value);
}

TopicValue BoardSight::read_next(std::span<std::byte> into) noexcept {
  if (!now_.reader && is_newer_there()) go_over();
  if (!now_.reader) return {};
  if (now_.reader->latest() < next_ && is_newer_there()) go_over();
  if (into.size() < now_.reader->geometry().value_size_max) return {.outcome = ReadOutcome::too_big};
  const std::uint64_t slots = now_.reader->geometry().slot_count;
  std::uint64_t lost = 0;
  for (int i = 0; i < reads_max; ++i) {
    const std::uint64_t latest = now_.reader->latest();
    if (latest < next_) return {.outcome = ReadOutcome::none, .source = now_.source, .dropped = lost};
    // The slot of the one that is being written now holds the oldest, so that is lost as well.
    const std::uint64_t oldest = latest >= slots ? latest - slots + 2 : 1;
    if (i > 0 || next_ + slots <= latest) {
      if (next_ < oldest) {
        lost += oldest - next_;
        dropped_ += oldest - next_;
        next_ = oldest;
      }
    }
    BoardValue value;
    const BoardRead got = now_.reader->read(next_, into, value);
    if (got == BoardRead::overwritten) continue;
    TopicValue out = taken(got, value);
    out.dropped = lost;
    ++next_;  // also past one that cannot be read
    return out;
  }
  return {.outcome = ReadOutcome::busy, .source = now_.source, .dropped = lost};
}

void BoardSight::wait(TimeNs deadline_ns) noexcept {
  const TimeNs until = std::min(deadline_ns, deadline_after(board_sleep_max_ns));
  if (!now_.reader) {
    static constexpr std::uint32_t nothing = 0;
    const WaitWord word{&nothing, 0};
    (void)wait_any(std::span(&word, 1), until);
    return;
  }
  const std::uint64_t latest = now_.reader->latest();
  if (latest >= next_ || is_newer_there()) return;
  const WaitWord word{BoardWriter<RealMem>::news(now_.memory.data()), static_cast<std::uint32_t>(latest)};
  (void)wait_any(std::span(&word, 1), until);
}

}  // namespace symphony::detail
