#include "pits/hosting/process/crash_report.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>

#include <dlfcn.h>
#include <elf.h>
#include <execinfo.h>
#include <link.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

namespace symphony::pit {
namespace {

constexpr std::array signals{SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
constexpr std::size_t stack_size = 64UL * 1024;  // backtrace() reads tables of unwinding; four pages are not enough
constexpr int frames_max = 32;                   // looked at; of which
constexpr int frames_shown_max = 16;
constexpr std::size_t modules_max = 8;
constexpr unsigned seconds_max = 5;  // that a report may take: damaged memory can lead it anywhere

const char* pit_file = "";

// Everything below runs in a handler: no allocation, no lock, no stdio. glibc's _dl_find_object is made for that;
// backtrace() is not promised to be, but takes no lock either once its library is loaded (install_crash_report).

// One line, cut where it does not fit.
class Line {
 public:
  Line& text(const char* s) noexcept {
    while (*s != '\0' && size_ < bytes_.size() - 1) bytes_[size_++] = *s++;
    return *this;
  }
  Line& number(std::uint64_t n, unsigned base = 10) noexcept {
    std::array<char, 24> digits{};
    std::size_t at = digits.size() - 1;
    do digits[--at] = "0123456789abcdef"[n % base];
    while ((n /= base) != 0);
    return text(digits.data() + at);
  }
  Line& hex(std::uint64_t n) noexcept { return text("0x").number(n, 16); }
  void end() noexcept {
    bytes_[size_++] = '\n';
    (void)!::write(STDERR_FILENO, bytes_.data(), size_);
    size_ = 0;
  }

 private:
  std::array<char, 512> bytes_{};
  std::size_t size_ = 0;
};

const char* base_name(const char* path) noexcept {
  const char* const slash = std::strrchr(path, '/');
  return slash != nullptr ? slash + 1 : path;
}

struct Module {
  std::uintptr_t base = 0;
  const ElfW(Ehdr) * head = nullptr;
  const char* loaded_from = "";
  const char* name = "";  // short
};

// Of the file that this address was loaded from; false: of none.
bool module_of(std::uintptr_t address, Module& module) noexcept {
  dl_find_object found;
  if (::_dl_find_object(reinterpret_cast<void*>(address), &found) != 0 || found.dlfo_link_map == nullptr) return false;
  module.base = found.dlfo_link_map->l_addr;
  module.head = static_cast<const ElfW(Ehdr)*>(found.dlfo_map_start);
  module.loaded_from = found.dlfo_link_map->l_name;
  const bool is_program = module.loaded_from[0] == '\0';
  // A pit is loaded from a sealed copy, which has a number and no name (docs/decisions/0020).
  const bool is_pit = !is_program && std::strncmp(module.loaded_from, "/proc/", 6) == 0;
  module.name = base_name(is_program ? "symphony-pit-host" : is_pit ? pit_file : module.loaded_from);
  return true;
}

void add_build_id(Line& line, const Module& module) noexcept {
  const auto* const head = module.head;
  if (head == nullptr || std::memcmp(head->e_ident, ELFMAG, SELFMAG) != 0) return;
  const auto* const segments = reinterpret_cast<const ElfW(Phdr)*>(reinterpret_cast<const char*>(head) + head->e_phoff);
  for (int i = 0; i < head->e_phnum; ++i) {
    if (segments[i].p_type != PT_NOTE) continue;
    const auto* at = reinterpret_cast<const char*>(module.base + segments[i].p_vaddr);
    const char* const end = at + segments[i].p_memsz;
    while (at + sizeof(ElfW(Nhdr)) <= end) {
      const auto* const note = reinterpret_cast<const ElfW(Nhdr)*>(at);
      const auto padded = [](std::size_t n) { return (n + 3) & ~std::size_t{3}; };
      const char* const name = at + sizeof(*note);
      const auto* const bytes = reinterpret_cast<const unsigned char*>(name + padded(note->n_namesz));
      at = name + padded(note->n_namesz) + padded(note->n_descsz);
      if (at > end || note->n_type != NT_GNU_BUILD_ID || note->n_namesz != 4 || std::memcmp(name, "GNU", 4) != 0)
        continue;
      line.text(", build-id ");
      for (std::size_t k = 0; k < note->n_descsz && k < 20; ++k)
        line.number(bytes[k] >> 4, 16).number(bytes[k] & 15, 16);
      return;
    }
  }
}

void say_registers(const ucontext_t& context) noexcept {
  Line line;
#if defined(__x86_64__)
  constexpr std::array<const char*, 17> names{"r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15", "rdi",
                                              "rsi", "rbp", "rbx", "rdx", "rax", "rcx", "rsp", "rip"};
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i % 6 == 0) line.text("symphony:  ");
    line.text(" ").text(names[i]).text(" ").hex(static_cast<std::uint64_t>(context.uc_mcontext.gregs[i]));
    if (i % 6 == 5 || i + 1 == names.size()) line.end();
  }
#elif defined(__aarch64__)
  line.text("symphony:   pc ").hex(context.uc_mcontext.pc).text(" sp ").hex(context.uc_mcontext.sp).end();
#else
  (void)context;
#endif
}

std::uintptr_t program_counter(const ucontext_t& context) noexcept {
#if defined(__x86_64__)
  return static_cast<std::uintptr_t>(context.uc_mcontext.gregs[REG_RIP]);
#elif defined(__aarch64__)
  return context.uc_mcontext.pc;
#else
  (void)context;
  return 0;
#endif
}

std::uintptr_t stack_pointer(const ucontext_t& context) noexcept {
#if defined(__x86_64__)
  return static_cast<std::uintptr_t>(context.uc_mcontext.gregs[REG_RSP]);
#else
  (void)context;
  return 0;
#endif
}

void say_frame(int number, std::uintptr_t address, std::uintptr_t back) noexcept {
  Line line;
  line.text("symphony:   #").number(static_cast<std::uint64_t>(number)).text(" ");
  Module module;
  if (module_of(address, module)) {
    line.text(module.name).text("+").hex(address - module.base - back);
  } else {
    line.hex(address).text(" in no file");
  }
  line.end();
}

// It was led to where no code is, most often by a call: unwinding would read there. Who called stands on the stack.
void say_stray_call(const ucontext_t& context) noexcept {
  say_frame(0, program_counter(context), 0);
  if (const std::uintptr_t at = stack_pointer(context); at != 0) {
    say_frame(1, *reinterpret_cast<const std::uintptr_t*>(at), 1);  // a fault here is the end, with all said
  }
}

// The files first: the frames are the last lines, which a broker tells with the death.
void say_frames(const ucontext_t& context) noexcept {
  if (Module module; !module_of(program_counter(context), module)) return say_stray_call(context);
  std::array<void*, frames_max> frames{};
  int count = ::backtrace(frames.data(), frames_max);
  // What is above the crash is this handler.
  int first = 0;
  const std::uintptr_t crash = program_counter(context);
  while (first < count && reinterpret_cast<std::uintptr_t>(frames[static_cast<std::size_t>(first)]) != crash) ++first;
  if (first == count) {  // its frames lead nowhere: all that is known is where it was
    frames[0] = reinterpret_cast<void*>(crash);
    first = 0, count = 1;
  }
  count = count - first > frames_shown_max ? first + frames_shown_max : count;
  std::array<std::uintptr_t, modules_max> said{};
  std::size_t said_count = 0;
  Line line;
  for (int i = first; i < count; ++i) {
    Module module;
    if (!module_of(reinterpret_cast<std::uintptr_t>(frames[static_cast<std::size_t>(i)]), module)) continue;
    bool is_known = false;
    for (std::size_t k = 0; k < said_count; ++k) is_known |= said[k] == module.base;
    if (is_known || said_count == modules_max) continue;
    said[said_count++] = module.base;
    line.text("symphony:   file ").text(module.name);
    add_build_id(line, module);
    if (module.loaded_from[0] != '\0') line.text(", loaded from ").text(module.loaded_from);
    line.end();
  }
  for (int i = first; i < count; ++i) {
    // A return address is behind the call: one less is in its line.
    say_frame(i - first, reinterpret_cast<std::uintptr_t>(frames[static_cast<std::size_t>(i)]), i == first ? 0 : 1);
  }
}

void report(int signal, siginfo_t* info, void* raw_context) noexcept {
  // A second fault, in here, is the end. SA_RESETHAND has seen to that, but where a sanitizer stands in between.
  struct sigaction by_default {};
  by_default.sa_handler = SIG_DFL;
  ::sigaction(signal, &by_default, nullptr);
  ::sigaction(SIGALRM, &by_default, nullptr);
  sigset_t alarm_only;
  ::sigemptyset(&alarm_only);
  ::sigaddset(&alarm_only, SIGALRM);
  ::pthread_sigmask(SIG_UNBLOCK, &alarm_only, nullptr);
  ::alarm(seconds_max);
  const auto& context = *static_cast<const ucontext_t*>(raw_context);
  Line line;
  line.text("symphony: SIG").text(::sigabbrev_np(signal));
  const bool was_sent = info->si_code <= 0;
  if (was_sent && info->si_pid == ::getpid()) {
    line.text(" raised by itself");
  } else if (was_sent) {
    line.text(" sent by process ").number(static_cast<std::uint64_t>(info->si_pid));
  } else {
    line.text(" at ").hex(reinterpret_cast<std::uintptr_t>(info->si_addr)).text(" (code ");
    line.number(static_cast<std::uint64_t>(info->si_code)).text(")");
  }
  line.text(" in thread ").number(static_cast<std::uint64_t>(::syscall(SYS_gettid))).end();
  say_registers(context);
  say_frames(context);
  // An instruction that faulted does so again when this returns, now by default. What was sent has to be sent again; it
  // waits until then, because it is blocked here.
  ::alarm(0);
  if (was_sent || signal == SIGABRT) ::syscall(SYS_tgkill, ::getpid(), ::syscall(SYS_gettid), signal);
}

}  // namespace

void add_crash_stack() noexcept {
  stack_t now{};
  if (::sigaltstack(nullptr, &now) != 0 || (now.ss_flags & SS_DISABLE) == 0) return;  // somebody gave it one
  void* const memory =
      ::mmap(nullptr, stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (memory == MAP_FAILED) return;
  stack_t stack{};
  stack.ss_sp = memory;
  stack.ss_size = stack_size;
  ::sigaltstack(&stack, nullptr);
}

void install_crash_report(const char* file) noexcept {
  pit_file = file;
  std::array<void*, 1> first{};
  (void)::backtrace(first.data(), 1);  // loads what it needs
  add_crash_stack();
  for (const int signal : signals) {
    struct sigaction now {};
    if (::sigaction(signal, nullptr, &now) != 0 || (now.sa_flags & SA_SIGINFO) != 0 || now.sa_handler != SIG_DFL)
      continue;
    struct sigaction action {};
    action.sa_sigaction = report;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | static_cast<int>(SA_RESETHAND);
    ::sigemptyset(&action.sa_mask);
    ::sigaction(signal, &action, nullptr);
  }
}

}  // namespace symphony::pit
