// The ledger of the tests of swaps; see ledger.fbs. Its configuration is a fault that it is to have.
#if !defined(__wasm__)
#include <signal.h>
#include <time.h>
#include <unistd.h>
#endif

#include <cstdlib>
#include <map>
#include <string>
#include <symphony/pit.hpp>

#include "ledger_generated.h"

struct Ledger {
  static constexpr std::int32_t out_of_order = 77;

  symphony::Result<ledger::Done> done(std::uint32_t thread, symphony::Ctx& ctx) {
    return ledger::CreateDone(ctx.builder(), last_[thread], ticks_);
  }
  symphony::Result<ledger::Done> on(symphony::In<ledger::Look> m, symphony::Ctx& ctx) { return done(m->thread(), ctx); }
  symphony::Status on(symphony::In<ledger::Do> m, symphony::Ctx& ctx) {
    return act(m->act(), m->thread(), m->number(), ctx);
  }
  symphony::Status on(symphony::In<ledger::DoAgain> m, symphony::Ctx& ctx) {
    return act(m->act(), m->thread(), m->number(), ctx);
  }

  symphony::Status act(ledger::Act what, std::uint32_t thread, std::uint64_t number, symphony::Ctx& ctx) {
    switch (what) {
      case ledger::Act::ADD:
        if (number != last_[thread] + 1) {
          return ctx.fail(out_of_order, "number ", number, " of thread ", thread, " after ", last_[thread]);
        }
        last_[thread] = number;
        break;
      case ledger::Act::FILL:
        for (std::uint32_t i = 0; i < number; ++i) last_[1'000'000 + i] = i;
        break;
      case ledger::Act::HANG:
        hang(number);
        break;
      case ledger::Act::TRAP:
        die();
        break;
      case ledger::Act::LATER:
        waiting_ = ctx.request();
        return ctx.later();
      case ledger::Act::END:
        if (const auto ended = ctx.end(waiting_, symphony::ok()); !ended.ok()) return ended;
        break;
      case ledger::Act::ARM:
        if (const auto armed = ctx.set_timer(thread, ctx.now_ns() + number); !armed.ok()) return armed;
        break;
    }
    const auto answer = done(thread, ctx);
    return ctx.reply(answer.root());
  }
  symphony::Status on_timer(std::uint64_t, symphony::Ctx&) {
    ++ticks_;
    return symphony::ok();
  }

  symphony::Status configure(std::string_view json, symphony::Ctx& ctx) {
    fault_ = json;
    if (fault_ == "refuse_configuration") return ctx.fail(12, "this configuration is refused");
    return symphony::ok();
  }
  symphony::Status init(symphony::Ctx& ctx) {
    return fault_ == "refuse_init" ? ctx.fail(13, "init is refused") : symphony::ok();
  }
  symphony::Status snapshot(symphony::Sink out) const {
    if (fault_ == "refuse_snapshot") return symphony::fail(14, "snapshot is refused");
    out.write_value(ticks_);
    out.write_value(waiting_);
    out.write_value(std::uint64_t{last_.size()});
    for (const auto& [thread, number] : last_) {
      out.write_value(std::uint64_t{thread});
      out.write_value(number);
    }
    return out.status();
  }
  symphony::Status restore(symphony::Source in, std::uint32_t) {
    if (fault_ == "refuse_restore") return symphony::fail(15, "restore is refused");
    if (fault_ == "trap_in_restore") die();
    if (fault_ == "hang_in_restore") hang(60'000);
    std::uint64_t count = 0;
    if (const auto read = in.read_value(ticks_); !read.ok()) return read;
    if (const auto read = in.read_value(waiting_); !read.ok()) return read;
    if (const auto read = in.read_value(count); !read.ok()) return read;
    for (; count > 0; --count) {
      std::uint64_t entry[2] = {};
      if (const auto read = in.read_value(entry); !read.ok()) return read;
      last_.insert_or_assign(last_.end(), static_cast<std::uint32_t>(entry[0]), entry[1]);
    }
    if (fault_ == "forget") last_.clear();
    return symphony::ok();
  }

 private:
#if defined(__wasm__)
  static void hang(std::uint64_t) { std::abort(); }
  [[noreturn]] static void die() { std::abort(); }
#else
  static void hang(std::uint64_t ms) {
    const timespec t{static_cast<time_t>(ms / 1000), static_cast<long>(ms % 1000 * 1'000'000)};
    ::nanosleep(&t, nullptr);  // allowed: to be slow is what the caller asked for
  }
  static void die() { ::kill(::getpid(), SIGKILL); }
#endif

  std::string fault_;
  std::map<std::uint32_t, std::uint64_t> last_;
  std::uint64_t ticks_ = 0;
  std::uint64_t waiting_ = 0;
};

SYMPHONY_PIT(Ledger, ledger, "1.0.0", symphony::once<ledger::Do>, symphony::idempotent<ledger::DoAgain>,
             symphony::read<ledger::Look>);
