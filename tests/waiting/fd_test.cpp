// What could go wrong: a program that waits in epoll sleeps on although its reply is there or its pit is dead.
#include <sys/epoll.h>

#include <thread>

#include "tests/e2e/bus_fixture.hpp"
#include "tests/support/samples.hpp"

namespace symphony {
namespace {

struct FdTest : BusTest {
  void watch(Link& link) {
    fd = link.fd().value();
    epoll_event event{};
    event.events = EPOLLIN;
    ASSERT_EQ(::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event), 0);
  }
  // As an event loop does it.
  Reply wait(Link& link, CallId id) {
    for (;;) {
      if (auto reply = link.try_take(id)) return *std::move(reply);
      if (!link.arm_fd()) continue;
      epoll_event event{};
      if (::epoll_wait(epoll.get(), &event, 1, 60'000) != 1) return {.status = status::internal, .text = "asleep"};
      ++waits;
    }
  }
  bool is_readable() {
    epoll_event event{};
    return ::epoll_wait(epoll.get(), &event, 1, 0) == 1;
  }
  static CallId start_probe(Link& link, probe::Act act, std::uint32_t argument = 0) {
    flatbuffers::FlatBufferBuilder b;
    b.Finish(probe::CreateDo(b, act, argument));
    return link
        .try_start(type_id_of<probe::Do>, std::as_bytes(std::span(b.GetBufferPointer(), b.GetSize())),
                   {.timeout_ns = 120 * second_ns})
        .value();
  }
  UniqueFd epoll{::epoll_create1(EPOLL_CLOEXEC)};
  int fd = -1;
  std::uint64_t waits = 0;
};

TEST_F(FdTest, EpollWakesForEachReply) {
  Link link = open("probe", {.waiting = Waiting::sleep});
  watch(link);
  const std::uint64_t calls = test_run::samples(2000);
  for (std::uint64_t i = 0; i < calls; ++i) {
    ASSERT_EQ(wait(link, start_probe(link, probe::Act::NOTHING)).status, status::ok) << i;
  }
  const LinkCounters counters = link.counters();
  EXPECT_GT(waits, 0u) << "every reply was there before the wait: nothing was shown";
  EXPECT_EQ(counters.timeouts_with_data, 0u) << "nobody rang: the descriptor came at the bound only";
  std::printf("%llu waits, %llu at the bound\n", static_cast<unsigned long long>(waits),
              static_cast<unsigned long long>(counters.timeouts));
}

TEST_F(FdTest, TheDeathOfThePitMakesItReadable) {
  Link link = open("probe");
  watch(link);
  const CallId id = start_probe(link, probe::Act::DIE);  // in its handler, so that it surely began
  EXPECT_EQ(wait(link, id).status, status::crashed);
  EXPECT_GT(waits, 0u) << "not waited at all: nothing was shown";
  EXPECT_EQ(wait(link, start_probe(link, probe::Act::NOTHING)).status, status::ok) << "the next instance";
  EXPECT_EQ(link.counters().timeouts_with_data, 0u);
}

TEST_F(FdTest, IsNeverReadableUnlessArmedAndArmedOnlyWhileSomethingIsUnderWay) {
  Link link = open("probe");
  watch(link);
  EXPECT_FALSE(link.arm_fd()) << "no call is under way";
  for (int i = 0; i < 50; ++i) {
    const CallId id = start_probe(link, probe::Act::NOTHING);
    EXPECT_EQ(link.wait(id).status, status::ok);
    EXPECT_FALSE(is_readable());
  }
  const CallId id = start_probe(link, probe::Act::NOTHING);
  while (link.arm_fd()) {
    epoll_event event{};
    ASSERT_EQ(::epoll_wait(epoll.get(), &event, 1, 60'000), 1);
  }
  EXPECT_FALSE(link.arm_fd()) << "an ending waits to be taken";
  EXPECT_TRUE(link.try_take(id));
  EXPECT_FALSE(is_readable()) << "taking it ended the wait";
}

TEST_F(FdTest, ADeadlineMakesItReadable) {
  Link link = open("probe");
  watch(link);
  flatbuffers::FlatBufferBuilder b;
  b.Finish(probe::CreateDo(b, probe::Act::HANG, 300));
  const auto body = std::as_bytes(std::span(b.GetBufferPointer(), b.GetSize()));
  const CallId id = link.try_start(type_id_of<probe::Do>, body, {.timeout_ns = 20 * ms_ns}).value();
  EXPECT_EQ(wait(link, id).status, status::deadline);
}

TEST_F(BusTest, AManifestsPlacementAndWaitingReachThePit) {
  endpoint.reset();
  broker.reset();
  PitConfig near = pit_config("greeter");
  near.placement = Placement::same_core;
  near.waiting = Waiting::sleep;
  start({near});
  Link link = open("greeter", {.waiting = Waiting::sleep});
  const pid_t pid = broker->pit_pid("greeter").value();
  EXPECT_TRUE(comes_true([&] {
    cpu_set_t set;
    return greet(link, "x") && ::sched_getaffinity(pid, sizeof set, &set) == 0 && CPU_COUNT(&set) == 1;
  }));
}

}  // namespace
}  // namespace symphony
