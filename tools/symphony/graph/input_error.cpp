#include "tools/symphony/graph/input_error.hpp"

namespace symphony::tools {

std::string printable(std::string_view text, std::size_t size_max) {
  const bool cut = text.size() > size_max;
  if (cut) {
    std::size_t end = size_max - 3;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
    text = text.substr(0, end);
  }
  std::string out;
  out.reserve(text.size() + 3);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    // U+0080 to U+009F are control characters too (C1); in UTF-8 they are C2 80 to C2 9F.
    const bool c1 = byte == 0xC2U && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0U;
    if (byte < 0x20U || byte == 0x7FU) {
      out += '?';
    } else if (c1) {
      out += '?';
      ++i;
    } else {
      out += text[i];
    }
  }
  if (cut) out += "...";
  return out;
}

}  // namespace symphony::tools
