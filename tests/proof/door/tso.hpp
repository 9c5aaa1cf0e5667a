// Every execution of a few threads under total store order: each keeps its stores back in a queue for as long as it
// likes, as x86-64 does, and a swap or a heavy barrier empties it.   Layer: tests.
//
// Executions are replayed from the start with other choices; what was reached before, by the words, the queues and all
// that each thread has read, is not gone into again. Threads: fibers of one thread.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <unordered_set>
#include <vector>

#include "tests/proof/explorer/fiber.hpp"

namespace symphony::proof::tso {

inline constexpr std::size_t threads_max = 3;

class Explorer {
 public:
  struct Found {
    std::string violation;  // empty: none
    std::uint64_t executions = 0;
    std::uint64_t states = 0;
  };
  // `begin` makes what an execution needs, outside of it; thread i then runs body(i); `end` looks at what is left, with
  // all stores made.
  static Found explore(std::size_t threads, const std::function<void()>& begin,
                       const std::function<void(std::size_t)>& body, const std::function<void()>& end);

  // [inside an execution, or begin and end, where everything happens at once]
  static std::uint64_t load(const std::uint64_t& word) noexcept;
  static void store(std::uint64_t& word, std::uint64_t value) noexcept;
  static bool swap(std::uint64_t& word, std::uint64_t& expected, std::uint64_t value) noexcept;
  static void heavy() noexcept;
  // A step without an effect, at which others may run.
  static void pause() noexcept;
  static void require(bool holds, const char* what) noexcept;
  // A word of the model, in the order of making; until the next execution.
  static void add(std::uint64_t& word);
};

// What stands in for std::atomic.
template <class T>
class Word {
 public:
  explicit Word(T value) noexcept : value_(value) { Explorer::add(value_); }
  [[nodiscard]] T load(std::memory_order) const noexcept { return static_cast<T>(Explorer::load(value_)); }
  void store(T value, std::memory_order) noexcept { Explorer::store(value_, value); }
  bool compare_exchange_strong(T& expected, T value, std::memory_order, std::memory_order) noexcept {
    std::uint64_t seen = expected;
    const bool swapped = Explorer::swap(value_, seen, value);
    expected = static_cast<T>(seen);
    return swapped;
  }

 private:
  std::uint64_t value_;
};

struct Machine {
  template <class T>
  using Word = tso::Word<T>;
  static void light() noexcept {}
  static void heavy() noexcept { Explorer::heavy(); }
  static bool may_be_heavy() noexcept { return true; }
};

}  // namespace symphony::proof::tso
