// Random histories of callers and one durable pit that is killed at any step, and each rule dropped once.
#include <gtest/gtest.h>

#include <cstdio>
#include <string>

#include "mutants.hpp"
#include "tests/proof/crash/figures.hpp"
#include "tests/proof/state/world.hpp"
#include "tests/support/samples.hpp"

namespace symphony::proof {
namespace {

struct Totals {
  std::uint64_t histories = 0, kills = 0, replayed = 0;
};

// The first history in which a promise was broken, and which; empty: none.
std::string first_broken(std::uint64_t first_seed, std::uint64_t count, Durability durability, Totals& totals) {
  for (std::uint64_t seed = first_seed; seed < first_seed + count; ++seed) {
    World world({.seed = seed,
                 .durability = durability,
                 .calls = 3 + seed % 9,
                 .callers = 1 + seed % 3,
                 .kills = static_cast<int>(seed % 8),
                 .journal_size = 4096});
    std::string broken = world.run();
    ++totals.histories;
    totals.kills += static_cast<std::uint64_t>(world.kills());
    totals.replayed += world.replayed();
    if (!broken.empty()) return "seed " + std::to_string(seed) + ": " + broken;
  }
  return {};
}

TEST(DurablePit, LosesNothingAndDoesNothingTwiceHoweverOftenItIsKilled) {
  mutants::chosen = -1;
  const TimeNs start = now_ns();
  Totals totals;
  EXPECT_EQ(first_broken(1, test_run::samples(5'000), Durability::journal, totals), "");
  EXPECT_GT(totals.kills, totals.histories);
  EXPECT_GT(totals.replayed, totals.histories);
  std::printf("%llu histories, %llu kills, %llu records replayed\n", static_cast<unsigned long long>(totals.histories),
              static_cast<unsigned long long>(totals.kills), static_cast<unsigned long long>(totals.replayed));
  write_count("state.histories", totals.histories, std::nullopt, totals.kills, start,
              "random histories with a durable pit killed at any step (n: kills), nothing lost, nothing twice");
}

TEST(DurablePit, GoesOnFromItsLastSnapshotWhereThatIsAllThatIsKept) {
  mutants::chosen = -1;
  Totals totals;
  EXPECT_EQ(first_broken(1, test_run::samples(2'000), Durability::snapshot, totals), "");
  EXPECT_GT(totals.kills, totals.histories);
}

TEST(DurablePit, EachRuleThatIsMissedIsFound) {
  const TimeNs start = now_ns();
  std::size_t found = 0;
  constexpr auto count = std::size(mutants::names);
  for (std::size_t i = 0; i < count; ++i) {
    mutants::chosen = static_cast<int>(i);
    Totals totals;
    const std::string broken = first_broken(1, 20'000, Durability::journal, totals);
    mutants::chosen = -1;
    EXPECT_NE(broken, "") << mutants::names[i];
    found += !broken.empty();
    std::printf("%-36s %s\n", mutants::names[i], broken.c_str());
  }
  write_count("state.mutants", found, count, count, start,
              "rules of a durable pit, each dropped once, and found by a history");
}

}  // namespace
}  // namespace symphony::proof
