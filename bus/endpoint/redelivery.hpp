// What becomes of a call whose pit died: rule D4 of the link protocol.   Layer: endpoint. Threads: pure functions.
#pragma once

#include <cstdint>

#include <symphony/status.hpp>
#include <symphony/trust.hpp>

namespace symphony::detail {

enum class Verdict : std::uint8_t {
  in_state,          // the new instance's state contains it, and it will answer: wait
  send_again,        // it was never begun
  attempt_again,     // it was being executed; its attempt count rises
  crashed,           // it was being executed and must not run twice
  crashed_accepted,  // it was handled; its answer died with the state
  poisoned,          // it was being executed too often
  attempt_alone,     // as attempt_again, but for the last time, and where it can kill nobody's pit
};

struct SentCall {
  std::uint64_t id = 0;
  std::uint64_t position = 0;  // in the dead epoch's request ring
  Effect effect = Effect::once;
  std::uint8_t attempt = 0;
  // At an earlier death it was in_state: it stands in no ring since then, and its position says nothing.
  bool was_in_state = false;
};

struct DeadEpoch {
  std::uint64_t begun = 0;  // the pit's words, read once after its death
  std::uint64_t handled = 0;
  std::uint64_t freed = 0;  // the highest value accepted from it in life
  Trust trust = Trust::cooperative;
};

// Precondition: the reply ring of the dead epoch has been drained, so the call has no reply. `last_id` is A: the last
// id the new instance's state contains.
[[nodiscard]] constexpr Verdict judge(const SentCall& call, const DeadEpoch& dead, std::uint64_t last_id,
                                      std::uint8_t attempts_max) noexcept {
  if (call.id <= last_id) return Verdict::in_state;
  if (call.was_in_state) return Verdict::crashed_accepted;  // and that state is gone
  const bool repeatable = call.effect != Effect::once;
  const auto again = [&] {
    if (call.attempt + 1 >= attempts_max) return Verdict::poisoned;
    return call.attempt + 2 >= attempts_max ? Verdict::attempt_alone : Verdict::attempt_again;
  };
  if (dead.trust == Trust::hostile) {
    // begun and handled may be lies; freed was checked when it was accepted, and what it covers is gone.
    if (call.position < dead.freed) return Verdict::crashed_accepted;
    if (!repeatable) return Verdict::crashed;
    return call.position < dead.begun ? again() : Verdict::send_again;
  }
  if (call.position < dead.handled) return Verdict::crashed_accepted;
  if (call.position >= dead.begun) return Verdict::send_again;
  return repeatable ? again() : Verdict::crashed;
}

}  // namespace symphony::detail
