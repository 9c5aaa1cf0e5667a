// Bytes for a reply that is not written in its place.   Layer: hosting. Threads: one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <vector>

namespace symphony::pit {

class ReplyBytes {
 public:
  // As ReplySink::claim: 8-byte aligned; a later claim replaces this one.
  [[nodiscard]] bool claim(std::uint32_t size_min, std::span<std::byte>& out) noexcept {
    try {
      words_.resize((std::size_t{size_min} + 7) / 8);
    } catch (const std::bad_alloc&) {
      return false;
    }
    out = std::as_writable_bytes(std::span(words_));
    return true;
  }
  // Of the last claim; lent.
  [[nodiscard]] std::span<const std::byte> first(std::uint32_t used) const noexcept {
    return std::as_bytes(std::span(words_)).first(used);
  }

 private:
  std::vector<std::uint64_t> words_;
};

}  // namespace symphony::pit
