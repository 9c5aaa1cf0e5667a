// Random operations on a PoolManager in every mode, against the model of the unit tests; and of the same operations the
// same state, byte for byte, wherever the pit runs: on wasm32 as on x86-64.
#include "tests/conformance/mounted.hpp"
#include "tests/support/samples.hpp"
#include "tests/unit/pool_manager/random_run.hpp"

SYMPHONY_DECLARE_PIT(pool_manager);

namespace symphony {
namespace {

// A mounted pit that begins each run with an empty state.
class Runs {
 public:
  explicit Runs(Mode mode) : pit_(mode, "pool_manager", symphony_pit_pool_manager()) {
    EXPECT_TRUE(pit_.conductor->snapshot("pool_manager", empty_).ok());
  }
  // The state after it; fails the test where pit and model part.
  std::vector<std::byte> run(std::uint64_t seed) {
    constexpr TimeNs start_ns = 1'000'000;  // the run's first time
    EXPECT_TRUE(pit_.conductor->feed("pool_manager", 1, start_ns).ok());
    EXPECT_TRUE(pit_.conductor->restore("pool_manager", empty_).ok());
    pit::pools::testing::PoolClient client([this](std::uint32_t type, std::span<const std::byte> body) {
      const Reply reply = pit_.caller.call(type, body);
      return pit::pools::testing::said(static_cast<std::int32_t>(reply.status), reply.type, reply.body, reply.text);
    });
    pit::pools::testing::Surroundings around;
    around.feed = [this](std::uint64_t now_ns) {
      return std::string(pit_.conductor->feed("pool_manager", 1, static_cast<TimeNs>(now_ns)).text);
    };
    PitState state;
    around.swap = [&]() -> std::string {
      if (!pit_.conductor->snapshot("pool_manager", state).ok()) return "the snapshot";
      return std::string(pit_.conductor->restore("pool_manager", state).text);
    };
    pit::pools::testing::RandomRun random(client, around);
    EXPECT_EQ(random.run(pit::pools::testing::operations(seed)), "") << "SYMPHONY_SEED " << seed;
    EXPECT_TRUE(pit_.conductor->snapshot("pool_manager", state).ok());
    return {state.bytes.begin(), state.bytes.end()};
  }

 private:
  Mounted pit_;
  PitState empty_;
};

TEST(PoolModes, RandomOperationsFollowTheRulesAndLeaveTheSameBytesInEveryMode) {
  const std::uint64_t seed = test_run::seed();
  const std::uint64_t runs = test_run::samples(150);
  std::vector<std::vector<std::byte>> states;
  for (const Mode mode : modes_built()) {
    SCOPED_TRACE(static_cast<int>(mode));
    Runs pit(mode);
    const std::uint64_t here = mode == Mode::process ? (runs + 9) / 10 : runs;
    for (std::uint64_t r = 0; r < here && !::testing::Test::HasFailure(); ++r) {
      const auto state = pit.run(seed + r);
      if (mode == Mode::static_) states.push_back(state);
      ASSERT_TRUE(state == states[r]) << "SYMPHONY_SEED " << seed << ", run " << r;
    }
  }
}

}  // namespace
}  // namespace symphony
