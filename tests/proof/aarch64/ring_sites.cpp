// The operations of ring, doorbell and link as functions of their own, compiled for 64-bit ARM by aarch64_test.py.
//
// With SYMPHONY_MARKED each access of shared bytes stands between two comments in the assembly that name it; without,
// the code is what is shipped. Nothing here is run. Layouts are asserted for this machine too.
#include <cstddef>
#include <cstdint>

#include "bus/channel/channel.hpp"

namespace symphony::detail {

static_assert(sizeof(void*) == 8 && sizeof(Envelope) == 24 && alignof(std::uint64_t) == 8);
static_assert(std::atomic_ref<std::uint64_t>::is_always_lock_free &&
              std::atomic_ref<std::uint32_t>::is_always_lock_free);
static_assert(sizeof(CallerWords) == 256 && offsetof(CallerWords, side) == 128 &&
              offsetof(CallerWords, cancel_id) == 192);
static_assert(sizeof(PitWords) == 256 && offsetof(PitWords, requests_handled) == 72 && offsetof(PitWords, side) == 192);
static_assert(offsetof(SideWords, bell) == 4 && offsetof(SideWords, state) == 8 &&
              offsetof(SideWords, want_space) == 12);
static_assert(words_offset == 4096 && data_offset == 8192);

#if defined(SYMPHONY_MARKED)
struct Machine {
  template <Order order, Site site, class T>
  [[nodiscard]] static T load(const T* word) noexcept {
    // Address and value are in registers before the first comment, so that one memory access stands between the two.
    asm volatile("// @load %c1" : "+r"(word) : "i"(static_cast<int>(site)) : "memory");
    // order policy: passed on.
    T value = RealMem::load<order, site>(word);
    asm volatile("// @end" : "+r"(value) : : "memory");
    return value;
  }
  template <Order order, Site site, class T>
  static void store(T* word, T value) noexcept {
    asm volatile("// @store %c2" : "+r"(word), "+r"(value) : "i"(static_cast<int>(site)) : "memory");
    // order policy: passed on.
    RealMem::store<order, site>(word, value);
    asm volatile("// @end" : : : "memory");
  }
  static void copy_in(std::byte* shared, const void* from, std::size_t size) noexcept {
    RealMem::copy_in(shared, from, size);
  }
  static void copy_out(void* to, const std::byte* shared, std::size_t size) noexcept {
    RealMem::copy_out(to, shared, size);
  }
};
#else
using Machine = RealMem;
#endif

using Out = Producer<Machine>;
using In = Consumer<Machine>;
using Caller = CallerChannel<Machine>;
using Pit = PitChannel<Machine>;

// On a copy, whose flag nothing else can change: so only the one kind of commit is compiled.
template <bool light>
[[gnu::always_inline]] inline Pit of_kind(const Pit& pit) {
  if (pit.needs_heavy_barrier() != light) __builtin_unreachable();
  return pit;
}

extern "C" {

[[gnu::flatten]] bool ring_push(Out& out, const void* from) {
  auto claim = out.try_claim(64);
  if (!claim) return false;
  Machine::copy_in(claim.bytes().data(), from, 64);
  out.commit(std::move(claim), 64);
  return true;
}
[[gnu::flatten]] bool ring_batch(Out& out) {
  out.begin_batch();
  for (int i = 0; i < 2; ++i) {
    auto claim = out.try_claim(64);
    if (!claim) return false;
    out.commit(std::move(claim), 64);
  }
  out.publish_batch();
  return true;
}
[[gnu::flatten]] bool ring_drained(Out& out) { return out.is_drained(); }
[[gnu::flatten]] Poll ring_peek(In& in, In::Record& record) { return in.try_peek(record); }
[[gnu::flatten]] void ring_begin(In& in, const In::Record& record) { in.begin(record); }
[[gnu::flatten]] void ring_finish(In& in, const In::Record& record) { in.finish(record); }
[[gnu::flatten]] void ring_free(In& in) { in.free(); }

[[gnu::flatten]] std::uint64_t link_commit(const Pit& from, Out::Claim& claim, const Envelope& envelope) {
  Pit pit = of_kind<false>(from);
  return pit.commit(std::move(claim), envelope, 64);
}
[[gnu::flatten]] std::uint64_t link_commit_light(const Pit& from, Out::Claim& claim, const Envelope& envelope) {
  Pit pit = of_kind<true>(from);
  return pit.commit(std::move(claim), envelope, 64);
}
[[gnu::flatten]] bool link_look_again(const Pit& pit) { return pit.look_again(); }
[[gnu::flatten]] void link_look_for_space(Pit& pit) { pit.look_again_for_space(); }
[[gnu::flatten]] void link_free_space(const Pit& from) {
  Pit pit = of_kind<false>(from);
  pit.free_space(false);
}
[[gnu::flatten]] void link_free_space_light(const Pit& from) {
  Pit pit = of_kind<true>(from);
  pit.free_space(false);
}
[[gnu::flatten]] void link_arm(Pit& pit, WaitWord& word) { word = pit.arm(); }
[[gnu::flatten]] void link_disarm(Pit& pit) { pit.disarm(); }
[[gnu::flatten]] void link_want_space(Pit& pit) { pit.want_space(true); }
[[gnu::flatten]] void link_set_state(Pit& pit) { pit.set_state(SideState::closing); }
[[gnu::flatten]] SideState link_peer_state(const Pit& pit) { return pit.peer_state(); }
[[gnu::flatten]] void link_progress(const Caller& caller, PitProgress& out) { out = caller.pit_progress(); }
}

}  // namespace symphony::detail
