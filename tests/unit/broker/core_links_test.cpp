// The attach, death and close of links, rule by rule (A1-A6, C1 of the link protocol), with every state of a link tried
// for every end. What could go wrong: a side gets the other's memory before it is sealed, a link hangs, or is forgotten
// by one.
#include <gtest/gtest.h>

#include "tests/unit/broker/core_driver.hpp"

namespace symphony::detail::broker {
namespace {

using namespace control;

constexpr LinkState attaching[] = {LinkState::making, LinkState::owning, LinkState::sealing, LinkState::peering,
                                   LinkState::open};

CoreDriver ready_driver(std::vector<PitConfig> pits = some_pits(1)) {
  CoreDriver d(std::move(pits));
  d.begin();
  d.pit_ready();
  return d;
}

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

// ---- death of P ----

TEST(PitDeath, MakesTheNextEpochInEveryStateOfALink) {
  for (const LinkState state : attaching) {
    auto d = ready_driver();
    const auto c = d.caller();
    d.open(c, "pit0", 0, no_deadline_ns - d.now);
    const auto old = d.attach_until(c, state);
    d.out.clear();
    d.pit_exits(true, 9);
    EXPECT_EQ(d.count<ForgetSegments>(), state == LinkState::open ? 0U : 1U);
    EXPECT_FALSE(d.said_to_caller<Refused>());
    EXPECT_EQ(d.core.link_count(), 1U);
    d.out.clear();
    // What the dead instance's attachment still brings means nothing.
    d.step(SegmentsMade{old.link, old.epoch});
    d.step(SegmentsSealed{old.link, old.epoch});
    d.say(c, Mapped{old});
    d.say(c, Ready{old, 0});
    EXPECT_TRUE(d.out.empty());
    d.pit_ready();
    const auto at = d.attach_until(c, LinkState::open);
    EXPECT_EQ(at.link, old.link);
    EXPECT_GT(at.epoch, old.epoch);
    EXPECT_EQ(d.to_caller<Go>()->at, at);
  }
}

TEST(PitDeath, CarriesTheCorrelationOnlyWhileTheOpenIsUnanswered) {
  auto d = ready_driver();
  const auto c = d.caller();
  d.open(c);
  d.attach_until(c, LinkState::peering);
  d.pit_exits(true, 9);
  d.pit_ready();
  d.attach_until(c, LinkState::owning);
  d.pit_exits(true, 9);
  d.pass(second_ns);
  d.pit_ready();
  auto made = d.take<MakeSegments>();
  d.step(SegmentsMade{made->link, made->epoch});
  EXPECT_EQ(d.to_caller<Own>()->correlation, d.correlation);
}

// ---- death of C, close ----

TEST(CallerDeath, DrainsThePitAndForgetsTheLinkInEveryState) {
  for (const bool by_close : {false, true}) {
    for (const LinkState state : attaching) {
      auto d = ready_driver();
      const auto c = d.caller();
      d.open(c);
      const auto at = d.attach_until(c, state);
      d.out.clear();
      by_close ? d.say(c, Close{at.link}) : d.step(CallerLeft{c, true});
      const bool pit_has_it = state != LinkState::making;
      const auto drop = d.said_to_pit<Drop>();
      ASSERT_EQ(drop.has_value(), pit_has_it);
      if (pit_has_it) {
        EXPECT_TRUE(drop->drain);
        EXPECT_EQ(drop->at, at);
        EXPECT_EQ(d.core.link_count(), 1U) << "until the pit has drained it";
        EXPECT_EQ(d.count<DeleteRecord>(), 1U);
        d.pit_says(Drained{{at.generation, at.link, at.epoch + 1}});
        EXPECT_EQ(d.core.link_count(), 1U) << "that was another epoch";
        d.pit_says(Drained{at});
      }
      EXPECT_EQ(d.core.link_count(), 0U);
      EXPECT_EQ(d.core.caller_count(), by_close ? 1U : 0U);
    }
  }
}

TEST(CallerDeath, ForgetsALinkThatIsDrainingWhenThePitDies) {
  auto d = ready_driver();
  const auto c = d.caller();
  d.open(c);
  d.attach_until(c, LinkState::open);
  d.step(CallerLeft{c, true});
  d.pit_exits(true, 9);
  EXPECT_EQ(d.core.link_count(), 0U);
}

TEST(CallerDeath, ForgetsAnOpenThatIsStillWaiting) {
  CoreDriver d;
  d.begin();
  const auto c = d.caller();
  d.open(c);
  d.step(CallerLeft{c, true});
  EXPECT_EQ(d.core.link_count(), 0U);
  d.out.clear();
  d.pit_ready();
  EXPECT_EQ(d.count<MakeSegments>(), 0U);
}

TEST(Reconnect, KeepsTheLinksOfACallerThatComesBackInTime) {
  CoreDriver d(some_pits(1), 1, true);
  d.begin();
  d.pit_ready();
  const auto c = d.caller();
  d.open(c);
  const auto at = d.attach_until(c, LinkState::open);
  d.step(CallerLeft{c, false});
  d.pass(reconnect_grace_ns - 1);
  d.out.clear();
  const auto again = d.caller({{at.link, at.epoch}});
  EXPECT_EQ(d.to_caller<Keep>()->epoch, at.epoch);
  EXPECT_EQ(d.last_conn, again);
  d.pass(10 * reconnect_grace_ns);
  EXPECT_FALSE(d.said_to_pit<Drop>());
  d.pit_exits(true, 9);
  d.pit_ready();
  d.attach_until(again, LinkState::open);
  EXPECT_TRUE(d.to_caller<Go>());
}

TEST(Reconnect, DropsTheLinksOfACallerThatStaysAwayOrIsDead) {
  for (const bool dead : {false, true}) {
    CoreDriver d(some_pits(1), 1, true);
    d.begin();
    d.pit_ready();
    const auto c = d.caller();
    d.open(c);
    const auto at = d.attach_until(c, LinkState::open);
    d.step(CallerLeft{c, false});
    EXPECT_FALSE(d.said_to_pit<Drop>());
    dead ? d.step(CallerLeft{c, true}) : d.pass(reconnect_grace_ns);
    EXPECT_TRUE(d.said_to_pit<Drop>());
    d.pit_says(Drained{at});
    EXPECT_EQ(d.core.link_count(), 0U);
    EXPECT_EQ(d.core.caller_count(), 0U);
  }
}

TEST(Reconnect, GivesNobodyTheLinkOfAnother) {
  CoreDriver d(some_pits(1), 1, true);
  d.begin();
  d.pit_ready();
  const auto c = d.caller();
  d.open(c);
  const auto at = d.attach_until(c, LinkState::open);
  d.out.clear();
  const auto thief = d.caller({{at.link, at.epoch}});  // its holder is connected
  EXPECT_FALSE(d.said_to_caller<Keep>());
  d.open(thief, "pit0", at.link);
  EXPECT_EQ(d.to_caller<Refused>()->code, errc::refused);
  d.step(CallerLeft{c, false});
  d.caller({{at.link, at.epoch}}, 0);  // another user, who may use this broker
  EXPECT_FALSE(d.said_to_caller<Keep>());
}

TEST(OpenAgain, MakesANewEpochOfAnOpenLink) {
  auto d = ready_driver();
  const auto c = d.caller();
  d.open(c);
  const auto old = d.attach_until(c, LinkState::open);
  d.out.clear();
  d.open(c, "pit0", old.link);
  const auto drop = d.said_to_pit<Drop>();
  ASSERT_TRUE(drop);
  EXPECT_EQ(drop->at, old);
  const auto at = d.attach_until(c, LinkState::open);
  EXPECT_EQ(at.link, old.link);
  EXPECT_GT(at.epoch, old.epoch);
}

TEST(OpenAgain, RevivesALinkThatIsStillDraining) {
  CoreDriver d(some_pits(1), 1, true);
  d.begin();
  d.pit_ready();
  const auto c = d.caller();
  d.open(c);
  const auto old = d.attach_until(c, LinkState::open);
  d.step(CallerLeft{c, false});
  d.pass(reconnect_grace_ns);
  d.out.clear();
  const auto late = d.caller({{old.link, old.epoch}});
  const auto gone = d.said_to_caller<Drop>();
  ASSERT_TRUE(gone) << "the caller must learn that its link is not kept";
  EXPECT_EQ(gone->at, old);
  d.open(late, "pit0", old.link);
  const auto at = d.attach_until(late, LinkState::owning);
  EXPECT_EQ(at.link, old.link);
  EXPECT_GT(at.epoch, old.epoch);
  d.pit_says(Drained{old});
  EXPECT_EQ(d.core.link_count(), 1U) << "that was the end of the old epoch only";
}

// ---- peer faults ----

TEST(PeerFault, ByThePitOfACallerCostsTheCallerItsConnection) {
  auto d = ready_driver();
  const auto c = d.caller();
  const auto bystander = d.caller();
  d.open(bystander);
  d.attach_until(bystander, LinkState::open);
  d.open(c);
  const auto at = d.attach_until(c, LinkState::open);
  d.out.clear();
  d.pit_says(PeerFault{at, 1});
  EXPECT_EQ(d.said_to_caller<Refused>()->code, errc::peer_fault);
  EXPECT_EQ(d.take<DisconnectCaller>()->conn, c);
  EXPECT_FALSE(d.take<DisconnectCaller>());
  EXPECT_EQ(d.core.caller_count(), 1U);
}

TEST(PeerFault, ByTheCallerOfAPitCostsThePitItsInstance) {
  auto d = ready_driver();
  const auto c = d.caller();
  d.open(c);
  const auto at = d.attach_until(c, LinkState::open);
  d.out.clear();
  d.say(c, PeerFault{{at.generation, at.link, at.epoch + 1}, 1});
  EXPECT_EQ(d.count<KillPit>(), 0U) << "another epoch";
  d.say(c, PeerFault{at, 1});
  d.say(c, PeerFault{at, 1});
  EXPECT_EQ(d.count<KillPit>(), 1U);
  d.pit_exits(true, 9);
  EXPECT_EQ(d.core.pit_state(0), PitState::starting);
  d.pit_ready();
  EXPECT_GT(d.attach_until(c, LinkState::open).epoch, at.epoch);
}

// ---- limits ----

TEST(Limits, OfLinksOfOneCaller) {
  auto d = ready_driver();
  const auto c = d.caller();
  for (std::size_t i = 0; i < links_per_caller_max; ++i) d.open(c);
  EXPECT_FALSE(d.said_to_caller<Refused>());
  d.open(c);
  EXPECT_EQ(d.said_to_caller<Refused>()->code, errc::busy);
  EXPECT_EQ(d.core.link_count(), links_per_caller_max);
}

TEST(Limits, OfLinksAltogether) {
  auto d = ready_driver();
  ConnId c = 0;
  for (std::size_t i = 0; i < links_max; ++i) {
    if (i % links_per_caller_max == 0) c = d.caller();
    d.open(c);
  }
  EXPECT_FALSE(d.said_to_caller<Refused>());
  d.open(d.caller());
  EXPECT_EQ(d.said_to_caller<Refused>()->code, errc::busy);
  EXPECT_EQ(d.core.link_count(), links_max);
}

TEST(Limits, OfOpensThatWait) {
  CoreDriver d;
  d.begin();
  const auto c = d.caller();
  for (std::size_t i = 0; i < waiting_opens_max; ++i) d.open(c);
  EXPECT_FALSE(d.said_to_caller<Refused>());
  const auto late = d.caller();
  d.open(late);
  EXPECT_EQ(d.said_to_caller<Refused>()->code, errc::busy);
  d.pit_ready();  // none waits any more
  d.out.clear();
  d.open(late);
  EXPECT_FALSE(d.said_to_caller<Refused>());
  EXPECT_EQ(d.count<MakeSegments>(), 1U);
}

TEST(Limits, OfCallers) {
  auto d = ready_driver();
  for (std::size_t i = 0; i < callers_max; ++i) d.caller();
  EXPECT_EQ(d.count<DisconnectCaller>(), 0U);
  d.step(CallerConnected{5000, 1000});
  EXPECT_TRUE(d.said_to_caller<Refused>());
  EXPECT_EQ(d.count<DisconnectCaller>(), 1U);
  EXPECT_EQ(d.core.caller_count(), callers_max);
}

// ---- who may speak how ----

TEST(Callers, OfOtherUsersAreRefusedAndRootIsNot) {
  auto d = ready_driver();
  d.step(CallerConnected{1, 1001});
  EXPECT_EQ(d.count<DisconnectCaller>(), 1U);
  d.step(CallerConnected{2, 0});
  EXPECT_EQ(d.core.caller_count(), 1U);
}

TEST(Callers, LoseTheirConnectionWhenTheyBreakTheProtocol) {
  const auto after = [](bool greeted, const Message& m) {
    auto d = ready_driver();
    d.step(CallerConnected{1, 1000});
    if (greeted) d.say(1, Hello{1, 1, d.now, {}});
    d.say(1, m);
    EXPECT_EQ(d.count<DisconnectCaller>(), 1U) << m.index();
    EXPECT_EQ(d.core.caller_count(), 0U);
  };
  for (const Message& m : {Message(Open{}), Message(Close{1}), Message(StatusQuery{1}), Message(Mapped{})})
    after(false, m);
  for (const Message& m : {Message(Hello{1, 1, second_ns, {}}), Message(PitReady{}), Message(Drained{}),
                           Message(Welcome{}), Message(Own{}), Message(Peer{}), Message(Go{}), Message(Drop{}),
                           Message(Keep{}), Message(Refused{}), Message(Stop{}), Message(Status{})}) {
    after(true, m);
  }
}

TEST(Callers, WithoutACommonVersionOrClockAreToldSo) {
  for (const auto& [hello, code] : {std::pair{Hello{2, 9, second_ns, {}}, errc::version_mismatch},
                                    std::pair{Hello{0, 0, second_ns, {}}, errc::version_mismatch},
                                    std::pair{Hello{1, 1, 3 * second_ns, {}}, errc::refused},
                                    std::pair{Hello{1, 1, -40 * second_ns, {}}, errc::refused}}) {
    auto d = ready_driver();
    d.step(CallerConnected{1, 1000});
    d.say(1, hello);
    EXPECT_EQ(d.to_caller<Refused>()->code, code);
    EXPECT_EQ(d.count<DisconnectCaller>(), 1U);
  }
  auto d = ready_driver();
  d.step(CallerConnected{1, 1000});
  d.say(1, Hello{0, 9, d.now, {}});
  EXPECT_EQ(d.to_caller<Welcome>()->protocol, protocol_max);
}

TEST(Callers, LearnTheStateOfEveryPit) {
  CoreDriver d(some_pits(2));
  d.begin();
  d.pit_ready(1);
  const auto c = d.caller();
  d.open(c);
  d.say(c, StatusQuery{77});
  const auto status = d.to_caller<Status>();
  ASSERT_TRUE(status);
  EXPECT_EQ(status->correlation, 77U);
  ASSERT_EQ(status->pits.size(), 2U);
  EXPECT_EQ(status->pits[0].state, "starting");
  EXPECT_EQ(status->pits[0].links, 1U);
  EXPECT_EQ(status->pits[1].state, "ready");
  EXPECT_EQ(status->pits[1].pid, 101);
}

}  // namespace
}  // namespace symphony::detail::broker
