// Ends entries that run longer than their time budget, or when their host says so.   Layer: hosting/wasm.
// One thread for the process, as long as somebody holds it. It looks at the threads that are in guest code every few
// milliseconds and takes the time itself, so an entry costs two stores and a load, and no look at a clock. While no
// guest with a budget runs it sleeps until one does.
// An entry is ended between its budget and a tenth of it, or 2 ms, later; where the host works in an import that long,
// when the import returns. A look that comes late, as after a freeze of the machine, is not held against anybody.
// Threads: any.
#pragma once

#include <signal.h>

#include <atomic>
#include <memory>

#include "pits/hosting/wasm/entry.hpp"

namespace symphony::pit::wasm {

// Ignored by default, so that one which comes after our handler is gone does no harm.
inline constexpr int kick_signal = SIGURG;

class Watchdog {
 public:
  // The one of this process: made if there is none. Null when no thread can be started.
  [[nodiscard]] static std::shared_ptr<Watchdog> shared();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;
  ~Watchdog();

 private:
  struct Parts;
  explicit Watchdog(std::unique_ptr<Parts> parts) noexcept;
  std::unique_ptr<Parts> parts_;
};

// A thread that may be in guest code, from its first entry to its end. False: no memory.
[[nodiscard]] bool enrol(Thread& thread) noexcept;
void strike_off(Thread& thread) noexcept;

// Ends every entry of this process that runs now, as Trap::ended; where it is in an import, when that returns. One that
// returns by itself meanwhile is not hit, nor is what its thread enters later. One that is on its way in, or in the C
// library, may miss it: ask again. How many entries there were.   [any thread]
std::uint32_t interrupt_guests() noexcept;

// Not 0 while the watchdog sleeps for want of work.
extern constinit std::atomic<std::uint32_t> watchdog_sleeps;
void wake_watchdog() noexcept;

inline void begin_turn(Thread& thread, std::uint64_t turn, std::uint32_t budget_ms) noexcept {
  thread.budget_ms.set(budget_ms);
  // sync watchdog.turn release: the budget is that of this turn.
  thread.turn.store(turn, std::memory_order_release);
  // sync watchdog.sleep acquire: a sleeping watchdog has made every thread's stores visible to itself before it slept
  // (membarrier), so either it saw the turn, or its flag is seen here.
  if (budget_ms != 0 && watchdog_sleeps.load(std::memory_order_acquire) != 0) [[unlikely]]
    wake_watchdog();
}

}  // namespace symphony::pit::wasm
