#include "bus/endpoint/link_core.hpp"

#include <algorithm>
#include <array>

#include "bus/endpoint/alone_runs.hpp"
#include "bus/endpoint/placement.hpp"
#include "bus/endpoint/waiting.hpp"

namespace symphony::detail {
namespace {

constexpr TimeNs tell_again_ns = second_ns;  // at a pit that stands still, and whose broker was told

constexpr std::string_view text_deadline = "the call's deadline passed before its reply came";
constexpr std::string_view text_closed = "the link was closed";
constexpr std::string_view text_forked = "this link was made before fork(): make a new Endpoint in the child";
constexpr std::string_view text_too_large =
    "the body is larger than the link's rings carry: open it with a larger request_capacity";
constexpr std::string_view text_more = "the reply is streamed, which this version does not read";
constexpr std::string_view text_memory = "no memory to hold the message";

// Not longer than a request may stand still, where its broker is to hear of it.
TimeNs sleep_max_ns(const Attached& attached) noexcept {
  const TimeNs most = caller_sleep_max_ns(attached.trust);
  return attached.look_after_ns == 0 ? most : std::min(most, attached.look_after_ns);
}

}  // namespace

LinkCore::LinkCore(std::shared_ptr<LinkControl> control, std::shared_ptr<LinkMailbox> mailbox,
                   std::unique_ptr<Attached> first, const LinkOptions& options)
    : control_(std::move(control)),
      mailbox_(std::move(mailbox)),
      options_(options),
      calls_(std::min(options.in_flight_max, std::max(1u, first->in_flight_max))),
      spin_(mode_of(options.waiting, options.placement)) {
  on_new_epoch(std::move(first));
}

LinkCore::~LinkCore() {
  if (control_->fork_guard().in_child()) {
    // The segments are not mapped here (MADV_DONTFORK): where they were, something else of the child may be by now.
    (void)new std::shared_ptr<Attached>(std::move(attached_));
    (void)alone_.release();  // its thread is not here
    return;
  }
  alone_.reset();
  close();
  disarm_fd();
  control_->close_link(attached_->at.link);
}

// ---- sending

std::optional<Reply> LinkCore::refuse(std::span<const std::byte> body) noexcept {
  if (control_->fork_guard().in_child()) return Reply{.status = status::forked, .text = text_forked};
  if (closing_) return Reply{.status = status::closed, .text = text_closed};
  if (phase_ == Phase::ended) return Reply{.status = end_status_, .text = end_text_};
  if (body.size() > channel_->message_size_max()) return Reply{.status = status::too_large, .text = text_too_large};
  return std::nullopt;
}

std::optional<CallId> LinkCore::try_start(std::uint32_t type, std::span<const std::byte> body,
                                          const CallOptions& options, std::uint8_t attempt) noexcept {
  Call* const call = calls_.next();
  if (call == nullptr) return std::nullopt;
  const auto refused = refuse(body);
  call->type = type;
  call->effect = options.effect;
  call->body_size = static_cast<std::uint32_t>(body.size());
  call->deadline_ns = coarse_deadline(options);
  if (!refused && phase_ == Phase::open && queued_ == 0) {
    const std::uint64_t id = calls_.peek_next_id();
    call->id = id;
    call->attempt = attempt;
    call->redelivered = attempt != 0;
    if (!send(*call, body)) return std::nullopt;
    calls_.open(*call);
    call->attempt = attempt;
    call->redelivered = attempt != 0;
    call->state = Call::State::sent;
    ++counters_.calls;
    return call->id;
  }
  calls_.open(*call);
  call->attempt = attempt;
  call->redelivered = attempt != 0;
  ++counters_.calls;
  if (refused) {
    end(*call, refused->status, refused->text);
    return call->id;
  }
  try {
    const auto copy = calls_.room(*call, body.size());
    if (!body.empty()) std::memcpy(copy.data(), body.data(), body.size());
    call->state = Call::State::queued;
    ++queued_;
  } catch (const std::bad_alloc&) {
    end(*call, status::overloaded, text_memory);
  }
  return call->id;
}

bool LinkCore::send(Call& call, std::span<const std::byte> body) noexcept {
  const Envelope envelope{
      .id = call.id,
      .deadline_ns = call.deadline_ns == no_deadline_ns ? 0 : static_cast<std::uint64_t>(call.deadline_ns),
      .type = call.type,
      .flags = static_cast<std::uint16_t>(flag::request | (call.redelivered ? flag::redelivered : 0)),
      .attempt = call.attempt};
  if (channel_->try_send(envelope, body, 0, call.position)) return true;
  if (channel_->fault() != RingFault::none) fault(channel_->fault());
  return false;
}

void LinkCore::flush_queue() noexcept {
  bool room = true;
  calls_.for_each(Call::State::queued, Call::State::queued, [&](Call& call) {
    if (!room || phase_ != Phase::open) return;
    room = send(call, call.body.first(call.body_size));
    if (!room) return;
    call.state = Call::State::sent;
    --queued_;
  });
}

// ---- endings

void LinkCore::end(Call& call, CallStatus ending, std::string_view static_text) noexcept {
  if (call.state == Call::State::queued) --queued_;
  call.reply = {.status = ending, .text = static_text, .id = call.id};
  calls_.end(call);
  ++counters_.ended;
}

void LinkCore::end_all(CallStatus ending, std::string_view static_text) noexcept {
  calls_.for_each(Call::State::sent, Call::State::queued, [&](Call& call) { end(call, ending, static_text); });
}

void LinkCore::end_overdue() noexcept {
  const TimeNs now = coarse_now_ns();
  if (calls_.live() == 0 || now == overdue_checked_ns_) return;
  overdue_checked_ns_ = now;
  look_at_pit(now);
  calls_.for_each(Call::State::sent, Call::State::queued, [&](Call& call) {
    if (call.deadline_ns <= now) end(call, status::deadline, text_deadline);
  });
  calls_.for_each_alone([&](Call& call) {
    if (call.deadline_ns <= now) end(call, status::deadline, text_deadline);
  });
}

void LinkCore::on_reply(const Channel::Record& record) noexcept {
  const Envelope envelope = channel_->copy_envelope(record);
  Call* const call = calls_.find(envelope.id, Call::State::sent);
  if (call == nullptr) {
    ++counters_.late_replies;
    return;
  }
  if ((envelope.flags & flag::more) != 0) return end(*call, status::version, text_more);
  try {
    const auto body = channel_->copy_body(record, calls_.room(*call, Channel::body_size(record)));
    call->reply = {.status = status::ok, .type = envelope.type, .body = body, .id = envelope.id};
    if ((envelope.flags & flag::error) != 0) {
      ErrorBody error{.status = status::bad_message};
      if (body.size() >= sizeof error) std::memcpy(&error, body.data(), sizeof error);
      // A pit that flags an error and says "ok" has still not answered.
      call->reply.status = error.status != status::ok ? error.status : status::bad_message;
      const auto text = body.subspan(std::min(body.size(), sizeof error));
      call->reply.text = {reinterpret_cast<const char*>(text.data()), std::min(text.size(), error_text_size_max)};
      call->reply.body = {};
    }
  } catch (const std::bad_alloc&) {
    return end(*call, status::overloaded, text_memory);
  }
  calls_.end(*call);
  ++counters_.ended;
}

std::uint64_t LinkCore::take_replies(std::uint64_t max) noexcept {
  std::uint64_t taken = 0;
  Channel::Record record;
  while (taken < max) {
    const Poll poll = channel_->try_peek(record);
    if (poll == Poll::empty) {
      channel_->free_space(false);
      break;
    }
    if (poll == Poll::fault) {
      fault(channel_->fault());
      break;
    }
    on_reply(record);
    channel_->finish(record);
    channel_->free_space(false);
    ++taken;
  }
  return taken;
}

// ---- beside the calls

void LinkCore::tell_placement() noexcept {
  const std::uint32_t word = placement_word(options_.placement, ::sched_getcpu());
  if (phase_ != Phase::open || word == told_placement_) return;
  told_placement_ = word;
  auto* const words = reinterpret_cast<CallerWords*>(attached_->own.data() + words_offset);
  // relaxed: advice; seen late, the pit moves late.
  RealMem::store<Order::relaxed, Site::state>(&words->placement, word);
}

// Requests that are handled and have no reply yet wait for what is not the pit's fault.
void LinkCore::look_at_pit(TimeNs now) noexcept {
  const TimeNs after = attached_->look_after_ns;
  if (after == 0 || phase_ != Phase::open || now < next_look_ns_ || calls_.live() == 0) return;
  const std::uint64_t handled = channel_->pit_progress().handled;
  const bool waits = handled != channel_->out().published();
  const bool stands_still = waits && next_look_ns_ != 0 && handled == handled_then_;
  handled_then_ = handled;
  next_look_ns_ = now + (stands_still ? std::max(after, tell_again_ns) : after);
  if (stands_still) control_->report_still({attached_->at});
}

// ---- waiting

bool LinkCore::progress(std::uint64_t replies_max) noexcept {
  if (fd_armed_ != 0) disarm_fd();
  bool any = false;
  if (mailbox_->has_mail()) {
    read_mail();
    had_mail_ = true;
    any = true;
  }
  if (phase_ == Phase::open) {
    any = take_replies(replies_max) != 0 || any;
    if (queued_ != 0) flush_queue();
  }
  return any;
}

template <class Done>
bool LinkCore::wait_for(Done&& done, TimeNs deadline_ns, bool for_space) noexcept {
  // One reply at a time: the pit has just written to the line of the next one, and the caller should not wait for that
  // line before it is told of this reply.
  const auto ready = [&] {
    progress(1);
    if (attached_->look_after_ns != 0) look_at_pit(coarse_now_ns());  // one that spins looks nowhere else
    return done();
  };
  const auto glance = [&] { return for_space || (phase_ == Phase::open && channel_->glance()); };
  if (ready()) return true;
  // The first looks without a clock: a reply that is quick is here before the clock could be read a few times.
  // Who sleeps at once does not look again: where both sides share a processor, nothing comes while this one looks.
  const TimeNs budget = spin_.ns();
  for (int i = budget == 0 ? polls_without_clock : 0; i < polls_without_clock; ++i) {
    if (glance() && ready()) return true;
    cpu_relax();
  }
  const TimeNs start = now_ns();
  if (budget != 0 && spin_until(glance, ready, budget >= deadline_ns - start ? deadline_ns : start + budget)) {
    return true;
  }
  tell_placement();
  bool is_done = false;
  for (TimeNs now = now_ns(); !is_done && now < deadline_ns; now = now_ns()) {
    look_at_pit(now);
    std::array<WaitWord, 2> words{mailbox_->wait_word()};
    std::size_t count = 1;
    const bool attached = phase_ == Phase::open;
    const TimeNs bound = sleep_max_ns(*attached_);
    if (attached) {
      channel_->free_space(true);  // a pit may wait for it, and nobody looks here while we sleep
      if (for_space) channel_->want_space(true);
      words[count++] = channel_->arm();
    }
    // done() may act (send what there is room for now), so once it has said yes it is not asked again.
    const auto look = [&] {
      if (for_space && attached) channel_->look_again_for_space();
      return mailbox_->has_mail() || (attached && channel_->look_again()) || is_done || (is_done = done());
    };
    sleep_unless<RealMem, Order, Site>(look, {words.data(), count}, std::min(deadline_ns, now + bound),
                                       attached && channel_->needs_heavy_barrier(), sleep_);
    if (attached) {
      channel_->disarm();
      if (for_space) channel_->want_space(false);
    }
    if (!is_done) is_done = ready();
  }
  spin_.slept(now_ns() - start);
  return is_done || done();
}

LinkCounters LinkCore::counters() const noexcept {
  LinkCounters now = counters_;
  now.sleeps = sleep_.sleeps;
  now.spurious_wakes = sleep_.spurious;
  now.timeouts = sleep_.timeouts;
  now.timeouts_with_data = sleep_.timeouts_with_data;
  if (channel_) {
    now.wakes_sent += channel_->wakes_sent();
    now.wakes_needed += channel_->wakes_needed();
  }
  return now;
}

std::optional<Reply> LinkCore::try_take(CallId id) noexcept {
  if (!control_->fork_guard().in_child()) progress();
  end_overdue();
  Call* const call = calls_.find(id, Call::State::ended);
  if (call == nullptr) return std::nullopt;
  calls_.take(*call);
  ++taken_;
  return call->reply;
}

std::optional<Reply> LinkCore::wait_until(CallId id, TimeNs until_ns) noexcept {
  const auto ended = [&] { return calls_.find(id, Call::State::ended) != nullptr; };
  if (!ended()) {
    if (control_->fork_guard().in_child()) return Reply{.status = status::forked, .text = text_forked, .id = id};
    Call* const call = calls_.find_live(id);
    if (call == nullptr) {
      return Reply{
          .status = status::bad_state, .text = "there is no such call on this link, or it was taken", .id = id};
    }
    const TimeNs deadline = call->deadline_ns;
    if (!wait_for(ended, std::min(deadline, until_ns), false)) {
      if (until_ns < deadline) return std::nullopt;
      end(*calls_.find_live(id), status::deadline, text_deadline);  // it may have been set aside meanwhile
    }
  }
  Call& call = *calls_.find(id, Call::State::ended);
  calls_.take(call);
  ++taken_;
  return call.reply;
}

std::unique_ptr<std::byte[]> LinkCore::keep(const Reply& reply) noexcept {
  return reply.body.empty() ? nullptr : calls_.release(reply.id, reply.body.data());
}

bool LinkCore::wait_any(TimeNs deadline_ns) noexcept {
  if (control_->fork_guard().in_child()) return true;
  const bool is_over = wait_for([&] { return had_mail_ || counters_.ended != taken_; }, deadline_ns, false);
  had_mail_ = false;
  return is_over;
}

Reply LinkCore::call(std::uint32_t type, std::span<const std::byte> body, const CallOptions& options) noexcept {
  std::optional<CallId> id = try_start(type, body, options);
  if (!id) {
    if (control_->fork_guard().in_child()) return {.status = status::forked, .text = text_forked};
    const TimeNs deadline = coarse_deadline(options);
    // Only this thread takes endings, so a full table does not become free by waiting.
    if (calls_.next() == nullptr) {
      return {.status = status::overloaded,
              .text = "in_flight_max calls were started and not taken: take or wait for some first"};
    }
    if (!wait_for([&] { return (id = try_start(type, body, options)).has_value(); }, deadline, true)) {
      return {.status = status::deadline, .text = "the call's deadline passed while the link had no room for it"};
    }
  }
  return wait(*id);
}

// ---- end

void LinkCore::close() noexcept {
  if (closing_ || control_->fork_guard().in_child()) return;
  closing_ = true;
  progress();
  closing_epoch_ = epoch();
  if (phase_ == Phase::open) channel_->set_state(SideState::closing);
  end_all(status::closed, text_closed);
  calls_.for_each_alone([&](Call& call) { end(call, status::closed, text_closed); });
}

result<void> LinkCore::wait_closed(TimeNs deadline_ns) noexcept {
  if (control_->fork_guard().in_child())
    return unexpected(errc::forked, "wait_closed: this link was made before fork()");
  if (!closing_) return unexpected(errc::invalid_argument, "wait_closed: call close() first");
  const auto lost = [&] { return phase_ != Phase::open || epoch() != closing_epoch_; };
  const bool over = wait_for([&] { return lost() || channel_->peer_state() == SideState::closed; }, deadline_ns, false);
  if (!over) return unexpected(errc::timeout, "wait_closed: the pit has not handled everything yet");
  if (lost()) return unexpected(errc::closed, "wait_closed: the pit died before it had handled everything");
  return {};
}

}  // namespace symphony::detail
