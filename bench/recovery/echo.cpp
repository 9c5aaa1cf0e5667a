// The pit of bench_recovery: answers with how often it was asked, keeps no state, and holds as much memory as it is
// told to (MiB, its configuration).
#include <sys/mman.h>

#include <symphony/pit.hpp>

#include <cstdlib>
#include <string>

#include "bench/recovery/moments.hpp"

namespace {
[[gnu::constructor]] void on_load() {
  const std::int64_t now = symphony::bench::recovery::clock_ns();
  if (auto* const row = symphony::bench::recovery::own_row()) row->loaded_ns = now;
}
}  // namespace

struct RecoveryEcho {
  symphony::Status configure(std::string_view text, symphony::Ctx& ctx) {
    const std::size_t size = std::strtoul(std::string(text).c_str(), nullptr, 10) << 20;
    void* const at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    return at != MAP_FAILED ? symphony::ok() : ctx.fail(SYMPHONY_OVERLOADED, "no memory of ", text, " MiB");
  }
  symphony::Status start(symphony::Ctx&) {
    if (auto* const row = symphony::bench::recovery::own_row()) row->made_ns = symphony::bench::recovery::clock_ns();
    return symphony::ok();
  }
  symphony::Status on_raw(symphony::Raw, symphony::Ctx& ctx) { return ctx.reply_bytes(1, &++asked_, sizeof asked_); }
  symphony::Status snapshot(symphony::Sink) const { return symphony::ok(); }
  symphony::Status restore(symphony::Source, std::uint32_t) { return symphony::ok(); }

  std::uint64_t asked_ = 0;
};

SYMPHONY_PIT(RecoveryEcho, recovery_echo, "1.0.0");
