// Links whose sides sleep: a wake-up that is lost leaves a thread waiting for ever.   Layer: tests. Threads: fibers.
#include "tests/proof/explorer/link_under_test.hpp"
#include "tests/proof/explorer/scenario.hpp"

namespace symphony::proof {
namespace {

// The next message, sleeping until it is there.
template <class Side>
std::uint64_t take_sleeping(Explorer& e, Side& side) noexcept {
  for (;;) {
    if (const std::uint64_t id = take(e, side); id != 0) return id;
    side.free_space(true);
    sleep_unless(e, side, [&] { return side.look_again(); });
  }
}

class OneSleeper : public Program {
 public:
  OneSleeper(Explorer& e, unsigned messages, bool heavy_barriers)
      : e_(e), messages_(messages), link_(e, 0, 1, 256, heavy_barriers) {}
  void run(int thread) override {
    for (unsigned id = 1; id <= messages_; ++id) {
      if (thread == 0) {
        send(e_, link_.caller, id);
      } else {
        e_.require(take_sleeping(e_, link_.pit) == id, "a message out of order");
      }
    }
  }

 private:
  Explorer& e_;
  unsigned messages_;
  LinkUnderTest link_;
};

// Calls: each side sleeps until the other has answered.
class BothSleep : public Program {
 public:
  BothSleep(Explorer& e, unsigned calls) : e_(e), calls_(calls), link_(e, 0, 1) {}
  void run(int thread) override {
    for (unsigned id = 1; id <= calls_; ++id) {
      if (thread == 0) {
        send(e_, link_.caller, id);
        e_.require(take_sleeping(e_, link_.caller) == id, "a reply out of order");
      } else {
        e_.require(take_sleeping(e_, link_.pit) == id, "a request out of order");
        send(e_, link_.pit, id);
      }
    }
  }

 private:
  Explorer& e_;
  unsigned calls_;
  LinkUnderTest link_;
};

// Two callers and one thread that serves both, asleep on two bells.
class TwoLinksOneSleeper : public Program {
 public:
  TwoLinksOneSleeper(Explorer& e, unsigned first, unsigned second)
      : e_(e), messages_{first, second}, a_(e, 0, 2), b_(e, 1, 2) {}
  void run(int thread) override {
    if (thread < 2) {
      const unsigned messages = messages_[static_cast<std::size_t>(thread)];
      for (unsigned id = 1; id <= messages; ++id) send(e_, (thread == 0 ? a_ : b_).caller, id);
      return;
    }
    unsigned got_a = 0;
    unsigned got_b = 0;
    while (got_a + got_b < messages_[0] + messages_[1]) {
      bool any = false;
      any = sweep(a_, got_a) || any;
      any = sweep(b_, got_b) || any;
      if (any) continue;
      const std::array<detail::WaitWord, 2> words{a_.pit.arm(), b_.pit.arm()};
      bool look = a_.pit.look_again();
      if (!e_.is(Mutation::Kind::look_at_one_link)) look = look || b_.pit.look_again();
      if (!look) e_.futex_wait(words);
      a_.pit.disarm();
      b_.pit.disarm();
    }
  }

 private:
  bool sweep(LinkUnderTest& link, unsigned& got) noexcept {
    const std::uint64_t id = take(e_, link.pit);
    if (id == 0) return false;
    e_.require(id == ++got, "a message out of order");
    return true;
  }
  Explorer& e_;
  std::array<unsigned, 2> messages_;
  LinkUnderTest a_;
  LinkUnderTest b_;
};

// The caller sleeps for space, as a call does that finds no room. The pit holds back what it has read until it holds an
// eighth of the ring, is asked for it, or is idle. `reserve_` makes the ring full at `room` records.
class SleepOnFull : public Program {
 public:
  SleepOnFull(Explorer& e, unsigned messages, unsigned room, bool pit_sleeps, bool heavy_barriers)
      : e_(e),
        messages_(messages),
        reserve_(capacity - (room + 1) * 64),
        pit_sleeps_(pit_sleeps),
        link_(e, 0, 1, capacity, heavy_barriers) {}
  void run(int thread) override {
    for (unsigned id = 1; id <= messages_; ++id) {
      if (thread == 0) {
        send_sleeping(id);
      } else {
        serve(id);
      }
    }
    if (thread == 1) link_.pit.free_space(true);
  }

 private:
  static constexpr std::uint32_t capacity = 1024;
  void send_sleeping(unsigned id) noexcept {
    auto& side = link_.caller;
    std::uint64_t at = 0;
    while (!try_send(e_, side, id, at, reserve_)) {
      if (!e_.is(Mutation::Kind::no_want_space)) side.want_space(true);
      const detail::WaitWord word = side.arm();
      side.look_again_for_space();
      const bool sent = try_send(e_, side, id, at, reserve_);
      if (!sent) e_.futex_wait({&word, 1});
      side.disarm();
      side.want_space(false);
      if (sent) return;
    }
  }
  void serve(unsigned id) noexcept {
    auto& side = link_.pit;
    for (;;) {
      if (const std::uint64_t got = take(e_, side); got != 0) return e_.require(got == id, "a message out of order");
      side.free_space(true);
      if (pit_sleeps_) {
        sleep_unless(e_, side, [&] { return side.look_again(); });
      } else {
        e_.await();
      }
    }
  }
  Explorer& e_;
  unsigned messages_;
  std::uint64_t reserve_;
  bool pit_sleeps_;
  LinkUnderTest link_;
};

// F1: the pit takes a request only if its reply fits, and sleeps for the space; the caller sleeps for replies.
class ReplyRingFull : public Program {
 public:
  ReplyRingFull(Explorer& e, unsigned calls, bool caller_sleeps)
      : e_(e), calls_(calls), caller_sleeps_(caller_sleeps), link_(e, 0, 1, capacity) {}
  void run(int thread) override {
    if (thread == 0) {
      for (unsigned id = 1; id <= calls_; ++id) send(e_, link_.caller, id);
      for (unsigned id = 1; id <= calls_; ++id) {
        e_.require(next_reply() == id, "a reply out of order");
      }
      link_.caller.free_space(true);
    } else {
      for (unsigned id = 1; id <= calls_; ++id) serve(id);
    }
  }

 private:
  static constexpr std::uint32_t capacity = 1024;
  static constexpr std::uint64_t reserve = capacity - 2 * 64;  // one reply fits
  std::uint64_t next_reply() noexcept {
    if (caller_sleeps_) return take_sleeping(e_, link_.caller);
    for (;;) {
      if (const std::uint64_t id = take(e_, link_.caller); id != 0) return id;
      link_.caller.free_space(true);
      e_.await();
    }
  }
  bool reply_fits() noexcept { return link_.pit.has_room(8, reserve); }
  void serve(unsigned id) noexcept {
    auto& side = link_.pit;
    bool blocked = false;
    for (;;) {
      LinkUnderTest::Pit::Record record;
      const std::uint64_t got = peek(e_, side, record);
      if (got != 0 && reply_fits()) {
        if (blocked) side.want_space(false);
        e_.require(got == id, "a request out of order");
        side.begin(record);
        std::uint64_t at = 0;
        e_.require(try_send(e_, side, id, at, reserve), "the reply does not fit although it was asked before");
        side.finish(record);
        side.free_space(false);
        return;
      }
      side.free_space(true);
      if (got != 0 && !blocked && !e_.is(Mutation::Kind::no_want_space)) side.want_space(blocked = true);
      sleep_unless(e_, side, [&] {
        if (got == 0) return side.look_again();
        side.look_again_for_space();
        return reply_fits();
      });
    }
  }
  Explorer& e_;
  unsigned calls_;
  bool caller_sleeps_;
  LinkUnderTest link_;
};

// Who rings always, asked or not, needs no seq_cst: the bell's own pair carries the news.
class UnconditionalRing : public Program {
 public:
  using Bell = detail::Doorbell<ModelMem, Order, Site>;
  UnconditionalRing(Explorer& e, unsigned messages)
      : e_(e),
        messages_(messages),
        words_{word(0), word(1)},
        sleeping_{half(0), half(1)},
        bell_{half(0), half(1)},
        data_(e.allocate(512, 1)),
        out_(data_, 512, 1, {words_[0], words_[1]}),
        in_(data_, 512, 1, {nullptr, nullptr, words_[1]}),
        ringer_({sleeping_[0], bell_[0], sleeping_[1], bell_[1]}),
        sleeper_({sleeping_[1], bell_[1], sleeping_[0], bell_[0]}) {}
  void run(int thread) override {
    for (unsigned i = 0; i < messages_; ++i) {
      if (thread == 0) {
        auto claim = out_.try_claim(8);
        e_.require(static_cast<bool>(claim), "no room where there must be some");
        out_.commit(std::move(claim), 8);
        ringer_.ring();
        continue;
      }
      detail::Consumer<ModelMem>::Record record;
      while (in_.try_peek(record) != Poll::record) {
        const detail::WaitWord word = sleeper_.arm();
        if (!in_.has_next<Order::acquire>()) e_.futex_wait({&word, 1});
        sleeper_.disarm();
      }
      in_.finish(record);
    }
  }

 private:
  std::uint64_t* word(int side) {
    return reinterpret_cast<std::uint64_t*>(e_.allocate(64, static_cast<ThreadSet>(1 << side)));
  }
  std::uint32_t* half(int side) { return reinterpret_cast<std::uint32_t*>(word(side)); }
  Explorer& e_;
  unsigned messages_;
  std::array<std::uint64_t*, 2> words_;
  std::array<std::uint32_t*, 2> sleeping_;
  std::array<std::uint32_t*, 2> bell_;
  std::byte* data_;
  detail::Producer<ModelMem> out_;
  detail::Consumer<ModelMem> in_;
  Bell ringer_;
  Bell sleeper_;
};

}  // namespace

void add_sleep_scenarios(std::vector<Scenario>& all, bool large) {
  const auto add = [&]<class P, class... Args>(std::type_identity<P>, const char* name, unsigned count,
                                               const char* what, int threads, Args... args) {
    all.push_back({name, std::to_string(count) + what, {threads}, [=](Explorer& e) -> std::unique_ptr<Program> {
                     return std::make_unique<P>(e, count, args...);
                   }});
  };
  add(std::type_identity<OneSleeper>(), "sleep_one_link", large ? 3 : 2, " messages to a pit that sleeps", 2, false);
  add(std::type_identity<OneSleeper>(), "sleep_light", large ? 3 : 2,
      " messages by light stores to a pit that makes a heavy barrier", 2, true);
  add(std::type_identity<BothSleep>(), "both_sleep", large ? 2 : 1, " calls, both sides sleep", 2);
  add(std::type_identity<TwoLinksOneSleeper>(), "two_links_one_sleeper", large ? 2 : 1,
      " messages on one of two links to one sleeper, 1 on the other", 3, 1u);
  add(std::type_identity<SleepOnFull>(), "sleep_on_full", large ? 5 : 4,
      large ? " messages through room for 3, the caller sleeps for space"
            : " messages through room for 2, the caller sleeps for space",
      2, large ? 3u : 2u, false, false);
  add(std::type_identity<SleepOnFull>(), "sleep_on_full_light", large ? 5 : 4,
      large ? " messages through room for 3, light, the caller sleeps for space"
            : " messages through room for 2, light, the caller sleeps for space",
      2, large ? 3u : 2u, false, true);
  add(std::type_identity<SleepOnFull>(), "sleep_on_full_and_empty", large ? 4 : 3,
      large ? " messages through room for 3, both sides sleep" : " messages through room for 2, both sides sleep", 2,
      large ? 3u : 2u, true, false);
  add(std::type_identity<ReplyRingFull>(), "reply_ring_full", 2, " calls, room for 1 reply, the pit sleeps", 2, false);
  if (large) {
    add(std::type_identity<ReplyRingFull>(), "reply_ring_full_both_sleep", 2,
        " calls, room for 1 reply, both sides sleep", 2, true);
  }
  add(std::type_identity<UnconditionalRing>(), "unconditional_ring", large ? 4 : 3,
      " messages, release only, each rung for", 2);
}

}  // namespace symphony::proof
