// The proof of hostile_test.cpp can fail: each check that it is about, dropped, is missed.
#include <gtest/gtest.h>

#include <iterator>

#include "mutants.hpp"
#include "tests/proof/hostile/random_run.hpp"

namespace symphony::hostile {
namespace {

constexpr std::uint64_t seed = 1;
constexpr std::uint64_t reads = 200'000;

const char* first_violation() {
  for (std::size_t target = 0; target < targets.size(); ++target) {
    Tally tally;
    if (const char* wrong = random_run(target, seed, reads, tally)) return wrong;
  }
  return nullptr;
}

TEST(HostileMutants, EachDroppedCheckIsMissed) {
  mutants::chosen = -1;
  ASSERT_EQ(first_violation(), nullptr) << "without a mutant";
  for (std::size_t i = 0; i < std::size(mutants::names); ++i) {
    mutants::chosen = static_cast<int>(i);
    const char* const wrong = first_violation();
    EXPECT_NE(wrong, nullptr) << mutants::names[i] << " was not caught";
    std::printf("%-36s %s\n", mutants::names[i], wrong != nullptr ? wrong : "NOT CAUGHT");
  }
  mutants::chosen = -1;
}

}  // namespace
}  // namespace symphony::hostile
