// A new build that proves bad soon after a swap, in truth: the pit goes on from the build before, and its callers see
// a pause.
#include <signal.h>

#include <thread>

#include <symphony/operator.hpp>

#include "tests/e2e/counter.hpp"

namespace symphony {
namespace {

struct ProbationTest : BusTest {
  void SetUp() override {}
  void start_counter(Durability durability) {
    PitConfig config = counter(durability);
    config.restart.backoff_first_ns = config.restart.backoff_max_ns = ms_ns;
    start({config});
    ops.emplace(Operator::adopt(broker->connect().value()).value());
  }
  OperatorAnswer swap(const char* pit, TimeNs probation_ns) {
    return ops->swap("counter", program("../tests/pits/") + pit + ".so", 120 * second_ns, 30 * second_ns, probation_ns);
  }
  std::string file() { return ops->show("counter").pit.arguments; }
  std::optional<Operator> ops;
};

// counter_bad dies of its 501st message, each time it is started.
TEST_F(ProbationTest, ABuildThatDiesUnderLoadGivesWayToTheOneBeforeAndNothingIsLostOrDoneTwice) {
  start_counter(Durability::journal);
  History history;
  Callers callers(*this, 3, history);
  ASSERT_TRUE(comes_true([&] { return history.made >= 500; }));
  const OperatorAnswer answer = swap("counter_bad", 100 * second_ns);
  EXPECT_EQ(answer.code, errc::closed) << answer.text;
  EXPECT_NE(answer.text.find("died on probation"), std::string::npos) << answer.text;
  EXPECT_NE(answer.text.find("counter_1.so, with what it keeps"), std::string::npos) << answer.text;
  const std::uint64_t then = history.made;
  ASSERT_TRUE(comes_true([&] { return history.made >= then + 2000; })) << "it serves, past what kills the new build";
  callers.join();
  Link link = open("counter");
  history.expect_nothing_lost_or_done_twice(count_in(ask(link)).value());
  EXPECT_LE(history.may_have_run, 1u) << "what was being executed when the new build died, if it was a once call";
  EXPECT_NE(file().find("counter_1.so"), std::string::npos) << file();
}

TEST_F(ProbationTest, ABuildThatLivesThroughItIsThereToStay) {
  start_counter(Durability::journal);
  Link link = open("counter");
  ASSERT_EQ(count_in(ask(link)), 1u);
  const OperatorAnswer answer = swap("counter_bad", 10 * ms_ns);
  ASSERT_TRUE(answer.ok()) << answer.text;
  const pid_t pid = broker->status().at(0).pid;
  ASSERT_EQ(count_in(ask(link)), 2u);
  ::kill(pid, SIGKILL);
  ASSERT_EQ(count_in(ask(link)), 3u);
  EXPECT_NE(broker->status().at(0).pid, pid);
  EXPECT_NE(file().find("counter_bad.so"), std::string::npos) << file();
}

TEST_F(ProbationTest, WithoutDurabilityTheBuildBeforeBeginsAnewAndTheOperatorIsToldSo) {
  start_counter(Durability::none);
  Link link = open("counter");
  ASSERT_EQ(count_in(ask(link)), 1u);
  OperatorAnswer answer;
  std::thread asks([&] { answer = swap("counter_bad", 100 * second_ns); });
  std::uint64_t count = 1;
  for (std::uint64_t last = 0; count > last;) last = count, count = count_in(ask(link)).value_or(0);
  asks.join();
  EXPECT_EQ(count, 1u);
  EXPECT_EQ(answer.code, errc::closed);
  EXPECT_NE(answer.text.find("it keeps none"), std::string::npos) << answer.text;
}

// Its state is of a revision that counter_1 cannot read: it is kept, and a build that can goes on with it.
TEST_F(ProbationTest, AStateThatOnlyTheNewBuildCanReadIsKeptForOneThatCan) {
  start_counter(Durability::journal);
  Link link = open("counter");
  ASSERT_EQ(count_in(ask(link)), 1u);
  OperatorAnswer answer;
  std::thread asks([&] { answer = swap("counter_bad_2", 100 * second_ns); });
  std::uint64_t last = 1;
  for (auto count = count_in(ask(link)); count; count = count_in(ask(link))) last = *count;
  asks.join();
  EXPECT_EQ(answer.code, errc::closed);
  const OperatorAnswer mended = swap("counter_2_from_1", 0);
  ASSERT_TRUE(mended.ok()) << mended.text;
  Link again = open("counter");
  const auto count = count_in(ask(again));
  ASSERT_TRUE(count);
  EXPECT_GT(*count, last);
}

}  // namespace
}  // namespace symphony
