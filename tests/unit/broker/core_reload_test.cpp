// Another set of pits while the broker runs: what could go wrong is that a pit changes its place, so that records and
// processes mean another one, that a removed pit lives on, or that the next broker falls back to the old set.
#include <algorithm>
#include <map>

#include <gtest/gtest.h>

#include "bus/broker/pit_slots.hpp"
#include "tests/unit/broker/core_driver.hpp"

namespace symphony::detail::broker {
namespace {

using namespace control;

// What the world outside holds over a broker's death.
struct Outside {
  std::map<std::uint64_t, std::vector<std::byte>> records;
  std::vector<PitConfig> slots;
  void watch(const std::deque<Action>& actions) {
    for (const Action& a : actions) {
      if (const auto* put = std::get_if<PutRecord>(&a)) records[put->key] = put->blob;
      if (const auto* gone = std::get_if<DeleteRecord>(&a)) records.erase(gone->key);
      if (const auto* keep = std::get_if<KeepConfig>(&a)) slots = keep->slots;
    }
  }
  CoreDriver next(TimeNs now, std::vector<ProcessFound> processes) const {
    CoreDriver d(slots, 2, true);
    d.now = now;
    Begin b{std::move(processes), {}};
    for (const auto& [key, blob] : records) b.records.push_back({key, blob});
    d.step(b);
    return d;
  }
};

Answer reload(CoreDriver& d, ConnId conn, std::vector<PitConfig> pits, std::string trouble = {}) {
  d.command(conn, Verb::reload);
  std::optional<ReadConfig> read;
  for (const Action& a : d.out) {
    if (const auto* r = std::get_if<ReadConfig>(&a)) read = *r;
  }
  EXPECT_TRUE(read);
  d.step(ConfigRead{read->conn, read->correlation, std::move(trouble), std::move(pits)});
  const auto answer = d.said_to_caller<Answer>();
  EXPECT_TRUE(answer);
  return answer.value_or(Answer{});
}

std::vector<std::string> names(const CoreDriver& d) {
  std::vector<std::string> out;
  for (const PitInfo& pit : d.core.status()) out.push_back(pit.name);
  return out;
}

TEST(Reload, StartsWhatIsNewStopsWhatIsGoneAndLeavesTheRestAlone) {
  CoreDriver d(some_pits(2));
  d.begin();
  d.pit_ready(0);
  d.pit_ready(1);
  const auto c = d.caller();
  d.out.clear();
  auto pits = some_pits(3);
  pits.erase(pits.begin());
  const auto answer = reload(d, c, pits);
  EXPECT_EQ(answer.code, code_done);
  EXPECT_EQ(std::tuple(answer.added, answer.removed, answer.changed), std::tuple(1U, 1U, 0U));
  const auto stop = std::find_if(d.out.begin(), d.out.end(), [](const Action& a) {
    const auto* sent = std::get_if<SendToPit>(&a);
    return sent != nullptr && std::holds_alternative<Stop>(sent->message);
  });
  ASSERT_NE(stop, d.out.end());
  EXPECT_EQ(std::get<SendToPit>(*stop).pit, 0U);
  EXPECT_EQ(d.count<SpawnPit>(), 1U);
  d.step(PitExited{0, 1, false, 0});
  EXPECT_EQ(names(d), (std::vector<std::string>{"pit1", "pit2"}));
  EXPECT_EQ(d.core.pit_state(1), PitState::ready);
  EXPECT_EQ(d.core.index_of("pit2"), 2U) << "nobody changes places";
  d.open(c, "pit0");
  EXPECT_EQ(d.to_caller<Refused>()->code, errc::not_found);
}

TEST(Reload, StartsAChangedPitAgainAndItsLinksAttachToTheNextInstance) {
  auto d = ready_driver();
  const auto c = d.caller();
  d.open(c);
  const auto first = d.attach_until(c, LinkState::open);
  d.out.clear();
  auto pits = some_pits(1);
  pits[0].args = {"--new"};
  EXPECT_EQ(reload(d, c, pits).changed, 1U);
  EXPECT_TRUE(d.said_to_pit<Stop>());
  EXPECT_EQ(d.core.config_of(0).args, pits[0].args);
  d.pit_exits(false, 0);
  d.pit_ready();
  EXPECT_GT(d.attach_until(c, LinkState::open).epoch, first.epoch);
  d.out.clear();
  const auto again = reload(d, c, pits);
  EXPECT_EQ(std::tuple(again.added, again.removed, again.changed), std::tuple(0U, 0U, 0U));
  EXPECT_FALSE(d.said_to_pit<Stop>());
}

// A ring that got smaller would not take again what was sent before.
TEST(Reload, WithOtherRingSizesIsForLinksThatAreOpenedFromThenOn) {
  auto pits = some_pits(1);
  pits[0].rings = {8192, 16384};
  CoreDriver d = ready_driver(pits);
  const ConnId c = d.caller(), op = d.caller();
  d.open(c);
  const Attachment at = d.attach_until(c, LinkState::open);
  pits[0].rings = {4096, 4096};
  EXPECT_EQ(reload(d, op, pits).changed, 1U);
  d.pit_exits(false, 0);
  d.pit_ready();
  const auto again = d.take<MakeSegments>();
  ASSERT_TRUE(again);
  EXPECT_EQ((RingSizes{again->request_capacity, again->reply_capacity}), (RingSizes{8192, 16384}));
  EXPECT_EQ(again->link, at.link);
  d.open(c);
  const auto next = d.take<MakeSegments>();
  ASSERT_TRUE(next);
  EXPECT_EQ((RingSizes{next->request_capacity, next->reply_capacity}), (RingSizes{4096, 4096}));
}

TEST(Reload, WithTroubleChangesNothing) {
  auto d = ready_driver();
  const auto c = d.caller();
  d.out.clear();
  const auto broken = reload(d, c, {}, "pit.toml: line 3: unknown key 'nmae'");
  EXPECT_EQ(broken.code, errc::invalid_argument);
  EXPECT_NE(broken.text.find("line 3"), std::string::npos);
  d.out.clear();
  auto twice = some_pits(1);
  twice.push_back(twice[0]);
  EXPECT_EQ(reload(d, c, twice).code, errc::invalid_argument);
  EXPECT_EQ(d.core.pit_state(0), PitState::ready);
  EXPECT_EQ(d.count<KeepConfig>(), 0U);
}

TEST(Reload, MendsAQuarantinedPitAndLeavesOneThatAnOperatorStopped) {
  CoreDriver d(some_pits(2));
  d.begin();
  d.pit_exits(false, 125, 0);
  d.pit_ready(1);
  const auto c = d.caller();
  d.command(c, Verb::stop, "pit1");
  d.pit_exits(false, 0, 1);
  auto pits = some_pits(2);
  for (PitConfig& pit : pits) pit.config = "{}";
  d.out.clear();
  EXPECT_EQ(reload(d, c, pits).changed, 2U);
  EXPECT_EQ(d.core.pit_state(0), PitState::starting);
  EXPECT_EQ(d.core.pit_state(1), PitState::stopped);
}

TEST(Reload, OfMorePitsThanThereArePlacesChangesNothingUntilRemovedOnesAreGone) {
  CoreDriver d(some_pits(pits_max));
  d.begin();
  for (PitIndex i = 0; i < pits_max; ++i) d.pit_ready(i);
  const auto c = d.caller();
  auto pits = some_pits(pits_max);
  pits[5].name = "new";
  d.out.clear();
  EXPECT_EQ(reload(d, c, pits).code, errc::busy);
  EXPECT_TRUE(d.core.index_of("pit5"));
  auto fewer = some_pits(pits_max);
  fewer.erase(fewer.begin() + 5);
  d.out.clear();
  EXPECT_EQ(reload(d, c, fewer).code, code_done);
  d.step(PitExited{5, 1, false, 0});
  d.out.clear();
  EXPECT_EQ(reload(d, c, pits).code, code_done);
  EXPECT_EQ(d.core.index_of("new"), 5U);
  EXPECT_EQ(d.take<SpawnPit>()->instance, 2U) << "the old one's number is not used again";
}

TEST(Reload, HoldsForTheNextBroker) {
  CoreDriver d(some_pits(2), 1, true);
  d.begin();
  d.pit_ready(0);
  d.pit_ready(1);
  auto pits = some_pits(3);
  pits.erase(pits.begin());
  pits[0].args = {"--new"};
  reload(d, d.caller(), pits);
  Outside outside;
  outside.watch(d.out);
  // It died before anything of it was done: both old processes run, the new one was never there.
  auto next = outside.next(d.now, {{0, 1, 101}, {1, 1, 102}});
  EXPECT_EQ(names(next), (std::vector<std::string>{"(removed)", "pit1", "pit2"}));
  EXPECT_EQ(next.core.pit_state(0), PitState::stopping);
  EXPECT_EQ(next.core.pit_state(1), PitState::stopping);
  EXPECT_EQ(next.core.pit_state(2), PitState::backoff) << "its start was lost with the broker; it is tried again";
  next.step(PitExited{0, 1, false, 0});
  next.step(PitExited{1, 1, false, 0});
  EXPECT_EQ(names(next), (std::vector<std::string>{"pit1", "pit2"}));
  EXPECT_EQ(next.core.pit_state(1), PitState::starting);
  outside.watch(next.out);
  EXPECT_EQ(outside.records.count(pit_key(0)), 0U);
}

TEST(Reload, WhoseKeepingWasTheLastThingABrokerDidIsDoneByTheNext) {
  CoreDriver d(some_pits(1), 1, true);
  d.begin();
  d.pit_ready();
  Outside outside;
  outside.watch(d.out);  // records of before
  outside.slots = some_pits(2);
  outside.slots[0].config = "new";
  auto next = outside.next(d.now, {{0, 1, 101}});
  EXPECT_TRUE(next.said_to_pit<Stop>()) << "its process was started with something else";
  EXPECT_EQ(next.core.pit_state(1), PitState::starting);
}

TEST(Reload, ThatCouldNotBeKeptLeavesNoProcessToTheNextBroker) {
  CoreDriver d(some_pits(1), 2, true);  // knows of one place; two processes run
  d.step(Begin{{{0, 1, 101}, {1, 1, 102}}, {}});
  EXPECT_EQ(d.count<KillPit>(), 1U);
  EXPECT_EQ(d.take<KillPit>()->pit, 1U);
}

}  // namespace
}  // namespace symphony::detail::broker
