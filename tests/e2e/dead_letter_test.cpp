// A message that kills its pit, with real processes: the pit dies of it twice and goes on, nobody else loses a call,
// and the message is there to be looked at and sent again.
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <atomic>
#include <fstream>
#include <vector>

#include <symphony/operator.hpp>

#include "tests/e2e/bus_fixture.hpp"

namespace symphony {
namespace {

constexpr CallOptions idempotent{.timeout_ns = 120 * second_ns, .effect = Effect::idempotent};

std::vector<std::byte> message_of(probe::Act act, std::uint32_t argument) {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(probe::CreateDoAgain(builder, act, argument));
  const auto* first = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
  return {first, first + builder.GetSize()};
}

struct DeadLetterTest : testing::Test {
  void SetUp() override {
    char pattern[] = "/tmp/symphony-test-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern), nullptr);
    folder = pattern;
    path = folder + "/broker.sock";
    ::setenv("PROBE_MENDED", (folder + "/mended").c_str(), 1);
    keeper = start_bus_program("daemon", path);
    ASSERT_GT(keeper, 0);
    broker.emplace(Operator::connect({.path = path, .timeout_ns = 30 * second_ns}).value());
    ASSERT_TRUE(broker->start("probe").ok());
  }
  void TearDown() override {
    broker.reset();
    if (keeper > 0) ::kill(keeper, SIGTERM);
    int result = -1;
    EXPECT_EQ(::waitpid(keeper, &result, 0), keeper);
    EXPECT_EQ(result, 0);
    std::filesystem::remove_all(folder);
  }
  Endpoint connect() { return Endpoint::connect({.path = path, .timeout_ns = 30 * second_ns}).value(); }
  PitReport report() { return broker->show("probe", 30 * second_ns).pit; }
  std::vector<DeadLetter> letters() { return broker->letters("probe", 0, 30 * second_ns).letters; }
  // The caller's word reaches the broker on a way of its own.
  bool are_there(std::size_t count) {
    return comes_true([&] { return letters().size() == count; });
  }
  Reply send(Link& link, const std::vector<std::byte>& message, const CallOptions& options = idempotent) {
    return link.call(type_id_of<probe::DoAgain>, message, options);
  }

  std::string folder, path;
  pid_t keeper = -1;
  std::optional<Operator> broker;
};

TEST_F(DeadLetterTest, APitDiesOfAMessageTwiceAndNobodyElseLosesACall) {
  constexpr int callers = 4, before = 200, after = 2000;
  std::atomic<int> warm{0}, answered{0};
  std::atomic<bool> is_over{false};
  std::vector<std::thread> threads;
  for (int n = 0; n < callers; ++n) {
    threads.emplace_back([&] {
      Endpoint endpoint = connect();
      Link link = endpoint.open("probe", {.in_flight_max = 16}).value();
      const auto call = [&](int i) {  // may run once, or again: neither is lost
        const CallOptions once{.timeout_ns = 120 * second_ns};
        const bool ok = i % 2 == 0 ? probe_do(link, probe::Act::NOTHING, 0, once).reply.ok()
                                   : probe_read(link, probe::Act::NOTHING, 0, idempotent).reply.ok();
        answered += ok ? 1 : 0;
        return ok;
      };
      for (int i = 0; i < before; ++i) EXPECT_TRUE(call(i));
      ++warm;
      int i = 0;
      for (; i < after || !is_over; ++i) {
        if (!call(i)) {
          ADD_FAILURE() << "an innocent call was lost: " << i;
          break;
        }
      }
    });
  }
  Endpoint endpoint = connect();
  Link link = endpoint.open("probe", {.in_flight_max = 16}).value();
  const auto poison = message_of(probe::Act::DIE_UNLESS_MENDED, 4711);
  EXPECT_TRUE(comes_true([&] { return warm == callers; }, 120 * second_ns));
  const auto id = link.try_start(type_id_of<probe::DoAgain>, poison, idempotent);
  ASSERT_TRUE(id);
  // Its own neighbours on its own link, more than may be in flight.
  for (int n = 0; n < 500; ++n)
    EXPECT_TRUE(probe_do(link, probe::Act::NOTHING, 0, {.timeout_ns = 120 * second_ns}).reply.ok());
  const Reply ended = link.wait(*id);
  EXPECT_EQ(ended.status, status::poisoned) << ended.text;
  EXPECT_NE(ended.text.find("ran alone"), std::string_view::npos) << ended.text;
  is_over = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(answered, callers * (before + after));

  ASSERT_TRUE(are_there(1));
  const PitReport pit = report();
  EXPECT_EQ(pit.info.state, "ready");
  ASSERT_EQ(pit.deaths.size(), 2u);
  EXPECT_EQ(pit.runs_alone, 1u);
  EXPECT_EQ(pit.letters, 1u);
  for (std::size_t n = 0; n < 2; ++n) {
    const PitDeath& death = pit.deaths[n];
    EXPECT_EQ(std::tuple(death.signalled, death.value, death.executing_count), std::tuple(true, SIGKILL, 1u));
    EXPECT_EQ(std::tuple(death.executing.id, death.executing.type, death.executing.size, death.executing.attempt),
              std::tuple(*id, type_id_of<probe::DoAgain>, poison.size(), n));
  }
  const auto answer = broker->letter("probe", letters()[0].id, 30 * second_ns);
  ASSERT_EQ(answer.letters.size(), 1u);
  const DeadLetter& letter = answer.letters[0];
  EXPECT_EQ(letter.body, poison);
  EXPECT_EQ(std::tuple(letter.type, letter.attempts, letter.outcome, letter.version),
            std::tuple(type_id_of<probe::DoAgain>, 3, AloneOutcome::killed, "1.0.0"));
  EXPECT_EQ(std::tuple(letter.death.signalled, letter.death.value), std::tuple(true, SIGKILL));

  std::ofstream(folder + "/mended") << "now\n";
  EXPECT_TRUE(send(link, letter.body).ok());
  EXPECT_EQ(broker->drop_letters("probe", letter.id, 30 * second_ns).removed, 1u);
  EXPECT_TRUE(letters().empty());
}

TEST_F(DeadLetterTest, AReadThatIsInnocentAloneHasItsAnswerAndIsNotParked) {
  Endpoint endpoint = connect();
  Link link = endpoint.open("probe").value();
  const Reply reply =
      send(link, message_of(probe::Act::DIE_IN_COMPANY, 0), {.timeout_ns = 120 * second_ns, .effect = Effect::read});
  EXPECT_TRUE(reply.ok()) << reply.text;
  EXPECT_TRUE(letters().empty());
  EXPECT_EQ(report().runs_alone, 1u);
}

TEST_F(DeadLetterTest, AnotherThatIsInnocentAloneIsPoisonedAndSaysSo) {
  Endpoint endpoint = connect();
  Link link = endpoint.open("probe").value();
  const Reply reply = send(link, message_of(probe::Act::DIE_IN_COMPANY, 0));
  EXPECT_EQ(reply.status, status::poisoned);
  EXPECT_NE(reply.text.find("without harm"), std::string_view::npos) << reply.text;
  ASSERT_TRUE(are_there(1));
  EXPECT_EQ(letters()[0].outcome, AloneOutcome::answered);
}

TEST_F(DeadLetterTest, AMessageThatMayRunOnceIsNamedAndNeverTriedAgain) {
  Endpoint endpoint = connect();
  Link link = endpoint.open("probe").value();
  EXPECT_EQ(probe_do(link, probe::Act::DIE).reply.status, status::crashed);
  EXPECT_TRUE(comes_true([&] {
    const PitReport pit = report();
    return pit.deaths.size() == 1 && pit.deaths[0].executing_count == 1;
  }));
  EXPECT_EQ(report().runs_alone, 0u);
  EXPECT_TRUE(letters().empty());
}

TEST_F(DeadLetterTest, LettersOutliveTheBroker) {
  Endpoint endpoint = connect();
  Link link = endpoint.open("probe").value();
  EXPECT_EQ(send(link, message_of(probe::Act::DIE_UNLESS_MENDED, 1)).status, status::poisoned);
  ASSERT_TRUE(are_there(1));
  const auto before = letters();
  const std::uint64_t generation = endpoint.status(30 * second_ns)->generation;
  const pid_t broker_process = child_named(keeper, "symphony-broker");
  ASSERT_GT(broker_process, 0);
  ASSERT_EQ(::kill(broker_process, SIGKILL), 0);
  ASSERT_TRUE(comes_true([&] {
    const auto state = endpoint.status(second_ns);
    return state && state->generation > generation;
  }));
  const auto answer = broker->letter("probe", before[0].id, 30 * second_ns);
  ASSERT_EQ(answer.letters.size(), 1u) << answer.text;
  EXPECT_EQ(answer.letters[0].body, message_of(probe::Act::DIE_UNLESS_MENDED, 1));
}

}  // namespace
}  // namespace symphony
