// The threads of a model, as fibers of one thread: they switch only where they say so.   Layer: tests.
//
// A fiber may be left behind in the middle of its work and started afresh on its old stack, so what runs in one owns
// nothing: no destructor would run. Threads: one.
#pragma once

#include <csetjmp>
#include <cstddef>
#include <memory>

namespace symphony::proof {

class Fiber {
 public:
  using Entry = void (*)(void* argument);

  Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // The next resume() begins entry(argument), whatever this fiber was doing.
  void restart(Entry entry, void* argument) noexcept;
  // Runs the fiber until it pauses or its entry returns.
  void resume() noexcept;
  // [inside] Back to resume().
  void pause() noexcept;

 private:
  static constexpr std::size_t stack_bytes = 64 * 1024;
  static void first_entry(unsigned high, unsigned low);
  void serve() noexcept;

  std::unique_ptr<std::byte[]> stack_;
  Entry entry_ = nullptr;
  void* argument_ = nullptr;
  std::jmp_buf outside_;  // who resumed
  std::jmp_buf inside_;   // where it paused
  std::jmp_buf top_;      // where entries begin
};

}  // namespace symphony::proof
