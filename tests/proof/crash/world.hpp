// Both sides of one link, and a ledger of what they did that outlives whoever wrote it.   Layer: tests.
//
// The ledger is the truth that a survivor's findings are compared with: it says before an operation that it has started
// and after it that it came back, so what lies between may have happened or not. Everything a side needs besides shared
// memory is copied with the World: a copy is that side at the moment of the other's death. Threads: one.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>

#include "bus/channel/channel.hpp"
#include "bus/endpoint/redelivery.hpp"
#include "tests/proof/crash/segments.hpp"
#include "tests/proof/crash/trace_mem.hpp"

namespace symphony::proof {

// What is known of the messages of one link. Lies in shared memory: a killed writer's entries stay.
struct Ledger {
  static constexpr std::size_t messages = 512;  // remembered, by number; far more than two rings hold
  template <class T>
  using ByNumber = std::array<T, messages>;

  std::uint64_t requests_started = 0;  // pushes entered
  std::uint64_t requests_returned = 0;
  std::uint64_t replies_started = 0;
  std::uint64_t replies_returned = 0;
  std::uint64_t close_started = 0;
  std::uint64_t close_returned = 0;
  std::uint64_t recovery_returned = 0;
  ByNumber<std::uint32_t> request_size{};  // of the request with this id
  ByNumber<Effect> request_effect{};
  ByNumber<std::uint32_t> handler_runs{};
  ByNumber<bool> unanswered{};  // taken by a pit that answers later
  ByNumber<std::uint64_t> reply_id{};
  ByNumber<std::uint32_t> reply_size{};

  template <class T>
  [[nodiscard]] static T& at(ByNumber<T>& table, std::uint64_t number) noexcept {
    return table[number % messages];
  }
};

// A line in the ledger is written where it stands in the program.
template <class T>
inline void note(T& entry, T value) noexcept {
  asm volatile("" ::: "memory");
  entry = value;
  asm volatile("" ::: "memory");
}

enum class Direction : std::uint8_t { request, reply };

// The bytes of a message: known from its id and size alone, and another message's everywhere else.
inline std::span<const std::byte> body_of(Direction direction, std::uint64_t id, std::size_t size) noexcept {
  static const auto pattern = [] {
    std::array<std::byte, 8192> bytes{};
    std::uint32_t x = 0x2545f491;
    for (std::byte& byte : bytes) {
      x = x * 1664525 + 1013904223;
      byte = static_cast<std::byte>(x >> 24 | 1);
    }
    return bytes;
  }();
  return std::span(pattern).subspan((id * 2 + (direction == Direction::reply ? 1 : 0)) * 13 % 4093, size);
}

struct OpenCall {
  std::uint64_t id = 0;
  std::uint64_t position = 0;
  std::uint32_t size = 0;
  Effect effect = Effect::once;
  std::uint8_t attempt = 0;
};

// Calls without a reply, in id order.
class OpenCalls {
 public:
  static constexpr std::size_t max = 40;
  void add(const OpenCall& call) noexcept {
    SYMPHONY_CHECK(count_ < max);
    calls_[count_++] = call;
  }
  bool remove(std::uint64_t id) noexcept {
    for (std::size_t i = 0; i < count_; ++i) {
      if (calls_[i].id != id) continue;
      for (--count_; i < count_; ++i) calls_[i] = calls_[i + 1];
      return true;
    }
    return false;
  }
  [[nodiscard]] bool full(std::size_t more = 1) const noexcept { return count_ + more > max; }
  [[nodiscard]] const OpenCall* begin() const noexcept { return calls_.data(); }
  [[nodiscard]] const OpenCall* end() const noexcept { return calls_.data() + count_; }

 private:
  std::array<OpenCall, max> calls_{};
  std::size_t count_ = 0;
};

// A mutant's late stores arrive at the latest when its operation ends.
inline void settle(RealMem) noexcept {}
inline void settle(TraceMem mem) { mem.tracer->settle(); }

template <class Mem>
struct World {
  // `writes_back`: both sides may write into the other's data, as on a link to a pit that is not hostile: with a
  // backlog they write back into what they have finished with.
  World(const Segments& of, Ledger& book, Mem policy = {}, bool writes_back = true)
      : segments(&of),
        ledger(&book),
        mem(policy),
        caller(of.caller(), of.pit(), of.geometry(), policy, writes_back ? of.pit() + data_offset : nullptr),
        pit(of.pit(), of.caller(), of.geometry(), policy, writes_back ? of.caller() + data_offset : nullptr) {}

  const Segments* segments;
  Ledger* ledger;
  [[no_unique_address]] Mem mem;
  CallerChannel<Mem> caller;
  PitChannel<Mem> pit;
  OpenCalls open;                    // the caller's
  std::uint64_t replies_taken = 0;   // the caller's
  std::uint64_t requests_taken = 0;  // the pit's: also the last id

  // ---- the caller's operations

  [[nodiscard]] Envelope request_of(std::uint64_t id) const noexcept {
    return {.id = id, .deadline_ns = id * 1000, .type = 5, .flags = flag::request};
  }
  // Says in the ledger that the next request is on its way.
  std::uint64_t start_request(std::uint32_t size, Effect effect) noexcept {
    const std::uint64_t id = ledger->requests_started + 1;
    Ledger::at(ledger->request_size, id) = size;
    Ledger::at(ledger->request_effect, id) = effect;
    Ledger::at(ledger->handler_runs, id) = 0;
    Ledger::at(ledger->unanswered, id) = false;
    note(ledger->requests_started, id);
    return id;
  }
  void request_returned(std::uint64_t id, std::uint64_t position, std::uint32_t size, Effect effect) noexcept {
    settle(mem);
    open.add({id, position, size, effect, 0});
    note(ledger->requests_returned, id);
  }
  bool push(std::uint32_t size, Effect effect = Effect::once) {
    if (open.full()) return false;
    const std::uint64_t id = start_request(size, effect);
    std::uint64_t at = 0;
    if (!caller.try_send(request_of(id), body_of(Direction::request, id, size), 0, at)) {
      note(ledger->requests_started, id - 1);
      return false;
    }
    request_returned(id, at, size, effect);
    return true;
  }
  // Claims more than it then uses.
  bool push_trimmed(std::uint32_t claimed, std::uint32_t used, Effect effect = Effect::once) {
    auto claim = caller.try_claim(claimed);
    if (!claim || open.full()) return false;
    const std::uint64_t id = start_request(used, effect);
    mem.copy_in(caller.body_of(claim).data(), body_of(Direction::request, id, claimed).data(), claimed);
    const std::uint64_t at = caller.commit(std::move(claim), request_of(id), used);
    request_returned(id, at, used, effect);
    return true;
  }
  // As many of `count` (at most 8) requests as there is room for, visible all at once.
  bool push_batch(int count, std::uint32_t size, Effect effect = Effect::once) {
    if (open.full(static_cast<std::size_t>(count))) return false;
    const std::uint64_t before = ledger->requests_returned;
    std::array<std::uint64_t, 8> positions;
    std::uint64_t last = before;
    caller.out().begin_batch();
    for (int i = 0; i < count; ++i) {
      auto claim = caller.try_claim(size);
      if (!claim) break;
      last = start_request(size, effect);
      mem.copy_in(caller.body_of(claim).data(), body_of(Direction::request, last, size).data(), size);
      positions[last - before - 1] = caller.commit(std::move(claim), request_of(last), size);
    }
    caller.out().template publish_batch<Order::seq_cst>();
    settle(mem);
    for (std::uint64_t id = before + 1; id <= last; ++id) open.add({id, positions[id - before - 1], size, effect, 0});
    note(ledger->requests_returned, last);
    return last != before;
  }
  // A claim that is filled and then dropped.
  bool abandon(std::uint32_t size) {
    auto claim = caller.try_claim(size);
    if (!claim) return false;
    mem.copy_in(caller.body_of(claim).data(), body_of(Direction::request, 1, size).data(), size);
    return true;
  }
  bool take_reply() noexcept {
    typename CallerChannel<Mem>::Record record;
    if (caller.try_peek(record) != Poll::record) {
      caller.free_space(true);
      return false;
    }
    open.remove(caller.copy_envelope(record).id);
    caller.finish(record);
    ++replies_taken;
    caller.free_space(false);
    settle(mem);
    return true;
  }
  void close() noexcept {
    note(ledger->close_started, std::uint64_t{1});
    caller.set_state(SideState::closing);
    note(ledger->close_returned, std::uint64_t{1});
  }

  // ---- the pit's operations

  // Rule R4 for the next request.
  bool serve(std::uint32_t reply_size) {
    typename PitChannel<Mem>::Record record;
    if (pit.try_peek(record) != Poll::record || !pit.has_room(reply_size)) return false;
    const Envelope envelope = pit.copy_envelope(record);
    pit.begin(record);
    note(Ledger::at(ledger->handler_runs, envelope.id), Ledger::at(ledger->handler_runs, envelope.id) + 1);
    const std::uint64_t number = ledger->replies_started + 1;
    Ledger::at(ledger->reply_id, number) = envelope.id;
    Ledger::at(ledger->reply_size, number) = reply_size;
    note(ledger->replies_started, number);
    auto claim = pit.try_claim(reply_size);
    SYMPHONY_CHECK(static_cast<bool>(claim));
    const auto body = body_of(Direction::reply, envelope.id, reply_size);
    if (!body.empty()) mem.copy_in(pit.body_of(claim).data(), body.data(), body.size());
    pit.commit(std::move(claim), {.id = envelope.id, .type = 6, .flags = flag::reply}, reply_size);
    note(ledger->replies_returned, number);
    pit.finish(record);
    ++requests_taken;
    pit.free_space(false);
    settle(mem);
    return true;
  }
  // Takes a request and gives its space back, without an answer.
  bool take(bool free_now) noexcept {
    typename PitChannel<Mem>::Record record;
    if (pit.try_peek(record) != Poll::record) {
      pit.free_space(true);
      return false;
    }
    const std::uint64_t id = pit.copy_envelope(record).id;
    note(Ledger::at(ledger->unanswered, id), true);
    pit.begin(record);
    note(Ledger::at(ledger->handler_runs, id), Ledger::at(ledger->handler_runs, id) + 1);
    pit.finish(record);
    ++requests_taken;
    pit.free_space(free_now);
    settle(mem);
    return true;
  }
};

}  // namespace symphony::proof
