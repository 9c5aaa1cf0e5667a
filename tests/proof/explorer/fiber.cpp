#include "tests/proof/explorer/fiber.hpp"

#include <ucontext.h>

#include <algorithm>
#include <cstdint>

namespace symphony::proof {

// ucontext makes the stack once; all later switches are setjmp and longjmp, which make no system call.
Fiber::Fiber() : stack_(new std::byte[stack_bytes]) {
  ucontext_t context;
  ::getcontext(&context);
  context.uc_stack.ss_sp = stack_.get();
  context.uc_stack.ss_size = stack_bytes;
  context.uc_link = nullptr;
  const auto self = reinterpret_cast<std::uintptr_t>(this);
  ::makecontext(&context, reinterpret_cast<void (*)()>(first_entry), 2, static_cast<unsigned>(self >> 32),
                static_cast<unsigned>(self));
  if (_setjmp(outside_) == 0) ::setcontext(&context);
}

void Fiber::first_entry(unsigned high, unsigned low) {
  reinterpret_cast<Fiber*>(std::uintptr_t{high} << 32 | low)->serve();
}

void Fiber::serve() noexcept {
  if (_setjmp(top_) == 0) std::longjmp(outside_, 1);
  entry_(argument_);
  std::longjmp(outside_, 1);
}

void Fiber::restart(Entry entry, void* argument) noexcept {
  entry_ = entry;
  argument_ = argument;
  std::copy(reinterpret_cast<std::byte*>(&top_), reinterpret_cast<std::byte*>(&top_) + sizeof top_,
            reinterpret_cast<std::byte*>(&inside_));
}

void Fiber::resume() noexcept {
  if (_setjmp(outside_) == 0) std::longjmp(inside_, 1);
}

void Fiber::pause() noexcept {
  if (_setjmp(inside_) == 0) std::longjmp(outside_, 1);
}

}  // namespace symphony::proof
