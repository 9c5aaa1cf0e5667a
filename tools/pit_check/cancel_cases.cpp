// Callers that go while the pit works for them.
#include <array>
#include <string>

#include "tools/pit_check/by_hand.hpp"
#include "tools/pit_check/cases.hpp"

namespace symphony::pit_check {
namespace cancel {
namespace {

void in_a_handler(Trial& trial) {
  const Corpus corpus(trial);
  Blames blames;
  const auto instance = make_running(trial, {.log = &blames, .seed = 7});
  std::uint64_t asked = 0;
  for (int i = 0; i < 300; ++i) {
    OneEnding sink;
    // Gone before the handler began, or somewhere within: each time it asks, it may have happened.
    sink.patience = static_cast<int>(below(trial.random, 6));
    const Ending ending = send(*instance, corpus.any(trial.random), sink);
    asked += static_cast<std::uint64_t>(sink.asked);
    if (const auto fault = fault_of(trial.note(), {ending.status, 0, {}, {}})) {
      Trial::fail("a request whose caller went while it was handled: " + *fault);
    }
    // The next caller stays.
    OneEnding patient;
    const Ending next = send(*instance, corpus.any(trial.random), patient);
    if (const auto fault = fault_of(trial.note(), {next.status, 0, {}, {}})) {
      Trial::fail("the request after one whose caller went: " + *fault);
    }
    Trial::require(next.status != SYMPHONY_CANCELLED || patient.later != 0,
                   "a request whose caller waits ended as CANCELLED: the pit remembers another one's caller");
  }
  trial.remark = "it asked " + std::to_string(asked) + " times whether anybody waits";
  if (!blames.lines().empty()) Trial::fail("the host's log: " + blames.lines().front());
}

void callers_that_leave(Trial& trial) {
  const Corpus corpus(trial);
  const auto mounted = mount(trial);
  pit::Host& host = mounted->host();
  const pid_t before = mounted->process();
  for (int round = 0; round < 30; ++round) {
    std::unique_ptr<pit::Link> link;
    Trial::require_ok(host.open(link), "no link");
    for (std::uint64_t i = 0; i < 64; ++i) {
      const Message& message = corpus.any(trial.random);
      const auto effect = trial.note().effect_of(message.type).value_or(SYMPHONY_EFFECT_ONCE);
      if (!link->try_start({message.type, effect, message.body, now_ns() + call_timeout_ns}, i)) break;
    }
  }
  require_usable(trial, host, "callers that left without their replies");
  Trial::require(mounted->process() == before, "callers that left without their replies were the end of the pit");
  if (trial.note().state_revision == 0) return;
  const pit::Snapshot state = snapshot_of(host, "after callers that left");
  Trial::require_ok(host.restore(state), "restore of the state after callers that left");
  Trial::require(same_state(state, snapshot_of(host, "after restore")), "its state does not come through a restore");
}

constexpr std::array cases{
    Case{"cancel.in_a_handler", "a caller that goes while its request is handled leaves the pit sound",
         Ground::instance, &in_a_handler},
    Case{"cancel.callers_that_leave", "links closed with calls on the way leave pit and state sound", Ground::any,
         &callers_that_leave},
};

}  // namespace
}  // namespace cancel

std::span<const Case> cancel_cases() noexcept { return cancel::cases; }

}  // namespace symphony::pit_check
