// Cells and topics as programs use them: values whole and in order, over the deaths of writers and brokers.
#include <gtest/gtest.h>

#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <future>
#include <string>
#include <vector>

#include "tests/e2e/daemon_fixture.hpp"

namespace symphony {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

struct ReadText {
  TopicValue value;
  std::string text;
};
template <class Read>
ReadText read_text(std::uint32_t size, Read&& read) {
  std::vector<std::byte> into(size);
  ReadText out{read(std::span(into)), {}};
  out.text.assign(reinterpret_cast<const char*>(into.data()), out.value.size);
  return out;
}
ReadText newest(CellReader& cell) {
  return read_text(cell.value_size_max(), [&](std::span<std::byte> into) { return cell.read(into); });
}
ReadText next(Subscription& topic, TimeNs timeout_ns = 0) {
  return read_text(topic.value_size_max(),
                   [&](std::span<std::byte> into) { return topic.wait_next(into, deadline_after(timeout_ns)); });
}

using Boards = BusTest;

TEST_F(Boards, ACellIsReadByEveryReaderAsItWasWrittenLast) {
  auto writer = endpoint->write_cell("plant/speed", {.value_size_max = 64});
  ASSERT_TRUE(writer) << writer.error().text;
  Endpoint other = connect();
  auto here = endpoint->read_cell("plant/speed"), there = other.read_cell("plant/speed");
  ASSERT_TRUE(here && there);
  EXPECT_EQ(newest(*here).value.outcome, ReadOutcome::none) << "nothing was written yet";
  for (std::uint64_t n = 1; n <= 10; ++n) {
    const std::string text = "value " + std::to_string(n);
    EXPECT_EQ(writer->write(7, bytes_of(text)).value(), n);
    for (CellReader* reader : {&*here, &*there, &*here}) {
      const ReadText got = newest(*reader);
      ASSERT_TRUE(got.value.ok());
      EXPECT_EQ(got.text, text);
      EXPECT_EQ(got.value.number, n);
      EXPECT_EQ(got.value.type, 7u);
    }
  }
  std::array<std::byte, 8> small{};
  EXPECT_EQ(here->read(small).outcome, ReadOutcome::too_big);
  EXPECT_EQ(writer->write(7, std::vector<std::byte>(65)).error().code, errc::too_large);
}

TEST_F(Boards, ATopicIsReadInOrderAndALateReaderHasTheHistoryThatItAskedFor) {
  auto topic = endpoint->publish("plant/events", {.value_size_max = 32, .history = 8});
  ASSERT_TRUE(topic) << topic.error().text;
  auto early = endpoint->subscribe("plant/events");
  ASSERT_TRUE(early);
  for (int n = 1; n <= 5; ++n) ASSERT_TRUE(topic->write(1, bytes_of(std::to_string(n))));
  Endpoint other = connect();
  auto late = other.subscribe("plant/events", 2), later = other.subscribe("plant/events");
  ASSERT_TRUE(late && later);
  for (int n = 1; n <= 5; ++n) EXPECT_EQ(next(*early).text, std::to_string(n));
  EXPECT_EQ(next(*early).value.outcome, ReadOutcome::none);
  EXPECT_EQ(next(*late).text, "4");
  EXPECT_EQ(next(*late).text, "5");
  EXPECT_EQ(next(*later).value.outcome, ReadOutcome::none) << "it asked for no history";
  ASSERT_TRUE(topic->write(1, bytes_of("6")));
  for (Subscription* each : {&*early, &*late, &*later}) {
    const ReadText got = next(*each, 30 * second_ns);
    EXPECT_EQ(got.text, "6");
    EXPECT_EQ(got.value.number, 6u);
    EXPECT_EQ(each->dropped(), 0u);
  }
}

// What it was: the place of the first value was that of the moment in which the board came to the reader.
TEST_F(Boards, ASubscriberThatWaitedForItsWriterHasEveryValueFromTheFirstOn) {
  Endpoint other = connect();
  for (int round = 0; round < 20; ++round) {
    const std::string name = "plant/events" + std::to_string(round);
    auto waiting = std::async(std::launch::async, [&] { return other.subscribe(name, 0, 30 * second_ns); });
    ASSERT_TRUE(comes_true([&] {
      const auto all = endpoint->topics();
      return all && std::any_of(all->begin(), all->end(), [&](const TopicInfo& t) { return t.name == name; });
    })) << "it has asked";
    auto topic = endpoint->publish(name, {.value_size_max = 32});
    ASSERT_TRUE(topic) << topic.error().text;
    for (int n = 1; n <= 5; ++n) ASSERT_TRUE(topic->write(1, bytes_of(std::to_string(n))));
    auto reader = waiting.get();
    ASSERT_TRUE(reader) << reader.error().text;
    for (int n = 1; n <= 5; ++n) ASSERT_EQ(next(*reader, 30 * second_ns).text, std::to_string(n)) << "round " << round;
    EXPECT_EQ(reader->dropped(), 0u);
  }
}

TEST_F(Boards, AReaderThatIsTooSlowLosesTheOldestAndIsToldHowMany) {
  auto topic = endpoint->publish("plant/events", {.value_size_max = 32, .history = 4});
  auto slow = endpoint->subscribe("plant/events");
  ASSERT_TRUE(topic && slow);
  for (int n = 1; n <= 10; ++n) ASSERT_TRUE(topic->write(1, bytes_of(std::to_string(n))));
  const ReadText first = next(*slow);
  ASSERT_TRUE(first.value.ok());
  EXPECT_EQ(first.value.number, first.value.dropped + 1);
  EXPECT_GE(first.value.number, 7u) << "older than the four that there are";
  for (std::uint64_t n = first.value.number + 1; n <= 10; ++n) EXPECT_EQ(next(*slow).value.number, n);
  EXPECT_EQ(slow->dropped(), first.value.dropped);
}

TEST_F(Boards, ASleepingSubscriberIsWokenByTheNextValue) {
  auto topic = endpoint->publish("plant/events", {.value_size_max = 32});
  auto reader = endpoint->subscribe("plant/events");
  ASSERT_TRUE(topic && reader);
  std::atomic<int> seen{0};
  std::thread late([&] {
    for (int i = 0; i < 20; ++i) {
      EXPECT_TRUE(comes_true([&] { return seen == i; }));
      EXPECT_TRUE(topic->write(1, bytes_of("wake")));
    }
  });
  for (std::uint64_t n = 1; n <= 20; ++n, ++seen) EXPECT_EQ(next(*reader, 30 * second_ns).value.number, n);
  late.join();
}

TEST_F(Boards, ANameHasOneWriterAndThatOfAPitBelongsToThePit) {
  auto writer = endpoint->write_cell("plant/speed");
  ASSERT_TRUE(writer);
  Endpoint other = connect();
  EXPECT_EQ(other.write_cell("plant/speed").error().code, errc::refused);
  EXPECT_EQ(endpoint->write_cell("plant/speed").error().code, errc::refused);
  EXPECT_EQ(other.write_cell("greeter").error().code, errc::refused) << "the name of a pit";
  EXPECT_EQ(other.publish("greeter/events").error().code, errc::refused) << "below the name of a pit";
  EXPECT_TRUE(other.publish("greeters/events")) << "another name";
  EXPECT_EQ(other.publish("plant/speed").error().code, errc::refused);
  EXPECT_EQ(other.subscribe("plant/speed").error().code, errc::invalid_argument) << "it is a cell";
  *writer = {};
  EXPECT_TRUE(comes_true([&] { return other.write_cell("plant/speed").has_value(); })) << "the name is free again";
}

TEST_F(Boards, WhatIsNoNameOrNoSizeIsRefusedWithTheReason) {
  for (const std::string& name :
       std::vector<std::string>{"", "/", "/a", "a/", "a//b", "A", "a b", "\xc3\xa4", "a\n", std::string(3, '\0')}) {
    EXPECT_EQ(endpoint->write_cell(name).error().code, errc::invalid_argument) << name;
  }
  EXPECT_EQ(endpoint->write_cell(std::string(64, 'a')).error().code, errc::invalid_argument);
  EXPECT_EQ(endpoint->write_cell("a", {.value_size_max = 64 * 1024 + 1}).error().code, errc::invalid_argument);
  EXPECT_EQ(endpoint->publish("a", {.history = 1}).error().code, errc::invalid_argument);
  EXPECT_EQ(endpoint->publish("a", {.history = 0}).error().code, errc::invalid_argument);
  EXPECT_EQ(endpoint->publish("a", {.value_size_max = 64 * 1024, .history = 4096}).error().code,
            errc::invalid_argument);
  EXPECT_EQ(endpoint->read_cell("nobody/writes/it", 0).error().code, errc::timeout);
  EXPECT_TRUE(comes_true([&] { return endpoint->topics().value().empty(); })) << "a refused one stayed";
}

TEST_F(Boards, AreListedWithWhoWritesThem) {
  auto cell = endpoint->write_cell("b");
  auto topic = endpoint->publish("a", {.value_size_max = 16, .history = 3});
  auto reader = endpoint->subscribe("a");
  ASSERT_TRUE(cell && topic && reader);
  ASSERT_TRUE(topic->write(1, {}));
  const auto all = endpoint->topics();
  ASSERT_TRUE(all) << all.error().text;
  ASSERT_EQ(all->size(), 2u);
  EXPECT_EQ((*all)[0].name, "a");
  EXPECT_FALSE((*all)[0].is_cell);
  EXPECT_EQ((*all)[0].readers, 1u);
  EXPECT_EQ((*all)[0].history, 3u);
  EXPECT_EQ((*all)[0].latest, 1u);
  EXPECT_EQ((*all)[0].pid, ::getpid());
  EXPECT_TRUE((*all)[1].is_cell);
}

using BoardsOfADaemon = DaemonTest;

TEST_F(BoardsOfADaemon, TheValuesOfAKilledWriterStayAndReadersGoOverToTheNext) {
  pid_t writer = start_bus_program("writer", path);
  auto cell = endpoint->read_cell("plant/speed", 30 * second_ns);
  // With one value before it: where the first writer is quicker, no later one need follow.
  auto topic = endpoint->subscribe("plant/events", 1, 30 * second_ns);
  ASSERT_TRUE(cell && topic);
  std::uint64_t source = 0;
  for (int kill = 0; kill < 5; ++kill) {
    // Until this writer's values are there: then it dies while it writes.
    ASSERT_TRUE(comes_true([&] {
      const TopicValue value = newest(*cell).value;
      return value.ok() && value.source != source && value.number > 100;
    }));
    ::kill(writer, SIGKILL);
    ASSERT_EQ(::waitpid(writer, nullptr, 0), writer);
    ASSERT_TRUE(comes_true([&] { return !cell->has_writer(); }));
    const ReadText last = newest(*cell);
    ASSERT_TRUE(last.value.ok()) << "the value died with its writer";
    ASSERT_EQ(last.text.size(), 64u);
    for (std::size_t i = 0; i < 64; i += 8) EXPECT_EQ(last.text.substr(i, 8), last.text.substr(0, 8)) << "torn";
    source = last.value.source;
    auto late = endpoint->read_cell("plant/speed");
    ASSERT_TRUE(late) << "nobody who comes later can read it";
    EXPECT_EQ(newest(*late).text, last.text);
    // What is left of the topic, in order and whole.
    std::uint64_t number = 0, of = 0;
    for (ReadText got = next(*topic); got.value.ok(); got = next(*topic)) {
      if (got.value.source == of) {
        EXPECT_EQ(got.value.number, number + 1 + got.value.dropped);
      }
      of = got.value.source;
      number = got.value.number;
      EXPECT_EQ(got.text.substr(0, 8), got.text.substr(56, 8));
    }
    EXPECT_GE(number + 1, last.value.number) << "a value of the topic was lost with its writer";
    writer = start_bus_program("writer", path);
  }
  ::kill(writer, SIGKILL);
  ::waitpid(writer, nullptr, 0);
}

TEST_F(BoardsOfADaemon, GoOnWhileThereIsNoBrokerAndAreKnownToTheNext) {
  auto writer = endpoint->write_cell("plant/speed", {.value_size_max = 64});
  auto topic = endpoint->publish("plant/events", {.value_size_max = 64, .history = 8});
  auto other = Endpoint::connect({.path = path, .timeout_ns = 30 * second_ns});
  ASSERT_TRUE(writer && topic && other);
  auto cell = other->read_cell("plant/speed");
  auto events = other->subscribe("plant/events");
  ASSERT_TRUE(cell && events);
  int written = 0, read = 0;
  const auto write_one = [&] {
    ++written;
    EXPECT_TRUE(writer->write(1, bytes_of(std::to_string(written))));
    EXPECT_TRUE(topic->write(1, bytes_of(std::to_string(written))));
  };
  for (int kill = 0; kill < 3; ++kill) {
    const std::uint64_t before = generation();
    ASSERT_EQ(::kill(broker_pid(), SIGKILL), 0);
    for (int i = 0; i < 5; ++i) {
      write_one();
      EXPECT_EQ(newest(*cell).text, std::to_string(written)) << "reading depends on the broker";
      EXPECT_EQ(next(*events, 30 * second_ns).text, std::to_string(++read));
    }
    ASSERT_TRUE(comes_true([&] { return generation() > before; }));
    // Somebody who only knows the next broker.
    auto third = Endpoint::connect({.path = path, .timeout_ns = 30 * second_ns});
    ASSERT_TRUE(third) << third.error().text;
    auto late = third->read_cell("plant/speed", 30 * second_ns);
    auto late_events = third->subscribe("plant/events", 3, 30 * second_ns);
    ASSERT_TRUE(late && late_events) << "the next broker does not know it";
    EXPECT_EQ(newest(*late).text, std::to_string(written)) << "the value did not come along";
    for (int i = 2; i >= 0; --i) EXPECT_EQ(next(*late_events).text, std::to_string(written - i));
    write_one();
    EXPECT_EQ(next(*late_events, 30 * second_ns).text, std::to_string(written));
    const ReadText got = next(*events, 30 * second_ns);
    EXPECT_EQ(got.text, std::to_string(++read));
    EXPECT_EQ(events->dropped(), 0u) << "values were lost on the way to another board";
    EXPECT_TRUE(comes_true([&] { return newest(*cell).text == std::to_string(written); }));
  }
}

}  // namespace
}  // namespace symphony
