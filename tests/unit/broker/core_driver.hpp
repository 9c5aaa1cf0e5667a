// Drives a BrokerCore by hand: events in, the actions kept in order until a test takes them.   For tests of the core.
#pragma once

#include <deque>
#include <optional>

#include <gtest/gtest.h>

#include "bus/broker/core.hpp"

namespace symphony::detail::broker {

inline std::vector<PitConfig> some_pits(std::size_t count, bool start_at_once = true) {
  std::vector<PitConfig> pits(count);
  for (std::size_t i = 0; i < count; ++i) {
    pits[i].name = "pit" + std::to_string(i);
    pits[i].executable = "/pit";
    pits[i].start_at_once = start_at_once;
  }
  return pits;
}

struct CoreDriver {
  explicit CoreDriver(std::vector<PitConfig> pits = some_pits(1), Generation generation = 1, bool may_reconnect = false)
      : core({std::move(pits), generation, 42, 1000, may_reconnect, 4711, "/logs"}), core_generation(generation) {}

  void step(const Event& e) {
    core.step(e, now);
    for (Action a; core.pop(a);) {
      if (const auto* arm = std::get_if<ArmTimer>(&a)) {
        armed = arm->at_ns;
      } else {
        out.push_back(std::move(a));
      }
    }
  }
  // The next action of this kind, with those before it dropped.
  template <class T>
  std::optional<T> take() {
    while (!out.empty()) {
      const Action a = std::move(out.front());
      out.pop_front();
      if (const T* found = std::get_if<T>(&a)) return *found;
    }
    return std::nullopt;
  }
  template <class T>
  std::size_t count() const {
    std::size_t n = 0;
    for (const Action& a : out) n += std::holds_alternative<T>(a) ? 1 : 0;
    return n;
  }
  // The next message of this kind to any caller, or to any pit, with what was before it dropped.
  template <class M>
  std::optional<M> to_caller() {
    while (const auto sent = take<SendToCaller>()) {
      last_conn = sent->conn;
      last_fds = sent->fds;
      if (const M* m = std::get_if<M>(&sent->message)) return *m;
    }
    return std::nullopt;
  }
  template <class M>
  std::optional<M> to_pit() {
    while (const auto sent = take<SendToPit>()) {
      last_fds = sent->fds;
      if (const M* m = std::get_if<M>(&sent->message)) return *m;
    }
    return std::nullopt;
  }
  // The first message of this kind, wherever it stands; nothing is dropped.
  template <class M>
  std::optional<M> said_to_caller() const {
    return peek<SendToCaller, M>();
  }
  template <class M>
  std::optional<M> said_to_pit() const {
    return peek<SendToPit, M>();
  }
  template <class A, class M>
  std::optional<M> peek() const {
    for (const Action& a : out) {
      if (const A* sent = std::get_if<A>(&a)) {
        if (const M* m = std::get_if<M>(&sent->message)) return *m;
      }
    }
    return std::nullopt;
  }

  void begin() { step(Begin{}); }
  void pit_ready(PitIndex pit = 0, bool heavy_barriers = false) {
    const std::uint32_t instance = core.status().at(pit).instance;
    step(PitSpawned{pit, instance, static_cast<pid_t>(100 + instance)});
    step(PitMessage{pit, instance, control::PitReady{1, 1, now, "p", "1", 1000, heavy_barriers}});
  }
  void pit_exits(bool signalled, int value, PitIndex pit = 0, std::string last_lines = {}) {
    step(PitExited{pit, core.status().at(pit).instance, signalled, value, std::move(last_lines)});
  }
  ConnId caller(std::vector<control::HeldLink> held = {}, uid_t uid = 1000) {
    const ConnId conn = ++conns;
    step(CallerConnected{conn, uid});
    step(CallerMessage{conn, control::Hello{1, 1, now, std::move(held)}});
    return conn;
  }
  void say(ConnId conn, control::Message m) { step(CallerMessage{conn, std::move(m)}); }
  void pit_says(control::Message m, PitIndex pit = 0) {
    step(PitMessage{pit, core.status().at(pit).instance, std::move(m)});
  }
  void open(ConnId conn, const std::string& pit = "pit0", LinkId link = 0, TimeNs timeout = 30 * second_ns,
            bool heavy_barriers = false) {
    say(conn, control::Open{++correlation, pit, link, 0, 0, now + timeout, heavy_barriers});
  }
  // What an operator asks for; the correlation.
  std::uint64_t command(ConnId conn, control::Verb verb, const std::string& pit = "pit0",
                        TimeNs timeout = 30 * second_ns, std::uint32_t instance = 0, TimeNs grace = 0) {
    say(conn, control::Command{++correlation, verb, pit, instance, now + timeout, grace});
    return correlation;
  }
  PitReport report(ConnId conn, const std::string& pit = "pit0") {
    command(conn, control::Verb::show, pit);
    const auto answer = to_caller<control::Answer>();
    EXPECT_TRUE(answer && answer->code == control::code_done);
    return answer ? answer->pit : PitReport{};
  }
  // From MakeSegments up to and including this state; the attachment.
  Attachment attach_until(ConnId conn, LinkState state, PitIndex pit = 0) {
    const auto made = take<MakeSegments>();
    if (!made) {
      ADD_FAILURE() << "no attach under way";
      return {};
    }
    Attachment at{core_generation, made->link, made->epoch};
    if (state == LinkState::making) return at;
    step(SegmentsMade{at.link, at.epoch});
    if (state == LinkState::owning) return at;
    say(conn, control::Mapped{at});
    pit_says(control::Mapped{at}, pit);
    if (state == LinkState::sealing) return at;
    step(SegmentsSealed{at.link, at.epoch});
    if (state == LinkState::peering) return at;
    say(conn, control::Ready{at, 0});
    pit_says(control::Ready{at, 7}, pit);
    return at;
  }
  void pass(TimeNs ns) {
    now += ns;
    while (armed <= now) {
      armed = no_deadline_ns;
      step(TimerFired{});
    }
  }

  BrokerCore core;
  Generation core_generation;
  TimeNs now = second_ns;
  TimeNs armed = no_deadline_ns;
  std::deque<Action> out;
  std::vector<FdName> last_fds;
  ConnId last_conn = 0;
  ConnId conns = 0;
  std::uint64_t correlation = 0;
};

// One whose first pit is ready.
inline CoreDriver ready_driver(std::vector<PitConfig> pits = some_pits(1)) {
  CoreDriver d(std::move(pits));
  d.begin();
  d.pit_ready();
  return d;
}

}  // namespace symphony::detail::broker
