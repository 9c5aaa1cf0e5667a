// Each mode to each other and to itself. What could go wrong: a call is lost or runs twice, a caller stays behind, part
// of the state does not go along, the old instance is left.
#include <algorithm>

#include "tests/support/samples.hpp"
#include "tests/swap/swapped.hpp"

#include "dag_tracker_generated.h"

SYMPHONY_DECLARE_PIT(dag_tracker);

namespace symphony {
namespace {

class EveryPair : public testing::TestWithParam<std::pair<Mode, Mode>> {};
std::vector<std::pair<Mode, Mode>> pairs() {
  std::vector<std::pair<Mode, Mode>> out;
  for (const Mode from : swap_modes()) {
    for (const Mode to : swap_modes()) out.emplace_back(from, to);
  }
  return out;
}
INSTANTIATE_TEST_SUITE_P(Swap, EveryPair, testing::ValuesIn(pairs()), [](const auto& of) {
  return std::string(to_string(of.param.first)) + "_to_" + std::string(to_string(of.param.second));
});

TEST_P(EveryPair, LosesAndDoublesNothingWhileThreadsCall) {
  const auto [from, to] = GetParam();
  Swapped pits;
  pits.mount(from);
  Load load(*pits.conductor, 2, 2);
  ASSERT_TRUE(load.moves());
  const SwapReport report = pits.conductor->swap("ledger", pits.in(to), no_probation);
  ASSERT_TRUE(report.ok()) << to_string(report.step) << ": " << report.text;
  EXPECT_EQ(report.text, "");
  EXPECT_GT(report.pause_ns, 0);
  EXPECT_GE(report.pause_ns, report.cut_ns + report.transfer_ns + report.restore_ns);
  EXPECT_TRUE(load.moves());
  load.expect_exact();
  if (from == Mode::process) {
    EXPECT_EQ(pits.state_of_process("a"), "stopped") << "the old process is gone";
  }
}

TEST_P(EveryPair, TakesAGraphOfDagTrackerAlongByteForByte) {
  const auto [from, to] = GetParam();
  Swapped pits("dag_tracker", symphony_pit_dag_tracker());
  pits.mount(from);
  Caller caller = pits.open();
  flatbuffers::FlatBufferBuilder b;
  ASSERT_TRUE(call<dag::GraphInfo>(caller, b, dag::CreateCreateGraph(b)));
  const std::vector<flatbuffers::Offset<flatbuffers::String>> names(500, b.CreateString(std::string(40, 'n')));
  ASSERT_TRUE(call<dag::Added>(caller, b, dag::CreateAddTasks(b, 1, b.CreateVector(names))));
  PitState before, after;
  ASSERT_TRUE(pits.conductor->snapshot("dag_tracker", before).ok());
  SwapOptions rehearsed = no_probation;
  rehearsed.rehearse = true;
  const SwapReport report = pits.conductor->swap("dag_tracker", pits.in(to), rehearsed);
  ASSERT_TRUE(report.ok()) << to_string(report.step) << ": " << report.text;
  EXPECT_EQ(report.state_size, before.bytes.size());
  EXPECT_GT(report.rehearse_ns, 0);
  ASSERT_TRUE(pits.conductor->snapshot("dag_tracker", after).ok());
  EXPECT_EQ(after.bytes, before.bytes);
  EXPECT_TRUE(
      call<dag::Added>(caller, b, dag::CreateAddTasks(b, 1, b.CreateVector(std::vector{b.CreateString("more")}))))
      << "the caller that was open followed";
}

TEST(Swap, GoesRoundAllModesAgainAndAgainUnderLoad) {
  Swapped pits;
  pits.mount(Mode::static_);
  Load load(*pits.conductor, 2, 2);
  std::vector<Mode> cycle = swap_modes();
  std::rotate(cycle.begin(), cycle.begin() + 1, cycle.end());  // static comes last
  const std::uint64_t rounds = std::max<std::uint64_t>(2, test_run::samples(10));
  for (std::uint64_t round = 0; round < rounds; ++round) {
    for (const Mode to : cycle) {
      const SwapReport report = pits.conductor->swap("ledger", pits.in(to), no_probation);
      ASSERT_TRUE(report.ok()) << to_string(report.step) << ": " << report.text;
    }
  }
  EXPECT_TRUE(load.moves());
  load.expect_exact();
}

}  // namespace
}  // namespace symphony
