// What could go wrong: a death between two particular messages leaves an open without an end, a link with one end,
// memory that nobody frees. Shown by trying a death at every message of many orders of delivery, and many deaths at
// random.
#include "tests/unit/broker/simulator.hpp"

#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/samples.hpp"

namespace symphony::detail::broker {
namespace {

using testing::IsEmpty;

const char* name_of(Victim v) {
  constexpr const char* names[] = {"none", "pit", "caller", "broker", "connection"};
  return names[static_cast<std::size_t>(v)];
}

TEST(Simulation, OneSeedIsOneHistory) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    std::uint64_t hashes[2];
    for (auto& hash : hashes) {
      Simulator s({seed});
      s.run_random(5);
      hash = s.hash();
    }
    EXPECT_EQ(hashes[0], hashes[1]) << "seed " << seed;
    Simulator other({seed + 1000});
    other.run_random(5);
    EXPECT_NE(other.hash(), hashes[0]) << "seed " << seed;
  }
}

TEST(Simulation, EveryOpenEndsAndNothingIsLeftWhoeverDiesAtWhateverMessage) {
  std::size_t schedules = 0, deliveries = 0;
  for (const bool by_path : {true, false}) {
    for (std::uint64_t seed = 1; seed <= test_run::samples(12); ++seed) {
      const Simulator::Options options{seed, 2, 2, 2, by_path};
      Simulator plain(options);
      const std::size_t length = plain.run(Victim::none, 0);
      ASSERT_THAT(plain.check_settled(), IsEmpty()) << "seed " << seed;
      for (const Victim victim : {Victim::pit, Victim::caller, Victim::broker, Victim::connection}) {
        if (victim == Victim::broker && !by_path) continue;  // an embedded broker dies with its application
        for (std::size_t at = 0; at < length; ++at, ++schedules) {
          Simulator s(options);
          deliveries += s.run(victim, at);
          ASSERT_THAT(s.check_settled(), IsEmpty()) << "seed " << seed << " kill " << name_of(victim) << " at " << at;
          s.close_all();
          ASSERT_THAT(s.check_closed(), IsEmpty()) << "seed " << seed << " kill " << name_of(victim) << " at " << at;
        }
      }
    }
  }
  std::printf("%zu schedules, %zu deliveries\n", schedules, deliveries);
}

TEST(Simulation, EveryOpenEndsAndNothingIsLeftAfterManyDeaths) {
  std::size_t deliveries = 0;
  const std::uint64_t schedules = test_run::samples(3000);
  for (std::uint64_t seed = 1; seed <= schedules; ++seed) {
    Simulator s({seed, 1 + seed % 3, 1 + seed % 4, 1 + seed % 3, true});
    deliveries += s.run_random(1 + seed % 8);
    ASSERT_THAT(s.check_settled(), IsEmpty()) << "seed " << seed;
    s.close_all();
    ASSERT_THAT(s.check_closed(), IsEmpty()) << "seed " << seed;
  }
  std::printf("%lu schedules, %zu deliveries\n", static_cast<unsigned long>(schedules), deliveries);
}

// What could go wrong besides: a command without an answer, or with two; two instances of a pit that was restarted.
TEST(Simulation, EveryCommandHasOneAnswerAndEveryOpenEndsWhoeverDies) {
  std::size_t deliveries = 0;
  const std::uint64_t schedules = test_run::samples(3000);
  for (std::uint64_t seed = 1; seed <= schedules; ++seed) {
    Simulator s({seed, 1 + seed % 3, 1 + seed % 3, 1 + seed % 3, seed % 5 != 0, 1 + seed % 6});
    deliveries += s.run_random(seed % 5 == 0 ? 0 : seed % 6);
    ASSERT_THAT(s.check_settled(), IsEmpty()) << "seed " << seed;
    s.close_all();
    ASSERT_THAT(s.check_closed(), IsEmpty()) << "seed " << seed;
  }
  std::printf("%lu schedules, %zu deliveries\n", static_cast<unsigned long>(schedules), deliveries);
}

}  // namespace
}  // namespace symphony::detail::broker
