// Runs a few threads in every way that C++20's memory allows, each way once.   Layer: tests. Threads: one (fibers).
//
// A run is a path of small choices: which store a load reads from, where a thread dies. After a run the last choice
// that can grow is counted up, so the runs are an odometer over all paths; nothing is kept from run to run. Stores and
// plain accesses need no choice, because loads may read old stores: of all interleavings in which the loads read from
// the same stores only one is run. A load may also wait for a store that is not there yet; a path on which it never
// comes is a dead end, not an execution.
//
// A loop that finds nothing calls await(): it goes on when a word that it read has something new, and a round that
// reads nothing new is not run. A thread that dies is one more choice at each of its steps; a store that the compiler
// or the machine may have held back behind a later relaxed one can be missing then.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "bus/wait/futex.hpp"
#include "tests/proof/explorer/fiber.hpp"
#include "tests/proof/explorer/mutation.hpp"
#include "tests/proof/explorer/weak_memory.hpp"

namespace symphony::proof {

// One program for the explorer, made anew for each run. What its threads do on their stacks must own nothing.
class Program {
 public:
  virtual ~Program() = default;
  virtual void run(int thread) = 0;
  virtual void at_end() {}  // all threads have ended or died
};

struct Bounds {
  int threads = 2;
  int crashing = -1;  // the thread that may die at any step; -1: none
};

struct Exploration {
  std::uint64_t executions = 0;  // complete, no two alike
  std::uint64_t dead_ends = 0;   // paths that wait for a store that never comes
  std::uint64_t steps = 0;
  bool exhausted = false;  // all paths were taken
  std::string violation;   // empty: none; else what, and the steps that lead there
};

class Explorer {
 public:
  using Make = std::function<std::unique_ptr<Program>(Explorer&)>;

  Explorer();
  ~Explorer();

  // Until the first violation, or all paths are done, or `executions_max`.
  Exploration explore(const Bounds& bounds, const Make& make, const Mutation& mutation = {},
                      std::uint64_t executions_max = ~std::uint64_t{0});

  [[nodiscard]] static Explorer& current() noexcept { return *current_; }

  // ---- for programs
  [[nodiscard]] std::byte* allocate(std::size_t bytes, ThreadSet writers) noexcept {
    return memory_.allocate(bytes, writers);
  }
  // Ends the run unless `holds`.
  void require(bool holds, const char* what) noexcept {
    if (!holds) violated(what);
  }
  void await() noexcept;
  void futex_wait(std::span<const detail::WaitWord> words) noexcept;
  // The word that the kernel stores, and wakes, when the crashing thread has died. 0: it lives.
  [[nodiscard]] const std::uint32_t* death_word() const noexcept { return death_word_; }
  [[nodiscard]] bool is_dead() noexcept;  // an acquire load of it: who sees it sees all that the dead one stored
  [[nodiscard]] bool is(Mutation::Kind kind) const noexcept { return mutation_.kind == kind; }
  // The crashing thread has lost a store and runs on only to show what may have overtaken it: what it does counts for
  // nothing.
  [[nodiscard]] bool is_doomed() const noexcept { return doomed_ && running_ == bounds_.crashing; }
  [[nodiscard]] int choose(int count) noexcept;

  // ---- for ModelMem
  std::uint64_t load(const void* address, std::size_t bytes, Order order, Site site) noexcept;
  void store(void* address, std::size_t bytes, Order order, Site site, std::uint64_t value) noexcept;
  void copy_in(std::byte* shared, const void* from, std::size_t size) noexcept;
  void copy_out(void* to, const std::byte* shared, std::size_t size) noexcept;
  void wake(const std::uint32_t* word) noexcept;

  // The ordered accesses that any exploration made, as the code spells them.
  [[nodiscard]] const std::vector<OrderedAccess>& touched() const noexcept { return touched_; }

 private:
  enum class State : std::uint8_t { ready, deferred, awaiting, sleeping, ended, crashed };
  struct Sleep {
    int bell;
    int kernel;
    int bell_index;
    int kernel_index;
    bool any_wake;
  };
  struct Task {
    std::unique_ptr<Fiber> fiber;
    State state = State::ready;
    int word = 0;  // deferred: waits for a store newer than
    int from = 0;
    std::array<Sleep, 4> sleeps{};
    int sleep_count = 0;
    // Mutations that move a store: what is kept back.
    bool late_store = false;
    int late_word = 0;
    Order late_order{};
    std::uint64_t late_value = 0;
    std::byte* late_copy_at = nullptr;
    std::size_t late_copy_size = 0;
    std::array<std::byte, 512> late_copy;
  };
  struct Choice {
    std::uint8_t chosen;
    std::uint8_t count;
  };

  void run_once(const Make& make);
  [[nodiscard]] bool advance_path() noexcept;
  [[nodiscard]] bool can_go_on(int thread) noexcept;
  [[nodiscard]] bool can_change(int word, int waiting) noexcept;
  void pause_as(State state) noexcept;
  [[noreturn]] void leave() noexcept;
  void violated(const char* what) noexcept;
  void check_memory() noexcept {
    if (memory_.fault() != nullptr) violated(memory_.fault());
  }
  void dead_end() noexcept;
  void begin_step() noexcept;
  void step() noexcept;                             // one that a death may come before
  bool step_store(int word, Order order) noexcept;  // false: this store never happens
  void die() noexcept;
  std::uint64_t load_from(int word, Order order, int from) noexcept;
  void flush_late_store() noexcept;
  void flush_late_copy() noexcept;
  [[nodiscard]] Order effective(Order order, Site site, Access access) noexcept;
  void note(const char* format, ...) noexcept __attribute__((format(printf, 2, 3)));
  static void enter(void* self);

  static inline Explorer* current_ = nullptr;

  WeakMemory memory_;
  std::array<Task, threads_max> tasks_;
  Bounds bounds_;
  Mutation mutation_;
  std::unique_ptr<Program> program_;
  std::vector<Choice> path_;
  std::size_t depth_ = 0;
  int running_ = 0;
  int steps_ = 0;
  std::uint64_t all_steps_ = 0;
  bool stopped_ = false;
  bool in_fiber_ = false;
  bool is_dead_end_ = false;
  bool crashed_ = false;
  // The crashing thread has held back a store: it dies soon, and only what may overtake that store still happens.
  bool doomed_ = false;
  bool overtaken_ = false;
  WordSet held_back_;
  std::uint32_t* death_word_ = nullptr;
  const char* violation_ = nullptr;
  bool tracing_ = false;
  std::string trace_;
  std::vector<OrderedAccess> touched_;
  std::array<std::uint64_t, 64> touched_bits_{};
};

}  // namespace symphony::proof
