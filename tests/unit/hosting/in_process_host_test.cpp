// What the modes that run a pit in this process promise where a step of the control side traps: whoever asks next finds
// the instance that took its place.
#include "pits/hosting/in_process_host.hpp"

#include <gmock/gmock.h>

#include <memory>
#include <string>

#include "tests/unit/hosting/scripted_pit.hpp"

namespace symphony::pit {
namespace {

using ::testing::HasSubstr;

// A mode whose pits can trap: the script says when.
class TrappingHost final : public InProcessHost {
 public:
  static Outcome mount(std::unique_ptr<TrappingHost>& out) {
    std::shared_ptr<InProcessCore> core;
    if (Outcome o = begin("trapping", std::make_unique<Factory>(), {}, core); !o.ok()) return o;
    out.reset(new TrappingHost(std::move(core)));
    return {};
  }

 private:
  class Factory final : public InstanceFactory {
   public:
    Outcome make(const InstanceOptions& options, std::unique_ptr<Instance>& out) override {
      return Instance::make(entry_, options, out);
    }
    [[nodiscard]] bool can_trap() const noexcept override { return true; }

   private:
    const symphony_pit_entry entry_ = test::scripted_entry();
  };
  using InProcessHost::InProcessHost;
};

class TrappedStep : public testing::Test {
 protected:
  void SetUp() override {
    test::script() = &script_;
    script_.step = [this](std::string_view step) { return trap_once(step); };
    script_.snapshot = [this](const symphony_sink&) { return trap_once("snapshot"); };
    const Outcome mounted = TrappingHost::mount(host_);
    ASSERT_TRUE(mounted.ok()) << mounted.text;
    ASSERT_TRUE(host_->open(link_).ok());
  }
  std::int32_t trap_once(std::string_view step) {
    if (step != traps_ || times_ == 0) return SYMPHONY_OK;
    --times_;
    return SYMPHONY_TRAPPED;
  }
  void trap_next(const char* step, int times = 1) {
    traps_ = step;
    times_ = times;
  }
  std::int32_t call() { return link_->call({.type = 7}).status; }

  test::Script script_;
  std::string traps_;
  int times_ = 0;
  std::unique_ptr<TrappingHost> host_;
  std::unique_ptr<Link> link_;
};

TEST_F(TrappedStep, DrainLeavesAnInstanceThatRunsAndDrainsTheNextTime) {
  trap_next("drain");
  EXPECT_EQ(host_->drain(no_deadline_ns).status, SYMPHONY_TRAPPED);
  EXPECT_EQ(host_->rebuilds(), 1u);
  EXPECT_EQ(call(), SYMPHONY_OK);
  EXPECT_TRUE(host_->drain(no_deadline_ns).ok());
  EXPECT_TRUE(host_->stop().ok());
}

TEST_F(TrappedStep, StartLeavesAnInstanceThatIsDrainedAndStartsTheNextTime) {
  ASSERT_TRUE(host_->drain(no_deadline_ns).ok());
  trap_next("start");
  EXPECT_EQ(host_->start().status, SYMPHONY_TRAPPED);
  EXPECT_EQ(host_->rebuilds(), 1u);
  EXPECT_EQ(call(), SYMPHONY_BAD_STATE) << "its host drained it, and the trap must not start it again";
  EXPECT_TRUE(host_->start().ok());
  EXPECT_EQ(call(), SYMPHONY_OK);
}

TEST_F(TrappedStep, StopLeavesAnInstanceThatIsDrainedAndStopsTheNextTime) {
  ASSERT_TRUE(host_->drain(no_deadline_ns).ok());
  trap_next("stop");
  EXPECT_EQ(host_->stop().status, SYMPHONY_TRAPPED);
  EXPECT_EQ(call(), SYMPHONY_BAD_STATE);
  Snapshot state;
  EXPECT_TRUE(host_->snapshot(state).ok());
  EXPECT_TRUE(host_->stop().ok());
  EXPECT_EQ(host_->start().status, SYMPHONY_BAD_STATE);
}

TEST_F(TrappedStep, SnapshotOfADrainedPitLeavesADrainedOne) {
  ASSERT_TRUE(host_->drain(no_deadline_ns).ok());
  trap_next("snapshot");
  Snapshot state;
  EXPECT_EQ(host_->snapshot(state).status, SYMPHONY_TRAPPED);
  EXPECT_EQ(call(), SYMPHONY_BAD_STATE);
  EXPECT_TRUE(host_->snapshot(state).ok());
  EXPECT_TRUE(host_->start().ok());
}

TEST_F(TrappedStep, WhoseNextInstanceDoesNotStartRefusesEachStepWithTheReasonUntilAGoodStateComes) {
  script_.handle = [](const symphony_host&, const symphony_msg&) { return SYMPHONY_TRAPPED; };
  script_.step = [](std::string_view step) { return step == "start" ? SYMPHONY_TRAPPED : SYMPHONY_OK; };
  EXPECT_EQ(call(), SYMPHONY_TRAPPED);
  const int created = script_.created;
  Snapshot state;
  for (const Outcome& refused : {host_->drain(no_deadline_ns), host_->start(), host_->stop(), host_->snapshot(state)}) {
    EXPECT_EQ(refused.status, SYMPHONY_QUARANTINED);
    EXPECT_THAT(refused.text, HasSubstr("restore a good state"));
  }
  EXPECT_EQ(call(), SYMPHONY_QUARANTINED);
  EXPECT_EQ(script_.created, created) << "it is not tried again behind the host's back";
  script_ = {};
  EXPECT_TRUE(host_->restore({3, {}, {}}).ok());
  EXPECT_EQ(call(), SYMPHONY_OK);
  EXPECT_TRUE(host_->drain(no_deadline_ns).ok());
}

TEST_F(TrappedStep, EndsTheRequestsThatWaitedForTheirAnswer) {
  script_.handle = [](const symphony_host&, const symphony_msg& message) {
    return message.envelope->type == 9 ? SYMPHONY_PENDING : SYMPHONY_TRAPPED;
  };
  std::unique_ptr<Link> other;
  ASSERT_TRUE(host_->open(other).ok());
  ASSERT_TRUE(other->try_start({.type = 9}, 1));
  std::uint64_t tag = 0;
  Reply reply;
  EXPECT_FALSE(other->try_take(tag, reply));
  EXPECT_EQ(call(), SYMPHONY_TRAPPED);
  ASSERT_TRUE(other->try_take(tag, reply));
  EXPECT_EQ(reply.status, SYMPHONY_TRAPPED);
  EXPECT_THAT(std::string(reply.text), HasSubstr("its instance trapped before it answered"));
}

// A pit whose state can never be kept would be made anew for ever.
TEST_F(TrappedStep, OfEachInstanceIsTheEndOfTryingAndNotOfTheProgram) {
  trap_next("snapshot", 1'000);
  Snapshot state;
  EXPECT_EQ(host_->snapshot(state).status, SYMPHONY_TRAPPED);
  EXPECT_EQ(host_->snapshot(state).status, SYMPHONY_QUARANTINED);
  EXPECT_EQ(times_, 998);
  std::unique_ptr<TrappingHost> another;
  EXPECT_EQ(TrappingHost::mount(another).status, SYMPHONY_TRAPPED);
}

}  // namespace
}  // namespace symphony::pit
