// A process pit that is swapped while it serves, in truth: calls go on, and each has happened once.
#include <algorithm>
#include <random>
#include <thread>

#include <symphony/operator.hpp>

#include "bench/support/figure.hpp"
#include "ledger_generated.h"
#include "tests/e2e/counter.hpp"
#include "tests/support/samples.hpp"

namespace symphony {
namespace {

struct SwapTest : BusTest {
  void SetUp() override {}
  void start_counter(Durability durability) {
    start({counter(durability)});
    link.emplace(open("counter"));
    ops.emplace(Operator::adopt(broker->connect().value()).value());
  }
  OperatorAnswer swap(const std::string& file = {}, TimeNs pause_ns = 0) {
    return ops->swap("counter", file, 60 * second_ns, pause_ns);
  }
  std::optional<Link> link;
  std::optional<Operator> ops;
};

TEST_F(SwapTest, HandsOnTheStateWhateverItsDurabilityIs) {
  for (const Durability durability : {Durability::none, Durability::snapshot, Durability::journal}) {
    SCOPED_TRACE(name_of(durability));
    start_counter(durability);
    for (std::uint64_t i = 1; i <= 10; ++i) ASSERT_EQ(count_in(ask(*link)), i);
    for (std::uint64_t i = 11; i <= 13; ++i) {
      const OperatorAnswer answer = swap();
      ASSERT_TRUE(answer.ok()) << answer.text;
      EXPECT_EQ(answer.pit.info.state, "ready");
      EXPECT_EQ(count_in(ask(*link)), i);
    }
    EXPECT_EQ(broker->status().size(), 1u);
    link.reset();
    ops.reset();
    endpoint.reset();
    broker.reset();
  }
}

TEST_F(SwapTest, ThatCannotBeLeavesThePitAsItWas) {
  start_counter(Durability::none);
  ASSERT_EQ(count_in(ask(*link)), 1u);
  const pid_t before = broker->status().at(0).pid;
  std::uint64_t count = 1;
  for (const std::string& file : {program("../pits/greeter.so"), std::string("/etc/passwd"), std::string("/nowhere")}) {
    const OperatorAnswer answer = swap(file);
    EXPECT_FALSE(answer.ok());
    EXPECT_NE(answer.text.find("goes on as it was"), std::string::npos) << answer.text;
    EXPECT_EQ(count_in(ask(*link)), ++count);
  }
  EXPECT_EQ(broker->status().at(0).pid, before);
  // And what failed is in nobody's way.
  EXPECT_TRUE(swap().ok());
  EXPECT_EQ(count_in(ask(*link)), ++count);
}

TEST_F(SwapTest, ThatIsRehearsedIsTriedWithACopyFirstAndNobodyNoticesOneThatFails) {
  const std::string forgets = program("../tests/pits/counter_forgets.so");
  const std::string next_revision = program("../tests/pits/counter_2_from_1.so");
  for (const Durability durability : {Durability::none, Durability::snapshot, Durability::journal}) {
    SCOPED_TRACE(name_of(durability));
    start_counter(durability);
    for (std::uint64_t i = 1; i <= 10; ++i) ASSERT_EQ(count_in(ask(*link)), i);
    const PitInfo before = broker->status().at(0);
    const std::uint64_t epoch = link->epoch();
    const OperatorAnswer no = ops->swap("counter", forgets, 60 * second_ns, 0, 0, true);
    EXPECT_EQ(no.code, errc::refused) << no.text;
    EXPECT_NE(no.text.find("restored, its state is another: of 8 and 8 bytes, which differ from byte 0 on"),
              std::string::npos)
        << no.text;
    EXPECT_EQ(broker->status().at(0).pid, before.pid);
    EXPECT_EQ(count_in(ask(*link)), 11u);
    EXPECT_EQ(link->epoch(), epoch) << "it was never stopped";
    for (const std::string& file : {std::string(), next_revision}) {
      const OperatorAnswer yes = ops->swap("counter", file, 60 * second_ns, 0, 0, true);
      ASSERT_TRUE(yes.ok()) << yes.text;
      EXPECT_GT(yes.rehearsed_ns, 0);
      EXPECT_GT(yes.pause_ns, 0);
      EXPECT_EQ(count_in(ask(*link)), file.empty() ? 12u : 13u);
    }
    link.reset();
    ops.reset();
    endpoint.reset();
    broker.reset();
  }
}

// What could go wrong: the copy is of a state in the middle of a message, or writing it costs a call.
TEST_F(SwapTest, ThatIsRehearsedUnderLoadLosesNothingWhetherItFailsOrNot) {
  start_counter(Durability::journal);
  History history;
  Callers callers(*this, 2, history);
  const std::string forgets = program("../tests/pits/counter_forgets.so");
  for (std::uint64_t n = 0; n < test_run::samples(20); ++n) {
    const std::uint64_t until = history.made + 200;
    ASSERT_TRUE(comes_true([&] { return history.made >= until; }));
    const bool is_good = n % 2 == 1;
    const OperatorAnswer answer = ops->swap("counter", is_good ? std::string() : forgets, 30 * second_ns, 0, 0, true);
    EXPECT_EQ(answer.ok(), is_good) << answer.text;
  }
  callers.join();
  history.expect_nothing_lost_or_done_twice(count_in(ask(*link)).value());
  EXPECT_EQ(history.may_have_run, 0u);
}

// A request that the pit left for later.
struct Deferred {
  Deferred(Link& link, Link& other) : link_(link), other_(other) {
    flatbuffers::FlatBufferBuilder b;
    b.Finish(ledger::CreateDo(b, ledger::Act::LATER));
    id = link_.try_start(type_id_of<ledger::Do>, bytes_of(b), {.timeout_ns = 120 * second_ns}).value();
    EXPECT_TRUE(act(ledger::Act::ADD)) << "both links are served: it was taken";
  }
  TypedReply<ledger::Done> act(ledger::Act what) {
    flatbuffers::FlatBufferBuilder b;
    return call<ledger::Done>(other_, b, ledger::CreateDo(b, what, 0, what == ledger::Act::ADD ? ++number_ : 0),
                              {.timeout_ns = 120 * second_ns});
  }
  static std::span<const std::byte> bytes_of(const flatbuffers::FlatBufferBuilder& b) {
    return std::as_bytes(std::span(b.GetBufferPointer(), b.GetSize()));
  }
  CallId id = 0;

 private:
  Link& link_;
  Link& other_;
  std::uint64_t number_ = 0;
};

TEST_F(SwapTest, ARequestThatWaitsForALaterAnswerGoesAlongWithAStateThatIsKept) {
  PitConfig config = pit_config("ledger");
  config.state.durability = Durability::journal;
  start({config});
  ops.emplace(Operator::adopt(broker->connect().value()).value());
  Link waits = open("ledger"), other = open("ledger");
  Deferred later(waits, other);
  const OperatorAnswer answer = ops->swap("ledger", {}, 60 * second_ns, 30 * second_ns);
  ASSERT_TRUE(answer.ok()) << answer.text;
  EXPECT_TRUE(later.act(ledger::Act::ADD)) << "the state went along";
  EXPECT_TRUE(later.act(ledger::Act::END));
  const Reply reply = waits.wait(later.id);
  EXPECT_TRUE(reply.ok()) << reply.status << " " << reply.text;
}

TEST_F(SwapTest, ARequestThatWaitsForALaterAnswerIsWaitedForWhereNothingIsKept) {
  start({pit_config("ledger")});
  ops.emplace(Operator::adopt(broker->connect().value()).value());
  Link waits = open("ledger"), other = open("ledger");
  Deferred later(waits, other);
  const OperatorAnswer busy = ops->swap("ledger", {}, 60 * second_ns, 100 * ms_ns);
  EXPECT_EQ(busy.code, errc::busy);
  EXPECT_NE(busy.text.find("goes on as it was"), std::string::npos) << busy.text;
  EXPECT_TRUE(later.act(ledger::Act::END));
  EXPECT_TRUE(waits.wait(later.id).ok());
  EXPECT_TRUE(ops->swap("ledger", {}, 60 * second_ns, 30 * second_ns).ok());
  EXPECT_TRUE(later.act(ledger::Act::ADD)) << "the state went along";
}

// While callers call without a break; a `once` call is answered too: nothing is being executed at the cut.
TEST_F(SwapTest, UnderLoadLosesNothingAndDoesNothingTwice) {
  start_counter(Durability::none);
  History history;
  Callers callers(*this, 3, history);
  std::mt19937_64 random(test_run::seed());
  const std::uint64_t wanted = test_run::samples(100);
  std::vector<TimeNs> pauses;
  for (std::uint64_t n = 0; n < wanted; ++n) {
    const std::uint64_t until = history.made + random() % 1500;
    ASSERT_TRUE(comes_true([&] { return history.made >= until; }));
    const OperatorAnswer answer = swap({}, 30 * second_ns);
    ASSERT_TRUE(answer.ok()) << answer.text;
    pauses.push_back(answer.pause_ns);
  }
  callers.join();
  history.expect_nothing_lost_or_done_twice(count_in(ask(*link)).value());
  EXPECT_EQ(history.may_have_run, 0u);
  std::sort(pauses.begin(), pauses.end());
  const auto ms = [&](std::size_t of_100) {
    return static_cast<double>(pauses[(pauses.size() - 1) * of_100 / 100]) / static_cast<double>(ms_ns);
  };
  std::printf("%zu swaps under %llu calls: pause p50 %.2f ms, p99 %.2f ms\n", pauses.size(),
              static_cast<unsigned long long>(history.messages), ms(50), ms(99));
  bench::Figure figure;
  figure.name = "bus.swap_pause_ms_p50";
  figure.value = ms(50);
  figure.unit = "ms";
  figure.n = pauses.size();
  figure.note = "a process pit's swap under the load of 3 callers, from Freeze to the last link's Go";
  EXPECT_TRUE(bench::write_figure(figure).has_value());
  figure.name = "bus.swap_pause_ms_p99";
  figure.value = ms(99);
  EXPECT_TRUE(bench::write_figure(figure).has_value());
}

}  // namespace
}  // namespace symphony
