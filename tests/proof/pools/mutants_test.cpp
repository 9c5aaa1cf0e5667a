// Each rule of the pool manager, broken in turn: the random runs that show the rules must see it.
#include <cstdio>
#include <iterator>

#include "bench/support/figure.hpp"
#include "mutants.hpp"
#include "tests/unit/pool_manager/static_run.hpp"

namespace symphony::pit::pools {
namespace {

TEST(PoolManagerMutants, AreAllSeenByRandomRuns) {
  const TimeNs start = now_ns();
  // Fixed: the rarest mutant shows itself in the 200th run of these, in others after thousands.
  constexpr std::uint64_t seed = 4'003'091'950;
  constexpr std::uint64_t runs_max = 4'000;
  constexpr std::size_t count = std::size(mutants::names);
  for (testing::Sums sums; sums.runs < 200;) {  // whole, it fails nowhere
    ASSERT_EQ(testing::run_in_static(test_run::operations(seed + sums.runs), sums), "") << "run " << sums.runs;
  }
  std::size_t seen = 0;
  for (std::size_t i = 0; i < count; ++i) {
    std::string wrong;
    std::uint64_t run = 0;
    mutants::chosen = static_cast<int>(i);
    for (testing::Sums sums; wrong.empty() && run < runs_max; ++run) {
      wrong = testing::run_in_static(test_run::operations(seed + run), sums);
    }
    mutants::chosen = -1;
    EXPECT_NE(wrong, "") << mutants::names[i];
    seen += !wrong.empty();
    std::printf("%-52s run %4llu: %s\n", mutants::names[i], static_cast<unsigned long long>(run), wrong.c_str());
  }
  bench::Figure figure;
  figure.name = "pool.mutants";
  figure.value = static_cast<double>(seen);
  figure.of = static_cast<double>(count);
  figure.unit = "count";
  figure.n = count;
  figure.seed = seed;
  figure.seconds = static_cast<double>(now_ns() - start) / static_cast<double>(second_ns);
  figure.note = "broken rules of the pool manager that random runs against the model see";
  EXPECT_TRUE(bench::write_figure(figure).has_value());
}

}  // namespace
}  // namespace symphony::pit::pools
