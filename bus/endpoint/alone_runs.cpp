#include "bus/endpoint/alone_runs.hpp"

#include <algorithm>
#include <chrono>
#include <new>
#include <utility>

namespace symphony::detail {
namespace {

constexpr auto busy_pause = std::chrono::milliseconds(20);  // others are tried alone; or a place is not free yet
constexpr TimeNs look_again_ns = 10 * ms_ns;                // at a deadline that a coarse clock has not seen yet

// What the message did, by how the call ended. Only the bus ends calls with the first few.
AloneOutcome outcome_of(const Reply& reply) noexcept {
  switch (reply.status) {
    case status::quarantined:  // the instance's death: it is not started again
    case status::poisoned:
    case status::crashed_accepted:
      return AloneOutcome::killed;
    case status::deadline:
      return AloneOutcome::late;
    case status::closed:
    case status::unreachable:
      return AloneOutcome::not_run;
    default:
      return AloneOutcome::answered;
  }
}

}  // namespace

control::Park letter_of(const AloneCall& call, AloneOutcome outcome, control::LinkId alone_link) {
  control::Park letter;
  letter.link = call.link;
  letter.id = call.id;
  letter.type = call.type;
  letter.size = static_cast<std::uint32_t>(call.body.size());
  letter.attempts = static_cast<std::uint8_t>(call.attempt + (outcome == AloneOutcome::killed ? 1 : 0));
  letter.effect = call.effect;
  letter.outcome = outcome;
  letter.alone_link = alone_link;
  const std::size_t kept = std::min(call.body.size(), control::letter_body_size_max);
  letter.body.assign(call.body.begin(), call.body.begin() + static_cast<std::ptrdiff_t>(kept));
  return letter;
}

AloneRuns::AloneRuns(std::shared_ptr<LinkControl> control, std::shared_ptr<LinkMailbox> mailbox,
                     const LinkOptions& options)
    : control_(std::move(control)), mailbox_(std::move(mailbox)), options_([&] {
        LinkOptions alone = options;
        alone.waiting = Waiting::sleep;
        alone.placement = Placement::automatic;
        alone.in_flight_max = 1;
        return alone;
      }()) {}

AloneRuns::~AloneRuns() {
  {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
    if (current_ != nullptr) current_->nudge();
  }
  cancel_.is_wanted.store(true, std::memory_order_relaxed);  // relaxed: a flag, whose reader is woken under a mutex
  control_->wake_openings();
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void AloneRuns::start(AloneCall call) {
  const std::lock_guard lock(mutex_);
  waiting_.push_back(std::move(call));
  try {
    if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  } catch (...) {
    waiting_.pop_back();
    throw;
  }
  changed_.notify_all();
}

void AloneRuns::run() noexcept {
  for (;;) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return is_over_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    AloneCall call = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    const std::uint64_t id = call.id;
    try {
      try_one(call);
    } catch (const std::bad_alloc&) {
      try {
        mailbox_->post(link_event::TriedAlone{id, AloneOutcome::not_run, status::poisoned, 0, {}, {}});
      } catch (const std::bad_alloc&) {
        // The call ends at its deadline.
      }
    }
  }
}

void AloneRuns::try_one(AloneCall& call) {
  link_event::TriedAlone out{call.id, AloneOutcome::not_run, status::poisoned, 0, {}, {}};
  control::LinkId alone_link = 0;
  {
    const std::unique_ptr<LinkCore> link = open(call, out);
    if (link) {
      alone_link = link->id();
      call_on(*link, call, out);
      // Before the link is closed: the broker keeps what its instance died of until then.
      const std::lock_guard lock(mutex_);
      current_ = nullptr;
    }
    const bool is_answered = out.outcome == AloneOutcome::answered && call.effect == Effect::read;
    if (!is_answered) control_->park(letter_of(call, out.outcome, alone_link));
  }
  mailbox_->post(std::move(out));
}

std::unique_ptr<LinkCore> AloneRuns::open(const AloneCall& call, link_event::TriedAlone& out) {
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      if (is_over_) return nullptr;
    }
    LinkOptions options = options_;
    options.attempts_max = static_cast<std::uint8_t>(std::min(255, call.attempt + 2));
    auto link = control_->open_alone(call.link, options, call.deadline_ns, cancel_);
    if (link) {
      const std::lock_guard lock(mutex_);
      current_ = link->get();
      return *std::move(link);
    }
    if (now_ns() >= call.deadline_ns) out.outcome = AloneOutcome::late;
    if (link.error().code != errc::busy || now_ns() >= call.deadline_ns) return nullptr;
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, busy_pause, [&] { return is_over_; });
  }
}

void AloneRuns::call_on(LinkCore& link, const AloneCall& call, link_event::TriedAlone& out) {
  const CallOptions options{.effect = call.effect, .deadline_ns = call.deadline_ns};
  const auto id = link.try_start(call.type, call.body, options, call.attempt);
  if (!id) return;  // an empty ring of the size that it came from has room
  for (TimeNs until = call.deadline_ns;; until = now_ns() + look_again_ns) {
    if (const auto reply = link.try_take(*id)) {
      out.outcome = outcome_of(*reply);
      if (out.outcome != AloneOutcome::answered || call.effect != Effect::read) return;
      out.status = reply->status;
      out.type = reply->type;
      out.body.assign(reply->body.begin(), reply->body.end());
      out.text = reply->text;
      return;
    }
    {
      const std::lock_guard lock(mutex_);
      if (is_over_) return;
    }
    (void)link.wait_any(until);
  }
}

}  // namespace symphony::detail
