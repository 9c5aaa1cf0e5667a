// An endpoint whose broker is of an older release, or becomes one. What could go wrong: the broker is told what it does
// not know and hangs up; it takes an Open for another one and a message that kills runs where everybody is served; or
// the caller is promised a dead letter that nobody keeps.
#include <gtest/gtest.h>
#include <sys/epoll.h>

#include <symphony/operator.hpp>

#include "bus/endpoint/caller_links.hpp"
#include "tests/unit/endpoint/fake_broker.hpp"

namespace symphony::detail {
namespace {

using namespace control;

constexpr CallOptions read_call_of_older{.timeout_ns = 60 * second_ns, .effect = Effect::read};

Answer answer_to(const Command& command) {
  Answer done;
  done.correlation = command.correlation;
  return done;
}

struct OlderBroker : testing::Test {
  // The message is begun, and the epoch dropped: for its caller the pit has died with it.
  void kill_with_message(Link& link, std::unique_ptr<HandPit>& pit, CallId id) {
    ASSERT_EQ(pit->begin(), id);
    Attachment at = pit->attached->at;
    broker.say(Drop{at, false});
    const auto asked = broker.expect<Open>();
    EXPECT_EQ(asked.link, at.link);
    ++at.epoch;
    pit = broker.attach({at, asked.correlation}, pit_process.get());
    // Go is on its way: until the link has it, the pit sees nothing of the call.
    const TimeNs give_up = FakeBroker::deadline();
    while (link.epoch() != at.epoch && now_ns() < give_up) (void)link.try_take(0);
    ASSERT_EQ(link.epoch(), at.epoch);
  }
  FakeBroker broker;
  UniqueFd pit_process = this_process();
};

TEST_F(OlderBroker, IsToldNothingOfMessagesThatKillAndTheirCallerIsToldSo) {
  Endpoint endpoint = broker.endpoint(protocol_of_letters - 1);
  auto [link, pit] = broker.open(endpoint, 11, pit_process.get());
  const CallId id = link.try_start(5, bytes_of("poison"), read_call_of_older).value();
  kill_with_message(link, pit, id);
  kill_with_message(link, pit, id);
  const Reply ended = link.wait(id);
  EXPECT_EQ(ended.status, status::poisoned);
  EXPECT_NE(ended.text.find("the broker is of an older release and keeps no dead letters"), std::string_view::npos)
      << ended.text;
  link = Link();
  EXPECT_EQ(broker.expect<Close>().link, 11U) << "what was told before it would have come before it";
}

TEST_F(OlderBroker, IsNotAskedForCellsAndTopics) {
  Endpoint endpoint = broker.endpoint(protocol_of_boards - 1);
  EXPECT_EQ(endpoint.write_cell("plant").error().code, errc::version_mismatch);
  EXPECT_EQ(endpoint.publish("plant").error().code, errc::version_mismatch);
  EXPECT_EQ(endpoint.read_cell("plant").error().code, errc::version_mismatch);
  EXPECT_EQ(endpoint.subscribe("plant").error().code, errc::version_mismatch);
  EXPECT_EQ(endpoint.topics().error().code, errc::version_mismatch);
  // What it hears next is a link's: nothing came before it.
  auto [link, pit] = broker.open(endpoint, 11, pit_process.get());
  EXPECT_TRUE(link.try_start(5, bytes_of("x"), read_call_of_older));
}

TEST_F(OlderBroker, OfThisReleaseIsTold) {
  Endpoint endpoint = broker.endpoint(protocol_of_letters);
  auto [link, pit] = broker.open(endpoint, 11, pit_process.get());
  const CallId id = link.try_start(5, bytes_of("poison"), read_call_of_older).value();
  kill_with_message(link, pit, id);
  EXPECT_EQ(broker.expect<Executing>().id, id);
  kill_with_message(link, pit, id);
  EXPECT_EQ(broker.expect<Executing>().id, id);
  const auto alone = broker.expect<Open>();
  EXPECT_TRUE(alone.alone);
  broker.say(Refused{alone.correlation, 0, errc::unreachable, ""});
  EXPECT_EQ(link.wait(id).status, status::poisoned);
  EXPECT_EQ(broker.expect<Park>().id, id);
}

TEST_F(OlderBroker, IsToldNothingOfRequestsThatStandStill) {
  for (const std::uint16_t version : {protocol_of_watchdog, static_cast<std::uint16_t>(protocol_of_watchdog - 1)}) {
    FakeBroker one;
    one.look_after_ms = 1;
    Endpoint endpoint = one.endpoint(version);
    auto [link, pit] = one.open(endpoint, 11, pit_process.get());
    const CallId id = link.try_start(5, bytes_of("slow"), read_call_of_older).value();
    ASSERT_EQ(pit->begin(), id);
    for (const TimeNs until = deadline_after(100 * ms_ns); now_ns() < until;) (void)link.try_take(id);
    if (version == protocol_of_watchdog) {
      EXPECT_EQ(one.expect<StandsStill>().at, pit->attached->at);
    }
    link = Link();
    EXPECT_EQ(one.expect<Close>().link, 11U) << "what was told before it would have come before it";
  }
}

TEST_F(OlderBroker, ThatComesAfterANewerOneIsNotAskedForAnInstanceForOneMessage) {
  const UniqueFd epoll{::epoll_create1(EPOLL_CLOEXEC)};
  BrokerConnection connection{epoll.get(), 0};
  CallerLinks links{connection, epoll.get()};
  connection.connect(ControlSocket(std::move(broker.theirs)), protocol_of_letters);
  Opening alone, ordinary;
  alone.pit = ordinary.pit = "pit";
  alone.alone = true;
  const std::uint64_t first = links.begin_opening(alone, no_deadline_ns);
  const std::uint64_t second = links.begin_opening(ordinary, no_deadline_ns);
  EXPECT_TRUE(broker.expect<Open>().alone);
  EXPECT_FALSE(broker.expect<Open>().alone);
  connection.disconnect();
  FakeBroker older;
  connection.connect(ControlSocket(std::move(older.theirs)), protocol_of_letters - 1);
  links.ask_again({});
  ASSERT_TRUE(alone.failure);
  EXPECT_EQ(alone.failure->code, errc::version_mismatch);
  EXPECT_FALSE(ordinary.failure);
  EXPECT_EQ(older.expect<Open>().correlation, second) << "an Open of the other came first";
  links.end_opening(first, alone);
  links.end_opening(second, ordinary);
}

TEST_F(OlderBroker, ThatChoosesAVersionWhichWasNotOfferedIsRefused) {
  for (const int chosen : {protocol_min - 1, protocol_max + 1}) {
    FakeBroker other;
    other.say(Welcome{1, static_cast<std::uint16_t>(chosen)});
    EXPECT_EQ(Endpoint::adopt(std::move(other.theirs)).error().code, errc::version_mismatch);
  }
}

// What could go wrong: an operator asks for what came later, and the broker does the rest of it, or hangs up.
TEST_F(OlderBroker, IsNotAskedByAnOperatorForWhatCameLater) {
  struct Case {
    std::uint16_t protocol;
    TimeNs probation_ns;
    const char* word;  // nullptr: it is asked
  };
  for (const Case& c : {Case{1, 0, "swaps no pits"}, Case{2, second_ns, "knows no probation"}, Case{2, 0, nullptr},
                        Case{3, second_ns, nullptr}}) {
    FakeBroker older;
    older.say(Welcome{1, c.protocol});
    Operator asking = Operator::adopt(std::move(older.theirs)).value();
    (void)older.expect<Hello>();
    auto done = std::async(std::launch::async,
                           [&] { return asking.swap("pit", "/pit.so", 60 * second_ns, 0, c.probation_ns); });
    const auto show = older.expect<Command>();
    EXPECT_EQ(show.verb, Verb::show);
    older.say(answer_to(show));
    if (c.word == nullptr) {
      const auto swap = older.expect<Command>();
      EXPECT_EQ(std::pair(swap.verb, swap.probation_ns), std::pair(Verb::swap, c.probation_ns));
      older.say(answer_to(swap));
      EXPECT_TRUE(done.get().ok());
      continue;
    }
    const OperatorAnswer answer = done.get();
    EXPECT_EQ(answer.code, errc::version_mismatch);
    EXPECT_NE(answer.text.find(c.word), std::string::npos) << answer.text;
    EXPECT_FALSE(older.mine.receive(FdPolicy::refuse).value()) << "the broker was asked all the same";
  }
  FakeBroker older;
  older.say(Welcome{1, protocol_of_letters - 1});
  Operator asking = Operator::adopt(std::move(older.theirs)).value();
  EXPECT_EQ(asking.letters("pit").code, errc::version_mismatch);
}

}  // namespace
}  // namespace symphony::detail
