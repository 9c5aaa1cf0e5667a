// What callers and links may do to the broker: peer faults, limits, who may speak how. What could go wrong: one takes
// all, or breaks the protocol and is served on.
#include <gtest/gtest.h>

#include "tests/unit/broker/core_driver.hpp"

namespace symphony::detail::broker {
namespace {

using namespace control;

// ---- peer faults ----

// What could go wrong: a pit that lies costs its callers what they have with others.
TEST(PeerFault, ByThePitOfACallerCostsTheCallerThatLinkAndNoOther) {
  auto d = ready_driver(some_pits(2));
  d.pit_ready(1);
  const auto c = d.caller();
  d.open(c, "pit1");
  d.attach_until(c, LinkState::open, 1);
  d.open(c);
  const auto at = d.attach_until(c, LinkState::open);
  d.out.clear();
  d.pit_says(PeerFault{at, 1});
  const auto refused = d.said_to_caller<Refused>();
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->code, errc::peer_fault);
  EXPECT_EQ(refused->link, at.link);
  EXPECT_EQ(d.count<Note>(), 1U) << "the operator is told";
  EXPECT_EQ(d.count<DisconnectCaller>(), 0U);
  d.pit_says(Drained{at});
  EXPECT_EQ(d.core.link_count(), 1U);
}

// Of a caller and a pit, where the caller is a pit too, the broker cannot know who lies.
struct WordAgainstWord {
  explicit WordAgainstWord(Trust caller, Trust pit) : d(pits_of(caller, pit)) {
    d.begin();
    d.pit_ready(0);
    d.pit_ready(1);
    d.step(CallerConnected{conn, 1000, 0});
    d.say(conn, Hello{1, 1, d.now, {}});
    d.open(conn, "pit1");
    at = d.attach_until(conn, LinkState::open, 1);
    d.out.clear();
  }
  static std::vector<PitConfig> pits_of(Trust caller, Trust pit) {
    auto pits = some_pits(2);
    pits[0].calls = {"pit1"};
    pits[0].trust = caller;
    pits[1].trust = pit;
    return pits;
  }
  static constexpr ConnId conn = 90;
  CoreDriver d;
  Attachment at;
};

TEST(PeerFault, OfOnePitByAnotherEndsTheirLinkAndNothingElse) {
  for (const auto& [caller, pit] : std::vector<std::pair<Trust, Trust>>{{Trust::cooperative, Trust::cooperative},
                                                                        {Trust::hostile, Trust::cooperative},
                                                                        {Trust::hostile, Trust::hostile}}) {
    WordAgainstWord one(caller, pit);
    one.d.say(one.conn, PeerFault{one.at, 1});
    EXPECT_EQ(one.d.said_to_caller<Refused>()->code, errc::peer_fault);
    EXPECT_TRUE(one.d.said_to_pit<Drop>());
    EXPECT_EQ(one.d.count<KillPit>(), 0U);
    EXPECT_EQ(one.d.count<DisconnectCaller>(), 0U);
    EXPECT_EQ(one.d.count<Note>(), 1U) << "the operator is told";
  }
  for (const auto& [caller, pit] : std::vector<std::pair<Trust, Trust>>{{Trust::cooperative, Trust::cooperative},
                                                                        {Trust::cooperative, Trust::hostile}}) {
    WordAgainstWord one(caller, pit);
    one.d.pit_says(PeerFault{one.at, 1}, 1);
    EXPECT_EQ(one.d.said_to_caller<Refused>()->code, errc::peer_fault);
    EXPECT_EQ(one.d.count<DisconnectCaller>(), 0U);
  }
}

TEST(PeerFault, OfAPitByOneThatTheOperatorTrustsMoreCostsItMore) {
  WordAgainstWord of_pit(Trust::cooperative, Trust::hostile);
  of_pit.d.say(of_pit.conn, PeerFault{of_pit.at, 1});
  EXPECT_EQ(of_pit.d.take<KillPit>()->pit, 1U);
  WordAgainstWord of_caller(Trust::hostile, Trust::cooperative);
  of_caller.d.pit_says(PeerFault{of_caller.at, 1}, 1);
  EXPECT_EQ(of_caller.d.take<DisconnectCaller>()->conn, of_caller.conn);
}

// What could go wrong: the pit, which has attached, finds a fault before the caller has its Go, and lets the link go;
// it is opened all the same, at one end only.
TEST(PeerFault, ByThePitCountsBeforeGo) {
  auto d = ready_driver();
  const auto c = d.caller();
  d.open(c);
  const auto at = d.attach_until(c, LinkState::peering);
  d.pit_says(Ready{at, 0});
  d.out.clear();
  d.pit_says(PeerFault{at, 1});
  EXPECT_EQ(d.said_to_caller<Refused>()->code, errc::peer_fault);
  EXPECT_EQ(d.said_to_pit<Drop>()->at, at);
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

// What could go wrong: a pit that never lets go of what was closed uses up the links of all.
TEST(Limits, OfLinksThatAPitDoesNotLetGoOf) {
  auto d = ready_driver();
  const auto c = d.caller();
  std::vector<Attachment> closed;
  for (std::size_t i = 0; i < closing_per_pit_max + 10; ++i) {
    d.open(c);
    closed.push_back(d.attach_until(c, LinkState::open));
    d.say(c, Close{closed.back().link});
  }
  EXPECT_EQ(d.core.link_count(), closing_per_pit_max);
  d.pit_says(Drained{closed.front()});
  EXPECT_EQ(d.core.link_count(), closing_per_pit_max) << "the oldest are forgotten";
  d.pit_says(Drained{closed.back()});
  EXPECT_EQ(d.core.link_count(), closing_per_pit_max - 1);
  EXPECT_EQ(d.core.pit_state(0), PitState::ready);
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

// ---- pits that call others ----

std::vector<PitConfig> calling(Trust trust = Trust::cooperative) {
  auto pits = some_pits(3);
  pits[0].calls = {"pit1"};
  pits[0].trust = trust;
  return pits;
}

TEST(PitCallers, ReachThePitsThatTheOperatorNamesAndNoOther) {
  CoreDriver d(calling());
  d.begin();
  for (PitIndex pit = 0; pit < 3; ++pit) d.pit_ready(pit);
  d.pit_says(control::CallerWanted{7}, 0);
  const auto connect = d.take<ConnectPit>();
  ASSERT_TRUE(connect);
  EXPECT_EQ(connect->pit, 0U);
  EXPECT_EQ(connect->correlation, 7U);
  d.step(CallerConnected{90, 1000, connect->pit});
  d.say(90, Hello{1, 1, d.now, {}});
  d.open(90, "pit1");
  EXPECT_EQ(d.count<MakeSegments>(), 1U);
  d.open(90, "pit2");
  EXPECT_EQ(d.to_caller<Refused>()->code, errc::refused);
}

TEST(PitCallers, AreThoseThatThePitItselfNamesWhereItNamesAny) {
  const auto opens = [](std::vector<std::string> callers, bool by_pit) {
    auto pits = calling();
    pits[1].callers = std::move(callers);
    CoreDriver d(std::move(pits));
    d.begin();
    for (PitIndex pit = 0; pit < 3; ++pit) d.pit_ready(pit);
    d.step(CallerConnected{90, 1000, by_pit ? std::optional<PitIndex>{0} : std::nullopt});
    d.say(90, Hello{1, 1, d.now, {}});
    d.open(90, "pit1");
    const bool is_made = d.count<MakeSegments>() == 1;
    EXPECT_EQ(is_made, !d.to_caller<Refused>().has_value());
    return is_made;
  };
  for (const bool by_pit : {false, true}) EXPECT_TRUE(opens({}, by_pit));
  EXPECT_TRUE(opens({"pit:pit0"}, true));
  EXPECT_FALSE(opens({"pit:pit0"}, false));
  EXPECT_TRUE(opens({"pit:pit2", "programs"}, false));
  EXPECT_FALSE(opens({"pit:pit2", "programs"}, true));
  EXPECT_FALSE(opens({"pit:pit"}, true));
}

TEST(PitCallers, ThatAskAnewLoseTheConnectionTheyHad) {
  CoreDriver d(calling());
  d.begin();
  d.pit_ready(0);
  d.step(CallerConnected{90, 1000, PitIndex{0}});
  EXPECT_EQ(d.core.caller_count(), 1U);
  d.pit_says(control::CallerWanted{8}, 0);
  EXPECT_EQ(d.core.caller_count(), 0U);
  EXPECT_EQ(d.count<DisconnectCaller>(), 1U);
  EXPECT_EQ(d.count<ConnectPit>(), 1U);
}

TEST(PitCallers, WithoutAGrantGetNone) {
  CoreDriver d(some_pits(1));
  d.begin();
  d.pit_ready(0);
  d.pit_says(control::CallerWanted{7}, 0);
  EXPECT_EQ(d.count<ConnectPit>(), 0U);
  const auto answer = d.to_pit<control::CallerSocket>();
  ASSERT_TRUE(answer);
  EXPECT_FALSE(answer->granted);
}

// What could go wrong: a hostile pit as a caller has bytes of an honest one mapped writable.
TEST(PitCallers, ThatAreHostileGetLinksOnWhichNeitherSideMayWriteTheOthersBytes) {
  for (const Trust trust : {Trust::cooperative, Trust::hostile}) {
    CoreDriver d(calling(trust));
    d.begin();
    for (PitIndex pit = 0; pit < 2; ++pit) d.pit_ready(pit);
    d.step(CallerConnected{90, 1000, 0});
    d.say(90, Hello{1, 1, d.now, {}});
    d.open(90, "pit1");
    const auto made = d.take<MakeSegments>();
    ASSERT_TRUE(made);
    d.step(SegmentsMade{made->link, made->epoch});
    const std::size_t segments = trust == Trust::hostile ? 1 : 2;
    const auto to_pit = d.to_pit<Own>();
    EXPECT_EQ(to_pit->trust, static_cast<std::uint8_t>(trust));
    EXPECT_EQ(d.last_fds.size(), segments);
    EXPECT_EQ(d.to_caller<Own>()->trust, static_cast<std::uint8_t>(trust));
    EXPECT_EQ(d.last_fds.size(), segments);
  }
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
  for (const auto& [hello, code] : {std::pair{Hello{protocol_max + 1, 9, second_ns, {}}, errc::version_mismatch},
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
