#include "pits/hosting/thread_stack.hpp"

#include <cxxabi.h>
#include <dlfcn.h>
#include <execinfo.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <symphony/clock.hpp>

namespace symphony::pit {
namespace {

constexpr int frames_max = 64;
constexpr int frames_of_handler = 2;  // itself, and what the kernel returns to
constexpr TimeNs patience_ns = 100 * ms_ns;

struct Walk {
  std::array<void*, frames_max> frames{};
  std::atomic<bool> wanted{false};
  std::atomic<int> count{0};
};
constinit Walk walk;

// backtrace() takes no lock and no memory once it has run; the unwinder's tables are found without one (glibc 2.35).
void on_signal(int) {
  const int saved = errno;
  // sync stack.wanted acquire: the count is 0, and nobody reads the frames.
  if (walk.wanted.exchange(false, std::memory_order_acquire)) {
    const int count = std::max(::backtrace(walk.frames.data(), frames_max), 1);
    // sync stack.count release: the frames are there.
    walk.count.store(count, std::memory_order_release);
  }
  errno = saved;
}

int number() noexcept { return SIGRTMAX - 1; }

// False: somebody else handles it.
bool install() noexcept {
  struct sigaction now {};
  if (::sigaction(number(), nullptr, &now) != 0) return false;
  if (now.sa_handler == &on_signal) return true;
  if (now.sa_handler != SIG_DFL) return false;
  void* warm = nullptr;
  (void)::backtrace(&warm, 1);  // loads the unwinder
  struct sigaction own {};
  own.sa_handler = &on_signal;
  own.sa_flags = SA_RESTART | SA_ONSTACK;
  ::sigemptyset(&own.sa_mask);
  return ::sigaction(number(), &own, nullptr) == 0;
}

std::string describe(const void* frame) {
  Dl_info about{};
  std::array<char, 32> offset{};
  if (::dladdr(frame, &about) == 0 || about.dli_fname == nullptr) {
    std::snprintf(offset.data(), offset.size(), "%p", frame);
    return offset.data();
  }
  const std::string path = about.dli_fname;
  std::snprintf(offset.data(), offset.size(), "+0x%zx",
                reinterpret_cast<std::uintptr_t>(frame) - reinterpret_cast<std::uintptr_t>(about.dli_fbase));
  std::string out = path.substr(path.rfind('/') + 1) + offset.data();
  if (about.dli_sname == nullptr) return out;
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name(abi::__cxa_demangle(about.dli_sname, nullptr, nullptr, &status),
                                                    &std::free);
  return out + " " + (status == 0 ? name.get() : about.dli_sname);
}

}  // namespace

std::vector<std::string> stack_of(pid_t id) {
  if (!install()) return {"not known: another part of this program handles signal " + std::to_string(number())};
  // relaxed: published by the store below.
  walk.count.store(0, std::memory_order_relaxed);
  // sync stack.wanted release: the count is 0.
  walk.wanted.store(true, std::memory_order_release);
  const bool sent = ::syscall(SYS_tgkill, ::getpid(), id, number()) == 0;
  int count = 0;
  for (const TimeNs deadline = now_ns() + patience_ns; sent && count == 0 && now_ns() < deadline;) {
    const timespec pause{0, ms_ns / 10};
    ::nanosleep(&pause, nullptr);  // allowed: the thread is interrupted meanwhile
    // sync stack.count acquire: the frames may be read.
    count = walk.count.load(std::memory_order_acquire);
  }
  // sync stack.wanted acquire: what a handler that took it before did.
  if (count == 0 && walk.wanted.exchange(false, std::memory_order_acquire)) {
    return {sent ? "not known: the thread did not take a signal within 100 ms" : "not known: the thread has ended"};
  }
  while (count == 0) {  // it is walking; nobody may ask anew before it is done
    const timespec pause{0, ms_ns / 10};
    ::nanosleep(&pause, nullptr);  // allowed: as above
    // sync stack.count acquire: as above.
    count = walk.count.load(std::memory_order_acquire);
  }
  std::vector<std::string> out;
  for (int i = frames_of_handler; i < count; ++i) out.push_back(describe(walk.frames.at(static_cast<std::size_t>(i))));
  return out;
}

}  // namespace symphony::pit
