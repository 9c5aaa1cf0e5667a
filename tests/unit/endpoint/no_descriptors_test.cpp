// An attach for which a side has no descriptor left. What could go wrong: the message is lost with its descriptors,
// nobody answers it, and the link waits for an epoch that nobody goes on with.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "bus/endpoint/service_core.hpp"
#include "tests/unit/endpoint/fake_broker.hpp"

namespace symphony::detail {
namespace {

using namespace control;

// While it lives this process can have no other descriptor; those that it has stay.
class NoneLeft {
 public:
  // The first four are taken; poll() of more than `limit` is turned away.
  explicit NoneLeft(rlim_t limit = 4) {
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
    const rlimit none{limit, before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  }
  ~NoneLeft() { EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before_), 0); }
  NoneLeft(const NoneLeft&) = delete;
  NoneLeft& operator=(const NoneLeft&) = delete;

 private:
  rlimit before_{};
};

TEST(NoDescriptors, OfACallerForTheNextEpochAreToldAndItsCallsEndWithTheReason) {
  FakeBroker broker;
  const UniqueFd pit_process = this_process();
  Endpoint endpoint = broker.endpoint();
  for (const bool for_own : {true, false}) {
    const LinkId number = for_own ? 11 : 12;
    auto [link, pit] = broker.open(endpoint, number, pit_process.get());
    const CallId id = link.try_start(5, bytes_of("x"), {.timeout_ns = 60 * second_ns, .effect = Effect::read}).value();
    broker.say(Drop{pit->attached->at, false});
    const std::uint64_t correlation = broker.expect<Open>().correlation;
    MadeEpoch next({1, number, 2}, correlation);
    const UniqueFd pit_segment = reopen_read_only(next.segments.pit.get()).value();
    if (!for_own) {
      broker.say(next.own, {next.segments.caller.get()});
      EXPECT_EQ(broker.expect<Mapped>().at, next.own.at);
      next.seal();
    }
    {
      const NoneLeft none;
      if (for_own) {
        broker.say(next.own, {next.segments.caller.get()});
      } else {
        broker.say(Peer{next.own.at}, {pit_segment.get(), pit_process.get()});
      }
      const auto failed = broker.expect<MapFailed>();
      EXPECT_EQ(failed.at, next.own.at);
      EXPECT_TRUE(failed.lacks_descriptors());
    }
    broker.say(Refused{correlation, number, errc::out_of_descriptors, "the caller has no file descriptor left"});
    const Reply ended = link.wait(id);
    EXPECT_EQ(ended.status, status::unreachable);
    EXPECT_EQ(ended.text, "the caller has no file descriptor left");
    link = Link();
    (void)broker.expect<Close>();
  }
}

TEST(NoDescriptors, OfAPitForALinkAreToldAndItGoesOn) {
  FakeBroker broker;
  const Service service = Service::adopt(std::move(broker.theirs), {.name = "pit", .version = "1"}).value();
  (void)broker.expect<PitReady>();
  MadeEpoch first({1, 11, 1}), second({1, 12, 1});
  broker.say(second.own, {second.segments.pit.get()});
  EXPECT_EQ(broker.expect<Mapped>().at, second.own.at);
  second.seal();
  const UniqueFd caller_segment = reopen_read_only(second.segments.caller.get()).value();
  {
    const NoneLeft none;
    broker.say(first.own, {first.segments.pit.get()});
    EXPECT_TRUE(broker.expect<MapFailed>().lacks_descriptors());
    broker.say(Peer{second.own.at}, {caller_segment.get()});
    const auto failed = broker.expect<MapFailed>();
    EXPECT_EQ(failed.at, second.own.at);
    EXPECT_TRUE(failed.lacks_descriptors());
  }
  MadeEpoch third({1, 13, 1});
  broker.say(third.own, {third.segments.pit.get()});
  EXPECT_EQ(broker.expect<Mapped>().at, third.own.at) << "there is room again";
}

// What could go wrong: the thread that hears the broker ends at the first look that the limit turns away, and the pit
// neither attaches nor stops ever again.
TEST(NoDescriptors, OfALimitOfNoneAPitGoesOnHearingItsBroker) {
  FakeBroker broker;
  const Service service = Service::adopt(std::move(broker.theirs), {.name = "pit", .version = "1"}).value();
  (void)broker.expect<PitReady>();
  for (const LinkId link : {LinkId{11}, LinkId{12}}) {
    const MadeEpoch made({1, link, 1});
    const NoneLeft none(0);
    broker.say(made.own, {made.segments.pit.get()});
    // Nor can this side wait with poll().
    std::optional<Received> got;
    for (const TimeNs give_up = FakeBroker::deadline(); !got && now_ns() < give_up;) {
      got = broker.mine.receive(FdPolicy::refuse).value();
    }
    ASSERT_TRUE(got) << "the pit hears nothing any more, at link " << link;
    ASSERT_TRUE(std::holds_alternative<MapFailed>(got->message));
    EXPECT_TRUE(std::get<MapFailed>(got->message).lacks_descriptors());
  }
  MadeEpoch last({1, 13, 1});
  broker.say(last.own, {last.segments.pit.get()});
  EXPECT_EQ(broker.expect<Mapped>().at, last.own.at) << "there is room again";
}

}  // namespace
}  // namespace symphony::detail
