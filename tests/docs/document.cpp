#include "tests/docs/document.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <optional>
#include <regex>
#include <sstream>
#include <stdexcept>

namespace symphony::docs {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

struct Block {
  std::string info;
  int line = 0;  // of its first inner line, counted from 1
  std::vector<std::string> lines;
};

std::vector<Block> all_blocks(const std::string& path) {
  std::vector<Block> found;
  bool inside = false;
  int number = 0;
  for (const std::string& line : lines_of(read_file(path))) {
    ++number;
    if (line.rfind("```", 0) == 0) {
      if (!inside) found.push_back({line.substr(3), number + 1, {}});
      inside = !inside;
    } else if (inside) {
      found.back().lines.push_back(line);
    }
  }
  if (inside) throw std::runtime_error(path + ": a fenced block without an end");
  return found;
}

std::string clean_cell(std::string cell) {
  cell.erase(std::remove(cell.begin(), cell.end(), '`'), cell.end());
  const auto first = cell.find_first_not_of(' ');
  if (first == std::string::npos) return {};
  return cell.substr(first, cell.find_last_not_of(' ') - first + 1);
}

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  std::istringstream in(line.substr(1));
  for (std::string cell; std::getline(in, cell, '|');) cells.push_back(clean_cell(cell));
  return cells;
}

std::optional<std::uint64_t> number_of(const std::string& text) {
  const bool hex = text.rfind("0x", 0) == 0;
  const char* const begin = text.data() + (hex ? 2 : 0);
  const char* const end = text.data() + text.size();
  std::uint64_t value = 0;
  const bool negative = !hex && begin != end && *begin == '-';
  const auto [at, error] = std::from_chars(begin + (negative ? 1 : 0), end, value, hex ? 16 : 10);
  if (error != std::errc{} || at != end) return std::nullopt;
  return negative ? 0 - value : value;
}

// The line of a dump as the code would write it: as many bytes as the document shows in that line.
std::string dump_line(std::span<const std::byte> actual, std::size_t offset, std::size_t count) {
  std::string text(10, ' ');
  std::snprintf(text.data(), text.size(), "%08zx ", offset);
  text.back() = ' ';
  for (std::size_t i = offset; i < std::min(actual.size(), offset + count); ++i) {
    char byte[4];
    std::snprintf(byte, sizeof byte, "%02x ", static_cast<unsigned>(actual[i]));
    text += byte;
  }
  return text;
}

}  // namespace

std::string read_file(const std::string& path) {
  std::ifstream in(std::string(SYMPHONY_SOURCE_DIR) + "/" + path, std::ios::binary);
  if (!in) throw std::runtime_error(path + ": cannot be read");
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::string> blocks(const std::string& path, std::string_view info) {
  std::vector<std::string> found;
  for (const Block& block : all_blocks(path)) {
    if (block.info != info) continue;
    found.emplace_back();
    for (const std::string& line : block.lines) found.back() += line + "\n";
  }
  return found;
}

HexBlock hex_block(const std::string& path, std::string_view name) {
  static const std::regex form("([0-9a-f]{8})  ([0-9a-f]{2}(?: [0-9a-f]{2})*)(?:  .*)?");
  std::vector<Block> named = all_blocks(path);
  std::erase_if(named, [&](const Block& b) { return b.info != "hex " + std::string(name); });
  if (named.size() != 1) {
    throw std::runtime_error(path + ": wants exactly one block ```hex " + std::string(name));
  }
  HexBlock block{path, {}};
  int number = named[0].line;
  std::size_t end = 0;
  for (const std::string& line : named[0].lines) {
    const std::string where = path + ":" + std::to_string(number) + ": ";
    std::smatch parts;
    if (!std::regex_match(line, parts, form)) throw std::runtime_error(where + "no line of a hex block");
    std::size_t at = std::stoul(parts[1], nullptr, 16);
    if (at < end) throw std::runtime_error(where + "begins before the end of the line above");
    std::istringstream bytes(parts[2]);
    for (std::string byte; bytes >> byte;) {
      block.bytes[at++] = {static_cast<std::uint8_t>(std::stoul(byte, nullptr, 16)), number};
    }
    end = at;
    ++number;
  }
  return block;
}

testing::AssertionResult shows(const HexBlock& block, std::span<const std::byte> actual) {
  for (std::size_t at = 0; at < actual.size(); ++at) {
    const auto shown = block.bytes.find(at);
    const auto value = std::to_integer<std::uint8_t>(actual[at]);
    if (shown == block.bytes.end()) {
      if (value == 0) continue;
      return testing::AssertionFailure() << block.path << " does not show this: " << dump_line(actual, at & ~15U, 16);
    }
    if (shown->second.value == value) continue;
    const int line = shown->second.line;
    const auto same_line = [&](const auto& entry) { return entry.second.line == line; };
    const auto first = std::find_if(block.bytes.begin(), block.bytes.end(), same_line);
    const auto count = std::count_if(block.bytes.begin(), block.bytes.end(), same_line);
    return testing::AssertionFailure() << block.path << ":" << line << ": the byte at offset " << at
                                       << " differs; the code writes: "
                                       << dump_line(actual, first->first, static_cast<std::size_t>(count));
  }
  if (!block.bytes.empty() && block.bytes.rbegin()->first >= actual.size()) {
    return testing::AssertionFailure() << block.path << ":" << block.bytes.rbegin()->second.line
                                       << ": shows bytes behind the end, which is at " << actual.size();
  }
  return testing::AssertionSuccess();
}

const std::string& Table::cell(const std::string& row, std::string_view title) const {
  const auto column = std::find(titles.begin(), titles.end(), title);
  if (column == titles.end()) throw std::runtime_error("no column " + std::string(title));
  return rows.at(row).at(static_cast<std::size_t>(column - titles.begin()));
}

Table table(const std::string& path, std::string_view heading) {
  Table out;
  bool below = false;
  int skip = 0;
  for (const std::string& line : lines_of(read_file(path))) {
    if (line.rfind('#', 0) == 0) {
      if (below) break;
      below = clean_cell(line.substr(line.find_first_not_of('#'))) == heading;
    } else if (below && line.rfind('|', 0) == 0) {
      if (skip++ == 1) continue;  // the rule below the titles
      std::vector<std::string> cells = cells_of(line);
      if (out.titles.empty()) {
        out.titles = std::move(cells);
      } else if (const std::string name = cells.at(0); !out.rows.emplace(name, std::move(cells)).second) {
        throw std::runtime_error(
            std::string(path).append(": ").append(name).append(" stands twice below ").append(heading));
      }
    } else if (!out.titles.empty()) {
      break;
    }
  }
  if (out.rows.empty()) throw std::runtime_error(path + ": no table below " + std::string(heading));
  return out;
}

testing::AssertionResult holds(const Table& table, const std::vector<Numbers>& expected) {
  for (const Numbers& want : expected) {
    const auto row = table.rows.find(want.name);
    if (row == table.rows.end()) return testing::AssertionFailure() << "no row for " << want.name;
    for (std::size_t i = 0; i < want.values.size(); ++i) {
      const std::string& shown = row->second.at(i + 1);
      if (number_of(shown) != want.values[i]) {
        return testing::AssertionFailure()
               << want.name << ", " << table.titles.at(i + 1) << ": the document says " << shown << ", the code "
               << static_cast<std::int64_t>(want.values[i]) << " (0x" << std::hex << want.values[i] << ")";
      }
    }
  }
  for (const auto& row : table.rows) {
    if (std::none_of(expected.begin(), expected.end(), [&](const Numbers& n) { return n.name == row.first; })) {
      return testing::AssertionFailure() << "the document has a row " << row.first << ", the code nothing of that name";
    }
  }
  return testing::AssertionSuccess();
}

}  // namespace symphony::docs
