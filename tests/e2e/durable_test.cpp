// A pit whose state outlives it, in truth: real processes, killed under load, and each call's fate told.
#include <sys/stat.h>

#include <gmock/gmock.h>

#include <atomic>
#include <cstring>
#include <mutex>
#include <random>
#include <set>
#include <vector>

#include "tests/e2e/counter.hpp"
#include "tests/support/samples.hpp"

namespace symphony {
namespace {

using testing::HasSubstr;

struct DurableTest : BusTest {
  void SetUp() override {}
  void start_counter(Durability durability) { start({counter(durability)}); }
  void kill_and_wait() {
    const auto before = broker->status().at(0).instance;
    ASSERT_TRUE(broker->kill_pit("counter"));
    ASSERT_TRUE(comes_true(
        [&] { return broker->status().at(0).instance > before && broker->status().at(0).state == "ready"; }));
  }
};

TEST_F(DurableTest, WithAJournalTheStateIsExactlyAsBeforeTheDeath) {
  start_counter(Durability::journal);
  Link link = open("counter");
  for (std::uint64_t i = 1; i <= 100; ++i) ASSERT_EQ(count_in(ask(link)), i);
  for (int death = 0; death < 3; ++death) {
    kill_and_wait();
    ASSERT_EQ(count_in(ask(link)), 101u + static_cast<std::uint64_t>(death));
  }
}

TEST_F(DurableTest, WithoutOneItBeginsAnew) {
  start_counter(Durability::none);
  Link link = open("counter");
  ASSERT_EQ(count_in(ask(link)), 1u);
  ASSERT_EQ(count_in(ask(link)), 2u);
  kill_and_wait();
  EXPECT_EQ(count_in(ask(link)), 1u);
}

TEST_F(DurableTest, WithSnapshotsItGoesOnFromTheLastOne) {
  PitConfig config = counter(Durability::snapshot);
  config.state.snapshot_after = 10;
  config.state.snapshot_after_ns = 3600 * second_ns;
  start({config});
  Link link = open("counter");
  for (std::uint64_t i = 1; i <= 25; ++i) ASSERT_EQ(count_in(ask(link)), i);
  kill_and_wait();
  EXPECT_EQ(count_in(ask(link)), 21u) << "the last snapshot was taken after the 20th";
}

TEST_F(DurableTest, ASnapshotIsTakenInTimeAlsoWhenNobodyCalls) {
  PitConfig config = counter(Durability::snapshot);
  config.state.snapshot_after = 1'000'000;
  config.state.snapshot_after_ns = 50 * ms_ns;
  start({config});
  Link link = open("counter");
  ASSERT_EQ(count_in(ask(link)), 1u);
  // Its next one comes by itself; how soon is the machine's matter.
  bool is_kept = false;
  for (std::uint64_t next = 1; !is_kept && next < 200; ++next) {
    comes_true([] { return false; }, 100 * ms_ns);  // nobody calls meanwhile
    kill_and_wait();
    const auto count = count_in(ask(link));
    ASSERT_TRUE(count);
    is_kept = *count > 1;
  }
  EXPECT_TRUE(is_kept);
}

TEST_F(DurableTest, AJournalThatIsFullIsFollowedByASnapshotAndTheNext) {
  PitConfig config = counter(Durability::journal);
  config.state.journal_size = 4096;
  start({config});
  Link link = open("counter");
  for (std::uint64_t i = 1; i <= 1000; ++i) ASSERT_EQ(count_in(ask(link)), i);
  kill_and_wait();
  EXPECT_EQ(count_in(ask(link)), 1001u);
}

TEST_F(DurableTest, ARequestThatFitsNoJournalIsRefusedAndTheStateStays) {
  PitConfig config = counter(Durability::journal);
  config.state.journal_size = 4096;
  start({config});
  Link link = open("counter");
  ASSERT_EQ(count_in(ask(link)), 1u);
  const std::vector<std::byte> large(8000);
  const Reply refused = link.call(5, large, {});
  EXPECT_EQ(refused.status, status::overloaded);
  EXPECT_THAT(std::string(refused.text), HasSubstr("raise the sizes"));
  EXPECT_EQ(count_in(ask(link)), 2u);
}

TEST_F(DurableTest, APitThatKeepsNoSnapshotsCannotBeDurableAndSaysSo) {
  PitConfig config = pit_config("probe");
  config.state.durability = Durability::journal;
  start({config});
  const auto link = endpoint->open("probe", {}, 30 * second_ns);
  ASSERT_FALSE(link);
  EXPECT_EQ(link.error().code, errc::quarantined);
}

TEST_F(DurableTest, SizesThatMakeNoSenseAreRefused) {
  for (const std::uint64_t size : {std::uint64_t{0}, std::uint64_t{4097}, std::uint64_t{1} << 32}) {
    PitConfig config = counter(Durability::journal);
    config.state.journal_size = size;
    BrokerOptions options;
    options.pits = {config};
    const auto started = EmbeddedBroker::start(std::move(options));
    ASSERT_FALSE(started) << size;
    EXPECT_THAT(started.error().text, HasSubstr("multiples of 4096"));
  }
}

// A message of one byte kills it, but in an instance that was started for the message alone.
TEST_F(DurableTest, AnInstanceForOneMessageBeginsWithACopyOfTheStateAndLeavesTheStateAlone) {
  char pattern[] = "/tmp/symphony-test-XXXXXX";
  ASSERT_NE(::mkdtemp(pattern), nullptr);
  for (const bool is_file : {false, true}) {
    for (const Durability durability : {Durability::journal, Durability::none}) {
      if (is_file && durability == Durability::none) continue;
      PitConfig config = counter(durability);
      if (is_file) config.state.folder = pattern;
      start({config});
      Link link = open("counter");
      for (std::uint64_t i = 1; i <= 20; ++i) ASSERT_EQ(count_in(ask(link)), i);
      const std::byte deadly[1] = {};
      const Reply alone = link.call(5, deadly, {.timeout_ns = 120 * second_ns, .effect = Effect::read});
      const bool is_kept = durability != Durability::none;
      EXPECT_EQ(count_in(alone), is_kept ? 21u : 1u) << alone.text;
      EXPECT_EQ(count_in(ask(link)), is_kept ? 21u : 1u) << "what it did alone is in nobody's state";
      EXPECT_EQ(broker->status().size(), 1u);
      link = Link();
      endpoint.reset();
      broker.reset();
    }
  }
  std::filesystem::remove_all(pattern);
}

TEST_F(DurableTest, ALinkOpenedAfterTheDeathFindsTheStateToo) {
  start_counter(Durability::journal);
  {
    Link link = open("counter");
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(ask(link).ok());
  }
  kill_and_wait();
  Link link = open("counter");
  EXPECT_EQ(count_in(ask(link)), 6u);
}

// ---- under load; of a daemon, with callers and brokers that die too: tests/soak

// Every call that ended well is in the state exactly once: the counts that callers were told are 1 to the last, each
// once, but for those of calls of which was said that they may have run, which are none here: with a journal a call
// whose ending was not sent has either happened, and its ending comes later, or it has not.
TEST_F(DurableTest, KilledUnderLoadItLosesNothingAndDoesNothingTwice) {
  start_counter(Durability::journal);
  History history;
  Callers callers(*this, 2, history);
  std::mt19937_64 random(test_run::seed());
  const std::uint64_t kills_wanted = test_run::samples(300);
  std::uint64_t kills = 0;
  while (kills < kills_wanted) {
    // After some calls more, or, one time in four, while it is still on its way up.
    const std::uint64_t until = random() % 4 == 0 ? 0 : history.made + random() % 1500;
    ASSERT_TRUE(comes_true([&] { return history.made >= until; }));
    if (broker->kill_pit("counter")) ++kills;
  }
  callers.join();
  Link link = open("counter");
  const std::uint64_t last = count_in(ask(link)).value();
  history.expect_nothing_lost_or_done_twice(last);
  std::printf("%llu kills, %llu calls, %llu of which may have run, %llu in the state\n",
              static_cast<unsigned long long>(kills), static_cast<unsigned long long>(history.messages),
              static_cast<unsigned long long>(history.may_have_run), static_cast<unsigned long long>(last - 1));
}

}  // namespace
}  // namespace symphony
