// The linked-in mode as its users see it: mount, open links, call from many threads, move the state.
#include "pits/hosting/static/static_host.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <latch>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/hosting/probe_pit.hpp"
#include "tests/unit/hosting/scripted_pit.hpp"

namespace {
std::atomic<std::uint64_t> allocations{0};

void* counted(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);  // relaxed: read by the thread that allocates
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
}  // namespace

void* operator new(std::size_t size) { return counted(size); }
void* operator new[](std::size_t size) { return counted(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  try {
    return counted(size);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
// Not inlined: GCC 12 takes free() for a mistake where it has inlined a delete and not the new that belongs to it.
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

namespace symphony::pit {
namespace {

using ::testing::HasSubstr;

std::unique_ptr<StaticHost> mounted(const symphony_pit_entry& entry = probe::ProbeFace::entry,
                                    const InProcessOptions& options = {}) {
  std::unique_ptr<StaticHost> host;
  const Outcome outcome = StaticHost::mount(entry, options, host);
  EXPECT_TRUE(outcome.ok()) << outcome.text;
  return host;
}
std::unique_ptr<Link> link_to(Host& host) {
  std::unique_ptr<Link> link;
  EXPECT_TRUE(host.open(link).ok());
  return link;
}

// The bytes of a request that adds `value`.
std::vector<std::uint64_t> add_request(std::uint64_t value) {
  flatbuffers::FlatBufferBuilder b;
  b.Finish(probe::CreateAdd(b, value));
  std::vector<std::uint64_t> words((b.GetSize() + 7) / 8);
  std::memcpy(words.data(), b.GetBufferPointer(), b.GetSize());
  return words;
}
Request request_of(const std::vector<std::uint64_t>& body, TimeNs deadline_ns = no_deadline_ns) {
  return {pit_type_id<probe::Add>(), SYMPHONY_EFFECT_ONCE, std::as_bytes(std::span(body)), deadline_ns};
}
std::uint64_t total_of(const Reply& reply) {
  EXPECT_TRUE(reply.ok()) << reply.text;
  return flatbuffers::GetRoot<probe::Total>(reply.body.data())->value();
}
std::uint64_t add(Link& link, std::uint64_t value) { return total_of(link.call(request_of(add_request(value)))); }

TEST(StaticHost, SaysWhoIsMounted) {
  auto host = mounted();
  EXPECT_EQ(host->mode(), "static");
  EXPECT_EQ(host->info().name, "probe");
  EXPECT_EQ(host->info().effect_of(pit_type_id<probe::Tree>()), std::uint32_t{SYMPHONY_EFFECT_READ});
}

TEST(StaticHost, AReplyStaysUntilTheNextCallOnItsLinkWhateverOtherLinksDo) {
  auto host = mounted();
  auto one = link_to(*host);
  auto two = link_to(*host);
  const Reply first = one->call(request_of(add_request(1)));
  EXPECT_EQ(add(*two, 10), 11U);
  EXPECT_EQ(total_of(first), 1U);
}

TEST(StaticHost, AFailedCallSaysWhyAndHasNoBody) {
  auto host = mounted();
  auto link = link_to(*host);
  const Reply reply = link->call(request_of(add_request(0)));
  EXPECT_EQ(reply.status, 11);
  EXPECT_EQ(reply.text, "cannot add 0 to 0: true");
  EXPECT_TRUE(reply.body.empty());
}

TEST(StaticHost, TwoMountsOfOnePitShareNothing) {
  auto one = mounted();
  auto two = mounted();
  EXPECT_EQ(add(*link_to(*one), 3), 3U);
  EXPECT_EQ(add(*link_to(*two), 4), 4U);
}

TEST(StaticHost, ALinkMayOutliveItsHost) {
  auto host = mounted();
  auto link = link_to(*host);
  host.reset();
  EXPECT_EQ(add(*link, 2), 2U);
}

TEST(StaticHost, ManyThreadsLoseNoCallAndEachGetsItsOwnReply) {
  constexpr int threads = 8;
  constexpr std::uint64_t calls = 5'000;
  auto host = mounted();
  std::latch go(threads);
  std::atomic<std::uint64_t> wrong{0};
  std::vector<std::thread> all;
  all.reserve(threads);
  for (int t = 0; t < threads; ++t) {
    all.emplace_back([&] {
      auto link = link_to(*host);
      const auto body = add_request(1);
      std::uint64_t before = 0;
      go.arrive_and_wait();
      for (std::uint64_t i = 0; i < calls; ++i) {
        const Reply reply = link->call(request_of(body));
        const std::uint64_t total = reply.ok() ? flatbuffers::GetRoot<probe::Total>(reply.body.data())->value() : 0;
        if (total <= before) ++wrong;  // totals only rise, so an old or foreign reply shows
        before = total;
      }
    });
  }
  for (std::thread& thread : all) thread.join();
  EXPECT_EQ(wrong.load(), 0U);
  EXPECT_EQ(add(*link_to(*host), 1), threads * calls + 1);
}

TEST(StaticHost, ACallInSteadyStateDoesNotAllocate) {
  auto host = mounted();
  auto link = link_to(*host);
  const auto body = add_request(1);
  for (int i = 0; i < 10; ++i) (void)link->call(request_of(body));
  const std::uint64_t before = allocations.load();
  for (int i = 0; i < 1000; ++i) (void)link->call(request_of(body, now_ns() + second_ns));
  EXPECT_EQ(allocations.load(), before);
}

TEST(StaticHost, ACallWhoseDeadlinePassedEndsAsDeadlineAndIsNotRun) {
  auto host = mounted();
  auto link = link_to(*host);
  for (const TimeNs deadline : {TimeNs{-1}, TimeNs{0}, TimeNs{1}}) {
    EXPECT_EQ(link->call(request_of(add_request(1), deadline)).status, SYMPHONY_DEADLINE);
  }
  EXPECT_EQ(add(*link, 1), 1U);
}

TEST(StaticHost, ACallThatWaitsBehindALongOneEndsAtItsDeadlineAndTheLinkStaysGood) {
  test::Script script;
  test::script() = &script;
  std::latch entered(1);
  std::latch leave(1);
  int handled = 0;
  script.handle = [&](const symphony_host&, const symphony_msg& message) {
    ++handled;
    if (message.envelope->type == 9) {
      entered.count_down();
      leave.wait();
    }
    return SYMPHONY_OK;
  };
  auto host = mounted(test::scripted_entry());
  std::thread holder([&] { EXPECT_TRUE(link_to(*host)->call({9, 0, {}, no_deadline_ns}).ok()); });
  entered.wait();
  auto link = link_to(*host);
  for (int i = 0; i < 3; ++i) {
    const Reply late = link->call({7, 0, {}, now_ns() + ms_ns});
    EXPECT_EQ(late.status, SYMPHONY_DEADLINE);
    EXPECT_THAT(std::string(late.text), HasSubstr("has not seen it"));
  }
  leave.count_down();
  holder.join();
  EXPECT_TRUE(link->call({7, 0, {}, no_deadline_ns}).ok());
  EXPECT_EQ(handled, 2);
}

TEST(StaticHost, WithAFullQueueSaysOverloadedAndTheRemedy) {
  test::Script script;
  test::script() = &script;
  std::latch entered(1);
  std::latch leave(1);
  script.handle = [&](const symphony_host&, const symphony_msg&) {
    entered.count_down();
    leave.wait();
    return SYMPHONY_OK;
  };
  auto host = mounted(test::scripted_entry(), {.queue_max = 0});
  std::thread holder([&] { EXPECT_TRUE(link_to(*host)->call({9, 0, {}, no_deadline_ns}).ok()); });
  entered.wait();
  const Reply reply = link_to(*host)->call({7, 0, {}, no_deadline_ns});
  EXPECT_EQ(reply.status, SYMPHONY_OVERLOADED);
  EXPECT_THAT(std::string(reply.text), HasSubstr("queue_max"));
  leave.count_down();
  holder.join();
}

TEST(StaticHost, ACallFromInsideThePitIsRefusedInsteadOfWaitingForItself) {
  test::Script script;
  test::script() = &script;
  auto host = mounted(test::scripted_entry());
  auto link = link_to(*host);
  auto inner = link_to(*host);
  Snapshot snapshot;
  script.handle = [&](const symphony_host&, const symphony_msg&) {
    EXPECT_EQ(inner->call({7, 0, {}, no_deadline_ns}).status, SYMPHONY_BAD_STATE);
    EXPECT_EQ(host->snapshot(snapshot).status, SYMPHONY_BAD_STATE);
    return SYMPHONY_OK;
  };
  EXPECT_TRUE(link->call({7, 0, {}, no_deadline_ns}).ok());
}

TEST(StaticHost, ASnapshotMovesTheStateToAnotherMount) {
  auto from = mounted();
  auto link = link_to(*from);
  EXPECT_EQ(add(*link, 41), 41U);
  Snapshot snapshot;
  ASSERT_TRUE(from->snapshot(snapshot).ok());
  auto to = mounted(probe::ProbeFace::entry, {.restore = &snapshot});
  EXPECT_EQ(add(*link_to(*to), 1), 42U);
}

TEST(StaticHost, RestoreReplacesTheStateUnderOpenLinksAndAFailedOneLeavesIt) {
  auto host = mounted();
  auto link = link_to(*host);
  add(*link, 5);
  Snapshot snapshot;
  ASSERT_TRUE(host->snapshot(snapshot).ok());
  add(*link, 100);
  ASSERT_TRUE(host->restore(snapshot).ok());
  EXPECT_EQ(add(*link, 1), 6U);
  snapshot.bytes.pop_back();
  const Outcome failed = host->restore(snapshot);
  EXPECT_EQ(failed.status, SYMPHONY_BAD_MESSAGE);
  EXPECT_THAT(failed.text, HasSubstr("ends too early"));
  EXPECT_EQ(add(*link, 1), 7U);
}

TEST(StaticHost, ADrainedPitTakesNoCallsUntilItIsStartedAgain) {
  auto host = mounted();
  auto link = link_to(*host);
  ASSERT_TRUE(host->drain(no_deadline_ns).ok());
  const Reply refused = link->call(request_of(add_request(1)));
  EXPECT_EQ(refused.status, SYMPHONY_BAD_STATE);
  EXPECT_THAT(std::string(refused.text), HasSubstr("DRAINED"));
  Snapshot snapshot;
  EXPECT_TRUE(host->snapshot(snapshot).ok());
  EXPECT_EQ(host->restore(snapshot).status, SYMPHONY_BAD_STATE);
  ASSERT_TRUE(host->start().ok());
  EXPECT_EQ(add(*link, 1), 1U);
  ASSERT_TRUE(host->drain(no_deadline_ns).ok());
  EXPECT_TRUE(host->stop().ok());
  EXPECT_EQ(host->start().status, SYMPHONY_BAD_STATE);
}

TEST(StaticHost, APitThatRestsGoesOnFromAnyStateOrAsItWas) {
  auto host = mounted();
  auto link = link_to(*host);
  add(*link, 5);
  ASSERT_TRUE(host->rest(no_deadline_ns).ok());
  Snapshot at_five;
  ASSERT_TRUE(host->snapshot(at_five).ok());
  ASSERT_TRUE(host->start().ok());
  EXPECT_EQ(add(*link, 1), 6U);
  ASSERT_TRUE(host->rest(no_deadline_ns).ok());
  Snapshot damaged = at_five;
  damaged.bytes.pop_back();
  EXPECT_EQ(host->resume(damaged, no_deadline_ns).status, SYMPHONY_BAD_MESSAGE);
  EXPECT_EQ(link->call(request_of(add_request(1))).status, SYMPHONY_BAD_STATE) << "it rests still";
  ASSERT_TRUE(host->resume(at_five, no_deadline_ns).ok());
  EXPECT_EQ(add(*link, 1), 6U);
}

TEST(StaticHost, APitIsRetiredUnderOpenLinksAndItsInstanceIsGone) {
  auto host = mounted();
  auto link = link_to(*host);
  add(*link, 5);
  Snapshot state;
  ASSERT_TRUE(host->snapshot(state).ok());
  ASSERT_TRUE(host->rest(no_deadline_ns).ok());
  ASSERT_TRUE(host->retire().ok());
  EXPECT_FALSE(link->call(request_of(add_request(1))).ok());
  EXPECT_FALSE(link_to(*host)->call(request_of(add_request(1))).ok());
  EXPECT_FALSE(host->snapshot(state).ok());
  EXPECT_FALSE(host->restore(state).ok());
  EXPECT_FALSE(host->resume(state, no_deadline_ns).ok());
  EXPECT_FALSE(host->feed(1, 1).ok());
  EXPECT_FALSE(host->start().ok());
  EXPECT_FALSE(host->rest(no_deadline_ns).ok());
}

TEST(StaticHost, ItComesToRestOnlyWhenAHandlerReturnsInTime) {
  struct Slow {
    Status on_raw(Raw, Ctx&) {
      begun.count_down();
      end.wait();
      return ok();
    }
    std::latch &begun = here()[0], &end = here()[1];
    static std::latch* here() {
      static std::latch latches[2]{std::latch(1), std::latch(1)};
      return latches;
    }
  };
  auto host = mounted(Face<Slow, "slow", "1.0.0">::entry);
  std::thread caller([&, link = link_to(*host)] { EXPECT_TRUE(link->call({1, 0, {}, no_deadline_ns}).ok()); });
  Slow::here()[0].wait();
  const Outcome late = host->rest(deadline_after(ms_ns));
  EXPECT_EQ(late.status, SYMPHONY_DEADLINE);
  EXPECT_THAT(late.text, HasSubstr("did not return in time"));
  Slow::here()[1].count_down();
  caller.join();
  EXPECT_TRUE(host->rest(no_deadline_ns).ok());
}

TEST(StaticHost, AMountThatFailsSaysWhichStepAndLeavesNothing) {
  test::Script script;
  test::script() = &script;
  script.step = [](std::string_view step) { return step == "start" ? 9 : SYMPHONY_OK; };
  std::unique_ptr<StaticHost> host;
  const symphony_pit_entry entry = test::scripted_entry();
  const Outcome outcome = StaticHost::mount(entry, {}, host);
  EXPECT_EQ(outcome.status, 9);
  EXPECT_THAT(outcome.text, HasSubstr("start failed"));
  EXPECT_EQ(host, nullptr);
  EXPECT_EQ(script.destroyed, 1);
}

TEST(StaticHost, GivesThePitRisingMessageIdsOnEachLink) {
  test::Script script;
  test::script() = &script;
  std::vector<std::uint64_t> ids;
  script.handle = [&](const symphony_host&, const symphony_msg& message) {
    EXPECT_EQ(message.envelope->flags, SYMPHONY_FLAG_REQUEST);
    ids.push_back(message.envelope->id);
    return SYMPHONY_OK;
  };
  auto host = mounted(test::scripted_entry());
  auto one = link_to(*host);
  auto two = link_to(*host);
  for (Link* link : {one.get(), one.get(), two.get(), one.get()}) (void)link->call({7, 0, {}, no_deadline_ns});
  EXPECT_EQ(ids, (std::vector<std::uint64_t>{1, 2, 1, 3}));
}

// ---- replies that come later

struct Later : ::testing::Test {
  Later() {
    test::script() = &script;
    script.handle = [this](const symphony_host& h, const symphony_msg& m) -> std::int32_t {
      if (m.envelope->type == 9) {
        waits = m.request;
        waiting.count_down();
        return SYMPHONY_PENDING;
      }
      return h.reply(h.context, waits, SYMPHONY_OK, 31, test::span_of("granted"));
    };
  }
  test::Script script;
  std::uint64_t waits = 0;
  std::latch waiting{1};
  symphony_pit_entry entry = test::scripted_entry();
};

TEST_F(Later, ACallThatThePitLeftForLaterWaitsForTheOtherCallThatEndsIt) {
  auto host = mounted(entry);
  std::thread other([&] {
    auto link = link_to(*host);
    waiting.wait();
    EXPECT_EQ(link->call({7}).status, SYMPHONY_OK);
  });
  auto link = link_to(*host);
  const Reply reply = link->call({9});
  other.join();
  EXPECT_EQ(reply.status, SYMPHONY_OK) << reply.text;
  EXPECT_EQ(reply.type, 31U);
  EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(reply.body.data()), reply.body.size()), "granted");
}

TEST_F(Later, ACallLeftForLaterEndsAtItsDeadlineAndTheReplyAfterItIsRefused) {
  auto host = mounted(entry);
  auto link = link_to(*host);
  const Reply late = link->call({.type = 9, .deadline_ns = now_ns() + 20 * ms_ns});
  EXPECT_EQ(late.status, SYMPHONY_DEADLINE);
  EXPECT_THAT(late.text, HasSubstr("accepted"));
  EXPECT_EQ(link->call({7}).status, SYMPHONY_BAD_STATE);
}

TEST_F(Later, ACallLeftForLaterEndsWhenTheInstanceIsReplaced) {
  auto host = mounted(entry);
  std::thread other([&] {
    waiting.wait();
    Snapshot taken;
    EXPECT_TRUE(host->snapshot(taken).ok());
    EXPECT_TRUE(host->restore(taken).ok());
  });
  auto link = link_to(*host);
  EXPECT_EQ(link->call({9}).status, SYMPHONY_CRASHED_ACCEPTED);
  other.join();
}

}  // namespace
}  // namespace symphony::pit
