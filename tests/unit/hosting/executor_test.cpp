// The executor under many threads: what could go wrong is a task that runs twice, beside another, never, or whose
// result its caller does not see. Counters that are not atomic are guarded by the executor alone, so a second thread
// inside shows as a wrong sum, and as a report in the tsan preset.
#include "pits/hosting/executor.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <memory>
#include <thread>
#include <vector>

#include "tests/support/samples.hpp"

namespace symphony::pit {
namespace {

struct CountTask final : Executor::Task {
  explicit CountTask(std::uint64_t& shared) : total(&shared) {}
  void run() noexcept override {
    ++*total;
    answer = question + 1;
    ++runs;
  }
  std::uint64_t* total;
  std::uint64_t question = 0;
  std::uint64_t answer = 0;
  std::uint64_t runs = 0;
};

// Stays inside until it is told to go.
struct BlockTask final : Executor::Task {
  void run() noexcept override {
    entered.count_down();
    leave.wait();
  }
  std::latch entered{1};
  std::latch leave{1};
};

Executor::Seat seat_of(Executor& executor) { return std::move(executor.make_seat().value()); }

TEST(Executor, RunsATaskOnTheCallersThreadWhenFree) {
  Executor executor;
  auto seat = seat_of(executor);
  struct WhereTask final : Executor::Task {
    void run() noexcept override { where = std::this_thread::get_id(); }
    std::thread::id where;
  } task;
  EXPECT_EQ(executor.run(task, seat, no_deadline_ns), Executor::Ran::yes);
  EXPECT_EQ(task.where, std::this_thread::get_id());
}

TEST(Executor, EightThreadsEachGetEveryTaskRunOnceAndSeeTheirOwnResult) {
  constexpr int threads = 8;
  constexpr std::uint64_t calls = 20'000;
  Executor executor;
  std::uint64_t total = 0;
  std::latch go(threads);
  std::vector<std::thread> workers;
  workers.reserve(threads);
  std::atomic<std::uint64_t> wrong{0};
  for (int t = 0; t < threads; ++t) {
    workers.emplace_back([&, t] {
      auto seat = seat_of(executor);
      CountTask task(total);
      go.arrive_and_wait();
      for (std::uint64_t i = 0; i < calls; ++i) {
        task.question = static_cast<std::uint64_t>(t) * calls + i;
        if (executor.run(task, seat, no_deadline_ns) != Executor::Ran::yes) ++wrong;
        if (task.answer != task.question + 1 || task.runs != i + 1) ++wrong;
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(total, threads * calls);
  EXPECT_EQ(wrong.load(), 0U);
}

TEST(Executor, ThatOneThreadHadToItselfIsSharedFromThenOn) {
  // The first thread's long run makes it the door's owner; the others come while it goes on, with true barriers.
  constexpr std::uint64_t alone = 200;
  constexpr std::uint64_t calls = 500;
  for (std::uint64_t round = 0; round < test_run::samples(200); ++round) {
    Executor executor;
    std::uint64_t total = 0;
    std::latch others_may_come(1);
    const auto work = [&](std::uint64_t count) {
      auto seat = seat_of(executor);
      CountTask task(total);
      for (std::uint64_t i = 0; i < count; ++i) {
        if (executor.run(task, seat, no_deadline_ns) != Executor::Ran::yes) ADD_FAILURE();
        if (count != calls && i == alone) others_may_come.count_down();
      }
    };
    std::thread first([&] { work(alone + 2 * calls); });
    std::vector<std::thread> others;
    for (int t = 0; t < 2; ++t) {
      others.emplace_back([&] {
        others_may_come.wait();
        work(calls);
      });
    }
    first.join();
    for (std::thread& other : others) other.join();
    ASSERT_EQ(total, alone + 4 * calls) << "round " << round;
  }
}

TEST(Executor, ShortLongAndExpiringTasksOfManyThreadsAllEnd) {
  // Deadlines in the past or nearly so, seats that come and go, tasks long enough that waiters sleep: each run() ends,
  // and each task that says it has run has run once.
  constexpr int threads = 8;
  constexpr int calls = 2'000;
  Executor executor;
  std::uint64_t total = 0;
  std::atomic<std::uint64_t> said_yes{0};
  std::atomic<std::uint64_t> said_abandoned{0};
  struct SlowTask final : Executor::Task {
    SlowTask(std::uint64_t& shared, bool is_slow) : total(shared), slow(is_slow) {}
    void run() noexcept override {
      ++total;
      const TimeNs until = slow ? now_ns() + 50 * us_ns : 0;
      while (now_ns() < until) {
      }
    }
    std::uint64_t& total;
    bool slow;
  };
  std::vector<std::thread> workers;
  workers.reserve(threads);
  for (int t = 0; t < threads; ++t) {
    workers.emplace_back([&, t] {
      std::uint64_t random = static_cast<std::uint64_t>(t) + 1;  // the seed is the thread's number
      auto seat = seat_of(executor);
      for (int i = 0; i < calls; ++i) {
        random = random * 6364136223846793005ULL + 1442695040888963407ULL;
        if (i % 500 == 499) seat = seat_of(executor);
        auto task = std::make_unique<SlowTask>(total, (random >> 33) % 8 == 0);
        const TimeNs deadline = (random >> 40) % 4 == 0 ? now_ns() + 20 * us_ns : no_deadline_ns;
        switch (executor.run(*task, seat, deadline)) {
          case Executor::Ran::yes:
            ++said_yes;
            break;
          case Executor::Ran::abandoned:
            (void)task.release();
            ++said_abandoned;
            break;
          default:
            ADD_FAILURE() << "neither run nor abandoned";
        }
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(total, said_yes.load());
  EXPECT_EQ(said_yes.load() + said_abandoned.load(), static_cast<std::uint64_t>(threads) * calls);
}

TEST(Executor, ATaskThatIsStillQueuedAtItsDeadlineIsAbandonedAndNeverRuns) {
  Executor executor;
  BlockTask block;
  std::thread holder([&] {
    auto seat = seat_of(executor);
    EXPECT_EQ(executor.run(block, seat, no_deadline_ns), Executor::Ran::yes);
  });
  block.entered.wait();
  std::uint64_t total = 0;
  auto seat = seat_of(executor);
  auto late = std::make_unique<CountTask>(total);
  EXPECT_EQ(executor.run(*late, seat, now_ns()), Executor::Ran::abandoned);
  (void)late.release();
  block.leave.count_down();
  holder.join();
  CountTask next(total);
  EXPECT_EQ(executor.run(next, seat, no_deadline_ns), Executor::Ran::yes);
  EXPECT_EQ(total, 1U);
}

TEST(Executor, ATaskThatBeganBeforeItsDeadlineIsWaitedFor) {
  Executor executor;
  BlockTask first;
  BlockTask second;
  Executor::Ran ran{};
  std::thread holder([&] {
    auto seat = seat_of(executor);
    (void)executor.run(first, seat, no_deadline_ns);
  });
  first.entered.wait();
  std::atomic<bool> returned{false};
  const TimeNs deadline = now_ns() + second_ns;
  std::thread waiter([&] {
    auto seat = seat_of(executor);
    ran = executor.run(second, seat, deadline);
    returned = true;
  });
  first.leave.count_down();
  second.entered.wait();  // on one of the two threads
  while (now_ns() < deadline) std::this_thread::yield();
  EXPECT_FALSE(returned.load());
  second.leave.count_down();
  waiter.join();
  holder.join();
  EXPECT_EQ(ran, Executor::Ran::yes);
}

TEST(Executor, ThatIsFullRefusesOneMoreAndTakesItAgainLater) {
  constexpr std::uint32_t places = 3;
  Executor executor(places);
  BlockTask block;
  std::thread holder([&] {
    auto seat = seat_of(executor);
    (void)executor.run(block, seat, no_deadline_ns);
  });
  block.entered.wait();
  std::uint64_t total = 0;
  auto seat = seat_of(executor);
  for (std::uint32_t i = 0; i < places; ++i) {  // abandoned tasks keep their places until the holder passes
    auto late = std::make_unique<CountTask>(total);
    ASSERT_EQ(executor.run(*late, seat, now_ns()), Executor::Ran::abandoned) << i;
    (void)late.release();
  }
  CountTask one_more(total);
  EXPECT_EQ(executor.run(one_more, seat, no_deadline_ns), Executor::Ran::overloaded);
  block.leave.count_down();
  holder.join();
  EXPECT_EQ(executor.run(one_more, seat, no_deadline_ns), Executor::Ran::yes);
  EXPECT_EQ(total, 1U);
}

TEST(Executor, RefusesATaskFromInsideATaskOfItsOwn) {
  Executor executor;
  auto seat = seat_of(executor);
  struct NestTask final : Executor::Task {
    explicit NestTask(Executor& e) : executor(e) {}
    void run() noexcept override {
      auto inner_seat = seat_of(executor);
      std::uint64_t total = 0;
      CountTask inner(total);
      ran = executor.run(inner, inner_seat, no_deadline_ns);
    }
    Executor& executor;
    Executor::Ran ran{};
  } task(executor);
  EXPECT_EQ(executor.run(task, seat, no_deadline_ns), Executor::Ran::yes);
  EXPECT_EQ(task.ran, Executor::Ran::nested);
}

TEST(Executor, AHolderRunsABatchOf64AndThenHandsOver) {
  // 200 threads wait while the executor is held. Nobody but a holder runs another's task, so had the first holder run
  // all, every task would have run on its thread.
  constexpr int waiters = 200;
  Executor executor;
  BlockTask block;
  std::thread::id holder_id;
  std::atomic<int> on_holder{0};
  struct WhereTask final : Executor::Task {
    void run() noexcept override { where = std::this_thread::get_id(); }
    std::thread::id where;
  };
  std::thread holder([&] {
    auto seat = seat_of(executor);
    (void)executor.run(block, seat, no_deadline_ns);
  });
  holder_id = holder.get_id();
  block.entered.wait();
  std::vector<std::thread> all;
  all.reserve(waiters);
  for (int i = 0; i < waiters; ++i) {
    all.emplace_back([&] {
      auto seat = seat_of(executor);
      WhereTask task;
      EXPECT_EQ(executor.run(task, seat, no_deadline_ns), Executor::Ran::yes);
      if (task.where == holder_id) ++on_holder;
    });
  }
  while (executor.queued() < waiters) std::this_thread::yield();
  block.leave.count_down();
  for (std::thread& waiter : all) waiter.join();
  holder.join();
  EXPECT_LE(on_holder.load(), static_cast<int>(Executor::batch_max));
}

}  // namespace
}  // namespace symphony::pit
