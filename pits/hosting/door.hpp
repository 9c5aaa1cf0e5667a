// Who is inside an executor: one thread at a time, and without an atomic instruction while it is always the same one.
// Layer: hosting.
// A free door is taken with a compare-and-swap of `holder_`. A thread that took it often enough in a row becomes its
// owner, once and for ever: it then says in `inside_`, by plain stores, that it is there, and looks again whether it is
// still the owner. The first other thread that takes the door by `holder_` ends that: it marks `owner_` as revoked and
// makes every running thread pass a barrier. Afterwards either the owner's `inside_` is visible to it, or the owner
// sees the mark before it goes in. From then on everybody swaps. Invariants (tests/proof/door tries every
// interleaving):
//   D1  at most one thread is inside, and sees what those before it did there
//   D2  while an owner is inside whose door is being revoked, holder_ is `revoking`; it is the owner that frees it then
//   D3  a door that nobody is in can be entered by any thread
// Threads: any, each under a name of its own: not 0, and its lowest two bits are 0.
#pragma once

#include <atomic>
#include <cstdint>

#include "bus/base/platform.hpp"

namespace symphony::pit {

// The words and barriers of this machine; the proof brings others.
struct ThisMachine {
  template <class T>
  using Word = std::atomic<T>;
  // Between two accesses of one thread: the compiler keeps their order, and heavy() of another the processor's.
  static void light() noexcept { asm volatile("" ::: "memory"); }
  // Makes every running thread of this process pass a full barrier. Only after may_be_heavy() was true.
  static void heavy() noexcept;
  [[nodiscard]] static bool may_be_heavy() noexcept;
};

template <class Machine = ThisMachine>
class Door {
 public:
  using Name = std::uintptr_t;
  static constexpr std::uint32_t default_own_after = 64;

  explicit Door(std::uint32_t own_after = default_own_after) noexcept
      : own_after_(Machine::may_be_heavy() ? own_after : 0) {}
  Door(const Door&) = delete;
  Door& operator=(const Door&) = delete;

  // False: somebody is inside, or this thread is itself.
  [[nodiscard]] bool try_enter(Name me) noexcept {
    // relaxed: its own mark, or another's, which it has nothing to do with.
    if (owner_.load(std::memory_order_relaxed) == me) [[likely]] {
      // relaxed: only this thread writes it.
      if (inside_.load(std::memory_order_relaxed) != 0) [[unlikely]]
        return false;
      // relaxed: heavy() of whoever revokes orders it before the look at the mark, or shows that thread the mark's
      // effect.
      inside_.store(1, std::memory_order_relaxed);
      Machine::light();
      // relaxed: as above.
      if (owner_.load(std::memory_order_relaxed) == me) [[likely]]
        return true;
      free_revoked();
    }
    if (!try_enter_shared(me)) return false;
    // relaxed: changed only by whoever holds holder_, as this thread does.
    if (owner_.load(std::memory_order_relaxed) == 0) count(me);
    return true;
  }

  // The same by `holder_` alone, for whoever means to pass the door on: nobody owns it afterwards.
  [[nodiscard]] bool try_enter_shared(Name me) noexcept {
    if (!swap_in(0, me)) return false;
    // relaxed: as in try_enter().
    const Name owner = owner_.load(std::memory_order_relaxed);
    if (owner == 0 || (owner & revoked_bit) != 0) return true;
    if (owner != me) return revoke(owner, me);
    // relaxed: published by the release of holder_; this thread is not inside as its owner.
    owner_.store(me | revoked_bit, std::memory_order_relaxed);
    return true;
  }

  // True: others may have queued for it meanwhile. False: nobody has, or whoever took it looks after them.   [inside]
  bool leave(Name me) noexcept {
    // relaxed: the mark is this thread's, and only it writes inside_.
    if ((owner_.load(std::memory_order_relaxed) & ~revoked_bit) == me && inside_.load(std::memory_order_relaxed) != 0)
        [[likely]] {
      return leave_owned(me);
    }
    // sync door.hold release: what was done inside is visible to the next holder.
    holder_.store(0, std::memory_order_release);
    return true;
  }

  // To pass the door on.   [inside by try_enter_shared(), or by what another thread passed on]
  void give_to_nobody() noexcept {
    // relaxed: held by no name for a moment, so that this thread's next call is not taken for a nested one.
    holder_.store(in_transit, std::memory_order_relaxed);
  }
  void take_over(Name me) noexcept {
    // relaxed: the door is this thread's by what it was told; the name is for the check against nesting only.
    holder_.store(me, std::memory_order_relaxed);
  }

  [[nodiscard]] bool holds(Name me) const noexcept {
    // relaxed: this thread's own name is there only if this thread put it there; inside_ is the owner's.
    return holder_.load(std::memory_order_relaxed) == me ||
           ((owner_.load(std::memory_order_relaxed) & ~revoked_bit) == me &&
            inside_.load(std::memory_order_relaxed) != 0);
  }
  // A look before try_enter(), which keeps the line shared while somebody is inside.
  [[nodiscard]] bool looks_free() const noexcept {
    // relaxed: a hint.
    return holder_.load(std::memory_order_relaxed) == 0;
  }

 private:
  static constexpr Name in_transit = 1;   // in holder_: passed on, and the new holder has not said its name yet
  static constexpr Name revoking = 2;     // in holder_: its owner is being looked for
  static constexpr Name revoked_bit = 1;  // in owner_

  bool leave_owned(Name me) noexcept {
    // sync door.inside release: what was done inside is visible to whoever finds the owner gone.
    inside_.store(0, std::memory_order_release);
    Machine::light();
    // relaxed: as in try_enter().
    if (owner_.load(std::memory_order_relaxed) == me) [[likely]]
      return false;
    Name expected = revoking;
    // sync door.hold release: as in leave(). relaxed on failure: the other thread found this one gone, and is inside.
    return holder_.compare_exchange_strong(expected, 0, std::memory_order_release, std::memory_order_relaxed);
  }

  // Whoever revoked may believe that this thread went in.
  void free_revoked() noexcept {
    // sync door.inside release: as in leave_owned().
    inside_.store(0, std::memory_order_release);
    Name expected = revoking;
    // sync door.hold release: as in leave().
    holder_.compare_exchange_strong(expected, 0, std::memory_order_release, std::memory_order_relaxed);
  }

  bool swap_in(Name from, Name me) noexcept {
    // sync door.hold acquire: what earlier holders did inside is visible in here. relaxed on failure: nothing is read.
    return holder_.compare_exchange_strong(from, me, std::memory_order_acquire, std::memory_order_relaxed);
  }

  // Once in a door's life.   [holder_ is this thread's]
  bool revoke(Name owner, Name me) noexcept {
    // relaxed: heavy() is a barrier.
    holder_.store(revoking, std::memory_order_relaxed);
    // relaxed: as above.
    owner_.store(owner | revoked_bit, std::memory_order_relaxed);
    Machine::heavy();
    // sync door.inside acquire: what the owner did inside, if it is gone.
    if (inside_.load(std::memory_order_acquire) == 0 && swap_in(revoking, me)) return true;
    return swap_in(0, me);  // the owner may have left meanwhile
  }

  // Often enough in a row, and this thread is the owner.   [holder_ is this thread's]
  void count(Name me) noexcept {
    if (own_after_ == 0) return;
    if (last_ != me) {
      last_ = me;
      in_a_row_ = 0;
    }
    // relaxed: published by the release of holder_.
    if (++in_a_row_ >= own_after_) owner_.store(me, std::memory_order_relaxed);
  }

  template <class T>
  using Word = typename Machine::template Word<T>;

  // What every caller looks at, on one line; nothing else.
  alignas(detail::cache_line_size) Word<Name> holder_{0};  // 0: free, or its owner's
  Word<Name> owner_{0};                                    // 0: none yet
  Word<std::uint32_t> inside_{0};                          // the owner is
  const std::uint32_t own_after_;                          // 0: nobody becomes the owner
  // Of whoever holds holder_:
  Name last_ = 0;
  std::uint32_t in_a_row_ = 0;
};

}  // namespace symphony::pit
