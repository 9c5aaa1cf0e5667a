// A core with one pit that serves a link, and a swap of it step by step.   For tests of the core.
#pragma once

#include <string>

#include "tests/unit/broker/core_driver.hpp"

namespace symphony::detail::broker {

using control::Frozen;
using control::Prepared;
using control::Verb;

inline PitConfig hosted_pit(Durability durability = Durability::none) {
  PitConfig pit = some_pits(1)[0];
  pit.executable = "/lib/symphony-pit-host";
  pit.args = {"/old.so"};
  pit.state.durability = durability;
  return pit;
}

// Of the one pit, in place 0; who takes over is in place 1.
struct Swap : CoreDriver {
  explicit Swap(const PitConfig& pit = hosted_pit(), std::uint16_t speaks = control::protocol_of_swap)
      : CoreDriver({pit}), protocol(speaks) {
    begin();
    step(PitSpawned{0, 1, 101});
    step(PitMessage{0, 1, ready()});
    caller_conn = caller();
    open(caller_conn);
    at = attach_until(caller_conn, LinkState::open);
    out.clear();
  }
  [[nodiscard]] control::PitReady ready() const { return {1, protocol, now, "p", "1", 1000, false}; }
  std::uint64_t ask(const std::string& file = "/new.so", TimeNs pause = 0, std::uint32_t instance = 1) {
    if (oper == 0) oper = caller();
    control::Command m{++correlation, Verb::swap, "pit0", instance, now + 30 * second_ns, pause, file};
    m.rehearse = rehearse;
    say(oper, std::move(m));
    return correlation;
  }
  // Who takes over, up to and including what it says.
  void heir_spawned() { step(PitSpawned{1, 2, 202}); }
  void heir_says(control::Message m) { step(PitMessage{1, 2, std::move(m)}); }
  void pit_says_0(control::Message m) { step(PitMessage{0, 1, std::move(m)}); }
  void until_frozen(TimeNs pause = 0) {
    ask("/new.so", pause);
    heir_spawned();
    heir_says(Prepared{});
  }
  void until_restoring(TimeNs pause = 0) {
    until_frozen(pause);
    pit_says_0(Frozen{number, control::code_done, {}});
  }
  std::optional<control::Answer> answered() { return to_caller<control::Answer>(); }
  [[nodiscard]] std::string state() const { return core.status().at(0).state; }
  void expect_goes_on(const std::string& why) {
    EXPECT_EQ(state(), "ready");
    EXPECT_TRUE(said_to_pit<control::Thaw>());
    for (const Action& a : out) {
      const auto* kill = std::get_if<KillPit>(&a);
      EXPECT_FALSE(kill != nullptr && kill->pit == 0) << "the pit that serves is not to be killed";
    }
    const auto answer = said_to_caller<control::Answer>();
    ASSERT_TRUE(answer);
    EXPECT_NE(answer->code, control::code_done);
    EXPECT_NE(answer->text.find("goes on as it was"), std::string::npos) << answer->text;
    EXPECT_NE(answer->text.find(why), std::string::npos) << answer->text;
  }
  std::uint16_t protocol;  // of the pit
  bool rehearse = false;
  ConnId caller_conn = 0, oper = 0;
  std::uint32_t number = (1 << 16) + 1;  // of the first swap
  Attachment at;
};

}  // namespace symphony::detail::broker
