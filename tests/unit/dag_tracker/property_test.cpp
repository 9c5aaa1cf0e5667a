// Thousands of random sequences of requests, step by step against a model that recomputes everything from the rules,
// with the state moved to another instance in between. What fails is made smaller before it is shown.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstdlib>

#include "pits/hosting/static/static_host.hpp"
#include "tests/support/samples.hpp"
#include "tests/unit/dag_tracker/random_run.hpp"

SYMPHONY_DECLARE_PIT(dag_tracker);

namespace symphony::pit::tracker {
namespace {

struct TrackerSums {
  std::size_t runs = 0, claims = 0, failures = 0, retries = 0, cycles = 0, grown = 0, upstream = 0;
};

std::string run_tracker(const std::vector<testing::Op>& ops, TrackerSums& sums) {
  std::unique_ptr<StaticHost> host;
  std::unique_ptr<Link> link;
  if (!StaticHost::mount(*symphony_pit_dag_tracker(), {}, host).ok() || !host->open(link).ok()) return "no host";
  testing::TrackerSurroundings around;
  around.call = [&](std::uint32_t type, std::span<const std::byte> body) {
    const Reply reply = link->call({.type = type, .body = body});
    return testing::TrackerSaid(reply.status, reply.type, reply.body);
  };
  around.feed = [&](std::uint64_t now_ns) { return std::string(host->feed(1, static_cast<TimeNs>(now_ns)).text); };
  around.swap = [&]() -> std::string {
    Snapshot before, after;
    if (!host->snapshot(before).ok() || !host->restore(before).ok() || !host->snapshot(after).ok()) return "the swap";
    return before.bytes == after.bytes ? "" : "a snapshot of what was restored differs";
  };
  testing::TrackerRun run(around);
  std::string wrong = run.run(ops);
  ++sums.runs;
  sums.claims += run.claims;
  sums.failures += run.failures;
  sums.retries += run.retries;
  sums.cycles += run.cycles;
  sums.grown += run.grown;
  sums.upstream += run.upstream;
  return wrong;
}

TEST(DagTrackerProperties, RandomRequestsFollowTheRulesAtEveryStep) {
  // RC_PARAMS in the environment says otherwise, as rapidcheck prints it.
  const std::string params = "seed=" + std::to_string(test_run::seed()) +
                             " max_size=150 max_success=" + std::to_string(test_run::samples(1'200));
  ::setenv("RC_PARAMS", params.c_str(), 0);
  TrackerSums sums;
  EXPECT_TRUE(rc::check("pit and model agree", [&] {
    const auto ops = *rc::gen::container<std::vector<testing::Op>>(
        rc::gen::resize(rc::kNominalSize, rc::gen::arbitrary<testing::Op>()));
    const std::string wrong = run_tracker(ops, sums);
    if (!wrong.empty()) RC_FAIL(wrong);
  }));
  std::printf("%zu runs: %zu claims, %zu failures, %zu rests, %zu cycles, %zu grown, %zu seen upstream failed\n",
              sums.runs, sums.claims, sums.failures, sums.retries, sums.cycles, sums.grown, sums.upstream);
  EXPECT_GT(sums.claims, 2 * sums.runs) << "most runs must do something, or they prove little";
  EXPECT_GT(sums.failures, sums.runs / 2);
  EXPECT_GT(sums.retries, sums.runs / 6);
  EXPECT_GT(sums.grown, sums.runs / 6);
  EXPECT_GT(sums.cycles, 0U);
}

}  // namespace
}  // namespace symphony::pit::tracker
