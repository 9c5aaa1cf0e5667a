// The relay pit of the tests of calls between pits; see relay.fbs.
#include <array>
#include <map>
#include <symphony/pit.hpp>

#include "relay_generated.h"

struct Relay {
  static constexpr auto needs = std::array{"greeter"};

  symphony::Status on(symphony::In<relay::Ask> m, symphony::Ctx& ctx) {
    const std::uint64_t cookie = ++asked_;
    const symphony_span body{m->body()->data(), m->body()->size(), 0};
    const auto made = ctx.call_bytes("greeter", m->type(), body, cookie);
    if (!made.ok()) return made;
    waiting_[cookie] = ctx.request();
    return ctx.later();
  }
  symphony::Status on_answer(symphony::Answer answer, symphony::Ctx& ctx) {
    const auto found = waiting_.find(answer.cookie());
    if (found == waiting_.end()) return ctx.fail(SYMPHONY_INTERNAL, "no request has cookie ", answer.cookie());
    const std::uint64_t request = found->second;
    waiting_.erase(found);
    if (!answer.ok()) return ctx.end(request, {answer.status(), answer.text()});
    const symphony_span bytes = answer.bytes();
    return ctx.end(request,
                   relay::CreateSaid(ctx.builder(), answer.type(), ctx.builder().CreateVector(bytes.p, bytes.n)));
  }
  symphony::Result<relay::Ticks> on(symphony::In<relay::Arm> m, symphony::Ctx& ctx) {
    if (m->id() != 0) {
      if (const auto armed = ctx.set_timer(m->id(), ctx.now_ns() + m->after_ns()); !armed.ok()) return armed;
    }
    return relay::CreateTicks(ctx.builder(), ticks_, order_);
  }
  symphony::Status on_timer(std::uint64_t id, symphony::Ctx&) {
    ++ticks_;
    order_ = order_ * 31 + id;
    return symphony::ok();
  }
  symphony::Status snapshot(symphony::Sink out) const {
    out.write_value(asked_);
    out.write_value(ticks_);
    return out.write_value(order_);
  }
  symphony::Status restore(symphony::Source in, std::uint32_t) {
    std::uint64_t read[3] = {};
    if (const auto status = in.read_value(read); !status.ok()) return status;
    asked_ = read[0], ticks_ = read[1], order_ = read[2];
    return symphony::ok();
  }

  std::map<std::uint64_t, std::uint64_t> waiting_;  // cookie -> request; whoever waits is told when the state goes
  std::uint64_t asked_ = 0;
  std::uint64_t ticks_ = 0;
  std::uint64_t order_ = 0;
};

SYMPHONY_PIT(Relay, relay, "1.0.0", symphony::read<relay::Ask>, symphony::once<relay::Arm>);
