// Who is killed when: a plan that its seed fixes, carried out on a realm.   Layer: tests.
// The order of the deaths and how much happens between them are the seed's; which instruction a signal finds is not.
#pragma once

#include <cstdint>
#include <random>

#include "tests/soak/realm.hpp"

namespace symphony::soak {

// The keeper gives up after five deaths of its broker in ten seconds: a realm's broker dies less often than that.
inline constexpr std::uint32_t broker_kills_per_realm_max = 4;

struct Kills {
  std::uint64_t pit = 0, caller = 0, broker = 0;
  std::uint64_t both = 0;     // of these: pit and broker at once, counted as one of each
  std::uint64_t stopped = 0;  // of these: a pit that was stopped when it died
  std::uint64_t stops = 0;    // SIGSTOP, SIGCONT, and nobody died
  // Inside an operation, as the victim's own page says after its death:
  std::uint64_t in_handler = 0, in_snapshot = 0, in_restore = 0;  // of the pit
  std::uint64_t in_call = 0, in_open = 0;                         // of a caller
  std::uint64_t in_attach = 0;                                    // of the broker: a link or an instance was being made
  std::uint64_t at_start = 0;  // of the pit, before it had come to its first message; not an operation

  [[nodiscard]] std::uint64_t all() const noexcept { return pit + caller + broker; }
  [[nodiscard]] std::uint64_t inside() const noexcept {
    return in_handler + in_snapshot + in_restore + in_call + in_open + in_attach;
  }
  void add(const Kills& other) noexcept;
};

class Killer {
 public:
  Killer(Realm& realm, std::uint64_t seed) : realm_(realm), random_(seed) {}

  // Waits for some calls, or not, and kills one or two. False: nothing goes on any more, or somebody gave up.
  bool strike(std::uint64_t calls_between);
  [[nodiscard]] const Kills& kills() const noexcept { return kills_; }
  // Waits until the realm has made that many calls; false: as strike().
  bool await_calls(std::uint64_t count);
  // Waits until that process is there; empty as await_calls().
  [[nodiscard]] Held find(Held (Realm::*who)() const);

 private:
  bool below(std::uint32_t share) { return random_() % 100 < share; }
  void kill_pit();
  void kill_restoring_pit(pid_t before);
  void kill_caller();
  void kill_broker(bool and_pit);
  void aim(Inside at);
  void count_pit(const Held& pit);
  void count_caller(Place place) noexcept;
  [[nodiscard]] bool is_attaching() const;

  Realm& realm_;
  std::mt19937_64 random_;
  Kills kills_;
};

}  // namespace symphony::soak
