// What bench_modes calls in every mode: a raw message is answered with 64 bytes that lie ready, an Order with another.
#include <array>
#include <cstdint>
#include <symphony/pit.hpp>

#include "order_generated.h"

struct Prepared {
  static constexpr std::uint32_t reply_type = 1;

  symphony::Status on_raw(symphony::Raw, symphony::Ctx& ctx) {
    return ctx.reply_bytes(reply_type, reply_.data(), static_cast<std::uint32_t>(reply_.size()));
  }
  symphony::Result<symphony::bench::Order> on(symphony::In<symphony::bench::Order> order, symphony::Ctx& ctx) {
    const std::uint64_t next = order->id() + 1;
    const auto real = static_cast<double>(next);
    const bool is_right = order->account() == next && order->time_ns() == next + 1 && order->venue() + 1 == next &&
                          order->price() + 1 == real && order->amount() + 0.5 == real &&
                          order->limit() + 0.75 == real && order->flags() == 3 && order->side() == 1 &&
                          order->kind() == 2 && order->symbol() != nullptr && order->symbol()->size() == 3;
    if (!is_right) return ctx.fail(SYMPHONY_BAD_MESSAGE, "not the Order that bench_modes makes");
    return symphony::bench::CreateOrder(ctx.builder(), next, next + 1, next + 2, real, real + 0.5, real + 0.25,
                                        static_cast<std::uint32_t>(next), 3, 1, 2,
                                        ctx.builder().CreateString("ABC", 3));
  }

 private:
  alignas(8) std::array<std::uint8_t, 64> reply_{1, 2, 3, 4, 5, 6, 7, 8};
};

SYMPHONY_PIT(Prepared, prepared, "1.0.0", symphony::once<symphony::bench::Order>);
