// What a lying peer answers: fuzz bytes, bent so that most answers are ones that an honest peer could give.
// Layer: tests.
//
// A header of random bytes is refused at once, so most of them carry the right check and lie in something else, or in
// nothing: that is how a session gets to states where a lie matters. What was answered is kept, so that the session can
// say what should have come of it. Threads: one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace symphony::hostile {

// The input, read once from front to back; zeros behind its end.
class FuzzBytes {
 public:
  explicit FuzzBytes(std::span<const std::uint8_t> bytes) noexcept : rest_(bytes) {}
  [[nodiscard]] bool empty() const noexcept { return rest_.empty(); }
  [[nodiscard]] std::uint64_t take(std::size_t bytes) noexcept {
    std::uint64_t value = 0;
    const std::size_t size = bytes < rest_.size() ? bytes : rest_.size();
    std::memcpy(&value, rest_.data(), size);
    rest_ = rest_.subspan(size);
    return value;
  }
  [[nodiscard]] std::uint8_t byte() noexcept { return static_cast<std::uint8_t>(take(1)); }
  // 0 to below - 1
  [[nodiscard]] std::uint32_t below(std::uint32_t bound) noexcept {
    return static_cast<std::uint32_t>(take(2)) % bound;
  }

 private:
  std::span<const std::uint8_t> rest_;
};

// docs/formats/ring.md, written down a second time.
namespace format {
inline constexpr std::uint64_t line = 64;
inline constexpr std::uint64_t pad_bit = std::uint64_t{1} << 31;
inline constexpr std::uint64_t present_bit = std::uint64_t{1} << 30;
inline constexpr std::uint64_t size_mask = present_bit - 1;

[[nodiscard]] inline std::uint64_t stride(std::uint64_t size) { return (size + 8 + 63) & ~std::uint64_t{63}; }
[[nodiscard]] inline std::uint64_t header(std::uint64_t position, std::uint64_t size, bool pad, std::uint32_t salt) {
  const std::uint64_t check = (position / line ^ salt) & 0xffff'ffff;
  return check << 32 | present_bit | (pad ? pad_bit : 0) | size;
}
}  // namespace format

class PeerAnswers {
 public:
  struct Header {
    std::uint64_t position = 0;
    std::uint64_t value = 0;
  };

  explicit PeerAnswers(FuzzBytes& bytes) noexcept : bytes_(bytes), lies_one_in_(bytes.byte() % 2 == 0 ? 1 : 32) {}

  // The ring that the peer writes. Most records have at least `usual_min` bytes: an envelope, on a link.
  void ring(const std::byte* data, std::uint64_t capacity, std::uint32_t salt, std::uint64_t usual_min = 0) noexcept {
    usual_min_ = usual_min;
    data_ = data;
    capacity_ = capacity;
    salt_ = salt;
  }

  [[nodiscard]] std::uint64_t header(const std::byte* word) noexcept {
    const auto offset = static_cast<std::uint64_t>(word - data_);
    position_ += (offset - position_) & (capacity_ - 1);
    const std::uint64_t value = some_header();
    if (asked_ < headers_.size()) headers_[asked_] = {position_, value};
    ++asked_;
    return value;
  }
  void forget_headers() noexcept { asked_ = 0; }
  [[nodiscard]] std::size_t headers_asked() const noexcept { return asked_; }
  [[nodiscard]] const Header& header_answered(std::size_t i) const noexcept { return headers_[i]; }

  [[nodiscard]] std::uint64_t freed() noexcept {
    const std::uint64_t value = some_freed();
    if (lied_about_freed_) asked_after_lie_ = true;
    if (value % format::line != 0 || value < freed_ || value > published_) {
      lied_about_freed_ = true;
    } else if (!lied_about_freed_) {
      freed_ = value;
    }
    return value;
  }
  void published(std::uint64_t position) noexcept { published_ = position; }
  [[nodiscard]] std::uint64_t published() const noexcept { return published_; }
  // The highest freed that an honest reader of our answers accepted.
  [[nodiscard]] std::uint64_t freed_so_far() const noexcept { return freed_; }
  [[nodiscard]] bool lied_about_freed() const noexcept { return lied_about_freed_; }
  [[nodiscard]] bool asked_after_lie() const noexcept { return asked_after_lie_; }

  [[nodiscard]] std::uint64_t word() noexcept {
    const std::uint8_t kind = bytes_.byte();
    return kind < 128 ? 0 : kind < 240 ? kind % 3 : bytes_.take(8);
  }
  void fill(std::byte* to, std::size_t size) noexcept {
    const std::uint64_t pattern = bytes_.take(2) * 0x9e3779b97f4a7c15;
    for (std::size_t done = 0; done < size; done += sizeof pattern) {
      std::memcpy(to + done, &pattern, size - done < sizeof pattern ? size - done : sizeof pattern);
    }
  }

 private:
  std::uint64_t some_header() noexcept {
    const std::uint8_t kind = bytes_.byte();
    const std::uint64_t room = capacity_ - position_ % capacity_;
    const std::uint64_t longest = room < capacity_ / 2 ? room : capacity_ / 2;
    const auto any_size = [&] { return bytes_.below(static_cast<std::uint32_t>(longest - 7)); };
    if (kind < 30) return 0;
    if (kind < 200) {  // small ones, mostly
      const std::uint64_t least = kind % 32 == 0 ? 0 : usual_min_;
      const std::uint64_t most = kind % 4 == 0 ? longest - 8 : 56;
      return format::header(position_, least + any_size() % (most - least + 1), false, salt_);
    }
    if (kind < 225 || bytes_.byte() % lies_one_in_ != 0) {
      return format::header(position_, any_size(), true, salt_);
    }
    if (kind < 238) {  // at the limits of what is allowed
      const std::array<std::uint64_t, 7> sizes = {longest - 8,       longest - 7, room - 8,         room - 7,
                                                  capacity_ / 2 - 7, capacity_,   format::size_mask};
      return format::header(position_, sizes[kind % sizes.size()] & format::size_mask, kind % 2 == 0, salt_);
    }
    const std::uint64_t honest = format::header(position_, any_size(), false, salt_);
    if (kind < 242) return honest & ~format::present_bit;
    if (kind < 252) return honest ^ std::uint64_t{1} << bytes_.below(64);
    return bytes_.take(8);
  }
  std::uint64_t some_freed() noexcept {
    const std::uint8_t kind = bytes_.byte();
    const std::uint64_t lines = (published_ - freed_) / format::line;
    if (kind < 200) return freed_ + bytes_.below(static_cast<std::uint32_t>(lines + 1)) * format::line;
    if (kind < 248 || bytes_.byte() % lies_one_in_ != 0) return published_;
    const std::array<std::uint64_t, 6> lies = {
        freed_ - format::line, published_ + format::line, freed_ + 1,
        published_ - 8,        freed_ - capacity_,        published_ + capacity_};
    return kind < 254 ? lies[kind - 248] : bytes_.take(8);
  }

  FuzzBytes& bytes_;
  int lies_one_in_;  // of the answers that would be lies
  const std::byte* data_ = nullptr;
  std::uint64_t capacity_ = 0;
  std::uint64_t usual_min_ = 0;
  std::uint32_t salt_ = 0;
  std::uint64_t position_ = 0;  // of the last header asked for
  std::array<Header, 8> headers_;
  std::size_t asked_ = 0;  // headers of this call
  std::uint64_t published_ = 0, freed_ = 0;
  bool lied_about_freed_ = false, asked_after_lie_ = false;
};

}  // namespace symphony::hostile
