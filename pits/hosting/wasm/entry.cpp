#include "pits/hosting/wasm/entry.hpp"

#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>

#include "bus/base/platform.hpp"
#include "pits/hosting/wasm/reservation.hpp"
#include "pits/hosting/wasm/watchdog.hpp"

namespace symphony::pit::wasm {

constinit thread_local Thread this_thread __attribute__((tls_model("initial-exec")));

namespace {

constexpr std::size_t signal_stack_size = 65'536;
constexpr std::size_t main_guard_size = std::size_t{1} << 20;  // the kernel keeps as much free below a growing stack
constexpr std::uintptr_t near = 65'536;                        // between a stack pointer and what its frame touches

// What a thread gives back when it ends.
struct Farewell {
  void* signal_stack = nullptr;  // with a guard page below
  bool said = false;
  ~Farewell() {
    this_thread.ready = false;
    said = true;
    strike_off(this_thread);
    if (signal_stack == nullptr) return;
    stack_t none{};
    none.ss_flags = SS_DISABLE;
    ::sigaltstack(&none, nullptr);
    ::munmap(signal_stack, signal_stack_size + detail::page_size);
  }
};
thread_local Farewell farewell;

// A handler of ours cannot run on a stack that is used up. One that is there already (a sanitizer's) will do.
bool make_signal_stack() noexcept {
  stack_t old{};
  if (::sigaltstack(nullptr, &old) != 0) return false;
  if ((old.ss_flags & SS_DISABLE) == 0) return true;
  constexpr std::size_t size = signal_stack_size + detail::page_size;
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (memory == MAP_FAILED) return false;
  stack_t fresh{};
  fresh.ss_sp = static_cast<std::byte*>(memory) + detail::page_size;
  fresh.ss_size = signal_stack_size;
  if (::mprotect(memory, detail::page_size, PROT_NONE) != 0 || ::sigaltstack(&fresh, nullptr) != 0) {
    ::munmap(memory, size);
    return false;
  }
  farewell.signal_stack = memory;
  return true;
}

bool find_stack(Thread& thread) noexcept {
  pthread_attr_t attributes;
  if (::pthread_getattr_np(::pthread_self(), &attributes) != 0) return false;
  void* begin = nullptr;
  std::size_t size = 0;
  std::size_t guard = 0;
  const bool known =
      ::pthread_attr_getstack(&attributes, &begin, &size) == 0 && ::pthread_attr_getguardsize(&attributes, &guard) == 0;
  ::pthread_attr_destroy(&attributes);
  if (!known) return false;
  thread.stack_begin = reinterpret_cast<std::uintptr_t>(begin);
  if (guard == 0) guard = main_guard_size;
  thread.guard_begin = thread.stack_begin - guard;
  return true;
}

// Before a thread's first entry.
bool prepare(Thread& thread) noexcept {
  if (farewell.said) return false;
  if (!find_stack(thread) || !make_signal_stack()) return false;
  thread.id = static_cast<pid_t>(::syscall(SYS_gettid));
  thread.ready = enrol(thread);
  return thread.ready;
}

struct Registers {
  std::uintptr_t pc;
  std::uintptr_t sp;
};
Registers registers_of(const void* context) noexcept {
  const mcontext_t& machine = static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  return {static_cast<std::uintptr_t>(machine.gregs[REG_RIP]), static_cast<std::uintptr_t>(machine.gregs[REG_RSP])};
#elif defined(__aarch64__)
  return {machine.pc, machine.sp};
#else
#error "say where this machine keeps its program counter and stack pointer"
#endif
}

// Who handled each signal before us. Written once, before our handlers are there.
struct sigaction before_segv;
struct sigaction before_bus;
struct sigaction before_kick;

void hand_on(const struct sigaction& before, int signal, siginfo_t* info, void* context) noexcept {
  if ((before.sa_flags & SA_SIGINFO) != 0) return before.sa_sigaction(signal, info, context);
  if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) return before.sa_handler(signal);
  if (signal == kick_signal) return;  // ignored, also by default
  if (before.sa_handler == SIG_IGN && info->si_code <= 0) return;
  // The end of the process, at the instruction that faults again, or by the same signal once more.
  struct sigaction end {};
  end.sa_handler = SIG_DFL;
  ::sigaction(signal, &end, nullptr);
  if (info->si_code <= 0) ::raise(signal);
}

void on_fault(int signal, siginfo_t* info, void* context) noexcept {
  Activation* here = this_thread.current.get();
  if (here != nullptr && here->in_guest.get() && info->si_code > 0) {
    const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
    const Registers at = registers_of(context);
    if (here->text.contains(at.pc) && address - here->memory < reservation_size) {
      here->faulted = true;
      here->fault_address = address - here->memory;
      leave(*here, Trap::out_of_bounds);
    }
    const bool in_guard = address >= this_thread.guard_begin && address < this_thread.stack_begin;
    if (in_guard && address - at.sp + near < 2 * near) leave(*here, Trap::stack_overflow);
  }
  hand_on(signal == SIGSEGV ? before_segv : before_bus, signal, info, context);
}

void on_kick(int signal, siginfo_t* info, void* context) noexcept {
  Activation* here = this_thread.current.get();
  if (here != nullptr && this_thread.kicked.get() == here->turn) {
    // In an import or in the C library the guest cannot be left; outside() looks, and the watchdog asks again.
    if (here->in_guest.get() && here->text.contains(registers_of(context).pc)) {
      leave(*here, this_thread.kicked_as.get());
    }
    return;
  }
  hand_on(before_kick, signal, info, context);
}

bool install(int signal, void (*handler)(int, siginfo_t*, void*) noexcept, struct sigaction& before) noexcept {
  struct sigaction ours {};
  ours.sa_sigaction = handler;
  // SA_NODEFER and an empty mask: nothing is left blocked where a handler does not return.
  ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTART;
  return ::sigaction(signal, nullptr, &before) == 0 && ::sigaction(signal, &ours, nullptr) == 0;
}

}  // namespace

TextRange text_around(const void* function) noexcept {
  struct Search {
    std::uintptr_t wanted;
    TextRange found;
  } search{reinterpret_cast<std::uintptr_t>(function), {}};
  ::dl_iterate_phdr(
      [](dl_phdr_info* object, std::size_t, void* context) {
        auto& looking = *static_cast<Search*>(context);
        for (int i = 0; i < object->dlpi_phnum; ++i) {
          const auto& part = object->dlpi_phdr[i];
          const TextRange range{object->dlpi_addr + part.p_vaddr, object->dlpi_addr + part.p_vaddr + part.p_memsz};
          if (part.p_type == PT_LOAD && (part.p_flags & PF_X) != 0 && range.contains(looking.wanted)) {
            looking.found = range;
            return 1;
          }
        }
        return 0;
      },
      &search);
  return search.found;
}

bool install_handlers() noexcept {
  static const bool installed = install(SIGSEGV, &on_fault, before_segv) && install(SIGBUS, &on_fault, before_bus) &&
                                install(kick_signal, &on_kick, before_kick);
  return installed;
}

Trap enter(Activation& here, void (*call)(void*), void* with) noexcept {
  Thread& thread = this_thread;
  if (!thread.ready && !prepare(thread)) return Trap::no_thread;
  here.outer = thread.current.get();
  here.turn = ++thread.turns;
  const int why = ::sigsetjmp(here.way_out, 0);
  if (why == 0) {
    thread.current.set(&here);
    begin_turn(thread, here.turn, here.budget_ms);
    here.in_guest.set(true);
    call(with);
  }
  here.in_guest.set(false);
  thread.current.set(here.outer);
  if (here.outer == nullptr) {
    begin_turn(thread, 0, 0);
  } else {
    begin_turn(thread, here.outer->turn, here.outer->budget_ms);
  }
  return static_cast<Trap>(why);
}

void leave(Activation& here, Trap why) noexcept { ::siglongjmp(here.way_out, static_cast<int>(why)); }

}  // namespace symphony::pit::wasm
