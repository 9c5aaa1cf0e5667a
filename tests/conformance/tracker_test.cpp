// Random requests to a DagTracker in every mode, against the model of the unit tests; through rests that a timer ends
// and through restored states.
#include "tests/conformance/random_modes.hpp"
#include "tests/unit/dag_tracker/random_run.hpp"

namespace symphony {
namespace {

TEST(TrackerModes, RandomRequestsFollowTheRulesAndLeaveTheSameBytesInEveryMode) {
  namespace runs = pit::tracker::testing;
  expect_same_bytes_in_every_mode("dag_tracker", symphony_pit_dag_tracker(), test_run::samples(60),
                                  [](RandomPit& pit, const std::vector<test_run::Op>& operations) {
                                    runs::TrackerSurroundings around;
                                    around.call = [&](std::uint32_t type, std::span<const std::byte> body) {
                                      const Reply reply = pit.call(type, body);
                                      return runs::TrackerSaid(static_cast<std::int32_t>(reply.status), reply.type,
                                                               reply.body);
                                    };
                                    around.feed = [&](std::uint64_t now_ns) { return pit.feed(now_ns); };
                                    around.swap = [&] { return pit.swap(); };
                                    return runs::TrackerRun(around).run(operations);
                                  });
}

}  // namespace
}  // namespace symphony
