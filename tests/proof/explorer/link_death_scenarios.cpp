// The scenarios of links once more, with a side that dies at any step: full rings, closing, two links, write-back. Who
// survives is never left asleep, takes what was committed and nothing else.   Layer: tests. Threads: fibers.
#include "tests/proof/explorer/link_under_test.hpp"
#include "tests/proof/explorer/scenario.hpp"

namespace symphony::proof {
namespace {

using detail::SideState;

// Sleeps until look() or the other side's death.
template <class Side, class Look>
void sleep_unless_dead(Explorer& e, Side& side, Look&& look) noexcept {
  sleep_unless(
      e, side, [&] { return look() || e.is_dead(); }, e.death_word());
}

// What the words of a dead pit say, against what its caller has taken and knows to be executed.
void check_progress(Explorer& e, LinkUnderTest::Caller& caller, std::uint64_t replies,
                    std::uint64_t executed) noexcept {
  const detail::PitProgress progress = caller.pit_progress();
  e.require(progress.handled <= progress.begun && progress.begun <= progress.handled + 64,
            "more than one request was being handled");
  e.require(progress.handled <= 64 * replies && 64 * replies <= progress.begun,
            "handled without a reply, or a reply before it was begun");
  e.require(progress.begun >= 64 * executed, "executed, and never begun");
}

// The caller sleeps for space; one of the two dies.
class FullAndDead : public Program {
 public:
  FullAndDead(Explorer& e, unsigned messages, bool heavy_barriers)
      : e_(e),
        messages_(messages),
        reserve_(capacity - messages * 64),  // one less than all of them fit
        link_(e, 0, 1, capacity, heavy_barriers) {}
  void run(int thread) override { thread == 0 ? send_all() : take_all(); }
  void at_end() override { e_.require(!pit_lives_ || got_ >= committed_, "a committed request was lost"); }

 private:
  static constexpr std::uint32_t capacity = 1024;
  void send_all() noexcept {
    for (unsigned id = 1; id <= messages_ && send_or_dead(id); ++id) {
      if (!e_.is_doomed()) committed_ = id;
    }
    if (e_.is_dead()) {
      const detail::PitProgress progress = link_.caller.pit_progress();
      link_.caller.look_again_for_space();
      e_.require(progress.begun == 0 && link_.caller.out().freed() <= link_.caller.out().published(),
                 "a dead pit's words say what it never did");
    }
  }
  bool send_or_dead(unsigned id) noexcept {
    auto& side = link_.caller;
    std::uint64_t at = 0;
    while (!try_send(e_, side, id, at, reserve_)) {
      if (e_.is_dead()) return false;
      if (!e_.is(Mutation::Kind::no_want_space)) side.want_space(true);
      const std::array<detail::WaitWord, 2> words{side.arm(), {e_.death_word(), 0}};
      side.look_again_for_space();
      const bool sent = try_send(e_, side, id, at, reserve_);
      if (!sent && !e_.is_dead()) e_.futex_wait(words);
      side.disarm();
      side.want_space(false);
      if (sent) return true;
    }
    return true;
  }
  bool take_next() noexcept {
    const std::uint64_t id = take(e_, link_.pit);
    if (id != 0) e_.require(id == ++got_, "a message out of order");
    return id != 0;
  }
  void take_all() noexcept {
    while (got_ < messages_) {
      if (take_next()) continue;
      link_.pit.free_space(true);
      if (e_.is_dead()) {
        while (!e_.is(Mutation::Kind::no_drain) && take_next()) {
        }
        break;
      }
      sleep_unless_dead(e_, link_.pit, [&] { return link_.pit.look_again(); });
    }
    link_.pit.free_space(true);
    pit_lives_ = !e_.is_doomed();
  }
  Explorer& e_;
  unsigned messages_;
  std::uint64_t reserve_;
  LinkUnderTest link_;
  unsigned committed_ = 0;
  unsigned got_ = 0;
  bool pit_lives_ = false;
};

// F1 with a death: the pit waits until a reply fits, the caller takes replies late.
class ReplyRingFullAndDead : public Program {
 public:
  ReplyRingFullAndDead(Explorer& e, unsigned calls, bool sleeps)
      : e_(e), calls_(calls), sleeps_(sleeps), link_(e, 0, 1, capacity) {}
  void run(int thread) override { thread == 0 ? call_all() : serve_all(); }
  void at_end() override { e_.require(!pit_lives_ || got_ >= committed_, "a committed request was lost"); }

 private:
  static constexpr std::uint32_t capacity = 1024;
  static constexpr std::uint64_t reserve = capacity - 2 * 64;  // one reply fits
  void call_all() noexcept {
    for (unsigned id = 1; id <= calls_; ++id) {
      send(e_, link_.caller, id);
      if (!e_.is_doomed()) committed_ = id;
    }
    std::uint64_t replies = 0;
    const auto take_reply = [&] {
      const std::uint64_t id = take(e_, link_.caller);
      if (id != 0) e_.require(id == ++replies, "a reply out of order");
      return id != 0;
    };
    while (replies < calls_) {
      if (take_reply()) continue;
      link_.caller.free_space(true);
      if (e_.is_dead()) {
        while (!e_.is(Mutation::Kind::no_drain) && take_reply()) {
        }
        return check_progress(e_, link_.caller, replies, got_);
      }
      e_.await();
    }
    link_.caller.free_space(true);
  }
  void serve_all() noexcept {
    auto& side = link_.pit;
    bool blocked = false;
    while (got_ < calls_) {
      const bool dead = e_.is_dead();
      LinkUnderTest::Pit::Record record;
      const std::uint64_t id = peek(e_, side, record);
      if (id != 0 && (dead || side.has_room(8, reserve))) {
        if (blocked) side.want_space(blocked = false);
        e_.require(id == got_ + 1, "a request out of order");
        side.begin(record);
        if (!e_.is_doomed()) ++got_;
        std::uint64_t at = 0;
        if (!dead)
          e_.require(try_send(e_, side, id, at, reserve), "the reply does not fit although it was asked before");
        side.finish(record);
        side.free_space(false);
        if (e_.is_doomed()) ++got_;  // this thread sees no further than its own death
        continue;
      }
      if (dead) break;
      side.free_space(true);
      if (id != 0 && !blocked && !e_.is(Mutation::Kind::no_want_space)) side.want_space(blocked = true);
      if (!sleeps_) {
        e_.await();
        continue;
      }
      sleep_unless_dead(e_, side, [&] {
        if (id == 0) return side.look_again();
        side.look_again_for_space();
        return side.has_room(8, reserve);
      });
    }
    pit_lives_ = !e_.is_doomed();
  }
  Explorer& e_;
  unsigned calls_;
  bool sleeps_;
  LinkUnderTest link_;
  unsigned committed_ = 0;
  unsigned got_ = 0;
  bool pit_lives_ = false;
};

// C2 with a death: both send and close. Who sees CLOSING has everything; who sees a death takes what is there.
class CloseAndDead : public Program {
 public:
  CloseAndDead(Explorer& e, unsigned messages) : e_(e), messages_(messages), link_(e, 0, 1) {}
  void run(int thread) override { thread == 0 ? close(link_.caller, 0) : close(link_.pit, 1); }
  void at_end() override {
    for (const std::size_t side : {std::size_t{0}, std::size_t{1}}) {
      e_.require(!lives_[side] || got_[side] >= committed_[1 - side], "a committed message was lost");
    }
  }

 private:
  template <class Side>
  void close(Side& side, std::size_t self) noexcept {
    if (e_.is(Mutation::Kind::close_before_send)) side.set_state(SideState::closing);
    for (unsigned id = 1; id <= messages_; ++id) {
      send(e_, side, id);
      if (!e_.is_doomed()) committed_[self] = id;
    }
    if (!e_.is(Mutation::Kind::close_before_send)) side.set_state(SideState::closing);
    for (;;) {
      const bool dead = e_.is_dead();
      const bool closing = side.peer_state() != SideState::open;
      while (const std::uint64_t id = take(e_, side)) e_.require(id == ++got_[self], "a message out of order");
      if (closing) e_.require(got_[self] == messages_, "closing is seen before the last message");
      if (closing || dead) break;
      e_.await();
    }
    lives_[self] = !e_.is_doomed();
  }
  Explorer& e_;
  unsigned messages_;
  LinkUnderTest link_;
  std::array<unsigned, 2> committed_{};
  std::array<unsigned, 2> got_{};
  std::array<bool, 2> lives_{};
};

// One sleeper serves two links; the caller of the first dies, the other goes on.
class OneOfTwoDead : public Program {
 public:
  OneOfTwoDead(Explorer& e, unsigned messages) : e_(e), messages_(messages), a_(e, 0, 2), b_(e, 1, 2) {}
  void run(int thread) override {
    if (thread < 2) {
      for (unsigned id = 1; id <= (thread == 0 ? messages_ : 1); ++id) {
        send(e_, (thread == 0 ? a_ : b_).caller, id);
        if (thread == 0 && !e_.is_doomed()) committed_ = id;
      }
      return;
    }
    bool drained = false;
    while ((got_a_ < messages_ && !drained) || got_b_ == 0) {
      const bool dead = e_.is_dead();
      const bool any_a = sweep(a_, got_a_);
      const bool any_b = sweep(b_, got_b_);
      if (any_a || any_b) continue;
      if (dead) drained = true;
      if (drained && got_b_ == 1) break;
      const std::array<detail::WaitWord, 3> words{a_.pit.arm(), b_.pit.arm(), {e_.death_word(), dead ? 1u : 0u}};
      bool look = a_.pit.look_again();
      if (!e_.is(Mutation::Kind::look_at_one_link)) look = look || b_.pit.look_again();
      if (!look && (dead || !e_.is_dead())) e_.futex_wait({words.data(), dead ? 2u : 3u});
      a_.pit.disarm();
      b_.pit.disarm();
    }
  }
  void at_end() override {
    e_.require(got_a_ >= committed_, "a committed request was lost with its caller");
    e_.require(got_b_ == 1, "a living caller's request was lost");
  }

 private:
  bool sweep(LinkUnderTest& link, unsigned& got) noexcept {
    const std::uint64_t id = take(e_, link.pit);
    if (id == 0) return false;
    e_.require(id == ++got, "a message out of order");
    return true;
  }
  Explorer& e_;
  unsigned messages_;
  LinkUnderTest a_;
  LinkUnderTest b_;
  unsigned committed_ = 0;
  unsigned got_a_ = 0;
  unsigned got_b_ = 0;
};

// A pit with a backlog writes back into the requests that it has handled, and dies at any step: what it had not handled
// is whole in its caller's ring, to be sent again.
class WriteBackAndDead : public Program {
 public:
  WriteBackAndDead(Explorer& e, unsigned calls) : e_(e), calls_(calls), link_(e, 0, 1, capacity, false, true) {}
  void run(int thread) override { thread == 0 ? call_all() : serve_all(); }

 private:
  // Two lines: the first word of the second, which is written back, belongs to the body.
  using Body = std::array<std::uint64_t, 6>;
  static constexpr std::uint64_t stride = 128;
  static constexpr std::uint32_t capacity = 2048;  // so that two records wait until their space is given back
  static Body body_of(std::uint64_t id) noexcept {
    Body body;
    for (std::size_t i = 0; i < body.size(); ++i) body[i] = id * 1000 + i + 1;
    return body;
  }
  void call_all() noexcept {
    std::array<std::uint64_t, 8> position{};
    for (unsigned id = 1; id <= calls_; ++id) {
      const Body body = body_of(id);
      e_.require(link_.caller.try_send({.id = id, .type = 7}, std::as_bytes(std::span(body)), 0, position[id]),
                 "no room");
    }
    std::uint64_t replies = 0;
    while (replies < calls_) {
      if (take(e_, link_.caller) != 0) {
        ++replies;
      } else if (e_.is_dead()) {
        while (take(e_, link_.caller) != 0) ++replies;
        break;
      } else {
        e_.await();
      }
    }
    if (replies == calls_) return;
    const detail::PitProgress progress = link_.caller.pit_progress();
    e_.require(progress.handled <= stride * replies, "handled, and its reply is not there");
    for (unsigned id = 1; id <= calls_; ++id) {
      if (position[id] < progress.handled) continue;
      const auto record = link_.caller.out().record_at(position[id], sizeof(Envelope) + sizeof(Body));
      Body body;
      ModelMem::copy_out(body.data(), record.data() + sizeof(Envelope), sizeof body);
      e_.require(body == body_of(id), "a request that was not handled was written into");
    }
  }
  void serve_all() noexcept {
    auto& side = link_.pit;
    for (unsigned id = 1; id <= calls_; ++id) {
      LinkUnderTest::Pit::Record record;
      while (side.try_peek(record) != Poll::record) e_.await();
      side.begin(record);
      const Envelope envelope = side.copy_envelope(record);
      Body body;
      side.copy_body(record, std::as_writable_bytes(std::span(body)));
      e_.require(envelope.id == id && body == body_of(id), "a request with other bytes than were sent");
      send(e_, side, id);
      if (e_.is(Mutation::Kind::write_back_early)) {
        ModelMem::store<Order::relaxed, Site::write_back>(
            reinterpret_cast<std::uint64_t*>(link_.request_data() + record.position % capacity + 64), std::uint64_t{0});
      }
      side.finish(record);
      side.free_space(id % 2 == 0);
    }
  }
  Explorer& e_;
  unsigned calls_;
  LinkUnderTest link_;
};

}  // namespace

void add_link_death_scenarios(std::vector<Scenario>& all, bool large) {
  const auto add = [&]<class P, class... Args>(std::type_identity<P>, const char* name, unsigned count,
                                               const char* what, Bounds threads, Args... args) {
    all.push_back({name, std::to_string(count) + what, threads,
                   [=](Explorer& e) -> std::unique_ptr<Program> { return std::make_unique<P>(e, count, args...); }});
  };
  const unsigned two = large ? 3 : 2;
  add(std::type_identity<FullAndDead>(), "full_and_dead_pit", two, " messages through room for one less, both sleep",
      {2, 1}, false);
  add(std::type_identity<FullAndDead>(), "full_and_dead_caller", two, " messages through room for one less, both sleep",
      {2, 0}, false);
  add(std::type_identity<FullAndDead>(), "full_and_dead_light", two,
      " messages through room for one less, light, both sleep", {2, 0}, true);
  add(std::type_identity<ReplyRingFullAndDead>(), "reply_ring_full_and_dead_pit", 2,
      large ? " calls, room for 1 reply, the pit sleeps" : " calls, room for 1 reply; polled", {2, 1}, large);
  add(std::type_identity<ReplyRingFullAndDead>(), "reply_ring_full_and_dead_caller", 2,
      large ? " calls, room for 1 reply, the pit sleeps" : " calls, room for 1 reply; polled", {2, 0}, large);
  add(std::type_identity<CloseAndDead>(), "close_and_dead_caller", two, " messages each way, both close; polled",
      {2, 0});
  add(std::type_identity<CloseAndDead>(), "close_and_dead_pit", two, " messages each way, both close; polled", {2, 1});
  add(std::type_identity<OneOfTwoDead>(), "one_of_two_dead", large ? 2 : 1,
      " messages on the link of a caller that dies, 1 on another", {3, 0});
  add(std::type_identity<WriteBackAndDead>(), "write_back_and_dead", two + 1,
      " requests of 2 lines to a pit that writes back and dies", {2, 1});
}

}  // namespace symphony::proof
