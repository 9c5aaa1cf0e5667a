#include "pits/hosting/durable/durable_pit.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include "pits/hosting/durable/handed_state.hpp"
#include "pits/hosting/durable/sinks.hpp"

namespace symphony::pit {
namespace {

template <class T>
std::span<const std::byte> bytes_of(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

detail::StateGeometry geometry_of(const StatePolicy& policy) { return {policy.snapshot_size_max, policy.journal_size}; }

constexpr std::string_view no_room_text =
    "the pit's journal has no room for this, and its state does not fit a snapshot: raise the sizes";
constexpr std::string_view replaced_text = "the pit had accepted this call; its state was replaced before it answered";
constexpr TimeNs retry_after_ns = 100 * ms_ns;  // what found no room; the state may have become smaller

}  // namespace

Outcome DurablePit::make(Make make_instance, DurableOwner& owner, const StatePolicy& policy, detail::StateMemory own,
                         const detail::StateMemory* old, LogSink* log, std::unique_ptr<DurablePit>& out) {
  std::unique_ptr<DurablePit> made(new DurablePit(std::move(make_instance), owner, policy, std::move(own), log));
  if (Outcome begun = made->begin_with(old); !begun.ok()) return begun;
  if (Outcome kept = made->keep(); !kept.ok()) return kept;
  out = std::move(made);
  return {};
}

DurablePit::DurablePit(Make make_instance, DurableOwner& owner, const StatePolicy& policy, detail::StateMemory own,
                       LogSink* log)
    : make_instance_(std::move(make_instance)),
      owner_(owner),
      policy_(policy),
      log_(log),
      memory_(std::move(own)),
      writer_(memory_.bytes().data(), geometry_of(policy)) {
  // All that wait may end in one event, and none of its endings may be left over.
  made_.reserve(SYMPHONY_PENDING_MAX + 1);
  spent_.reserve(SYMPHONY_PENDING_MAX + 1);
}

DurablePit::~DurablePit() {
  replaying_ = true;  // what waits is not ended by this: it is in the state
}

std::uint64_t DurablePit::last_id(std::uint64_t link) const noexcept {
  const auto found = last_ids_.find(link);
  return found == last_ids_.end() ? 0 : found->second;
}

// ---- events

bool DurablePit::begin(const EventHead& head, std::span<const std::byte> body) noexcept {
  if (!broken_.empty() || !make_room(sizeof head + body.size())) return false;
  try {
    if (head.kind == EventKind::request) last_ids_.try_emplace(head.link, 0);
    if (!waiting_.empty()) owed_.reserve(owed_.size() + waiting_.size());
  } catch (const std::bad_alloc&) {
    return false;
  }
  head_ = head;
  body_ = body;
  return true;
}

bool DurablePit::waits(std::uint64_t link, std::uint64_t id) const noexcept {
  return std::any_of(waiting_.begin(), waiting_.end(),
                     [&](const auto& one) { return one.second->of().link == link && one.second->of().id == id; });
}

bool DurablePit::commit() noexcept {
  if (replaying_ || is_undone()) return true;
  head_.heard = instance_->heard();
  if (head_.kind == EventKind::request) last_ids_.at(head_.link) = head_.id;
  if (unkept_++ == 0) unkept_since_ns_ = coarse_now_ns();
  if (!keeps_journal()) return true;
  append(head_, body_);
  return sync();
}

void DurablePit::finish() noexcept {
  if (is_undone()) return;
  for (Owed& ending : made_) settle(std::move(ending));  // make_room() left room for their notes
  made_.clear();
  spent_.clear();
  tell_published();
  for (Outstanding& one : calls_) {
    if (!std::exchange(one.is_posted, true)) owner_.post(one.call);
  }
  if (!keeps_journal() && unkept_ >= policy_.snapshot_after && coarse_now_ns() >= retry_ns_) (void)keep();
}

void DurablePit::settle(Owed ending) noexcept {
  if (!last_ids_.contains(ending.link) || !broken_.empty()) return;  // its caller is gone
  if (owner_.deliver(ending) == DurableOwner::Delivered::written) return;
  const auto [link, id] = std::pair(ending.link, ending.id);
  owed_.push_back(std::move(ending));  // it waited, so begin() made room
  note(EventKind::owed, link, id);
}

ReplySink* DurablePit::leave(std::uint64_t request, std::uint64_t link, std::uint64_t id, DirectSink* direct) noexcept {
  try {
    auto sink = std::make_unique<Waiting>(*this, request, WaitingRequest{link, id});
    ReplySink* const out = waiting_.emplace(request, std::move(sink)).first->second.get();
    if (direct == nullptr) return out;
    if (commit()) {
      direct->leave();
      return out;
    }
    waiting_.erase(request);
    direct->fail(SYMPHONY_INTERNAL, broken_);
  } catch (const std::bad_alloc&) {
    // In replay it had the memory, so this instance is not the dead one's equal.
    broken_ = "no memory to keep a request for later: free memory";
    if (direct != nullptr) direct->fail(SYMPHONY_OVERLOADED, broken_);
  }
  return nullptr;
}

void DurablePit::handle(std::uint64_t link, const symphony_envelope& envelope, std::span<const std::byte> body,
                        DirectSink& sink) noexcept {
  const EventHead head{.kind = EventKind::request,
                       .type = envelope.type,
                       .link = link,
                       .id = envelope.id,
                       .deadline_ns = envelope.deadline_ns,
                       .flags = envelope.flags,
                       .attempt = envelope.attempt};
  if (!begin(head, body)) return sink.fail(SYMPHONY_OVERLOADED, why_not());
  Direct direct(*this, link, envelope.id, &sink);
  instance_->handle(envelope, body, direct);
  finish();
}

bool DurablePit::run_timer(TimeNs now_ns) noexcept {
  const auto id = instance_->due_timer(now_ns);
  if (!id || instance_->state() != State::running) return false;
  if (!begin({.kind = EventKind::timer, .id = *id, .now_ns = static_cast<std::uint64_t>(now_ns)}, {})) return later();
  (void)instance_->run_timer(now_ns);
  (void)commit();
  finish();
  return true;
}

bool DurablePit::answer(std::uint64_t cookie, std::int32_t status, std::uint32_t type,
                        std::span<const std::byte> body) noexcept {
  if (!begin({.kind = EventKind::answer, .type = type, .id = cookie, .status = status}, body)) return later();
  if (!take_call(cookie)) return true;  // the state that made it was replaced
  instance_->answer(cookie, status, type, body);
  (void)commit();
  finish();
  return true;
}

bool DurablePit::take_call(std::uint64_t cookie) noexcept {
  const auto found = std::find_if(calls_.begin(), calls_.end(), [&](const auto& c) { return c.call.cookie == cookie; });
  if (found == calls_.end()) return false;
  calls_.erase(found);
  return true;
}

template <class Step>
Outcome DurablePit::step(EventKind kind, std::uint64_t deadline_ns, Step&& take) {
  if (!begin({.kind = kind, .deadline_ns = deadline_ns}, {})) return {SYMPHONY_OVERLOADED, std::string(why_not())};
  Outcome taken = take();
  if (!commit()) taken = {SYMPHONY_INTERNAL, broken_};
  finish();
  return taken;
}

Outcome DurablePit::drain(std::uint64_t deadline_ns) {
  return step(EventKind::drain, deadline_ns, [&] { return instance_->drain(deadline_ns); });
}
Outcome DurablePit::start() {
  return step(EventKind::start, 0, [&] { return instance_->start(); });
}
Outcome DurablePit::stop() {
  return step(EventKind::stop, 0, [&] { return instance_->stop(); });
}

Outcome DurablePit::feed(std::uint64_t seed, TimeNs now_ns) {
  if (!begin({.kind = EventKind::feed, .now_ns = static_cast<std::uint64_t>(now_ns), .seed = seed}, {})) {
    return {SYMPHONY_OVERLOADED, std::string(why_not())};
  }
  instance_->feed(seed, now_ns);
  if (!commit()) return {SYMPHONY_INTERNAL, broken_};
  finish();
  for (int i = 0; i < SYMPHONY_TIMERS_MAX && run_timer(now_ns); ++i) {
  }
  return {};
}

Outcome DurablePit::restore(const Snapshot& from) {
  // The requests that wait are the old state's: they end with it, in one step with the new state's first snapshot.
  std::vector<Owed> owed = owed_;
  for (const auto& [request, sink] : waiting_) {
    const auto [link, id] = sink->of();
    if (last_ids_.contains(link)) {
      owed.push_back({link, id, SYMPHONY_CRASHED_ACCEPTED, 0, copy_of(std::as_bytes(std::span(replaced_text)))});
    }
  }
  std::unique_ptr<Instance> other;
  std::map<std::uint64_t, std::unique_ptr<Waiting>> waiting;
  std::vector<Outstanding> calls;
  const auto prepare = [&]() -> Outcome {
    if (Outcome made = make_instance_(this, other); !made.ok()) return made;
    if (instance_->is_fed()) other->feed(instance_->seed(), instance_->clock_ns());
    if (Outcome restored = other->restore(from); !restored.ok()) return restored;
    return other->start();
  };
  std::swap(calls_, calls);  // what start() calls is the new state's
  Outcome outcome = prepare();
  std::swap(calls_, calls);
  if (!outcome.ok()) return published_.clear(), outcome;
  // Once puts the new state in the place of the old one, once more has that back.
  const auto exchange = [&]() noexcept {
    std::swap(instance_, other);
    std::swap(waiting_, waiting);
    std::swap(owed_, owed);
    std::swap(calls_, calls);
  };
  exchange();
  if (outcome = keep(); !outcome.ok()) {
    exchange();
    published_.clear();
    return outcome;
  }
  std::swap(waiting_, waiting);  // the old instance ends them when it goes; that was said above
  other.reset();
  waiting_.clear();  // an instance that trapped ended none
  made_.clear();
  spent_.clear();
  all_attached();
  finish();
  return outcome;
}

// ---- links

void DurablePit::attached(std::uint64_t link) noexcept {
  for (std::size_t i = 0; i < owed_.size();) {
    if (owed_[i].link != link || owner_.deliver(owed_[i]) != DurableOwner::Delivered::written) {
      ++i;
      continue;
    }
    on_delivered(link, owed_[i].id);
  }
}

void DurablePit::all_attached() noexcept {
  for (const auto& [link, last_id] : last_ids_) attached(link);
}

void DurablePit::on_delivered(std::uint64_t link, std::uint64_t id) noexcept {
  const auto found =
      std::find_if(owed_.begin(), owed_.end(), [&](const Owed& o) { return o.link == link && o.id == id; });
  if (found == owed_.end()) return;
  owed_.erase(found);
  note(EventKind::paid, link, id);
}

void DurablePit::forget(std::uint64_t link) noexcept {
  last_ids_.erase(link);
  std::erase_if(owed_, [&](const Owed& o) { return o.link == link; });
}

void DurablePit::gone(std::uint64_t link) noexcept {
  if (!last_ids_.contains(link)) return;
  forget(link);
  note(EventKind::gone, link, 0);
}

void DurablePit::all_gone() noexcept {
  last_ids_.clear();
  owed_.clear();
}

// ---- what is kept

bool DurablePit::make_room(std::uint64_t size) noexcept {
  if (!keeps_journal()) return true;
  // What the event may have to be followed by: for each ending that finds no room on its link a note.
  const std::uint64_t notes = (waiting_.size() + 2) * detail::journal_stride(sizeof(EventHead));
  if (writer_.has_room(size + notes)) return true;
  // What no journal holds costs nobody a snapshot.
  if (!writer_.has_room_when_empty(size + notes) || coarse_now_ns() < retry_ns_) return false;
  return keep().ok();
}

void DurablePit::append(const EventHead& head, std::span<const std::byte> body) noexcept {
  writer_.append(bytes_of(head), body);
}

void DurablePit::note(EventKind kind, std::uint64_t link, std::uint64_t id) noexcept {
  if (!keeps_journal() || !broken_.empty()) return;
  const EventHead head{.kind = kind, .link = link, .id = id};
  if (!writer_.has_room(sizeof head)) return void(keep());  // a snapshot says it as well
  append(head, {});
  (void)sync();
}

bool DurablePit::sync() noexcept {
  if (memory_.sync()) return true;
  broken_ = "the disk did not take the pit's state: look at the disk, then restart the pit";
  log(SYMPHONY_LOG_ERROR, broken_);
  return false;
}

// An event of the host's own found no room: it is not asked for again at once.
bool DurablePit::later() noexcept {
  retry_ns_ = std::max(retry_ns_, coarse_now_ns() + retry_after_ns);
  return false;
}

std::string_view DurablePit::why_not() const noexcept { return broken_.empty() ? no_room_text : broken_; }

Outcome DurablePit::write() {
  StateFrame frame;
  if (Outcome described = describe(*instance_, frame); !described.ok()) return described;
  frame.last_ids = last_ids_;
  for (const auto& [request, sink] : waiting_) frame.waiting.emplace(request, sink->of());
  frame.owed = owed_;
  for (const Outstanding& one : calls_) frame.calls.push_back(one.call);
  const std::vector<std::byte> bytes = write_state_frame(frame);
  const std::uint64_t at = detail::state_snapshot_offset(writer_.geometry(), writer_.generation() + 1);
  if (bytes.size() > writer_.geometry().snapshot_capacity) {
    return {SYMPHONY_OVERLOADED,
            "a snapshot of " + std::to_string(bytes.size()) + " bytes is larger than snapshot_size_max: raise it"};
  }
  if (const auto reserved = memory_.reserve(at, bytes.size()); !reserved) {
    return {SYMPHONY_OVERLOADED, reserved.error().text};
  }
  if (!writer_.write_snapshot(bytes) || !sync()) return {SYMPHONY_INTERNAL, broken_};
  unkept_ = 0;
  return {};
}

Outcome DurablePit::keep() noexcept {
  try {
    Outcome written = write();
    if (written.ok()) return written;
    retry_ns_ = coarse_now_ns() + retry_after_ns;
    log(SYMPHONY_LOG_WARNING, "its state was not kept: " + written.text);
    return written;
  } catch (const std::bad_alloc&) {
    retry_ns_ = coarse_now_ns() + retry_after_ns;
    return {SYMPHONY_OVERLOADED, "no memory"};  // short enough to need none itself
  }
}

bool DurablePit::waits_for_once() const noexcept {
  return std::any_of(calls_.begin(), calls_.end(),
                     [](const Outstanding& one) { return one.call.effect == SYMPHONY_EFFECT_ONCE; });
}

TimeNs DurablePit::next_due_ns() const noexcept {
  const bool has_clock = !instance_->is_fed() && instance_->state() == State::running;
  TimeNs next = has_clock ? instance_->next_timer_ns() : no_deadline_ns;
  if (!keeps_journal() && unkept_ != 0) next = std::min(next, unkept_since_ns_ + policy_.snapshot_after_ns);
  return std::max(next, retry_ns_);
}

void DurablePit::run_snapshot_if_due(TimeNs now_ns) noexcept {
  if (keeps_journal() || unkept_ == 0 || now_ns < unkept_since_ns_ + policy_.snapshot_after_ns) return;
  (void)keep();  // or later: retry_ns_
}

// ---- what the pit asks

std::int32_t DurablePit::call_async(const AsyncCall& call) noexcept {
  try {
    calls_.push_back({{std::string(call.service),
                       call.type,
                       call.effect,
                       call.deadline_ns,
                       call.cookie,
                       {call.body.begin(), call.body.end()}},
                      false});
  } catch (const std::bad_alloc&) {
    return SYMPHONY_OVERLOADED;
  }
  return SYMPHONY_OK;
}

std::int32_t DurablePit::publish(std::uint32_t type, std::span<const std::byte> body) noexcept {
  if (!owner_.is_heard()) return SYMPHONY_DENIED;
  try {
    if (!replaying_) published_.emplace_back(type, copy_of(body));
  } catch (const std::bad_alloc&) {
    return SYMPHONY_OVERLOADED;
  }
  return SYMPHONY_OK;
}

void DurablePit::tell_published() noexcept {
  if (published_.empty()) return;
  for (const auto& [type, body] : published_) {
    if (broken_.empty()) owner_.tell(type, body);
  }
  published_.clear();
}

void DurablePit::log(std::int32_t level, const std::string& line) noexcept {
  if (log_ != nullptr) log_->write(level, instance_ != nullptr ? instance_->info().name : "pit", line);
}

}  // namespace symphony::pit
