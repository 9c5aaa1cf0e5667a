// Traps of a pit whose state is kept. What could go wrong: what a trapped message did stays, what others did goes, a
// caller that waits hears nothing, or the state is no longer the one that the undisturbed pit has.
#include <gtest/gtest.h>

#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "pits/hosting/durable/in_process_keeper.hpp"
#include "pits/hosting/static/static_host.hpp"
#include "pits/hosting/wasm/wasm_host.hpp"
#include "tests/e2e/kept/tally.hpp"
#include "tests/support/samples.hpp"

SYMPHONY_DECLARE_PIT(tally);

namespace symphony::pit {
namespace {

constexpr TimeNs never_ns = std::int64_t{1} << 50;

StatePolicy policy_of(Durability durability) {
  StatePolicy policy;
  policy.durability = durability;
  policy.snapshot_size_max = 16 * 1024;
  policy.journal_size = 8 * 1024;  // some 80 messages: each history fills several
  policy.snapshot_after = 5;
  policy.snapshot_after_ns = never_ns;
  policy.is_synced = false;
  return policy;
}

struct Heard final : EventSink {
  void on_event(std::uint32_t, std::span<const std::byte> body) noexcept override {
    std::memcpy(&numbers.emplace_back(), body.data(), sizeof(std::uint64_t));
  }
  std::vector<std::uint64_t> numbers;
};

std::unique_ptr<WasmHost> mounted(const StatePolicy& policy, WasmOptions options = {}) {
  options.seed = 42;
  if (policy.durability != Durability::none) {
    EXPECT_TRUE(make_state_keeper("tally", policy, options.keeper).ok());
  }
  std::unique_ptr<WasmHost> host;
  const Outcome outcome = WasmHost::mount(SYMPHONY_WASM_TALLY, options, host);
  EXPECT_TRUE(outcome.ok()) << outcome.text;
  return host;
}
std::unique_ptr<Link> link_to(Host& host) {
  std::unique_ptr<Link> link;
  EXPECT_TRUE(host.open(link).ok());
  return link;
}
Reply send(Link& link, std::uint32_t type, tally::Entry entry = {}) {
  return link.call({.type = type, .body = std::as_bytes(std::span(&entry, 1))});
}
tally::Report report_of(const Reply& reply) {
  EXPECT_TRUE(reply.ok()) << reply.status << " " << reply.text;
  tally::Report report;
  EXPECT_EQ(reply.body.size(), sizeof report);
  if (reply.body.size() == sizeof report) std::memcpy(&report, reply.body.data(), sizeof report);
  return report;
}
tally::Report look(Link& link) { return report_of(send(link, tally::look)); }

// What the pit is meant to be, without a pit.
struct Model {
  tally::Report now;
  std::deque<std::pair<std::uint64_t, std::uint64_t>> waiting;  // tag, number
  void mix(std::uint64_t word) { now.hash = (now.hash ^ word) * 0x94d049bb133111eb + 1; }
  void keep(const tally::Entry& e) {
    if (e.number != now.last.at(e.caller) + 1) ++now.wrong;
    now.last.at(e.caller) = e.number;
    ++now.entries;
    mix(e.caller * 1'000'003 + e.number);
  }
  [[nodiscard]] tally::Report report() const {
    tally::Report out = now;
    out.waiting = waiting.size();
    return out;
  }
};

constexpr std::uint32_t traps[] = {tally::trap, tally::reply_then_trap, tally::end_then_trap};

// One history: after each message the pit and the model say the same, and every call has the ending that it must have.
class History {
 public:
  History(Durability durability, std::uint64_t seed, std::string folder = {})
      : durability_(durability), random_(seed), policy_(policy_of(durability)) {
    policy_.folder = std::move(folder);
    host_ = mounted(policy_);
    for (int i = 0; i < 3; ++i) links_.push_back(link_to(*host_));
  }

  void run(std::uint64_t steps, bool traps_after_each) {
    for (std::uint64_t i = 0; i < steps && !testing::Test::HasFailure(); ++i) {
      step();
      if (traps_after_each || random_() % 4 == 0) trap();
      if (random_() % 8 == 0) compare();
    }
    compare();
    EXPECT_EQ(host_->rebuilds(), traps_);
  }
  [[nodiscard]] std::uint64_t count() const { return traps_; }

 private:
  void step() {
    const std::uint64_t who = random_() % links_.size();
    const tally::Entry entry{who, model_.now.last.at(who) + 1};
    switch (random_() % 4) {
      case 0: {
        ASSERT_TRUE(links_[who]->try_start({.type = tally::wait, .body = std::as_bytes(std::span(&entry, 1))}, ++tag_));
        model_.keep(entry);
        model_.waiting.emplace_back(tag_, entry.number);
        committed();
        break;
      }
      case 1: {
        const auto report = report_of(send(*links_[who], tally::end_oldest, entry));
        model_.keep(entry);
        if (!model_.waiting.empty()) {
          const auto [tag, number] = model_.waiting.front();
          model_.waiting.pop_front();
          // Where the state went back, it may have been told already: then that was its one ending.
          if (!ended_.contains(tag)) expect(tag, static_cast<std::int32_t>(1000 + number));
        }
        EXPECT_EQ(report, model_.report());
        committed();
        break;
      }
      default: {
        const auto report = report_of(send(*links_[who], tally::add, entry));
        model_.keep(entry);
        EXPECT_EQ(report, model_.report());
        committed();
        break;
      }
    }
  }
  void trap() {
    const std::uint64_t who = random_() % links_.size();
    const std::uint32_t type = traps[random_() % std::size(traps)];
    const Reply reply = send(*links_[who], type, {who, model_.now.last.at(who) + 1});
    ++traps_;
    auto waited = model_.waiting;
    // Without durability nothing is undone: what left before the trap has left.
    const bool has_left = durability_ == Durability::none;
    if (has_left && type == tally::reply_then_trap) {
      EXPECT_EQ(reply.status, SYMPHONY_OK) << reply.text;
    } else {
      EXPECT_EQ(reply.status, SYMPHONY_TRAPPED) << reply.text;
      EXPECT_NE(reply.text.find("trapped"), std::string_view::npos) << reply.text;
    }
    if (has_left && type == tally::end_then_trap && !waited.empty()) {
      expect(waited.front().first, static_cast<std::int32_t>(1000 + waited.front().second));
      waited.pop_front();
    }
    if (durability_ == Durability::none) model_ = {};
    if (durability_ == Durability::snapshot) model_ = saved_;
    uncommitted_ = 0;
    saved_ = model_;
    // Who waited, and is not known to the state that is there now.
    for (const auto& [tag, number] : waited) {
      const bool waits_still = std::any_of(model_.waiting.begin(), model_.waiting.end(),
                                           [tag = tag](const auto& one) { return one.first == tag; });
      if (!waits_still && !ended_.contains(tag)) expect(tag, SYMPHONY_TRAPPED);
    }
  }
  void compare() {
    EXPECT_EQ(report_of(send(*links_[0], tally::look)), model_.report());
    committed();
    for (const auto& link : links_) {
      std::uint64_t tag = 0;
      for (Reply reply; link->try_take(tag, reply);) {
        ASSERT_TRUE(expected_.contains(tag)) << "an ending that is none: " << reply.status << " " << reply.text;
        EXPECT_EQ(reply.status, expected_.at(tag)) << reply.text;
        expected_.erase(tag);
      }
    }
    EXPECT_TRUE(expected_.empty()) << "calls that have no ending: " << expected_.size();
  }
  void expect(std::uint64_t tag, std::int32_t status) {
    expected_[tag] = status;
    ended_.insert({tag, true});
  }
  // As the policy says: a snapshot after so many messages.
  void committed() {
    if (durability_ == Durability::snapshot && ++uncommitted_ >= policy_.snapshot_after) {
      uncommitted_ = 0;
      saved_ = model_;
    }
  }

  const Durability durability_;
  std::mt19937_64 random_;
  StatePolicy policy_;
  std::unique_ptr<WasmHost> host_;
  std::vector<std::unique_ptr<Link>> links_;
  Model model_, saved_;
  std::uint64_t uncommitted_ = 0, tag_ = 0, traps_ = 0;
  std::map<std::uint64_t, std::int32_t> expected_;
  std::map<std::uint64_t, bool> ended_;
};

struct KeptWasm : testing::Test {
  void SetUp() override {
    char pattern[] = "/tmp/symphony-test-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern), nullptr);
    folder = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder); }
  std::string folder;
};

TEST_F(KeptWasm, AfterATrapAtAnyMessageOfAHistoryTheStateIsWhatItsDurabilityPromises) {
  std::uint64_t trapped = 0;
  for (const Durability durability : {Durability::none, Durability::snapshot, Durability::journal}) {
    for (std::uint64_t seed = 0; seed < test_run::samples(10); ++seed) {
      SCOPED_TRACE(std::string(name_of(durability)) + " seed " + std::to_string(test_run::seed() + seed));
      History history(durability, test_run::seed() + seed);
      history.run(100, true);
      trapped += history.count();
      if (HasFailure()) return;
    }
  }
  std::printf("%llu traps\n", static_cast<unsigned long long>(trapped));
}

TEST_F(KeptWasm, InAFolderItIsTheSame) {
  for (const Durability durability : {Durability::snapshot, Durability::journal}) {
    const std::string own = folder + "/" + std::string(name_of(durability));
    std::filesystem::create_directory(own);
    ::chmod(own.c_str(), 0700);
    History history(durability, test_run::seed(), own);
    history.run(100, false);
    EXPECT_GT(history.count(), 0U);
  }
}

// The undisturbed pit is linked in, from the same seed: random numbers, timers and all.
TEST_F(KeptWasm, WithAJournalItIsToTheLastByteThePitThatNeverTrapped) {
  std::mt19937_64 random(test_run::seed());
  std::unique_ptr<StaticHost> calm;
  ASSERT_TRUE(StaticHost::mount(*symphony_pit_tally(), {.seed = 42}, calm).ok());
  const auto stormy = mounted(policy_of(Durability::journal));
  const auto in_calm = link_to(*calm), in_storm = link_to(*stormy);
  const auto both = [&](auto&& act) { act(*calm, *in_calm), act(*stormy, *in_storm); };
  std::uint64_t number = 0;
  TimeNs clock = 1000;
  both([&](Host& host, Link&) { ASSERT_TRUE(host.feed(7, clock).ok()); });
  for (std::uint64_t i = 0; i < test_run::samples(400); ++i) {
    const std::uint64_t what = random() % 4;
    if (what == 0) {
      clock += 500;
      both([&](Host& host, Link&) { ASSERT_TRUE(host.feed(i + 1, clock).ok()); });
    }
    const std::uint32_t type = what == 1 ? tally::ask_random : what == 2 ? tally::arm : tally::add;
    const std::uint64_t argument = type == tally::arm ? static_cast<std::uint64_t>(clock) + random() % 2000 : ++number;
    both([&](Host&, Link& link) { ASSERT_TRUE(send(link, type, {0, argument}).ok()); });
    ASSERT_EQ(send(*in_storm, traps[random() % std::size(traps)], {0, number + 1}).status, SYMPHONY_TRAPPED);
    Snapshot of_calm, of_storm;
    ASSERT_TRUE(calm->snapshot(of_calm).ok());
    ASSERT_TRUE(stormy->snapshot(of_storm).ok());
    ASSERT_EQ(of_calm.bytes, of_storm.bytes) << "after " << i;
    ASSERT_EQ(of_calm.timers, of_storm.timers) << "after " << i;
  }
}

TEST_F(KeptWasm, AHandlerThatHangsOrTakesAllMemoryIsUndoneToo) {
  WasmOptions options;
  options.budget_ms = 200;
  const auto host = mounted(policy_of(Durability::journal), options);
  const auto link = link_to(*host);
  for (std::uint64_t i = 1; i <= test_run::samples(6); ++i) {
    ASSERT_TRUE(send(*link, tally::add, {0, i}).ok());
    const Reply reply = send(*link, i % 2 == 0 ? tally::hang : tally::eat, {0, i + 1});
    ASSERT_EQ(reply.status, SYMPHONY_TRAPPED);
    const auto report = look(*link);
    EXPECT_EQ(report.entries, i);
    EXPECT_EQ(report.wrong, 0U);
  }
}

TEST_F(KeptWasm, WhatATrappedMessagePublishedNobodyHears) {
  Heard heard;
  WasmOptions options;
  options.events = &heard;
  const auto host = mounted(policy_of(Durability::journal), options);
  const auto link = link_to(*host);
  ASSERT_TRUE(send(*link, tally::publish, {0, 1}).ok());
  ASSERT_EQ(send(*link, tally::publish_then_trap, {0, 2}).status, SYMPHONY_TRAPPED);
  ASSERT_TRUE(send(*link, tally::publish, {0, 2}).ok());
  EXPECT_EQ(heard.numbers, (std::vector<std::uint64_t>{1, 2}));
}

TEST_F(KeptWasm, ATimerThatTrapsHoldsUpNobodyAndIsTriedAgain) {
  const auto host = mounted(policy_of(Durability::journal));
  const auto link = link_to(*host);
  const TimeNs begun = now_ns(), deadline = begun + 60 * second_ns;
  ASSERT_TRUE(send(*link, tally::arm_trap, {0, 1}).ok());
  std::uint64_t number = 0;
  while (host->rebuilds() < 3 && now_ns() < deadline) {
    ASSERT_TRUE(send(*link, tally::add, {0, ++number}).ok());
    std::this_thread::yield();
  }
  EXPECT_GE(host->rebuilds(), 3U);
  EXPECT_GE(now_ns() - begun, 300 * ms_ns) << "at once, after 100 ms, and after 200 more";
  const auto report = look(*link);
  EXPECT_EQ(report.entries, number);
  EXPECT_EQ(report.timers, 0U) << "what it did is undone";
}

TEST_F(KeptWasm, CallersOfOtherThreadsLoseNothingByTheTrapsOfOne) {
  const auto host = mounted(policy_of(Durability::journal));
  constexpr std::uint64_t calls = 2000;
  std::atomic<std::uint64_t> running{3};
  std::vector<std::thread> callers;
  for (std::uint64_t who = 0; who < 3; ++who) {
    callers.emplace_back([&, who] {
      const auto link = link_to(*host);
      for (std::uint64_t number = 1; number <= test_run::samples(calls); ++number) {
        const Reply reply = send(*link, tally::add, {who, number});
        if (!reply.ok()) ADD_FAILURE() << reply.status << " " << reply.text;
      }
      --running;
    });
  }
  const auto link = link_to(*host);
  do {
    EXPECT_EQ(send(*link, tally::trap, {7, 1}).status, SYMPHONY_TRAPPED);
  } while (running.load() != 0);
  for (std::thread& one : callers) one.join();
  const auto report = look(*link);
  EXPECT_EQ(report.entries, 3 * test_run::samples(calls));
  EXPECT_EQ(report.wrong, 0U);
  EXPECT_EQ(report.last[7], 0U);
}

TEST_F(KeptWasm, ARestoreIsKeptOverTheNextTrapAndEndsWhoWaits) {
  const auto host = mounted(policy_of(Durability::journal));
  const auto link = link_to(*host);
  ASSERT_TRUE(send(*link, tally::add, {0, 1}).ok());
  Snapshot kept;
  ASSERT_TRUE(host->snapshot(kept).ok());
  const tally::Entry entry{0, 2};
  ASSERT_TRUE(link->try_start({.type = tally::wait, .body = std::as_bytes(std::span(&entry, 1))}, 9));
  ASSERT_TRUE(host->restore(kept).ok());
  std::uint64_t tag = 0;
  Reply reply;
  ASSERT_TRUE(link->try_take(tag, reply));
  EXPECT_EQ(reply.status, SYMPHONY_CRASHED_ACCEPTED);
  ASSERT_EQ(send(*link, tally::trap, {0, 2}).status, SYMPHONY_TRAPPED);
  EXPECT_EQ(look(*link).entries, 1U);
}

}  // namespace
}  // namespace symphony::pit
