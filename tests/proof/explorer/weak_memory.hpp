// Memory as C++20 allows it to behave, for a few threads and a few words.   Layer: tests. Threads: one (fibers).
//
// Each word has the list of its stores in modification order. A thread has a view: for each word the oldest store that
// it may still read. A release store carries the view of its thread, an acquire load that reads it joins it. Plain
// bytes are checked by vector clocks: two accesses, one of them a store, must be ordered by happens-before. The order
// of seq_cst operations is kept as a graph, not as the order of execution: a load may read an old store as long as some
// single total order of all seq_cst operations still explains it ([atomics.order] of C++20, without fences).
//
// Exact for programs in which every word's stores are ordered by happens-before (one writer at a time, checked) and no
// load reads from a store that depends on it (no load buffering). No read-modify-writes, no fences: the ring has none.
#pragma once

#include <algorithm>
#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "bus/ring/mem.hpp"

namespace symphony::proof {

using detail::Order;

inline constexpr int threads_max = 4;
inline constexpr int words_max = 128;  // that are ever accessed atomically
inline constexpr int stores_max = 64;  // to one word in one run
inline constexpr int sc_max = 96;      // seq_cst operations of one thread in one run

using WordSet = std::bitset<words_max>;
using ThreadSet = std::uint8_t;  // a bit a thread

template <class T>
struct PerThread : std::array<T, threads_max> {
  void join(const PerThread& other) noexcept {
    for (int i = 0; i < threads_max; ++i)
      (*this)[std::size_t(i)] = std::max((*this)[std::size_t(i)], other[std::size_t(i)]);
  }
};
using Clock = PerThread<std::uint16_t>;   // happens-before: how many steps of each thread
using ScClock = PerThread<std::uint8_t>;  // how many seq_cst operations of each thread
using View = std::array<std::uint8_t, words_max>;

inline void join(View& view, const View& other) noexcept {
  for (std::size_t i = 0; i < view.size(); ++i) view[i] = std::max(view[i], other[i]);
}

// What a thread knows, and what a release store hands on.
struct Knowledge {
  View view{};
  Clock clock{};
  ScClock strong{};  // seq_cst operations that strongly happen before what comes next
};

class WeakMemory {
 public:
  struct Thread {
    Knowledge knows;
    WordSet looked;            // atomic words read since the last await
    View last_read{};          // which store of each; the view may be ahead of it
    bool read_news = false;    // or stored something
    bool passed_news = false;  // read an old store although there was a newer one
  };

  WeakMemory();

  // ---- set-up. Words keep their numbers over all runs of one exploration.
  void forget_everything() noexcept;                                   // another program
  std::byte* allocate(std::size_t bytes, ThreadSet writers) noexcept;  // zeroed, 64-byte aligned
  void begin_run() noexcept;                                           // all allocations void, all bytes 0
  [[nodiscard]] const char* fault() const noexcept { return fault_; }  // a data race, or a broken limit

  // ---- atomic words
  [[nodiscard]] int word_at(const void* address, std::size_t bytes) noexcept;
  // A second word behind every one: what the kernel knows of it.
  [[nodiscard]] int kernel_word_at(const void* address) noexcept;
  [[nodiscard]] ThreadSet writers_of(int word) const noexcept { return words_[std::size_t(word)].writers; }

  // Which stores a load may read from: their indices, in order. `from`: none older; `waited`: the one at from - 1 was
  // there before and is not wanted.
  int readable(int thread, int word, Order order, int from, bool waited, std::uint8_t* out) noexcept;
  std::uint64_t read(int thread, int word, Order order, int index) noexcept;
  void write(int thread, int word, Order order, std::uint64_t value) noexcept;
  [[nodiscard]] int latest(int word) const noexcept { return words_[std::size_t(word)].count - 1; }
  [[nodiscard]] std::uint64_t value(int word, int index) const noexcept { return store(word, index).value; }
  // Whether a store after `index` says anything new.
  [[nodiscard]] bool has_news(int word, int index) const noexcept;
  [[nodiscard]] int viewed(int thread, int word) const noexcept {
    return threads_[std::size_t(thread)].knows.view[std::size_t(word)];
  }
  [[nodiscard]] int last_read(int thread, int word) const noexcept {
    return threads_[std::size_t(thread)].last_read[std::size_t(word)];
  }
  // The store that thread has seen of a word, at least: by coherence with what it learnt outside of loads.
  void advance_view(int thread, int word, int index) noexcept;

  // ---- plain bytes; both ends on 8-byte boundaries
  void copy_in(int thread, std::byte* shared, const void* from, std::size_t size) noexcept;
  void copy_out(int thread, void* to, const std::byte* shared, std::size_t size) noexcept;

  [[nodiscard]] Thread& thread(int t) noexcept { return threads_[std::size_t(t)]; }

 private:
  struct Stamp {
    std::int8_t thread = -1;  // -1: before the beginning
    std::uint16_t time = 0;
  };
  struct Store {
    std::uint64_t value = 0;
    Order order = Order::relaxed;
    std::int8_t thread = -1;
    std::uint8_t sc = 0;          // number among its thread's seq_cst operations
    std::int32_t knowledge = -1;  // of a release store
  };
  struct ScAccess {
    std::int8_t thread;
    std::uint8_t number;
    std::uint8_t index;  // the store that it made or read
    bool is_store;
  };
  struct Word {
    ThreadSet writers = 0;
    std::uint8_t bytes = 0;
    std::uint8_t count = 0;
    std::uint8_t sc_count = 0;
    std::byte* memory = nullptr;
    std::uint32_t cell = 0;
    std::array<Store, stores_max> stores;
    std::array<ScAccess, 2 * stores_max> sc;
  };
  // What is known of 8 (or, for control words, 4) bytes of memory, atomic or not.
  struct Cell {
    std::int16_t word = -1;
    bool touched = false;
    ThreadSet writers = 0;
    Stamp write;        // the last of any kind
    Stamp plain_write;  // the last plain one
    std::array<std::uint16_t, threads_max> plain_reads{}, atomic_reads{};
  };

  static constexpr std::size_t arena_bytes = 80 * 1024;
  static constexpr std::size_t cell_bytes = 4;

  [[nodiscard]] const Store& store(int word, int index) const noexcept {
    return words_[std::size_t(word)].stores[std::size_t(index)];
  }
  [[nodiscard]] static bool same_as_before(const Word& w, int index) noexcept;
  [[nodiscard]] int word_in_cell(std::uint32_t cell, std::byte* memory, std::size_t bytes) noexcept;
  void touch(std::uint32_t cell) noexcept;
  [[nodiscard]] ThreadSet writers_at(std::uint32_t cell) const noexcept;
  [[nodiscard]] bool ordered(const Stamp& stamp, int thread) const noexcept;
  [[nodiscard]] bool ordered(const std::array<std::uint16_t, threads_max>& reads, int thread) const noexcept;
  void fail(const char* what) noexcept {
    if (fault_ == nullptr) fault_ = what;
  }
  void push(Word& w, std::uint64_t value) noexcept;

  // seq_cst
  [[nodiscard]] bool sc_allows(int thread, int word, int index) const noexcept;
  [[nodiscard]] ScClock sc_before(int thread, int word, int index, bool is_store) const noexcept;
  std::uint8_t sc_add(int thread, int word, int index, bool is_store) noexcept;

  std::vector<std::byte> arena_storage_;
  std::byte* arena_;
  struct Region {
    std::size_t begin;
    std::size_t end;
    ThreadSet writers;
  };
  std::vector<Region> regions_;
  std::size_t allocated_ = 0;
  std::vector<Cell> cells_;  // two for each cell_bytes: memory, and the kernel's
  std::vector<Word> words_;
  int word_count_ = 0;
  std::vector<std::uint32_t> touched_;
  std::vector<Knowledge> messages_;
  std::array<Thread, threads_max> threads_;
  std::array<std::array<ScClock, sc_max>, threads_max> sc_pre_;  // of each seq_cst operation: all before it
  std::array<std::uint8_t, threads_max> sc_count_{};
  const char* fault_ = nullptr;
};

}  // namespace symphony::proof
