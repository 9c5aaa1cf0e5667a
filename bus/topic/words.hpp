// Bytes that are written and read at once: word by word, so that no reading of them is a race.   Layer: topic.
//
// Each eight bytes are stored as if with release and loaded as if with acquire: who reads one word of a newer value
// also sees that the slot was begun anew. On x86 every load and store has that order, so there the machine's policy
// copies as fast as it can (RealMem::copy_words_*); under ThreadSanitizer and elsewhere it goes word by word. What is
// read may be torn; whether it was is known afterwards, by the slot's number. Threads: see the callers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "bus/ring/mem.hpp"

namespace symphony::detail {

// Precondition: `shared` is 8-byte aligned, with room up to the next multiple of 8.
template <class Mem>
void store_words(Mem& mem, std::byte* shared, const void* from, std::size_t size) noexcept {
  if (size == 0) return;  // `from` may be null
  if constexpr (requires { mem.copy_words_in(shared, from, size); }) {
    mem.copy_words_in(shared, from, size);
  } else {
    for (std::size_t at = 0; at < size; at += sizeof(std::uint64_t)) {
      std::uint64_t word = 0;
      std::memcpy(&word, static_cast<const std::byte*>(from) + at, size - at < sizeof word ? size - at : sizeof word);
      // sync board.slot release: the slot was begun before any word of its new value
      mem.template store<Order::release, Site::slot_word>(reinterpret_cast<std::uint64_t*>(shared + at), word);
    }
  }
}
// Precondition: as of store_words.
template <class Mem>
void load_words(Mem& mem, void* to, const std::byte* shared, std::size_t size) noexcept {
  if (size == 0) return;  // `to` may be null
  if constexpr (requires { mem.copy_words_out(to, shared, size); }) {
    mem.copy_words_out(to, shared, size);
  } else {
    for (std::size_t at = 0; at < size; at += sizeof(std::uint64_t)) {
      // sync board.slot acquire: with a word of a newer value comes that the slot was begun anew
      const std::uint64_t word =
          mem.template load<Order::acquire, Site::slot_word>(reinterpret_cast<const std::uint64_t*>(shared + at));
      std::memcpy(static_cast<std::byte*>(to) + at, &word, size - at < sizeof word ? size - at : sizeof word);
    }
  }
}

}  // namespace symphony::detail
