// What a survivor does after the other side's death, and whether it found what the ledger says.   Layer: tests.
//
// The decisions are the library's own: the channels drain to the first 0, judge() of redelivery.hpp decides call by
// call, what is sent again is read from the dead epoch's ring. Every check returns "" or what is wrong.
//   I1  what was committed is delivered once, in order, bit for bit     I2  what was not, whole or not at all
//   I3  freed <= handled <= begun <= published                         I4  what was drained is free again
//   I5  a bounded number of looks                                      I6  closed is seen only behind everything
//   I7  recovering again gives the same                                I9  no call that ran is sent again unless it may
// (I8, no store of a dead epoch counts in a new one, holds by the new segments; the first check scribbles on the old.)
// Threads: one.
#pragma once

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "tests/proof/crash/world.hpp"

namespace symphony::proof {

inline constexpr std::uint8_t attempts_max = 3;

template <class... Values>
[[nodiscard]] std::string wrong(const char* format, Values... values) {
  char text[200];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

template <class Channel>
[[nodiscard]] bool has_body(const Channel& channel, const typename Channel::Record& record, Direction direction,
                            std::uint64_t id, std::size_t size) {
  if (Channel::body_size(record) != size) return false;
  alignas(8) std::array<std::byte, 4096> copy;
  const auto body = channel.copy_body(record, copy);
  return std::ranges::equal(body, body_of(direction, id, size));
}

// ---- the caller survives its pit

// D2: everything up to the first 0. `wait_free`: more looks than a ring has lines is a survivor that hangs.
template <class Mem>
[[nodiscard]] std::string drain_replies(World<Mem>& w) {
  typename CallerChannel<Mem>::Record record;
  std::uint64_t looks = w.segments->geometry().reply_capacity / cache_line_size + 2;
  for (;; --looks) {
    if (looks == 0) return "I5: the drain does not end";
    const Poll poll = w.caller.try_peek(record);
    if (poll == Poll::fault) return wrong("I1: fault %d in the reply ring", static_cast<int>(w.caller.fault()));
    if (poll == Poll::empty) break;
    const std::uint64_t number = w.replies_taken + 1;
    const std::uint64_t id = Ledger::at(w.ledger->reply_id, number);
    if (number > w.ledger->replies_started) return wrong("I2: a reply that was never started (%d)", int(number));
    if (w.caller.copy_envelope(record).id != id) return wrong("I1: reply %d has another id", int(number));
    if (!has_body(w.caller, record, Direction::reply, id, Ledger::at(w.ledger->reply_size, number))) {
      return wrong("I2: reply %d is torn", int(number));
    }
    if (!w.open.remove(id)) return wrong("I1: call %d has two replies", int(id));
    w.caller.finish(record);
    ++w.replies_taken;
    w.caller.free_space(false);
  }
  w.caller.free_space(true);
  settle(w.mem);
  return {};
}

struct Decision {
  std::uint64_t id = 0;
  Verdict verdict = Verdict::send_again;
  std::uint8_t attempt = 0;  // it is sent again as
  bool operator==(const Decision&) const = default;
};
[[nodiscard]] inline bool is_sent_again(const Decision& d) noexcept {
  return d.verdict == Verdict::send_again || d.verdict == Verdict::attempt_again;
}

struct Recovered {
  std::string wrong;
  std::uint64_t replies = 0;  // taken in all
  DeadEpoch dead;
  std::array<Decision, OpenCalls::max> decisions{};
  std::size_t count = 0;

  [[nodiscard]] std::span<const Decision> made() const noexcept { return std::span(decisions).first(count); }
  [[nodiscard]] bool same_as(const Recovered& other) const noexcept {
    return wrong == other.wrong && replies == other.replies && std::ranges::equal(made(), other.made());
  }
};

// D2, D3, and D4 for each call, onto a new epoch.
template <class Mem>
[[nodiscard]] Recovered recover(World<Mem>& w, CallerChannel<Mem>& fresh) {
  Recovered r;
  r.wrong = drain_replies(w);
  r.replies = w.replies_taken;
  if (!r.wrong.empty()) return r;
  const PitProgress progress = w.caller.pit_progress();
  const std::uint64_t freed = w.caller.out().freed();
  const std::uint64_t handled = std::max(progress.handled, freed);
  r.dead = {std::max(progress.begun, handled), handled, freed, Trust::cooperative};
  for (const OpenCall& call : w.open) {
    Decision& d = r.decisions[r.count++];
    d = {call.id, judge({call.id, call.position, call.effect, call.attempt}, r.dead, 0, attempts_max), call.attempt};
    if (!is_sent_again(d)) continue;
    if (d.verdict == Verdict::attempt_again) ++d.attempt;
    Envelope envelope = w.request_of(call.id);
    envelope.flags |= flag::redelivered;
    envelope.attempt = d.attempt;
    const auto record =
        w.caller.out().record_at(call.position, static_cast<std::uint32_t>(sizeof(Envelope)) + call.size);
    std::uint64_t at = 0;
    if (!fresh.try_send(envelope, record.subspan(sizeof(Envelope)), 0, at)) {
      r.wrong = wrong("D4: call %d does not fit into the new ring", int(call.id));
      return r;
    }
  }
  settle(w.mem);
  return r;
}

// What the survivor found, against what the ledger says that the dead pit did.
template <class Mem>
[[nodiscard]] std::string check_recovered(const World<Mem>& w, const Recovered& r) {
  if (!r.wrong.empty()) return r.wrong;
  Ledger& ledger = *w.ledger;
  if (r.replies != ledger.replies_returned && r.replies != ledger.replies_started) {
    return wrong("I1: %d replies found, %d committed, %d started", int(r.replies), int(ledger.replies_returned),
                 int(ledger.replies_started));
  }
  const PitWords& words = w.segments->pit_words();
  const std::uint64_t published = w.caller.out().published();
  if (words.requests_freed > words.requests_handled || words.requests_handled > words.requests_begun ||
      words.requests_begun > published) {
    return wrong("I3: freed %d handled %d begun %d published %d", int(words.requests_freed),
                 int(words.requests_handled), int(words.requests_begun), int(published));
  }
  if (w.segments->caller_words().replies_freed < words.reply_tail) return "I4: what was drained is not free";
  for (const OpenCall& call : w.open) {  // D4 of a pit whose begun and handled are not believed
    DeadEpoch doubted = r.dead;
    doubted.trust = Trust::hostile;
    const Verdict verdict = judge({call.id, call.position, call.effect, call.attempt}, doubted, 0, attempts_max);
    const bool again = verdict == Verdict::send_again || verdict == Verdict::attempt_again;
    const bool due = call.effect != Effect::once && call.position >= doubted.freed;
    if (again != due) return wrong("I9: call %d of a pit that is not believed: wrong verdict", int(call.id));
  }
  int executing = 0;
  for (const Decision& d : r.made()) {
    const std::uint32_t runs = Ledger::at(ledger.handler_runs, d.id);
    const bool once = Ledger::at(ledger.request_effect, d.id) == Effect::once;
    const bool unanswered = Ledger::at(ledger.unanswered, d.id);
    switch (d.verdict) {
      case Verdict::send_again:
        if (runs != 0) return wrong("I9: call %d ran and is sent as never begun", int(d.id));
        break;
      case Verdict::attempt_again:
      case Verdict::crashed:
        if (once != (d.verdict == Verdict::crashed)) return wrong("I9: call %d: wrong verdict", int(d.id));
        if (++executing > 1) return "I9: two calls were being executed";
        break;
      case Verdict::crashed_accepted:
        if (!unanswered) return wrong("I1: call %d was handled and its reply is not there", int(d.id));
        break;
      case Verdict::in_state:
      case Verdict::poisoned:
      case Verdict::attempt_alone:
        return wrong("I9: call %d: a verdict that nothing here leads to", int(d.id));
    }
  }
  return {};
}

// The new pit gets `expected` in id order, whole; all of it, or where its caller died too, a beginning of it.
template <class Mem>
[[nodiscard]] std::string check_sent_again(const Segments& fresh, Ledger& ledger, std::span<const Decision> decisions,
                                           bool all, Mem mem = {}) {
  PitChannel<Mem> pit(fresh.pit(), fresh.caller(), fresh.geometry(), mem);
  typename PitChannel<Mem>::Record record;
  for (const Decision& d : decisions) {
    if (!is_sent_again(d)) continue;
    const Poll poll = pit.try_peek(record);
    if (poll == Poll::empty && !all) return {};
    if (poll != Poll::record) return wrong("D4: call %d did not reach the new pit", int(d.id));
    const Envelope envelope = pit.copy_envelope(record);
    if (envelope.id != d.id || envelope.attempt != d.attempt || (envelope.flags & flag::redelivered) == 0) {
      return wrong("D4: call %d where %d was due", int(envelope.id), int(d.id));
    }
    if (!has_body(pit, record, Direction::request, d.id, Ledger::at(ledger.request_size, d.id))) {
      return wrong("D4: call %d is torn when sent again", int(d.id));
    }
    pit.finish(record);
  }
  if (pit.try_peek(record) != Poll::empty) return "D4: more than what was due was sent again";
  return {};
}

// ---- the pit survives its caller

// C1: takes everything up to the first 0.
template <class Mem>
[[nodiscard]] std::string drain_requests(World<Mem>& w) {
  typename PitChannel<Mem>::Record record;
  std::uint64_t looks = w.segments->geometry().request_capacity / cache_line_size + 2;
  for (;; --looks) {
    if (looks == 0) return "I5: the drain does not end";
    const Poll poll = w.pit.try_peek(record);
    if (poll == Poll::fault) return wrong("I1: fault %d in the request ring", static_cast<int>(w.pit.fault()));
    if (poll == Poll::empty) break;
    const std::uint64_t id = w.requests_taken + 1;
    if (id > w.ledger->requests_started) return wrong("I2: a request that was never started (%d)", int(id));
    if (w.pit.copy_envelope(record).id != id) return wrong("I1: request %d out of order", int(id));
    if (!has_body(w.pit, record, Direction::request, id, Ledger::at(w.ledger->request_size, id))) {
      return wrong("I2: request %d is torn", int(id));
    }
    w.pit.begin(record);
    w.pit.finish(record);
    ++w.requests_taken;
    w.pit.free_space(false);
  }
  w.pit.free_space(true);
  w.pit.look_again_for_space();
  settle(w.mem);
  return {};
}

template <class Mem>
[[nodiscard]] std::string check_drained(const World<Mem>& w) {
  const Ledger& ledger = *w.ledger;
  if (w.pit.fault() != RingFault::none) return wrong("I3: fault %d in the dead caller's words", int(w.pit.fault()));
  if (w.requests_taken != ledger.requests_returned && w.requests_taken != ledger.requests_started) {
    return wrong("I1: %d requests found, %d committed, %d started", int(w.requests_taken),
                 int(ledger.requests_returned), int(ledger.requests_started));
  }
  const CallerWords& words = w.segments->caller_words();
  if (w.segments->pit_words().requests_freed < words.request_tail) return "I4: what was drained is not free";
  if (words.replies_freed > w.pit.out().published()) return "I3: freed past what was published";
  const bool closing = w.pit.peer_state() == SideState::closing;
  if (closing && ledger.close_started == 0) return "I6: closing, and nobody closed";
  if (closing && w.requests_taken != ledger.requests_started) return "I6: closing is seen before the last request";
  if (!closing && ledger.close_returned != 0) return "I6: closed, and the pit cannot see it";
  return {};
}

// ---- either

// `w` is the survivor's; it drains, and a caller decides and sends again onto `fresh`, which must be zero.
template <class Mem>
[[nodiscard]] std::string outlive_pit(World<Mem>& w, const Segments& fresh) {
  CallerChannel<Mem> next(fresh.caller(), fresh.pit(), fresh.geometry(), w.mem);
  const Recovered r = recover(w, next);
  std::string found = check_recovered(w, r);
  if (found.empty()) found = check_sent_again(fresh, *w.ledger, r.made(), true, w.mem);
  return found;
}
template <class Mem>
[[nodiscard]] std::string outlive_caller(World<Mem>& w) {
  std::string found = drain_requests(w);
  if (found.empty()) found = check_drained(w);
  return found;
}

}  // namespace symphony::proof
