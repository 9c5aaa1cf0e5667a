// No task is stranded (E2). A task's thread T reserves a place (queued_ + 1), enqueues the task, and from then on tries
// again and again to take the executor, with at most sleep_ns_max between two tries, until the task has run, was handed
// to it, or is abandoned by T itself. Let H be the holder.
//  1. If H leaves the door, T can enter it in finite time (D3 of door.hpp); unless another thread enters first, T does,
//     and then runs the queue, its own task included. A thread that entered first runs the queue before it leaves, or
//     is in case 2 or 3. Only the door's owner may leave without a look at the queue, and only where the thread that
//     revoked finds it gone, and enters.
//  2. If H leaves because its batch is used up, it keeps the door shut: it pops a task and makes that task's thread the
//     holder (hand_over), so the queue always has a holder while it holds more than a batch.
//  3. A popped task is run, handed over or deleted as abandoned: nobody pops one and drops it.
// The look at queued_ in run() is therefore no part of the proof. It is what makes case 1 quick: a thread that sleeps
// has its reservation visible long since, so the leaver sees it, takes the executor again and runs the task. The only
// thread that run() can miss is one whose reservation is a store buffer's length old, and that one is still spinning.
// So the way without contention needs no barrier after leaving.
//
// Phases of a queued task:   waiting -> running -> done      (the holder pops and runs it)
//                            waiting -> granted              (the holder hands the executor to the task's thread)
//                            waiting -> abandoned            (the task's thread, when the deadline passed)
// plus the bit `asleep`, which the task's thread sets before it sleeps: whoever moves the phase then wakes it.
#include "pits/hosting/executor.hpp"

#include <concurrentqueue/concurrentqueue.h>
#include <algorithm>
#include <new>
#include <utility>

#include "pits/hosting/futex.hpp"

namespace symphony::pit {
namespace {

constexpr std::uint32_t waiting = 1;
constexpr std::uint32_t running = 2;
constexpr std::uint32_t done = 3;
constexpr std::uint32_t granted = 4;
constexpr std::uint32_t abandoned = 5;
constexpr std::uint32_t asleep = 0x80;

constexpr int spins_max = 512;  // about 10 us: a quarter of what waking a sleeper costs
constexpr TimeNs sleep_ns_min = 1 * ms_ns;
constexpr TimeNs sleep_ns_max = 64 * ms_ns;

constexpr std::uint32_t phase_of(std::uint32_t word) noexcept { return word & ~asleep; }

}  // namespace

using TaskQueue = moodycamel::ConcurrentQueue<Executor::Task*>;

struct Executor::Queue {
  TaskQueue tasks{TaskQueue::BLOCK_SIZE * 4};
  moodycamel::ConsumerToken consumer{tasks};  // only the holder touches it
};

struct Executor::Seat::Parts {
  explicit Parts(TaskQueue& tasks) : producer(tasks) {}
  moodycamel::ProducerToken producer;
};

Executor::Seat::Seat(std::unique_ptr<Parts> parts) noexcept : parts_(std::move(parts)) {}
Executor::Seat::Seat(Seat&&) noexcept = default;
Executor::Seat& Executor::Seat::operator=(Seat&&) noexcept = default;
Executor::Seat::~Seat() = default;

Executor::Executor(std::uint32_t queue_max) : queue_max_(queue_max), queue_(std::make_unique<Queue>()) {}

Executor::~Executor() {
  // Only abandoned tasks can be left.
  while (Task* task = pop()) delete task;
}

result<Executor::Seat> Executor::make_seat() {
  auto parts = std::unique_ptr<Seat::Parts>(new (std::nothrow) Seat::Parts(queue_->tasks));
  if (parts == nullptr || !parts->producer.valid()) {
    return unexpected(errc::out_of_memory, "no memory for a caller's place at the executor: close some links");
  }
  return Seat(std::move(parts));
}

Executor::Ran Executor::run_queued(Task& task, Seat& seat, TimeNs deadline_ns) noexcept {
  if (door_.holds(this_thread())) return Ran::nested;
  // sync executor.place acquire: with whoever gave up the place before, so that its slot in the queue is really free.
  if (queued_.fetch_add(1, std::memory_order_acquire) >= queue_max_) {
    // relaxed: nothing was done with the place.
    queued_.fetch_sub(1, std::memory_order_relaxed);
    return Ran::overloaded;
  }
  // relaxed: the queue publishes the task.
  task.phase_.store(waiting, std::memory_order_relaxed);
  if (!queue_->tasks.enqueue(seat.parts_->producer, &task)) {
    // relaxed: as above.
    queued_.fetch_sub(1, std::memory_order_relaxed);
    return Ran::overloaded;
  }
  return wait_for(task, deadline_ns);
}

Executor::Ran Executor::wait_for(Task& task, TimeNs deadline_ns) noexcept {
  for (TimeNs sleep_ns = sleep_ns_min;; sleep_ns = std::min(2 * sleep_ns, sleep_ns_max)) {
    for (int spin = 0; spin < spins_max; ++spin) {
      // sync executor.task acquire: what the thread that moved the phase did before is visible here.
      const std::uint32_t phase = phase_of(task.phase_.load(std::memory_order_acquire));
      if (phase == done) return Ran::yes;
      if (phase == granted) {
        door_.take_over(this_thread());
        task.run();
        std::uint32_t budget = batch_max;
        if (run_batch(budget)) help(budget);
        return Ran::yes;
      }
      if (phase == waiting && door_.looks_free() && door_.try_enter_shared(this_thread())) {
        std::uint32_t budget = batch_max;
        if (run_batch(budget)) help(budget);
        continue;
      }
      detail::cpu_relax();
    }

    const TimeNs now = now_ns();
    if (now >= deadline_ns && abandon(task)) return Ran::abandoned;
    // relaxed: a request to be woken; the phase is looked at again with acquire before anything depends on it.
    const std::uint32_t seen = task.phase_.fetch_or(asleep, std::memory_order_relaxed);
    if (phase_of(seen) == waiting || phase_of(seen) == running) {
      // A task that began is waited for beyond its deadline: the request's bytes are in use.
      const TimeNs until = now >= deadline_ns ? now + sleep_ns : std::min(deadline_ns, now + sleep_ns);
      futex_wait_until(task.phase_, seen | asleep, until);
    }
    // relaxed: as above.
    task.phase_.fetch_and(~asleep, std::memory_order_relaxed);
  }
}

// Runs what the budget still allows, and hands over if there is more.
void Executor::help(std::uint32_t budget) noexcept {
  // relaxed: a hint, see the proof.
  while (queued_.load(std::memory_order_relaxed) > 0 && door_.try_enter_shared(this_thread())) {
    if (!run_batch(budget)) return;
  }
}

// Precondition: this thread holds the executor. Afterwards it does not. Runs what is queued, up to the budget.
// True when it ran something and left the executor free, so that a second look is due.
bool Executor::run_batch(std::uint32_t& budget) noexcept {
  bool ran = false;
  while (Task* task = pop()) {
    if (budget == 0) {
      if (hand_over(*task)) return false;
      continue;
    }
    if (execute(*task)) {
      --budget;
      ran = true;
    }
  }
  door_.leave(this_thread());
  return ran;
}

Executor::Task* Executor::pop() noexcept {
  Task* task = nullptr;
  if (!queue_->tasks.try_dequeue(queue_->consumer, task)) return nullptr;
  // sync executor.place release: the slot was read before its place is given to another.
  queued_.fetch_sub(1, std::memory_order_release);
  return task;
}

// False when the task was abandoned; it is gone then.
bool Executor::execute(Task& task) noexcept {
  // sync executor.task acquire: the task's thread is through with it when it says abandoned.
  std::uint32_t seen = task.phase_.load(std::memory_order_acquire);
  while (phase_of(seen) == waiting &&
         !task.phase_.compare_exchange_weak(seen, running | (seen & asleep), std::memory_order_acquire,
                                            std::memory_order_acquire)) {
  }
  if (phase_of(seen) == abandoned) {
    delete &task;
    return false;
  }
  task.run();
  // sync executor.task release: the task's results, for the thread that waits for them. The task may be gone after
  // this.
  if ((task.phase_.exchange(done, std::memory_order_release) & asleep) != 0) futex_wake(&task.phase_);
  return true;
}

// Makes the task's thread the holder. False when the task was abandoned; it is gone then.
bool Executor::hand_over(Task& task) noexcept {
  door_.give_to_nobody();
  // sync executor.task acquire: the task's thread is through with it when it says abandoned.
  std::uint32_t seen = task.phase_.load(std::memory_order_acquire);
  // sync executor.task release: all that was done inside so far, for the next holder.
  while (phase_of(seen) == waiting &&
         !task.phase_.compare_exchange_weak(seen, granted, std::memory_order_acq_rel, std::memory_order_acquire)) {
  }
  if (phase_of(seen) == abandoned) {
    delete &task;
    return false;
  }
  if ((seen & asleep) != 0) futex_wake(&task.phase_);
  return true;
}

// True when nobody had begun the task: nobody will.
bool Executor::abandon(Task& task) noexcept {
  std::uint32_t expected = waiting;
  // sync executor.task release: this thread's last use of the task, for whoever deletes it.
  return task.phase_.compare_exchange_strong(expected, abandoned, std::memory_order_release, std::memory_order_relaxed);
}

}  // namespace symphony::pit
