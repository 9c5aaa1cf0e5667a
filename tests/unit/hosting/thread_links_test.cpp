// What could go wrong: two threads on one link, a link that stays when its thread has ended, more links than may be, a
// thread that is never given one of its own. Counted by links that count themselves.
#include "pits/hosting/thread_links.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/samples.hpp"

namespace symphony::pit {
namespace {

struct Counts {
  std::atomic<int> open{0}, opened{0}, spare_open{0}, spare_opened{0};
};

// Answers with the type of the request, and says when two threads are on it.
class CountedCaller final : public Caller {
 public:
  CountedCaller(std::atomic<int>& open, std::atomic<int>& opened) : open_(open) { ++open, ++opened; }
  ~CountedCaller() override { --open_; }
  Reply call(const Request& request) noexcept override {
    const bool alone = !inside_.exchange(true) && maker_ == std::this_thread::get_id();
    if (inner != nullptr) nested = inner->call({});
    inside_ = false;
    return {alone ? SYMPHONY_OK : SYMPHONY_INTERNAL, request.type, {}, {}};
  }
  static inline thread_local SharedLink* inner = nullptr;
  static inline thread_local Reply nested;

 private:
  std::atomic<int>& open_;
  std::atomic<bool> inside_{false};
  const std::thread::id maker_ = std::this_thread::get_id();
};

struct ThreadLinksTest : testing::Test {
  void make(std::uint32_t own_max, bool with_spare = true) {
    ThreadLinks::Options options;
    options.own_max = own_max;
    options.own = [this](TimeNs, std::unique_ptr<Caller>& out) -> Outcome {
      ++asked;
      if (refusal != SYMPHONY_OK) return {refusal, "refused as asked"};
      out = std::make_unique<CountedCaller>(counts.open, counts.opened);
      return {};
    };
    if (with_spare) {
      options.spare = [this](TimeNs, std::unique_ptr<Caller>& out) -> Outcome {
        out = std::make_unique<CountedCaller>(counts.spare_open, counts.spare_opened);
        return {};
      };
    }
    links.emplace(std::move(options));
  }
  Reply call(std::uint32_t type = 7) { return links->call({.type = type}); }

  Counts counts;
  std::atomic<int> asked{0};
  std::atomic<std::int32_t> refusal{SYMPHONY_OK};
  std::optional<ThreadLinks> links;
};

TEST_F(ThreadLinksTest, AThreadGetsOneLinkAtItsFirstCallAndKeepsIt) {
  make(4);
  EXPECT_EQ(counts.opened, 0);
  for (std::uint32_t i = 1; i <= 3; ++i) EXPECT_EQ(call(i).type, i);
  EXPECT_EQ(counts.opened, 1);
  std::thread([&] { EXPECT_TRUE(call().ok()); }).join();
  EXPECT_EQ(counts.opened, 2);
}

TEST_F(ThreadLinksTest, AThousandThreadsOneAfterAnotherLeaveNothing) {
  make(1);
  const std::uint64_t threads = test_run::samples(1000);
  for (std::uint64_t i = 0; i < threads; ++i) std::thread([&] { EXPECT_TRUE(call().ok()); }).join();
  EXPECT_EQ(counts.opened, static_cast<int>(threads));
  EXPECT_EQ(counts.open, 0);
  EXPECT_EQ(links->own_links(), 0u);
}

TEST_F(ThreadLinksTest, ManyThreadsAtOnceNeverMeetOnALinkAndNeverExceedTheMaximum) {
  make(3);
  constexpr int threads = 8;
  std::latch all(threads);
  std::atomic<int> wrong{0};
  std::vector<std::thread> workers;
  workers.reserve(threads);
  for (int t = 0; t < threads; ++t) {
    workers.emplace_back([&] {
      all.arrive_and_wait();
      for (int i = 0; i < 2'000; ++i) {
        if (!call().ok() || links->own_links() > 3) ++wrong;
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(counts.open, 0);
  EXPECT_EQ(counts.spare_open, 0);
}

TEST_F(ThreadLinksTest, AThreadBeyondTheMaximumSharesAndMovesOnWhenALinkIsFree) {
  make(1);
  std::latch called(1), leave(1);
  std::thread first([&] {
    EXPECT_TRUE(call().ok());
    called.count_down();
    leave.wait();
  });
  called.wait();
  EXPECT_TRUE(call().ok());
  EXPECT_EQ(counts.spare_open, 1);
  leave.count_down();
  first.join();
  EXPECT_TRUE(call().ok());
  EXPECT_EQ(counts.open, 1);
  EXPECT_EQ(counts.spare_open, 0) << "its place among those that share is given up";
}

TEST_F(ThreadLinksTest, ARefusedLinkIsNotAskedForWithEachCall) {
  make(4);
  refusal = SYMPHONY_OVERLOADED;
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(call().ok());
  EXPECT_EQ(counts.spare_open, 1);
  EXPECT_LT(asked, 100) << "a refusal is asked about again after a second, not with each call";
}

TEST_F(ThreadLinksTest, WithoutASpareACallSaysThatTheTableIsFull) {
  make(0, false);
  const Reply reply = call();
  EXPECT_EQ(reply.status, SYMPHONY_OVERLOADED);
  EXPECT_NE(reply.text.find("threads_max"), std::string_view::npos);
}

TEST_F(ThreadLinksTest, WhatFailsOtherwiseEndsTheCallAndIsTriedAgainWithTheNext) {
  make(4);
  refusal = SYMPHONY_UNREACHABLE;
  EXPECT_EQ(call().status, SYMPHONY_UNREACHABLE);
  EXPECT_EQ(call().text, "refused as asked");
  EXPECT_EQ(links->own_links(), 0u);
  EXPECT_EQ(counts.spare_opened, 0);
  refusal = SYMPHONY_OK;
  EXPECT_TRUE(call().ok());
}

TEST_F(ThreadLinksTest, ACallFromInsideACallOfTheSameThreadIsRefused) {
  make(4);
  CountedCaller::inner = &*links;
  EXPECT_TRUE(call().ok());
  CountedCaller::inner = nullptr;
  EXPECT_EQ(CountedCaller::nested.status, SYMPHONY_BAD_STATE);
  EXPECT_TRUE(call().ok());
}

TEST_F(ThreadLinksTest, WhenItGoesAllLinksGoAndItsThreadsCanCallAnother) {
  make(4);
  std::latch called(1), gone(1);
  std::thread other([&] {
    EXPECT_TRUE(call().ok());
    called.count_down();
    gone.wait();
    EXPECT_TRUE(call().ok()) << "of the next one";
  });
  called.wait();
  EXPECT_TRUE(call().ok());
  EXPECT_EQ(counts.open, 2);
  links.reset();
  EXPECT_EQ(counts.open, 0);
  make(4);
  gone.count_down();
  other.join();
  EXPECT_EQ(counts.opened, 3);
  EXPECT_EQ(counts.open, 0);
}

// Made before the thread's first call, so that it goes after the thread's links.
struct CallsInItsEnd {
  ~CallsInItsEnd() {
    if (links != nullptr) *status = links->call({}).status;
  }
  SharedLink* links = nullptr;
  std::int32_t* status = nullptr;
};

TEST_F(ThreadLinksTest, ACallInTheVeryEndOfAThreadIsRefused) {
  make(4);
  std::int32_t status = SYMPHONY_OK;
  std::thread([&] {
    static thread_local CallsInItsEnd late;
    late.links = &*links;
    late.status = &status;
    EXPECT_TRUE(call().ok());
  }).join();
  EXPECT_EQ(status, SYMPHONY_BAD_STATE);
  EXPECT_EQ(counts.open, 0);
}

}  // namespace
}  // namespace symphony::pit
