// The way into a guest's code and, whatever the guest does, out of it.   Layer: hosting/wasm.
// enter() runs compiled guest code. A trap inside (a fault in the guest's reservation, the end of the thread's stack, a
// trap instruction, an interruption by the watchdog) ends that code at once and becomes enter()'s result; nothing of
// the guest runs afterwards, and nothing of the host is skipped: there is only generated C between the two.
// Invariants:
//   T1  a fault is a trap only if the thread is in guest code (in_guest), the instruction lies in that module's text
//   and
//       the address in this guest's reservation; or if the address is in this thread's stack guard and near its stack
//       pointer. Every other fault goes to whoever handled it before us
//   T2  in_guest is false while the host works, imports included
//   T3  an interruption is for one entry (its turn); an entry that has ended is never hit by one that comes late
// Threads: any; each thread has its own entries, and they nest.
#pragma once

#include <setjmp.h>
#include <sys/types.h>

#include <atomic>
#include <cstdint>

#include "pits/hosting/wasm/trap.hpp"

namespace symphony::pit::wasm {

class Guest;

struct TextRange {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  [[nodiscard]] bool contains(std::uintptr_t pc) const noexcept { return pc >= begin && pc < end; }
};
// The executable segment that holds `function`; empty when there is none.
[[nodiscard]] TextRange text_around(const void* function) noexcept;

// Room that the host's own work in an import may use of the guest's thread, in bytes.
inline constexpr std::uintptr_t import_stack_size_min = 65'536;

// A word that is written by one thread and read by its own signal handlers, or by the watchdog, which only asks whether
// it is still the same.
template <class T>
class Word {
 public:
  constexpr explicit Word(T value = {}) noexcept : value_(value) {}
  // relaxed: nothing else is read because of it.
  [[nodiscard]] T get() const noexcept { return value_.load(std::memory_order_relaxed); }
  // relaxed: as above.
  void set(T value) noexcept { value_.store(value, std::memory_order_relaxed); }

 private:
  std::atomic<T> value_;
};

// One entry. Filled in by the caller down to `budget_ms`.
struct Activation {
  Guest* guest = nullptr;
  std::uintptr_t memory = 0;  // where the reservation begins
  TextRange text;
  std::uint32_t budget_ms = 0;  // after so long it is interrupted; 0: never

  Activation* outer = nullptr;
  std::uint64_t turn = 0;
  std::uintptr_t fault_address = 0;  // in the guest's memory, of an out_of_bounds that was a fault
  bool faulted = false;
  Word<bool> in_guest;
  sigjmp_buf way_out;
};

// What handlers and the watchdog need of a thread.
struct Thread {
  Word<Activation*> current;
  std::atomic<std::uint64_t> turn{0};  // of the entry that runs; 0: none
  Word<std::uint32_t> budget_ms;
  Word<std::uint64_t> kicked;               // the turn that is to end
  Word<Trap> kicked_as{Trap::interrupted};  // and why; only words
  std::uint64_t turns = 0;
  std::uintptr_t stack_begin = 0;  // its lowest usable byte
  std::uintptr_t guard_begin = 0;
  pid_t id = 0;
  bool ready = false;
};
// initial-exec: a handler must not be the first to touch it, which would allocate.
extern constinit thread_local Thread this_thread __attribute__((tls_model("initial-exec")));

// Makes the process's handlers for SIGSEGV, SIGBUS and the watchdog's signal ours, in front of those that were there.
// Once; handlers that others set later, without calling ours, take the guests' protection away.
[[nodiscard]] bool install_handlers() noexcept;

// Runs call(with) as guest code. Trap::none when it returned.
[[nodiscard]] Trap enter(Activation& activation, void (*call)(void*), void* with) noexcept;

// Ends the entry that runs on this thread.
[[noreturn]] void leave(Activation& activation, Trap why) noexcept;

// The host's work in an import. Ends the guest where its stack is too short for it, or if it was to be interrupted.
template <class Work>
auto outside(Work&& work) noexcept {
  Activation& here = *this_thread.current.get();
  const auto stack = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  if (stack - this_thread.stack_begin < import_stack_size_min) [[unlikely]]
    leave(here, Trap::stack_overflow);
  here.in_guest.set(false);
  const auto value = work();
  here.in_guest.set(true);
  if (this_thread.kicked.get() == here.turn) [[unlikely]]
    leave(here, this_thread.kicked_as.get());
  return value;
}

}  // namespace symphony::pit::wasm
