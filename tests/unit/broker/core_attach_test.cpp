// The attach of links, rule by rule (A1-A5 of the link protocol). What could go wrong: a side gets the other's memory
// before it is sealed, or an open that cannot be fulfilled hangs.
#include <gtest/gtest.h>

#include <cerrno>

#include "tests/unit/broker/core_driver.hpp"

namespace symphony::detail::broker {
namespace {

using namespace control;

TEST(Attach, WaitsForAPitThatIsNotReadyYet) {
  CoreDriver d;
  d.begin();
  const auto c = d.caller();
  d.open(c);
  EXPECT_FALSE(d.said_to_caller<Refused>());
  EXPECT_EQ(d.count<MakeSegments>(), 0U);
  d.pit_ready();
  EXPECT_EQ(d.count<MakeSegments>(), 1U);
}

TEST(Attach, StartsAPitThatIsStartedOnDemand) {
  CoreDriver d(some_pits(1, false));
  d.begin();
  EXPECT_EQ(d.count<SpawnPit>(), 0U);
  const auto c = d.caller();
  d.open(c);
  EXPECT_EQ(d.count<SpawnPit>(), 1U);
  d.pit_ready();
  EXPECT_EQ(d.count<MakeSegments>(), 1U);
}

TEST(Attach, RefusesAnUnknownNameAtOnce) {
  auto d = ready_driver();
  const auto c = d.caller();
  d.open(c, "nobody");
  const auto refused = d.to_caller<Refused>();
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->code, errc::not_found);
  EXPECT_EQ(refused->correlation, d.correlation);
  EXPECT_EQ(d.core.link_count(), 0U);
}

TEST(Attach, GivesAHostilePitAndItsCallerOnlyTheirOwnSegmentFirst) {
  auto pits = some_pits(1);
  pits[0].trust = Trust::hostile;
  auto d = ready_driver(std::move(pits));
  const auto c = d.caller();
  d.open(c);
  const auto made = d.take<MakeSegments>();
  ASSERT_TRUE(made);
  EXPECT_TRUE(d.out.empty());
  d.step(SegmentsMade{made->link, made->epoch});
  const auto for_pit = d.to_pit<Own>();
  ASSERT_TRUE(for_pit);
  EXPECT_EQ(d.last_fds, std::vector<FdName>{FdName::pit_segment_rw});
  const auto for_caller = d.to_caller<Own>();
  ASSERT_TRUE(for_caller);
  EXPECT_EQ(d.last_fds, std::vector<FdName>{FdName::caller_segment_rw});
  EXPECT_EQ(for_caller->correlation, d.correlation);
  EXPECT_EQ(for_pit->correlation, 0U);
  EXPECT_EQ(for_pit->request_salt, for_caller->request_salt);
  EXPECT_EQ(for_pit->reply_salt, for_caller->reply_salt);
  EXPECT_EQ(for_pit->at, for_caller->at);
}

TEST(Attach, GivesBothSegmentsToBothSidesOfAWriteBackLinkBeforeTheSeal) {
  for (const Trust trust : {Trust::trusted, Trust::cooperative}) {
    auto pits = some_pits(1);
    pits[0].trust = trust;
    auto d = ready_driver(std::move(pits));
    d.open(d.caller());
    const auto made = d.take<MakeSegments>();
    ASSERT_TRUE(made);
    d.step(SegmentsMade{made->link, made->epoch});
    ASSERT_TRUE(d.to_pit<Own>());
    EXPECT_EQ(d.last_fds, (std::vector<FdName>{FdName::pit_segment_rw, FdName::caller_segment_rw}));
    ASSERT_TRUE(d.to_caller<Own>());
    EXPECT_EQ(d.last_fds, (std::vector<FdName>{FdName::caller_segment_rw, FdName::pit_segment_rw}));
  }
}

TEST(Attach, TellsBothSidesOfHeavyBarriersOnlyWhenBothMakeThem) {
  for (const bool pit_makes : {false, true}) {
    for (const bool caller_makes : {false, true}) {
      CoreDriver d(some_pits(1));
      d.begin();
      d.pit_ready(0, pit_makes);
      d.open(d.caller(), "pit0", 0, 30 * second_ns, caller_makes);
      const auto made = d.take<MakeSegments>();
      ASSERT_TRUE(made);
      d.step(SegmentsMade{made->link, made->epoch});
      const auto for_pit = d.to_pit<Own>();
      const auto for_caller = d.to_caller<Own>();
      ASSERT_TRUE(for_pit && for_caller);
      EXPECT_EQ(for_pit->heavy_barriers, pit_makes && caller_makes);
      EXPECT_EQ(for_caller->heavy_barriers, pit_makes && caller_makes);
    }
  }
}

TEST(Attach, SealsWhenBothHaveMappedAndNotBefore) {
  for (const bool caller_first : {true, false}) {
    auto d = ready_driver();
    const auto c = d.caller();
    d.open(c);
    const auto at = d.attach_until(c, LinkState::owning);
    d.out.clear();
    caller_first ? d.say(c, Mapped{at}) : d.pit_says(Mapped{at});
    caller_first ? d.say(c, Mapped{at}) : d.pit_says(Mapped{at});  // said twice counts once
    EXPECT_TRUE(d.out.empty());
    caller_first ? d.pit_says(Mapped{at}) : d.say(c, Mapped{at});
    ASSERT_EQ(d.out.size(), 1U);
    EXPECT_TRUE(std::holds_alternative<SealSegments>(d.out.front()));
  }
}

TEST(Attach, GivesTheOthersSegmentOnlyAfterTheSealAndReadOnly) {
  auto d = ready_driver();
  const auto c = d.caller();
  d.open(c);
  const auto at = d.attach_until(c, LinkState::sealing);
  d.out.clear();
  d.step(SegmentsSealed{at.link, at.epoch});
  ASSERT_TRUE(d.to_pit<Peer>());
  EXPECT_EQ(d.last_fds, std::vector<FdName>{FdName::caller_segment_ro});
  ASSERT_TRUE(d.to_caller<Peer>());
  EXPECT_EQ(d.last_fds, (std::vector<FdName>{FdName::pit_segment_ro, FdName::pit_pidfd}));
}

TEST(Attach, RecordsTheEpochBeforeGoAndSaysWhatThePitsStateContains) {
  for (const bool caller_first : {true, false}) {
    auto d = ready_driver();
    const auto c = d.caller();
    d.open(c);
    const auto at = d.attach_until(c, LinkState::peering);
    d.out.clear();
    caller_first ? d.say(c, Ready{at, 99}) : d.pit_says(Ready{at, 7});
    EXPECT_TRUE(d.out.empty());
    caller_first ? d.pit_says(Ready{at, 7}) : d.say(c, Ready{at, 99});
    ASSERT_EQ(d.out.size(), 3U);
    const auto* put = std::get_if<PutRecord>(&d.out[0]);
    ASSERT_NE(put, nullptr);
    const auto record = decode_link(put->blob);
    ASSERT_TRUE(record);
    EXPECT_EQ(record->open, at.epoch);
    EXPECT_EQ(record->attaching, 0U);
    EXPECT_EQ(put->fds, (std::vector<FdName>{FdName::caller_segment_rw, FdName::pit_segment_rw}));
    const auto* go = std::get_if<SendToCaller>(&d.out[1]);
    ASSERT_NE(go, nullptr);
    EXPECT_EQ(std::get<Go>(go->message).last_id, 7U) << "the pit's word, not the caller's";
    EXPECT_TRUE(std::holds_alternative<ForgetSegments>(d.out[2]));
  }
}

TEST(Attach, IgnoresWhatIsOfAnotherGenerationEpochOrCaller) {
  auto d = ready_driver();
  const auto c = d.caller();
  const auto other = d.caller();
  d.open(c);
  const auto at = d.attach_until(c, LinkState::owning);
  d.out.clear();
  d.pit_says(Mapped{at});
  for (const Attachment& wrong :
       {Attachment{at.generation + 1, at.link, at.epoch}, Attachment{at.generation, at.link, at.epoch + 1},
        Attachment{at.generation, at.link + 1, at.epoch}}) {
    d.say(c, Mapped{wrong});
  }
  d.say(other, Mapped{at});
  d.say(c, Ready{at, 0});  // right attachment, wrong step
  EXPECT_TRUE(d.out.empty());
  d.say(c, Mapped{at});
  EXPECT_EQ(d.count<SealSegments>(), 1U);
}

TEST(Attach, EndsAtTheDeadlineOfTheOpenInEveryState) {
  {
    CoreDriver d;
    d.begin();
    const auto c = d.caller();
    d.open(c, "pit0", 0, second_ns);
    d.pass(second_ns);
    EXPECT_EQ(d.to_caller<Refused>()->code, errc::timeout);
    EXPECT_EQ(d.core.link_count(), 0U);
  }
  for (const LinkState state : {LinkState::making, LinkState::owning, LinkState::sealing, LinkState::peering}) {
    auto d = ready_driver();
    const auto c = d.caller();
    d.open(c, "pit0", 0, second_ns);
    const auto at = d.attach_until(c, state);
    d.out.clear();
    d.pass(second_ns);
    const auto refused = d.said_to_caller<Refused>();
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->code, errc::timeout);
    EXPECT_EQ(refused->correlation, d.correlation);
    EXPECT_EQ(d.count<ForgetSegments>(), 1U);
    if (state != LinkState::making) {
      EXPECT_TRUE(d.said_to_pit<Drop>());
      d.pit_says(Drained{at});
    }
    EXPECT_EQ(d.core.link_count(), 0U);
    EXPECT_EQ(d.armed, no_deadline_ns) << "nothing is left to wait for";
  }
}

TEST(Attach, RefusesADeadlineThatIsOver) {
  auto d = ready_driver();
  const auto c = d.caller();
  d.open(c, "pit0", 0, 0);
  EXPECT_EQ(d.to_caller<Refused>()->code, errc::timeout);
}

TEST(Attach, RefusesWhenMemoryCannotBeMadeSealedOrMapped) {
  for (const int who : {0, 1, 2, 3}) {
    auto d = ready_driver();
    const auto c = d.caller();
    d.open(c);
    const LinkState until = who == 0 ? LinkState::making : who == 1 ? LinkState::sealing : LinkState::owning;
    const auto at = d.attach_until(c, until);
    d.out.clear();
    if (who <= 1) d.step(SegmentsFailed{at.link, at.epoch, 12});
    if (who == 2) d.say(c, MapFailed{at, 12});
    if (who == 3) d.pit_says(MapFailed{at, 12});
    const auto refused = d.said_to_caller<Refused>();
    ASSERT_TRUE(refused) << who;
    EXPECT_EQ(refused->code, errc::out_of_memory);
    if (who != 0) d.pit_says(Drained{at});
    EXPECT_EQ(d.core.link_count(), 0U);
  }
}

TEST(Attach, RefusesByNameWhereASideHasNoDescriptorLeft) {
  for (const int why : {EMFILE, ENFILE}) {
    for (const bool is_caller : {true, false}) {
      auto d = ready_driver();
      const auto c = d.caller();
      d.open(c);
      const auto at = d.attach_until(c, LinkState::owning);
      d.out.clear();
      if (is_caller) d.say(c, MapFailed{at, why});
      if (!is_caller) d.pit_says(MapFailed{at, why});
      const auto refused = d.said_to_caller<Refused>();
      ASSERT_TRUE(refused);
      EXPECT_EQ(refused->code, errc::out_of_descriptors);
      EXPECT_EQ(refused->text.find(is_caller ? "the caller has no file descriptor" : "the pit has no file descriptor"),
                0U)
          << refused->text;
      d.pit_says(Drained{at});
      EXPECT_EQ(d.core.link_count(), 0U);
    }
  }
}

TEST(Attach, AnswersForCapacities) {
  auto d = ready_driver();
  const auto c = d.caller();
  for (const std::uint32_t bad : {1U, 4095U, 5000U, 1U << 31}) {
    d.say(c, Open{1, "pit0", 0, bad, 0, d.now + second_ns});
    EXPECT_EQ(d.to_caller<Refused>()->code, errc::invalid_argument) << bad;
  }
  d.say(c, Open{1, "pit0", 0, 8192, 4096, d.now + second_ns});
  const auto made = d.take<MakeSegments>();
  ASSERT_TRUE(made);
  EXPECT_EQ(made->request_capacity, 8192U);
  EXPECT_EQ(made->reply_capacity, 4096U);
  d.step(SegmentsMade{made->link, made->epoch});
  const auto own = d.to_caller<Own>();
  EXPECT_EQ(own->in_flight_max, 16U);
  EXPECT_EQ(own->reply_size_max, 896U) << "what fits, though the pit would answer with up to 1000 bytes";
}

// What its caller leaves open its manifest says; what neither says is the default.
TEST(Attach, GivesRingsAsTheCallerSaysElseAsTheManifestOfThePit) {
  auto pits = some_pits(1);
  pits[0].rings = {8192, 16384};
  auto d = ready_driver(std::move(pits));
  const auto c = d.caller();
  for (const auto& [asked, given] : {std::pair{RingSizes{0, 0}, RingSizes{8192, 16384}},
                                     {RingSizes{4096, 0}, RingSizes{4096, 16384}},
                                     {RingSizes{0, 4096}, RingSizes{8192, 4096}}}) {
    d.say(c, Open{1, "pit0", 0, asked.request_capacity, asked.reply_capacity, d.now + second_ns});
    const auto made = d.take<MakeSegments>();
    ASSERT_TRUE(made);
    EXPECT_EQ((RingSizes{made->request_capacity, made->reply_capacity}), given);
  }
}

}  // namespace
}  // namespace symphony::detail::broker
