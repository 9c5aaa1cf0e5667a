// A pit that does everything a pit may do, and keeps what it has done: the subject of the histories.   Layer: tests.
// It answers at once, at a timer, or when the pit that it calls has answered; each answer depends on its whole state,
// on the clock and on random numbers, so that an instance which is not the dead one's equal gives itself away.
#pragma once

#include <symphony/pit.h>

#include <cstdint>
#include <cstring>
#include <map>
#include <span>
#include <utility>
#include <vector>

namespace symphony::proof {

enum class Way : std::uint32_t { at_once, at_a_timer, after_a_call, fails, asks_whether_cancelled };
inline constexpr std::uint32_t way_count = 5;

struct Order {  // a request's body
  std::uint64_t link = 0;
  std::uint64_t id = 0;
};
struct Receipt {  // a reply's body
  std::uint64_t id = 0;
  std::uint64_t state = 0;  // a hash of everything
};

class Ledger {
 public:
  struct State {
    std::uint64_t hash = 1;
    std::vector<Order> done;
    std::map<std::uint64_t, Order> waiting;  // by request
    friend bool operator==(const State& a, const State& b) { return a.hash == b.hash; }
  };
  State state;
  const symphony_host* host = nullptr;

  static const symphony_pit_entry& entry();

 private:
  static Ledger& of(void* self) { return *static_cast<Ledger*>(self); }
  void mix(std::uint64_t word) { state.hash = (state.hash ^ word) * 0x94d049bb133111eb + 1; }

  static std::int32_t handle(void* raw, const symphony_msg* m) {
    Ledger& self = of(raw);
    if ((m->envelope->flags & SYMPHONY_FLAG_REPLY) != 0) return self.on_answer(*m);
    Order order;
    std::memcpy(&order, m->body.p, sizeof order);
    self.state.done.push_back(order);
    self.mix(order.link * 1000 + order.id);
    self.mix(self.host->now(self.host->context));
    self.mix(self.host->random(self.host->context));
    switch (static_cast<Way>(m->envelope->type)) {
      case Way::at_a_timer:
        self.state.waiting[m->request] = order;
        self.host->timer_set(self.host->context, m->request, self.host->now(self.host->context) + 5);
        return SYMPHONY_PENDING;
      case Way::after_a_call: {
        self.state.waiting[m->request] = order;
        const symphony_call call{sizeof(symphony_call),
                                 1,
                                 order.id % 2 == 0 ? std::uint32_t{SYMPHONY_EFFECT_ONCE} : SYMPHONY_EFFECT_IDEMPOTENT,
                                 0,
                                 {reinterpret_cast<const std::uint8_t*>("bank"), 4, 0},
                                 {},
                                 0,
                                 m->request};
        self.mix(static_cast<std::uint32_t>(self.host->call_async(self.host->context, &call)));
        return SYMPHONY_PENDING;
      }
      case Way::fails:
        self.host->error(self.host->context, {reinterpret_cast<const std::uint8_t*>("no"), 2, 0});
        return 17;
      case Way::asks_whether_cancelled:
        for (int i = 0; i < 3; ++i) self.mix(static_cast<std::uint32_t>(self.host->cancelled(self.host->context)));
        [[fallthrough]];
      case Way::at_once:
        break;
    }
    symphony_mut_span out{};
    const Receipt receipt{order.id, self.state.hash};
    if (const auto refused = self.host->claim(self.host->context, sizeof receipt, &out); refused != 0) {
      self.mix(1);
      return refused;
    }
    std::memcpy(out.p, &receipt, sizeof receipt);
    return self.host->commit(self.host->context, sizeof receipt, 9);
  }
  std::int32_t on_answer(const symphony_msg& m) {
    mix((m.envelope->flags & SYMPHONY_FLAG_ERROR) != 0 ? 2 : 3);
    end(m.envelope->id);
    return SYMPHONY_OK;
  }
  // Ends the request, and with every third one all that wait for a timer: several endings of one event.
  void end(std::uint64_t request) {
    const auto found = state.waiting.find(request);
    if (found == state.waiting.end()) return;
    const Receipt receipt{found->second.id, state.hash};
    state.waiting.erase(found);
    mix(static_cast<std::uint32_t>(host->reply(host->context, request, SYMPHONY_OK, 9,
                                               {reinterpret_cast<const std::uint8_t*>(&receipt), sizeof receipt, 0})));
  }
  static std::int32_t timer(void* raw, std::uint64_t id, std::uint64_t now) {
    Ledger& self = of(raw);
    self.mix(now);
    if (id % 3 == 0) {
      std::vector<std::uint64_t> all;
      for (const auto& [request, order] : self.state.waiting) {
        if (self.host->timer_cancel(self.host->context, request) == SYMPHONY_OK) all.push_back(request);
      }
      for (const std::uint64_t request : all) self.end(request);
    }
    self.end(id);
    return SYMPHONY_OK;
  }
  static std::int32_t snapshot(void* raw, std::uint32_t, const symphony_sink* to) {
    Ledger& self = of(raw);
    std::vector<std::uint64_t> words{self.state.hash, self.state.done.size()};
    for (const Order& o : self.state.done) words.insert(words.end(), {o.link, o.id});
    for (const auto& [request, o] : self.state.waiting) words.insert(words.end(), {request, o.link, o.id});
    const auto bytes = std::as_bytes(std::span(words));
    return to->write(to->context, {reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                   static_cast<std::uint32_t>(bytes.size()), 0});
  }
  static std::int32_t restore(void* raw, std::uint32_t, const symphony_source* from) {
    Ledger& self = of(raw);
    std::vector<std::uint64_t> words;
    std::uint64_t word = 0;
    while (from->read(from->context, {reinterpret_cast<std::uint8_t*>(&word), sizeof word, 0}) == sizeof word) {
      words.push_back(word);
    }
    if (words.size() < 2) return SYMPHONY_BAD_MESSAGE;
    self.state.hash = words[0];
    std::size_t at = 2;
    for (std::uint64_t i = 0; i < words[1]; ++i, at += 2) self.state.done.push_back({words.at(at), words.at(at + 1)});
    for (; at + 2 < words.size(); at += 3) self.state.waiting[words[at]] = {words[at + 1], words[at + 2]};
    return SYMPHONY_OK;
  }
};

inline const symphony_pit_entry& Ledger::entry() {
  static constexpr const char* needs[] = {"bank"};
  static const symphony_note note{sizeof(symphony_note),
                                  SYMPHONY_ABI_MAJOR,
                                  SYMPHONY_ABI_MINOR,
                                  "ledger",
                                  "1.0.0",
                                  nullptr,
                                  0,
                                  4096,
                                  1,
                                  1,
                                  needs,
                                  1,
                                  0,
                                  0};
  static const symphony_pit_entry entry{
      .struct_size = sizeof(symphony_pit_entry),
      .reserved = 0,
      .note = &note,
      .create = [](const symphony_host* its_host, symphony_span, void** self) -> std::int32_t {
        auto* made = new Ledger;
        made->host = its_host;
        *self = made;
        return SYMPHONY_OK;
      },
      .init = nullptr,
      .start = nullptr,
      .handle = &handle,
      .drain = nullptr,
      .snapshot = &snapshot,
      .restore = &restore,
      .stop = nullptr,
      .destroy = [](void* self) { delete static_cast<Ledger*>(self); },
      .get_extension = nullptr,
      .timer = &timer,
  };
  return entry;
}

}  // namespace symphony::proof
