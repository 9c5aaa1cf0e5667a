// What the tracker answers when a request cannot be done, without a word about messages.   Layer: pits/dag_tracker.
//
// The numbers are the pit's statuses (schemas/dag_tracker.fbs, enum Refusal); dag_tracker.cpp asserts that they agree.
// Threads: plain values. Lifetime: texts are static.
#pragma once

#include <cstdint>

#include "pits/parts/verdict.hpp"

namespace symphony::pit::tracker {

enum class Refusal : std::int32_t {
  none = 0,
  no_such_graph = 1,
  not_sealed = 2,
  already_sealed = 3,
  stale_attempt = 4,
  no_such_task = 5,
  limit = 7,
  name_taken = 8,
  bad_argument = 9,
  wrong_state = 10,
};

using Verdict = parts::Verdict<Refusal>;

}  // namespace symphony::pit::tracker
