// Reading and writing saved state: little-endian numbers and arrays behind a running checksum.   Layer: pits/parts.
//
// The writer collects into blocks, so that a host sees few and large writes; the reader takes whatever sizes it is
// given. Arrays are read in blocks too: a length that lies costs no more memory than the bytes that really follow. The
// checksum finds damage, not malice: whatever it lets through is checked again for meaning. Threads: one at a time.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <vector>

namespace symphony::pit::parts {

static_assert(std::endian::native == std::endian::little, "saved state is written as it lies in memory");

// Of a byte stream, eight bytes at a time; independent of how the stream was cut.
class Checksum {
 public:
  void add(std::span<const std::byte> bytes) noexcept {
    while (!bytes.empty()) {
      if (fill_ == 0 && bytes.size() >= 8) {
        std::memcpy(&word_, bytes.data(), 8);
        fill_ = 8;
        bytes = bytes.subspan(8);
      } else {
        word_ |= std::to_integer<std::uint64_t>(bytes.front()) << (8 * fill_++);
        bytes = bytes.subspan(1);
      }
      if (fill_ == 8) mix();
    }
  }
  [[nodiscard]] std::uint64_t value() const noexcept {
    Checksum end = *this;
    end.mix();
    end.word_ = size_ + fill_;
    end.mix();  // the length too, or trailing zeros would not count
    return end.sum_;
  }

 private:
  void mix() noexcept {
    sum_ = std::rotl(sum_ ^ word_, 29) * 0x9E3779B97F4A7C15U;
    sum_ ^= sum_ >> 32;
    size_ += fill_;
    word_ = 0;
    fill_ = 0;
  }
  std::uint64_t sum_ = 0x6A09E667F3BCC909U;
  std::uint64_t word_ = 0;
  std::uint64_t size_ = 0;
  unsigned fill_ = 0;
};

// Where saved bytes go.
class StateWriter {
 public:
  StateWriter() = default;
  StateWriter(const StateWriter&) = delete;
  StateWriter& operator=(const StateWriter&) = delete;
  virtual ~StateWriter() = default;

  template <class T>
  [[nodiscard]] bool number(T value) {
    static_assert(std::is_integral_v<T>);
    return bytes(std::as_bytes(std::span(&value, 1)));
  }
  template <class T>
  [[nodiscard]] bool array(std::span<const T> values) {
    static_assert(std::is_trivially_copyable_v<T>);
    return bytes(std::as_bytes(values));
  }
  [[nodiscard]] bool bytes(std::span<const std::byte> more) {
    sum_.add(more);
    while (!more.empty()) {
      const std::size_t step = std::min(more.size(), block_size - block_.size());
      block_.insert(block_.end(), more.begin(), more.begin() + static_cast<std::ptrdiff_t>(step));
      more = more.subspan(step);
      if (block_.size() == block_size && !flush()) return false;
    }
    return true;
  }
  // The checksum, and whatever is still in the block. Nothing is written afterwards.
  [[nodiscard]] bool finish() {
    const std::uint64_t sum = sum_.value();
    return number(sum) && flush();
  }

 protected:
  // False: the host refused; the caller gives up.
  virtual bool put(std::span<const std::byte> block) = 0;

 private:
  static constexpr std::size_t block_size = 65'536;
  [[nodiscard]] bool flush() {
    const bool done = block_.empty() || put(block_);
    block_.clear();
    return done;
  }
  std::vector<std::byte> block_;
  Checksum sum_;
};

// Where saved bytes come from. Once something failed, everything after it fails.
class StateReader {
 public:
  StateReader() = default;
  StateReader(const StateReader&) = delete;
  StateReader& operator=(const StateReader&) = delete;
  virtual ~StateReader() = default;

  template <class T>
  [[nodiscard]] bool number(T* out) {
    static_assert(std::is_integral_v<T>);
    return bytes(std::as_writable_bytes(std::span(out, 1)));
  }
  // Appends `count` elements to *out, a vector or string of a trivially copyable type.
  template <class Container>
  [[nodiscard]] bool array(std::size_t count, Container* out) {
    using T = typename Container::value_type;
    static_assert(std::is_trivially_copyable_v<T>);
    while (count > 0) {
      const std::size_t step = std::min(count, block_size / sizeof(T));
      const std::size_t have = out->size();
      out->resize(have + step);
      if (!bytes(std::as_writable_bytes(std::span(out->data() + have, step)))) return false;
      count -= step;
    }
    return true;
  }
  // True when the checksum is right and nothing follows it.
  [[nodiscard]] bool finish() {
    const std::uint64_t expected = sum_.value();
    std::uint64_t found = 0;
    std::byte behind{};
    return number(&found) && found == expected && get(std::span(&behind, 1)) == 0;
  }

 protected:
  // Fills a part of `out` and says how much: 0 at the end, below 0 when the host failed.
  virtual std::int64_t get(std::span<std::byte> out) = 0;

 private:
  static constexpr std::size_t block_size = 65'536;
  [[nodiscard]] bool bytes(std::span<std::byte> out) {
    for (std::span<std::byte> left = out; !left.empty() && !failed_;) {
      const std::int64_t got = get(left);
      failed_ = got <= 0 || static_cast<std::uint64_t>(got) > left.size();
      if (!failed_) left = left.subspan(static_cast<std::size_t>(got));
    }
    if (!failed_) sum_.add(out);
    return !failed_;
  }
  bool failed_ = false;
  Checksum sum_;
};

}  // namespace symphony::pit::parts
