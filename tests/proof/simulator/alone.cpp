// A call that killed its pit and is tried once more, alone: AloneRuns of bus/endpoint, as an owner of its own.
#include "tests/proof/simulator/world.hpp"

namespace symphony::proof {

void World::try_alone(Caller& c, Owner& o, SimCall& call) {
  call.state = SimCall::State::alone;
  caller_is_told(c);
  auto alone = std::make_unique<Owner>();
  alone->serial = next_serial_++;
  alone->alone_for = o.serial;
  alone->alone_for_link = o.link;
  alone->alone_call = call;
  alone->opening.pit = o.opening.pit;
  alone->opening.alone = true;
  alone->opening.options.waiting = Waiting::sleep;
  alone->deadline_ns = call.request.deadline_ns;
  alone->correlation = c.links->begin_opening(alone->opening, alone->deadline_ns);
  c.owners.push_back(std::move(alone));
}

bool World::alone_runs(Caller& c, Owner& o) {
  const bool is_late = o.alone_call.request.deadline_ns <= now_ns_;
  if (o.phase == Owner::Phase::opening) {
    const bool is_decided = o.opening.attached != nullptr || o.opening.failure.has_value();
    if (!is_decided && !is_late && !o.wants_close) return true;
    c.links->end_opening(o.correlation, o.opening);
    if (!o.opening.attached) {
      end_alone(c, o, is_late ? AloneOutcome::late : AloneOutcome::not_run);
      return false;
    }
    o.link = o.opening.attached->at.link;
    on_new_epoch(c, o, std::move(o.opening.attached));
    return true;
  }
  if (!o.alone_sent) {
    SimCall& call = o.calls.emplace_back(o.alone_call);
    call.request.id = 1;
    call.request.deadly = call.request.deadly && dice_.one_in(2);  // some kill in company alone
    call.request.hangs = call.request.hangs && dice_.one_in(2);
    call.attempt = 0;
    o.alone_sent = true;
    ++seen.tried_alone;
    call.state = SimCall::State::queued;
    if (o.phase == Owner::Phase::open) send(o, call);
    return true;
  }
  progress(c, o);
  look_at_pit(c, o);
  const bool is_over = o.phase == Owner::Phase::ended;
  if (!is_over && !is_late && !o.wants_close && !o.alone_harmless) return true;
  end_alone(c, o,
            o.alone_harmless ? AloneOutcome::answered
            : is_over        ? AloneOutcome::killed
            : is_late        ? AloneOutcome::late
                             : AloneOutcome::not_run);
  c.told.emplace_back(o.attached->at, false);
  return false;
}

void World::end_alone(Caller& c, Owner& o, AloneOutcome outcome) {
  const bool has_answer = outcome == AloneOutcome::answered && o.alone_call.request.effect == Effect::read;
  if (outcome == AloneOutcome::answered) ++seen.harmless_alone;
  if (!has_answer) park(c, o.alone_for_link, o.alone_call, outcome, o.link);
  for (const auto& other : c.owners) {
    if (other->serial != o.alone_for || outcome == AloneOutcome::late) continue;
    for (SimCall& call : other->calls) {
      if (call.request.id == o.alone_call.request.id && call.state == SimCall::State::alone) {
        call.state = SimCall::State::ended;  // with the answer, or as poisoned
      }
    }
  }
}

void World::park(Caller& c, LinkId link, const SimCall& call, AloneOutcome outcome, LinkId alone_link) {
  c.words.emplace_back(control::Park{
      link, call.request.id, 1, 4, call.attempt, call.request.effect, outcome, alone_link, {std::byte{1}}});
}

void World::cancel_alone(Caller& c, const Owner& o) {
  for (const auto& other : c.owners) {
    if (other->alone_for == o.serial) other->wants_close = true;
  }
}

}  // namespace symphony::proof
