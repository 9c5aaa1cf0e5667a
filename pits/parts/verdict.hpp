// What a pit's core answers, without a word about messages.   Layer: pits/parts.
// Threads: plain values. Lifetime: texts are static.
#pragma once

namespace symphony::pit::parts {

// Done, or refused with a line that names the remedy. A refused operation changed nothing. `Refusal` is the pit's own
// list of reasons, none among them.
template <class Refusal>
struct [[nodiscard]] Verdict {
  Refusal refusal = Refusal::none;
  const char* text = "";

  [[nodiscard]] constexpr bool ok() const noexcept { return refusal == Refusal::none; }
};

}  // namespace symphony::pit::parts
