// What could go wrong: a bad build is started again and again, a good one is sent away, a broker that dies in between
// forgets that there was another file, or an operator is not told.
#include "bus/broker/pit_slots.hpp"
#include "tests/unit/broker/core_driver.hpp"

namespace symphony::detail::broker {
namespace {

using control::Verb;

PitConfig hosted(Durability durability) {
  PitConfig pit = some_pits(1)[0];
  pit.executable = "/lib/symphony-pit-host";
  pit.args = {"/old.so"};
  pit.state.durability = durability;
  return pit;
}

constexpr TimeNs probation_ns = 5 * second_ns;

// The one pit was swapped from place 0 to place 1.
struct Probated : CoreDriver {
  explicit Probated(Durability durability = Durability::journal) : CoreDriver({hosted(durability)}, 1, true) {
    begin();
    step(PitSpawned{0, 1, 101});
    step(PitMessage{0, 1, ready()});
    oper = caller();
    ask("/new.so", probation_ns);
    step(PitSpawned{1, 2, 202});
    step(PitMessage{1, 2, control::Prepared{}});
    step(PitMessage{0, 1, control::Frozen{(1 << 16) + 1, control::code_done, {}}});
    step(PitMessage{1, 2, ready()});
    step(PitExited{0, 1, true, 9, {}});
    for (const Action& a : out) note(a);
  }
  [[nodiscard]] control::PitReady ready() const { return {1, 2, now, "p", "1", 1000, false}; }
  void ask(const std::string& file, TimeNs probation) {
    say(oper, control::Command{++correlation, Verb::swap, "pit0", 0, now + 60 * second_ns, 0, file, 0, probation});
  }
  void note(const Action& a) {
    if (const auto* put = std::get_if<PutRecord>(&a)) records[put->key] = put->blob;
    if (const auto* remove = std::get_if<DeleteRecord>(&a)) records.erase(remove->key);
    if (const auto* keep = std::get_if<KeepConfig>(&a)) kept = *keep;
  }
  [[nodiscard]] const std::string& file() const { return core.config_of(1).args[0]; }
  ConnId oper = 0;
  KeepConfig kept;
  std::map<std::uint64_t, std::vector<std::byte>> records;
};

TEST(OnProbation, APitThatDiesGoesOnFromTheFileBeforeAndFromWhatItKept) {
  Probated d;
  EXPECT_FALSE(d.said_to_caller<control::Answer>()) << "it is not known yet how the swap ends";
  d.out.clear();
  d.step(PitExited{1, 2, true, 11, {}});
  const auto kept = d.take<KeepConfig>();
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->slots.at(1).args[0], "/old.so");
  EXPECT_TRUE(kept->probations.empty()) << "the old file is not on probation";
  const auto spawn = d.take<SpawnPit>();
  ASSERT_TRUE(spawn);
  EXPECT_EQ(spawn->pit, 1U);
  EXPECT_EQ(spawn->state_instance, 2U);
  const auto answer = d.to_caller<control::Answer>();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->code, errc::closed);
  EXPECT_NE(answer->text.find("killed by signal 11"), std::string::npos) << answer->text;
  EXPECT_NE(answer->text.find("/old.so, with what it keeps"), std::string::npos) << answer->text;
}

TEST(OnProbation, WhateverEndsItButAnOperatorOrItsOwnEndBringsTheFileBeforeBack) {
  struct Case {
    const char* what;
    std::function<void(Probated&)> happens;
    bool goes_back;
  };
  const auto exits = [](int status) { return [status](Probated& d) { d.step(PitExited{1, 2, false, status, {}}); }; };
  const auto then_dies = [](Probated& d) { d.step(PitExited{1, 2, true, 9, {}}); };
  const Case cases[] = {
      {"status 75", exits(75), true},
      {"status 125, never again", exits(125), true},
      {"status 0, finished", exits(0), false},
      {"it breaks the protocol",
       [&](Probated& d) {
         d.step(PitFaulted{1, 2}), then_dies(d);
       },
       true},
      {"it hangs up",
       [&](Probated& d) {
         d.step(PitHungUp{1, 2}), d.now += hang_up_grace_ns, d.step(TimerFired{}), then_dies(d);
       },
       true},
      {"an operator stops it", [&](Probated& d) { d.command(d.oper, Verb::stop), then_dies(d); }, false},
      {"an operator restarts it", [&](Probated& d) { d.command(d.oper, Verb::restart), then_dies(d); }, false},
      {"the broker stops", [&](Probated& d) { d.step(StopAll{}), then_dies(d); }, false},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.what);
    Probated d;
    one.happens(d);
    EXPECT_EQ(d.file(), one.goes_back ? "/old.so" : "/new.so");
    if (one.goes_back) {
      EXPECT_EQ(d.core.pit_state(1), PitState::starting);
    }
  }
}

TEST(OnProbation, APitThatLivesThroughItStaysAndTheOperatorIsToldThen) {
  Probated d;
  d.out.clear();
  d.now += probation_ns;
  d.step(TimerFired{});
  const auto kept = d.take<KeepConfig>();
  ASSERT_TRUE(kept);
  EXPECT_TRUE(kept->probations.empty());
  const auto answer = d.to_caller<control::Answer>();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->code, control::code_done) << answer->text;
  d.step(PitExited{1, 2, true, 11, {}});
  EXPECT_EQ(d.file(), "/new.so");
}

TEST(OnProbation, TheFileBeforeIsTriedAsOftenAsAnyOtherAndNothingElseAfterIt) {
  Probated d;
  d.step(PitExited{1, 2, true, 11, {}});
  for (std::uint32_t instance = 3; d.core.pit_state(1) != PitState::quarantined; ++instance) {
    ASSERT_LT(instance, 20U);
    d.step(PitExited{1, instance, true, 6, {}});
    EXPECT_EQ(d.file(), "/old.so");
    d.now += 10 * second_ns;
    d.step(TimerFired{});
  }
}

TEST(OnProbation, TheNextBrokerKnowsOfItWhereverItsOwnDied) {
  for (const bool dies : {false, true}) {
    SCOPED_TRACE(dies);
    const Probated d;
    const auto through_bytes = decode_pits(encode_pits(d.kept.slots, d.kept.probations));
    ASSERT_TRUE(through_bytes);
    EXPECT_EQ(through_bytes->probations, d.kept.probations);
    CoreConfig config{through_bytes->slots, 2, 42, 1000, true, 4711, "/logs"};
    config.probations = through_bytes->probations;
    CoreDriver next;
    next.core = BrokerCore(config);
    next.now = d.now;
    Begin begin;
    if (!dies) begin.processes.push_back({1, 2, 202});
    for (const auto& [key, blob] : d.records) begin.records.push_back({key, blob});
    next.step(begin);
    if (!dies) next.step(PitExited{1, 2, true, 11, {}});
    EXPECT_EQ(next.core.config_of(1).args[0], "/old.so");
    EXPECT_EQ(next.core.pit_state(1), PitState::starting);
    const auto kept = next.take<KeepConfig>();
    ASSERT_TRUE(kept);
    EXPECT_EQ(kept->slots.at(1).args[0], "/old.so");
  }
}

TEST(OnProbation, AReloadThatChangesThePitEndsIt) {
  Probated d;
  PitConfig other = hosted(Durability::journal);
  other.args = {"/third.so"};
  d.step(ConfigRead{d.oper, ++d.correlation, {}, {other}});
  d.step(PitExited{1, 2, true, 11, {}});
  EXPECT_EQ(d.file(), "/third.so");
}

TEST(OnProbation, RefusesATimeTooLongAndAFileThatIsTheSame) {
  Probated d;
  for (const auto& [file, time] : {std::pair<const char*, TimeNs>{"/third.so", probation_max_ns + 1},
                                   {"/third.so", -1},
                                   {"/new.so", second_ns},
                                   {"", second_ns}}) {
    d.out.clear();
    d.ask(file, time);
    const auto answer = d.to_caller<control::Answer>();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->code, errc::invalid_argument) << file << " " << answer->text;
  }
}

TEST(OnProbation, BytesThatAreCutOrNameAPlaceThatIsFreeAreRefused) {
  const std::vector<PitConfig> slots{PitConfig{}, hosted(Durability::none)};
  const auto whole = encode_pits(slots, {{1, 7, "/old.so"}});
  ASSERT_TRUE(decode_pits(whole));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(decode_pits(std::span(whole).first(size))) << size;
  }
  EXPECT_FALSE(decode_pits(encode_pits(slots, {{0, 7, "/old.so"}})));
  EXPECT_FALSE(decode_pits(encode_pits(slots, {{2, 7, "/old.so"}})));
}

}  // namespace
}  // namespace symphony::detail::broker
