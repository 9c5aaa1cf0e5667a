#include "pits/hosting/wasm/watchdog.hpp"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace symphony::pit::wasm {

constinit std::atomic<std::uint32_t> watchdog_sleeps{0};

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

struct Watched {
  Thread* thread;
  std::uint64_t turn;       // seen at the last look
  Clock::time_point since;  // when it was seen first
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

constexpr milliseconds look_min{1};
constexpr milliseconds look_max{10};

}  // namespace

struct Watchdog::Parts {
  std::thread thread;
  bool ending = false;     // under the registry's mutex
  bool can_sleep = false;  // the kernel makes the barrier for us

  // Looks at every thread; when to look again, nothing when there is no guest with a budget.
  milliseconds look(Registry& all) noexcept {
    milliseconds next{0};
    const Clock::time_point now = Clock::now();
    for (Watched& at : all.threads) {
      // sync watchdog.turn acquire: the budget below is that of this turn, or of a later one.
      const std::uint64_t turn = at.thread->turn.load(std::memory_order_acquire);
      const milliseconds budget{at.thread->budget_ms.get()};
      if (turn == 0 || budget.count() == 0) {
        at.turn = 0;
        continue;
      }
      if (turn != at.turn) {
        at.turn = turn;
        at.since = now;
      } else if (now - at.since >= budget) {
        kick(*at.thread, turn, Trap::interrupted);
      }
      const milliseconds wanted = now - at.since >= budget ? look_min : std::clamp(budget / 10, look_min, look_max);
      next = next.count() == 0 ? wanted : std::min(next, wanted);
    }
    return next;
  }

  void run() noexcept {
    Registry& all = registry();
    std::unique_lock lock(all.mutex);
    while (!ending) {
      milliseconds next = look(all);
      if (next.count() == 0 && can_sleep) {
        // sync watchdog.sleep release: whoever begins a turn from here on sees it and wakes us; the barrier makes
        // visible every turn that was begun before.
        watchdog_sleeps.store(1, std::memory_order_release);
        membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
        next = look(all);
        if (next.count() == 0) {
          // relaxed: changed under the mutex only.
          all.changed.wait(lock, [&] { return ending || watchdog_sleeps.load(std::memory_order_relaxed) == 0; });
        }
        // relaxed: as above.
        watchdog_sleeps.store(0, std::memory_order_relaxed);
        if (ending) all.changed.notify_all();  // one that was made after this one may rely on the flag
        continue;
      }
      all.changed.wait_for(lock, next.count() == 0 ? look_max : next, [&] { return ending; });
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
