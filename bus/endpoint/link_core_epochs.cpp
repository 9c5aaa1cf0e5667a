// Death and return of the pit: what a link does with its calls when an instance dies, and when the next is there.
#include <algorithm>
#include <utility>
#include <variant>

#include "bus/endpoint/link_core.hpp"

namespace symphony::detail {
namespace {

constexpr std::uint64_t no_progress_bound = ~std::uint64_t{0};
constexpr std::string_view text_crashed = "the pit died while it was executing this call: it may have run";
constexpr std::string_view text_accepted = "the pit died after it had accepted this call: its answer is lost";

// A call's body where it stands in the ring that it was sent on.
template <class Channel>
std::span<const std::byte> record_body(const std::optional<Channel>& channel, const Call& call) noexcept {
  const auto size = static_cast<std::uint32_t>(sizeof(Envelope)) + call.body_size;
  return channel->out().record_at(call.position, size).subspan(sizeof(Envelope));
}

}  // namespace

void LinkCore::fault(RingFault kind) noexcept {
  if (phase_ != Phase::open) return;
  ++counters_.peer_faults;
  control_->report_fault(attached_->at, kind);
  on_peer_died(attached_->at.epoch);
}

void LinkCore::read_mail() {
  for (LinkEvent& event : mailbox_->take()) {
    if (const auto* died = std::get_if<link_event::PeerDied>(&event)) {
      on_peer_died(died->epoch);
    } else if (auto* fresh = std::get_if<link_event::NewEpoch>(&event)) {
      on_new_epoch(std::move(fresh->attached));
    } else if (auto* tried = std::get_if<link_event::TriedAlone>(&event)) {
      on_tried_alone(*tried);
    } else {
      auto& ended = std::get<link_event::Ended>(event);
      if (phase_ == Phase::open) on_peer_died(attached_->at.epoch);
      if (phase_ == Phase::ended) continue;  // the texts of what has ended stay
      DeadEpoch dead = autopsy();
      if (!ended.pit_is_dead) dead.begun = no_progress_bound;  // it may begin any of them yet
      phase_ = Phase::ended;
      end_status_ = ended.status;
      end_text_ = std::move(ended.text);
      // What may have run says so; only what surely has not ends with the reason.
      calls_.for_each(Call::State::sent, Call::State::sent, [&](Call& call) {
        if (ended.pit_is_dead) note_executing(call, attached_->at, dead);
        const Verdict verdict = judged(call, dead, 0);
        if (verdict == Verdict::poisoned) return end_poisoned(call, record_body(channel_, call));
        (void)end_by_verdict(call, verdict);
      });
      end_all(end_status_, end_text_);
    }
  }
}

void LinkCore::on_peer_died(control::Epoch epoch) {
  if (phase_ != Phase::open || attached_->at.epoch != epoch) return;
  phase_ = Phase::down;  // D1
  drain();               // D2, early: what is complete need not wait for the next instance
}

void LinkCore::drain() noexcept {
  // As many as the ring holds: a pit that is not dead yet may go on filling it.
  std::uint64_t turns = attached_->geometry.reply_capacity / cache_line_size / replies_per_turn_max + 1;
  while (turns-- != 0 && take_replies() == replies_per_turn_max) {
  }
}

// D2 and D3 of a pit that is surely dead.
DeadEpoch LinkCore::autopsy() noexcept {
  phase_ = Phase::down;
  drain();
  const PitProgress progress = channel_->pit_progress();
  // What was freed may be overwritten: whatever the pit's words say, it is not sent again.
  const std::uint64_t freed = channel_->out().freed();
  const std::uint64_t handled = std::max(progress.handled, freed);
  const bool lied = channel_->fault() != RingFault::none;
  return {std::max(progress.begun, handled), handled, freed, lied ? Trust::hostile : attached_->trust};
}

Verdict LinkCore::judged(const Call& call, const DeadEpoch& dead, std::uint64_t last_id) const noexcept {
  const Verdict verdict = judge({call.id, call.position, call.effect, call.attempt, call.was_in_state}, dead, last_id,
                                options_.attempts_max);
  return is_alone_ && verdict == Verdict::attempt_alone ? Verdict::attempt_again : verdict;
}

bool LinkCore::end_by_verdict(Call& call, Verdict verdict) noexcept {
  switch (verdict) {
    case Verdict::crashed:
      end(call, status::crashed, text_crashed);
      return true;
    case Verdict::crashed_accepted:
      end(call, status::crashed_accepted, text_accepted);
      return true;
    case Verdict::poisoned:
    case Verdict::attempt_alone:
    case Verdict::in_state:
    case Verdict::attempt_again:
    case Verdict::send_again:
      break;
  }
  return false;
}

void LinkCore::on_new_epoch(std::unique_ptr<Attached> attached) {
  if (phase_ == Phase::ended) return;
  // Only now is the old instance surely dead: a link that was faulted went down before its pit was killed.
  DeadEpoch dead;
  if (attached_) dead = autopsy();
  const std::shared_ptr<Attached> old = std::exchange(attached_, std::shared_ptr<Attached>(std::move(attached)));
  const std::optional<Channel> old_channel = channel_;
  channel_.emplace(attached_->own.data(), attached_->peer.data(), attached_->geometry, RealMem{},
                   attached_->peer_data.data());
  phase_ = Phase::open;
  told_placement_ = 0;
  next_look_ns_ = 0;
  tell_placement();
  ++counters_.attaches;
  if (!old) return;
  counters_.wakes_sent += old_channel->wakes_sent();
  counters_.wakes_needed += old_channel->wakes_needed();
  const std::uint64_t last_id = attached_->last_id;
  calls_.for_each(Call::State::sent, Call::State::sent, [&](Call& call) {  // D4
    const Verdict verdict = judged(call, dead, last_id);
    if (verdict == Verdict::in_state) {
      call.was_in_state = true;
      return;
    }
    note_executing(call, old->at, dead);
    if (end_by_verdict(call, verdict)) return;
    const auto body = record_body(old_channel, call);
    if (verdict == Verdict::poisoned) return end_poisoned(call, body);
    if (verdict == Verdict::attempt_alone) return try_alone(call, body);
    if (verdict == Verdict::attempt_again) ++call.attempt;
    call.redelivered = true;
    // What came out of one ring fits into another of the same size; a faulted new one ends with its own death.
    if (send(call, body)) ++counters_.sent_again;
  });
  flush_queue();
}

}  // namespace symphony::detail
