// A Mem policy whose peer lies: each load of a word that the peer writes is answered anew.   Layer: tests.
//
// A second read of the same word gets another answer, so whoever reads twice what it checked once is found out. The
// policy judges every access: loads and copies stay inside the peer's bytes, stores inside our own and off the records
// that the peer has not freed, write-back is zeros at lines that are finished and not given back, words are aligned, a
// call loads no more than loads_per_call_max words. The first violation stays and is reported by the session; a wrong
// access is never carried out, so mutants do no harm.
// Threads: one. Trust: none.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "bus/ring/mem.hpp"
#include "tests/proof/hostile/peer_answers.hpp"

namespace symphony::hostile {

using detail::Order;
using detail::Site;

// A range of addresses; its bytes are not touched here.
struct Area {
  const void* begin = nullptr;
  std::size_t size = 0;

  [[nodiscard]] bool holds(const void* at, std::size_t bytes) const noexcept {
    const auto first = reinterpret_cast<std::uintptr_t>(begin);
    const auto wanted = reinterpret_cast<std::uintptr_t>(at);
    return wanted >= first && bytes <= size && wanted - first <= size - bytes;
  }
};

// The most words of the peer that one call reads: a consumer's pads and record, or a claim and a doorbell.
inline constexpr int loads_per_call_max = 4;

class Watch {
 public:
  Watch(FuzzBytes& bytes, Area own, Area peer) noexcept : answers(bytes), own_(own), peer_(peer) {}

  // Where this side's outgoing ring stands, if it has one: its unfreed records are out of bounds.
  void guard(Area ring) noexcept { guarded_ = ring; }
  // What copy_out may fill.
  void destination(Area into) noexcept { destination_ = into; }
  // The peer's data once more, mapped writable: where this side may write back. Never read.
  void write_back_view(Area view) noexcept { view_ = view; }
  // What it may write back there from now on: what is finished and not given back.
  void write_back_window(std::uint64_t freed, std::uint64_t finished) noexcept {
    window_begin_ = freed;
    window_end_ = finished;
  }
  [[nodiscard]] std::uint64_t written_back() const noexcept { return written_back_; }
  void begin_call() noexcept {
    loads_ = 0;
    answers.forget_headers();
  }

  void violation(const char* what) noexcept {
    if (violation_ == nullptr) violation_ = what;
  }
  [[nodiscard]] const char* violation() const noexcept { return violation_; }
  [[nodiscard]] std::uint64_t reads() const noexcept { return reads_; }

  template <Order, Site site, class T>
  [[nodiscard]] T load(const T* word) noexcept {
    if (reinterpret_cast<std::uintptr_t>(word) % sizeof(T) != 0) violation("a load that is not aligned");
    if (own_.holds(word, sizeof(T))) return *word;
    if (!peer_.holds(word, sizeof(T))) {
      violation("a load outside both segments");
      return 0;
    }
    ++reads_;
    if (++loads_ > loads_per_call_max) violation("more loads in one call than its bound");
    if constexpr (site == Site::header) {
      return answers.header(reinterpret_cast<const std::byte*>(word));
    } else if constexpr (site == Site::freed) {
      return answers.freed();
    } else {
      return static_cast<T>(answers.word());
    }
  }

  template <Order, Site site, class T>
  void store(T* word, T value) noexcept {
    if (reinterpret_cast<std::uintptr_t>(word) % sizeof(T) != 0) violation("a store that is not aligned");
    if constexpr (site == Site::write_back) return write_back(word, value);
    if (!own_.holds(word, sizeof(T))) return violation("a store outside our own segment");
    const bool publishes = site == Site::header && guarded_.begin != nullptr && at_published(word);
    if (!publishes && unfreed(word, sizeof(T))) return violation("a store into a record that the peer has not freed");
    if constexpr (site == Site::tail) answers.published(value);
    *word = value;
  }

  void copy_in(std::byte* shared, const void* from, std::size_t size) noexcept {
    if (!own_.holds(shared, size)) return violation("bytes copied outside our own segment");
    if (unfreed(shared, size)) return violation("bytes copied into a record that the peer has not freed");
    std::memcpy(shared, from, size);
  }

  void copy_out(void* to, const std::byte* shared, std::size_t size) noexcept {
    ++reads_;
    if (!peer_.holds(shared, size)) return violation("bytes copied from outside the peer's segment");
    if (!destination_.holds(to, size) && size > envelope_size) return violation("more bytes copied than there is room");
    answers.fill(static_cast<std::byte*>(to), size);
  }

  // A wake-up of whoever sleeps on a word: only our own bell.
  void wake(const std::uint32_t* word) noexcept {
    if (!own_.holds(word, sizeof *word)) violation("a wake-up on a word that is not ours");
  }

  // Records up to here are written, whether published or still in a batch.
  void staged(std::uint64_t position) noexcept { staged_ = position; }

  PeerAnswers answers;

 private:
  static constexpr std::size_t envelope_size = 24;

  // Zeros only, into the first word of a line that is finished and not given back.
  void write_back(const void* word, std::uint64_t value) noexcept {
    if (!view_.holds(word, sizeof value)) return violation("written back outside the view of the peer's data");
    const std::uint64_t offset = reinterpret_cast<std::uintptr_t>(word) - reinterpret_cast<std::uintptr_t>(view_.begin);
    if (value != 0) violation("written back something else than 0");
    if (offset % format::line != 0) violation("written back elsewhere than at the beginning of a line");
    const std::uint64_t distance = (offset - window_begin_) % view_.size;  // a power of two
    if (distance >= window_end_ - window_begin_) violation("written back into what is not finished, or was given back");
    ++written_back_;
  }
  [[nodiscard]] std::uint64_t offset_of(const void* at) const noexcept {
    return reinterpret_cast<std::uintptr_t>(at) - reinterpret_cast<std::uintptr_t>(guarded_.begin);
  }
  [[nodiscard]] bool at_published(const void* word) const noexcept {
    return offset_of(word) == answers.published() % guarded_.size;
  }
  [[nodiscard]] bool unfreed(const void* at, std::size_t size) const noexcept {
    if (guarded_.begin == nullptr || size == 0 || !guarded_.holds(at, 1)) return false;
    const std::uint64_t live = staged_ - answers.freed_so_far();
    if (live == 0) return false;
    const std::uint64_t distance = (offset_of(at) - answers.freed_so_far()) % guarded_.size;
    return distance < live || distance + size > guarded_.size;
  }

  Area own_, peer_, guarded_, destination_, view_;
  std::uint64_t window_begin_ = 0, window_end_ = 0;
  std::uint64_t written_back_ = 0;
  std::uint64_t staged_ = 0;
  std::uint64_t reads_ = 0;
  int loads_ = 0;
  const char* violation_ = nullptr;
};

struct HostileMem {
  Watch* watch;

  template <Order order, Site site, class T>
  [[nodiscard]] T load(const T* word) const noexcept {
    return watch->load<order, site>(word);
  }
  template <Order order, Site site, class T>
  void store(T* word, T value) const noexcept {
    watch->store<order, site>(word, value);
  }
  void copy_in(std::byte* shared, const void* from, std::size_t size) const noexcept {
    watch->copy_in(shared, from, size);
  }
  void copy_out(void* to, const std::byte* shared, std::size_t size) const noexcept {
    watch->copy_out(to, shared, size);
  }
};

}  // namespace symphony::hostile
