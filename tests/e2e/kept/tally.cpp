// A pit whose state gives away whether it is that of exactly the messages it answered.
#include "tests/e2e/kept/tally.hpp"

#include <cstdlib>
#include <cstring>
#include <vector>

#include <symphony/pit.hpp>

namespace {

volatile std::uint64_t sink;

struct Waiting {
  std::uint64_t request = 0;
  std::uint64_t number = 0;
};

struct Tally {
  symphony::Status on_raw(symphony::Raw raw, symphony::Ctx& ctx) {
    tally::Entry entry;
    if (raw.bytes().n != sizeof entry) return symphony::fail(SYMPHONY_BAD_MESSAGE, "no entry");
    std::memcpy(&entry, raw.bytes().p, sizeof entry);
    if (entry.caller >= tally::callers_max) return symphony::fail(SYMPHONY_BAD_MESSAGE, "no such caller");
    switch (static_cast<tally::Order>(raw.envelope().type)) {
      case tally::look:
        return report(ctx);
      case tally::add:
        return keep(entry), report(ctx);
      case tally::wait:
        keep(entry);
        waiting_.push_back({ctx.request(), entry.number});
        return ctx.later();
      case tally::end_oldest:
        return keep(entry), end_oldest(ctx), report(ctx);
      case tally::ask_random:
        return mix(ctx.random()), report(ctx);
      case tally::arm:
        return ctx.set_timer(7, entry.number);
      case tally::arm_trap:
        return ctx.set_timer(tally::timers_trap, entry.number);
      case tally::publish:
        return keep(entry), ctx.publish_bytes(5, {reinterpret_cast<const std::uint8_t*>(&entry.number), 8, 0});
      case tally::publish_then_trap:
        keep(entry);
        (void)ctx.publish_bytes(5, {reinterpret_cast<const std::uint8_t*>(&entry.number), 8, 0});
        std::abort();
      case tally::trap:
        keep(entry);
        std::abort();
      case tally::reply_then_trap:
        keep(entry);
        (void)report(ctx);
        std::abort();
      case tally::end_then_trap:
        keep(entry);
        end_oldest(ctx);
        std::abort();
      case tally::hang:
        keep(entry);
        for (;;) asm volatile("");
      case tally::eat:
        keep(entry);
        for (;;) sink = reinterpret_cast<std::uintptr_t>(new char[std::size_t{1} << 20]);
    }
    return symphony::fail(SYMPHONY_UNKNOWN_TYPE, "no such order");
  }
  symphony::Status on_timer(std::uint64_t id, symphony::Ctx&) {
    ++now_.timers;
    mix(id);
    if (id == tally::timers_trap) std::abort();
    return symphony::ok();
  }
  symphony::Status snapshot(symphony::Sink out) const {
    tally::Report now = now_;
    now.waiting = waiting_.size();
    if (const auto written = out.write_value(now); !written.ok()) return written;
    for (const Waiting& w : waiting_) {
      if (const auto written = out.write_value(w); !written.ok()) return written;
    }
    return symphony::ok();
  }
  symphony::Status restore(symphony::Source in, std::uint32_t) {
    if (const auto read = in.read_value(now_); !read.ok()) return read;
    for (std::uint64_t i = 0; i < now_.waiting; ++i) {
      if (const auto read = in.read_value(waiting_.emplace_back()); !read.ok()) return read;
    }
    return symphony::ok();
  }

 private:
  void mix(std::uint64_t word) { now_.hash = (now_.hash ^ word) * 0x94d049bb133111eb + 1; }
  void keep(const tally::Entry& entry) {
    std::uint64_t& last = now_.last[entry.caller];
    if (entry.number != last + 1) ++now_.wrong;
    last = entry.number;
    ++now_.entries;
    mix(entry.caller * 1'000'003 + entry.number);
  }
  void end_oldest(symphony::Ctx& ctx) {
    if (waiting_.empty()) return;
    const Waiting oldest = waiting_.front();
    waiting_.erase(waiting_.begin());
    (void)ctx.end(oldest.request, {static_cast<std::int32_t>(1000 + oldest.number), "it waited"});
  }
  symphony::Status report(symphony::Ctx& ctx) {
    now_.waiting = waiting_.size();
    return ctx.reply_bytes(1, &now_, sizeof now_);
  }

  tally::Report now_;
  std::vector<Waiting> waiting_;
};

}  // namespace

SYMPHONY_PIT(Tally, tally, "1.0.0");
