// What we take for granted of the machine, asserted in one place.   Layer: base.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace symphony::detail {

// Our own constant: the standard's hardware_destructive_interference_size changes with compiler flags, and a layout in
// shared memory may not.
inline constexpr std::size_t cache_line_size = 64;
inline constexpr std::size_t page_size = 4096;

static_assert(std::endian::native == std::endian::little, "shared layouts are little-endian");
static_assert(sizeof(void*) == 8, "64-bit only");
static_assert(std::atomic_ref<std::uint64_t>::is_always_lock_free &&
              std::atomic_ref<std::uint32_t>::is_always_lock_free);
static_assert(std::atomic_ref<std::uint64_t>::required_alignment == 8);

// One polite turn of a spin loop.
inline void cpu_relax() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb" ::: "memory");
#endif
}

}  // namespace symphony::detail
