#include "pits/hosting/call_task.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "pits/hosting/futex.hpp"

namespace symphony::pit {
namespace {

constexpr std::size_t first_reply_size = 1024;

}  // namespace

bool CallTask::make_room(std::uint32_t size_min) noexcept {
  try {
    bytes_.resize(std::max((std::size_t{size_min} + 7) / 8, first_reply_size / 8));
  } catch (const std::bad_alloc&) {
    return false;
  }
  room_ = std::as_writable_bytes(std::span(bytes_));
  return true;
}

void CallTask::fail(std::int32_t status, std::string_view text) noexcept {
  const std::string_view cut = clip_utf8(text, text_.size());
  if (!cut.empty()) std::memcpy(text_.data(), cut.data(), cut.size());
  *reply = {status, 0, {}, {text_.data(), cut.size()}};
  tell();
}

ReplySink* CallTask::defer(std::uint64_t request) noexcept {
  request_ = request;
  // relaxed: the caller looks at it only after the executor said that the task has run.
  ending_.store(0, std::memory_order_relaxed);
  return this;
}

void CallTask::tell_waiting() noexcept {
  const std::shared_ptr<const UniqueFd> wake = wake_;
  // sync call_task.ending release: the reply, for the caller that waits for it. The task may be gone after this.
  ending_.store(1, std::memory_order_release);
  futex_wake(&ending_);
  const std::uint64_t one = 1;
  if (wake != nullptr) (void)!::write(wake->get(), &one, sizeof one);
}

bool CallTask::wait_ended(TimeNs deadline_ns) noexcept {
  for (;;) {
    if (has_ended()) return true;
    const TimeNs now = now_ns();
    if (now >= deadline_ns) return false;
    futex_wait_until(ending_, 0, std::min(deadline_ns, now + second_ns));
  }
}

}  // namespace symphony::pit
