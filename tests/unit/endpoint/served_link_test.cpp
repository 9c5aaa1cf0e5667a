#include "bus/endpoint/served_link.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <optional>

#include "tests/unit/endpoint/epoch_fixture.hpp"

namespace symphony::detail {
namespace {

struct Handler : RequestHandler {
  void on_request(const Request& request, ReplyWriter& reply) noexcept override {
    ids.push_back(request.envelope.id);
    answer(request, reply);
  }
  void on_later_written(std::uint64_t, std::uint64_t id) noexcept override { written.push_back(id); }
  std::vector<std::uint64_t> ids, written;
  std::function<void(const Request&, ReplyWriter&)> answer = [](const Request& request, ReplyWriter& reply) {
    const auto bytes = reply.claim(static_cast<std::uint32_t>(request.body.size()));
    std::copy(request.body.begin(), request.body.end(), bytes.begin());
    reply.commit(static_cast<std::uint32_t>(bytes.size()), 77);
  };
};

struct ServedLinkTest : testing::Test {
  ServedLinkTest() : ServedLinkTest(make_epoch(1)) {}
  explicit ServedLinkTest(TestEpoch epoch)
      : attached(std::move(epoch.caller)),
        caller(attached->own.data(), attached->peer.data(), attached->geometry),
        served(std::move(epoch.pit), 800) {}

  bool ask(std::uint64_t id, std::string_view text = "x", std::uint64_t deadline_ns = 0,
           std::uint16_t flags = flag::request) {
    std::uint64_t at = 0;
    return caller.try_send({.id = id, .deadline_ns = deadline_ns, .type = 5, .flags = flags}, bytes_of(text), 0, at);
  }
  struct Answer {
    Envelope envelope;
    std::string body;
    [[nodiscard]] CallStatus status() const {
      ErrorBody error;
      std::memcpy(&error, body.data(), sizeof error);
      return error.status;
    }
  };
  std::optional<Answer> answer() {
    CallerChannel<>::Record record;
    if (caller.try_peek(record) != Poll::record) return std::nullopt;
    Answer a{caller.copy_envelope(record), std::string(CallerChannel<>::body_size(record), '\0')};
    caller.copy_body(record, std::as_writable_bytes(std::span(a.body)));
    caller.finish(record);
    return a;
  }
  ServedLink::Turn serve() { return served.serve_one(handler, counters, coarse_now_ns()); }

  std::unique_ptr<Attached> attached;
  CallerChannel<> caller;
  ServedLink served;
  Handler handler;
  ServiceCounters counters;
};
using Turn = ServedLink::Turn;

// A caller gives space back by the eighth of a ring. If that could keep a largest reply from fitting, a request of a
// caller that does not look at the link meanwhile would not be begun until it does.
TEST(ServedLink, BeginsARequestWhateverItsCallerHoldsBackOfRepliesThatItHasRead) {
  for (const std::uint32_t capacity : {4096u, 16384u}) {
    auto epoch = make_epoch(1, 0, Trust::cooperative, capacity);
    const auto attached = std::move(epoch.caller);
    CallerChannel<> caller(attached->own.data(), attached->peer.data(), attached->geometry);
    ServedLink served(std::move(epoch.pit), 64 * 1024);  // wants more than the ring carries
    Handler handler;
    ServiceCounters counters;
    const std::string body(100, 'x');
    for (std::uint64_t id = 1; id <= 4 * capacity / 128; ++id) {
      std::uint64_t at = 0;
      ASSERT_TRUE(caller.try_send({.id = id, .type = 5, .flags = flag::request}, bytes_of(body), 0, at));
      ASSERT_EQ(served.serve_one(handler, counters, 0), ServedLink::Turn::served) << "request " << id;
      served.free_idle_space();
      CallerChannel<>::Record record;
      ASSERT_EQ(caller.try_peek(record), Poll::record);
      caller.finish(record);
      caller.free_space(false);
    }
  }
}

TEST_F(ServedLinkTest, AnswersEachRequestWithItsIdOnce) {
  ask(1, "one");
  ask(2, "two");
  EXPECT_EQ(serve(), Turn::served);
  EXPECT_EQ(serve(), Turn::served);
  EXPECT_EQ(serve(), Turn::idle);
  EXPECT_EQ(answer()->body, "one");
  const auto second = answer();
  EXPECT_EQ(second->envelope.id, 2u);
  EXPECT_EQ(second->envelope.type, 77u);
  EXPECT_FALSE(answer().has_value());
}

TEST_F(ServedLinkTest, AHandlerThatForgetsToAnswerStillEndsItsRequest) {
  handler.answer = [](const Request&, ReplyWriter&) {};
  ask(1);
  (void)serve();
  const auto a = answer();
  EXPECT_EQ(a->envelope.flags, flag::reply | flag::error);
  EXPECT_EQ(a->status(), status::internal);
}

TEST_F(ServedLinkTest, OnlyTheFirstEndingCounts) {
  handler.answer = [](const Request&, ReplyWriter& reply) {
    (void)reply.claim(4);
    reply.commit(4, 1);
    reply.commit(4, 2);
    reply.fail(status::internal, "no");
    EXPECT_TRUE(reply.claim(4).empty());
  };
  ask(1);
  (void)serve();
  EXPECT_EQ(answer()->envelope.type, 1u);
  EXPECT_FALSE(answer().has_value());
}

TEST_F(ServedLinkTest, AClaimAboveTheDeclaredMaximumIsRefused) {
  handler.answer = [](const Request&, ReplyWriter& reply) {
    EXPECT_TRUE(reply.claim(801).empty());
    EXPECT_EQ(reply.claim(800).size(), 800u);
    reply.commit(800, 3);
  };
  ask(1);
  (void)serve();
  EXPECT_EQ(answer()->body.size(), 800u);
}

TEST_F(ServedLinkTest, AnErrorTextIsCutAtItsMaximum) {
  handler.answer = [](const Request&, ReplyWriter& reply) { reply.fail(7, std::string(9999, 't')); };
  ask(1);
  (void)serve();
  EXPECT_EQ(answer()->body.size(), sizeof(ErrorBody) + error_text_size_max);
}

TEST_F(ServedLinkTest, ARequestPastItsDeadlineIsSkipped) {
  ask(1, "late", 1);
  ask(2, "in time", static_cast<std::uint64_t>(deadline_after(60 * second_ns)));
  (void)serve();
  (void)serve();
  EXPECT_EQ(handler.ids, std::vector<std::uint64_t>{2});
  EXPECT_EQ(counters.overdue, 1u);
}

TEST_F(ServedLinkTest, AnIdThatDoesNotRiseIsNotRunAgain) {
  ask(5);
  ask(5);
  ask(4);
  ask(6);
  while (serve() == Turn::served) {
  }
  EXPECT_EQ(handler.ids, (std::vector<std::uint64_t>{5, 6}));
  EXPECT_EQ(counters.refused_ids, 2u);
}

TEST_F(ServedLinkTest, AStreamedRequestIsRefusedWithAClearError) {
  ask(1, "x", 0, flag::request | flag::more);
  (void)serve();
  EXPECT_EQ(answer()->status(), status::version);
  EXPECT_TRUE(handler.ids.empty());
}

TEST_F(ServedLinkTest, ARequestIsNotTakenBeforeItsReplyIsSureToFit) {
  std::uint64_t id = 0;
  std::uint64_t served_count = 0;
  for (;;) {
    ask(++id, std::string(500, 'f'));
    const Turn turn = serve();
    if (turn == Turn::blocked) break;
    ASSERT_EQ(turn, Turn::served);
    ++served_count;
    ASSERT_LT(id, 100u);
  }
  EXPECT_EQ(handler.ids.size(), served_count) << "the blocked one was not begun";
  EXPECT_EQ(caller.pit_progress().begun, caller.pit_progress().handled);
  EXPECT_FALSE(served.look_again()) << "nothing to do until the caller reads";
  while (answer()) {
  }
  caller.free_space(true);
  (void)served.arm();
  EXPECT_TRUE(served.look_again());
  served.disarm();
  EXPECT_EQ(serve(), Turn::served);
}

TEST_F(ServedLinkTest, ABrokenCallerIsFaultedAndTouchesNothing) {
  *reinterpret_cast<std::uint64_t*>(attached->own.data() + data_offset) = 99;
  EXPECT_EQ(serve(), Turn::faulted);
  EXPECT_EQ(served.fault(), RingFault::bad_check);
  EXPECT_TRUE(handler.ids.empty());
}

TEST_F(ServedLinkTest, DrainingHandlesWhatIsCommittedAndDropsTheReplies) {
  for (std::uint64_t id = 1; id <= 20; ++id) ask(id, std::string(100, 'd'));
  served.drain(handler, counters);
  EXPECT_EQ(handler.ids.size(), 20u);
  EXPECT_FALSE(answer().has_value());
  EXPECT_EQ(caller.peer_state(), SideState::closed);
}

TEST_F(ServedLinkTest, ACallerThatClosesIsToldWhenAllIsHandled) {
  ask(1);
  caller.set_state(SideState::closing);
  served.answer_close();
  EXPECT_EQ(caller.peer_state(), SideState::open) << "one request is not handled yet";
  EXPECT_TRUE(served.look_again());
  (void)serve();
  served.answer_close();
  EXPECT_EQ(caller.peer_state(), SideState::closed);
  EXPECT_FALSE(served.look_again()) << "nothing more to do";
}

// ---- replies that come later

TEST_F(ServedLinkTest, ARequestLeftForLaterHoldsUpNoOtherAndEndsWithItsId) {
  LaterReply first{};
  handler.answer = [&](const Request& request, ReplyWriter& reply) {
    if (request.envelope.id == 1) {
      first = reply.defer();
    } else {
      reply.commit(0, 3);
    }
  };
  ask(1);
  ask(2);
  EXPECT_EQ(serve(), Turn::served);
  EXPECT_EQ(serve(), Turn::served);
  const auto second = answer();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->envelope.id, 2u);
  EXPECT_FALSE(answer());
  EXPECT_EQ(first.id, 1u);
  ASSERT_NE(served.reply_later(first.id, status::ok, 12, bytes_of("later")), LaterOutcome::refused);
  const auto late = answer();
  ASSERT_TRUE(late);
  EXPECT_EQ(late->envelope.id, 1u);
  EXPECT_EQ(late->envelope.type, 12u);
  EXPECT_EQ(late->body, "later");
}

TEST_F(ServedLinkTest, ALaterReplyCanBeAFailure) {
  ASSERT_NE(served.reply_later(4, status::overloaded, 12, bytes_of("too much")), LaterOutcome::refused);
  const auto late = answer();
  ASSERT_TRUE(late);
  EXPECT_EQ(late->envelope.flags, flag::reply | flag::error);
  EXPECT_EQ(late->status(), status::overloaded);
  EXPECT_EQ(late->body.substr(sizeof(ErrorBody)), "too much");
}

TEST_F(ServedLinkTest, ALaterReplyThatIsTooLargeIsRefused) {
  EXPECT_EQ(served.reply_later(4, status::ok, 12, bytes_of(std::string(801, 'x'))), LaterOutcome::refused);
  EXPECT_NE(served.reply_later(4, status::ok, 12, bytes_of(std::string(800, 'x'))), LaterOutcome::refused);
}

// An attach may fail on the caller's side after the pit took part in it: what was written into that epoch is read by
// nobody. Whoever must not lose an ending gives it again until a request has shown that the caller uses the epoch.
TEST_F(ServedLinkTest, AnEndingWrittenBeforeTheFirstRequestOfAnEpochIsCertainOnlyWithIt) {
  EXPECT_EQ(served.reply_later(7, status::ok, 12, bytes_of("early")), LaterOutcome::queued);
  EXPECT_EQ(served.reply_later(8, status::ok, 12, bytes_of("early")), LaterOutcome::queued);
  EXPECT_TRUE(handler.written.empty());
  ASSERT_TRUE(ask(9));
  ASSERT_EQ(serve(), Turn::served);
  EXPECT_EQ(handler.written, (std::vector<std::uint64_t>{7, 8}));
  EXPECT_EQ(served.reply_later(10, status::ok, 12, bytes_of("now")), LaterOutcome::written);
  EXPECT_EQ(handler.written.size(), 2u);
}

// A caller that does not read: later replies wait in memory, in order, and none is lost or sent twice.
TEST_F(ServedLinkTest, LaterRepliesThatFindTheRingFullComeWhenTheCallerReads) {
  const std::string body(700, 'b');
  constexpr std::uint64_t replies = 40;
  for (std::uint64_t id = 1; id <= replies; ++id)
    ASSERT_NE(served.reply_later(id, status::ok, 12, bytes_of(body)), LaterOutcome::refused);
  EXPECT_TRUE(served.glance()) << "what waits is worth a look";
  std::uint64_t next = 1;
  for (int turn = 0; turn < 1000 && next <= replies; ++turn) {
    (void)serve();
    while (const auto late = answer()) {
      EXPECT_EQ(late->envelope.id, next++);
      EXPECT_EQ(late->body, body);
      caller.free_space(true);
    }
  }
  EXPECT_EQ(next, replies + 1);
  EXPECT_FALSE(served.glance());
}

TEST_F(ServedLinkTest, ALaterReplyGivenWhileAnotherRequestIsAnsweredInPlaceHarmsNeither) {
  handler.answer = [&](const Request&, ReplyWriter& reply) {
    const auto to = reply.claim(5);
    EXPECT_NE(served.reply_later(90, status::ok, 12, bytes_of("other")), LaterOutcome::refused);
    std::memcpy(to.data(), "mine!", 5);
    reply.commit(5, 3);
  };
  ask(1);
  EXPECT_EQ(serve(), Turn::served);
  const auto mine = answer();
  ASSERT_TRUE(mine);
  EXPECT_EQ(mine->envelope.id, 1u);
  EXPECT_EQ(mine->body, "mine!");
  (void)serve();
  const auto other = answer();
  ASSERT_TRUE(other);
  EXPECT_EQ(other->envelope.id, 90u);
  EXPECT_EQ(other->body, "other");
}

TEST_F(ServedLinkTest, AHandlerSeesThatItsCallerHasGone) {
  std::vector<bool> seen;
  handler.answer = [&](const Request&, ReplyWriter& reply) {
    seen.push_back(reply.is_abandoned());
    reply.commit(0, 0);
  };
  ask(1);
  (void)serve();
  ask(2);
  caller.set_state(SideState::closing);
  (void)serve();
  EXPECT_EQ(seen, (std::vector<bool>{false, true}));
}

TEST(ServedLinkCancel, IsSeenByTheHandlerOfThatRequestAndNoOther) {
  auto epoch = make_epoch(1);
  CancelWord cancelled;
  ServedLink served(std::move(epoch.pit), 800, &cancelled);
  CallerChannel<> caller(epoch.caller->own.data(), epoch.caller->peer.data(), epoch.caller->geometry);
  Handler handler;
  ServiceCounters counters;
  std::vector<bool> seen;
  handler.answer = [&](const Request&, ReplyWriter& reply) {
    seen.push_back(reply.is_abandoned());
    reply.fail(status::ok + 1, "");
  };
  const auto serve = [&](std::uint64_t id) {
    std::uint64_t at = 0;
    EXPECT_TRUE(caller.try_send({.id = id, .type = 5, .flags = flag::request}, bytes_of("x"), 0, at));
    (void)served.serve_one(handler, counters, coarse_now_ns());
  };
  serve(1);
  cancelled.cancel(7, 2);  // the link that make_epoch makes
  serve(2);
  serve(3);
  cancelled.cancel(8, 4);
  serve(4);
  EXPECT_EQ(seen, (std::vector<bool>{false, true, false, false}));
}

}  // namespace
}  // namespace symphony::detail
