// The JSON of a figure, written by hand: one flat object, and no library for tests and tools to depend on.
#include <array>
#include <charconv>
#include <cmath>

#include "bench/support/figure.hpp"

namespace symphony::bench {
namespace {

// Length of the valid UTF-8 sequence at the front of text, 0 if there is none.
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const auto continues = [&](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
  const unsigned first = byte(0);
  const unsigned second = byte(1);
  if (first < 0x80U) return 1;
  if (first < 0xC2U || !continues(1)) return 0;
  if (first < 0xE0U) return 2;
  // Overlong forms and surrogates are not text.
  if (first == 0xE0U ? second < 0xA0U : first == 0xEDU && second >= 0xA0U) return 0;
  if (first < 0xF0U) return continues(2) ? 3 : 0;
  if (first == 0xF0U ? second < 0x90U : first > 0xF4U || (first == 0xF4U && second >= 0x90U)) return 0;
  return continues(2) && continues(3) ? 4 : 0;
}

void append_quoted(std::string& out, std::string_view text) {
  constexpr std::string_view hex = "0123456789abcdef";
  out += '"';
  while (!text.empty()) {
    const char c = text.front();
    const std::size_t length = sequence_length(text);
    if (length == 0) {
      out += "\\ufffd";  // the replacement character, for a byte that is not text
    } else if (c == '"' || c == '\\') {
      (out += '\\') += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += "\\u00";
      out += hex[static_cast<unsigned char>(c) >> 4U];
      out += hex[static_cast<unsigned char>(c) & 15U];
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  out += '"';
}

template <class Number>
void append_number(std::string& out, Number number) {
  std::array<char, 32> digits{};
  const auto end =
      std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;  // shortest that reads back equal
  out.append(digits.data(), end);
}

template <class Number>
void append_optional(std::string& out, const std::optional<Number>& number) {
  if (number) {
    append_number(out, *number);
  } else {
    out += "null";
  }
}

}  // namespace

std::string to_json(const Figure& figure, const HostFacts& host, std::string_view commit) {
  std::string out = "{\"name\": ";
  append_quoted(out, figure.name);
  append_number(out += ", \"value\": ", figure.value);
  append_optional(out += ", \"of\": ", figure.of);
  append_quoted(out += ", \"unit\": ", figure.unit);
  append_number(out += ", \"n\": ", figure.n);
  append_optional(out += ", \"seed\": ", figure.seed);
  append_quoted(out += ", \"commit\": ", commit);
  append_number(out += ", \"seconds\": ", figure.seconds);
  append_quoted(out += ", \"host\": {\"cpu\": ", host.cpu);
  append_number(out += ", \"cores\": ", host.cores);
  append_quoted(out += ", \"kernel\": ", host.kernel);
  append_quoted(out += "}, \"note\": ", figure.note);
  out += "}\n";
  return out;
}

}  // namespace symphony::bench
