// The state words and the progress words of a link, read while the other side lives.   Layer: tests. Threads: fibers.
#include "tests/proof/explorer/link_under_test.hpp"
#include "tests/proof/explorer/scenario.hpp"

namespace symphony::proof {
namespace {

using detail::SideState;

// C2: both sides send, say that they close, take what the other sent to the first 0, and wait for each other.
class BothClose : public Program {
 public:
  // So many messages from the caller, so many from the pit.
  BothClose(Explorer& e, unsigned requests, unsigned replies)
      : e_(e), requests_(requests), replies_(replies), link_(e, 0, 1) {}
  void run(int thread) override {
    if (thread == 0) {
      close(link_.caller, requests_, replies_);
    } else {
      close(link_.pit, replies_, requests_);
    }
  }

 private:
  template <class Side>
  void close(Side& side, unsigned sent, unsigned wanted) noexcept {
    if (e_.is(Mutation::Kind::close_before_send)) side.set_state(SideState::closing);
    for (unsigned id = 1; id <= sent; ++id) send(e_, side, id);
    if (!e_.is(Mutation::Kind::close_before_send)) side.set_state(SideState::closing);
    unsigned got = 0;
    for (;;) {
      // The state first: what the other committed before it is then seen by the look.
      const bool closing = side.peer_state() != SideState::open;
      while (const std::uint64_t id = take(e_, side)) e_.require(id == ++got, "a message out of order");
      if (closing) break;
      sleep_unless(e_, side, [&] { return side.look_again() || side.peer_state() != SideState::open; });
    }
    e_.require(got == wanted, "a side that closed was believed before its messages were taken");
    side.set_state(SideState::closed);
    while (side.peer_state() != SideState::closed) {
      sleep_unless(e_, side, [&] { return side.peer_state() == SideState::closed; });
    }
  }
  Explorer& e_;
  unsigned requests_;
  unsigned replies_;
  LinkUnderTest link_;
};

// The caller closes as LinkCore does; the pit answers as ServedLink does.
class CallerCloses : public Program {
 public:
  CallerCloses(Explorer& e, unsigned messages) : e_(e), messages_(messages), link_(e, 0, 1) {}
  void run(int thread) override {
    if (thread == 0) {
      auto& side = link_.caller;
      if (e_.is(Mutation::Kind::close_before_send)) side.set_state(SideState::closing);
      for (unsigned id = 1; id <= messages_; ++id) send(e_, side, id);
      if (!e_.is(Mutation::Kind::close_before_send)) side.set_state(SideState::closing);
      while (side.peer_state() != SideState::closed) e_.await();
      return;
    }
    auto& side = link_.pit;
    unsigned got = 0;
    for (;;) {
      while (const std::uint64_t id = take(e_, side)) e_.require(id == ++got, "a message out of order");
      if (side.peer_state() != SideState::closing) {
        e_.await();
      } else if (!side.look_again()) {
        break;
      }
    }
    e_.require(got == messages_, "closed before everything was handled");
    side.set_state(SideState::closed);
  }

 private:
  Explorer& e_;
  unsigned messages_;
  LinkUnderTest link_;
};

// A caller, or a watchdog, looks how far a living pit is.
class ProgressOfTheLiving : public Program {
 public:
  ProgressOfTheLiving(Explorer& e, unsigned messages) : e_(e), messages_(messages), link_(e, 0, 1) {}
  void run(int thread) override {
    if (thread == 0) {
      for (unsigned id = 1; id <= messages_; ++id) send(e_, link_.caller, id);
      const detail::PitProgress first = link_.caller.pit_progress();
      const detail::PitProgress second = link_.caller.pit_progress();
      e_.require(first.handled <= first.begun, "handled is ahead of begun");
      // One record is being worked on at a time: who sees that it was begun knows that all before it are handled.
      e_.require(second.handled + 64 >= first.begun, "a record was begun before the one before it was handled");
      std::uint64_t replies = 0;
      while (take(e_, link_.caller) != 0) ++replies;
      e_.require(replies * 64 >= second.handled, "handled, and its reply is not there");
      return;
    }
    auto& side = link_.pit;
    for (unsigned id = 1; id <= messages_; ++id) {
      LinkUnderTest::Pit::Record record;
      while (peek(e_, side, record) == 0) e_.await();
      if (!e_.is(Mutation::Kind::begin_after_reply)) side.begin(record);
      if (e_.is(Mutation::Kind::finish_before_reply)) side.finish(record);
      send(e_, side, id);
      if (e_.is(Mutation::Kind::begin_after_reply)) side.begin(record);
      if (!e_.is(Mutation::Kind::finish_before_reply)) side.finish(record);
      side.free_space(false);
    }
  }

 private:
  Explorer& e_;
  unsigned messages_;
  LinkUnderTest link_;
};

}  // namespace

void add_close_scenarios(std::vector<Scenario>& all, bool large) {
  const unsigned one = large ? 2 : 1;
  const unsigned two = large ? 3 : 2;
  all.push_back({"both_close",
                 std::to_string(one) + " messages one way, 1 the other, both close and sleep",
                 {2},
                 [one](Explorer& e) { return std::make_unique<BothClose>(e, one, 1u); }});
  all.push_back({"caller_closes", std::to_string(two) + " messages, then closing; polled", {2}, [two](Explorer& e) {
                   return std::make_unique<CallerCloses>(e, two);
                 }});
  all.push_back({"progress_of_the_living",
                 std::to_string(two) + " calls, begun and handled read twice meanwhile",
                 {2},
                 [two](Explorer& e) { return std::make_unique<ProgressOfTheLiving>(e, two); }});
}

}  // namespace symphony::proof
