// A pit's two threads against a broker made by hand. What could go wrong: the broker hears READY while requests of the
// epoch before are still handled; the thread that serves waits for a broker that does not read.
#include "bus/endpoint/service_core.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <optional>
#include <semaphore>
#include <thread>

#include "tests/unit/endpoint/fake_broker.hpp"

namespace symphony::detail {
namespace {

using namespace control;

struct Echo final : RequestHandler {
  void on_request(const Request& request, ReplyWriter& reply) noexcept override {
    if (during) during();
    const auto bytes = reply.claim(static_cast<std::uint32_t>(request.body.size()));
    std::copy(request.body.begin(), request.body.end(), bytes.begin());
    reply.commit(static_cast<std::uint32_t>(bytes.size()), 9);
  }
  Freezing freeze(UniqueFd&, std::string& why) override {
    ++asked;
    why = "because";
    return says;
  }
  void thaw() noexcept override { ++thawed; }
  std::function<void()> during;
  std::atomic<Freezing> says{Freezing::frozen};
  std::atomic<int> asked{0}, thawed{0};
};

struct ServiceCoreTest : testing::Test {
  void SetUp() override {
    service.emplace(Service::adopt(std::move(broker.theirs), {.name = "pit", .version = "1"}).value());
    (void)broker.expect<PitReady>();
  }
  void run() {
    thread = std::thread([this] { service->run(handler); });
  }
  void TearDown() override {
    service->stop();
    if (thread.joinable()) thread.join();
  }
  // Up to the pit's mapping of the caller's segment; READY is the test's to wait for.
  std::unique_ptr<Attached> begin_attach(const Attachment& at) {
    MadeEpoch made(at);
    auto caller = made.map(Side::caller);
    broker.say(made.own, {made.segments.pit.get()});
    EXPECT_EQ(broker.expect<Mapped>().at, at);
    made.seal();
    const UniqueFd caller_segment = reopen_read_only(made.segments.caller.get()).value();
    broker.say(Peer{at}, {caller_segment.get()});
    made.map_other(*caller, Side::caller);
    return caller;
  }
  LinkCore link(std::unique_ptr<Attached> attached) {
    return {
        std::make_shared<FakeControl>(), std::make_shared<LinkMailbox>(), std::move(attached), {.in_flight_max = 16}};
  }
  FakeBroker broker;
  Echo handler;
  std::optional<Service> service;
  std::thread thread;
};

TEST_F(ServiceCoreTest, SaysReadyForTheNextEpochOfALinkOnlyWhenItHasLeftTheOneBefore) {
  std::binary_semaphore begun(0), go_on(0);
  handler.during = [&] {
    begun.release();
    go_on.acquire();
  };
  run();
  auto first = begin_attach({1, 7, 1});
  EXPECT_EQ(broker.expect<Ready>().at.epoch, 1U);
  LinkCore caller = link(std::move(first));
  const CallId id = caller.try_start(5, bytes_of("x"), {.timeout_ns = 60 * second_ns}).value();
  begun.acquire();  // it is being handled
  const auto second = begin_attach({1, 7, 2});
  // The control thread has heard all of that when it answers this; a READY said too early would come before it.
  const MadeEpoch other({1, 8, 3});
  broker.say(other.own, {other.segments.pit.get()});
  EXPECT_EQ(broker.expect<Mapped>().at.link, 8U);
  go_on.release();
  EXPECT_EQ(broker.expect<Ready>().at.epoch, 2U);
  EXPECT_TRUE(caller.wait(id).ok()) << "what was begun before is whole";
}

// What could go wrong: half an attach of a broker that died stays mapped, because the next one's Drop has its
// generation.
TEST_F(ServiceCoreTest, ForgetsHalfAnAttachWhenTheNextBrokerSaysSo) {
  run();
  MadeEpoch made({1, 7, 1});
  broker.say(made.own, {made.segments.pit.get()});
  EXPECT_EQ(broker.expect<Mapped>().at.epoch, 1U);
  made.seal();
  broker.say(Drop{{2, 7, 1}, false});
  EXPECT_EQ(broker.expect<Drained>().at.epoch, 1U);
  const UniqueFd caller_segment = reopen_read_only(made.segments.caller.get()).value();
  broker.say(Peer{{1, 7, 1}}, {caller_segment.get()});  // would be answered, were it still there
  const auto attached = begin_attach({2, 8, 2});
  EXPECT_EQ(broker.expect<Ready>().at.link, 8U);
}

TEST_F(ServiceCoreTest, ServesWhileTheBrokerReadsNothingAndTellsItLater) {
  run();
  auto attached = begin_attach({1, 7, 1});
  EXPECT_EQ(broker.expect<Ready>().at.epoch, 1U);
  // Each is answered: more answers than any socket takes.
  constexpr std::uint64_t drops = Outbox::messages_max / 2;
  for (std::uint64_t i = 0; i < drops; ++i) broker.say(Drop{{1, 100 + i, 1}, true});
  LinkCore caller = link(std::move(attached));
  const Reply reply = caller.call(5, bytes_of("x"), {.timeout_ns = 60 * second_ns});
  EXPECT_EQ(text_of(reply), "x");
  for (std::uint64_t i = 0; i < drops; ++i) ASSERT_EQ(broker.expect<Drained>().at.link, 100 + i);
}

TEST_F(ServiceCoreTest, EndsWhenTheBrokerNeverReadsAndItsQueueIsFull) {
  run();
  std::uint64_t said = 0;
  // Far more than the sockets hold; the pit hangs up somewhere in between, sooner or later.
  constexpr std::uint64_t never = 100 * Outbox::messages_max;
  while (said < never && broker.mine.wait_send(Drop{{1, said, 1}, true}, {}, FakeBroker::deadline())) {
    ++said;
  }
  EXPECT_GE(said, Outbox::messages_max);
  EXPECT_LT(said, never);
  thread.join();  // run() has ended by itself
}

// ---- while another process is to take over

struct FreezeTest : ServiceCoreTest {
  void SetUp() override {
    ServiceCoreTest::SetUp();
    run();
    auto attached = begin_attach({1, 7, 1});
    EXPECT_EQ(broker.expect<Ready>().at.epoch, 1U);
    caller.reset(new LinkCore(link(std::move(attached))));
    EXPECT_TRUE(caller->call(5, bytes_of("x"), {.timeout_ns = 60 * second_ns}).ok());
  }
  void freeze(std::uint32_t number, TimeNs time_ns = 60 * second_ns) { broker.say(Freeze{number, now_ns() + time_ns}); }
  std::unique_ptr<LinkCore> caller;
};

TEST_F(FreezeTest, WhatComesWhileItStandsStillWaitsForTheThaw) {
  freeze(3);
  const auto frozen = broker.expect<Frozen>();
  EXPECT_EQ(frozen.number, 3U);
  EXPECT_EQ(frozen.code, code_done);
  std::atomic<int> handled{0};
  handler.during = [&] { ++handled; };
  const CallId id = caller->try_start(5, bytes_of("y"), {.timeout_ns = 60 * second_ns}).value();
  auto next = begin_attach({1, 8, 2});
  broker.say(Drop{{1, 9, 9}, true});
  // What its control thread answers comes; what is the data thread's to do does not.
  const MadeEpoch other({1, 10, 3});
  broker.say(other.own, {other.segments.pit.get()});
  EXPECT_EQ(broker.expect<Mapped>().at.link, 10U);
  EXPECT_EQ(handled, 0);
  broker.say(Thaw{3});
  EXPECT_EQ(broker.expect<Ready>().at.link, 8U) << "in order";
  EXPECT_EQ(broker.expect<Drained>().at.link, 9U);
  EXPECT_TRUE(caller->wait(id).ok());
  EXPECT_EQ(handler.thawed, 1);
}

TEST_F(FreezeTest, WhatHasToSettleHoldsItUpUntilItsDeadlineAndThePitGoesOn) {
  handler.says = Freezing::settles;
  freeze(4, 50 * ms_ns);
  const auto frozen = broker.expect<Frozen>();
  EXPECT_EQ(frozen.code, errc::busy);
  EXPECT_EQ(frozen.text, "because");
  EXPECT_GT(handler.asked, 1) << "it is asked again";
  EXPECT_TRUE(caller->call(5, bytes_of("z"), {.timeout_ns = 60 * second_ns}).ok());
  freeze(5);
  while (handler.asked < 100) std::this_thread::yield();
  handler.says = Freezing::frozen;
  EXPECT_EQ(broker.expect<Frozen>().code, code_done) << "it has settled";
}

TEST_F(FreezeTest, AFailureIsSaidAndThePitGoesOn) {
  handler.says = Freezing::failed;
  freeze(6);
  const auto frozen = broker.expect<Frozen>();
  EXPECT_EQ(frozen.code, errc::refused);
  EXPECT_EQ(frozen.text, "because");
  EXPECT_TRUE(caller->call(5, bytes_of("z"), {.timeout_ns = 60 * second_ns}).ok());
}

TEST_F(FreezeTest, AThawThatNobodyAskedForChangesNothingAndAStopEndsOneThatStandsStill) {
  broker.say(Thaw{1});
  EXPECT_TRUE(caller->call(5, bytes_of("z"), {.timeout_ns = 60 * second_ns}).ok());
  freeze(7);
  EXPECT_EQ(broker.expect<Frozen>().number, 7U);
  broker.say(Stop{});
  thread.join();
}

}  // namespace
}  // namespace symphony::detail
