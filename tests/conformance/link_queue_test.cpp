// The link that threads share when they can have none of their own, at its bounds: no room in the link, a full queue,
// a pit that is down.
#include "pits/hosting/process/link_queue.hpp"

#include <atomic>
#include <thread>

#include "tests/e2e/bus_fixture.hpp"

namespace symphony::pit {
namespace {

struct LinkQueueTest : BusTest {
  void make(const LinkOptions& options, std::int64_t waiting_max) {
    queue = std::make_shared<LinkQueue>(open("probe", options), waiting_max);
  }
  std::unique_ptr<Caller> place() const {
    std::unique_ptr<Caller> made;
    EXPECT_TRUE(LinkQueue::open(queue, made).ok());
    return made;
  }
  static Reply probe(Caller& caller, probe::Act act, std::uint32_t argument, TimeNs timeout_ns) {
    flatbuffers::FlatBufferBuilder b;
    b.Finish(probe::CreateDo(b, act, argument));
    return caller.call({.type = type_id_of<probe::Do>,
                        .body = std::as_bytes(std::span(b.GetBufferPointer(), b.GetSize())),
                        .deadline_ns = deadline_after(timeout_ns)});
  }
  std::shared_ptr<LinkQueue> queue;
};

TEST_F(LinkQueueTest, ACallForWhichTheLinkHasNoRoomEndsAtItsDeadlineAndOneMoreThanMayWaitIsRefused) {
  make({.in_flight_max = 1}, 1);
  const auto first = place(), second = place(), third = place();
  std::atomic<bool> done{false};
  std::atomic<int> late{0};
  std::thread hanging([&] {
    while (!done) (void)probe(*first, probe::Act::HANG, 200, 60 * second_ns);
  });
  std::thread waiting([&] {
    while (!done) late += probe(*second, probe::Act::NOTHING, 0, 50 * ms_ns).status == SYMPHONY_DEADLINE ? 1 : 0;
  });
  Reply refused;
  const TimeNs give_up_ns = deadline_after(60 * second_ns);
  while ((refused.status != SYMPHONY_OVERLOADED || late == 0) && now_ns() < give_up_ns) {
    refused = probe(*third, probe::Act::NOTHING, 0, 1 * ms_ns);
  }
  done = true;
  EXPECT_GT(late, 0);
  EXPECT_EQ(refused.status, SYMPHONY_OVERLOADED);
  EXPECT_NE(refused.text.find("threads_max"), std::string_view::npos);
  waiting.join();
  hanging.join();
  EXPECT_TRUE(probe(*third, probe::Act::NOTHING, 0, 60 * second_ns).ok());
}

TEST_F(LinkQueueTest, CallsOfAPitThatIsDownGoToTheNextInstance) {
  make({}, LinkQueue::default_waiting_max);
  const auto caller = place();
  EXPECT_EQ(probe(*caller, probe::Act::DIE, 0, 60 * second_ns).status, SYMPHONY_CRASHED);
  EXPECT_TRUE(probe(*caller, probe::Act::NOTHING, 0, 60 * second_ns).ok());
}

TEST_F(LinkQueueTest, AReplysBytesStayUntilTheSamePlacesNextCall) {
  make({}, LinkQueue::default_waiting_max);
  const auto a = place(), b = place();
  const Reply kept = probe(*a, probe::Act::BIG, 5'000, 60 * second_ns);
  const std::vector<std::byte> copy(kept.body.begin(), kept.body.end());
  for (std::uint32_t i = 0; i < 300; ++i) EXPECT_TRUE(probe(*b, probe::Act::BIG, i, 60 * second_ns).ok());
  EXPECT_TRUE(std::equal(copy.begin(), copy.end(), kept.body.begin(), kept.body.end()));
}

TEST_F(LinkQueueTest, WhenItsPitIsStoppedForGoodEachCallEndsWithTheReason) {
  make({}, LinkQueue::default_waiting_max);
  const auto caller = place();
  EXPECT_TRUE(probe(*caller, probe::Act::NOTHING, 0, 60 * second_ns).ok());
  broker.reset();
  const Reply reply = probe(*caller, probe::Act::NOTHING, 0, 60 * second_ns);
  EXPECT_FALSE(reply.ok());
  EXPECT_FALSE(reply.text.empty());
}

}  // namespace
}  // namespace symphony::pit
