// A pit's data thread moves to its caller's processor, or away from it.   Layer: endpoint.
//
// A caller says in one advisory word of its segment on which processor it runs, and how it wants its pit placed. The
// pit's own option comes first; without one it follows the wish of the link that it served last. Read before a sleep,
// when the time for it is there. Threads: the pit's data thread; make it there. Trust: a caller's word moves this one
// thread among the processors that it may use anyway; any other number moves nothing.
#pragma once

#include <sched.h>

#include <cstdint>

#include <symphony/waiting.hpp>

namespace symphony::detail {

// 0: nothing is known. The wish in the upper half, the processor's number + 1 in the lower.
[[nodiscard]] constexpr std::uint32_t placement_word(Placement wish, int cpu) noexcept {
  return cpu < 0 || cpu >= 0xffff ? 0
                                  : (static_cast<std::uint32_t>(wish) << 16 | (static_cast<std::uint32_t>(cpu) + 1));
}

class Placer {
 public:
  // Takes the set of processors that this thread may use now as the most it may ever use.
  explicit Placer(Placement own) noexcept;

  // Moves this thread as the word and the own option say.
  void follow(std::uint32_t word) noexcept;
  [[nodiscard]] bool shares_caller_core() const noexcept { return shares_; }
  [[nodiscard]] Placement own() const noexcept { return own_; }

 private:
  const Placement own_;
  cpu_set_t all_{};
  bool usable_ = false;
  std::uint32_t followed_ = 0;
  bool moved_ = false;  // away from the whole set
  bool shares_ = false;
};

}  // namespace symphony::detail
