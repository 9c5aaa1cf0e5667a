// The probe pit of the end-to-end tests; see probe.fbs.
#include <signal.h>
#include <time.h>
#include <unistd.h>
#include <symphony/pit.hpp>

#include <cstdlib>
#include <stdexcept>
#include <string>

#include "probe_generated.h"

struct Probe {
  symphony::Result<probe::Done> on(symphony::In<probe::Do> m, symphony::Ctx& ctx) {
    return act(m->act(), m->argument(), ctx);
  }
  symphony::Result<probe::Done> on(symphony::In<probe::DoAgain> m, symphony::Ctx& ctx) {
    return act(m->act(), m->argument(), ctx);
  }

  symphony::Result<probe::Done> act(probe::Act what, std::uint32_t argument, symphony::Ctx& ctx) {
    ++handled_;
    switch (what) {
      case probe::Act::DIE:
        ::kill(::getpid(), SIGKILL);
        break;
      case probe::Act::HANG: {
        const timespec t{argument / 1000, argument % 1000 * 1'000'000L};
        ::nanosleep(&t, nullptr);  // allowed: to be slow is what the caller asked for
        break;
      }
      case probe::Act::EXIT:
        ::_exit(static_cast<int>(argument));
      case probe::Act::BIG: {
        const std::vector<std::uint8_t> bytes(argument, 0x42);
        return probe::CreateDone(ctx.builder(), handled_, ctx.builder().CreateVector(bytes));
      }
      case probe::Act::REFUSE:
        return ctx.fail(static_cast<std::int32_t>(argument), "refused as asked");
      case probe::Act::PID:
        return probe::CreateDone(ctx.builder(), static_cast<std::uint64_t>(::getpid()));
      case probe::Act::DIE_UNLESS_MENDED: {
        const char* const file = std::getenv("PROBE_MENDED");
        if (file == nullptr || ::access(file, F_OK) != 0) ::kill(::getpid(), SIGKILL);
        break;
      }
      case probe::Act::DIE_IN_COMPANY:
        if (std::getenv("SYMPHONY_PIT_ALONE") == nullptr) ::kill(::getpid(), SIGKILL);
        break;
      case probe::Act::LOOP:
        for (volatile std::uint64_t n = 0;;) n = n + 1;
      case probe::Act::LOOP_UNTIL_CANCELLED:
        while (!ctx.is_cancelled()) {
        }
        return ctx.fail(SYMPHONY_CANCELLED, "it took too long");
      case probe::Act::LOOP_LATER:
        if (!ctx.set_timer(1, ctx.now_ns()).ok()) return ctx.fail(SYMPHONY_INTERNAL, "no timer");
        break;
      case probe::Act::THROW:
        throw std::runtime_error("thrown as asked");
      case probe::Act::NOTHING:
        break;
    }
    return probe::CreateDone(ctx.builder(), handled_);
  }

  symphony::Status on_timer(std::uint64_t, symphony::Ctx&) {
    for (volatile std::uint64_t n = 0;;) n = n + 1;
  }

  std::uint64_t handled_ = 0;
};

SYMPHONY_PIT(Probe, probe, "1.0.0", symphony::once<probe::Do>, symphony::read<probe::DoAgain>);
