// The functions that a pit calls, and what they need of the instance.
#include <algorithm>
#include <cstring>
#include <new>

#include "pits/hosting/instance.hpp"

namespace symphony::pit {
namespace {

// splitmix64: small, seedable, good enough for what is not a secret.
std::uint64_t next_random(std::uint64_t& state) noexcept {
  std::uint64_t z = (state += 0x9E3779B97F4A7C15ULL);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

std::string_view text_of(symphony_span span) noexcept {
  if (span.p == nullptr || span.n == 0) return {};
  return {reinterpret_cast<const char*>(span.p), span.n};
}

std::span<const std::byte> bytes_of(symphony_span span) noexcept {
  if (span.p == nullptr || span.n == 0) return {};
  return {reinterpret_cast<const std::byte*>(span.p), span.n};
}

bool lacks_bytes(symphony_span span) noexcept { return span.p == nullptr && span.n > 0; }

// A point of the pit's clock; beyond what the clock can say is never.
TimeNs point_of(std::uint64_t at_ns) noexcept {
  return at_ns >= static_cast<std::uint64_t>(no_deadline_ns) ? no_deadline_ns : static_cast<TimeNs>(at_ns);
}

}  // namespace

// ---- what the host asks

void Instance::answer(std::uint64_t cookie, std::int32_t status, std::uint32_t type,
                      std::span<const std::byte> body) noexcept {
  if (calls_ > 0) --calls_;
  if (!allowed(Step::handle)) return;  // the state that asked is gone or at rest: nobody to tell
  std::array<std::byte, error_head_size + error_text_max> error{};
  const bool failed = status != SYMPHONY_OK;
  if (failed) {
    const std::string_view text{reinterpret_cast<const char*>(body.data()), body.size()};
    body = std::span<const std::byte>(error).first(write_error_body(error, status, text));
  } else {
    try {
      body = aligned(body);
    } catch (const std::bad_alloc&) {
      write_log(SYMPHONY_LOG_ERROR, "no memory for the answer to a call of the pit: it is dropped");
      return;
    }
  }
  const auto flags = static_cast<std::uint16_t>(SYMPHONY_FLAG_REPLY | (failed ? SYMPHONY_FLAG_ERROR : 0));
  const symphony_envelope envelope{cookie, 0, type, flags, 0, 0};
  const symphony_msg message{
      sizeof(symphony_msg),
      0,
      &envelope,
      {reinterpret_cast<const std::uint8_t*>(body.data()), static_cast<std::uint32_t>(body.size()), 0},
      0};
  ++entries_;
  std::int32_t returned = SYMPHONY_OK;
  {
    const Entered inside(*this);
    returned = table_.handle(self_, &message);
  }
  if (returned != SYMPHONY_OK && !note_trap(returned)) blame_pit("handle() failed on an answer: nobody hears of it");
}

bool Instance::run_timer(TimeNs now_ns) noexcept {
  if (!allowed(Step::timer)) return false;
  const auto id = timers_.take_due(now_ns);
  if (id) enter_timer(*id, now_ns);
  return id.has_value();
}

void Instance::enter_timer(std::uint64_t id, TimeNs now_ns) noexcept {
  if (table_.timer == nullptr) return blame_pit("it armed a timer and has no timer()");
  ++entries_;
  std::int32_t status = SYMPHONY_OK;
  {
    const Entered inside(*this);
    status = table_.timer(self_, id, static_cast<std::uint64_t>(now_ns));
  }
  if (status != SYMPHONY_OK && !note_trap(status)) blame_pit("timer() failed: nobody hears of it");
}

void Instance::replay_timer(std::uint64_t id, TimeNs now_ns) noexcept {
  if (allowed(Step::timer) && timers_.cancel(id)) enter_timer(id, now_ns);
}

InstanceMemory Instance::memory() const {
  InstanceMemory out{random_state_, last_request_, calls_, fed_ns_, {}};
  out.timers.assign(timers_.all().begin(), timers_.all().end());
  return out;
}

void Instance::set_memory(const InstanceMemory& memory, std::unordered_map<std::uint64_t, ReplySink*> pending) {
  timers_.clear();
  for (const auto& [id, due_ns] : memory.timers) (void)timers_.set(id, due_ns);
  random_state_ = memory.random;
  last_request_ = memory.last_request;
  calls_ = memory.calls;
  fed_ns_ = memory.fed_ns;
  pending_ = std::move(pending);
  tell_due();
}

void Instance::feed(std::uint64_t seed, TimeNs now_ns) noexcept {
  seed_ = random_state_ = seed;
  fed_ns_ = now_ns;
}

void Instance::defer(std::uint64_t request, ReplySink& sink) noexcept {
  if (pending_.size() >= SYMPHONY_PENDING_MAX) {
    return sink.fail(SYMPHONY_OVERLOADED, "as many requests wait for this pit's reply as may: try later");
  }
  try {
    ReplySink*& later = pending_[request];
    later = sink.defer(request);
    if (later == nullptr) pending_.erase(request);
  } catch (const std::bad_alloc&) {
    sink.fail(SYMPHONY_OVERLOADED, "no memory to keep this request for later: try again");
  }
}

void Instance::end_pending(std::int32_t status, std::string_view text) noexcept {
  for (const auto& [request, sink] : pending_) sink->fail(status, text);
  pending_.clear();
}

void Instance::tell_due() noexcept {
  if (services_ != nullptr) services_->timer_due(timers_.next_due_ns());
}

// ---- what the pit asks

void Instance::write_log(std::int32_t level, std::string_view line) noexcept {
  if (log_ != nullptr) log_->write(level, info_.name, line);
}

void Instance::blame_pit(std::string_view what) noexcept {
  if (log_ == nullptr) return;
  std::array<char, 256> line{};
  constexpr std::string_view head = "the pit misbehaved: ";
  const std::size_t n = std::min(what.size(), line.size() - head.size());
  std::memcpy(line.data(), head.data(), head.size());
  std::memcpy(line.data() + head.size(), what.data(), n);
  write_log(SYMPHONY_LOG_ERROR, {line.data(), head.size() + n});
}

void Instance::on_log(void* context, std::int32_t level, symphony_span text) noexcept {
  auto& self = *static_cast<Instance*>(context);
  if (self.log_ == nullptr) return;
  // One line is one line: what a pit wrote cannot begin another, nor steer a terminal.
  std::array<char, SYMPHONY_LOG_TEXT_MAX> line{};
  const std::string_view cut = clip_utf8(text_of(text), line.size());
  std::transform(cut.begin(), cut.end(), line.begin(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7F ? ' ' : c;
  });
  self.write_log(std::clamp<std::int32_t>(level, SYMPHONY_LOG_DEBUG, SYMPHONY_LOG_ERROR), {line.data(), cut.size()});
}

std::uint64_t Instance::on_now(void* context) noexcept {
  auto& self = *static_cast<Instance*>(context);
  std::uint64_t& now = self.heard_.now_ns;
  if (now == 0) now = self.replayed_ != nullptr ? self.replayed_->now_ns : static_cast<std::uint64_t>(self.clock_ns());
  return now;
}

std::int32_t Instance::on_claim(void* context, std::uint32_t size_min, symphony_mut_span* out) noexcept {
  auto& self = *static_cast<Instance*>(context);
  const ReplySink* const sink = self.sink_;
  if (sink == nullptr || self.committed_ || size_min > self.info_.reply_size_max) [[unlikely]]
    return self.blame_claim(out);
  const std::span<std::byte> room = sink->room();
  if (size_min - 1U >= room.size()) [[unlikely]]  // so is one of 0 bytes
    return self.claim_from_sink(size_min, out);
  return self.grant(room, out);
}

inline std::int32_t Instance::grant(std::span<std::byte> claimed, symphony_mut_span* out) noexcept {
  has_claim_ = true;
  claimed_ = claimed;
  const std::size_t n = std::min<std::size_t>(claimed.size(), info_.reply_size_max);
  *out = {reinterpret_cast<std::uint8_t*>(claimed.data()), static_cast<std::uint32_t>(n), 0};
  return SYMPHONY_OK;
}

// OVERLOADED: there is no room, or there was none when this was heard first.
std::int32_t Instance::claim_from_sink(std::uint32_t size_min, symphony_mut_span* out) noexcept {
  const bool was_refused = replayed_ != nullptr && size_min >= replayed_->claim_refused;
  std::span<std::byte> claimed;
  if (!was_refused && sink_->claim(size_min, claimed)) return grant(claimed, out);
  has_claim_ = false;
  claimed_ = {};
  *out = {};
  heard_.claim_refused = std::min(heard_.claim_refused, size_min);
  return SYMPHONY_OVERLOADED;
}

// A claim that no host grants, by what is wrong with it.
std::int32_t Instance::blame_claim(symphony_mut_span* out) noexcept {
  *out = {};
  if (sink_ == nullptr) {
    blame_pit("claim() outside handle()");
    return SYMPHONY_BAD_STATE;
  }
  if (committed_) {
    blame_pit("claim() after commit(): a request has one reply");
    return SYMPHONY_BAD_STATE;
  }
  blame_pit("claim() of more than the reply_size_max in its note");
  return SYMPHONY_TOO_LARGE;
}

std::int32_t Instance::on_commit(void* context, std::uint32_t used, std::uint32_t type) noexcept {
  auto& self = *static_cast<Instance*>(context);
  if (self.sink_ == nullptr) {
    self.blame_pit("commit() outside handle()");
    return SYMPHONY_BAD_STATE;
  }
  if (self.committed_) {
    self.blame_pit("a second commit(): the first reply stands");
    return SYMPHONY_BAD_STATE;
  }
  if (!self.has_claim_) {
    self.blame_pit("commit() without a claim");
    return SYMPHONY_BAD_STATE;
  }
  if (used > self.claimed_.size() || used > self.info_.reply_size_max) {
    self.blame_pit("commit() of more bytes than it claimed");
    return SYMPHONY_TOO_LARGE;
  }
  self.used_ = used;
  self.type_ = type;
  self.committed_ = true;
  return SYMPHONY_OK;
}

void Instance::on_error(void* context, symphony_span text) noexcept {
  auto& self = *static_cast<Instance*>(context);
  const std::string_view cut = clip_utf8(text_of(text), self.reason_.size());
  std::copy(cut.begin(), cut.end(), self.reason_.begin());
  self.reason_size_ = cut.size();
}

std::uint64_t Instance::on_random(void* context) noexcept {
  return next_random(static_cast<Instance*>(context)->random_state_);
}

const void* Instance::on_get_extension(void* context, std::uint64_t id) noexcept {
  for (const Extension& offered : static_cast<Instance*>(context)->extensions_) {
    if (offered.id == id) return offered.table;
  }
  return nullptr;
}

std::int32_t Instance::on_publish(void* context, std::uint32_t type, symphony_span body) noexcept {
  auto& self = *static_cast<Instance*>(context);
  if (lacks_bytes(body)) {
    self.blame_pit("publish() from a null pointer");
    return SYMPHONY_BAD_MESSAGE;
  }
  return self.services_ != nullptr ? self.services_->publish(type, bytes_of(body)) : SYMPHONY_DENIED;
}

std::int32_t Instance::on_call_async(void* context, const symphony_call* call) noexcept {
  auto& self = *static_cast<Instance*>(context);
  symphony_call copy{};
  if (call == nullptr || call->struct_size < sizeof copy || lacks_bytes(call->body) || lacks_bytes(call->service)) {
    self.blame_pit("call_async() with a call that is none");
    return SYMPHONY_BAD_MESSAGE;
  }
  std::memcpy(&copy, call, sizeof copy);
  if (self.state_ != State::running && self.state_ != State::inited) {
    self.blame_pit("call_async() outside RUNNING");
    return SYMPHONY_BAD_STATE;
  }
  const std::string_view service = text_of(copy.service);
  if (std::find(self.info_.needs.begin(), self.info_.needs.end(), service) == self.info_.needs.end()) {
    self.blame_pit("call_async() to a pit that its note does not need");
    return SYMPHONY_DENIED;
  }
  if (self.calls_ >= SYMPHONY_CALLS_MAX) return SYMPHONY_OVERLOADED;
  if (self.services_ == nullptr) return SYMPHONY_UNREACHABLE;
  const std::int32_t status = self.services_->call_async({
      .service = service,
      .type = copy.type,
      .effect = std::min<std::uint32_t>(copy.effect, SYMPHONY_EFFECT_IDEMPOTENT),
      .body = bytes_of(copy.body),
      .deadline_ns = copy.deadline_ns == 0 ? no_deadline_ns : point_of(copy.deadline_ns),
      .cookie = copy.cookie,
  });
  if (status == SYMPHONY_OK) ++self.calls_;
  return status;
}

std::int32_t Instance::on_timer_set(void* context, std::uint64_t id, std::uint64_t at_ns) noexcept {
  auto& self = *static_cast<Instance*>(context);
  try {
    if (!self.timers_.set(id, point_of(at_ns))) return SYMPHONY_OVERLOADED;
  } catch (const std::bad_alloc&) {
    return SYMPHONY_OVERLOADED;
  }
  self.tell_due();
  return SYMPHONY_OK;
}

std::int32_t Instance::on_timer_cancel(void* context, std::uint64_t id) noexcept {
  auto& self = *static_cast<Instance*>(context);
  if (!self.timers_.cancel(id)) return SYMPHONY_BAD_STATE;
  self.tell_due();
  return SYMPHONY_OK;
}

std::int32_t Instance::on_cancelled(void* context) noexcept {
  auto& self = *static_cast<Instance*>(context);
  if (self.sink_ == nullptr) return 0;
  if (self.replayed_ != nullptr) {
    if (self.heard_.waited_for >= self.replayed_->waited_for) return 1;
  } else {
    const std::uint64_t deadline_ns = self.message_.envelope->deadline_ns;
    const bool late = deadline_ns != 0 && static_cast<std::uint64_t>(coarse_now_ns()) >= deadline_ns;
    if (late || self.sink_->abandoned()) return 1;
  }
  ++self.heard_.waited_for;
  return 0;
}

void Instance::on_mark_dirty(void* context) noexcept { ++static_cast<Instance*>(context)->marks_; }

std::int32_t Instance::on_reply(void* context, std::uint64_t request, std::int32_t status, std::uint32_t type,
                                symphony_span body) noexcept {
  auto& self = *static_cast<Instance*>(context);
  const auto found = self.pending_.find(request);
  if (found == self.pending_.end() || status == SYMPHONY_PENDING || lacks_bytes(body)) {
    self.blame_pit(found == self.pending_.end() ? "reply() to a request that does not wait for one"
                                                : "reply() with what is no ending");
    return SYMPHONY_BAD_STATE;
  }
  ReplySink& sink = *found->second;
  if (status == SYMPHONY_OK) {
    if (body.n > self.info_.reply_size_max) {
      self.blame_pit("reply() of more than the reply_size_max in its note");
      return SYMPHONY_TOO_LARGE;
    }
    std::span<std::byte> to;
    if (body.n > 0) {
      if (!sink.claim(body.n, to)) return SYMPHONY_OVERLOADED;
      std::memcpy(to.data(), body.p, body.n);
    }
    self.pending_.erase(found);
    sink.commit(body.n, type);
  } else {
    self.pending_.erase(found);
    sink.fail(status, clip_utf8(text_of(body), error_text_max));
  }
  return SYMPHONY_OK;
}

}  // namespace symphony::pit
