// The C library as its users call it. What could go wrong: a handle that is misused ends the process instead of the
// call, an ending is lost or told twice, or memory that was handed over is still the library's.
#include <flatbuffers/flatbuffers.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <symphony.h>

#include "probe_generated.h"

namespace symphony {
namespace {

constexpr std::int64_t second = 1'000'000'000;

std::string program(const char* name) {
  return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / name).string();
}

std::vector<std::uint8_t> message(probe::Act act, std::uint32_t argument = 0) {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(probe::CreateDo(builder, act, argument));
  return {builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize()};
}
const std::uint32_t type_do = symphony_type_id("probe.Do");
const std::uint32_t type_again = symphony_type_id("probe.DoAgain");

struct CLibraryTest : testing::Test {
  void SetUp() override {
    const std::string host = program("symphony-pit-host"), file = program("../pits/probe.so");
    const char* const arguments[] = {file.c_str(), nullptr};
    symphony_pit_config pit{};
    pit.struct_size = sizeof pit;
    pit.name = "probe";
    pit.executable = host.c_str();
    pit.arguments = arguments;
    symphony_broker_options options{};
    options.struct_size = sizeof options;
    options.pit_count = 1;
    options.pits = &pit;
    ASSERT_EQ(symphony_broker_start(&options, &broker), SYMPHONY_OK) << symphony_last_error();
    ASSERT_EQ(symphony_broker_connect(broker, &bus), SYMPHONY_OK) << symphony_last_error();
    link = open();
  }
  void TearDown() override {
    (void)symphony_link_close(link);
    (void)symphony_bus_close(bus);
    EXPECT_EQ(symphony_broker_stop(broker), SYMPHONY_OK);
  }
  symphony_link open(std::uint32_t in_flight_max = 0) {
    symphony_link_options options{};
    options.struct_size = sizeof options;
    options.in_flight_max = in_flight_max;
    symphony_link made = 0;
    EXPECT_EQ(symphony_bus_open(bus, "probe", &options, -1, &made), SYMPHONY_OK) << symphony_last_error();
    return made;
  }
  std::int32_t call(probe::Act act, std::uint32_t argument = 0, std::int64_t timeout_ns = 0,
                    std::uint32_t type = type_do) {
    symphony_call_options options{};
    options.struct_size = sizeof options;
    options.timeout_ns = timeout_ns;
    options.effect = type == type_again ? SYMPHONY_EFFECT_READ : SYMPHONY_EFFECT_ONCE;
    const auto body = message(act, argument);
    return symphony_link_call(link, type, body.data(), body.size(), &options, &reply);
  }
  std::uint64_t start(probe::Act act, std::uint32_t argument = 0) {
    const auto body = message(act, argument);
    std::uint64_t id = 0;
    EXPECT_EQ(symphony_link_start(link, type_do, body.data(), body.size(), nullptr, &id), SYMPHONY_OK)
        << symphony_last_error();
    return id;
  }
  std::size_t big_size() const { return flatbuffers::GetRoot<probe::Done>(reply.body)->bytes()->size(); }

  symphony_broker broker = 0;
  symphony_bus bus = 0;
  symphony_link link = 0;
  symphony_reply reply{};
};

TEST_F(CLibraryTest, ACallEndsOnceWithABodyOrWithTheReason) {
  ASSERT_EQ(call(probe::Act::BIG, 1'000), SYMPHONY_OK) << symphony_last_error();
  EXPECT_EQ(reply.type, symphony_type_id("probe.Done"));
  EXPECT_EQ(big_size(), 1'000u);
  EXPECT_EQ(call(probe::Act::REFUSE, 42), 42);
  EXPECT_STREQ(symphony_last_error(), "refused as asked");
  EXPECT_EQ(reply.status, 42);
  EXPECT_EQ(std::string(reply.text, reply.text_size), "refused as asked");
  EXPECT_EQ(symphony_link_call(link, 5, "", 0, nullptr, &reply), SYMPHONY_UNKNOWN_TYPE);
  EXPECT_EQ(call(probe::Act::HANG, 500, 1'000'000), SYMPHONY_DEADLINE);
  EXPECT_EQ(call(probe::Act::DIE), SYMPHONY_CRASHED);
  EXPECT_EQ(call(probe::Act::NOTHING), SYMPHONY_OK) << "the link is with the next instance";
  const std::string large(300 * 1024, 'x');
  EXPECT_EQ(symphony_link_call(link, type_do, large.data(), large.size(), nullptr, &reply), SYMPHONY_TOO_LARGE);
}

TEST_F(CLibraryTest, APitThatIsKilledUnderCallsLosesNone) {
  int ended = 0;
  for (int i = 0; i < 5; ++i) {
    std::vector<std::uint64_t> ids;
    for (int n = 0; n < 20; ++n) ids.push_back(start(probe::Act::NOTHING));
    std::int32_t pid = 0;
    const std::int32_t killed = symphony_broker_kill_pit(broker, "probe", &pid);
    EXPECT_TRUE(killed == SYMPHONY_E_NOT_FOUND || (killed == SYMPHONY_OK && pid > 0));
    for (const std::uint64_t id : ids) {
      const std::int32_t status = symphony_link_wait(link, id, -1, &reply);
      EXPECT_TRUE(status == SYMPHONY_OK || status == SYMPHONY_CRASHED) << status << " " << symphony_last_error();
      EXPECT_EQ(reply.id, id);
      EXPECT_EQ(symphony_link_wait(link, id, 0, &reply), SYMPHONY_BAD_STATE);
      ++ended;
    }
    if (i == 2) break;  // more deaths within a minute are quarantine
  }
  EXPECT_EQ(ended, 60);
  symphony_link_counters counters{};
  EXPECT_EQ(symphony_link_count(link, &counters, sizeof counters), SYMPHONY_OK);
  EXPECT_EQ(counters.calls, counters.ended);
}

TEST_F(CLibraryTest, AWaitEndsAtItsBoundAndTheCallGoesOn) {
  const std::uint64_t id = start(probe::Act::HANG, 50);
  EXPECT_EQ(symphony_link_wait(link, id, 0, &reply), SYMPHONY_PENDING);
  EXPECT_EQ(symphony_link_wait(link, id, 1'000'000, &reply), SYMPHONY_PENDING);
  EXPECT_EQ(symphony_link_wait(link, id, -1, &reply), SYMPHONY_OK);
  EXPECT_EQ(symphony_link_wait_any(link, 1'000'000), SYMPHONY_E_TIMEOUT);
  EXPECT_EQ(symphony_link_nudge(link), SYMPHONY_OK);
  EXPECT_EQ(symphony_link_wait_any(link, 60 * second), SYMPHONY_OK);
}

TEST_F(CLibraryTest, AStartedCallIsReadyInAnEventLoop) {
  int fd = -1;
  ASSERT_EQ(symphony_link_fd(link, &fd), SYMPHONY_OK);
  EXPECT_EQ(symphony_link_arm(link), SYMPHONY_OK) << "nothing is under way";
  std::set<std::uint64_t> ids;
  for (int i = 0; i < 100; ++i) ids.insert(start(probe::Act::NOTHING));
  while (!ids.empty()) {
    while (symphony_link_arm(link) == SYMPHONY_PENDING) {
      pollfd readable{fd, POLLIN, 0};
      ASSERT_EQ(::poll(&readable, 1, 30'000), 1);
    }
    std::erase_if(ids, [&](std::uint64_t id) { return symphony_link_wait(link, id, 0, &reply) == SYMPHONY_OK; });
  }
}

TEST_F(CLibraryTest, ACallThatWasGivenUpIsTakenByNobodyAndKeepsNoPlace) {
  link = open(4);
  for (int i = 0; i < 20; ++i) {
    const std::uint64_t id = start(probe::Act::NOTHING);
    EXPECT_EQ(symphony_link_cancel(link, id), SYMPHONY_OK);
    EXPECT_EQ(symphony_link_cancel(link, id), SYMPHONY_BAD_STATE);
    EXPECT_EQ(symphony_link_wait(link, id, 0, &reply), SYMPHONY_BAD_STATE);
    EXPECT_EQ(call(probe::Act::NOTHING), SYMPHONY_OK) << i << symphony_last_error();
  }
}

TEST_F(CLibraryTest, TooManyStartedCallsAreRefusedUntilOneIsTaken) {
  link = open(4);
  std::uint64_t first = start(probe::Act::NOTHING), more = 0;
  for (int i = 0; i < 3; ++i) start(probe::Act::NOTHING);
  const auto body = message(probe::Act::NOTHING);
  EXPECT_EQ(symphony_link_start(link, type_do, body.data(), body.size(), nullptr, &more), SYMPHONY_OVERLOADED);
  EXPECT_EQ(symphony_link_wait(link, first, -1, &reply), SYMPHONY_OK);
  EXPECT_EQ(symphony_link_start(link, type_do, body.data(), body.size(), nullptr, &more), SYMPHONY_OK);
}

TEST_F(CLibraryTest, AKeptReplyOutlivesTheNextCallsAndTheLink) {
  ASSERT_EQ(call(probe::Act::BIG, 40'000), SYMPHONY_OK);
  const symphony_reply kept = reply;
  ASSERT_EQ(symphony_link_keep(link, &kept), SYMPHONY_OK);
  EXPECT_EQ(symphony_link_keep(link, &kept), SYMPHONY_BAD_STATE);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(call(probe::Act::BIG, 40'000), SYMPHONY_OK);
  EXPECT_EQ(symphony_link_close(link), SYMPHONY_OK);
  const auto* bytes = flatbuffers::GetRoot<probe::Done>(kept.body)->bytes();
  EXPECT_EQ(std::string(bytes->begin(), bytes->end()), std::string(40'000, 0x42));
  symphony_free(kept.body);
}

TEST_F(CLibraryTest, OneFunctionCallsAndCopiesOrHandsOverTheBody) {
  std::vector<std::uint8_t> out(256);
  const auto into = [&](probe::Act act, std::uint32_t argument) {
    const auto body = message(act, argument);
    reply = {};
    std::int64_t size =
        symphony_link_call_into(link, type_do, body.data(), body.size(), nullptr, out.data(), out.size(), &reply);
    while (size == SYMPHONY_PENDING) {
      size = symphony_link_wait_into(link, reply.id, 10'000'000, out.data(), out.size(), &reply);
    }
    return size;
  };
  const std::int64_t small = into(probe::Act::NOTHING, 0);
  ASSERT_GT(small, 0) << symphony_last_error();
  EXPECT_EQ(flatbuffers::GetRoot<probe::Done>(out.data())->value(), 1u);
  const std::int64_t large = into(probe::Act::BIG, 50'000);
  ASSERT_GT(large, 50'000);
  EXPECT_EQ(static_cast<std::int64_t>(reply.size), large);
  const symphony_reply mine = reply;
  EXPECT_GT(into(probe::Act::HANG, 20), 0);
  EXPECT_EQ(flatbuffers::GetRoot<probe::Done>(mine.body)->bytes()->size(), 50'000u);
  symphony_free(mine.body);
  EXPECT_EQ(into(probe::Act::REFUSE, 42), SYMPHONY_PIT_STATUS);
  EXPECT_EQ(reply.status, 42);
  EXPECT_EQ(into(probe::Act::DIE, 0), SYMPHONY_CRASHED);
}

TEST_F(CLibraryTest, ASecondThreadInALinkIsRefusedAndTheFirstGoesOn) {
  std::atomic<bool> is_over{false};
  std::thread other([&] {
    EXPECT_EQ(symphony_link_wait_any(link, -1), SYMPHONY_OK);
    is_over = true;
  });
  while (symphony_link_arm(link) != SYMPHONY_E_BUSY) std::this_thread::yield();
  EXPECT_EQ(call(probe::Act::NOTHING), SYMPHONY_E_BUSY);
  EXPECT_EQ(symphony_link_close(link), SYMPHONY_E_BUSY);
  EXPECT_FALSE(is_over);
  EXPECT_EQ(symphony_link_nudge(link), SYMPHONY_OK);
  other.join();
  EXPECT_EQ(call(probe::Act::NOTHING), SYMPHONY_OK);
}

TEST_F(CLibraryTest, WhatWasClosedIsAnErrorInEveryFunction) {
  EXPECT_EQ(symphony_link_close(link), SYMPHONY_OK);
  EXPECT_EQ(symphony_bus_close(bus), SYMPHONY_OK);
  for (const std::uint64_t handle : {link, std::uint64_t{0}, std::uint64_t{12345}, ~std::uint64_t{0}}) {
    std::uint64_t id = 0;
    int fd = 0;
    symphony_link_counters counters{};
    EXPECT_EQ(symphony_link_call(handle, 1, nullptr, 0, nullptr, &reply), SYMPHONY_E_CLOSED);
    EXPECT_EQ(symphony_link_start(handle, 1, nullptr, 0, nullptr, &id), SYMPHONY_E_CLOSED);
    EXPECT_EQ(symphony_link_wait(handle, 1, -1, &reply), SYMPHONY_E_CLOSED);
    EXPECT_EQ(symphony_link_wait_any(handle, -1), SYMPHONY_E_CLOSED);
    EXPECT_EQ(symphony_link_nudge(handle), SYMPHONY_E_CLOSED);
    EXPECT_EQ(symphony_link_cancel(handle, 1), SYMPHONY_E_CLOSED);
    EXPECT_EQ(symphony_link_keep(handle, &reply), SYMPHONY_E_CLOSED);
    EXPECT_EQ(symphony_link_call_into(handle, 1, nullptr, 0, nullptr, nullptr, 0, &reply), SYMPHONY_E_CLOSED);
    EXPECT_EQ(symphony_link_wait_into(handle, 1, 0, nullptr, 0, &reply), SYMPHONY_E_CLOSED);
    EXPECT_EQ(symphony_link_fd(handle, &fd), SYMPHONY_E_CLOSED);
    EXPECT_EQ(symphony_link_arm(handle), SYMPHONY_E_CLOSED);
    EXPECT_EQ(symphony_link_count(handle, &counters, sizeof counters), SYMPHONY_E_CLOSED);
    EXPECT_EQ(symphony_link_close(handle), SYMPHONY_E_CLOSED);
  }
  std::size_t count = 0;
  symphony_link made = 0;
  EXPECT_EQ(symphony_bus_open(bus, "probe", nullptr, 0, &made), SYMPHONY_E_CLOSED);
  EXPECT_EQ(symphony_bus_list(bus, 0, nullptr, 0, 0, &count, nullptr), SYMPHONY_E_CLOSED);
  EXPECT_EQ(symphony_bus_close(bus), SYMPHONY_E_CLOSED);
  EXPECT_EQ(symphony_broker_connect(0, &bus), SYMPHONY_E_CLOSED);
  EXPECT_EQ(symphony_broker_kill_pit(1, "probe", nullptr), SYMPHONY_E_CLOSED);
  EXPECT_EQ(symphony_broker_stop(1), SYMPHONY_E_CLOSED);
  EXPECT_NE(std::string(symphony_last_error()), "");
}

TEST_F(CLibraryTest, WrongArgumentsAreToldAndNothingIsDone) {
  symphony_call_options call_options{};
  symphony_link_options link_options{};
  symphony_link made = 0;
  std::uint64_t id = 0;
  EXPECT_EQ(symphony_link_call(link, 1, nullptr, 5, nullptr, &reply), SYMPHONY_E_INVALID_ARGUMENT);
  EXPECT_EQ(symphony_link_call(link, 1, nullptr, 0, nullptr, nullptr), SYMPHONY_E_INVALID_ARGUMENT);
  EXPECT_EQ(symphony_link_call(link, 1, nullptr, 0, &call_options, &reply), SYMPHONY_E_INVALID_ARGUMENT) << "no size";
  call_options = {sizeof call_options, 3, 0};
  EXPECT_EQ(symphony_link_start(link, 1, nullptr, 0, &call_options, &id), SYMPHONY_E_INVALID_ARGUMENT);
  EXPECT_EQ(symphony_bus_open(bus, nullptr, nullptr, 0, &made), SYMPHONY_E_INVALID_ARGUMENT);
  EXPECT_EQ(symphony_bus_open(bus, "probe", &link_options, 0, &made), SYMPHONY_E_INVALID_ARGUMENT);
  EXPECT_EQ(symphony_bus_open(bus, "prob", nullptr, -1, &made), SYMPHONY_E_NOT_FOUND);
  EXPECT_EQ(symphony_bus_connect(nullptr, nullptr), SYMPHONY_E_INVALID_ARGUMENT);
  EXPECT_EQ(symphony_bus_adopt(-1, &bus), SYMPHONY_E_INVALID_ARGUMENT);
  EXPECT_EQ(symphony_broker_kill_pit(broker, nullptr, nullptr), SYMPHONY_E_INVALID_ARGUMENT);
  EXPECT_EQ(call(probe::Act::NOTHING), SYMPHONY_OK);
}

TEST_F(CLibraryTest, WithoutABrokerItSaysSoWithinTheTimeout) {
  symphony_connect_options options{};
  options.struct_size = sizeof options;
  options.path = "/nonexistent/symphony/broker.sock";
  options.timeout_ns = 1'000'000;
  symphony_bus none = 0;
  EXPECT_EQ(symphony_bus_connect(&options, &none), SYMPHONY_E_UNREACHABLE);
  EXPECT_NE(std::string(symphony_last_error()).find("broker"), std::string::npos) << symphony_last_error();
}

TEST_F(CLibraryTest, AForkedChildIsToldAndReleasesNothingOfTheParents) {
  ASSERT_EQ(call(probe::Act::NOTHING), SYMPHONY_OK);
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(30);
    int wrong = 0;
    std::size_t count = 0;
    symphony_link made = 0;
    wrong += call(probe::Act::NOTHING) != SYMPHONY_FORKED;
    wrong += symphony_bus_open(bus, "probe", nullptr, 0, &made) != SYMPHONY_FORKED;
    wrong += symphony_bus_list(bus, 0, nullptr, 0, 0, &count, nullptr) != SYMPHONY_FORKED;
    wrong += symphony_link_close(link) != SYMPHONY_OK;
    wrong += symphony_link_close(link) != SYMPHONY_E_CLOSED;
    wrong += symphony_bus_close(bus) != SYMPHONY_OK;
    wrong += symphony_broker_stop(broker) != SYMPHONY_OK;
    ::_exit(wrong);
  }
  int result = 1;
  ASSERT_EQ(::waitpid(child, &result, 0), child);
  EXPECT_EQ(result, 0);
  EXPECT_EQ(call(probe::Act::NOTHING), SYMPHONY_OK);
}

TEST_F(CLibraryTest, AListSaysHowManyThereAreWhereThereIsNoRoomForAll) {
  std::size_t count = 0;
  std::uint64_t generation = 0;
  EXPECT_EQ(symphony_bus_list(bus, -1, nullptr, 0, 0, &count, &generation), SYMPHONY_OK);
  EXPECT_EQ(count, 1u);
  symphony_pit_info info{};
  EXPECT_EQ(symphony_bus_list(bus, -1, &info, sizeof info, 1, &count, nullptr), SYMPHONY_OK);
  EXPECT_STREQ(info.name, "probe");
  EXPECT_STREQ(info.state, "ready");
  EXPECT_EQ(info.links, 1u);
  EXPECT_GT(info.pid, 0);
}

TEST_F(CLibraryTest, ACellAndATopicAreWrittenAndReadAndMisuseIsAStatus) {
  symphony_board_options options{};
  options.struct_size = sizeof options;
  options.value_size_max = 64;
  options.history = 4;
  char out[64];
  symphony_value value{};
  std::uint64_t number = 0;
  symphony_writer writer = 0, second_writer = 0;
  symphony_reader reader = 0;
  ASSERT_EQ(symphony_bus_write(bus, "plant/speed", &options, -1, &writer), SYMPHONY_OK) << symphony_last_error();
  EXPECT_EQ(symphony_bus_write(bus, "plant/speed", &options, -1, &second_writer), SYMPHONY_E_REFUSED);
  EXPECT_EQ(symphony_bus_write(bus, "probe", &options, -1, &second_writer), SYMPHONY_E_REFUSED) << "a pit's";
  EXPECT_EQ(symphony_bus_write(bus, nullptr, &options, -1, &second_writer), SYMPHONY_E_INVALID_ARGUMENT);
  ASSERT_EQ(symphony_bus_read(bus, "plant/speed", nullptr, -1, &reader), SYMPHONY_OK) << symphony_last_error();
  EXPECT_EQ(symphony_reader_get(reader, 0, out, sizeof out, &value, sizeof value), SYMPHONY_PENDING);
  EXPECT_EQ(symphony_writer_put(writer, 7, "abc", 3, &number), SYMPHONY_OK);
  EXPECT_EQ(symphony_writer_put(writer, 7, out, 65, nullptr), SYMPHONY_TOO_LARGE);
  EXPECT_EQ(symphony_reader_get(reader, 0, out, sizeof out, &value, sizeof value), SYMPHONY_OK);
  EXPECT_EQ(std::string(out, value.size), "abc");
  EXPECT_EQ(value.number, 1u);
  EXPECT_EQ(value.type, 7u);
  EXPECT_EQ(symphony_reader_get(reader, 0, out, 3, &value, sizeof value), SYMPHONY_TOO_LARGE);
  EXPECT_EQ(value.size, 64u);
  EXPECT_EQ(symphony_reader_get(reader, 0, out, sizeof out, nullptr, 0), SYMPHONY_E_INVALID_ARGUMENT);
  EXPECT_EQ(symphony_writer_close(writer), SYMPHONY_OK);
  EXPECT_EQ(symphony_writer_put(writer, 7, "abc", 3, &number), SYMPHONY_E_CLOSED);
  EXPECT_EQ(symphony_reader_close(reader), SYMPHONY_OK);
  EXPECT_EQ(symphony_reader_close(reader), SYMPHONY_E_CLOSED);

  options.kind = SYMPHONY_TOPIC;
  ASSERT_EQ(symphony_bus_write(bus, "plant/events", &options, -1, &writer), SYMPHONY_OK) << symphony_last_error();
  for (const char* text : {"1", "2", "3"}) ASSERT_EQ(symphony_writer_put(writer, 1, text, 1, nullptr), SYMPHONY_OK);
  options.history = 2;
  ASSERT_EQ(symphony_bus_read(bus, "plant/events", &options, -1, &reader), SYMPHONY_OK) << symphony_last_error();
  for (const char* const text : {"2", "3"}) {
    ASSERT_EQ(symphony_reader_get(reader, second, out, sizeof out, &value, sizeof value), SYMPHONY_OK);
    EXPECT_EQ(std::string(out, value.size), text);
  }
  for (int i = 0; i < 10; ++i) ASSERT_EQ(symphony_writer_put(writer, 1, "x", 1, nullptr), SYMPHONY_OK);
  ASSERT_EQ(symphony_reader_get(reader, second, out, sizeof out, &value, sizeof value), SYMPHONY_OK);
  EXPECT_EQ(value.number, 4 + value.dropped);
  EXPECT_GE(value.dropped, 6u);
  EXPECT_EQ(symphony_bus_read(bus, "nobody", nullptr, 0, &reader), SYMPHONY_E_TIMEOUT);
  EXPECT_EQ(symphony_writer_close(writer), SYMPHONY_OK);
}

}  // namespace
}  // namespace symphony
