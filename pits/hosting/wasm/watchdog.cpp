#include "pits/hosting/wasm/watchdog.hpp"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "pits/hosting/looks.hpp"

namespace symphony::pit::wasm {

constinit std::atomic<std::uint32_t> watchdog_sleeps{0};

namespace {

struct Watched {
  Thread* thread;
  std::uint64_t turn;  // seen at the last look
  TimeNs since_ns;     // when it was seen first
};

// All threads that were ever in a guest and have not ended. Never destroyed: threads may end after main().
struct Registry {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Watched> threads;
};
Registry& registry() {
  static auto* one = new Registry;
  return *one;
}

// Under the registry's mutex, which holds the thread there.
void kick(Thread& thread, std::uint64_t turn, Trap why) noexcept {
  thread.kicked_as.set(why);
  thread.kicked.set(turn);
  ::syscall(SYS_tgkill, ::getpid(), thread.id, kick_signal);
}

bool membarrier(int command) noexcept { return ::syscall(SYS_membarrier, command, 0, 0) == 0; }

}  // namespace

struct Watchdog::Parts {
  std::thread thread;
  bool ending = false;     // under the registry's mutex
  bool can_sleep = false;  // the kernel makes the barrier for us
  Looks looks;

  // Looks at every thread; how long until the next look, 0 when there is no guest with a budget.
  TimeNs look(Registry& all) noexcept {
    TimeNs next_ns = 0;
    const TimeNs now = now_ns();
    const TimeNs late_ns = looks.late_ns(now);
    for (Watched& at : all.threads) {
      // sync watchdog.turn acquire: the budget below is that of this turn, or of a later one.
      const std::uint64_t turn = at.thread->turn.load(std::memory_order_acquire);
      const TimeNs budget_ns = at.thread->budget_ms.get() * ms_ns;
      if (turn == 0 || budget_ns == 0) {
        at.turn = 0;
        continue;
      }
      if (turn != at.turn) {
        at.turn = turn;
        at.since_ns = now;
      } else {
        at.since_ns += late_ns;
      }
      const bool is_over = now - at.since_ns >= budget_ns;
      if (is_over) kick(*at.thread, turn, Trap::interrupted);
      next_ns = Looks::sooner(next_ns, is_over ? Looks::min_ns : Looks::wanted_ns(budget_ns));
    }
    looks.done(now, next_ns);
    return next_ns;
  }

  void run() noexcept {
    Registry& all = registry();
    std::unique_lock lock(all.mutex);
    while (!ending) {
      TimeNs next_ns = look(all);
      if (next_ns == 0 && can_sleep) {
        // sync watchdog.sleep release: whoever begins a turn from here on sees it and wakes us; the barrier makes
        // visible every turn that was begun before.
        watchdog_sleeps.store(1, std::memory_order_release);
        membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
        next_ns = look(all);
        if (next_ns == 0) {
          // relaxed: changed under the mutex only.
          all.changed.wait(lock, [&] { return ending || watchdog_sleeps.load(std::memory_order_relaxed) == 0; });
        }
        // relaxed: as above.
        watchdog_sleeps.store(0, std::memory_order_relaxed);
        if (ending) all.changed.notify_all();  // one that was made after this one may rely on the flag
        continue;
      }
      all.changed.wait_for(lock, std::chrono::nanoseconds(next_ns == 0 ? Looks::max_ns : next_ns),
                           [&] { return ending; });
    }
  }
};

Watchdog::Watchdog(std::unique_ptr<Parts> parts) noexcept : parts_(std::move(parts)) {}

std::shared_ptr<Watchdog> Watchdog::shared() {
  static std::mutex mutex;
  static std::weak_ptr<Watchdog> current;
  const std::lock_guard lock(mutex);
  if (auto running = current.lock()) return running;
  auto parts = std::make_unique<Parts>();
  parts->can_sleep = membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
  try {
    parts->thread = std::thread([at = parts.get()] { at->run(); });
  } catch (const std::system_error&) {
    return nullptr;
  }
  std::shared_ptr<Watchdog> made(new Watchdog(std::move(parts)));
  current = made;
  return made;
}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(registry().mutex);
    parts_->ending = true;
  }
  registry().changed.notify_all();
  parts_->thread.join();
}

bool enrol(Thread& thread) noexcept {
  try {
    Registry& all = registry();
    const std::lock_guard lock(all.mutex);
    all.threads.push_back({&thread, 0, {}});
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

void strike_off(Thread& thread) noexcept {
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  std::erase_if(all.threads, [&](const Watched& at) { return at.thread == &thread; });
}

std::uint32_t interrupt_guests() noexcept {
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  std::uint32_t count = 0;
  for (const Watched& at : all.threads) {
    // sync watchdog.turn acquire: the turn has begun.
    const std::uint64_t turn = at.thread->turn.load(std::memory_order_acquire);
    if (turn == 0) continue;
    kick(*at.thread, turn, Trap::ended);
    ++count;
  }
  return count;
}

void wake_watchdog() noexcept {
  Registry& all = registry();
  {
    const std::lock_guard lock(all.mutex);
    // relaxed: changed under the mutex only.
    watchdog_sleeps.store(0, std::memory_order_relaxed);
  }
  all.changed.notify_all();
}

}  // namespace symphony::pit::wasm
