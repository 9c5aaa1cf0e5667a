// A memory barrier on every processor at once, paid for by who is about to sleep.   Layer: wait (uses base only).
//
// Who publishes must not look for sleepers before its store is visible, and who goes to sleep must not look for work
// before its flag is. Bought on both sides that is a locked instruction a message. Here the sleeper buys it for both:
// membarrier(2) makes every running thread of every registered process pass a full barrier, so the publisher gets by
// with a plain store and a plain load (Order::light of the ring's Mem). Source: man 2 membarrier, "asymmetric fences".
// Cost: 1 to 10 us for the sleeper, before a sleep that costs it more; the threads it meets lose about 1 us.
// Threads: any. Trust: a peer that says that it takes part and does not, loses or delays wake-ups between itself and
// us; every sleep has a bound.
#pragma once

namespace symphony::detail {

// Lets barriers of other processes, and of this one, reach this process's threads. False: the kernel (before 4.16) or a
// filter refuses; then neither side of a link may rely on it. The first call in a process of several threads may take
// some milliseconds. A child of fork() calls it again.
[[nodiscard]] bool register_for_heavy_barriers() noexcept;

// False: refused, though it was granted before (a filter that was installed since): nothing is ordered.
[[nodiscard]] bool heavy_barrier() noexcept;

}  // namespace symphony::detail
