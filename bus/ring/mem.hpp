// The one door to shared bytes: every access names its memory order and its site.   Layer: ring (uses base only).
//
// A policy offers load, store, copy_in and copy_out. RealMem is the machine. Others replace it in tests: one that
// images memory after each store, one that answers loads with a hostile peer's bytes, one that explores interleavings;
// they need no change in the code under test, which is why no other access to shared bytes exists. Threads: stateless.
// Orders only on operations, no fences: ThreadSanitizer cannot follow fences.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

// Under ThreadSanitizer bytes that are written and read at once go word by word, each a named access.
#if defined(__SANITIZE_THREAD__)
#define SYMPHONY_SEES_RACES 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SYMPHONY_SEES_RACES 1
#endif
#endif
#if !defined(SYMPHONY_SEES_RACES)
#define SYMPHONY_SEES_RACES 0
#endif

namespace symphony::detail {

// light: a store of release, a load of acquire. Between such a store and such a load behind it stands the barrier that
// the other side makes all processors pass before it sleeps (bus/wait/heavy_barrier.hpp): against that sleeper the two
// are as good as seq_cst, and cost nothing. On links on which both sides said that they make it.
enum class Order : std::uint8_t { relaxed, acquire, release, seq_cst, light };

// Names of the places in the code that touch shared words; a table for mutants, coverage and instruction checks.
enum class Site : std::uint8_t {
  header,        // a record's 8-byte header
  next_header,   // the 0 behind the last record
  batch_header,  // headers 2..k of a batch
  tail,          // the producer's hint
  begun,
  handled,
  freed,
  write_back,  // the consumer's 0 in a line it has finished with
  want_space,
  sleeping,
  bell,
  state,
  journal,       // the header of a journal record (bus/state)
  journal_next,  // the 0 behind the last one
  generation,    // which snapshot is the current one
  slot_begun,    // whose value a slot of a board holds, or is about to (bus/topic)
  slot_word,     // eight bytes of it
  latest,        // the last one that is whole
};

// relaxed: these name the orders; each use of one names its pair.
template <Order order>
inline constexpr std::memory_order load_order = order == Order::relaxed   ? std::memory_order_relaxed
                                                : order == Order::seq_cst ? std::memory_order_seq_cst
                                                                          : std::memory_order_acquire;
// relaxed: as above.
template <Order order>
inline constexpr std::memory_order store_order = order == Order::relaxed   ? std::memory_order_relaxed
                                                 : order == Order::seq_cst ? std::memory_order_seq_cst
                                                                           : std::memory_order_release;

struct RealMem {
  template <Order order, Site, class T>
  [[nodiscard]] static T load(const T* word) noexcept {
    static_assert(order != Order::release);
    if constexpr (order == Order::light) asm volatile("" ::: "memory");  // the store before it stays before it
    // atomic_ref of a const object comes with C++26; a load writes nothing, also where the page is read-only.
    return std::atomic_ref<T>(*const_cast<T*>(word)).load(load_order<order>);
  }
  template <Order order, Site, class T>
  static void store(T* word, T value) noexcept {
    static_assert(order != Order::acquire);
    std::atomic_ref<T>(*word).store(value, store_order<order>);
  }
  static void copy_in(std::byte* shared, const void* from, std::size_t size) noexcept {
    std::memcpy(shared, from, size);
  }
  static void copy_out(void* to, const std::byte* shared, std::size_t size) noexcept { std::memcpy(to, shared, size); }
#if defined(__x86_64__) && !SYMPHONY_SEES_RACES
  // Bytes that the other side may write or read at the same time, in the order that x86 gives every store and load: as
  // if word by word with release and acquire (bus/topic/words.hpp). The compiler moves nothing across.
  static void copy_words_in(std::byte* shared, const void* from, std::size_t size) noexcept {
    asm volatile("" ::: "memory");
    std::memcpy(shared, from, size);
    asm volatile("" ::: "memory");
  }
  static void copy_words_out(void* to, const std::byte* shared, std::size_t size) noexcept {
    asm volatile("" ::: "memory");
    std::memcpy(to, shared, size);
    asm volatile("" ::: "memory");
  }
#endif
};

}  // namespace symphony::detail
