// Thousands of random sequences of operations, step by step against a model that recomputes everything from the rules,
// with the state moved to another instance in between. What fails is made smaller before it is shown.
#include <rapidcheck.h>

#include <cstdlib>

#include "tests/support/samples.hpp"
#include "tests/unit/pool_manager/static_run.hpp"

namespace symphony::pit::pools {
namespace {

using testing::Op;
using testing::Sums;

// RC_PARAMS in the environment says otherwise, as rapidcheck prints it.
void set_up_rapidcheck(std::uint64_t runs) {
  const std::string params = "seed=" + std::to_string(test_run::seed()) +
                             " max_size=150 max_success=" + std::to_string(test_run::samples(runs));
  ::setenv("RC_PARAMS", params.c_str(), 0);
}

TEST(PoolManagerProperties, RandomOperationsFollowTheRulesAtEveryStep) {
  set_up_rapidcheck(3'000);
  Sums sums;
  EXPECT_TRUE(rc::check("pit and model agree", [&] {
    // Operations of all kinds from the start: only their number grows.
    const auto ops = *rc::gen::container<std::vector<Op>>(rc::gen::resize(rc::kNominalSize, rc::gen::arbitrary<Op>()));
    const std::string wrong = testing::run_in_static(ops, sums);
    if (!wrong.empty()) RC_FAIL(wrong);
  }));
  std::printf("%zu runs: %zu granted at once, %zu waited, %zu tickets collected, overtaken %zu times at most\n",
              sums.runs, sums.granted, sums.queued, sums.collected, sums.overtaken_most);
  EXPECT_GT(sums.queued, sums.runs) << "most runs must make somebody wait, or they prove little";
  EXPECT_GT(sums.collected, sums.runs);
  EXPECT_LE(sums.overtaken_most, 3U) << "the largest overtake_max of these pools";
}

}  // namespace
}  // namespace symphony::pit::pools
