// What becomes of others when a pit dies, or is given up, with real processes: those that need it begin anew with it,
// and its callers are served by another one meanwhile.
#include <signal.h>

#include <symphony/operator.hpp>

#include "tests/e2e/bus_fixture.hpp"

namespace symphony {
namespace {

constexpr CallOptions patient{.timeout_ns = 60 * second_ns};

struct PolicyTest : BusTest {
  void SetUp() override {}
  void begin(std::vector<PitConfig> pits) {
    std::vector<std::string> names;
    for (const PitConfig& pit : pits) names.push_back(pit.name);
    start(std::move(pits));
    ops.emplace(Operator::adopt(broker->connect().value()).value());
    for (const std::string& name : names) ASSERT_TRUE(ops->start(name, 60 * second_ns).ok()) << name;
  }
  PitReport report(const std::string& pit) { return ops->show(pit, 30 * second_ns).pit; }
  static PitConfig probe_named(const std::string& name) {
    PitConfig pit = pit_config("probe");
    pit.name = name;
    return pit;
  }
  std::optional<Operator> ops;
};
using PitsTogether = PolicyTest;
using Fallback = PolicyTest;
using EndedLink = PolicyTest;
using ExceptionStorms = PolicyTest;

TEST_F(PitsTogether, WhoNeedsAPitBeginsAnewWithItAndItsCallersWaitOnly) {
  PitConfig needs = probe_named("needs"), free = probe_named("free");
  needs.calls = free.calls = {"needed"};
  needs.restart.strategy = RestartStrategy::rest_for_one;
  begin({probe_named("needed"), needs, free});
  Link to_needs = open("needs"), to_free = open("free");
  const auto pid_of = [&](Link& link) { return probe_read(link, probe::Act::PID)->value(); };
  const auto needs_before = pid_of(to_needs), free_before = pid_of(to_free);
  ASSERT_TRUE(broker->kill_pit("needed"));
  ASSERT_TRUE(comes_true([&] { return report("needs").info.instance == 2 && report("needs").info.state == "ready"; }));
  const auto after = probe_do(to_needs, probe::Act::PID, 0, patient);
  ASSERT_TRUE(after) << after.reply.text;
  EXPECT_NE(after->value(), needs_before);
  EXPECT_EQ(pid_of(to_free), free_before) << "who does not say so goes on";
  const PitReport pit = report("needs");
  ASSERT_EQ(pit.deaths.size(), 1U);
  EXPECT_EQ(pit.deaths[0].cause, DeathCause::needed);
  EXPECT_EQ(pit.failures, 0U);
}

TEST_F(Fallback, ServesTheCallersOfAQuarantinedPitUntilThatServesAgain) {
  PitConfig main = probe_named("main");
  main.restart.fallback = "stub";
  main.restart.failures_max = 1;
  begin({main, probe_named("stub")});
  Link link = open("main");
  const auto pid_by = [&](Link& of) {
    const auto reply = probe_do(of, probe::Act::PID, 0, patient);
    EXPECT_TRUE(reply) << reply.reply.text;
    return reply ? static_cast<pid_t>(reply->value()) : 0;
  };
  EXPECT_EQ(pid_by(link), broker->pit_pid("main").value());
  ASSERT_TRUE(broker->kill_pit("main"));
  ASSERT_TRUE(comes_true([&] { return report("main").info.state == "quarantined"; }));
  const pid_t stub = broker->pit_pid("stub").value();
  EXPECT_EQ(pid_by(link), stub) << "a link that was open";
  Link later = open("main");
  EXPECT_EQ(pid_by(later), stub) << "and one that is opened now";
  ASSERT_TRUE(ops->start("main", 60 * second_ns).ok());
  const pid_t back = broker->pit_pid("main").value();
  EXPECT_TRUE(comes_true([&] { return pid_by(link) == back && pid_by(later) == back; }));
  EXPECT_FALSE(link.has_ended());
}

TEST_F(Fallback, WithoutOneCallersAreToldWhy) {
  PitConfig main = probe_named("main");
  main.restart.failures_max = 1;
  begin({main});
  Link link = open("main");
  EXPECT_FALSE(link.has_ended());
  ASSERT_TRUE(broker->kill_pit("main"));
  EXPECT_TRUE(comes_true([&] { return link.has_ended(); }));
  const Reply reply = probe_do(link, probe::Act::NOTHING, 0, patient).reply;
  EXPECT_EQ(reply.status, status::quarantined) << reply.text;
}

TEST_F(ExceptionStorms, ArePermittedWhereTheManifestSaysNothing) {
  begin({probe_named("main")});
  Link link = open("main");
  for (int n = 0; n < 50; ++n) EXPECT_EQ(probe_do(link, probe::Act::THROW, 0, patient).reply.status, status::internal);
  EXPECT_TRUE(report("main").deaths.empty());
}

TEST_F(ExceptionStorms, EndThePitInOrderAsAFailureWhereItGivesALimit) {
  PitConfig main = probe_named("main");
  main.restart.exceptions_max = 5;
  main.restart.failures_max = 2;
  begin({main});
  Link link = open("main");
  for (int n = 0; n < 5; ++n) {
    const Reply thrown = probe_do(link, probe::Act::THROW, 0, patient).reply;
    EXPECT_EQ(thrown.status, status::internal) << "each has its own ending, the last one too: " << thrown.text;
  }
  ASSERT_TRUE(comes_true([&] { return report("main").deaths.size() == 1; }));
  const PitDeath death = report("main").deaths[0];
  EXPECT_EQ(std::tuple(death.cause, death.signalled, death.value), std::tuple(DeathCause::exception_storm, false, 70));
  EXPECT_EQ(report("main").failures, 1U);
  EXPECT_TRUE(probe_do(link, probe::Act::NOTHING, 0, patient).reply.ok()) << "the next instance serves";
  for (int n = 0; n < 5; ++n) (void)probe_do(link, probe::Act::THROW, 0, patient);
  EXPECT_TRUE(comes_true([&] { return report("main").info.state == "quarantined"; }));
  EXPECT_NE(report("main").reason.find("exception storm"), std::string::npos) << report("main").reason;
}

// What a program does about a link that the broker ended.
TEST_F(EndedLink, SaysSoAtOnceAndANewOneIsOpenedWhenThePitServesAgain) {
  PitConfig main = probe_named("main");
  main.restart.failures_max = 1;
  begin({main});
  Link link = open("main");
  ASSERT_TRUE(probe_do(link, probe::Act::NOTHING, 0, patient).reply.ok());
  ASSERT_TRUE(broker->kill_pit("main"));
  ASSERT_TRUE(comes_true([&] { return link.has_ended(); })) << "without a call";
  const auto refused = endpoint->open("main");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::quarantined);
  ASSERT_TRUE(ops->start("main", 60 * second_ns).ok());
  EXPECT_TRUE(link.has_ended()) << "an end is one";
  EXPECT_EQ(probe_do(link, probe::Act::NOTHING, 0, patient).reply.status, status::quarantined)
      << "with the same reason";
  Link next = open("main");
  EXPECT_FALSE(next.has_ended());
  EXPECT_TRUE(probe_do(next, probe::Act::NOTHING, 0, patient).reply.ok());
  link = std::move(next);
  EXPECT_FALSE(link.has_ended()) << "in the place of the old one";
  EXPECT_TRUE(probe_do(link, probe::Act::NOTHING, 0, patient).reply.ok());
}

TEST_F(EndedLink, IsNotOneThatWaitsForTheNextInstance) {
  begin({probe_named("main")});
  Link link = open("main");
  ASSERT_TRUE(probe_do(link, probe::Act::NOTHING, 0, patient).reply.ok());
  const std::uint64_t epoch = link.epoch();
  ASSERT_TRUE(broker->kill_pit("main"));
  EXPECT_TRUE(comes_true([&] { return (void)link.has_ended(), link.epoch() > epoch; }));
  EXPECT_FALSE(link.has_ended());
  link.close();
  EXPECT_TRUE(link.wait_closed(deadline_after(30 * second_ns)));
}

}  // namespace
}  // namespace symphony
