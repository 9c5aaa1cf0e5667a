// Two processes that exchange requests and replies over a link and only spin: what they ask of the kernel and of the
// heap while doing so, nothing, is counted from outside (system calls) and here (allocations).
//
// usage: ring_exchange MESSAGES [busy | wakes | allocates]
//   busy       the product; the others are controls that must show a count:
//   wakes      the caller rings the doorbell for each message
//   allocates  the caller allocates for each message
// Each process makes the system call getppid() right before and right after the exchange.
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string>

#include "bus/channel/channel.hpp"

namespace {

std::uint64_t allocations = 0;  // of this process, which has one thread

}  // namespace

// Not inlined: the compiler would take the pair apart and warn of a free without its new.
[[gnu::noinline]] void* operator new(std::size_t size) {
  ++allocations;
  if (void* p = std::malloc(size)) return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }

namespace symphony::detail {
namespace {

constexpr std::uint32_t capacity = 64 * 1024;
constexpr std::size_t segment_size = data_offset + capacity;
constexpr Geometry geometry{capacity, capacity, 0x11, 0x22, true};  // as a default link's
constexpr std::uint64_t in_flight_max = 32;
constexpr std::size_t body_size = 64;

struct Shared {
  alignas(page_size) std::array<std::byte, segment_size> caller;
  alignas(page_size) std::array<std::byte, segment_size> pit;
  std::atomic<std::uint64_t> pit_allocations;
};

void mark() { ::syscall(SYS_getppid); }

void serve(Shared& shared, std::uint64_t messages) {
  PitChannel<> channel(shared.pit.data(), shared.caller.data(), geometry);
  std::array<std::byte, body_size> body;
  const std::uint64_t before = allocations;
  mark();
  for (std::uint64_t done = 0; done < messages;) {
    PitChannel<>::Record record;
    if (channel.try_peek(record) != Poll::record || !channel.has_room(body_size)) {
      channel.free_space(true);
      cpu_relax();
      continue;
    }
    Envelope envelope = channel.copy_envelope(record);
    channel.begin(record);
    channel.copy_body(record, body);
    std::uint64_t at = 0;
    if (!channel.try_send(envelope, body, 0, at)) std::abort();
    channel.finish(record);
    channel.free_space(false);
    ++done;
  }
  mark();
  // sync exchange.done release: the caller reads it when this process has ended.
  shared.pit_allocations.store(allocations - before, std::memory_order_release);
}

std::uint64_t call(Shared& shared, std::uint64_t messages, const std::string& mode) {
  CallerChannel<> channel(shared.caller.data(), shared.pit.data(), geometry);
  std::array<std::byte, body_size> body{};
  const bool wakes = mode == "wakes";
  const bool allocates = mode == "allocates";
  std::uint64_t sent = 0, answered = 0, wrong = 0;
  const std::uint64_t before = allocations;
  mark();
  while (answered < messages) {
    std::uint64_t at = 0;
    std::unique_ptr<std::uint64_t> extra;
    if (sent < messages && sent - answered < in_flight_max && channel.try_send({.id = sent + 1}, body, 0, at)) {
      ++sent;
      if (wakes) wake_all(reinterpret_cast<const std::uint32_t*>(shared.caller.data() + words_offset));
      if (allocates) extra = std::make_unique<std::uint64_t>(sent);
      // The allocation is to be there, whatever the compiler thinks of it.
      asm volatile("" : : "r"(extra.get()) : "memory");
    }
    CallerChannel<>::Record record;
    if (channel.try_peek(record) != Poll::record) {
      channel.free_space(true);
      cpu_relax();
      continue;
    }
    if (channel.copy_envelope(record).id != answered + 1) ++wrong;
    channel.copy_body(record, body);
    channel.finish(record);
    channel.free_space(false);
    ++answered;
  }
  mark();
  if (wrong != 0) std::abort();
  return allocations - before;
}

int run(std::uint64_t messages, const std::string& mode) {
  void* const memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 1;
  auto& shared = *static_cast<Shared*>(memory);
  const pid_t pit = ::fork();
  if (pit < 0) return 1;
  if (pit == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    serve(shared, messages);
    ::_exit(0);
  }
  const std::uint64_t mine = call(shared, messages, mode);
  int status = 0;
  if (::waitpid(pit, &status, 0) != pit || status != 0) return 1;
  // sync exchange.done acquire: what the pit counted.
  const std::uint64_t sum = mine + shared.pit_allocations.load(std::memory_order_acquire);
  std::printf("messages %llu allocations %llu\n", static_cast<unsigned long long>(messages),
              static_cast<unsigned long long>(sum));
  return 0;
}

}  // namespace
}  // namespace symphony::detail

int main(int argc, char** argv) {
  return symphony::detail::run(argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1000, argc > 2 ? argv[2] : "busy");
}
