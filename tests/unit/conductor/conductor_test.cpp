// What the conductor itself promises; that all modes behave alike is tests/conformance.
#include <symphony/conductor.hpp>

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <symphony/pit.hpp>
#include <symphony/typed.hpp>

#include "greeter_generated.h"

SYMPHONY_DECLARE_PIT(greeter);

namespace symphony {
namespace {

TypedReply<greeter::Greeting> greet(Caller& caller, const char* name) {
  static flatbuffers::FlatBufferBuilder builder;
  return call<greeter::Greeting>(caller, builder, greeter::CreateHello(builder, builder.CreateString(name)));
}

struct ConductorTest : testing::Test {
  void SetUp() override { ASSERT_TRUE(conductor.mount("greeter", {.entry = symphony_pit_greeter()}).ok()); }
  Conductor conductor;
};

TEST_F(ConductorTest, CallsAMountedPit) {
  Caller caller = conductor.open("greeter");
  ASSERT_TRUE(caller.ok());
  const auto reply = greet(caller, "Ada");
  ASSERT_TRUE(reply) << reply.reply.text;
  EXPECT_EQ(reply->text()->string_view(), "Hello, Ada!");
}

TEST_F(ConductorTest, OnePitMayBeMountedUnderTwoNamesWithStatesOfTheirOwn) {
  ASSERT_TRUE(conductor.mount("second", {.entry = symphony_pit_greeter()}).ok());
  Caller a = conductor.open("greeter"), b = conductor.open("second");
  EXPECT_EQ(greet(a, "x")->count(), 1u);
  EXPECT_EQ(greet(a, "x")->count(), 2u);
  EXPECT_EQ(greet(b, "x")->count(), 1u);
}

TEST_F(ConductorTest, ANameIsTakenOnce) {
  const StepResult again = conductor.mount("greeter", {.entry = symphony_pit_greeter()});
  EXPECT_EQ(again.status, status::bad_state);
  EXPECT_NE(again.text.find("already"), std::string::npos);
}

TEST_F(ConductorTest, AnUnknownNameAnswersEachCallWithTheReason) {
  Caller caller = conductor.open("nobody");
  EXPECT_FALSE(caller.ok());
  const Reply reply = caller.call(1, {});
  EXPECT_EQ(reply.status, status::unreachable);
  EXPECT_NE(reply.text.find("nobody"), std::string_view::npos);
}

TEST_F(ConductorTest, WhatAModeLacksIsNamed) {
  EXPECT_NE(conductor.mount("a", {.mode = Mode::static_}).text.find("entry"), std::string::npos);
  EXPECT_NE(conductor.mount("b", {.mode = Mode::process}).text.find("endpoint"), std::string::npos);
}

struct Needy {
  static constexpr auto needs = std::array{"greeter", "second"};
  Status on_raw(Raw, Ctx&) { return ok(); }
};

TEST_F(ConductorTest, ALinkedInPitIsMountedWhenEverythingThatItNeedsIs) {
  const symphony_pit_entry& needy = pit::Face<Needy, "needy", "1.0.0">::entry;
  const StepResult early = conductor.mount("needy", {.entry = &needy});
  EXPECT_EQ(early.status, status::unreachable);
  EXPECT_NE(early.text.find("needs 'second', and no pit is mounted as that: mount it first"), std::string::npos);
  ASSERT_TRUE(conductor.mount("second", {.entry = symphony_pit_greeter()}).ok());
  EXPECT_TRUE(conductor.mount("needy", {.entry = &needy}).ok());
}

TEST_F(ConductorTest, OpenCallersOutliveAnUnmount) {
  Caller caller = conductor.open("greeter");
  ASSERT_TRUE(conductor.unmount("greeter").ok());
  EXPECT_TRUE(greet(caller, "x"));
  EXPECT_FALSE(conductor.open("greeter").ok());
  EXPECT_FALSE(conductor.unmount("greeter").ok());
  EXPECT_TRUE(conductor.mount("greeter", {.entry = symphony_pit_greeter()}).ok());
}

TEST_F(ConductorTest, AStateTravelsFromOneInstanceToAnother) {
  Caller caller = conductor.open("greeter");
  (void)greet(caller, "x");
  (void)greet(caller, "x");
  PitState state;
  ASSERT_TRUE(conductor.snapshot("greeter", state).ok());
  ASSERT_TRUE(conductor.mount("second", {.entry = symphony_pit_greeter()}).ok());
  ASSERT_TRUE(conductor.restore("second", state).ok());
  Caller second = conductor.open("second");
  EXPECT_EQ(greet(second, "x")->count(), 3u);
  PitState damaged{state.revision, std::vector<std::byte>(3)};
  EXPECT_FALSE(conductor.restore("second", damaged).ok());
  EXPECT_EQ(greet(second, "x")->count(), 4u) << "a restore that fails leaves the state it found";
}

}  // namespace
}  // namespace symphony
