// A pit that does what a guest must not, on request.
#include "tests/unit/hosting/wasm/trapper.hpp"

#include <climits>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <symphony/pit.hpp>

namespace {

using trapper::Order;

volatile std::uint64_t sink;   // what keeps the compiler from leaving something out
volatile bool enough = false;  // and from seeing that something never ends

__attribute__((noinline)) std::uint64_t deep(std::uint64_t n) {
  const std::uint64_t below = enough ? 0 : deep(n + 1);
  asm volatile("" : "+r"(n));
  return below + n;
}
__attribute__((noinline)) std::uint64_t deep_in_guest_stack(std::uint64_t n) {
  volatile char bytes[4096];
  bytes[n % sizeof bytes] = 1;
  return (enough ? 0 : deep_in_guest_stack(n + 1)) + static_cast<std::uint64_t>(bytes[0]);
}
__attribute__((noinline)) std::uint64_t deep_to_log(symphony::Ctx& ctx, std::uint64_t n) {
  ctx.log(SYMPHONY_LOG_DEBUG, "deeper");
  const std::uint64_t below = enough ? 0 : deep_to_log(ctx, n + 1);
  asm volatile("" : "+r"(n));
  return below + n;
}
std::uint64_t seven() { return 7; }

struct Trapper {
  static constexpr std::uint32_t reply_size_max = 65'536;

  symphony::Status on_raw(symphony::Raw raw, symphony::Ctx& ctx) {
    return carry_out(static_cast<Order>(raw.envelope().type), raw.bytes(), ctx);
  }
  symphony::Status on_timer(std::uint64_t id, symphony::Ctx& ctx) {
    sum_ += id;
    return hook(ctx);
  }
  symphony::Status on_answer(symphony::Answer answer, symphony::Ctx&) {
    sum_ += answer.cookie() + (answer.ok() ? answer.bytes().n : answer.text().size());
    return symphony::ok();
  }
  symphony::Status init(symphony::Ctx& ctx) { return hook(ctx); }
  symphony::Status drain(std::uint64_t, symphony::Ctx& ctx) { return hook(ctx); }
  symphony::Status stop(symphony::Ctx& ctx) { return hook(ctx); }
  symphony::Status configure(std::string_view json, symphony::Ctx& ctx) {
    if (json == "\"trap\"") std::abort();
    if (json == "\"hang\"") return carry_out(trapper::hang, {}, ctx);
    return symphony::ok();
  }
  symphony::Status snapshot(symphony::Sink out) const {
    if (next_ == trapper::call_abort) std::abort();
    return out.write_value(sum_);
  }
  symphony::Status restore(symphony::Source in, std::uint32_t) {
    if (const auto read = in.read_value(sum_); !read.ok()) return read;
    if (sum_ == 666) std::abort();
    return symphony::ok();
  }

 private:
  symphony::Status hook(symphony::Ctx& ctx) { return next_ == 0 ? symphony::ok() : carry_out(next_, {}, ctx); }

  static std::uint64_t number(symphony_span bytes) {
    std::uint64_t value = 0;
    if (bytes.n == sizeof value) std::memcpy(&value, bytes.p, sizeof value);
    return value;
  }

  symphony::Status carry_out(Order order, symphony_span body, symphony::Ctx& ctx) {
    volatile std::int32_t zero = 0;
    volatile std::int32_t lowest = INT_MIN;
    switch (order) {
      case trapper::count:
        ++sum_;
        return ctx.reply_bytes(1, &sum_, sizeof sum_);
      case trapper::read_outside:
        sink = *reinterpret_cast<volatile std::uint8_t*>(number(body));
        return symphony::ok();
      case trapper::write_outside:
        *reinterpret_cast<volatile std::uint8_t*>(number(body)) = 1;
        return symphony::ok();
      case trapper::call_abort:
        ctx.explain("there is no plan for this");
        std::abort();
      case trapper::call_exit:
        std::exit(3);
      case trapper::divide_by_zero:
        sink = static_cast<std::uint64_t>(100 / zero);
        return symphony::ok();
      case trapper::divide_overflow:
        sink = static_cast<std::uint64_t>(lowest / (zero - 1));
        return symphony::ok();
      case trapper::convert_nan:
#if defined(__wasm__)
        sink = static_cast<std::uint64_t>(__builtin_wasm_trunc_s_i32_f32(NAN));
#endif
        return symphony::ok();
      case trapper::call_wrong_type: {
        std::uint64_t (*volatile right)() = &seven;
        sink = reinterpret_cast<std::uint64_t (*)(std::uint64_t, std::uint32_t)>(reinterpret_cast<void*>(right))(1, 2);
        return symphony::ok();
      }
      case trapper::call_null: {
        std::uint64_t (*volatile none)() = nullptr;
        sink = none();
        return symphony::ok();
      }
      case trapper::recurse:
        sink = deep(1);
        return symphony::ok();
      case trapper::recurse_guest:
        sink = deep_in_guest_stack(1);
        return symphony::ok();
      case trapper::hang:
        for (;;) asm volatile("");
      case trapper::hang_in_log:
        for (;;) ctx.log(SYMPHONY_LOG_DEBUG, "still here");
      case trapper::use_all_memory: {
        std::uint64_t got = 0;
        while (void* more = std::malloc(std::size_t{1} << 20)) {
          sink = reinterpret_cast<std::uintptr_t>(more);
          ++got;
        }
        return ctx.reply_bytes(1, &got, sizeof got);
      }
      case trapper::new_all_memory:
        for (;;) sink = reinterpret_cast<std::uintptr_t>(new char[std::size_t{1} << 20]);
      case trapper::lie_to_log:
        ctx.log(SYMPHONY_LOG_INFO, {reinterpret_cast<const char*>(std::uintptr_t{0x7fff'fff0}), 1000});
        return symphony::ok();
      case trapper::lie_to_commit: {
        symphony_mut_span claimed{};
        if (const auto status = ctx.claim(8, claimed); !status.ok()) return status;
        return ctx.commit(1000, 1);
      }
      case trapper::recurse_to_log:
        sink = deep_to_log(ctx, 1);
        return symphony::ok();
      case trapper::echo:
        return ctx.reply_bytes(1, body.p, body.n);
      case trapper::claim_too_much: {
        symphony_mut_span claimed{};
        return ctx.claim(reply_size_max + 1, claimed);
      }
      case trapper::claim_twice: {
        symphony_mut_span claimed{};
        if (const auto status = ctx.claim(8, claimed); !status.ok()) return status;
        if (const auto status = ctx.claim(32, claimed); !status.ok()) return status;
        std::memset(claimed.p, 'x', 32);
        if (const auto status = ctx.commit(32, 5); !status.ok()) return status;
        return ctx.claim(8, claimed);
      }
      case trapper::in_next_hook:
        next_ = static_cast<Order>(number(body));
        return symphony::ok();
      case trapper::empty:
        return symphony::ok();
      case trapper::answer_later:
        waiting_ = ctx.request();
        return ctx.later();
      case trapper::end_later: {
        const auto status = static_cast<std::int32_t>(number(body));
        return ctx.end(waiting_, {status, status != 0 ? "ended as asked" : ""});
      }
      case trapper::arm_timer:
        return ctx.set_timer(7, number(body));
      case trapper::disarm_timer:
        return ctx.cancel_timer(7);
      case trapper::call_other:
        return ctx.call_bytes("other", 55, body, 1000, SYMPHONY_EFFECT_READ, 12'345);
      case trapper::publish_body:
        return ctx.publish_bytes(66, body);
      case trapper::ask_cancelled: {
        const std::uint8_t gone = ctx.is_cancelled() ? 1 : 0;
        return ctx.reply_bytes(1, &gone, 1);
      }
      case trapper::set_dirty:
        ctx.mark_dirty();
        return symphony::ok();
      case trapper::ask_random: {
        const std::uint64_t value = ctx.random();
        return ctx.reply_bytes(1, &value, sizeof value);
      }
    }
    return symphony::fail(SYMPHONY_UNKNOWN_TYPE, "no such order");
  }

  std::uint64_t sum_ = 0;
  Order next_{};
  std::uint64_t waiting_ = 0;
};

}  // namespace

SYMPHONY_PIT(Trapper, trapper, "1.0.0");
