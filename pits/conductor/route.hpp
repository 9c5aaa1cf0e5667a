// From a name to the instance that stands behind it now, and the gate at which calls wait while that changes.
// Layer: conductor.
// Whoever calls is a party of the route. A party says by a plain store that it is inside, and then looks whether the
// word is the one that it knows: two stores and a load a call. Whoever closes the gate stores the word, makes every
// running thread pass a barrier, and looks at the parties: either it sees one inside, or that one sees the gate closed
// and stays out (as in pits/hosting/door.hpp). Invariants:
//   R1  while the gate is closed and all parties are outside, no call of theirs is on any instance of this route, and
//       none comes
//   R2  a party is inside only on the instance of the generation that the word names
// Threads: any.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include <symphony/conductor.hpp>

#include "bus/base/platform.hpp"
#include "pits/hosting/door.hpp"
#include "pits/hosting/host.hpp"

namespace symphony::conductor {

// Written by the party alone, one thread at a time.
struct Party {
  std::atomic<std::uint32_t> inside{0};
  std::atomic<std::uint32_t> started{0};  // calls without waiting, whose ending was not taken
};

class Route {
 public:
  // Two bits, and a generation that rises with each change of the instance.
  using Word = std::uint32_t;
  static constexpr Word closed_bit = 1;
  static constexpr Word probation_bit = 2;
  static constexpr Word generation_step = 4;
  static constexpr Word never = ~Word{0};  // is no open route's word
  [[nodiscard]] static constexpr Word generation_of(Word word) noexcept { return word & ~(generation_step - 1); }

  struct Place {
    std::shared_ptr<pit::Host> host;
    Mode mode = Mode::static_;
    std::string broker_name{};  // of a process
  };
  explicit Route(Place first) : place_(std::move(first)) {}
  Route(const Route&) = delete;
  Route& operator=(const Route&) = delete;

  void add(Party& party);
  void remove(Party& party) noexcept;

  // Whether the party is inside now; if not, it leaves().
  [[nodiscard]] bool try_enter(Party& party, Word known) const noexcept {
    // relaxed: heavy() of whoever closes the gate orders it before the look at the word, or shows that thread its
    // effect.
    party.inside.store(1, std::memory_order_relaxed);
    pit::ThisMachine::light();
    // relaxed: as above. What the word stands for the party learned with acquire.
    return word_.load(std::memory_order_relaxed) == known;
  }
  // `was`: what `inside` said before the party entered, so that a call from inside a call of the same party is none.
  static void leave(Party& party, std::uint32_t was) noexcept {
    // sync route.inside release: what the call did, for whoever finds the party outside.
    party.inside.store(was, std::memory_order_release);
  }

  // The word, when the gate is open; nothing when the deadline passed.
  [[nodiscard]] std::optional<Word> wait_open(TimeNs deadline_ns) noexcept;
  [[nodiscard]] bool is(Word word) const noexcept {
    // sync route.word acquire: as in wait_open().
    return word_.load(std::memory_order_acquire) == word;
  }
  // Until it is another word, or the deadline.
  void wait_other(Word word, TimeNs deadline_ns) noexcept;
  [[nodiscard]] Place place();
  // Null: the word is of another generation.
  [[nodiscard]] std::shared_ptr<pit::Host> host_of(Word word);

  // Runs `work(host, word)`, which returns an Outcome, as a party that waits for the gate as long as for a call.
  template <class Work>
  pit::Outcome visit(Work&& work);

  // ---- while an instance is on probation
  // An ending of its, told by a party that is inside.
  void count(std::uint32_t type, std::uint32_t effect, bool is_ok) noexcept;
  void report_failure() noexcept;
  [[nodiscard]] std::uint64_t expected_incarnation();

  // ---- whoever swaps
  // False: somebody else does.
  [[nodiscard]] bool try_begin_swap();
  void end_swap();
  void close() noexcept;
  // False: not all parties were outside by then.   [closed]
  [[nodiscard]] bool wait_empty(TimeNs deadline_ns);
  [[nodiscard]] std::uint32_t inside();  // parties, for people
  // As it was before close().
  void reopen() noexcept;
  // Another instance, and open. `incarnation`: of one that is on probation; else nothing.   [closed, empty]
  void flip(Place next, std::optional<std::uint64_t> incarnation);
  void end_probation() noexcept;

  struct Trial {
    Probation so_far{};
    bool has_failed = false;
    std::uint64_t effects = 0;
    std::vector<LostEffect> listed{};
  };
  // Waits until so many messages have ended, one said that the instance failed, or the time has come.
  [[nodiscard]] bool wait_trial(std::uint64_t messages, TimeNs until_ns);  // true: messages, or failed
  [[nodiscard]] Trial trial();

  // What the pit's clock was set to, for its next instance: seed, time.
  void set_fed(std::uint64_t seed, TimeNs now_ns);
  [[nodiscard]] std::optional<std::pair<std::uint64_t, TimeNs>> fed();

 private:
  void store_and_wake(Word word) noexcept;

  alignas(detail::cache_line_size) std::atomic<Word> word_{0};
  alignas(detail::cache_line_size) std::mutex mutex_;
  std::condition_variable told_;
  Place place_;
  std::unordered_set<Party*> parties_;
  // With memory that callers may use as long as the route is there.
  std::vector<std::shared_ptr<pit::Host>> windows_;
  std::optional<std::pair<std::uint64_t, TimeNs>> fed_;
  Trial trial_;
  std::uint64_t expected_incarnation_ = 0;
  TimeNs trial_began_ns_ = 0;
  bool is_swapping_ = false;
};

template <class Work>
pit::Outcome Route::visit(Work&& work) {
  struct Visitor {
    explicit Visitor(Route& of) : route(of) { route.add(party); }
    ~Visitor() {
      leave(party, 0);
      route.remove(party);
    }
    Route& route;
    Party party;
  } visitor(*this);
  const TimeNs deadline_ns = deadline_after(default_call_timeout_ns);
  for (;;) {
    const auto word = wait_open(deadline_ns);
    if (!word) return {SYMPHONY_DEADLINE, "the pit is being swapped, and that takes long: try again"};
    const auto host = host_of(*word);
    if (host != nullptr && try_enter(visitor.party, *word)) return work(*host, *word);
    leave(visitor.party, 0);
  }
}

}  // namespace symphony::conductor
