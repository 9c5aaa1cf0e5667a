// A message that killed its pit twice is tried alone, while the link goes on. What could go wrong: it is sent to the
// pit a third time, its neighbours wait for it, its answer is used where it must not be, it is parked twice or not at
// all, or a link that is closed waits for it.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "bus/endpoint/alone_runs.hpp"
#include "tests/unit/endpoint/epoch_fixture.hpp"

namespace symphony::detail {
namespace {

constexpr CallOptions alone_read_call{.timeout_ns = 60 * second_ns, .effect = Effect::read};
constexpr CallOptions alone_idempotent_call{.timeout_ns = 60 * second_ns, .effect = Effect::idempotent};
constexpr CallOptions alone_once_call{.timeout_ns = 60 * second_ns, .effect = Effect::once};
constexpr control::LinkId alone_link = 7;  // as make_epoch() numbers all

struct AloneTest : testing::Test {
  void SetUp() override { open({.in_flight_max = 16}); }
  void open(const LinkOptions& options) {
    auto epoch = make_epoch(1);
    pit = std::make_unique<HandPit>(std::move(epoch.pit));
    link = std::make_unique<LinkCore>(control, mailbox, std::move(epoch.caller), options);
  }
  CallId start(std::string_view body, const CallOptions& options = alone_read_call) {
    return link->try_start(5, bytes_of(body), options).value();
  }
  void restart() {
    mailbox->post(link_event::PeerDied{pit->attached->at.epoch});
    auto epoch = make_epoch(pit->attached->at.epoch + 1);
    pit = std::make_unique<HandPit>(std::move(epoch.pit));
    mailbox->post(link_event::NewEpoch{std::move(epoch.caller)});
    (void)link->try_take(0);
  }
  void kills_twice(CallId id) {
    for (int attempt = 0; attempt < 2; ++attempt) {
      ASSERT_EQ(pit->begin(), id);
      EXPECT_EQ(pit->envelope.attempt, attempt);
      restart();
    }
    EXPECT_EQ(pit->begin(), 0u) << "not to this pit a third time";
  }
  // An instance alone, whose life is `serve`.
  void instance_is(std::function<void(HandPit&, LinkMailbox&)> serve) {
    control->on_open_alone = [this, serve = std::move(serve)](const LinkOptions& options, const OpenCancel&) {
      auto epoch = make_epoch(100 + ++opened);
      auto box = std::make_shared<LinkMailbox>();
      auto made = std::make_unique<LinkCore>(control, box, std::move(epoch.caller), options);
      made->be_alone();
      server = std::thread([serve, box, hand = std::make_shared<HandPit>(std::move(epoch.pit))] {
        while (hand->begin() == 0) std::this_thread::yield();
        serve(*hand, *box);
      });
      return result<std::unique_ptr<LinkCore>>(std::move(made));
    };
  }
  void TearDown() override {
    link.reset();
    if (server.joinable()) server.join();
    control->on_open_alone = nullptr;
  }
  std::shared_ptr<FakeControl> control = std::make_shared<FakeControl>();
  std::shared_ptr<LinkMailbox> mailbox = std::make_shared<LinkMailbox>();
  std::unique_ptr<HandPit> pit;
  std::unique_ptr<LinkCore> link;
  std::atomic<control::Epoch> opened{0};
  // What the server uses until TearDown() has joined it.
  std::shared_ptr<HandPit> second;
  std::atomic<bool> may_go_on{false};
  std::thread server;
};

const auto dies = [](HandPit& hand, LinkMailbox& box) {
  box.post(link_event::PeerDied{hand.attached->at.epoch});
  box.post(link_event::Ended{status::quarantined, "alone with one message", true});
};

TEST_F(AloneTest, AMessageThatKillsThePitTwiceAndAnInstanceAloneIsPoisonedAndParked) {
  instance_is(dies);
  const CallId id = start("poison");
  kills_twice(id);
  const Reply ended = link->wait(id);
  EXPECT_EQ(ended.status, status::poisoned);
  EXPECT_NE(ended.text.find("once more where it ran alone"), std::string_view::npos) << ended.text;
  const auto letters = control->letters();
  ASSERT_EQ(letters.size(), 1u);
  const control::Park& l = letters[0];
  EXPECT_EQ(std::tuple(l.link, l.id, l.type, l.size, l.attempts, l.effect, l.outcome, l.alone_link),
            std::tuple(7u, id, 5u, 6u, 3, Effect::read, AloneOutcome::killed, alone_link));
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(l.body.data()), l.body.size()), "poison");
  EXPECT_EQ(opened, 1u);
}

TEST_F(AloneTest, TheBrokerIsToldOfTheMessageAtEachDeathBeforeItIsTriedAlone) {
  instance_is(dies);
  const CallId id = start("poison");
  kills_twice(id);
  ASSERT_EQ(control->executing.size(), 2u);
  for (std::uint8_t n = 0; n < 2; ++n) {
    const control::Executing& m = control->executing[n];
    EXPECT_EQ(std::tuple(m.at.epoch, m.id, m.type, m.size, m.attempt), std::tuple(n + 1u, id, 5u, 6u, n));
  }
  (void)link->wait(id);
}

TEST_F(AloneTest, OnlyWhatWasBeingExecutedIsTold) {
  const CallId handled = start("handled"), executing = start("executing", alone_once_call), queued = start("queued");
  EXPECT_EQ(pit->begin(), handled);
  pit->finish();
  EXPECT_EQ(pit->begin(), executing);
  restart();
  ASSERT_EQ(control->executing.size(), 1u);
  EXPECT_EQ(control->executing[0].id, executing);
  EXPECT_EQ(control->executing[0].effect, Effect::once);
  EXPECT_EQ(pit->serve("x"), queued);
}

TEST_F(AloneTest, ItsNeighboursAreServedMeanwhile) {
  instance_is([&](HandPit& hand, LinkMailbox& box) {
    while (!may_go_on) std::this_thread::yield();
    dies(hand, box);
  });
  const CallId id = start("poison");
  kills_twice(id);
  for (int n = 0; n < 100; ++n) {
    const CallId other = start("innocent", alone_once_call);
    ASSERT_EQ(pit->serve("served"), other);
    pit->free();
    EXPECT_EQ(text_of(link->wait(other)), "served");
  }
  EXPECT_FALSE(link->try_take(id));
  may_go_on = true;
  EXPECT_EQ(link->wait(id).status, status::poisoned);
}

TEST_F(AloneTest, AReadThatRunsAloneWithoutHarmHasItsAnswer) {
  instance_is([](HandPit& hand, LinkMailbox&) {
    EXPECT_EQ(hand.body, "read");
    EXPECT_EQ(hand.envelope.attempt, 2) << "it says how often it was tried";
    EXPECT_NE(hand.envelope.flags & flag::redelivered, 0);
    hand.reply("the answer");
    hand.finish();
  });
  const CallId id = start("read");
  kills_twice(id);
  const Reply reply = link->wait(id);
  EXPECT_EQ(reply.status, status::ok);
  EXPECT_EQ(reply.type, 9u);
  EXPECT_EQ(text_of(reply), "the answer");
  EXPECT_TRUE(control->letters().empty());
}

TEST_F(AloneTest, AnErrorThatAReadIsAnsweredWithAloneIsItsAnswerToo) {
  instance_is([](HandPit& hand, LinkMailbox&) {
    ErrorBody error{.status = 42};
    std::string body(sizeof error, ' ');
    std::memcpy(body.data(), &error, sizeof error);
    hand.reply(body + "no such thing", flag::reply | flag::error);
    hand.finish();
  });
  const CallId id = start("read");
  kills_twice(id);
  const Reply reply = link->wait(id);
  EXPECT_EQ(reply.status, 42);
  EXPECT_EQ(reply.text, "no such thing");
}

TEST_F(AloneTest, AnIdempotentOneThatRunsAloneWithoutHarmIsPoisonedWithWhatWasSeen) {
  instance_is([](HandPit& hand, LinkMailbox&) {
    hand.reply("the answer");
    hand.finish();
  });
  const CallId id = start("write", alone_idempotent_call);
  kills_twice(id);
  const Reply reply = link->wait(id);
  EXPECT_EQ(reply.status, status::poisoned);
  EXPECT_NE(reply.text.find("ran alone without harm"), std::string_view::npos) << reply.text;
  const auto letters = control->letters();
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_EQ(letters[0].outcome, AloneOutcome::answered);
  EXPECT_EQ(letters[0].attempts, 2) << "it did not kill the third";
}

TEST_F(AloneTest, OneThatCannotBeTriedAloneIsPoisonedAndParkedAllTheSame) {
  const CallId id = start("poison");
  kills_twice(id);
  EXPECT_EQ(link->wait(id).status, status::poisoned);
  ASSERT_EQ(control->letters().size(), 1u);
  EXPECT_EQ(control->letters()[0].outcome, AloneOutcome::not_run);
}

TEST_F(AloneTest, WhereOthersAreTriedAloneItWaits) {
  std::atomic<int> asked{0};
  instance_is(dies);
  auto open_now = control->on_open_alone;
  control->on_open_alone = [&, open_now](const LinkOptions& options,
                                         const OpenCancel& cancel) -> result<std::unique_ptr<LinkCore>> {
    if (++asked < 3) return unexpected(errc::busy, "others");
    return open_now(options, cancel);
  };
  const CallId id = start("poison");
  kills_twice(id);
  EXPECT_EQ(link->wait(id).status, status::poisoned);
  EXPECT_EQ(asked, 3);
  EXPECT_EQ(control->letters().at(0).outcome, AloneOutcome::killed);
}

TEST_F(AloneTest, OneThatHangsAloneEndsAtItsDeadlineAndIsParked) {
  instance_is([](HandPit&, LinkMailbox&) {});
  const CallId id = start("poison", {.timeout_ns = 300 * ms_ns, .effect = Effect::read});
  kills_twice(id);
  EXPECT_EQ(link->wait(id).status, status::deadline);
  const TimeNs limit = deadline_after(60 * second_ns);
  while (control->letters().empty() && now_ns() < limit) std::this_thread::yield();
  ASSERT_EQ(control->letters().size(), 1u);
  EXPECT_EQ(control->letters()[0].outcome, AloneOutcome::late);
}

// What could go wrong: who waits still looks where the call was before it was set aside.
TEST_F(AloneTest, WhoWaitedBeforeItWasTriedAloneLearnsWhenItsDeadlinePasses) {
  instance_is([this](HandPit&, LinkMailbox&) {
    while (!may_go_on) std::this_thread::yield();
  });
  const CallId id = start("bad", {.timeout_ns = 300 * ms_ns, .effect = Effect::read});
  ASSERT_EQ(pit->begin(), id);
  restart();
  ASSERT_EQ(pit->begin(), id);
  mailbox->post(link_event::PeerDied{pit->attached->at.epoch});
  auto epoch = make_epoch(pit->attached->at.epoch + 1);
  auto next = std::make_unique<HandPit>(std::move(epoch.pit));
  mailbox->post(link_event::NewEpoch{std::move(epoch.caller)});
  const Reply reply = link->wait(id);
  EXPECT_EQ(reply.status, status::deadline);
  EXPECT_EQ(reply.id, id);
  may_go_on = true;
}

TEST_F(AloneTest, AClosedLinkDoesNotWaitForIt) {
  instance_is([&](HandPit&, LinkMailbox&) {
    while (!may_go_on) std::this_thread::yield();
  });
  const CallId id = start("poison");
  kills_twice(id);
  link->close();
  EXPECT_EQ(link->wait(id).status, status::closed);
  link.reset();
  may_go_on = true;
  ASSERT_EQ(control->letters().size(), 1u) << "what is known of it is not lost";
  EXPECT_EQ(control->letters()[0].outcome, AloneOutcome::not_run);
}

TEST_F(AloneTest, AnInstanceThatWasReplacedByABrokersDeathTriesItAgain) {
  instance_is([&](HandPit& hand, LinkMailbox& box) {
    auto epoch = make_epoch(200);
    second = std::make_shared<HandPit>(std::move(epoch.pit));
    box.post(link_event::PeerDied{hand.attached->at.epoch});
    box.post(link_event::NewEpoch{std::move(epoch.caller)});
    while (second->serve("the second") == 0) std::this_thread::yield();
  });
  const CallId id = start("read");
  kills_twice(id);
  EXPECT_EQ(text_of(link->wait(id)), "the second");
}

TEST_F(AloneTest, OneAttemptMeansThatItIsParkedAtTheFirstDeath) {
  open({.in_flight_max = 16, .attempts_max = 1});
  instance_is(dies);
  const CallId id = start("poison");
  ASSERT_EQ(pit->begin(), id);
  restart();
  EXPECT_EQ(link->wait(id).status, status::poisoned);
  EXPECT_EQ(opened, 0u);
  ASSERT_EQ(control->letters().size(), 1u);
  EXPECT_EQ(control->letters()[0].attempts, 1);
}

TEST_F(AloneTest, ALetterKeepsABoundedPartOfTheBody) {
  AloneCall call;
  call.body.assign(control::letter_body_size_max + 1, std::byte{1});
  const control::Park l = letter_of(call, AloneOutcome::killed, 0);
  EXPECT_EQ(l.size, control::letter_body_size_max + 1);
  EXPECT_EQ(l.body.size(), control::letter_body_size_max);
}

}  // namespace
}  // namespace symphony::detail
