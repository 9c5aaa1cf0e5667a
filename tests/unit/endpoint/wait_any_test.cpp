// What could go wrong: the thread that owns a link sleeps on although another one has something for it, or wakes and
// finds that the nudge was taken for a reply.
#include <gtest/gtest.h>

#include <thread>

#include "bus/endpoint/link_core.hpp"
#include "tests/unit/endpoint/epoch_fixture.hpp"

namespace symphony::detail {
namespace {

struct WaitAnyTest : testing::Test {
  WaitAnyTest() {
    auto epoch = make_epoch(1);
    pit = std::make_unique<HandPit>(std::move(epoch.pit));
    link = std::make_unique<LinkCore>(std::make_shared<FakeControl>(), mailbox, std::move(epoch.caller),
                                      LinkOptions{.waiting = Waiting::sleep});
  }
  std::shared_ptr<LinkMailbox> mailbox = std::make_shared<LinkMailbox>();
  std::unique_ptr<HandPit> pit;
  std::unique_ptr<LinkCore> link;
};

TEST_F(WaitAnyTest, ANudgeFromAnotherThreadEndsIt) {
  std::thread other([&] { link->nudge(); });
  EXPECT_TRUE(link->wait_any(deadline_after(60 * second_ns)));
  other.join();
}

TEST_F(WaitAnyTest, ANudgeBeforehandEndsTheNextOneAndNoFurther) {
  link->nudge();
  EXPECT_FALSE(link->try_take(1).has_value()) << "which looks into the mailbox as well";
  EXPECT_TRUE(link->wait_any(deadline_after(60 * second_ns)));
  EXPECT_FALSE(link->wait_any(now_ns() + ms_ns));
}

TEST_F(WaitAnyTest, AReplyEndsItUntilItIsTaken) {
  const auto id = link->try_start(5, {}, {.timeout_ns = 60 * second_ns});
  ASSERT_TRUE(id);
  std::thread server([&] {
    while (pit->serve("pong") == 0) std::this_thread::yield();
  });
  EXPECT_TRUE(link->wait_any(deadline_after(60 * second_ns)));
  EXPECT_TRUE(link->wait_any(deadline_after(60 * second_ns))) << "it is still there";
  server.join();
  EXPECT_EQ(text_of(*link->try_take(*id)), "pong");
  EXPECT_FALSE(link->wait_any(now_ns() + ms_ns));
}

TEST_F(WaitAnyTest, TheDeathOfThePitEndsIt) {
  mailbox->post(link_event::PeerDied{1});
  EXPECT_TRUE(link->wait_any(deadline_after(60 * second_ns)));
}

TEST_F(WaitAnyTest, AWaitForOneCallUntilAPointLeavesTheCallAsItIs) {
  const auto id = link->try_start(5, {}, {.timeout_ns = 60 * second_ns});
  ASSERT_TRUE(id);
  EXPECT_FALSE(link->wait_until(*id, 0).has_value()) << "a point that is past";
  EXPECT_FALSE(link->wait_until(*id, now_ns() + ms_ns).has_value());
  ASSERT_EQ(pit->serve("pong"), *id);
  EXPECT_EQ(text_of(link->wait_until(*id, 0).value()), "pong");
  EXPECT_EQ(link->wait_until(*id, 0).value().status, status::bad_state) << "it was taken";
}

TEST_F(WaitAnyTest, AWaitUntilAPointBehindTheDeadlineEndsTheCall) {
  const auto id = link->try_start(5, {}, {.timeout_ns = ms_ns});
  ASSERT_TRUE(id);
  EXPECT_EQ(link->wait_until(*id, deadline_after(60 * second_ns)).value().status, status::deadline);
}

}  // namespace
}  // namespace symphony::detail
