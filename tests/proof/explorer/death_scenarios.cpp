// A side dies at any step; who learns of it from the kernel sees all that it stored, its living peer only what its own
// acquire loads give it.   Layer: tests. Threads: fibers.
#include "bus/endpoint/redelivery.hpp"
#include "tests/proof/explorer/link_under_test.hpp"
#include "tests/proof/explorer/ring_under_test.hpp"
#include "tests/proof/explorer/scenario.hpp"

namespace symphony::proof {
namespace {

// D2: a producer dies while it sends. What it committed is whole and in order up to the first 0, and nothing else is
// there; also when the reader had drained before the last commit.
class DeadProducer : public Program {
 public:
  DeadProducer(Explorer& e, const std::vector<unsigned>& lines, bool batches, std::uint64_t capacity)
      : e_(e), lines_(lines), batches_(batches), ring_(e, capacity, 0, 1) {}
  void run(int thread) override {
    if (thread == 0) {
      for (unsigned i = 0; i < lines_.size(); ++i) {
        if (batches_ && i % 2 == 0) ring_.out.begin_batch();
        begun_ = i + 1;
        ring_.push(i, lines_[i], 2);
        if (batches_ && i % 2 == 1) ring_.out.publish_batch();
        if (!e_.is_doomed() && (!batches_ || i % 2 == 1)) committed_ = i + 1;
      }
      return;
    }
    unsigned got = 0;
    while (got < lines_.size()) {
      if (ring_.try_take(got, lines_[got])) {
        ++got;
      } else if (e_.is_dead()) {
        if (e_.is(Mutation::Kind::drain_before_death)) break;
        while (got < lines_.size() && ring_.try_take(got, lines_[got])) ++got;
        ring_.require_empty();
        break;
      } else {
        e_.await();
      }
    }
    got_ = got;
  }
  void at_end() override {
    e_.require(got_ >= committed_, "a committed record was lost with its producer");
    e_.require(got_ <= begun_, "a record that was never made");
    e_.require(!batches_ || got_ % 2 == 0, "half a batch");
  }

 private:
  Explorer& e_;
  const std::vector<unsigned>& lines_;
  bool batches_;
  RingUnderTest ring_;
  unsigned begun_ = 0;
  unsigned committed_ = 0;
  unsigned got_ = 0;
};

// C1: a caller dies; the pit, asleep or not, handles what is committed up to the first 0 and learns that it is dead.
class DeadCaller : public Program {
 public:
  DeadCaller(Explorer& e, unsigned messages) : e_(e), messages_(messages), link_(e, 0, 1) {}
  void run(int thread) override {
    if (thread == 0) {
      for (unsigned id = 1; id <= messages_; ++id) {
        send(e_, link_.caller, id);
        if (!e_.is_doomed()) committed_ = id;
      }
      return;
    }
    auto& side = link_.pit;
    while (got_ < messages_) {
      if (take_next()) continue;
      if (e_.is_dead()) {
        while (!e_.is(Mutation::Kind::no_drain) && take_next()) {
        }
        side.set_state(detail::SideState::closed);
        return;
      }
      sleep_unless(
          e_, side, [&] { return side.look_again() || e_.is_dead(); }, e_.death_word());
    }
  }
  void at_end() override { e_.require(got_ >= committed_, "a committed request was lost with its caller"); }

 private:
  bool take_next() noexcept {
    const std::uint64_t id = take(e_, link_.pit);
    if (id != 0) e_.require(id == ++got_, "a message out of order");
    return id != 0;
  }
  Explorer& e_;
  unsigned messages_;
  LinkUnderTest link_;
  unsigned committed_ = 0;
  unsigned got_ = 0;
};

// D3 on bare rings: a pit dies while it handles requests; what the recoverer reads of begun and handled is true.
class DeadConsumer : public Program {
 public:
  DeadConsumer(Explorer& e, unsigned messages)
      : e_(e),
        messages_(messages),
        requests_(e.allocate(256, 1)),
        replies_(e.allocate(256, 2)),
        words_{word(1), word(2), word(2), word(2), word(2), word(1)},
        ask_(requests_, 256, 1, {words_[0], words_[3]}),
        serve_(requests_, 256, 1, {words_[1], words_[2], words_[3]}),
        answer_(replies_, 256, 2, {words_[4], words_[5]}),
        take_(replies_, 256, 2, {nullptr, nullptr, words_[5]}) {}
  void run(int thread) override {
    if (thread == 1) return pit();
    for (unsigned i = 0; i < messages_; ++i) ask_.commit(ask_.try_claim(8), 8);
    unsigned replies = 0;
    while (replies < messages_ && !e_.is_dead()) {
      if (take_reply()) {
        ++replies;
      } else {
        e_.await();
      }
    }
    if (replies == messages_) return;
    while (!e_.is(Mutation::Kind::no_drain) && take_reply()) ++replies;
    const auto handled = ModelMem::load<Order::acquire, Site::handled>(words_[2]) / 64;
    const auto begun = ModelMem::load<Order::acquire, Site::begun>(words_[1]) / 64;
    e_.require(handled <= begun && begun <= handled + 1, "more than one record was being handled");
    e_.require(handled <= replies && replies <= begun, "handled without a reply, or a reply before it was begun");
    e_.require(begun >= executed_, "executed, and never begun");
  }

 private:
  void pit() noexcept {
    for (unsigned i = 0; i < messages_; ++i) {
      detail::Consumer<ModelMem>::Record record;
      while (serve_.try_peek(record) != Poll::record) e_.await();
      if (!e_.is(Mutation::Kind::begin_after_reply)) serve_.begin(record);
      if (!e_.is_doomed()) executed_ = i + 1;
      if (e_.is(Mutation::Kind::finish_before_reply)) serve_.finish(record);
      answer_.commit(answer_.try_claim(8), 8);
      if (e_.is(Mutation::Kind::begin_after_reply)) serve_.begin(record);
      if (!e_.is(Mutation::Kind::finish_before_reply)) serve_.finish(record);
      serve_.free();
    }
  }
  bool take_reply() noexcept {
    detail::Consumer<ModelMem>::Record record;
    if (take_.try_peek(record) != Poll::record) return false;
    take_.finish(record);
    take_.free();
    return true;
  }
  std::uint64_t* word(int writers) {
    return reinterpret_cast<std::uint64_t*>(e_.allocate(64, static_cast<ThreadSet>(writers)));
  }
  Explorer& e_;
  unsigned messages_;
  std::byte* requests_;
  std::byte* replies_;
  std::array<std::uint64_t*, 6> words_;
  detail::Producer<ModelMem> ask_;
  detail::Consumer<ModelMem> serve_;
  detail::Producer<ModelMem> answer_;
  detail::Consumer<ModelMem> take_;
  unsigned executed_ = 0;
};

// A pit that handles requests as R4 says until its caller closes. `executed[id]` counts what the handler did.
void serve_until_closing(Explorer& e, LinkUnderTest::Pit& side, std::array<unsigned, 8>& executed,
                         bool sleeps) noexcept {
  for (;;) {
    LinkUnderTest::Pit::Record record;
    if (const std::uint64_t id = peek(e, side, record); id != 0) {
      side.begin(record);
      if (!e.is_doomed()) ++executed[id];
      send(e, side, id);
      side.finish(record);
      side.free_space(false);
      continue;
    }
    if (side.peer_state() != detail::SideState::open) {
      if (side.look_again()) continue;
      return;
    }
    if (sleeps) {
      sleep_unless(e, side, [&] { return side.look_again() || side.peer_state() != detail::SideState::open; });
    } else {
      e.await();
    }
  }
}

// D1 to D5: the pit of epoch 1 dies at any step or lives; the caller drains, reads begun and handled, judges, and sends
// again to the pit of epoch 2. Each call ends once, `once` runs at most once, and what was never begun is not given up.
class NextEpoch : public Program {
 public:
  NextEpoch(Explorer& e, unsigned calls) : e_(e), calls_(calls), old_(e, 0, 1), fresh_(e, 0, 2) {}
  void run(int thread) override {
    if (thread == 1) return serve_until_closing(e_, old_.pit, executed_, false);
    if (thread == 2) return serve_until_closing(e_, fresh_.pit, executed_again_, false);
    std::array<std::uint64_t, 8> position{};
    for (unsigned id = 1; id <= calls_; ++id) e_.require(try_send(e_, old_.caller, id, position[id]), "no room");
    while (endings_ < calls_ && !e_.is_dead()) {
      if (!take_ending(old_.caller)) e_.await();
    }
    old_.caller.set_state(detail::SideState::closing);
    if (endings_ < calls_) {
      while (!e_.is(Mutation::Kind::no_drain) && take_ending(old_.caller)) {  // D2
      }
      const detail::PitProgress progress = old_.caller.pit_progress();  // D3
      const detail::DeadEpoch dead{progress.begun, progress.handled, old_.caller.out().freed(), Trust::cooperative};
      for (unsigned id = 1; id <= calls_; ++id) judge(id, position[id], dead);
      while (endings_ < calls_) {
        if (!take_ending(fresh_.caller)) e_.await();
      }
    }
    fresh_.caller.set_state(detail::SideState::closing);
  }
  void at_end() override {
    for (unsigned id = 1; id <= calls_; ++id) {
      e_.require(ended_[id] == 1, "a call that did not end exactly once");
      e_.require(effect(id) != Effect::once || executed_[id] + executed_again_[id] <= 1, "`once` ran twice");
      e_.require(!given_up_[id] || executed_[id] == 1, "a call that never ran was given up");
    }
  }

 private:
  static Effect effect(unsigned id) noexcept { return id % 2 == 1 ? Effect::once : Effect::idempotent; }
  void judge(unsigned id, std::uint64_t position, const detail::DeadEpoch& dead) noexcept {  // D4
    if (ended_[id] != 0 && !e_.is(Mutation::Kind::send_all_again)) return;
    const auto verdict = detail::judge({id, position, effect(id), 0}, dead, 0, 3);
    if (verdict == detail::Verdict::send_again || verdict == detail::Verdict::attempt_again ||
        e_.is(Mutation::Kind::send_all_again)) {
      // From the caller's own old ring, as D4 says.
      const auto record = old_.caller.out().record_at(position, sizeof(Envelope) + 8);
      std::uint64_t body = 0;
      ModelMem::copy_out(&body, record.data() + sizeof(Envelope), sizeof body);
      std::uint64_t at = 0;
      e_.require(fresh_.caller.try_send({.id = id, .type = 7}, std::as_bytes(std::span(&body, 1)), 0, at), "no room");
      return;
    }
    e_.require(verdict == detail::Verdict::crashed, "accepted, and its reply is not in the ring");
    given_up_[id] = true;
    ++ended_[id];
    ++endings_;
  }
  bool take_ending(LinkUnderTest::Caller& side) noexcept {
    const std::uint64_t id = take(e_, side);
    if (id == 0) return false;
    ++ended_[id];
    ++endings_;
    return true;
  }
  Explorer& e_;
  unsigned calls_;
  LinkUnderTest old_;
  LinkUnderTest fresh_;
  std::array<unsigned, 8> executed_{};
  std::array<unsigned, 8> executed_again_{};
  std::array<unsigned, 8> ended_{};
  std::array<bool, 8> given_up_{};
  unsigned endings_ = 0;
};

// A pit that sleeps, and whose caller sleeps, dies at any step: nobody is left asleep, and what it answered arrives.
class DeadPitAsleep : public Program {
 public:
  DeadPitAsleep(Explorer& e, unsigned calls) : e_(e), calls_(calls), link_(e, 0, 1) {}
  void run(int thread) override {
    if (thread == 1) return serve_until_closing(e_, link_.pit, executed_, true);
    auto& side = link_.caller;
    unsigned endings = 0;
    for (unsigned id = 1; id <= calls_; ++id) send(e_, side, id);
    const auto take_ending = [&] {
      const std::uint64_t id = take(e_, side);
      if (id != 0) e_.require(id == ++endings, "a reply out of order");
      return id != 0;
    };
    while (endings < calls_) {
      if (take_ending()) continue;
      if (e_.is_dead()) {
        while (take_ending()) {
        }
        const detail::PitProgress progress = side.pit_progress();
        e_.require(progress.handled <= 64 * endings, "handled, and its reply is not there");
        e_.require(progress.begun >= 64 * executed_total(), "executed, and never begun");
        return;
      }
      side.free_space(true);
      sleep_unless(
          e_, side, [&] { return side.look_again() || e_.is_dead(); }, e_.death_word());
    }
    side.set_state(detail::SideState::closing);
  }

 private:
  [[nodiscard]] unsigned executed_total() const noexcept {
    unsigned total = 0;
    for (const unsigned n : executed_) total += n;
    return total;
  }
  Explorer& e_;
  unsigned calls_;
  LinkUnderTest link_;
  std::array<unsigned, 8> executed_{};
};

}  // namespace

void add_death_scenarios(std::vector<Scenario>& all, bool large) {
  const auto producer = [&](const char* name, const char* words, const std::vector<unsigned>& lines, bool batches,
                            std::uint64_t capacity = 256) {
    all.push_back({name, words, {2, 0}, [lines, batches, capacity](Explorer& e) {
                     return std::make_unique<DeadProducer>(e, lines, batches, capacity);
                   }});
  };
  if (large) {
    producer("dead_producer", "4-line ring, 6 records of 1 and 2 lines", {1, 2, 1, 1, 2, 1}, false);
  } else {
    producer("dead_producer", "4-line ring, 4 records of 1 and 2 lines", {1, 2, 1, 1}, false);
  }
  producer("dead_producer_in_batch", "4-line ring, a batch of 2 records of 1 line", {1, 1}, true);
  producer("dead_producer_in_padded_batch", "8-line ring, batches of records of 1 and 2, 2 and 2 lines", {1, 2, 2, 2},
           true, 512);
  const unsigned two = large ? 3 : 2;
  const unsigned one = large ? 2 : 1;
  const auto count = [](unsigned n, const char* what) { return std::to_string(n) + what; };
  all.push_back({"dead_consumer", count(two, " requests on bare rings"), {2, 1}, [two](Explorer& e) {
                   return std::make_unique<DeadConsumer>(e, two);
                 }});
  all.push_back({"dead_caller", count(two, " requests to a pit that sleeps"), {2, 0}, [two](Explorer& e) {
                   return std::make_unique<DeadCaller>(e, two);
                 }});
  all.push_back({"dead_pit_asleep", count(one, " calls, both sides sleep"), {2, 1}, [one](Explorer& e) {
                   return std::make_unique<DeadPitAsleep>(e, one);
                 }});
  all.push_back({"next_epoch", count(two, " calls, sent again to a second pit"), {3, 1}, [two](Explorer& e) {
                   return std::make_unique<NextEpoch>(e, two);
                 }});
}

}  // namespace symphony::proof
