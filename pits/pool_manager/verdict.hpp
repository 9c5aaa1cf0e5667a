// What the pool manager answers when a request cannot be done, without a word about messages.   Layer:
// pits/pool_manager.
//
// The numbers are the pit's statuses (schemas/pool_manager.fbs, enum Refusal); pool_manager.cpp asserts that they
// agree. Threads: plain values. Lifetime: texts are static.
#pragma once

#include <cstdint>

#include "pits/parts/verdict.hpp"

namespace symphony::pit::pools {

enum class Refusal : std::int32_t {
  none = 0,
  no_such_pool = 1,
  no_such_queue = 2,
  no_such_unit = 3,
  unknown_lease = 4,
  stale_token = 5,
  not_holder = 6,
  unknown_wait = 7,
  never_fits = 8,
  zero_amount = 9,
  duplicate_pool = 10,
  amount_too_large = 11,
  limit = 12,
  name_taken = 13,
  in_use = 14,
  holder_gone = 15,
  quota_too_large = 16,
  wrong_kind = 17,
  bad_argument = 18,
};

using Verdict = parts::Verdict<Refusal>;

}  // namespace symphony::pit::pools
