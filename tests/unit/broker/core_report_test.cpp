// What an operator is shown of a pit: what could go wrong is that a death is told wrong, or not at all.
#include "tests/unit/broker/core_driver.hpp"

namespace symphony::detail::broker {
namespace {

using namespace control;

TEST(OperatorShow, TellsHowEachProcessEnded) {
  auto d = ready_driver();
  const auto c = d.caller();
  d.pass(7 * second_ns);
  d.pit_exits(true, 11, 0, "line\n");
  d.pit_exits(false, 3, 0, std::string(last_lines_size_max + 5, 'x'));
  d.pass(d.armed - d.now);
  d.step(SpawnFailed{0, 3, 12});
  d.pass(d.armed - d.now);
  d.step(PitSpawned{0, 4, 104});
  d.pass(30 * second_ns);
  d.pit_exits(true, 9);
  const auto deaths = d.report(c).deaths;
  ASSERT_EQ(deaths.size(), 4U);
  EXPECT_EQ(deaths[0].cause, DeathCause::crash);
  EXPECT_EQ(deaths[0].at_ns, 8 * second_ns);
  EXPECT_EQ(deaths[0].ready_ns, 7 * second_ns);
  EXPECT_TRUE(deaths[0].signalled);
  EXPECT_EQ(deaths[0].value, 11);
  EXPECT_EQ(deaths[0].last_lines, "line\n");
  EXPECT_EQ(deaths[1].cause, DeathCause::exit);
  EXPECT_EQ(deaths[1].instance, 2U);
  EXPECT_EQ(deaths[1].ready_ns, -1) << "it never was";
  EXPECT_EQ(deaths[1].last_lines.size(), last_lines_size_max);
  EXPECT_EQ(deaths[2].cause, DeathCause::cannot_start);
  EXPECT_EQ(deaths[2].value, 12);
  EXPECT_EQ(deaths[3].cause, DeathCause::start_timeout);
}

TEST(OperatorShow, TellsWhatTheBrokerKilledAPitFor) {
  auto broken = ready_driver();
  broken.pit_says(Hello{});
  broken.pit_exits(true, 9);
  EXPECT_EQ(broken.report(broken.caller()).deaths.back().cause, DeathCause::protocol);
  auto mute = ready_driver();
  mute.step(PitHungUp{0, 1});
  mute.pass(hang_up_grace_ns);
  mute.pit_exits(true, 9);
  EXPECT_EQ(mute.report(mute.caller()).deaths.back().cause, DeathCause::hang_up);
  auto faulty = ready_driver();
  const auto c = faulty.caller();
  faulty.open(c);
  const auto at = faulty.attach_until(c, LinkState::open);
  faulty.say(c, PeerFault{at, 1});
  faulty.pit_exits(true, 9);
  EXPECT_EQ(faulty.report(c).deaths.back().cause, DeathCause::link_fault);
}

TEST(OperatorShow, TellsEverythingKnownOfAPit) {
  auto pits = some_pits(2);
  pits[0].calls = {"pit1"};
  pits[0].args = {"-v", std::string(path_size_max, 'x')};
  pits[0].trust = Trust::hostile;
  pits[0].waiting = Waiting::sleep;
  pits[0].placement = Placement::other_core;
  pits[0].restart.failures_max = 7;
  auto d = ready_driver(pits);
  const auto c = d.caller();
  d.open(c);
  d.step(LogLost{0, 12});
  const auto r = d.report(c);
  EXPECT_EQ(r.info.name, "pit0");
  EXPECT_EQ(r.info.state, "ready");
  EXPECT_EQ(r.info.pid, 101);
  EXPECT_EQ(r.info.links, 1U);
  EXPECT_EQ(r.version, "1");
  EXPECT_EQ(r.ready_since_ns, d.now);
  EXPECT_EQ(r.executable, "/pit");
  EXPECT_EQ(r.arguments.substr(0, 4), "-v x");
  EXPECT_EQ(r.arguments.size(), path_size_max);
  EXPECT_EQ(r.trust, Trust::hostile);
  EXPECT_EQ(r.waiting, Waiting::sleep);
  EXPECT_EQ(r.placement, Placement::other_core);
  EXPECT_EQ(r.calls, std::vector<std::string>{"pit1"});
  EXPECT_EQ(r.restart, pits[0].restart);
  EXPECT_EQ(r.log, "/logs/pit0.log");
  EXPECT_EQ(r.log_lines_lost, 12U);
  d.pit_exits(true, 6);
  EXPECT_EQ(d.report(c).reason, "killed by signal 6");
}

}  // namespace
}  // namespace symphony::detail::broker
