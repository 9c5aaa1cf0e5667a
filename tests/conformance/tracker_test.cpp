// Random requests to a DagTracker in every mode, against the model of the unit tests; and of the same requests the same
// state, byte for byte, wherever the pit runs, through rests that a timer ends and through restored states.
#include "tests/conformance/mounted.hpp"
#include "tests/support/samples.hpp"
#include "tests/unit/dag_tracker/random_run.hpp"

namespace symphony {
namespace {

namespace tracker_runs = pit::tracker::testing;

// A mounted pit that begins each run with an empty state.
class TrackerRuns {
 public:
  explicit TrackerRuns(Mode mode) : pit_(mode, "dag_tracker", symphony_pit_dag_tracker()) {
    EXPECT_TRUE(pit_.conductor->snapshot("dag_tracker", empty_).ok());
  }
  // The state after it; fails the test where pit and model part.
  std::vector<std::byte> run(std::uint64_t seed) {
    constexpr TimeNs first_ns = 1'000'000;
    EXPECT_TRUE(pit_.conductor->feed("dag_tracker", 1, first_ns).ok());
    EXPECT_TRUE(pit_.conductor->restore("dag_tracker", empty_).ok());
    PitState state;
    tracker_runs::TrackerSurroundings around;
    around.call = [this](std::uint32_t type, std::span<const std::byte> body) {
      const Reply reply = pit_.caller.call(type, body);
      return tracker_runs::TrackerSaid(static_cast<std::int32_t>(reply.status), reply.type, reply.body);
    };
    around.feed = [this](std::uint64_t now_ns) {
      return std::string(pit_.conductor->feed("dag_tracker", 1, static_cast<TimeNs>(now_ns)).text);
    };
    around.swap = [&]() -> std::string {
      if (!pit_.conductor->snapshot("dag_tracker", state).ok()) return "the snapshot";
      return std::string(pit_.conductor->restore("dag_tracker", state).text);
    };
    tracker_runs::TrackerRun random(around);
    EXPECT_EQ(random.run(tracker_runs::operations(seed)), "") << "SYMPHONY_SEED " << seed;
    EXPECT_TRUE(pit_.conductor->snapshot("dag_tracker", state).ok());
    return {state.bytes.begin(), state.bytes.end()};
  }

 private:
  Mounted pit_;
  PitState empty_;
};

TEST(TrackerModes, RandomRequestsFollowTheRulesAndLeaveTheSameBytesInEveryMode) {
  const std::uint64_t seed = test_run::seed();
  const std::uint64_t runs = test_run::samples(60);
  std::vector<std::vector<std::byte>> states;
  for (const Mode mode : modes_built()) {
    SCOPED_TRACE(to_string(mode));
    TrackerRuns pit(mode);
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
