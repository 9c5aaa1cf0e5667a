// The shared memory of one link in a crash proof, and images of it.   Layer: tests.
//
// Anonymous and shared, so that forked children see what a victim wrote until it was killed. An image holds everything
// that the link protocol writes: the control words and the rings of both segments; the pages between are never stored
// to. Threads: one.
#pragma once

#include <sys/mman.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "bus/base/check.hpp"
#include "bus/channel/layout.hpp"

namespace symphony::proof {

using namespace symphony::detail;

using Image = std::vector<std::byte>;

// Bytes that every process of a proof shares.
class SharedBytes {
 public:
  explicit SharedBytes(std::size_t size) : size_(size) {
    void* const at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    SYMPHONY_CHECK(at != MAP_FAILED);
    bytes_ = static_cast<std::byte*>(at);
  }
  SharedBytes(SharedBytes&& other) noexcept : size_(other.size_), bytes_(std::exchange(other.bytes_, nullptr)) {}
  SharedBytes& operator=(SharedBytes&&) = delete;
  ~SharedBytes() {
    if (bytes_ != nullptr) ::munmap(bytes_, size_);
  }
  [[nodiscard]] std::byte* data() const noexcept { return bytes_; }

 private:
  std::size_t size_;
  std::byte* bytes_ = nullptr;
};

class Segments {
 public:
  static constexpr std::size_t words_size = sizeof(PitWords);
  static_assert(sizeof(CallerWords) == words_size);

  explicit Segments(const Geometry& geometry)
      : geometry_(geometry), bytes_(2 * data_offset + geometry.request_capacity + geometry.reply_capacity) {}

  [[nodiscard]] std::byte* caller() const noexcept { return bytes_.data(); }
  [[nodiscard]] std::byte* pit() const noexcept { return bytes_.data() + data_offset + geometry_.request_capacity; }
  [[nodiscard]] const Geometry& geometry() const noexcept { return geometry_; }

  // Where a place of the link stands in an image; `image_size()` for what belongs to no image.
  [[nodiscard]] std::size_t place_in_image(const void* at) const noexcept {
    std::size_t before = 0;
    for (const auto part : parts()) {
      const auto* byte = static_cast<const std::byte*>(at);
      if (byte >= part.data() && byte < part.data() + part.size()) {
        return before + static_cast<std::size_t>(byte - part.data());
      }
      before += part.size();
    }
    return before;
  }
  [[nodiscard]] std::size_t image_size() const noexcept {
    return 2 * words_size + geometry_.request_capacity + geometry_.reply_capacity;
  }
  void save(Image& into) const {
    into.resize(image_size());
    std::size_t at = 0;
    for (const auto part : parts()) {
      std::memcpy(into.data() + at, part.data(), part.size());
      at += part.size();
    }
  }
  [[nodiscard]] Image image() const {
    Image saved;
    save(saved);
    return saved;
  }
  void restore(const Image& image) const noexcept {
    std::size_t at = 0;
    for (const auto part : parts()) {
      std::memcpy(part.data(), image.data() + at, part.size());
      at += part.size();
    }
  }
  [[nodiscard]] bool equals(const Image& image) const noexcept {
    std::size_t at = 0;
    for (const auto part : parts()) {
      if (std::memcmp(part.data(), image.data() + at, part.size()) != 0) return false;
      at += part.size();
    }
    return true;
  }
  void clear() const noexcept {
    for (const auto part : parts()) std::memset(part.data(), 0, part.size());
  }

  [[nodiscard]] CallerWords& caller_words() const noexcept {
    return *reinterpret_cast<CallerWords*>(caller() + words_offset);
  }
  [[nodiscard]] PitWords& pit_words() const noexcept { return *reinterpret_cast<PitWords*>(pit() + words_offset); }

 private:
  [[nodiscard]] std::array<std::span<std::byte>, 4> parts() const noexcept {
    return {std::span(caller() + words_offset, words_size),
            std::span(caller() + data_offset, geometry_.request_capacity), std::span(pit() + words_offset, words_size),
            std::span(pit() + data_offset, geometry_.reply_capacity)};
  }
  Geometry geometry_;
  SharedBytes bytes_;
};

}  // namespace symphony::proof
