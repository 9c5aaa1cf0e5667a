#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>
#include <vector>

#include "bus/ring/mem.hpp"
#include "bus/wait/doorbell.hpp"
#include "bus/wait/futex.hpp"
#include "bus/wait/sleep.hpp"
#include "bus/wait/spin.hpp"

namespace symphony::detail {
namespace {

struct Page {
  Page()
      : words(static_cast<std::uint32_t*>(
            ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {}
  ~Page() { ::munmap(words, 4096); }
  std::uint32_t* words;
};

TEST(Futex, ReturnsAtOnceWhenTheWordAlreadyChanged) {
  Page page;
  page.words[0] = 7;
  const WaitWord word{&page.words[0], 6};
  EXPECT_EQ(wait_any({&word, 1}, no_deadline_ns), Wakeup::woken);
}

TEST(Futex, AnyOfManyWordsWakes) {
  Page page;
  std::vector<WaitWord> words;
  words.reserve(100);
  for (int i = 0; i < 100; ++i) words.push_back({&page.words[i], 0});
  const pid_t child = ::fork();
  if (child == 0) {
    for (;;) {
      std::atomic_ref<std::uint32_t>(page.words[99]).store(1);
      wake_all(&page.words[99]);
      if (std::atomic_ref<std::uint32_t>(page.words[100]).load() != 0) ::_exit(0);
    }
  }
  const Wakeup why = wait_any(words, deadline_after(60 * second_ns));
  std::atomic_ref<std::uint32_t>(page.words[100]).store(1);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(why, Wakeup::woken);
}

TEST(Futex, ADeadlineEndsTheSleep) {
  Page page;
  const TimeNs deadline = deadline_after(5 * ms_ns);
  const WaitWord words[2] = {{&page.words[0], 0}, {&page.words[16], 0}};
  Wakeup why = Wakeup::woken;
  while (now_ns() < deadline) why = wait_any(words, deadline);
  EXPECT_EQ(why, Wakeup::timeout);
  EXPECT_GE(now_ns(), deadline);
}

TEST(SpinUntil, StopsWhenReadyAndWhenTheTimeIsOver) {
  int polls = 0;
  EXPECT_TRUE(spin_until([&] { return ++polls == 1000; }, no_deadline_ns));
  EXPECT_FALSE(spin_until([] { return false; }, now_ns()));
}

TEST(SpinBudget, ShrinksWhenSpinningNeverPaysAndGrowsBackWhenItWould) {
  SpinBudget budget;
  const TimeNs start = budget.ns();
  for (int i = 0; i < 20; ++i) budget.slept(second_ns);
  EXPECT_EQ(budget.ns(), SpinBudget::min_ns);
  for (int i = 0; i < 20; ++i) budget.slept(SpinBudget::max_ns);
  EXPECT_EQ(budget.ns(), start);
}

// Words of one side as the other sees them; both sides on one mapping.
struct TwoSides {
  using Bell = Doorbell<RealMem, Order, Site>;
  std::uint32_t sleeping[2] = {}, bell[2] = {};
  Bell a{DoorbellWords{&sleeping[0], &bell[0], &sleeping[1], &bell[1]}};
  Bell b{DoorbellWords{&sleeping[1], &bell[1], &sleeping[0], &bell[0]}};
};

TEST(Doorbell, RingsOnlyForASleeper) {
  TwoSides sides;
  EXPECT_FALSE(sides.a.ring_if_sleeping());
  const WaitWord word = sides.b.arm();
  EXPECT_TRUE(sides.a.ring_if_sleeping());
  EXPECT_NE(*word.word, word.expected) << "a ring after arm() changes the value, so the sleep does not begin";
  sides.b.disarm();
  EXPECT_FALSE(sides.a.ring_if_sleeping());
  EXPECT_EQ(sides.a.wakes_sent(), 1u);
}

// One sleep of b, with a message of a at a point of b's steps.
struct OneSleep {
  TwoSides sides;
  std::uint64_t token = 0;
  SleepCounters counters;

  void publish(bool ring = true) {
    RealMem::store<Order::seq_cst, Site::header>(&token, std::uint64_t{1});
    if (ring) sides.a.ring_if_sleeping();
  }
  [[nodiscard]] bool here() const { return RealMem::load<Order::seq_cst, Site::header>(&token) != 0; }
  template <class Look>
  bool wait(Look&& look, const WaitWord& word) {
    return sleep_unless<RealMem, Order, Site>(look, {&word, 1}, deadline_after(2 * ms_ns), false, counters);
  }
};

TEST(SleepUnless, WhatCameBeforeTheFlagIsFoundByTheLookAndWithoutTheLookIsCountedAsLost) {
  OneSleep honest;
  honest.publish();
  EXPECT_TRUE(honest.wait([&] { return honest.here(); }, honest.sides.b.arm()));
  EXPECT_EQ(honest.counters.sleeps, 0u);

  OneSleep blind;
  blind.publish();
  int looks = 0;
  EXPECT_TRUE(blind.wait([&] { return looks++ != 0 && blind.here(); }, blind.sides.b.arm()));
  EXPECT_EQ(blind.counters.timeouts_with_data, 1u);
}

TEST(SleepUnless, ARingBetweenLookAndSleepEndsTheSleepUnlessTheBellsValueIsTakenAfterIt) {
  OneSleep honest;
  const WaitWord word = honest.sides.b.arm();
  EXPECT_TRUE(honest.wait(
      [&] {
        const bool seen = honest.here();
        if (!seen) honest.publish();
        return seen;
      },
      word));
  EXPECT_EQ(honest.counters.sleeps, 1u);
  EXPECT_EQ(honest.counters.timeouts, 0u);

  OneSleep late;
  (void)late.sides.b.arm();
  EXPECT_FALSE(late.here());
  late.publish();
  const WaitWord value_after_look = late.sides.b.arm();
  int looks = 0;
  EXPECT_TRUE(late.wait([&] { return looks++ != 0 && late.here(); }, value_after_look));
  EXPECT_EQ(late.counters.timeouts_with_data, 1u);
}

TEST(SleepUnless, TellsApartWhatASleepCameTo) {
  OneSleep one;
  EXPECT_FALSE(one.wait([&] { return one.here(); }, one.sides.b.arm()));
  EXPECT_EQ(one.counters.timeouts, 1u);
  const WaitWord armed = one.sides.b.arm();
  one.sides.a.ring();
  EXPECT_FALSE(one.wait([&] { return one.here(); }, armed));
  EXPECT_EQ(one.counters.spurious, 1u);
  EXPECT_EQ(one.counters.sleeps, 2u);
  EXPECT_EQ(one.counters.timeouts_with_data, 0u);
  EXPECT_EQ(one.sides.a.wakes_sent(), 1u);
  EXPECT_EQ(one.sides.a.wakes_needed(), 0u) << "nobody slept yet when it rang";
}

// What could go wrong: a wake-up is lost and a side sleeps although there is work. Two threads hand a token back and
// forth and sleep for it each time; a lost wake-up shows as a sleep that ran into its deadline.
TEST(Doorbell, NoWakeUpIsLostBetweenTwoSleepers) {
  TwoSides sides;
  std::uint64_t token = 0;  // even: a's turn
  constexpr std::uint64_t rounds = 20'000;
  std::atomic<int> timeouts{0};
  const auto play = [&](TwoSides::Bell& bell, std::uint64_t mine) {
    for (;;) {
      std::uint64_t seen = RealMem::load<Order::seq_cst, Site::header>(&token);
      while (seen < rounds && seen % 2 != mine) {
        const WaitWord word = bell.arm();
        if (RealMem::load<Order::seq_cst, Site::header>(&token) == seen) {
          if (wait_any({&word, 1}, deadline_after(20 * second_ns)) == Wakeup::timeout) ++timeouts;
        }
        bell.disarm();
        seen = RealMem::load<Order::seq_cst, Site::header>(&token);
      }
      if (seen >= rounds) break;
      RealMem::store<Order::seq_cst, Site::header>(&token, seen + 1);
      bell.ring_if_sleeping();
    }
    bell.ring();
  };
  std::thread other([&] { play(sides.b, 1); });
  play(sides.a, 0);
  other.join();
  EXPECT_EQ(timeouts.load(), 0);
}

}  // namespace
}  // namespace symphony::detail
