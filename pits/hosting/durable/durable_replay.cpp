// From what a dead instance left to one that goes on where it stood.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <new>
#include <unordered_map>

#include "pits/hosting/durable/durable_pit.hpp"
#include "pits/hosting/durable/sinks.hpp"

namespace symphony::pit {
namespace {

Outcome damaged() {
  return {SYMPHONY_BAD_STATE,
          "the state that the last instance left is damaged: nothing of it was used; restore a snapshot of your own, "
          "or start the pit without it"};
}

}  // namespace

Outcome DurablePit::begin_with(const detail::StateMemory* old) {
  if (Outcome made = make_instance_(this, instance_); !made.ok()) return made;
  if (instance_->info().state_revision == 0) {
    return {SYMPHONY_VERSION, "pit '" + instance_->info().name +
                                  "' keeps no snapshots, so its state cannot outlive it: choose durability = \"none\""};
  }
  if (old == nullptr) return instance_->start();
  detail::StateReader<detail::RealMem> reader(old->bytes(), old->is_file());
  switch (reader.found()) {
    case detail::StateFound::nothing:
      return instance_->start();
    case detail::StateFound::foreign:
      return {SYMPHONY_BAD_STATE,
              "what the last instance left is no state of this version, or was cut short: nothing of it was used; "
              "start with the version that wrote it, or without it"};
    case detail::StateFound::damaged:
      return damaged();
    case detail::StateFound::previous:
      log(SYMPHONY_LOG_WARNING, "the newest snapshot is damaged: going on from the one before it and its journal");
      break;
    case detail::StateFound::whole:
      break;
  }
  const auto frame = read_state_frame(reader.snapshot());
  if (!frame) return damaged();
  replaying_ = true;
  Outcome outcome = adopt(*frame);
  if (outcome.ok()) outcome = replay(reader);
  if (outcome.ok()) keep_time(*frame);
  if (frame->boot != boot_of_this_machine()) all_gone();  // and this run's links may have their numbers
  replaying_ = false;
  instance_->replay(nullptr);
  return outcome;
}

// The clock of another run of the machine means nothing here: timers are due as long after now as they were after the
// last that was heard of it.
void DurablePit::keep_time(const StateFrame& frame) {
  if (frame.boot == boot_of_this_machine() || instance_->is_fed()) return;
  const TimeNs shift = now_ns() - std::max(frame.clock_ns, heard_ns_);
  InstanceMemory memory = instance_->memory();
  for (auto& [id, due_ns] : memory.timers) due_ns += due_ns == no_deadline_ns ? 0 : shift;
  std::unordered_map<std::uint64_t, ReplySink*> waiting;
  for (const auto& [request, sink] : waiting_) waiting[request] = sink.get();
  instance_->set_memory(memory, std::move(waiting));
}

Outcome DurablePit::adopt(const StateFrame& frame) {
  if (frame.pit != instance_->info().name) {
    return {SYMPHONY_BAD_STATE, "the state that was left is of pit '" + frame.pit + "', not of '" +
                                    instance_->info().name + "': give each pit a place of its own"};
  }
  if (Outcome restored = instance_->restore(frame.snapshot); !restored.ok()) return restored;
  if (Outcome started = instance_->start(); !started.ok()) return started;
  if (frame.drained) {
    if (Outcome drained = instance_->drain(0); !drained.ok()) return drained;
  }
  last_ids_ = frame.last_ids;
  owed_ = frame.owed;
  calls_.clear();  // of start(): the dead instance made them as well
  for (const OwnCall& call : frame.calls) calls_.push_back({call, true});
  std::unordered_map<std::uint64_t, ReplySink*> waiting;
  for (const auto& [request, of] : frame.waiting) {
    waiting[request] = (waiting_[request] = std::make_unique<Waiting>(*this, request, of)).get();
  }
  instance_->set_memory(frame.memory, std::move(waiting));
  return {};
}

// Endings that were made left when the next event entered, but for those that a note says are owed. What the last event
// made may have left or not: it is owed.
Outcome DurablePit::replay(detail::StateReader<detail::RealMem>& reader) {
  for (auto record = reader.next(); record; record = reader.next()) {
    const auto event = read_event(*record);
    if (!event) return damaged();
    const EventHead& head = event->head;
    const auto is_meant = [&](const Owed& o) { return o.link == head.link && o.id == head.id; };
    if (enters_the_pit(head.kind)) {
      made_.clear();
      spent_.clear();
      apply(*event);
    } else if (head.kind == EventKind::owed) {
      const auto found = std::find_if(made_.begin(), made_.end(), is_meant);
      if (found == made_.end()) return damaged();
      owed_.push_back(std::move(*found));
      made_.erase(found);
    } else if (head.kind == EventKind::paid) {
      std::erase_if(owed_, is_meant);
    } else {
      forget(head.link);
    }
    if (!broken_.empty()) return {SYMPHONY_OVERLOADED, broken_};
    if (is_undone()) return {SYMPHONY_TRAPPED, "it trapped in a message of its journal that it had handled before"};
    ++replayed_;
  }
  if (reader.damaged()) return damaged();
  for (Owed& ending : made_) {
    if (last_ids_.contains(ending.link)) owed_.push_back(std::move(ending));
  }
  made_.clear();
  spent_.clear();
  return {};
}

void DurablePit::apply(const Event& event) {
  const EventHead& head = event.head;
  instance_->replay(&head.heard);
  heard_ns_ = std::max({heard_ns_, static_cast<TimeNs>(head.heard.now_ns), static_cast<TimeNs>(head.now_ns)});
  switch (head.kind) {
    case EventKind::request: {
      last_ids_[head.link] = head.id;
      const symphony_envelope envelope{head.id, head.deadline_ns, head.type, head.flags, head.attempt, 0};
      Direct direct(*this, head.link, head.id, nullptr);
      instance_->handle(envelope, event.body, direct);
      break;
    }
    case EventKind::timer:
      instance_->replay_timer(head.id, static_cast<TimeNs>(head.now_ns));
      break;
    case EventKind::answer:
      (void)take_call(head.id);
      instance_->answer(head.id, head.status, head.type, event.body);
      break;
    case EventKind::drain:
      (void)instance_->drain(head.deadline_ns);
      break;
    case EventKind::start:
      (void)instance_->start();
      break;
    case EventKind::stop:
      (void)instance_->stop();
      break;
    case EventKind::feed:
      instance_->feed(head.seed, static_cast<TimeNs>(head.now_ns));
      break;
    case EventKind::owed:
    case EventKind::paid:
    case EventKind::gone:
      break;
  }
  for (Outstanding& one : calls_) one.is_posted = true;  // or not: nobody knows
}

void DurablePit::resume(std::span<const std::uint64_t> still_out) {
  tell_published();
  const std::vector<Outstanding> unanswered = calls_;
  for (Outstanding& one : calls_) one.is_posted = true;
  for (const auto& [call, was_posted] : unanswered) {
    if (std::binary_search(still_out.begin(), still_out.end(), call.cookie)) continue;
    if (!was_posted || call.effect != SYMPHONY_EFFECT_ONCE) {
      owner_.post(call);
      continue;
    }
    constexpr std::string_view text = "the pit died before it had the answer to this call: it may have run";
    if (!answer(call.cookie, SYMPHONY_CRASHED, 0, std::as_bytes(std::span(text)))) {
      log(SYMPHONY_LOG_ERROR, "an own call's end could not be kept: raise journal_size");
    }
  }
}

}  // namespace symphony::pit
