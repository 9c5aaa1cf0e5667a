// The same for a terminal and as Markdown.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tools/symphony/decision/chart.hpp"
#include "tools/symphony/decision/report.hpp"
#include "tools/symphony/decision/verdict.hpp"
#include "tools/symphony/table.hpp"

namespace symphony::tools {
namespace {

// The scatter in letters: one for each way, explained below.
std::string drawn(const PitResult& pit) {
  constexpr std::size_t columns = 60;
  std::vector<double> times;
  bool were_tried = false;
  for (const ModeResult& row : pit.modes) {
    if (row.ok() && row.decisive() != nullptr)
      times.push_back(std::max(1.0, row.decisive()->p99_ns)), were_tried |= row.contained.has_value();
  }
  if (times.empty()) return "";
  Axis axis;
  fit_log(axis, times);
  const std::size_t lines = were_tried ? 10 : 1;
  std::vector<std::string> grid(lines + 1, std::string(columns, ' '));
  std::string key;
  char letter = 'a';
  for (const ModeResult& row : pit.modes) {
    if (!row.ok() || row.decisive() == nullptr) continue;
    const double at = std::log(std::max(1.0, row.decisive()->p99_ns) / axis.low) / std::log(axis.high / axis.low);
    auto x = std::min(columns - 1, static_cast<std::size_t>(at * (columns - 1)));
    const auto y = static_cast<std::size_t>(std::lround(contained_share(row) * static_cast<double>(lines)));
    std::string& line = grid[lines - y];
    while (line[x] != ' ' && x + 1 < columns) ++x;
    line[x] = letter;
    key += fmt::format("  {} {}", letter++, row.mode);
  }
  std::string out = "faults contained (top: all that were tried) against p99\n";
  for (const std::string& line : grid) out += "  |" + line + "\n";
  return out + "  +" + std::string(columns, '-') + "\n   " + ns_text(axis.low) + std::string(columns - 16, ' ') +
         ns_text(axis.high) + "\n" + key + "\n\n";
}

std::string cell_of(std::string text) {
  std::string out;
  for (const char c : without_controls(text)) {
    if (c == '|' || c == '<' || c == '\\' || c == '`' || c == '*' || c == '_' || c == '[') out += '\\';
    out += c;
  }
  return out;
}

}  // namespace

std::string report_term(const HostingResult& result) {
  std::string out = without_controls(verdict_of(result, main_pit(result))) + "\n\n" + drawn(main_pit(result));
  for (const PitResult& pit : result.pits) {
    out += without_controls(pit.pit + ": " + pit.what) + "\n";
    Table table(verdict_heads());
    for (auto& row : verdict_rows(pit)) table.add_row(std::move(row));
    out += table.text() + "\n";
  }
  for (const std::string& one : trust_strip(result)) out += without_controls(one) + "\n";
  return out;
}

std::string report_markdown(const HostingResult& result) {
  std::string out = cell_of(verdict_of(result, main_pit(result))) + "\n\n";
  for (const PitResult& pit : result.pits) {
    out += cell_of(pit.pit + ": " + pit.what) + "\n\n|";
    for (const std::string& head : verdict_heads()) out += " " + head + " |";
    out += "\n|";
    for (std::size_t i = 0; i < verdict_heads().size(); ++i) out += "---|";
    for (const auto& row : verdict_rows(pit)) {
      out += "\n|";
      for (const std::string& cell : row) out += " " + cell_of(cell) + " |";
    }
    out += "\n\n";
  }
  for (const std::string& one : trust_strip(result)) out += "- " + cell_of(one) + "\n";
  return out;
}

}  // namespace symphony::tools
