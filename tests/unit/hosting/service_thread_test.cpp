// Timers and calls of other pits in this process: each answer comes once, late ones hold up nobody.
#include "pits/hosting/service_thread.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "pits/hosting/static/static_host.hpp"
#include "tests/unit/hosting/scripted_pit.hpp"

namespace symphony::pit {
namespace {

// A client that keeps what it is told.
class Client final : public ServiceClient {
 public:
  TimeNs run_timers(TimeNs now) noexcept override {
    const std::lock_guard lock(mutex_);
    ran.push_back(now);
    changed_.notify_all();
    return next;
  }
  void on_answer(std::uint64_t cookie, const Reply& reply) noexcept override {
    const std::lock_guard lock(mutex_);
    std::string text = std::to_string(cookie) + ":" + std::to_string(reply.status) + ":";
    text.append(reinterpret_cast<const char*>(reply.body.data()), reply.body.size());
    answers.push_back(std::move(text));
    changed_.notify_all();
  }
  template <class Enough>
  void wait_until(Enough enough) {
    std::unique_lock lock(mutex_);
    ASSERT_TRUE(changed_.wait_for(lock, std::chrono::seconds(30), [&] { return enough(); }));
  }
  std::size_t count() {
    const std::lock_guard lock(mutex_);
    return answers.size();
  }
  std::vector<std::string> answers;
  std::vector<TimeNs> ran;
  TimeNs next = no_deadline_ns;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
};

AsyncCall call_of(std::string_view service, std::uint32_t type, std::uint64_t cookie,
                  TimeNs deadline_ns = no_deadline_ns) {
  return {.service = service,
          .type = type,
          .effect = SYMPHONY_EFFECT_ONCE,
          .body = {},
          .deadline_ns = deadline_ns,
          .cookie = cookie};
}

// A pit "shop": type 9 waits until somebody calls type 7, which ends all that wait.
struct Calls : ::testing::Test {
  Calls() {
    test::script() = &script;
    script.handle = [this](const symphony_host& h, const symphony_msg& m) -> std::int32_t {
      if (m.envelope->type == 9) {
        waiting.push_back(m.request);
        return SYMPHONY_PENDING;
      }
      for (const std::uint64_t request : waiting) {
        h.reply(h.context, request, SYMPHONY_OK, 3, test::span_of("granted"));
      }
      waiting.clear();
      return SYMPHONY_OK;
    };
    EXPECT_TRUE(StaticHost::mount(entry, {}, shop).ok());
  }
  std::vector<std::uint64_t> waiting;
  test::Script script;
  symphony_pit_entry entry = test::scripted_entry();
  std::unique_ptr<StaticHost> shop;
  std::atomic<int> opened{0};
  std::shared_ptr<Client> client = std::make_shared<Client>();
  // Last, so that it goes first.
  std::unique_ptr<ServiceThread> thread =
      std::make_unique<ServiceThread>([this](std::string_view service, TimeNs, std::unique_ptr<Link>& out) -> Outcome {
        if (service != "shop") return {SYMPHONY_UNREACHABLE, "no such pit"};
        ++opened;
        return shop->open(out);
      });
};

TEST_F(Calls, EachCallHasOneAnswerWithItsCookie) {
  for (std::uint64_t cookie = 1; cookie <= 50; ++cookie) {
    ASSERT_EQ(thread->post(client, call_of("shop", 7, cookie)), SYMPHONY_OK);
  }
  client->wait_until([&] { return client->answers.size() == 50; });
  std::sort(client->answers.begin(), client->answers.end());
  EXPECT_EQ(std::unique(client->answers.begin(), client->answers.end()), client->answers.end());
  EXPECT_EQ(opened, 1) << "a client keeps its link to a service";
}

TEST_F(Calls, WhoGaveUpTheLastOtherOwnerOfAClientKnowsThatItHasEnded) {
  struct Slow final : ServiceClient {
    TimeNs run_timers(TimeNs) noexcept override {
      entered.set_value();
      go_on.get_future().wait();
      return no_deadline_ns;
    }
    void on_answer(std::uint64_t, const Reply&) noexcept override {}
    std::promise<void> entered, go_on;
  };
  auto slow = std::make_shared<Slow>();
  Slow& at_work = *slow;
  ASSERT_EQ(thread->due(slow, 1), SYMPHONY_OK);
  at_work.entered.get_future().wait();
  thread->let_go(slow);  // another owner is there: nothing is waited for
  const std::weak_ptr<ServiceClient> left = slow;
  slow.reset();
  std::future<void> let_go = std::async(std::launch::async, [&] { thread->let_go(left); });
  EXPECT_EQ(let_go.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout) << "the thread works for it";
  at_work.go_on.set_value();
  ASSERT_EQ(let_go.wait_for(std::chrono::seconds(30)), std::future_status::ready);
  EXPECT_TRUE(left.expired());
}

TEST_F(Calls, ACallThatIsAnsweredLateHoldsUpNoOther) {
  ASSERT_EQ(thread->post(client, call_of("shop", 9, 1)), SYMPHONY_OK);
  ASSERT_EQ(thread->post(client, call_of("shop", 9, 2)), SYMPHONY_OK);
  ASSERT_EQ(thread->post(client, call_of("shop", 7, 3)), SYMPHONY_OK);  // on the same link: ends both
  client->wait_until([&] { return client->answers.size() == 3; });
  std::sort(client->answers.begin(), client->answers.end());
  EXPECT_EQ(client->answers, (std::vector<std::string>{"1:0:granted", "2:0:granted", "3:0:"}));
}

TEST_F(Calls, AnAnswerThatSomebodyElsesCallBringsAboutComesAtOnce) {
  ASSERT_EQ(thread->post(client, call_of("shop", 9, 1)), SYMPHONY_OK);
  std::unique_ptr<Link> link;
  ASSERT_TRUE(shop->open(link).ok());
  // Until the posted call waits in the pit, this one finds nobody to end.
  const TimeNs begun = now_ns();
  while (client->count() == 0 && now_ns() < begun + 30 * second_ns) EXPECT_TRUE(link->call({7}).ok());
  client->wait_until([&] { return client->answers.size() == 1; });
  EXPECT_EQ(client->answers[0], "1:0:granted");
}

TEST_F(Calls, ACallThatNobodyAnswersEndsAtItsDeadline) {
  ASSERT_EQ(thread->post(client, call_of("shop", 9, 1, now_ns() + 20 * ms_ns)), SYMPHONY_OK);
  client->wait_until([&] { return client->answers.size() == 1; });
  EXPECT_EQ(client->answers[0].substr(0, 4), "1:-2");
}

TEST_F(Calls, OfAnUnknownServiceAreAnsweredWithTheReason) {
  ASSERT_EQ(thread->post(client, call_of("hop", 7, 8)), SYMPHONY_OK);
  client->wait_until([&] { return client->answers.size() == 1; });
  EXPECT_EQ(client->answers[0], "8:-18:");
}

TEST_F(Calls, OfAClientThatIsGoneAreAnsweredToNobody) {
  auto short_lived = std::make_shared<Client>();
  ASSERT_EQ(thread->post(short_lived, call_of("shop", 9, 1)), SYMPHONY_OK);
  short_lived.reset();
  ASSERT_EQ(thread->post(client, call_of("shop", 7, 2)), SYMPHONY_OK);
  client->wait_until([&] { return client->answers.size() == 1; });
}

TEST_F(Calls, ThatAreOutWhenTheThreadEndsAreDropped) {
  ASSERT_EQ(thread->post(client, call_of("shop", 9, 1)), SYMPHONY_OK);
  ASSERT_EQ(thread->post(client, call_of("shop", 7, 2)), SYMPHONY_OK);
  client->wait_until([&] { return !client->answers.empty(); });
  ASSERT_EQ(thread->post(client, call_of("shop", 9, 3)), SYMPHONY_OK);
  thread.reset();
}

TEST_F(Calls, TimersRunWhenTheyAreDueAndNotBefore) {
  const TimeNs soon = now_ns() + 30 * ms_ns;
  ASSERT_EQ(thread->due(client, soon + second_ns), SYMPHONY_OK);
  ASSERT_EQ(thread->due(client, soon), SYMPHONY_OK);
  client->wait_until([&] { return client->ran.size() == 1; });
  EXPECT_GE(client->ran[0], soon);
}

// ---- a whole pit

// Arms a timer at each message; each timer arms the next one, three times.
TEST(Timers, OfAPitInThisProcessRunByThemselves) {
  test::Script script;
  test::script() = &script;
  std::atomic<int> ran{0};
  const symphony_host* host = nullptr;
  script.handle = [&](const symphony_host& h, const symphony_msg&) {
    host = &h;
    return h.timer_set(h.context, 1, h.now(h.context) + static_cast<std::uint64_t>(ms_ns));
  };
  script.timer = [&](std::uint64_t id, std::uint64_t now_ns) {
    EXPECT_EQ(id, static_cast<std::uint64_t>(ran + 1));
    if (id < 3) {
      EXPECT_EQ(host->timer_set(host->context, id + 1, now_ns + 1), SYMPHONY_OK);
    }
    ++ran;
    return SYMPHONY_OK;
  };
  const symphony_pit_entry entry = test::scripted_entry();
  std::unique_ptr<StaticHost> pit;
  ASSERT_TRUE(StaticHost::mount(entry, {}, pit).ok());
  std::unique_ptr<Link> link;
  ASSERT_TRUE(pit->open(link).ok());
  ASSERT_TRUE(link->call({7}).ok());
  const TimeNs begun = now_ns();
  while (ran < 3 && now_ns() < begun + 30 * second_ns) {
  }
  EXPECT_EQ(ran, 3);
}

TEST(Timers, ThatAreFedRunInsideFeedAndByNobodyElse) {
  test::Script script;
  test::script() = &script;
  std::vector<std::uint64_t> ran;
  script.handle = [&](const symphony_host& h, const symphony_msg&) {
    return h.timer_set(h.context, 5, h.now(h.context) + 10);
  };
  script.timer = [&](std::uint64_t, std::uint64_t now_ns) { return ran.push_back(now_ns), SYMPHONY_OK; };
  const symphony_pit_entry entry = test::scripted_entry();
  std::unique_ptr<StaticHost> pit;
  ASSERT_TRUE(StaticHost::mount(entry, {}, pit).ok());
  std::unique_ptr<Link> link;
  ASSERT_TRUE(pit->open(link).ok());
  ASSERT_TRUE(pit->feed(7, 1'000).ok());
  ASSERT_TRUE(link->call({7}).ok());
  ASSERT_TRUE(pit->feed(7, 1'009).ok());
  EXPECT_TRUE(ran.empty());
  ASSERT_TRUE(pit->feed(7, 1'010).ok());
  EXPECT_EQ(ran, std::vector<std::uint64_t>{1'010});
}

}  // namespace
}  // namespace symphony::pit
