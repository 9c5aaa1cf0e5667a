// Each request has exactly one ending, whatever a handler does with claim, commit, error and its status.
#include <gtest/gtest.h>

#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "tests/unit/hosting/scripted_pit.hpp"

namespace symphony::pit {
namespace {

class Ending : public ::testing::Test {
 protected:
  void SetUp() override {
    test::script() = &script_;
    ASSERT_TRUE(Instance::make(entry_, {.log = &log_, .seed = 4}, instance_).ok());
    ASSERT_TRUE(instance_->init().ok());
    ASSERT_TRUE(instance_->start().ok());
  }
  // Runs one request through `handler` and checks that it ended once.
  template <class Handler>
  void handle(Handler handler, std::uint64_t deadline_ns = 0) {
    script_.handle = handler;
    const symphony_envelope envelope{1, deadline_ns, 7, SYMPHONY_FLAG_REQUEST, 0, 0};
    instance_->handle(envelope, {}, sink_);
    EXPECT_EQ(sink_.endings, 1);
  }
  static std::int32_t put(const symphony_host& h, std::string_view text, std::uint32_t type = 9) {
    symphony_mut_span to{};
    if (const std::int32_t s = h.claim(h.context, static_cast<std::uint32_t>(text.size()), &to); s != 0) return s;
    std::memcpy(to.p, text.data(), text.size());
    return h.commit(h.context, static_cast<std::uint32_t>(text.size()), type);
  }

  test::Script script_;
  test::LogLines log_;
  symphony_pit_entry entry_ = test::scripted_entry();
  std::unique_ptr<Instance> instance_;
  test::RecordingSink sink_;
};

using H = const symphony_host&;
using M = const symphony_msg&;

TEST_F(Ending, OfAHandlerThatCommitsIsItsReply) {
  handle([](H h, M) { return put(h, "pong"); });
  EXPECT_EQ(sink_.status, SYMPHONY_OK);
  EXPECT_EQ(sink_.body, "pong");
  EXPECT_EQ(sink_.type, 9U);
}

// With bytes that are there before anybody claims them, and more when asked.
class RoomySink final : public ReplySink {
 public:
  explicit RoomySink(std::size_t size) : there_(size / 8) { room_ = std::as_writable_bytes(std::span(there_)); }
  bool claim(std::uint32_t size_min, std::span<std::byte>& out) noexcept override {
    ++claims;
    more_.resize(size_min / 8 + 1);
    out = std::as_writable_bytes(std::span(more_));
    claimed_ = out;
    return true;
  }
  void commit(std::uint32_t used, std::uint32_t) noexcept override {
    const auto from = claims > 0 ? claimed_ : room_;
    body.assign(reinterpret_cast<const char*>(from.data()), used);
  }
  void fail(std::int32_t failed, std::string_view) noexcept override { status = failed; }
  ReplySink* defer(std::uint64_t) noexcept override { return this; }
  int claims = 0;
  std::int32_t status = SYMPHONY_OK;
  std::string body;

 private:
  std::vector<std::uint64_t> there_, more_;
  std::span<std::byte> claimed_;
};

TEST_F(Ending, OfAReplyThatFitsIntoWhatIsThereNeedsNoClaimOfTheSink) {
  const std::uint32_t most = instance_->info().reply_size_max;
  struct Size {
    std::size_t room;
    std::uint32_t reply;
    int claims;
  };
  for (const Size& size : {Size{64, 1, 0}, Size{64, 64, 0}, Size{64, 65, 1}, Size{64, 0, 1}, Size{0, 0, 1},
                           Size{0, 1, 1}, Size{most + 64, most, 0}}) {
    SCOPED_TRACE(std::to_string(size.reply) + " of " + std::to_string(size.room));
    RoomySink sink(size.room);
    const std::string text(size.reply, 'x');
    std::uint32_t granted = 0;
    script_.handle = [&](H h, M) {
      symphony_mut_span to{};
      EXPECT_EQ(h.claim(h.context, size.reply, &to), SYMPHONY_OK);
      granted = to.n;
      return put(h, text);  // replaces the first claim
    };
    const symphony_envelope envelope{1, 0, 7, SYMPHONY_FLAG_REQUEST, 0, 0};
    instance_->handle(envelope, {}, sink);
    EXPECT_EQ(sink.claims, 2 * size.claims);
    EXPECT_EQ(sink.body, text);
    EXPECT_TRUE(granted >= size.reply && granted <= most) << granted;
  }
}

TEST_F(Ending, OfAReplyThatIsLargerThanTheNoteSaysIsRefusedWhateverRoomThereIs) {
  const std::uint32_t most = instance_->info().reply_size_max;
  RoomySink sink(most + 64);
  script_.handle = [&](H h, M) {
    symphony_mut_span to{};
    EXPECT_EQ(h.claim(h.context, most + 1, &to), SYMPHONY_TOO_LARGE);
    EXPECT_EQ(to.p, nullptr);
    EXPECT_EQ(h.claim(h.context, 8, &to), SYMPHONY_OK);
    return h.commit(h.context, most + 1, 9);
  };
  const symphony_envelope envelope{1, 0, 7, SYMPHONY_FLAG_REQUEST, 0, 0};
  instance_->handle(envelope, {}, sink);
  EXPECT_EQ(sink.status, SYMPHONY_TOO_LARGE);
  EXPECT_EQ(sink.claims, 0);
}

TEST_F(Ending, OfAHandlerThatOnlySucceedsIsAnEmptyReply) {
  handle([](H, M) { return SYMPHONY_OK; });
  EXPECT_EQ(sink_.status, SYMPHONY_OK);
  EXPECT_EQ(sink_.body, "");
  EXPECT_EQ(sink_.type, 0U);
}

TEST_F(Ending, OfAClaimThatWasNeverCommittedIsAnEmptyReply) {
  handle([](H h, M) {
    symphony_mut_span to{};
    return h.claim(h.context, 16, &to);
  });
  EXPECT_EQ(sink_.status, SYMPHONY_OK);
  EXPECT_EQ(sink_.body, "");
}

TEST_F(Ending, OfAHandlerThatFailsIsItsStatusAndTheTextItLeft) {
  handle([](H h, M) {
    h.error(h.context, test::span_of("first reason"));
    h.error(h.context, test::span_of("no such task"));
    return 17;
  });
  EXPECT_EQ(sink_.status, 17);
  EXPECT_EQ(sink_.text, "no such task");
}

TEST_F(Ending, OfAFailureWithoutTextHasNone) {
  handle([](H, M) { return SYMPHONY_UNKNOWN_TYPE; });
  EXPECT_EQ(sink_.status, SYMPHONY_UNKNOWN_TYPE);
  EXPECT_EQ(sink_.text, "");
}

TEST_F(Ending, DoesNotInheritTheTextOfTheRequestBefore) {
  handle([](H h, M) {
    h.error(h.context, test::span_of("old"));
    return 1;
  });
  sink_ = {};
  handle([](H, M) { return 2; });
  EXPECT_EQ(sink_.text, "");
}

TEST_F(Ending, OfACommitFollowedByAFailureIsTheCommit) {
  handle([](H h, M) {
    EXPECT_EQ(put(h, "done"), SYMPHONY_OK);
    return 3;
  });
  EXPECT_EQ(sink_.status, SYMPHONY_OK);
  EXPECT_EQ(sink_.body, "done");
  EXPECT_TRUE(log_.contains("the pit misbehaved: handle() committed a reply and then failed"));
}

TEST_F(Ending, OfTwoCommitsIsTheFirst) {
  handle([](H h, M) {
    EXPECT_EQ(put(h, "one"), SYMPHONY_OK);
    EXPECT_EQ(h.commit(h.context, 1, 1), SYMPHONY_BAD_STATE);
    EXPECT_EQ(put(h, "two"), SYMPHONY_BAD_STATE);
    return SYMPHONY_OK;
  });
  EXPECT_EQ(sink_.body, "one");
  EXPECT_TRUE(log_.contains("a second commit()"));
}

TEST_F(Ending, UsesTheSecondOfTwoClaims) {
  handle([](H h, M) {
    symphony_mut_span to{};
    EXPECT_EQ(h.claim(h.context, 8, &to), SYMPHONY_OK);
    std::memcpy(to.p, "XXXXXXXX", 8);
    EXPECT_EQ(h.claim(h.context, 2, &to), SYMPHONY_OK);
    std::memcpy(to.p, "ok", 2);
    return h.commit(h.context, 2, 9);
  });
  EXPECT_EQ(sink_.claims, 2);
  EXPECT_EQ(sink_.body, "ok");
}

TEST_F(Ending, OfAClaimAboveTheNotesLimitIsTooLargeAndTheSinkIsNotAsked) {
  handle([](H h, M) {
    symphony_mut_span to{};
    EXPECT_EQ(h.claim(h.context, 4096, &to), SYMPHONY_OK);  // the limit itself
    EXPECT_EQ(to.n, 4096U) << "never offered more than the note allows";
    return h.claim(h.context, 4097, &to);
  });
  EXPECT_EQ(sink_.claims, 1);
  EXPECT_EQ(sink_.status, SYMPHONY_TOO_LARGE);
  EXPECT_TRUE(log_.contains("reply_size_max"));
}

TEST_F(Ending, OfAClaimThatTheSinkCannotServeIsOverloaded) {
  sink_.room = 100;
  handle([](H h, M) { return put(h, std::string(101, 'x')); });
  EXPECT_EQ(sink_.status, SYMPHONY_OVERLOADED);
}

TEST_F(Ending, OfACommitBeyondItsClaimIsRefused) {
  handle([](H h, M) {
    symphony_mut_span to{};
    EXPECT_EQ(h.claim(h.context, 8, &to), SYMPHONY_OK);
    return h.commit(h.context, to.n + 1, 9);
  });
  EXPECT_EQ(sink_.status, SYMPHONY_TOO_LARGE);
}

TEST_F(Ending, OfACommitWithoutAClaimIsRefused) {
  handle([](H h, M) { return h.commit(h.context, 0, 9); });
  EXPECT_EQ(sink_.status, SYMPHONY_BAD_STATE);
  EXPECT_TRUE(log_.contains("commit() without a claim"));
}

TEST_F(Ending, OfARequestThatCameTooLateIsDeadlineAndThePitDoesNotSeeIt) {
  bool seen = false;
  handle([&](H, M) { return seen = true, SYMPHONY_OK; }, 1);
  EXPECT_EQ(sink_.status, SYMPHONY_DEADLINE);
  EXPECT_FALSE(seen);
}

TEST_F(Ending, HasATextOfAtMost512BytesThatIsNotCutInsideACharacter) {
  handle([](H h, M) {
    const std::string text = std::string(511, 'a') + "\xC3\xA4";  // 511 + one character of two bytes
    h.error(h.context, test::span_of(text));
    return 1;
  });
  EXPECT_EQ(sink_.text, std::string(511, 'a'));
}

TEST_F(Ending, RepliesAreClaimedAndCommittedOnlyInsideAHandler) {
  symphony_mut_span to{};
  script_.step = [&](std::string_view) {
    EXPECT_EQ(script_.host->claim(script_.host->context, 8, &to), SYMPHONY_BAD_STATE);
    EXPECT_EQ(script_.host->commit(script_.host->context, 0, 0), SYMPHONY_BAD_STATE);
    return SYMPHONY_OK;
  };
  EXPECT_TRUE(instance_->drain(0).ok());
  EXPECT_TRUE(log_.contains("claim() outside handle()"));
  EXPECT_TRUE(log_.contains("commit() outside handle()"));
}

TEST_F(Ending, TheClockStandsStillWithinAHandlerAndNeverGoesBackBetweenTwo) {
  std::uint64_t first = 0;
  handle([&](H h, M) {
    first = h.now(h.context);
    const TimeNs until = now_ns() + 1000;
    while (now_ns() < until) {
    }
    EXPECT_EQ(h.now(h.context), first);
    return SYMPHONY_OK;
  });
  sink_ = {};
  handle([&](H h, M) {
    EXPECT_GT(h.now(h.context), first);
    return SYMPHONY_OK;
  });
}

TEST_F(Ending, RandomNumbersFollowFromTheSeed) {
  std::vector<std::uint64_t> drawn;
  const auto draw = [&](H h, M) { return drawn.push_back(h.random(h.context)), SYMPHONY_OK; };
  handle(draw);
  std::unique_ptr<Instance> twin;
  ASSERT_TRUE(Instance::make(entry_, {.seed = 4}, twin).ok());
  ASSERT_TRUE(twin->init().ok() && twin->start().ok());
  twin->handle({1, 0, 7, 1, 0, 0}, {}, sink_);
  ASSERT_EQ(drawn.size(), 2U);
  EXPECT_EQ(drawn[0], drawn[1]);
}

TEST_F(Ending, ALogLineIsOneLineAndAtMost1024Bytes) {
  handle([](H h, M) {
    h.log(h.context, 99, test::span_of("a\nb\x1b[31m\x7f"));
    h.log(h.context, SYMPHONY_LOG_INFO, test::span_of(std::string(5000, 'y')));
    return SYMPHONY_OK;
  });
  ASSERT_EQ(log_.lines.size(), 2U);
  EXPECT_EQ(log_.lines[0], "3 scripted: a b [31m ");
  EXPECT_EQ(log_.lines[1], "1 scripted: " + std::string(1024, 'y'));
}

TEST_F(Ending, AnExtensionIsFoundByItsIdAndAnUnknownOneIsNull) {
  const int table = 0;
  const Extension offered[] = {{77, &table}};
  std::unique_ptr<Instance> extended;
  ASSERT_TRUE(Instance::make(entry_, {.seed = 4, .extensions = offered}, extended).ok());
  EXPECT_EQ(script_.host->get_extension(script_.host->context, 77), &table);
  EXPECT_EQ(script_.host->get_extension(script_.host->context, 78), nullptr);
}

TEST(ErrorBody, IsReadBackAsItWasWritten) {
  std::vector<std::byte> bytes(error_body_size("gone"));
  EXPECT_EQ(write_error_body(bytes, -7, "gone"), 12U);
  const auto read = read_error_body(bytes);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->status, -7);
  EXPECT_EQ(read->text, "gone");
}

TEST(ErrorBody, HasAtMost512BytesOfText) {
  const std::string text(600, 'z');
  std::vector<std::byte> bytes(error_body_size(text));
  EXPECT_EQ(bytes.size(), 520U);
  EXPECT_EQ(write_error_body(bytes, 1, text), 520U);
  EXPECT_EQ(read_error_body(bytes)->text.size(), 512U);
}

TEST(ErrorBody, ThatIsShortLongReservedOrSuccessfulIsNone) {
  std::vector<std::byte> bytes(error_body_size("x"));
  write_error_body(bytes, 5, "x");
  for (std::size_t n = 0; n < error_head_size; ++n) EXPECT_FALSE(read_error_body(std::span(bytes).first(n)));
  EXPECT_FALSE(read_error_body(std::vector<std::byte>(521, std::byte{1})));
  bytes[5] = std::byte{1};
  EXPECT_FALSE(read_error_body(bytes));
  write_error_body(bytes, 0, "x");
  EXPECT_FALSE(read_error_body(bytes));
}

}  // namespace
}  // namespace symphony::pit
