// What could go wrong: a pit stands still for ever, two serve at once, links stay with the old one, a broker that dies
// in the middle leaves both or neither, or the new one is taken for ready before it has the state.
#include <functional>
#include <map>

#include "tests/unit/broker/swap_driver.hpp"

namespace symphony::detail::broker {
namespace {

TEST(Swapping, MakesTheNewProcessReadyBeforeTheOldOneStandsStill) {
  Swap d;
  d.ask();
  const auto spawn = d.take<SpawnPit>();
  ASSERT_TRUE(spawn);
  EXPECT_TRUE(spawn->waits);
  EXPECT_EQ(spawn->state_pit, 0U);
  EXPECT_EQ(spawn->instance, 2U);
  EXPECT_EQ(d.core.config_of(spawn->pit).args[0], "/new.so");
  d.heir_spawned();
  EXPECT_FALSE(d.said_to_pit<control::Freeze>());
  EXPECT_EQ(d.state(), "ready");
  d.heir_says(Prepared{});
  const auto freeze = d.to_pit<control::Freeze>();
  ASSERT_TRUE(freeze);
  EXPECT_EQ(d.last_fds, std::vector{FdName::handed_state});
  EXPECT_EQ(freeze->deadline_ns, d.now + swap_pause_ns);
  EXPECT_EQ(d.state(), "swapping");
  EXPECT_FALSE(d.said_to_pit<control::TakeState>());
}

TEST(Swapping, GivesTheStateOnWhenItIsWholeAndTheLinksWhenItIsTaken) {
  Swap d;
  d.until_restoring();
  EXPECT_TRUE(d.to_pit<control::TakeState>());
  EXPECT_EQ(d.count<KillPit>(), 0U);
  d.now += 3 * ms_ns;
  d.heir_says(d.ready());
  const auto kept = d.take<KeepConfig>();
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->slots.at(0).name, "");
  EXPECT_EQ(kept->slots.at(1).name, "pit0");
  const auto killed = [&] {
    for (const Action& a : d.out) {
      if (const auto* kill = std::get_if<KillPit>(&a)) return kill->pit == 0 && kill->instance == 1;
    }
    return false;
  }();
  EXPECT_TRUE(killed);
  const auto made = d.take<MakeSegments>();
  ASSERT_TRUE(made);
  EXPECT_EQ(made->link, d.at.link);
  EXPECT_GT(made->epoch, d.at.epoch);
  d.step(PitExited{0, 1, true, 9, {}});
  EXPECT_FALSE(d.said_to_caller<control::Answer>()) << "the link is not there yet";
  d.step(SegmentsMade{made->link, made->epoch});
  const Attachment next{1, made->link, made->epoch};
  d.say(d.caller_conn, control::Mapped{next});
  d.heir_says(control::Mapped{next});
  d.step(SegmentsSealed{next.link, next.epoch});
  d.say(d.caller_conn, control::Ready{next});
  d.now += 2 * ms_ns;
  d.heir_says(control::Ready{next, 7});
  const auto go = d.to_caller<control::Go>();
  ASSERT_TRUE(go);
  EXPECT_EQ(go->last_id, 7U);
  const auto answer = d.answered();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->code, control::code_done) << answer->text;
  EXPECT_EQ(answer->pause_ns, 5 * ms_ns);
  EXPECT_EQ(answer->pit.info.instance, 2U);
  EXPECT_EQ(answer->pit.arguments, "/new.so");
  ASSERT_EQ(answer->pit.deaths.size(), 1U);
  EXPECT_EQ(answer->pit.deaths[0].cause, DeathCause::swap);
  ASSERT_EQ(d.core.status().size(), 1U);
}

TEST(Swapping, PutsEachLinkOnRecordAtItsNewPlaceBeforeTheOldOneGoes) {
  Swap d;
  d.until_restoring();
  d.out.clear();
  d.heir_says(d.ready());
  for (const Action& a : d.out) {
    if (std::holds_alternative<KillPit>(a)) break;
    const auto* put = std::get_if<PutRecord>(&a);
    if (put == nullptr || put->key != link_key(d.at.link)) continue;
    const auto record = decode_link(put->blob);
    ASSERT_TRUE(record);
    EXPECT_EQ(record->pit, 1U);
    EXPECT_EQ(record->open, d.at.epoch) << "what its caller holds is known to the next broker";
    return;
  }
  FAIL() << "should this broker die now, the next one looks for the link at a place that is free";
}

TEST(Swapping, OfADurablePitHandsOnItsOwnMemory) {
  Swap d(hosted_pit(Durability::journal));
  d.ask();
  const auto spawn = d.take<SpawnPit>();
  ASSERT_TRUE(spawn);
  EXPECT_EQ(spawn->state_instance, 1U);
  d.heir_spawned();
  d.heir_says(Prepared{});
  EXPECT_TRUE(d.to_pit<control::Freeze>());
  EXPECT_TRUE(d.last_fds.empty());
  d.pit_says_0(Frozen{d.number, control::code_done, {}});
  d.out.clear();
  d.heir_says(d.ready());
  d.step(PitExited{0, 1, true, 9, {}});
  bool kept = false, dropped = false;
  for (const Action& a : d.out) {
    const auto* keep = std::get_if<KeepState>(&a);
    kept = kept || (keep != nullptr && keep->pit == 1 && keep->instance == 2);
    const auto* remove = std::get_if<DeleteRecord>(&a);
    dropped = dropped || (remove != nullptr && remove->key == state_key(0, 1));
    EXPECT_FALSE(remove != nullptr && remove->key == state_key(1, 2)) << "its own state";
  }
  EXPECT_TRUE(kept && dropped);
}

TEST(Swapping, ThatFailsAtAnyStepLeavesThePitServing) {
  struct Case {
    const char* why;
    std::function<void(Swap&)> until;
    std::function<void(Swap&)> breaks;
  };
  const auto dies = [](Swap& d) { d.step(PitExited{1, 2, true, 11, "first\nno such thing\n"}); };
  const auto asked = [](Swap& d) { d.ask(), d.heir_spawned(); };
  const Case cases[] = {
      {"while it waited for the state: killed by signal 11", [](Swap& d) { d.until_frozen(); }, dies},
      {"with the state: killed by signal 11: no such thing", [](Swap& d) { d.until_restoring(); }, dies},
      {"it could not be stopped: busy with something", [](Swap& d) { d.until_frozen(); },
       [](Swap& d) {
         d.pit_says_0(Frozen{d.number, errc::busy, "busy with something"});
       }},
      {"longer than calls may wait", [](Swap& d) { d.until_frozen(); },
       [](Swap& d) { d.now += swap_pause_ns, d.step(TimerFired{}); }},
      {"longer than calls may wait", [](Swap& d) { d.until_restoring(); },
       [](Swap& d) { d.now += swap_pause_ns, d.step(TimerFired{}); }},
      {"broke the control protocol", [](Swap& d) { d.until_frozen(); }, [](Swap& d) { d.heir_says(d.ready()); }},
      {"closed its control socket", [](Swap& d) { d.until_restoring(5 * second_ns); },
       [](Swap& d) {
         d.step(PitHungUp{1, 2});
         EXPECT_FALSE(d.said_to_pit<control::Thaw>()) << "it is dying, most likely, and its end says how";
         d.now += hang_up_grace_ns;
         d.step(TimerFired{});
       }},
      {"while it was made ready: cannot start", [](Swap& d) { d.ask(); },
       [](Swap& d) {
         d.step(SpawnFailed{1, 2, ENOENT});
       }},
      {"while it was made ready: it was not ready in time", asked,
       [](Swap& d) { d.now += 30 * second_ns, d.step(TimerFired{}); }},
      {"no protocol version of this broker", asked,
       [](Swap& d) {
         d.heir_says(Prepared{1, 1});
       }},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.why);
    Swap d;
    if (std::string_view(one.why).find("in time") != std::string_view::npos) {
      d.oper = d.caller();
      d.say(d.oper, control::Command{++d.correlation, Verb::swap, "pit0", 1, d.now + 90 * second_ns, 0, "/new.so"});
      d.heir_spawned();
    } else {
      one.until(d);
    }
    const bool was_frozen = d.state() == "swapping";
    d.out.clear();
    one.breaks(d);
    if (!was_frozen) {
      EXPECT_EQ(d.state(), "ready");
      EXPECT_FALSE(d.said_to_pit<control::Thaw>());
      const auto answer = d.said_to_caller<control::Answer>();
      ASSERT_TRUE(answer);
      EXPECT_NE(answer->text.find(one.why), std::string::npos) << answer->text;
    } else {
      d.expect_goes_on(one.why);
    }
    // Nothing of the attempt is left, and the next one begins anew.
    d.step(PitExited{1, 2, true, 9, {}});
    d.out.clear();
    d.now += ms_ns;
    d.say(d.oper, control::Command{++d.correlation, Verb::swap, "pit0", 1, d.now + 30 * second_ns, 0, "/new.so"});
    const auto spawn = d.take<SpawnPit>();
    ASSERT_TRUE(spawn);
    EXPECT_EQ(spawn->pit, 1U);
    EXPECT_EQ(spawn->instance, 3U) << "a late word about the old one must find nothing";
  }
}

TEST(Swapping, LetsOpensWaitMeanwhileAndGoOnWhereThePitIs) {
  for (const bool happens : {true, false}) {
    Swap d;
    d.until_frozen();
    const ConnId second = d.caller();
    d.open(second);
    EXPECT_EQ(d.count<MakeSegments>(), 0U);
    d.out.clear();
    d.pit_says_0(Frozen{d.number, happens ? control::code_done : errc::busy, happens ? "" : "no"});
    if (happens) d.heir_says(d.ready());
    EXPECT_EQ(d.count<MakeSegments>(), happens ? 2U : 1U);
  }
}

TEST(Swapping, IsEndedByWhateverElseBecomesOfThePit) {
  const auto died = [](Swap& d) { d.step(PitExited{0, 1, true, 9, {}}); };
  const auto stopped = [](Swap& d) { d.command(d.oper, Verb::stop); };
  const auto all_stop = [](Swap& d) { d.step(StopAll{}); };
  const auto removed = [](Swap& d) { d.step(ConfigRead{d.oper, ++d.correlation, {}, {}}); };
  for (const auto& happens : std::vector<std::function<void(Swap&)>>{died, stopped, all_stop, removed}) {
    for (const auto& until : {&Swap::until_frozen, &Swap::until_restoring}) {
      Swap d;
      (d.*until)(0);
      d.out.clear();
      happens(d);
      bool heir_killed = false;
      for (const Action& a : d.out) {
        const auto* kill = std::get_if<KillPit>(&a);
        heir_killed = heir_killed || (kill != nullptr && kill->pit == 1 && kill->instance == 2);
      }
      EXPECT_TRUE(heir_killed);
      const auto answer = d.said_to_caller<control::Answer>();
      ASSERT_TRUE(answer);
      d.out.clear();
      d.heir_says(d.ready());  // was on its way
      EXPECT_EQ(d.count<KeepConfig>(), 0U);
    }
  }
}

TEST(Swapping, RefusesWhatCannotBe) {
  Swap d;
  d.ask("relative.so");
  EXPECT_EQ(d.answered()->code, errc::invalid_argument);
  d.ask();
  d.ask();
  EXPECT_EQ(d.answered()->code, errc::busy);
  CoreDriver old_release({hosted_pit()});
  old_release.begin();
  old_release.pit_ready();
  old_release.command(old_release.caller(), Verb::swap);
  const auto answer = old_release.to_caller<control::Answer>();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->code, errc::version_mismatch);
  std::vector<PitConfig> all = some_pits(pits_max);
  CoreDriver full(all);
  full.begin();
  full.step(PitSpawned{0, 1, 101});
  full.step(PitMessage{0, 1, control::PitReady{1, 2, full.now, "p", "1", 1000, false}});
  full.command(full.caller(), Verb::swap);
  EXPECT_EQ(full.to_caller<control::Answer>()->code, errc::busy);
}

TEST(Swapping, OfAPitThatDoesNotServeStartsTheNewFile) {
  CoreDriver d({hosted_pit()});
  d.begin();
  for (int i = 0; i < 5; ++i) {
    d.pit_exits(true, 6);
    d.now += 10 * second_ns;
    d.step(TimerFired{});
  }
  ASSERT_EQ(d.core.status()[0].state, "quarantined");
  d.out.clear();
  const ConnId oper = d.caller();
  d.say(oper, control::Command{++d.correlation, Verb::swap, "pit0", 5, d.now + 30 * second_ns, 0, "/mended.so"});
  const auto kept = d.take<KeepConfig>();
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->slots[0].args[0], "/mended.so");
  EXPECT_TRUE(d.take<SpawnPit>());
  d.pit_ready();
  const auto answer = d.to_caller<control::Answer>();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->code, control::code_done);
}

TEST(Swapping, AskedForTwiceByOneCommandHappensOnce) {
  Swap d;
  d.until_restoring();
  d.heir_says(d.ready());
  d.step(PitExited{0, 1, true, 9, {}});
  d.out.clear();
  d.ask("/new.so", 0, 1);  // its broker died before it could answer
  EXPECT_EQ(d.count<SpawnPit>(), 0U);
}

// ---- the next broker

// What a keeper holds after these actions, of which the last `lost` were not done.
struct Kept {
  std::map<std::uint64_t, std::vector<std::byte>> records;
  std::vector<PitConfig> slots;
  void note(const Action& a) {
    if (const auto* put = std::get_if<PutRecord>(&a)) records[put->key] = put->blob;
    if (const auto* remove = std::get_if<DeleteRecord>(&a)) records.erase(remove->key);
    if (const auto* config = std::get_if<KeepConfig>(&a)) slots = config->slots;
  }
};

TEST(Swapping, IsDoneOrNotForTheNextBrokerWhateverItsOwnDidLast) {
  std::size_t before = 0, after = 0;
  for (std::size_t done = 0;; ++done) {
    // The whole of a swap, from the Command to the old one's end, with all actions from `done` on undone.
    CoreDriver d({hosted_pit(Durability::journal)}, 1, true);
    Kept kept{{}, {hosted_pit(Durability::journal)}};
    std::size_t count = 0;
    bool over = false, thawed = true, old_alive = true, heir_alive = false;
    const auto run = [&](const Event& e) {
      if (over) return;
      d.core.step(e, d.now);
      for (Action a; d.core.pop(a);) {
        if (count++ == done) over = true;
        if (over) continue;
        kept.note(a);
        if (const auto* say = std::get_if<SendToPit>(&a); say != nullptr && say->pit == 0) {
          if (std::holds_alternative<control::Freeze>(say->message)) thawed = false;
          if (std::holds_alternative<control::Thaw>(say->message)) thawed = true;
        }
        if (const auto* spawn = std::get_if<SpawnPit>(&a); spawn != nullptr && spawn->pit == 1) heir_alive = true;
        if (const auto* kill = std::get_if<KillPit>(&a); kill != nullptr && kill->pit == 0) old_alive = false;
      }
    };
    const control::PitReady ready{1, 2, d.now, "p", "1", 1000, false};
    run(Begin{});
    run(PitSpawned{0, 1, 101});
    run(PitMessage{0, 1, ready});
    run(CallerConnected{1, 1000});
    run(CallerMessage{1, control::Hello{1, 2, d.now, {}}});
    run(CallerMessage{1, control::Open{1, "pit0", 0, 0, 0, d.now + second_ns, false}});
    const Attachment at{1, 1, 1};
    run(SegmentsMade{1, 1});
    run(CallerMessage{1, control::Mapped{at}});
    run(PitMessage{0, 1, control::Mapped{at}});
    run(SegmentsSealed{1, 1});
    run(CallerMessage{1, control::Ready{at}});
    run(PitMessage{0, 1, control::Ready{at, 0}});
    const std::size_t link_is_open = count;
    run(CallerConnected{2, 1000});
    run(CallerMessage{2, control::Hello{1, 2, d.now, {}}});
    run(CallerMessage{2, control::Command{9, Verb::swap, "pit0", 1, d.now + 30 * second_ns, 0, "/new.so"}});
    run(PitSpawned{1, 2, 202});
    run(PitMessage{1, 2, Prepared{}});
    run(PitMessage{0, 1, Frozen{(1 << 16) + 1, control::code_done, {}}});
    run(PitMessage{1, 2, ready});
    run(PitExited{0, 1, true, 9, {}});
    if (!over) break;
    if (done < link_is_open) continue;

    CoreDriver next(kept.slots, 2, true);
    Begin begin;
    if (old_alive) begin.processes.push_back({0, 1, 101});
    if (heir_alive) begin.processes.push_back({1, 2, 202});
    for (const auto& [key, blob] : kept.records) begin.records.push_back({key, blob});
    next.step(begin);
    const auto index = next.core.index_of("pit0");
    ASSERT_TRUE(index);
    const bool happened = *index == 1;
    (happened ? after : before) += 1;
    SCOPED_TRACE(std::to_string(done) + (happened ? " happened" : " did not happen"));
    EXPECT_EQ(next.core.pit_state(*index), PitState::ready);
    const PitIndex other = happened ? 0 : 1;
    if (happened ? old_alive : heir_alive) {
      EXPECT_EQ(next.core.pit_state(other), PitState::stopping);
    }
    if (happened) {
      EXPECT_FALSE(next.said_to_pit<control::Thaw>()) << "two would serve";
    }
    if (!happened && !thawed) {
      const auto thaw = next.said_to_pit<control::Thaw>();
      EXPECT_TRUE(thaw) << "the pit stands still, and nobody tells it to go on";
    }
    // Its caller comes back with the link, which is served by whoever has the name.
    const ConnId conn = next.caller({{1, 1}});
    EXPECT_TRUE(next.said_to_caller<control::Keep>());
    EXPECT_EQ(next.count<MakeSegments>(), happened ? 1U : 0U);
    EXPECT_EQ(conn, 1U);
    for (const Action& a : next.out) {
      const auto* remove = std::get_if<DeleteRecord>(&a);
      EXPECT_FALSE(remove != nullptr && remove->key == state_key(*index, happened ? 2 : 1)) << "the state is gone";
    }
  }
  EXPECT_GT(before, 3U);
  EXPECT_GT(after, 3U);
}

}  // namespace
}  // namespace symphony::detail::broker
