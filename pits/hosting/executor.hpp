// Who may be inside an instance: one thread at a time, and whoever comes lends a hand.   Layer: hosting (bus/base).
// A caller takes a free executor (door.hpp: with a few plain stores, or one compare-and-swap), runs its own task on its
// own thread and leaves. If the executor is held, the task goes into a queue; the holder runs up to 64 queued tasks
// before it leaves, and hands the executor to the owner of the next one if there are more. A waiting thread spins
// briefly, then sleeps. Invariants:
//   E1  tasks run one at a time, each at most once, each one's effects visible to the next
//   E2  a task that was queued is run, or ends as abandoned; none is stranded (proof in executor.cpp)
//   E3  the queue holds at most queue_max tasks
// Threads: any. Nothing here is ever placed in shared memory.
#pragma once

#include <atomic>
#include <concepts>
#include <cstdint>
#include <memory>
#include <symphony/clock.hpp>
#include <symphony/result.hpp>

#include "bus/base/platform.hpp"
#include "pits/hosting/door.hpp"

namespace symphony::pit {

class Executor {
 public:
  static constexpr std::uint32_t batch_max = 64;
  static constexpr std::uint32_t default_queue_max = 4096;

  enum class Ran : std::uint8_t {
    yes,         // the task has run
    abandoned,   // its deadline passed in the queue: it will not run. The executor owns it now and deletes it
    overloaded,  // the queue is full, or there is no memory for it; the task was not taken
    nested,      // the calling thread holds this executor already and would wait for itself; the task was not taken
  };

  // Something to run. Made with new: see Ran::abandoned.
  class Task {
   public:
    Task() = default;
    Task(const Task&) = delete;
    Task& operator=(const Task&) = delete;
    virtual ~Task() = default;
    virtual void run() noexcept = 0;

   private:
    friend class Executor;
    std::atomic<std::uint32_t> phase_{0};
  };

  // A caller's place at the queue, so that queueing needs no look-up. Threads: one at a time. Not to outlive the
  // executor.
  class Seat {
   public:
    Seat(Seat&&) noexcept;
    Seat& operator=(Seat&&) noexcept;
    ~Seat();

   private:
    friend class Executor;
    struct Parts;
    explicit Seat(std::unique_ptr<Parts> parts) noexcept;
    std::unique_ptr<Parts> parts_;
  };

  explicit Executor(std::uint32_t queue_max = default_queue_max);
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;
  ~Executor();  // precondition: nobody is in run()

  [[nodiscard]] result<Seat> make_seat();

  // How many tasks are queued, for monitoring: it may have changed by the time it is read.
  [[nodiscard]] std::int64_t queued() const noexcept {
    // relaxed: only a number.
    return queued_.load(std::memory_order_relaxed);
  }

  // This thread is inside.
  [[nodiscard]] bool is_held_here() const noexcept { return door_.holds(this_thread()); }

  // Runs `task` on this thread or lets the holder run it. Returns when it has run, or when the deadline passed before
  // anybody began it; a task that began is waited for. Does not allocate once the seat has been used.
  // A task of a final class is entered without a look into its table.
  template <std::derived_from<Task> Work>
  [[gnu::always_inline]] inline Ran run(Work& task, Seat& seat, TimeNs deadline_ns) noexcept {
    if (!door_.try_enter(this_thread())) [[unlikely]]
      return run_queued(task, seat, deadline_ns);
    task.run();
    // relaxed: a hint; a task that is missed here is taken by its own thread (proof in executor.cpp).
    if (door_.leave(this_thread()) && queued_.load(std::memory_order_relaxed) > 0) [[unlikely]]
      help();
    return Ran::yes;
  }

 private:
  struct Queue;

  [[nodiscard]] static std::uintptr_t this_thread() noexcept {
    alignas(8) static thread_local constinit char here = 0;
    return reinterpret_cast<std::uintptr_t>(&here);
  }
  Ran run_queued(Task& task, Seat& seat, TimeNs deadline_ns) noexcept;
  Ran wait_for(Task& task, TimeNs deadline_ns) noexcept;
  void help(std::uint32_t budget = batch_max) noexcept;
  bool run_batch(std::uint32_t& budget) noexcept;
  Task* pop() noexcept;
  static bool execute(Task& task) noexcept;
  bool hand_over(Task& task) noexcept;
  static bool abandon(Task& task) noexcept;

  Door<> door_;
  std::atomic<std::int64_t> queued_{0};  // places taken in the queue
  alignas(detail::cache_line_size) const std::int64_t queue_max_;
  std::unique_ptr<Queue> queue_;
};

}  // namespace symphony::pit
