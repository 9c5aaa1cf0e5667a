// Messages that kill: what could go wrong is that a caller's word starts processes or fills memory without a death,
// that the instance for one message is in anybody's way or outlives its use, and that a letter is lost or belongs to
// another.
#include <algorithm>

#include <gtest/gtest.h>

#include "tests/unit/broker/core_driver.hpp"

namespace symphony::detail::broker {
namespace {

using namespace control;

Executing executing(const Attachment& at, std::uint64_t id, Effect effect = Effect::idempotent) {
  return {at, id, 77, 5, 0, effect};
}
Park letter(LinkId link, std::uint64_t id, AloneOutcome outcome = AloneOutcome::not_run, LinkId alone = 0) {
  return {link, id, 77, 5, 2, Effect::idempotent, outcome, alone, {std::byte{1}, std::byte{2}}};
}

struct DeadLettersTest : testing::Test {
  explicit DeadLettersTest() : d(ready_driver()) {
    c = d.caller();
    d.open(c);
    at = d.attach_until(c, LinkState::open);
  }
  // The pit dies, the next instance is ready, the link is open again.
  void dies() {
    d.pit_exits(true, 11, 0, "the last line\n");
    if (d.core.pit_state(0) == PitState::backoff) d.pass(d.armed - d.now);
    d.pit_ready();
    d.out.clear();
    d.step(TimerFired{});
    next = again();
  }
  Attachment again() {
    const auto link = at.link;
    at_before = at;
    // MakeSegments was among what was dropped: the core's own number.
    at = {1, link, at.epoch + 1};
    d.step(SegmentsMade{at.link, at.epoch});
    d.say(c, Mapped{at});
    d.pit_says(Mapped{at});
    d.step(SegmentsSealed{at.link, at.epoch});
    d.say(c, Ready{at, 0});
    d.pit_says(Ready{at, 0});
    EXPECT_TRUE(d.said_to_caller<Go>());
    d.out.clear();
    return at;
  }
  void open_alone(ConnId conn, TimeNs timeout = 30 * second_ns) {
    Open m{++d.correlation, "pit0", 0, 0, 0, d.now + timeout};
    m.alone = true;
    d.say(conn, m);
  }
  // One that was named at a death, and its instance is asked for.
  SpawnPit begin_alone() {
    dies();
    d.say(c, executing(at_before, 9));
    d.out.clear();
    open_alone(c);
    const auto spawn = d.take<SpawnPit>();
    EXPECT_TRUE(spawn);
    return spawn.value_or(SpawnPit{});
  }
  Attachment attach_alone(const SpawnPit& spawn) {
    d.step(PitSpawned{spawn.pit, spawn.instance, 999});
    d.step(PitMessage{spawn.pit, spawn.instance, PitReady{1, 1, d.now, "p", "1", 1000}});
    const auto made = d.take<MakeSegments>();
    EXPECT_TRUE(made);
    const Attachment alone{1, made->link, made->epoch};
    d.step(SegmentsMade{alone.link, alone.epoch});
    d.say(c, Mapped{alone});
    d.step(PitMessage{spawn.pit, spawn.instance, Mapped{alone}});
    d.step(SegmentsSealed{alone.link, alone.epoch});
    d.say(c, Ready{alone, 0});
    d.step(PitMessage{spawn.pit, spawn.instance, Ready{alone, 0}});
    EXPECT_TRUE(d.said_to_caller<Go>());
    d.out.clear();
    return alone;
  }
  std::vector<DeadLetter> letters() {
    d.command(c, Verb::letters);
    const auto answer = d.to_caller<Answer>();
    EXPECT_TRUE(answer && answer->code == code_done);
    return answer ? answer->letters : std::vector<DeadLetter>{};
  }
  std::optional<DeadLetter> shown(std::uint64_t id) {
    say_letter(Verb::letter, id);
    const auto answer = d.to_caller<Answer>();
    if (!answer || answer->letters.empty()) return std::nullopt;
    return answer->letters[0];
  }
  void say_letter(Verb verb, std::uint64_t id, const std::string& pit = "pit0") {
    d.say(c, Command{++d.correlation, verb, pit, 0, d.now + second_ns, 0, {}, id});
  }

  CoreDriver d;
  ConnId c = 0;
  Attachment at, at_before, next;
};

using CoreDeadLetters = DeadLettersTest;

TEST_F(CoreDeadLetters, TheExecutingMessageOfADeathIsShown) {
  dies();
  d.say(c, executing(at_before, 9, Effect::once));
  const auto report = d.report(c);
  ASSERT_EQ(report.deaths.size(), 1U);
  EXPECT_EQ(report.deaths[0].executing_count, 1U);
  const ExecutingMessage& m = report.deaths[0].executing;
  EXPECT_EQ(std::tuple(m.link, m.id, m.type, m.size), std::tuple(at.link, 9U, 77U, 5U));
}

TEST_F(CoreDeadLetters, OnlyTheDeadAttachmentOfTheCallersOwnLinkIsHeard) {
  dies();
  const auto other = d.caller();
  d.say(other, executing(at_before, 9));
  d.say(c, executing(at, 9));
  d.say(c, executing({1, 4711, 1}, 9));
  EXPECT_EQ(d.report(c).deaths[0].executing_count, 0U);
  d.out.clear();
  open_alone(c);
  EXPECT_EQ(d.to_caller<Refused>()->code, errc::refused) << "nobody was named";
  EXPECT_EQ(d.count<SpawnPit>(), 0U);
  d.say(c, letter(at.link, 9));
  EXPECT_TRUE(letters().empty());
}

TEST_F(CoreDeadLetters, AMessageIsCountedOnceForEachDeath) {
  dies();
  for (int n = 0; n < 3; ++n) d.say(c, executing(at_before, 9));
  EXPECT_EQ(d.report(c).deaths[0].executing_count, 1U);
}

TEST_F(CoreDeadLetters, AMessageThatMayRunOnceIsNeverTriedAloneNorParked) {
  dies();
  d.say(c, executing(at_before, 9, Effect::once));
  d.out.clear();
  open_alone(c);
  EXPECT_EQ(d.to_caller<Refused>()->code, errc::refused);
  d.say(c, letter(at.link, 9));
  EXPECT_TRUE(letters().empty());
}

TEST_F(CoreDeadLetters, AnInstanceForOneMessageIsStartedBesideThePitWhichServesOn) {
  const SpawnPit spawn = begin_alone();
  EXPECT_TRUE(spawn.is_alone);
  EXPECT_EQ(spawn.state_pit, 0U);
  EXPECT_NE(spawn.pit, 0U);
  const Attachment alone = attach_alone(spawn);
  EXPECT_NE(alone.link, at.link);
  EXPECT_EQ(d.core.pit_state(0), PitState::ready);
  EXPECT_EQ(d.core.status().size(), 1U) << "it is nobody's to find";
  EXPECT_FALSE(d.core.index_of("pit0!alone"));
  const auto report = d.report(c);
  EXPECT_EQ(report.runs_alone, 1U);
  EXPECT_EQ(report.info.links, 1U);
}

TEST_F(CoreDeadLetters, AnInstanceForOneMessageIsOnNoRecordOfALink) {
  const Attachment alone = attach_alone(begin_alone());
  d.say(c, Close{alone.link});
  for (const Action& a : d.out) {
    const auto* put = std::get_if<PutRecord>(&a);
    EXPECT_TRUE(put == nullptr || put->key != link_key(alone.link));
  }
}

TEST_F(CoreDeadLetters, AnInstanceForOneMessageIsKilledWithItsLink) {
  const SpawnPit spawn = begin_alone();
  const Attachment alone = attach_alone(spawn);
  d.say(c, Close{alone.link});
  const auto kill = d.take<KillPit>();
  ASSERT_TRUE(kill);
  EXPECT_EQ(kill->pit, spawn.pit);
  d.step(PitExited{spawn.pit, spawn.instance, true, 9});
  EXPECT_EQ(d.count<SpawnPit>(), 0U);
  EXPECT_EQ(d.core.link_count(), 1U);
  EXPECT_EQ(d.core.pit_state(spawn.pit), PitState::stopped);
}

TEST_F(CoreDeadLetters, AnInstanceForOneMessageIsKilledWhenItsCallerIsGone) {
  const SpawnPit spawn = begin_alone();
  (void)attach_alone(spawn);
  d.step(CallerLeft{c, true});
  const auto kill = d.take<KillPit>();
  ASSERT_TRUE(kill);
  EXPECT_EQ(kill->pit, spawn.pit);
}

TEST_F(CoreDeadLetters, AnInstanceForOneMessageIsKilledAtItsDeadline) {
  const SpawnPit spawn = begin_alone();
  (void)attach_alone(spawn);
  d.pass(30 * second_ns);
  const auto kill = d.take<KillPit>();
  ASSERT_TRUE(kill);
  EXPECT_EQ(kill->pit, spawn.pit);
}

TEST_F(CoreDeadLetters, AnInstanceForOneMessageHasAMinuteAtMost) {
  dies();
  d.say(c, executing(at_before, 9));
  open_alone(c, 3600 * second_ns);
  const SpawnPit spawn = d.take<SpawnPit>().value();
  (void)attach_alone(spawn);
  d.pass(alone_time_max_ns - 1);
  EXPECT_EQ(d.count<KillPit>(), 0U);
  d.pass(1);
  EXPECT_EQ(d.count<KillPit>(), 1U);
}

TEST_F(CoreDeadLetters, ItsDeathCountsNotAgainstThePitAndIsNotRepeated) {
  const SpawnPit spawn = begin_alone();
  (void)attach_alone(spawn);
  const auto failures = d.report(c).failures;
  d.step(PitExited{spawn.pit, spawn.instance, true, 11, "alone\n"});
  const auto refused = d.said_to_caller<Refused>();
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->code, errc::quarantined);
  EXPECT_EQ(d.count<SpawnPit>(), 0U);
  const auto report = d.report(c);
  EXPECT_EQ(report.failures, failures);
  EXPECT_EQ(report.deaths.size(), 1U);
  EXPECT_EQ(report.info.state, "ready");
}

TEST_F(CoreDeadLetters, NoMoreThanFourAreTriedAtATime) {
  dies();
  d.say(c, executing(at_before, 9));
  d.out.clear();
  for (std::size_t n = 0; n < alone_max; ++n) open_alone(c);
  EXPECT_EQ(d.count<SpawnPit>(), alone_max);
  d.out.clear();
  open_alone(c);
  EXPECT_EQ(d.to_caller<Refused>()->code, errc::busy);
}

TEST_F(CoreDeadLetters, APlaceServesOneAfterTheOther) {
  dies();
  d.say(c, executing(at_before, 9));
  PitIndex place = 0;
  for (std::uint32_t n = 1; n <= 5; ++n) {
    d.out.clear();
    open_alone(c);
    const SpawnPit spawn = d.take<SpawnPit>().value();
    EXPECT_TRUE(place == 0 || spawn.pit == place);
    EXPECT_EQ(spawn.instance, (1U << 16) + n) << "a late word about an old process must find nothing";
    place = spawn.pit;
    const Attachment alone = attach_alone(spawn);
    d.say(c, Close{alone.link});
    d.step(PitExited{spawn.pit, spawn.instance, true, 9});
  }
  EXPECT_EQ(d.report(c).runs_alone, 5U);
}

TEST_F(CoreDeadLetters, AFullBrokerStillHasPlacesForMessagesAlone) {
  d = CoreDriver(some_pits(pits_max, false));
  d.begin();
  d.conns = 0;
  c = d.caller();
  d.open(c);
  d.pit_ready();
  at = d.attach_until(c, LinkState::open);
  EXPECT_EQ(begin_alone().pit, pits_max);
}

TEST_F(CoreDeadLetters, ALetterHasTheMessageAndWhatItsInstanceAloneDiedOf) {
  const SpawnPit spawn = begin_alone();
  const Attachment alone = attach_alone(spawn);
  d.step(PitExited{spawn.pit, spawn.instance, true, 6, "alone\n"});
  d.out.clear();
  d.say(c, letter(at.link, 9, AloneOutcome::killed, alone.link));
  EXPECT_EQ(d.count<KeepLetters>(), 1U);
  const auto all = letters();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_TRUE(all[0].body.empty()) << "a list is short";
  const auto l = shown(all[0].id);
  ASSERT_TRUE(l);
  EXPECT_EQ(std::tuple(l->pit, l->version, l->link, l->message, l->type, l->attempts, l->outcome),
            std::tuple("pit0", "1", at.link, 9U, 77U, 2, AloneOutcome::killed));
  EXPECT_EQ(std::tuple(l->size, l->kept_size), std::tuple(5U, 2U));
  EXPECT_EQ(l->body, (std::vector<std::byte>{std::byte{1}, std::byte{2}}));
  EXPECT_EQ(std::tuple(l->death.signalled, l->death.value, l->death.last_lines), std::tuple(true, 6, "alone\n"));
  EXPECT_EQ(d.report(c).letters, 1U);
}

TEST_F(CoreDeadLetters, ALetterOfAHarmlessRunHasTheDeathBeforeIt) {
  const SpawnPit spawn = begin_alone();
  const Attachment alone = attach_alone(spawn);
  d.say(c, letter(at.link, 9, AloneOutcome::answered, alone.link));
  const auto l = shown(letters().at(0).id);
  ASSERT_TRUE(l);
  EXPECT_EQ(std::tuple(l->death.value, l->death.last_lines), std::tuple(11, "the last line\n"));
}

TEST_F(CoreDeadLetters, AMessageIsParkedOnceForItsDeaths) {
  dies();
  d.say(c, executing(at_before, 9));
  for (int n = 0; n < 3; ++n) d.say(c, letter(at.link, 9));
  EXPECT_EQ(letters().size(), 1U);
}

TEST_F(CoreDeadLetters, ALetterMayComeWhenThePitIsAlreadyGivenUp) {
  for (int n = 0; n < 4; ++n) dies();
  d.pit_exits(true, 11);
  ASSERT_EQ(d.core.pit_state(0), PitState::quarantined);
  d.say(c, executing(at, 9));
  EXPECT_EQ(d.report(c).deaths.back().executing_count, 1U) << "the death that ended it is the one that matters";
  d.say(c, letter(at.link, 9));
  EXPECT_EQ(letters().size(), 1U);
}

TEST_F(CoreDeadLetters, LettersAreDroppedOneOrAllAndUnknownOnesRefused) {
  dies();
  for (std::uint64_t id = 1; id <= 3; ++id) {
    d.say(c, executing(at_before, id));
    d.say(c, letter(at.link, id));
  }
  const auto all = letters();
  ASSERT_EQ(all.size(), 3U);
  say_letter(Verb::drop_letter, all[1].id);
  EXPECT_EQ(d.to_caller<Answer>()->removed, 1U);
  EXPECT_EQ(letters().size(), 2U);
  for (const Verb verb : {Verb::letter, Verb::drop_letter}) {
    say_letter(verb, all[1].id);
    EXPECT_EQ(d.to_caller<Answer>()->code, errc::not_found);
  }
  say_letter(Verb::letter, all[0].id, "other");
  EXPECT_EQ(d.to_caller<Answer>()->code, errc::not_found);
  d.out.clear();
  say_letter(Verb::drop_letter, 0);
  EXPECT_EQ(d.count<KeepLetters>(), 1U);
  EXPECT_EQ(d.to_caller<Answer>()->removed, 2U);
  EXPECT_TRUE(letters().empty());
}

TEST_F(CoreDeadLetters, APitMayNotReadOrDropThem) {
  const ConnId pit = ++d.conns;
  d.step(CallerConnected{pit, 1000, 0});
  d.say(pit, Hello{1, 1, d.now, {}});
  d.command(pit, Verb::letters, "pit0");
  EXPECT_EQ(d.to_caller<Answer>()->code, errc::refused);
}

TEST_F(CoreDeadLetters, TheNextBrokerHasThemAndWhoMayAddToThem) {
  dies();
  d.say(c, executing(at_before, 8));
  d.say(c, letter(at.link, 8));
  d.say(c, executing(at_before, 9));
  std::vector<std::byte> kept;
  std::vector<RecordFound> records;
  for (const Action& a : d.out) {
    if (const auto* keep = std::get_if<KeepLetters>(&a)) kept = keep->bytes;
  }
  LinkRecord record{0, 2, 1000, 65536, 65536, false, at.epoch, 0, 0};
  CoreDriver second({}, 2, true);
  second.core = BrokerCore({some_pits(1), 2, 42, 1000, true, 4711, "/logs", kept});
  second.core_generation = 2;
  second.now = d.now;
  PitRecord pit;
  pit.state = PitState::ready;
  pit.instance = 2;
  second.step(Begin{{{0, 2, 100}}, {{link_key(at.link), encode(record)}, {pit_key(0), encode(pit)}}});
  d = std::move(second);
  c = d.caller({{at.link, at.epoch}});
  EXPECT_EQ(letters().size(), 1U);
  d.say(c, letter(at.link, 9));
  const auto all = letters();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_GT(all[1].id, all[0].id);
}

TEST_F(CoreDeadLetters, TheNextBrokerEndsAnInstanceForOneMessage) {
  const SpawnPit spawn = begin_alone();
  (void)attach_alone(spawn);
  CoreDriver second(some_pits(1), 2, true);
  second.now = d.now;
  PitRecord pit;
  pit.state = PitState::ready;
  pit.instance = spawn.instance;
  second.step(Begin{{{0, 2, 100}, {spawn.pit, spawn.instance, 999}}, {{pit_key(spawn.pit), encode(pit)}}});
  EXPECT_TRUE(second.said_to_pit<Stop>() || second.count<KillPit>() == 1);
}

}  // namespace
}  // namespace symphony::detail::broker
