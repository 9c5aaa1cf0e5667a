#include "bus/endpoint/board_source.hpp"

#include <algorithm>

#include "bus/topic/board_reader.hpp"
#include "bus/wait/futex.hpp"

namespace symphony::detail {

void BoardSource::attach(Mapping memory) {
  std::vector<std::byte> value(geometry.value_size_max);
  const std::lock_guard lock(mutex_);
  const std::uint64_t written = writer_ ? writer_->written() : 0;
  const std::uint64_t copied = std::min<std::uint64_t>(written, geometry.slot_count);
  BoardWriter<RealMem> next(memory.data(), geometry, {}, written - copied);
  for (std::uint64_t number = written - copied + 1; number <= written; ++number) {
    const BoardReader<RealMem> before(memory_.data(), geometry);
    BoardValue found;
    // Nobody else writes there, so each of them is whole.
    if (before.read(number, value, found) != BoardRead::value) found = {number, 0, 0};
    next.write(found.type, std::span(value).first(found.size));
  }
  memory_ = std::move(memory);
  writer_.emplace(next);
}

void BoardSource::refuse(const error& why) {
  const std::lock_guard lock(mutex_);
  failure_ = why;
}

bool BoardSource::is_decided() const {
  const std::lock_guard lock(mutex_);
  return writer_ || failure_;
}

std::optional<error> BoardSource::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

result<std::uint64_t> BoardSource::write(std::uint32_t type, std::span<const std::byte> value) noexcept {
  if (value.size() > geometry.value_size_max) {
    return unexpected(errc::too_large, "write: the value is larger than the value_size_max that was asked for");
  }
  const std::lock_guard lock(mutex_);
  if (failure_) return unexpected(*failure_);
  if (!writer_) return unexpected(errc::closed, "write: this board has no memory");
  const std::uint64_t number = writer_->write(type, value);
  if (kind == control::BoardKind::topic) wake_all(BoardWriter<RealMem>::news(memory_.data()));
  return number;
}

}  // namespace symphony::detail
