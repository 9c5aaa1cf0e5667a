#include "tools/symphony/table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <symphony/clock.hpp>

#include "bus/base/check.hpp"

namespace symphony::tools {
namespace {

struct Range {
  char32_t first;
  char32_t last;
};

// The blocks that matter in practice, not all of Unicode: marks written over the character before them, and invisible
// ones.
constexpr std::array<Range, 8> no_width{{{0x0300, 0x036F},
                                         {0x0483, 0x0489},
                                         {0x1AB0, 0x1AFF},
                                         {0x1DC0, 0x1DFF},
                                         {0x200B, 0x200F},
                                         {0x20D0, 0x20FF},
                                         {0xFE00, 0xFE0F},
                                         {0xFE20, 0xFE2F}}};
// Hangul, CJK and kana with their forms and signs, emoji.
constexpr std::array<Range, 9> double_width{{{0x1100, 0x115F},
                                             {0x2E80, 0x303E},
                                             {0x3041, 0xA4CF},
                                             {0xAC00, 0xD7A3},
                                             {0xF900, 0xFAFF},
                                             {0xFE30, 0xFE6F},
                                             {0xFF00, 0xFF60},
                                             {0x1F300, 0x1FAFF},
                                             {0x20000, 0x3FFFD}}};

template <std::size_t N>
bool is_in(const std::array<Range, N>& ranges, char32_t point) noexcept {
  return std::any_of(ranges.begin(), ranges.end(), [&](const Range& r) { return point >= r.first && point <= r.last; });
}

// The character at the start of `text` and how many bytes it takes; a byte that begins none counts as itself.
char32_t decode(std::string_view text, std::size_t& size) noexcept {
  const auto lead = static_cast<unsigned char>(text[0]);
  size = 1;
  const std::size_t wanted = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 1;
  if (wanted == 1 || lead > 0xF4 || text.size() < wanted) return lead < 0x80 ? lead : U'?';
  char32_t point = lead & (0x7FU >> wanted);
  for (std::size_t i = 1; i < wanted; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if ((next & 0xC0U) != 0x80U) return U'?';
    point = point << 6U | (next & 0x3FU);
  }
  size = wanted;
  return point;
}

bool is_control(char32_t point) noexcept { return point < 0x20 || (point >= 0x7F && point < 0xA0); }

// Digits first, perhaps after a sign; then anything short, which is the unit.
bool looks_like_number(std::string_view cell) {
  if (!cell.empty() && (cell[0] == '-' || cell[0] == '+' || cell[0] == '<' || cell[0] == '~')) cell.remove_prefix(1);
  if (cell.empty() || cell[0] < '0' || cell[0] > '9') return false;
  const std::size_t unit = cell.find_first_not_of("0123456789.,");
  return unit == std::string_view::npos || width_of(cell.substr(unit)) <= 8;
}

// Without spaces at its end, which a left column at the end of the line would leave.
void end_line(std::string& out) {
  out.erase(out.find_last_not_of(' ') + 1);
  out += '\n';
}

}  // namespace

void Table::add_row(std::vector<std::string> cells) {
  SYMPHONY_CHECK(cells.size() <= heads_.size());
  cells.resize(heads_.size());
  for (std::string& cell : cells) cell = without_controls(cell);
  rows_.push_back(std::move(cells));
}

std::string Table::text(bool with_heads) const {
  const std::size_t columns = heads_.size();
  std::vector<std::size_t> widths(columns, 0);
  std::vector<bool> right(columns, false);
  for (std::size_t i = 0; i < columns; ++i) {
    if (with_heads) widths[i] = width_of(heads_[i]);
    bool words = false;
    for (const auto& row : rows_) {
      widths[i] = std::max(widths[i], width_of(row[i]));
      if (row[i].empty() || row[i] == "-") continue;
      right[i] = right[i] || looks_like_number(row[i]);
      words = words || !looks_like_number(row[i]);
    }
    right[i] = right[i] && !words;
  }

  std::string out;
  const auto add_line = [&](const std::vector<std::string>& cells) {
    std::string line;
    for (std::size_t i = 0; i < columns; ++i) {
      if (i > 0) line += "  ";
      const std::string padding(widths[i] - width_of(cells[i]), ' ');
      line += right[i] ? padding + cells[i] : cells[i] + padding;
    }
    end_line(line);
    out += line;
  };
  if (with_heads) {
    add_line(heads_);
    std::string rule;
    for (std::size_t i = 0; i < columns; ++i) rule += (i > 0 ? "  " : "") + std::string(widths[i], '-');
    end_line(rule);
    out += rule;
  }
  for (const auto& row : rows_) add_line(row);
  return out;
}

std::size_t width_of(std::string_view text) noexcept {
  std::size_t width = 0;
  for (std::size_t size = 0; !text.empty(); text.remove_prefix(size)) {
    const char32_t point = decode(text, size);
    width += is_in(no_width, point) ? 0 : is_in(double_width, point) ? 2 : 1;
  }
  return width;
}

std::string without_controls(std::string_view text) {
  std::string out;
  for (std::size_t size = 0; !text.empty(); text.remove_prefix(size)) {
    if (is_control(decode(text, size))) {
      out += '?';
    } else {
      out += text.substr(0, size);
    }
  }
  return out;
}

std::string count_text(std::uint64_t count) {
  std::string out = std::to_string(count);
  for (std::size_t at = out.size(); at > 3;) {
    at -= 3;
    out.insert(at, 1, ',');
  }
  return out;
}

std::string duration_text(std::int64_t ns) {
  struct Unit {
    double size;
    const char* name;
  };
  constexpr std::array<Unit, 4> units{{{1, "ns"}, {1e3, "µs"}, {1e6, "ms"}, {1e9, "s"}}};
  const char* sign = ns < 0 ? "-" : "";
  // Not -ns: the smallest value has no positive counterpart.
  const double value = std::abs(static_cast<double>(ns));
  if (value < 1000) return fmt::format("{}{:.0f} ns", sign, value);
  for (const Unit& unit : units) {
    const double scaled = value / unit.size;
    const bool is_last = unit.size == 1e9;
    // 999.5 would round to a fourth digit: it belongs to the next unit.
    if (unit.size == 1 || (scaled >= 999.5 && !is_last)) continue;
    const int decimals = scaled < 9.995 ? 2 : scaled < 99.95 ? 1 : 0;
    return fmt::format("{}{:.{}f} {}", sign, scaled, decimals, unit.name);
  }
  return {};
}

}  // namespace symphony::tools
