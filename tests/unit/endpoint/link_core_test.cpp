#include "bus/endpoint/link_core.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <random>
#include <thread>

#include "tests/support/samples.hpp"
#include "tests/unit/endpoint/epoch_fixture.hpp"

namespace symphony::detail {
namespace {

constexpr CallOptions read_call{.timeout_ns = 60 * second_ns, .effect = Effect::read};
constexpr CallOptions once_call{.timeout_ns = 60 * second_ns, .effect = Effect::once};

struct LinkCoreTest : testing::Test {
  void SetUp() override {
    auto epoch = make_epoch(1);
    pit = std::make_unique<HandPit>(std::move(epoch.pit));
    link = std::make_unique<LinkCore>(control, mailbox, std::move(epoch.caller), LinkOptions{.in_flight_max = 16});
  }
  CallId start(std::string_view body, const CallOptions& options = read_call) {
    const auto id = link->try_start(5, bytes_of(body), options);
    EXPECT_TRUE(id.has_value());
    return id.value_or(0);
  }
  // The pit is dead, and a new instance attaches.
  void restart(std::uint64_t last_id = 0) {
    mailbox->post(link_event::PeerDied{pit->attached->at.epoch});
    auto epoch = make_epoch(pit->attached->at.epoch + 1, last_id);
    pit = std::make_unique<HandPit>(std::move(epoch.pit));
    mailbox->post(link_event::NewEpoch{std::move(epoch.caller)});
    (void)link->try_take(0);
  }
  std::shared_ptr<FakeControl> control = std::make_shared<FakeControl>();
  std::shared_ptr<LinkMailbox> mailbox = std::make_shared<LinkMailbox>();
  std::unique_ptr<HandPit> pit;
  std::unique_ptr<LinkCore> link;
};

TEST_F(LinkCoreTest, ManyCallsInFlightEachGetTheirOwnReply) {
  const CallId a = start("a"), b = start("b"), c = start("c");
  EXPECT_FALSE(link->try_take(a).has_value());
  EXPECT_EQ(pit->serve("A"), a);
  EXPECT_EQ(pit->serve("B"), b);
  EXPECT_EQ(pit->serve("C"), c);
  EXPECT_EQ(text_of(*link->try_take(c)), "C");
  EXPECT_EQ(text_of(*link->try_take(a)), "A");
  EXPECT_EQ(text_of(link->wait(b)), "B");
  EXPECT_FALSE(link->try_take(b).has_value()) << "an ending is taken once";
}

TEST_F(LinkCoreTest, ACallWaitsForItsReplyAcrossThreads) {
  std::thread server([&] {
    while (pit->serve("pong") == 0) std::this_thread::yield();
  });
  const Reply reply = link->call(5, bytes_of("ping"), once_call);
  server.join();
  EXPECT_EQ(reply.status, status::ok);
  EXPECT_EQ(reply.type, 9u);
  EXPECT_EQ(text_of(reply), "pong");
}

TEST_F(LinkCoreTest, AnErrorReplyCarriesStatusAndText) {
  const CallId id = start("x");
  pit->begin();
  std::string body(sizeof(ErrorBody), '\0');
  const ErrorBody error{.status = 42};
  std::memcpy(body.data(), &error, sizeof error);
  pit->reply(body + "no such graph", flag::reply | flag::error);
  pit->finish();
  const Reply reply = link->wait(id);
  EXPECT_EQ(reply.status, 42);
  EXPECT_EQ(reply.text, "no such graph");
  EXPECT_TRUE(reply.body.empty());
}

TEST_F(LinkCoreTest, AnErrorReplyThatIsTooShortOrSaysOkIsABadMessage) {
  for (const std::string& body : {std::string("abc"), std::string(8, '\0')}) {
    const CallId id = start("x");
    pit->begin();
    pit->reply(body, flag::reply | flag::error);
    pit->finish();
    EXPECT_EQ(link->wait(id).status, status::bad_message);
  }
}

TEST_F(LinkCoreTest, ALateOrRepeatedReplyIsDroppedAndCounted) {
  const CallId id = start("x", {.timeout_ns = 0});
  EXPECT_EQ(link->wait(id).status, status::deadline);
  pit->serve("late");
  const CallId next = start("y");
  pit->begin();
  pit->reply("first");
  pit->reply("second");
  pit->finish();
  EXPECT_EQ(text_of(link->wait(next)), "first");
  (void)link->try_take(0);
  EXPECT_EQ(link->counters().late_replies, 2u);
}

TEST_F(LinkCoreTest, AFullTableOrRingSaysSoAndRecovers) {
  std::vector<CallId> ids;
  while (const auto id = link->try_start(5, bytes_of("x"), read_call)) ids.push_back(*id);
  EXPECT_EQ(ids.size(), 16u);
  while (pit->serve("y") != 0) {
  }
  pit->free();
  for (const CallId id : ids) EXPECT_TRUE(link->wait(id).ok());
  EXPECT_TRUE(link->try_start(5, bytes_of("x"), read_call).has_value());
}

TEST_F(LinkCoreTest, ACallThatNeedsRoomWaitsForItAndIsWokenByThePit) {
  const std::string big(1500, 'b');
  const CallId a = start(big), b = start(big);
  ASSERT_FALSE(link->try_start(5, bytes_of(big), read_call).has_value());
  std::thread server([&] {
    int served = 0;
    while (served < 3) {
      served += pit->serve("ok") != 0;
      pit->channel.free_space(true);
    }
  });
  EXPECT_TRUE(link->call(5, bytes_of(big), once_call).ok());
  server.join();
  EXPECT_TRUE(link->wait(a).ok());
  EXPECT_TRUE(link->wait(b).ok());
}

// What could go wrong: the pit frees space just before the caller would sleep; the call that was sent then is sent
// again.
TEST_F(LinkCoreTest, ACallThatWaitsForRoomIsSentOnce) {
  const std::string big(1500, 'b');
  std::atomic<bool> over{false};
  std::atomic<std::uint64_t> served{0};
  std::thread server([&] {
    while (!over) {
      served += pit->serve("ok") != 0;
      pit->channel.free_space(true);
    }
  });
  constexpr std::uint64_t calls = 3000;
  std::vector<CallId> ahead;
  for (std::uint64_t i = 0; i < calls; ++i) {
    while (ahead.size() < 2) {
      const auto id = link->try_start(5, bytes_of(big), once_call);
      if (!id) break;
      ahead.push_back(*id);
      ++i;
    }
    EXPECT_TRUE(link->call(5, bytes_of(big), once_call).ok());
    for (const CallId id : std::exchange(ahead, {})) EXPECT_TRUE(link->wait(id).ok());
  }
  over = true;
  server.join();
  EXPECT_EQ(served.load(), link->counters().calls);
  EXPECT_EQ(link->counters().calls, link->counters().ended);
}

TEST_F(LinkCoreTest, ACallBehindAFullTableOfUntakenOnesSaysSoAtOnce) {
  while (link->try_start(5, bytes_of("x"), read_call)) {
  }
  EXPECT_EQ(link->call(5, bytes_of("x"), once_call).status, status::overloaded);
}

TEST_F(LinkCoreTest, ATextOfAnEndingStaysWhenTheEndIsToldTwice) {
  const CallId a = start("a"), b = start("b");
  const std::string reason(100, 'r');
  mailbox->post(link_event::Ended{status::unreachable, reason, true});
  EXPECT_EQ(link->wait(a).text, reason);
  mailbox->post(link_event::Ended{status::unreachable, std::string(200, 's'), true});
  const auto reply = link->try_take(b);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->text, reason);
}

TEST_F(LinkCoreTest, BodiesOfNoBytesAndOfTheMostGoThroughAndOneByteMoreEndsAtOnce) {
  const std::string most(record_size_max<WideRing>(4096) - sizeof(Envelope), 'm');
  for (const std::string& body : {std::string(), most}) {
    const CallId id = start(body);
    ASSERT_EQ(pit->begin(), id) << body.size();
    EXPECT_EQ(pit->body, body);
    pit->reply(body);
    pit->finish();
    pit->free();
    const Reply reply = link->wait(id);
    EXPECT_EQ(reply.status, status::ok);
    EXPECT_EQ(text_of(reply), body);
  }
  EXPECT_EQ(link->call(5, bytes_of(most + "x"), once_call).status, status::too_large);
  EXPECT_EQ(pit->begin(), 0u) << "nothing of it was sent";
}

TEST_F(LinkCoreTest, ABodyLargerThanTheRingCarriesEndsAtOnce) {
  const Reply reply = link->call(5, bytes_of(std::string(3000, 'x')), once_call);
  EXPECT_EQ(reply.status, status::too_large);
  EXPECT_NE(reply.text.find("request_capacity"), std::string_view::npos);
}

TEST_F(LinkCoreTest, ADeadlineEndsACallThatNobodyAnswers) {
  const TimeNs before = now_ns();
  EXPECT_EQ(link->call(5, bytes_of("x"), {.timeout_ns = 20 * ms_ns}).status, status::deadline);
  EXPECT_GE(now_ns() - before, 10 * ms_ns) << "a tick of the coarse clock early at most";
  EXPECT_EQ(link->counters().timeouts_with_data, 0u);
}

// ---- the pit dies

TEST_F(LinkCoreTest, RepliesCommittedBeforeTheDeathStillArrive) {
  const CallId id = start("x", once_call);
  pit->begin();
  pit->reply("made it");  // killed before `handled`
  restart();
  EXPECT_EQ(text_of(link->wait(id)), "made it");
  EXPECT_EQ(pit->begin(), 0u) << "it is not sent again";
}

TEST_F(LinkCoreTest, UnbegunCallsAreSentAgainInOrderWithTheirBytes) {
  const CallId a = start("first", once_call), b = start("second", once_call);
  restart();
  EXPECT_EQ(pit->begin(), a);
  EXPECT_EQ(pit->body, "first");
  EXPECT_NE(pit->envelope.flags & flag::redelivered, 0);
  EXPECT_EQ(pit->envelope.attempt, 0);
  pit->reply("1");
  pit->finish();
  EXPECT_EQ(pit->begin(), b);
  EXPECT_EQ(pit->body, "second");
  pit->reply("2");
  pit->finish();
  EXPECT_EQ(text_of(link->wait(a)), "1");
  EXPECT_EQ(text_of(link->wait(b)), "2");
  EXPECT_EQ(link->counters().sent_again, 2u);
}

TEST_F(LinkCoreTest, AnExecutingCallThatMayNotRunTwiceEndsAsCrashed) {
  const CallId id = start("x", once_call);
  pit->begin();
  restart();
  EXPECT_EQ(link->wait(id).status, status::crashed);
  EXPECT_EQ(pit->begin(), 0u);
}

TEST_F(LinkCoreTest, ACallHandledWithoutAReplyWasAccepted) {
  const CallId id = start("x");
  pit->begin();
  pit->finish();
  restart();
  EXPECT_EQ(link->wait(id).status, status::crashed_accepted);
}

TEST_F(LinkCoreTest, WhatTheNewInstancesStateContainsIsAnsweredByIt) {
  const CallId id = start("x");
  restart(id);
  EXPECT_EQ(pit->begin(), 0u) << "not sent again";
  pit->envelope.id = id;
  pit->reply("from the journal");
  EXPECT_EQ(text_of(link->wait(id)), "from the journal");
}

TEST_F(LinkCoreTest, CallsMadeWhileThePitIsDownWaitAndGoOutInOrder) {
  mailbox->post(link_event::PeerDied{1});
  (void)link->try_take(0);
  const CallId a = start("a"), b = start("b");
  EXPECT_EQ(pit->begin(), 0u);
  restart();
  EXPECT_EQ(pit->serve("A"), a);
  EXPECT_EQ(pit->serve("B"), b);
  EXPECT_EQ(text_of(link->wait(a)), "A");
  EXPECT_EQ(text_of(link->wait(b)), "B");
}

TEST_F(LinkCoreTest, ABlockedCallerGoesOnWhenTheNewInstanceAttaches) {
  mailbox->post(link_event::PeerDied{1});
  std::thread broker([&] {
    auto epoch = make_epoch(2);
    HandPit next(std::move(epoch.pit));
    mailbox->post(link_event::NewEpoch{std::move(epoch.caller)});
    while (next.serve("welcome back") == 0) std::this_thread::yield();
  });
  EXPECT_EQ(text_of(link->call(5, bytes_of("x"), once_call)), "welcome back");
  broker.join();
}

TEST_F(LinkCoreTest, APitThatWillNotComeBackEndsEveryCallWithTheReason) {
  const CallId a = start("a");
  mailbox->post(link_event::PeerDied{1});
  (void)link->try_take(0);
  const CallId b = start("b");
  mailbox->post(link_event::Ended{status::quarantined, "failed 5 times in 60 s"});
  EXPECT_EQ(link->wait(a).status, status::quarantined);
  EXPECT_EQ(link->wait(b).text, "failed 5 times in 60 s");
  EXPECT_EQ(link->call(5, {}, once_call).status, status::quarantined);
}

TEST_F(LinkCoreTest, ACallThatMayHaveRunSaysSoAlsoWhenThePitWillNotComeBack) {
  const CallId ran = start("ran", once_call), waiting = start("waiting", once_call);
  ASSERT_EQ(pit->begin(), ran);
  mailbox->post(link_event::Ended{status::quarantined, "failed too often"});
  EXPECT_EQ(link->wait(ran).status, status::crashed);
  EXPECT_EQ(link->wait(waiting).status, status::quarantined);
}

TEST_F(LinkCoreTest, ALinkThatEndsWhileItsPitLivesSaysThatEachSentCallMayRun) {
  const CallId sent = start("sent", once_call), harmless = start("read again by nobody", read_call);
  mailbox->post(link_event::Ended{status::unreachable, "the broker is gone", false});
  EXPECT_EQ(link->wait(sent).status, status::crashed);
  EXPECT_EQ(link->wait(harmless).status, status::unreachable);
}

// Who broke the rules once is not believed about the rest: what may run once ends, what may run twice is sent again.
TEST_F(LinkCoreTest, AFaultyPitIsReportedOnceAndItsProgressIsNotBelieved) {
  const CallId a = start("a", once_call), b = start("b", read_call), c = start("c", once_call);
  // A reply with a header of another ring.
  *reinterpret_cast<std::uint64_t*>(pit->attached->own.data() + data_offset) = 0x1234'5678'0000'0001;
  EXPECT_FALSE(link->try_take(a).has_value());
  EXPECT_FALSE(link->try_take(a).has_value());
  EXPECT_EQ(control->faulted, std::vector<control::Epoch>{1});
  // It is not dead yet, and begins a call: that one must not be sent again.
  EXPECT_EQ(pit->begin(), a);
  restart();
  EXPECT_EQ(link->wait(a).status, status::crashed);
  EXPECT_EQ(link->wait(c).status, status::crashed) << "it says that c was not begun";
  EXPECT_EQ(pit->serve("B"), b);
  EXPECT_EQ(text_of(link->wait(b)), "B");
  EXPECT_EQ(link->counters().peer_faults, 1u);
}

// ---- the end

TEST_F(LinkCoreTest, CloseEndsOpenCallsAndNeverBlocks) {
  const CallId id = start("x");
  link->close();
  EXPECT_EQ(link->wait(id).status, status::closed);
  EXPECT_EQ(link->call(5, {}, once_call).status, status::closed);
  EXPECT_EQ(pit->channel.peer_state(), SideState::closing);
  EXPECT_EQ(link->wait_closed(now_ns()).error().code, errc::timeout);
  pit->channel.set_state(SideState::closed);
  EXPECT_TRUE(link->wait_closed(deadline_after(second_ns)).has_value());
  link.reset();
  EXPECT_EQ(control->closed, std::vector<control::LinkId>{7});
}

TEST_F(LinkCoreTest, AForkedChildIsToldSoAndSendsNothing) {
  const CallId id = start("x");
  const pid_t child = ::fork();
  if (child == 0) {
    const bool told = link->call(5, {}, once_call).status == status::forked && link->wait(id).status == status::forked;
    link.reset();
    ::_exit(told && control->closed.empty() ? 0 : 1);
  }
  int result = 0;
  ASSERT_EQ(::waitpid(child, &result, 0), child);
  EXPECT_EQ(result, 0);
  EXPECT_EQ(pit->serve("still mine"), id);
  EXPECT_EQ(text_of(link->wait(id)), "still mine");
}

// Random histories: calls of all effects, a pit that stops at every step of a request, deaths, new epochs. Promised:
// each call ends exactly once; a `once` call is never begun twice; an ok reply is the call's own.
TEST_F(LinkCoreTest, OverRandomDeathsEachCallEndsOnceAndOnceIsNeverBegunTwice) {
  const std::uint64_t seed = test_run::seed();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  std::map<CallId, Effect> waiting;
  std::map<CallId, int> begun;
  int endings = 0, started = 0;
  for (std::uint64_t step = 0; step < test_run::samples(20'000); ++step) {
    bool half_way = false;
    switch (random() % 8) {
      case 0:
      case 1:
      case 2: {
        const auto effect = static_cast<Effect>(random() % 3);
        if (const auto id = link->try_start(5, bytes_of("call"), {.timeout_ns = 600 * second_ns, .effect = effect})) {
          waiting[*id] = effect;
          ++started;
        }
        break;
      }
      case 3:
      case 4:
      case 5: {
        const std::uint64_t id = pit->begin();
        if (id == 0) break;
        ++begun[id];
        half_way = true;  // until it is finished: a pit that stops here is dead
        if (random() % 8 == 0) break;
        pit->reply(std::to_string(id));
        if (random() % 8 == 0) break;
        pit->finish();
        half_way = false;
        break;
      }
      default:
        break;
    }
    if (half_way || random() % 64 == 0) restart();
    for (auto it = waiting.begin(); it != waiting.end();) {
      const auto reply = link->try_take(it->first);
      if (!reply) {
        ++it;
        continue;
      }
      ++endings;
      if (reply->ok()) {
        EXPECT_EQ(text_of(*reply), std::to_string(it->first));
      }
      if (it->second == Effect::once) {
        EXPECT_LE(begun[it->first], 1);
      }
      it = waiting.erase(it);
    }
    pit->free();
  }
  while (pit->serve(std::to_string(pit->envelope.id)) != 0) {
  }
  for (const auto& [id, effect] : waiting) EXPECT_TRUE(link->try_take(id).has_value()) << id;
  EXPECT_EQ(link->counters().ended, static_cast<std::uint64_t>(started));
  EXPECT_GT(static_cast<std::uint64_t>(endings), test_run::samples(1000));
}

}  // namespace
}  // namespace symphony::detail
