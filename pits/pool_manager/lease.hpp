// What is asked for, who waits for it and who has it.   Layer: pits/pool_manager.
// Threads: plain values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pits/pool_manager/limits.hpp"
#include "pits/pool_manager/line.hpp"

namespace symphony::pit::pools {

struct Want {
  std::uint32_t pool = 0;  // its place in the manager
  std::uint64_t amount = 0;
};

// At least one; the first needs no memory of its own.
class Wants {
 public:
  void assign(const Want* wants, std::size_t count) {
    first_ = wants[0];
    more_.assign(wants + 1, wants + count);
  }
  [[nodiscard]] std::uint32_t size() const noexcept { return 1 + static_cast<std::uint32_t>(more_.size()); }
  [[nodiscard]] const Want& operator[](std::uint32_t i) const noexcept { return i == 0 ? first_ : more_[i - 1]; }
  // The amount of that pool; 0: it is not among them.
  [[nodiscard]] std::uint64_t of(std::uint32_t pool) const noexcept {
    for (std::uint32_t i = 0; i < size(); ++i) {
      if ((*this)[i].pool == pool) return (*this)[i].amount;
    }
    return 0;
  }

 private:
  Want first_;
  std::vector<Want> more_;
};

// Who asks: a number of its own choice, and which of its lives this is. Whoever learns that it died names both.
struct Holder {
  std::uint64_t id = 0;
  std::uint32_t epoch = 0;
};

enum class Mode : std::uint8_t { try_now = 0, wait = 1, ticket = 2 };

// Why a lease ended before its holder gave it back, or a waiter got none.
enum class Why : std::uint8_t {
  none = 0,
  busy = 1,       // try: there is no room now
  timed_out = 2,  // max_wait or the call's deadline passed
  cancelled = 3,
  holder_died = 4,
  pool_deleted = 5,
  never_fits = 6,  // the pool, or the queue's quota, was made smaller than what is asked
  expired = 7,
  preempted = 8,
  shrunk = 9,
  unheard = 10,  // granted to who did not wait any more
};

struct Request {
  Wants wants;
  Holder holder;
  std::uint32_t queue = 0;
  std::int32_t priority = 0;
  Mode mode = Mode::try_now;
  std::uint64_t ttl_ns = 0;      // 0: the pool's
  std::uint64_t give_up_ns = 0;  // a point in time; 0: never
  std::uint64_t reply_to = 0;    // Mode::wait: whom to answer
  std::string_view tag;
};

struct Lease {
  std::uint64_t token = 0;  // 0: this place is free
  Holder holder;
  std::uint32_t queue = 0;
  Wants wants;
  std::vector<std::uint32_t> units;  // numbers, in the order of the wants
  std::uint64_t granted_ns = 0;
  std::uint64_t expires_ns = 0;  // 0: never
  std::uint64_t leak_ns = 0;     // when it is reported; 0: not, or not again
  Why ending = Why::expired;     // what it is called when it expires
  std::string tag;
};

struct Waiter {
  Rank rank;  // serial 0: this place is free
  Holder holder;
  std::uint32_t queue = 0;
  std::int32_t priority = 0;
  Mode mode = Mode::wait;
  Wants wants;
  std::uint64_t ttl_ns = 0;
  std::uint64_t give_up_ns = 0;
  std::uint64_t since_ns = 0;
  std::uint64_t reply_to = 0;
  std::string tag;

  // In the lines: one node for each want, one for the queue; and the want that it is found by, `no_place` while it is
  // not to be found (behind the head of a strict queue).
  std::vector<std::uint32_t> nodes;
  std::uint32_t queue_node = 0;
  std::uint32_t shown = no_place;

  // A ticket that is answered and not collected.
  bool ended = false;
  Why why = Why::none;  // none: granted
  std::uint32_t lease = no_place;
  std::uint64_t token = 0;
  std::uint64_t ended_serial = 0;  // the lesser ended earlier
};

}  // namespace symphony::pit::pools
