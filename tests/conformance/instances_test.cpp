// A pit of several instances, each a process with its share of the keys. What could go wrong: equal keys meet two
// states, a death is felt by other keys, programs disagree about who has which key.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include <symphony/conductor.hpp>

#include "pits/hosting/shard_key.hpp"
#include "tests/e2e/bus_fixture.hpp"

namespace symphony {
namespace {

constexpr std::uint32_t instances = 3;

struct InstancesTest : BusTest {
  void SetUp() override {
    PitConfig probe = pit_config("probe");
    probe.instances = instances;
    start({pit_config("greeter"), probe});
    conductor.emplace(&*endpoint);
    const StepResult mounted = conductor->mount("probe", {.mode = Mode::process, .instances = instances});
    ASSERT_TRUE(mounted.ok()) << mounted.text;
    caller = conductor->open("probe");
    shared = conductor->share("probe");
    ASSERT_TRUE(caller.ok() && shared.ok());
  }
  template <class AnyCaller>
  static TypedReply<probe::Done> act_for(AnyCaller& caller, std::string_view key, probe::Act act) {
    struct Keyed {
      AnyCaller& caller;
      std::string_view key;
      Reply call(std::uint32_t type, std::span<const std::byte> body, const CallOptions& options) {
        return caller.call_for(key, type, body, options);
      }
    } keyed{caller, key};
    flatbuffers::FlatBufferBuilder b;
    return call<probe::Done>(keyed, b, probe::CreateDo(b, act, 0));
  }
  template <class AnyCaller>
  static std::uint64_t pid_for(AnyCaller& caller, std::string_view key) {
    const auto done = act_for(caller, key, probe::Act::PID);
    EXPECT_TRUE(done) << done.reply.text;
    return done ? done->value() : 0;
  }
  std::uint64_t pid_of(std::uint32_t index) {
    return static_cast<std::uint64_t>(broker->pit_pid(instance_name("probe", index)).value());
  }
  static std::string key(int i) { return "customer " + std::to_string(i); }

  std::optional<Conductor> conductor;
  Caller caller;
  SharedCaller shared;
};

TEST_F(InstancesTest, EqualKeysReachTheSameInstanceWhoeverCallsAndAllHaveSome) {
  Conductor other(&*endpoint);
  ASSERT_TRUE(other.mount("probe", {.mode = Mode::process}).ok()) << "as many instances as the broker has";
  Caller elsewhere = other.open("probe");
  std::set<std::uint64_t> pids;
  for (int i = 0; i < 60; ++i) {
    const std::uint64_t pid = pid_for(caller, key(i));
    EXPECT_EQ(pid_for(shared, key(i)), pid);
    EXPECT_EQ(pid_for(elsewhere, key(i)), pid);
    pids.insert(pid);
  }
  EXPECT_EQ(pids.size(), instances);
}

TEST_F(InstancesTest, WithoutAKeyACallReachesTheFirst) {
  EXPECT_EQ(pid_for(caller, ""), pid_of(0));
  flatbuffers::FlatBufferBuilder b;
  EXPECT_EQ(call<probe::Done>(caller, b, probe::CreateDo(b, probe::Act::PID, 0))->value(), pid_of(0));
  EXPECT_EQ(call<probe::Done>(shared, b, probe::CreateDo(b, probe::Act::PID, 0))->value(), pid_of(0));
}

TEST_F(InstancesTest, AKilledOneIsFeltByItsOwnKeysOnly) {
  std::map<std::string, std::uint64_t> before;
  for (int i = 0; i < 30; ++i) before[key(i)] = pid_for(shared, key(i));
  const std::uint64_t victim = pid_of(1);
  ASSERT_TRUE(broker->kill_pit("probe.1"));
  for (const auto& [of_key, pid] : before) {
    EXPECT_EQ(pid_for(shared, of_key) == pid, pid != victim) << of_key;
    EXPECT_EQ(pid_for(caller, of_key) == pid, pid != victim) << of_key;
  }
}

TEST_F(InstancesTest, AQuarantinedOneIsFeltByItsOwnKeysOnlyAlsoWhereItIsNotOpenYet) {
  PitConfig probe = pit_config("probe");
  probe.instances = instances;
  probe.restart.failures_max = 1;
  start({probe});
  Conductor here(&*endpoint);
  ASSERT_TRUE(here.mount("probe", {.mode = Mode::process}).ok());
  ASSERT_TRUE(comes_true([&] { return broker->kill_pit("probe.1").has_value(); }));
  ASSERT_TRUE(comes_true([&] { return broker->status()[1].state == "quarantined"; }));
  Caller alone = here.open("probe");
  const SharedCaller together = here.share("probe");
  for (int i = 0; i < 30; ++i) {
    const bool is_dead = pit::instance_of(pit::key_of(key(i)), instances) == 1;
    EXPECT_EQ(act_for(alone, key(i), probe::Act::NOTHING).reply.status, is_dead ? status::quarantined : status::ok);
    EXPECT_EQ(act_for(together, key(i), probe::Act::NOTHING).reply.status, is_dead ? status::quarantined : status::ok);
  }
}

TEST_F(InstancesTest, AnotherNumberThanTheBrokersIsRefused) {
  const StepResult wrong = conductor->mount("probe", {.mode = Mode::process, .instances = 2});
  EXPECT_EQ(wrong.status, status::bad_state) << "mounted already";
  Conductor other(&*endpoint);
  const StepResult two = other.mount("probe", {.mode = Mode::process, .instances = 2});
  EXPECT_EQ(two.status, status::bad_state);
  EXPECT_NE(two.text.find("3 instances"), std::string::npos) << two.text;
  EXPECT_FALSE(other.mount("greeter", {.mode = Mode::process, .instances = 2}).ok());
  EXPECT_TRUE(other.mount("greeter", {.mode = Mode::process, .instances = 1}).ok());
}

TEST_F(InstancesTest, AStateIsHadFromEachUnderItsOwnName) {
  PitState state;
  const StepResult refused = conductor->snapshot("probe", state);
  EXPECT_EQ(refused.status, status::bad_state);
  EXPECT_NE(refused.text.find("mount 'probe.1'"), std::string::npos) << refused.text;
  EXPECT_EQ(conductor->restore("probe", state).status, status::bad_state);
  ASSERT_TRUE(conductor->mount("probe.1", {.mode = Mode::process}).ok());
  Caller second = conductor->open("probe.1");
  EXPECT_EQ(pid_for(second, "whatever"), pid_of(1));
}

TEST_F(InstancesTest, WhatIsFedIsFedToEach) {
  EXPECT_TRUE(conductor->feed("probe", 3, 1'000).ok());
  ASSERT_TRUE(broker->kill_pit("probe.2"));
  EXPECT_TRUE(conductor->feed("probe", 3, 2'000).ok()) << "it waits for the next instance";
}

// Programs of different versions share a broker: a change here would send a key to another state.
TEST(ShardKey, IsAsItAlwaysWas) {
  EXPECT_EQ(pit::key_of(""), 0u);
  EXPECT_EQ(pit::key_of("a"), 0xaf63dc4c8601ec8cu ^ (0xaf63dc4c8601ec8cu >> 32)) << "FNV-1a of 64 bits, mixed";
  EXPECT_EQ(pit::instance_of(0, 7), 0u);
  std::map<std::uint32_t, int> keys;
  for (int i = 0; i < 32'000; ++i) ++keys[pit::instance_of(pit::key_of(std::to_string(i)), instances_max)];
  EXPECT_EQ(keys.size(), instances_max);
  for (const auto& [index, count] : keys) {
    EXPECT_GT(count, 800) << index;
    EXPECT_LT(count, 1'200) << index;
  }
}

}  // namespace
}  // namespace symphony
