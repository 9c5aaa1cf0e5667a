#include "bench/faults/acts.hpp"

#include <cstdlib>
#include <cstring>
#if defined(__cpp_exceptions)
#include <stdexcept>
#endif
#if !defined(__wasm__)
#include <pthread.h>
#include <time.h>
#endif

namespace symphony::faults {
namespace {

constexpr std::uint64_t garbage = 0xa5a5a5a5a5a5a5a5;
constexpr std::uint32_t line = 64;    // docs/formats/ring.md
constexpr std::uint32_t page = 4096;  // docs/formats/segment.md

// So that the compiler knows nothing of where it points.
template <class T>
volatile T* hidden(std::uint64_t address) noexcept {
  auto* at = reinterpret_cast<volatile T*>(static_cast<std::uintptr_t>(address));
  asm volatile("" : "+r"(at));
  return at;
}

void write_null() noexcept {
#if defined(__wasm__)
  // 0 is a place in a guest's memory like any other; what natives fault at is beyond its end here.
  *hidden<std::uint32_t>(0xfffffff0U) = 1;
#else
  *hidden<std::uint32_t>(0) = 1;
#endif
}

void write_wild(const Order& order) noexcept {
  for (std::uint32_t i = 0; i < canary_words; ++i) *hidden<std::uint64_t>(order.canary + 8ULL * i) = garbage;
}

// Never ends; what it returns keeps each frame alive.
__attribute__((noinline)) std::uint64_t recurse(std::uint64_t depth) noexcept {  // NOLINT(misc-no-recursion)
  volatile std::uint64_t frame[32] = {depth};
  return depth == ~std::uint64_t{0} ? frame[0] : recurse(depth + 1) + frame[depth % 32];
}

// Touches a part of it only: that the limit ends it is the point, not how fast the kernel hands out pages.
void leak() noexcept {
  constexpr std::size_t block = 1024UL * 1024, step = 64UL * 1024;
  for (std::uint32_t mib = 0; mib < leak_max_mib; ++mib) {
    auto* more = static_cast<volatile char*>(std::malloc(block));
    if (more == nullptr) std::abort();  // as most programs end that get none
    for (std::size_t at = 0; at < block; at += step) more[at] = 0x42;
  }
}

[[noreturn]] void loop() noexcept {
  for (;;) asm volatile("" ::: "memory");
}

void lock_twice() noexcept {
#if defined(__wasm__)
  volatile bool is_locked = true;  // one thread: its only lock is one that spins
  while (is_locked) {
  }
#else
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  ::pthread_mutex_lock(&mutex);
  ::pthread_mutex_lock(&mutex);
#endif
}

void be_slow() noexcept {
#if defined(__wasm__)
  for (volatile std::uint32_t n = 0; n < 100'000'000; n = n + 1) {
  }
#else
  const timespec t{0, slow_ms * 1'000'000L};
  ::nanosleep(&t, nullptr);  // allowed: to be slow is the fault
#endif
}

// Until whoever looks at the ring has certainly looked.
void wait_for_reader() noexcept {
#if !defined(__wasm__)
  const timespec t{0, 50'000'000};
  ::nanosleep(&t, nullptr);  // allowed: the other side looks meanwhile
#endif
}

std::int32_t reply_at(const symphony_host& host, symphony_mut_span& out) noexcept {
  const std::int32_t claimed = host.claim(host.context, 64, &out);
  if (claimed == SYMPHONY_OK) std::memset(out.p, 0x42, 64);
  return claimed;
}

// What stands in front of a reply: in a ring the header of its record and its envelope, elsewhere memory that is not
// the pit's.
std::int32_t corrupt_header(const Order& order, const symphony_host& host) noexcept {
  symphony_mut_span out{};
  if (const std::int32_t claimed = reply_at(host, out); claimed != SYMPHONY_OK) return claimed;
  const auto body = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(out.p));
  const std::uint64_t header = order.has_ring != 0 ? (body - 32) & ~std::uint64_t{line - 1} : body - 64;
  for (std::uint64_t at = header; at < body; at += 8) *hidden<std::uint64_t>(at) = garbage;
  wait_for_reader();
  return host.commit(host.context, 64, told_type);
}

// A reply that says it is far longer than what was claimed for it.
std::int32_t lie_about_length(const Order& order, const symphony_host& host) noexcept {
  symphony_mut_span out{};
  if (const std::int32_t claimed = reply_at(host, out); claimed != SYMPHONY_OK) return claimed;
  if (order.has_ring != 0) {
    // The low half of the header: the size, and `present`. Its check stands in the high half, for this place.
    const auto body = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(out.p));
    const std::uint64_t header = (body - 32) & ~std::uint64_t{line - 1};
    *hidden<std::uint32_t>(header) = 0x7fffffffU;
    wait_for_reader();
    std::abort();  // so that nobody takes it back: what a dead pit has committed is read
  }
  return host.commit(host.context, 0x7fffff00U, told_type);
}

// The words by which the two sides of a link know how far the other is.
std::int32_t overwrite_ring_index(const symphony_host& host) noexcept {
  symphony_mut_span out{};
  if (const std::int32_t claimed = reply_at(host, out); claimed != SYMPHONY_OK) return claimed;
  const auto body = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(out.p));
  const std::uint64_t words = (body & ~std::uint64_t{page - 1}) - page;  // the first page of data: few replies so far
  for (std::uint64_t at = words; at < words + page; at += 8) *hidden<std::uint64_t>(at) = garbage;
  wait_for_reader();
  return host.commit(host.context, 64, told_type);
}

std::int32_t corrupt_flatbuffer(const Order& order, const symphony_host& host) noexcept {
  symphony_mut_span out{};
  if (const std::int32_t claimed = reply_at(host, out); claimed != SYMPHONY_OK) return claimed;
  const std::uint32_t far_root = 0x7ffffff0U;
  std::memcpy(out.p, &far_root, sizeof far_root);
  return host.commit(host.context, 64, order.reply_type);
}

}  // namespace

std::int32_t tell(const symphony_host& host, const char* text) {
  symphony_mut_span out{};
  const auto size = static_cast<std::uint32_t>(std::strlen(text));
  if (const std::int32_t claimed = host.claim(host.context, size, &out); claimed != SYMPHONY_OK) return claimed;
  std::memcpy(out.p, text, size);
  return host.commit(host.context, size, told_type);
}

std::int32_t commit_fault(const Order& order, const symphony_host& host) {
  switch (order.fault) {
    case Fault::null_write:
      write_null();
      return tell(host, "wrote");
    case Fault::wild_write:
      write_wild(order);
      return tell(host, "wrote");
    case Fault::stack_overflow:
      return tell(host, recurse(0) != 0 ? "came back" : "came back with nothing");
    case Fault::abort:
      std::abort();
    case Fault::uncaught_exception:
#if defined(__cpp_exceptions)
      throw std::runtime_error("the culprit throws");
#else
      std::abort();          // what a C++ library without exceptions makes of it
#endif
    case Fault::infinite_loop:
      loop();
    case Fault::deadlock:
      lock_twice();
      return tell(host, "locked it twice");
    case Fault::memory_leak:
      leak();
      return tell(host, "leaked all it wanted");
    case Fault::exit_in_handler:
      std::exit(3);  // NOLINT(concurrency-mt-unsafe): the fault
    case Fault::corrupt_header:
      return corrupt_header(order, host);
    case Fault::lying_length:
      return lie_about_length(order, host);
    case Fault::corrupt_flatbuffer:
      return corrupt_flatbuffer(order, host);
    case Fault::ring_index:
      return overwrite_ring_index(host);
    case Fault::slow_consumer:
      be_slow();
      return tell(host, "done, late");
    default:
#if defined(__wasm__)
      return SYMPHONY_UNKNOWN_TYPE;
#else
      return commit_system_fault(order, host);
#endif
  }
}

}  // namespace symphony::faults
