// Tables and numbers for people.   Layer: tools. Threads: a plain value; functions from any thread.
// Columns are as wide as their widest cell. Widths are columns of a terminal: combining marks take none, East Asian
// wide characters and emoji take two.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace symphony::tools {

class Table {
 public:
  // The heads are the first line. A column whose cells all look like numbers (with a unit or not; "-" and empty cells
  // do not count) stands right, any other stands left; heads stand as their column.
  explicit Table(std::vector<std::string> heads) : heads_(std::move(heads)) {}

  // Missing cells are empty; a cell too many is a bug of the caller. Control characters are replaced, so that no cell
  // breaks the table or reaches the terminal as a command.
  void add_row(std::vector<std::string> cells);

  // Two spaces between columns, no spaces at line ends, each line with a line end. With `with_heads`, heads and a rule.
  [[nodiscard]] std::string text(bool with_heads = true) const;

 private:
  std::vector<std::string> heads_;
  std::vector<std::vector<std::string>> rows_;
};

// How many terminal columns `text` takes. Bytes that are not UTF-8 take one each.
[[nodiscard]] std::size_t width_of(std::string_view text) noexcept;

// `text` with '?' for each control character, so that it cannot drive a terminal.
[[nodiscard]] std::string without_controls(std::string_view text);

// "1,234,567".
[[nodiscard]] std::string count_text(std::uint64_t count);

// Three digits and a unit, so that a column of them is read at a glance: "950 ns", "1.23 µs", "45.6 ms", "7.89 s".
// Negative values keep their sign.
[[nodiscard]] std::string duration_text(std::int64_t ns);

}  // namespace symphony::tools
