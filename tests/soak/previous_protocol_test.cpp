// Programs of earlier protocol versions with today's: callers, broker and pit of different releases, under load and
// kills. What could go wrong: one says what the other does not know, and is hung up on, or one takes it for something
// else.
//
// tools/check/previous-protocol builds the earlier programs and says where they are: SYMPHONY_PREVIOUS names folders,
// with ':' between them, protocol-N-COMMIT-…, each with bin/ and pits/.
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <cstdio>
#include <cstdlib>
#include <sstream>

#include <symphony/operator.hpp>
#include <symphony/typed.hpp>

#include "annals_generated.h"
#include "tests/soak/life.hpp"
#include "tests/support/samples.hpp"

namespace symphony::soak {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kills = 25;
// From protocol 2 on a pit is told of the memory for its state in another way, before it can say what it speaks.
constexpr const char* refusal_of_state = "install broker and pit host from one release";

std::vector<fs::path> previous() {
  std::vector<fs::path> all;
  const char* const given = std::getenv("SYMPHONY_PREVIOUS");
  std::istringstream folders(given == nullptr ? "" : given);
  for (std::string folder; std::getline(folders, folder, ':');) all.emplace_back(folder);
  return all;
}

Programs programs_in(const fs::path& folder) {
  return {folder / "bin/soak_party", folder / "bin/soak_party", folder / "bin/symphony-pit-host",
          folder / "pits/annals.so"};
}

bool is_protocol_1(const fs::path& folder) { return folder.filename().string().rfind("protocol-1-", 0) == 0; }

Operator operator_of(const Realm& realm) {
  const std::string path = realm.folder() / "realm" / "broker.sock";
  return Operator::connect({.realm = {}, .path = path, .timeout_ns = patience_ns}).value();
}

bool count(Link& link) {
  flatbuffers::FlatBufferBuilder builder;
  return static_cast<bool>(call<annals::Place>(link, builder, annals::CreateCount(builder, 1),
                                               {.timeout_ns = patience_ns, .effect = Effect::read}));
}

struct PreviousProtocol : testing::Test {
  void SetUp() override {
    ASSERT_FALSE(previous().empty()) << "no programs of earlier protocol versions: run tools/check/previous-protocol";
    char pattern[] = "/tmp/symphony-soak-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern), nullptr);
    folder = pattern;
  }
  void TearDown() override {
    std::error_code ignored;
    if (!HasFailure() || std::getenv("SYMPHONY_KEEP") == nullptr) fs::remove_all(folder, ignored);
  }

  void live_well(const fs::path& earlier, const Programs& programs) {
    const Outcome out = live(folder / earlier.filename(), test_run::seed(), kills, programs);
    EXPECT_EQ(out.trouble, "");
    EXPECT_EQ(out.verdict.wrong(), 0u);
    EXPECT_GE(out.kills.all(), kills);
    EXPECT_GE(out.verdict.acknowledged, kills * calls_per_kill / 4);
    std::printf("%s: %s kills (%s of callers, %s of brokers), %s calls, %s acknowledged, %s wrong\n",
                earlier.filename().c_str(), std::to_string(out.kills.all()).c_str(),
                std::to_string(out.kills.caller).c_str(), std::to_string(out.kills.broker).c_str(),
                std::to_string(out.verdict.calls).c_str(), std::to_string(out.verdict.acknowledged).c_str(),
                std::to_string(out.verdict.wrong()).c_str());
  }
  // A life of a realm for each earlier release, of which `mix` takes what it wants.
  template <class Mix>
  void live_with_each(Mix mix) {
    for (const fs::path& earlier : previous()) {
      SCOPED_TRACE(earlier.filename().string());
      live_well(earlier, mix(programs_in(earlier), own_programs()));
    }
  }

  fs::path folder;
};

TEST_F(PreviousProtocol, EarlierCallersLoseNothingAtTodaysBroker) {
  live_with_each([](const Programs& earlier, Programs now) {
    now.caller = earlier.caller;
    return now;
  });
}

TEST_F(PreviousProtocol, TodaysCallersLoseNothingAtAnEarlierBroker) {
  live_with_each([](Programs earlier, const Programs& now) {
    earlier.caller = now.caller;
    return earlier;
  });
}

TEST_F(PreviousProtocol, AnEarlierPitLosesNothingAtTodaysBrokerOrIsRefusedByName) {
  for (const fs::path& earlier : previous()) {
    SCOPED_TRACE(earlier.filename().string());
    Programs mixed = own_programs();
    mixed.pit_host = programs_in(earlier).pit_host;
    mixed.annals = programs_in(earlier).annals;
    if (!is_protocol_1(earlier)) {
      live_well(earlier, mixed);
      continue;
    }
    Realm realm(folder / earlier.filename(), 1, 64 * 1024, mixed);
    const OperatorAnswer answer = operator_of(realm).start("annals", patience_ns);
    EXPECT_EQ(answer.code, errc::quarantined) << answer.text;
    EXPECT_NE(realm.errors().find(refusal_of_state), std::string::npos) << realm.errors();
    EXPECT_EQ(realm.end(), 0);
    std::printf("%s: a pit whose state outlives it is refused: %s\n", earlier.filename().c_str(), refusal_of_state);
  }
}

// What its state does not outlive, a pit of any version serves, dies and comes again.
TEST_F(PreviousProtocol, AnEarlierPitWithoutDurabilityIsCalledKilledAndCalledAgain) {
  for (const fs::path& earlier : previous()) {
    SCOPED_TRACE(earlier.filename().string());
    Programs mixed = own_programs();
    mixed.pit_host = programs_in(earlier).pit_host;
    mixed.annals = programs_in(earlier).annals;
    Realm realm(folder / earlier.filename(), 1, 0, mixed);
    Operator broker = operator_of(realm);
    ASSERT_TRUE(broker.start("annals", patience_ns).ok());
    Endpoint endpoint = realm.connect();
    Link link = endpoint.open("annals", {}, patience_ns).value();
    for (int deaths = 0; deaths < 3; ++deaths) {
      EXPECT_TRUE(count(link));
      const Held pit = realm.pit();
      ASSERT_TRUE(pit);
      pit.signal(SIGKILL);
      ASSERT_TRUE(pit.dies_within(patience_ns));
      EXPECT_TRUE(count(link)) << "by the next instance";
    }
    // No pit of protocol 1 can be swapped; one of a later version can.
    const OperatorAnswer swapped = broker.swap("annals", {}, patience_ns);
    if (is_protocol_1(earlier)) {
      EXPECT_EQ(swapped.code, errc::version_mismatch) << swapped.text;
      EXPECT_NE(swapped.text.find("restart it once"), std::string::npos) << swapped.text;
    } else {
      EXPECT_TRUE(swapped.ok()) << swapped.text;
    }
    std::printf("%s: killed 3 times, then %s\n", earlier.filename().c_str(),
                swapped.ok() ? "swapped" : swapped.text.c_str());
    EXPECT_EQ(realm.end(), 0);
  }
}

TEST_F(PreviousProtocol, TodaysPitLosesNothingAtAnEarlierBroker) {
  live_with_each([](Programs earlier, const Programs& now) {
    earlier.pit_host = now.pit_host;
    earlier.annals = now.annals;
    return earlier;
  });
}

TEST_F(PreviousProtocol, AMessageThatKillsIsPoisonedAtAnEarlierBrokerAndItsLinkGoesOn) {
  for (const fs::path& earlier : previous()) {
    SCOPED_TRACE(earlier.filename().string());
    Realm realm(folder / earlier.filename(), 1, 64 * 1024, programs_in(earlier));
    Endpoint endpoint = realm.connect();
    Link link = endpoint.open("annals", {}, patience_ns).value();
    EXPECT_TRUE(count(link));
    flatbuffers::FlatBufferBuilder builder;
    const auto fell = call<annals::Place>(link, builder, annals::CreateFall(builder),
                                          {.timeout_ns = patience_ns, .effect = Effect::idempotent});
    EXPECT_EQ(fell.reply.status, status::poisoned) << fell.reply.text;
    EXPECT_NE(std::string(fell.reply.text).find("older release"), std::string::npos) << fell.reply.text;
    EXPECT_TRUE(count(link)) << "the link is gone";
    EXPECT_EQ(realm.end(), 0);
  }
}

// What could go wrong: the broker does the rest of what it is asked, without what it does not know.
TEST_F(PreviousProtocol, AnEarlierBrokerIsNotAskedForWhatCameLater) {
  for (const fs::path& earlier : previous()) {
    SCOPED_TRACE(earlier.filename().string());
    Realm realm(folder / earlier.filename(), 1, 64 * 1024, programs_in(earlier));
    Operator broker = operator_of(realm);
    ASSERT_TRUE(broker.start("annals", patience_ns).ok());
    const OperatorAnswer answer =
        broker.swap("annals", programs_in(earlier).annals + ".other", patience_ns, 0, second_ns);
    EXPECT_EQ(answer.code, errc::version_mismatch) << answer.text;
    EXPECT_NE(answer.text.find(is_protocol_1(earlier) ? "swaps no pits" : "knows no probation"), std::string::npos)
        << answer.text;
    EXPECT_EQ(broker.letters("annals").code, errc::version_mismatch);
    std::printf("%s: %s\n", earlier.filename().c_str(), answer.text.c_str());
    EXPECT_EQ(realm.end(), 0);
  }
}

}  // namespace
}  // namespace symphony::soak
