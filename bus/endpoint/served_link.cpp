#include "bus/endpoint/served_link.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace symphony::detail {

ServedLink::ServedLink(std::unique_ptr<Attached> attached, std::uint32_t reply_size_max, const CancelWord* cancelled)
    : attached_(std::move(attached)),
      channel_(attached_->own.data(), attached_->peer.data(), attached_->geometry, {}, attached_->peer_data.data()),
      reply_size_max_(std::max(std::min({reply_size_max, attached_->reply_size_max, channel_.message_size_max()}),
                               static_cast<std::uint32_t>(sizeof(ErrorBody) + error_text_size_max))),
      cancelled_(cancelled),
      last_id_(attached_->last_id) {}

// F1: the pit never waits for a caller. An error's text must fit as well as a reply.
bool ServedLink::reply_fits() noexcept { return channel_.has_room(reply_size_max_); }

ServedLink::Turn ServedLink::serve_one(RequestHandler& handler, ServiceCounters& counters, TimeNs now_ns) noexcept {
  if (busy_ && !flush_later(handler)) [[unlikely]]
    return channel_.fault() != RingFault::none ? Turn::faulted : Turn::blocked;
  Channel::Record record;
  switch (channel_.try_peek(record)) {
    case Poll::empty:
      return Turn::idle;
    case Poll::fault:
      return Turn::faulted;
    case Poll::record:
      break;
  }
  if (!room_for_reply()) return channel_.fault() != RingFault::none ? Turn::faulted : Turn::blocked;
  handle(record, handler, counters, now_ns);
  channel_.free_space(false);
  return Turn::served;
}

bool ServedLink::room_for_reply() noexcept {
  if (!reply_fits()) {
    if (!blocked_ && channel_.fault() == RingFault::none) channel_.want_space(busy_ = blocked_ = true);
    return false;
  }
  if (blocked_) {
    channel_.want_space(blocked_ = false);
    busy_ = !later_.empty();
  }
  return true;
}

void ServedLink::handle(const Channel::Record& record, RequestHandler& handler, ServiceCounters& counters,
                        TimeNs now_ns) noexcept {
  if (!is_confirmed_) [[unlikely]]
    confirm(handler);
  envelope_ = channel_.copy_envelope(record);
  ended_ = false;
  claimed_ = 0;
  channel_.begin(record);
  if (envelope_.id <= last_id_) {  // D6: sent before; its caller takes the ending it already has
    ++counters.refused_ids;
  } else if (envelope_.deadline_ns != 0 && envelope_.deadline_ns <= static_cast<std::uint64_t>(now_ns)) {
    last_id_ = envelope_.id;
    ++counters.overdue;  // T1: its caller has ended it
  } else {
    last_id_ = envelope_.id;
    ++counters.requests;
    try {
      const auto body = channel_.copy_body(record, body_.ensure(Channel::body_size(record)));
      if ((envelope_.flags & flag::more) != 0) {
        fail(status::version, "the request is streamed, which this version does not read");
      } else {
        handler.on_request({envelope_, body, attached_->at.link}, *this);
      }
    } catch (const std::bad_alloc&) {
      fail(status::overloaded, "the pit has no memory to hold the request");
    }
    if (!ended_) fail(status::internal, "the handler ended without a reply");
  }
  channel_.finish(record);
}

std::span<std::byte> ServedLink::claim(std::uint32_t size) noexcept {
  if (size > reply_size_max_ || ended_) return {};
  claimed_ = size;
  if (discarding_) {
    try {
      return scratch_.ensure(std::max(size, 1u)).first(size);
    } catch (const std::bad_alloc&) {
      return {};
    }
  }
  // Smaller than what reply_fits() found room for, so it succeeds.
  claim_ = channel_.try_claim(size);
  return Channel::body_of(claim_);
}

void ServedLink::commit(std::uint32_t used, std::uint32_t type) noexcept {
  if (ended_ || used > claimed_) return;
  ended_ = true;
  if (discarding_) return;
  if (!claim_) claim_ = channel_.try_claim(0);
  channel_.commit(std::move(claim_), {.id = envelope_.id, .type = type, .flags = flag::reply}, used);
  claim_ = {};
}

void ServedLink::fail(CallStatus ending, std::string_view text) noexcept {
  if (ended_) return;
  text = text.substr(0, error_text_size_max);
  const ErrorBody error{.status = ending};
  const auto size = static_cast<std::uint32_t>(sizeof error + text.size());
  const auto bytes = claim(size);
  ended_ = true;
  if (discarding_ || bytes.size() < size) return;
  std::memcpy(bytes.data(), &error, sizeof error);
  if (!text.empty()) std::memcpy(bytes.data() + sizeof error, text.data(), text.size());
  channel_.commit(std::move(claim_),
                  {.id = envelope_.id, .flags = static_cast<std::uint16_t>(flag::reply | flag::error)}, size);
  claim_ = {};
}

LaterReply ServedLink::defer() noexcept {
  ended_ = true;
  return {attached_->at.link, attached_->at.epoch, envelope_.id};
}

bool ServedLink::is_abandoned() const noexcept {
  return discarding_ || channel_.peer_state() == SideState::closing ||
         (cancelled_ != nullptr && cancelled_->is_cancelled(attached_->at.link, envelope_.id));
}

LaterOutcome ServedLink::reply_later(std::uint64_t id, CallStatus ending, std::uint32_t type,
                                     std::span<const std::byte> body) noexcept {
  if (ending != status::ok) body = body.first(std::min<std::size_t>(body.size(), error_text_size_max));
  if (body.size() > reply_size_max_) return LaterOutcome::refused;
  // Not past the claim of the request that is being handled.
  try {
    // For this one and those that wait: when they are written, memory must not be in the way.
    const std::size_t needed = is_confirmed_ ? 0 : unconfirmed_.size() + later_.size() + 1;
    if (unconfirmed_.capacity() < needed) unconfirmed_.reserve(2 * needed);
    if (later_.empty() && !claim_ && reply_fits()) {
      if (!write_later(id, ending, type, body)) return LaterOutcome::refused;
      return may_be_unread(id) ? LaterOutcome::queued : LaterOutcome::written;
    }
    later_.push_back({id, ending, type, {body.begin(), body.end()}});
  } catch (const std::bad_alloc&) {
    return LaterOutcome::refused;
  }
  busy_ = true;
  return LaterOutcome::queued;
}

// Precondition: reply_fits().
bool ServedLink::write_later(std::uint64_t id, CallStatus ending, std::uint32_t type,
                             std::span<const std::byte> body) noexcept {
  const ErrorBody error{.status = ending};
  const std::size_t head = ending == status::ok ? 0 : sizeof error;
  auto claim = channel_.try_claim(static_cast<std::uint32_t>(head + body.size()));
  if (!claim) return false;
  const auto to = Channel::body_of(claim);
  if (head != 0) std::memcpy(to.data(), &error, head);
  if (!body.empty()) std::memcpy(to.data() + head, body.data(), body.size());
  const auto flags = static_cast<std::uint16_t>(flag::reply | (head != 0 ? flag::error : 0));
  channel_.commit(std::move(claim), {.id = id, .type = head != 0 ? 0 : type, .flags = flags},
                  static_cast<std::uint32_t>(head + body.size()));
  return true;
}

bool ServedLink::may_be_unread(std::uint64_t id) noexcept {
  if (!is_confirmed_) unconfirmed_.push_back(id);  // reply_later() made room
  return !is_confirmed_;
}

void ServedLink::confirm(RequestHandler& handler) noexcept {
  is_confirmed_ = true;
  for (const std::uint64_t id : std::exchange(unconfirmed_, {})) handler.on_later_written(attached_->at.link, id);
}

bool ServedLink::flush_later(RequestHandler& handler) noexcept {
  while (!later_.empty()) {
    if (!room_for_reply()) return false;
    const Later& next = later_.front();
    if (!write_later(next.id, next.ending, next.type, next.body)) return false;
    const std::uint64_t id = next.id;
    later_.pop_front();
    if (!may_be_unread(id)) handler.on_later_written(attached_->at.link, id);
  }
  busy_ = blocked_;
  return true;
}

void ServedLink::drain(RequestHandler& handler, ServiceCounters& counters) noexcept {
  discarding_ = true;
  // Bounded: the ring holds at most so many records, and a caller that still writes is cut off behind them.
  for (std::uint64_t lines = attached_->geometry.request_capacity / cache_line_size; lines != 0; --lines) {
    Channel::Record record;
    if (channel_.try_peek(record) != Poll::record) break;
    handle(record, handler, counters, coarse_now_ns());
  }
  channel_.free_space(true);
  channel_.set_state(SideState::closed);
}

WaitWord ServedLink::arm() noexcept { return channel_.arm(); }

bool ServedLink::look_again() noexcept {
  if (busy_ && !blocked_) return true;
  if (blocked_) {
    channel_.look_again_for_space();
    return reply_fits();
  }
  return channel_.look_again() || (!closed_ && channel_.peer_state() == SideState::closing);
}

std::uint32_t ServedLink::placement() const noexcept {
  const auto* const words = reinterpret_cast<const CallerWords*>(attached_->peer.data() + words_offset);
  // relaxed: advice; any number is as good as 0.
  return RealMem::load<Order::relaxed, Site::state>(&words->placement);
}

void ServedLink::disarm() noexcept { channel_.disarm(); }

void ServedLink::answer_close() noexcept {
  if (closed_ || channel_.peer_state() != SideState::closing || channel_.look_again()) return;
  closed_ = true;
  channel_.set_state(SideState::closed);
}

}  // namespace symphony::detail
