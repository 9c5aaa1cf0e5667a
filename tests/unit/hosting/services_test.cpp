// What a pit asks of its host beyond replying: timers, later replies, calls of other pits, events.
#include <gtest/gtest.h>

#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "tests/unit/hosting/scripted_pit.hpp"

namespace symphony::pit {
namespace {

struct Services final : InstanceServices {
  struct Made {
    std::string service;
    std::uint32_t type;
    std::uint32_t effect;
    std::string body;
    TimeNs deadline_ns;
    std::uint64_t cookie;
  };
  std::int32_t call_async(const AsyncCall& call) noexcept override {
    if (refusal != SYMPHONY_OK) return refusal;
    made.push_back({std::string(call.service), call.type, call.effect,
                    std::string(reinterpret_cast<const char*>(call.body.data()), call.body.size()), call.deadline_ns,
                    call.cookie});
    return SYMPHONY_OK;
  }
  std::int32_t publish(std::uint32_t type, std::span<const std::byte> body) noexcept override {
    events.push_back(std::to_string(type) + ":" + std::string(reinterpret_cast<const char*>(body.data()), body.size()));
    return SYMPHONY_OK;
  }
  void timer_due(TimeNs due_ns) noexcept override { due = due_ns; }

  std::int32_t refusal = SYMPHONY_OK;
  std::vector<Made> made;
  std::vector<std::string> events;
  TimeNs due = no_deadline_ns;
};

using H = const symphony_host&;
using M = const symphony_msg&;

class ServicesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    test::script() = &script_;
    begin();
  }
  void begin() {
    ASSERT_TRUE(Instance::make(entry_, {.services = &services_, .log = &log_, .seed = 4}, instance_).ok());
    ASSERT_TRUE(instance_->init().ok());
    ASSERT_TRUE(instance_->start().ok());
  }
  template <class Handler>
  void handle(Handler handler, test::RecordingSink& sink, std::uint64_t deadline_ns = 0) {
    script_.handle = handler;
    instance_->handle({1, deadline_ns, 7, SYMPHONY_FLAG_REQUEST, 0, 0}, {}, sink);
    script_.handle = nullptr;
  }
  // Runs `work` inside a handler.
  template <class Work>
  void inside(Work work) {
    test::RecordingSink sink;
    handle([&](H h, M) { return work(h), SYMPHONY_OK; }, sink);
    EXPECT_EQ(sink.status, SYMPHONY_OK);
  }
  // Leaves a request for later and returns its number.
  std::uint64_t leave(test::RecordingSink& sink) {
    std::uint64_t request = 0;
    handle([&](H, M m) { return request = m.request, SYMPHONY_PENDING; }, sink);
    EXPECT_EQ(sink.endings, 0);
    EXPECT_EQ(sink.deferred, request);
    return request;
  }

  test::Script script_;
  test::LogLines log_;
  Services services_;
  symphony_pit_entry entry_ = test::scripted_entry();
  std::unique_ptr<Instance> instance_;
};

// ---- later replies

TEST_F(ServicesTest, ARequestLeftForLaterEndsOnceWithWhatReplySays) {
  test::RecordingSink sink;
  const std::uint64_t request = leave(sink);
  EXPECT_EQ(instance_->pending(), 1U);
  inside([&](H h) {
    EXPECT_EQ(h.reply(h.context, request, SYMPHONY_OK, 31, test::span_of("at last")), SYMPHONY_OK);
    EXPECT_EQ(h.reply(h.context, request, SYMPHONY_OK, 31, test::span_of("again")), SYMPHONY_BAD_STATE);
  });
  EXPECT_EQ(sink.endings, 1);
  EXPECT_EQ(sink.status, SYMPHONY_OK);
  EXPECT_EQ(sink.type, 31U);
  EXPECT_EQ(sink.body, "at last");
  EXPECT_TRUE(log_.contains("reply() to a request that does not wait for one"));
}

TEST_F(ServicesTest, ALaterReplyCanBeAFailureWithAReason) {
  test::RecordingSink sink;
  const std::uint64_t request = leave(sink);
  inside([&](H h) { EXPECT_EQ(h.reply(h.context, request, 17, 0, test::span_of("sold out")), SYMPHONY_OK); });
  EXPECT_EQ(sink.endings, 1);
  EXPECT_EQ(sink.status, 17);
  EXPECT_EQ(sink.text, "sold out");
}

TEST_F(ServicesTest, ALaterReplyThatIsTooLargeIsRefusedAndTheRequestWaitsOn) {
  test::RecordingSink sink;
  const std::uint64_t request = leave(sink);
  const std::string large(5000, 'x');  // the note says 4096
  inside([&](H h) {
    EXPECT_EQ(h.reply(h.context, request, SYMPHONY_OK, 1, test::span_of(large)), SYMPHONY_TOO_LARGE);
    EXPECT_EQ(h.reply(h.context, request, SYMPHONY_PENDING, 1, {}), SYMPHONY_BAD_STATE);
  });
  EXPECT_EQ(sink.endings, 0);
  EXPECT_EQ(instance_->pending(), 1U);
  instance_.reset();  // before the sink
}

TEST_F(ServicesTest, AForgottenRequestIsNotEndedAndItsReplyIsRefused) {
  test::RecordingSink sink;
  const std::uint64_t request = leave(sink);
  EXPECT_TRUE(instance_->forget(request));
  EXPECT_FALSE(instance_->forget(request));
  inside([&](H h) { EXPECT_EQ(h.reply(h.context, request, SYMPHONY_OK, 0, {}), SYMPHONY_BAD_STATE); });
  instance_.reset();
  EXPECT_EQ(sink.endings, 0);
}

TEST_F(ServicesTest, WhatStillWaitsWhenTheInstanceGoesEndsAsAccepted) {
  test::RecordingSink first, second;
  leave(first);
  leave(second);
  instance_.reset();
  for (const auto* sink : {&first, &second}) {
    EXPECT_EQ(sink->endings, 1);
    EXPECT_EQ(sink->status, SYMPHONY_CRASHED_ACCEPTED);
  }
}

TEST_F(ServicesTest, NoMoreRequestsCanBeLeftThanTheContractSays) {
  std::vector<test::RecordingSink> sinks(SYMPHONY_PENDING_MAX);
  for (auto& sink : sinks) leave(sink);
  test::RecordingSink one_more;
  handle([](H, M) { return SYMPHONY_PENDING; }, one_more);
  EXPECT_EQ(one_more.endings, 1);
  EXPECT_EQ(one_more.status, SYMPHONY_OVERLOADED);
  EXPECT_EQ(instance_->pending(), std::size_t{SYMPHONY_PENDING_MAX});
  instance_.reset();  // before the sinks
}

TEST_F(ServicesTest, AHandlerThatRepliedAndThenSaysPendingHasReplied) {
  test::RecordingSink sink;
  handle(
      [](H h, M) {
        symphony_mut_span to{};
        EXPECT_EQ(h.claim(h.context, 2, &to), SYMPHONY_OK);
        std::memcpy(to.p, "ok", 2);
        EXPECT_EQ(h.commit(h.context, 2, 9), SYMPHONY_OK);
        return SYMPHONY_PENDING;
      },
      sink);
  EXPECT_EQ(sink.endings, 1);
  EXPECT_EQ(sink.body, "ok");
  EXPECT_EQ(instance_->pending(), 0U);
}

TEST_F(ServicesTest, ATrapEndsTheCallAndAllThatWaitsAndNothingEntersAgain) {
  test::RecordingSink waits, trapped, after;
  leave(waits);
  handle([](H, M) { return SYMPHONY_TRAPPED; }, trapped);
  EXPECT_EQ(trapped.status, SYMPHONY_TRAPPED);
  EXPECT_EQ(waits.status, SYMPHONY_TRAPPED);
  EXPECT_EQ(instance_->state(), State::trapped);
  bool entered = false;
  handle([&](H, M) { return entered = true, SYMPHONY_OK; }, after);
  EXPECT_FALSE(entered);
  EXPECT_EQ(after.status, SYMPHONY_BAD_STATE);
}

// ---- cancellation

TEST_F(ServicesTest, ARequestIsCancelledWhenItsDeadlinePassesOrItsCallerGoes) {
  test::RecordingSink sink;
  std::vector<int> seen;
  handle([&](H h, M) { return seen.push_back(h.cancelled(h.context)), SYMPHONY_OK; }, sink);
  sink.is_abandoned = true;
  handle([&](H h, M) { return seen.push_back(h.cancelled(h.context)), SYMPHONY_OK; }, sink);
  sink.is_abandoned = false;
  const auto soon = static_cast<std::uint64_t>(now_ns() + 20 * ms_ns);
  handle(
      [&](H h, M) {
        seen.push_back(h.cancelled(h.context));
        while (h.cancelled(h.context) == 0) {
        }
        return SYMPHONY_OK;
      },
      sink, soon);
  EXPECT_EQ(seen, (std::vector<int>{0, 1, 0}));
}

// ---- timers

TEST_F(ServicesTest, TimersRunOnceInTheOrderInWhichTheyAreDue) {
  std::vector<std::uint64_t> ran;
  script_.timer = [&](std::uint64_t id, std::uint64_t) { return ran.push_back(id), SYMPHONY_OK; };
  inside([&](H h) {
    EXPECT_EQ(h.timer_set(h.context, 1, 300), SYMPHONY_OK);
    EXPECT_EQ(h.timer_set(h.context, 2, 100), SYMPHONY_OK);
    EXPECT_EQ(h.timer_set(h.context, 3, 200), SYMPHONY_OK);
    EXPECT_EQ(h.timer_set(h.context, 3, 50), SYMPHONY_OK);  // anew
    EXPECT_EQ(h.timer_set(h.context, 4, 60), SYMPHONY_OK);
    EXPECT_EQ(h.timer_cancel(h.context, 4), SYMPHONY_OK);
    EXPECT_EQ(h.timer_cancel(h.context, 4), SYMPHONY_BAD_STATE);
  });
  EXPECT_EQ(services_.due, 50);
  EXPECT_FALSE(instance_->run_timer(49));
  while (instance_->run_timer(100)) {
  }
  EXPECT_EQ(ran, (std::vector<std::uint64_t>{3, 2}));
  EXPECT_EQ(instance_->next_timer_ns(), 300);
  while (instance_->run_timer(1'000)) {
  }
  EXPECT_EQ(ran, (std::vector<std::uint64_t>{3, 2, 1}));
  EXPECT_EQ(instance_->next_timer_ns(), no_deadline_ns);
}

TEST_F(ServicesTest, NoMoreTimersCanBeArmedThanTheContractSays) {
  inside([&](H h) {
    for (std::uint64_t id = 0; id < SYMPHONY_TIMERS_MAX; ++id) {
      EXPECT_EQ(h.timer_set(h.context, id, 1000 + id), SYMPHONY_OK);
    }
    EXPECT_EQ(h.timer_set(h.context, SYMPHONY_TIMERS_MAX, 1), SYMPHONY_OVERLOADED);
    EXPECT_EQ(h.timer_set(h.context, 0, 1), SYMPHONY_OK);  // one that is armed may be armed anew
  });
}

TEST_F(ServicesTest, TimersTravelWithTheState) {
  instance_->feed(1, 1'000);
  inside([&](H h) {
    EXPECT_EQ(h.timer_set(h.context, 8, 5'000), SYMPHONY_OK);
    EXPECT_EQ(h.timer_set(h.context, 7, 900), SYMPHONY_OK);  // overdue
  });
  Snapshot taken;
  ASSERT_TRUE(instance_->snapshot(taken).ok());
  EXPECT_EQ(taken.timers, (std::vector<ArmedTimer>{{7, -100}, {8, 4'000}}));

  ASSERT_TRUE(Instance::make(entry_, {.services = &services_, .seed = 4}, instance_).ok());
  instance_->feed(1, 20'000);
  ASSERT_TRUE(instance_->init().ok());
  ASSERT_TRUE(instance_->restore(taken).ok());
  ASSERT_TRUE(instance_->start().ok());
  EXPECT_EQ(services_.due, 19'900);
  std::vector<std::uint64_t> ran;
  script_.timer = [&](std::uint64_t id, std::uint64_t) { return ran.push_back(id), SYMPHONY_OK; };
  while (instance_->run_timer(23'999)) {
  }
  EXPECT_EQ(ran, (std::vector<std::uint64_t>{7}));
  while (instance_->run_timer(24'000)) {
  }
  EXPECT_EQ(ran, (std::vector<std::uint64_t>{7, 8}));
}

TEST_F(ServicesTest, AFedClockStandsAndItsSeedRepeats) {
  const auto draw = [&] {
    std::vector<std::uint64_t> drawn;
    inside([&](H h) { drawn = {h.now(h.context), h.random(h.context), h.random(h.context)}; });
    return drawn;
  };
  instance_->feed(99, 777);
  const auto first = draw();
  EXPECT_EQ(first[0], 777U);
  instance_->feed(99, 777);
  EXPECT_EQ(draw(), first);
  instance_->feed(98, 777);
  EXPECT_NE(draw(), first);
}

// ---- calls of other pits

TEST_F(ServicesTest, ACallGoesOutAsACopyAndItsAnswerComesBackWithTheCookie) {
  inside([&](H h) {
    std::string body = "take 3";
    const symphony_call call{sizeof call, 12, SYMPHONY_EFFECT_READ, 0, test::span_of("pool"), test::span_of(body),
                             0,           5};
    EXPECT_EQ(h.call_async(h.context, &call), SYMPHONY_OK);
    body = "XXXXXX";
  });
  ASSERT_EQ(services_.made.size(), 1U);
  EXPECT_EQ(services_.made[0].service, "pool");
  EXPECT_EQ(services_.made[0].body, "take 3");
  EXPECT_EQ(services_.made[0].effect, std::uint32_t{SYMPHONY_EFFECT_READ});
  EXPECT_EQ(services_.made[0].deadline_ns, no_deadline_ns);
  EXPECT_EQ(instance_->calls(), 1U);

  std::string heard;
  script_.handle = [&](H h, M m) {
    symphony_mut_span to{};
    EXPECT_EQ(h.claim(h.context, 1, &to), SYMPHONY_BAD_STATE) << "an answer is not replied to";
    EXPECT_EQ(m.request, 0U);
    heard = std::to_string(m.envelope->id) + "/" + std::to_string(m.envelope->type) + "/" +
            std::to_string(m.envelope->flags) + "/" + std::string(reinterpret_cast<const char*>(m.body.p), m.body.n);
    return SYMPHONY_OK;
  };
  const std::string reply = "taken";
  instance_->answer(5, SYMPHONY_OK, 13, std::as_bytes(std::span(reply)));
  EXPECT_EQ(heard, "5/13/2/taken");
  EXPECT_EQ(instance_->calls(), 0U);
}

TEST_F(ServicesTest, AFailedCallIsAnsweredWithAnErrorBody) {
  std::optional<ErrorBody> error;
  std::string text;
  script_.handle = [&](H, M m) {
    EXPECT_EQ(m.envelope->flags, SYMPHONY_FLAG_REPLY | SYMPHONY_FLAG_ERROR);
    error = read_error_body({reinterpret_cast<const std::byte*>(m.body.p), m.body.n});
    if (error) text = error->text;
    return SYMPHONY_OK;
  };
  const std::string why = "gone";
  instance_->answer(5, SYMPHONY_UNREACHABLE, 0, std::as_bytes(std::span(why)));
  ASSERT_TRUE(error);
  EXPECT_EQ(error->status, SYMPHONY_UNREACHABLE);
  EXPECT_EQ(text, "gone");
}

TEST_F(ServicesTest, NoMoreCallsCanBeOutThanTheContractSays) {
  inside([&](H h) {
    const symphony_call call{sizeof call, 12, 0, 0, test::span_of("pool"), {}, 0, 1};
    for (int i = 0; i < SYMPHONY_CALLS_MAX; ++i) EXPECT_EQ(h.call_async(h.context, &call), SYMPHONY_OK);
    EXPECT_EQ(h.call_async(h.context, &call), SYMPHONY_OVERLOADED);
  });
  instance_->answer(1, SYMPHONY_OK, 0, {});
  inside([&](H h) {
    const symphony_call call{sizeof call, 12, 0, 0, test::span_of("pool"), {}, 0, 1};
    EXPECT_EQ(h.call_async(h.context, &call), SYMPHONY_OK);
  });
}

TEST_F(ServicesTest, ARefusedCallIsNotOutAndOneThatIsNoneIsBlamed) {
  services_.refusal = SYMPHONY_DENIED;
  inside([&](H h) {
    const symphony_call call{sizeof call, 12, 0, 0, test::span_of("pool"), {}, 0, 1};
    EXPECT_EQ(h.call_async(h.context, &call), SYMPHONY_DENIED);
    EXPECT_EQ(h.call_async(h.context, nullptr), SYMPHONY_BAD_MESSAGE);
    services_.refusal = SYMPHONY_OK;
    const symphony_call other{sizeof other, 12, 0, 0, test::span_of("vault"), {}, 0, 1};
    EXPECT_EQ(h.call_async(h.context, &other), SYMPHONY_DENIED);
  });
  EXPECT_EQ(instance_->calls(), 0U);
  EXPECT_TRUE(log_.contains("call_async() with a call that is none"));
  EXPECT_TRUE(log_.contains("call_async() to a pit that its note does not need"));
}

TEST_F(ServicesTest, EventsGoToTheHostAndWithoutOneAreDenied) {
  inside([&](H h) { EXPECT_EQ(h.publish(h.context, 6, test::span_of("news")), SYMPHONY_OK); });
  EXPECT_EQ(services_.events, std::vector<std::string>{"6:news"});
  ASSERT_TRUE(Instance::make(entry_, {.seed = 4}, instance_).ok());
  ASSERT_TRUE(instance_->init().ok());
  ASSERT_TRUE(instance_->start().ok());
  inside([&](H h) {
    EXPECT_EQ(h.publish(h.context, 6, test::span_of("news")), SYMPHONY_DENIED);
    const symphony_call call{sizeof call, 12, 0, 0, test::span_of("pool"), {}, 0, 1};
    EXPECT_EQ(h.call_async(h.context, &call), SYMPHONY_UNREACHABLE);
  });
}

// ---- what changed

TEST_F(ServicesTest, EachMessageChangesTheStateUntilThePitMarksItself) {
  const std::uint64_t before = instance_->changes();
  inside([](H) {});
  EXPECT_EQ(instance_->changes(), before + 1);
  inside([](H h) { h.mark_dirty(h.context); });
  const std::uint64_t marked = instance_->changes();
  inside([](H) {});
  EXPECT_EQ(instance_->changes(), marked);
}

}  // namespace
}  // namespace symphony::pit
