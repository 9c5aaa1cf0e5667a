// Reads what the documents claim, so that tests can compare it with the code: hex blocks, tables, code blocks.
// A hex block is a fence ```hex NAME of lines `OFFSET  BYTES  note`: eight hex digits, two spaces, bytes with one space
// between them, and after two more spaces anything. A byte that no line shows is zero. Threads: none; plain functions.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace symphony::docs {

// The text of a file of the repository. Throws std::runtime_error when it is not there.
[[nodiscard]] std::string read_file(const std::string& path);

// The inside of each fenced block whose opening line is exactly ``` and `info`.
[[nodiscard]] std::vector<std::string> blocks(const std::string& path, std::string_view info);

struct HexBlock {
  struct Byte {
    std::uint8_t value;
    int line;  // of the document
  };
  std::string path;
  std::map<std::size_t, Byte> bytes;
};
// Throws std::runtime_error when there is not exactly one block of that name, or a line of it is malformed, not rising,
// or overlaps the one before.
[[nodiscard]] HexBlock hex_block(const std::string& path, std::string_view name);

// Whether the block is these bytes: what it does not show is zero, and it shows nothing behind their end. A failure
// names the line of the document and gives it as the code would write it.
[[nodiscard]] testing::AssertionResult shows(const HexBlock& block, std::span<const std::byte> actual);

// A table's rows by the cell in its first column; cells are trimmed and without backticks.
struct Table {
  std::vector<std::string> titles;
  std::map<std::string, std::vector<std::string>> rows;

  [[nodiscard]] const std::string& cell(const std::string& row, std::string_view title) const;
};
// The first table below the heading (its text, without the #). Throws std::runtime_error when there is none or a row
// stands in it twice.
[[nodiscard]] Table table(const std::string& path, std::string_view heading);

// A row that a table must have, and the numbers (decimal, or hexadecimal with 0x) in its second and later columns.
struct Numbers {
  std::string name;
  std::vector<std::uint64_t> values;
};
// Whether the table has these rows and no others, with these numbers.
[[nodiscard]] testing::AssertionResult holds(const Table& table, const std::vector<Numbers>& expected);

}  // namespace symphony::docs
