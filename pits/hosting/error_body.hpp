// The body of an error reply: int32 status, uint32 0, then UTF-8 text of at most 512 bytes.   Layer: hosting
// (contract). Written by whoever ends a request badly, read by callers. Format: docs/formats/pit-abi.md
#pragma once

#include <symphony/pit.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

namespace symphony::pit {

inline constexpr std::size_t error_text_max = SYMPHONY_ERROR_TEXT_MAX;
inline constexpr std::size_t error_head_size = 8;

struct ErrorBody {
  std::int32_t status = SYMPHONY_INTERNAL;
  std::string_view text;  // points into the body; what a pit wrote: clean it before it goes to a terminal
};

// The longest beginning of `text` of at most `size_max` bytes that does not end inside a UTF-8 sequence.
[[nodiscard]] constexpr std::string_view clip_utf8(std::string_view text, std::size_t size_max) noexcept {
  if (text.size() <= size_max) return text;
  std::size_t end = size_max;
  // A sequence has at most 3 continuation bytes; more of them are not UTF-8, and are cut anywhere.
  for (int i = 0; i < 3 && end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U; ++i) --end;
  return text.substr(0, end);
}

[[nodiscard]] constexpr std::size_t error_body_size(std::string_view text) noexcept {
  return error_head_size + clip_utf8(text, error_text_max).size();
}

// Writes the body and returns its size. Precondition: out has error_body_size(text) bytes.
inline std::size_t write_error_body(std::span<std::byte> out, std::int32_t status, std::string_view text) noexcept {
  const std::string_view cut = clip_utf8(text, error_text_max);
  const std::uint32_t reserved = 0;
  std::memcpy(out.data(), &status, sizeof status);
  std::memcpy(out.data() + 4, &reserved, sizeof reserved);
  if (!cut.empty()) std::memcpy(out.data() + error_head_size, cut.data(), cut.size());
  return error_head_size + cut.size();
}

// Nothing when the bytes are no error body: too short or too long, reserved bits set, or a status that says success.
[[nodiscard]] inline std::optional<ErrorBody> read_error_body(std::span<const std::byte> body) noexcept {
  if (body.size() < error_head_size || body.size() > error_head_size + error_text_max) return std::nullopt;
  ErrorBody read;
  std::uint32_t reserved = 0;
  std::memcpy(&read.status, body.data(), sizeof read.status);
  std::memcpy(&reserved, body.data() + 4, sizeof reserved);
  if (reserved != 0 || read.status == SYMPHONY_OK) return std::nullopt;
  read.text = {reinterpret_cast<const char*>(body.data()) + error_head_size, body.size() - error_head_size};
  return read;
}

}  // namespace symphony::pit
