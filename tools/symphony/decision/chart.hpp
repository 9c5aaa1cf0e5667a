// Charts as static SVG: drawn without a script, readable by a screen reader, in the page's colours.   Layer: tools.
// Every text is escaped here: what comes from a result file is data. Threads: plain values.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace symphony::tools {

// For text between tags and in attributes with double quotes; control characters become U+FFFD.
[[nodiscard]] std::string html_text(std::string_view text);

struct Axis {
  std::string label;
  double low = 0, high = 1;
  bool log = false;
  std::string (*tick)(double) = nullptr;
  std::vector<double> ticks{};  // empty: decades of a log axis
};

struct Dot {
  double x = 0, y = 0;
  std::string label;
  std::size_t style = 0;  // colour and shape
  std::optional<std::pair<double, double>> x_range{};
};
struct Line {
  std::string label;
  std::size_t style = 0;
  std::vector<std::pair<double, double>> points{};
  bool dashed = false;
};
struct Bar {
  std::string label;
  std::size_t style = 0;
  std::vector<std::pair<double, std::string>> parts{};  // value and name, one behind the other
};

struct Chart {
  std::string id, title, description;
  Axis x, y;
  double width = 620, height = 340;
  std::vector<Dot> dots{};
  std::vector<Line> lines{};
  std::vector<Bar> bars{};  // then y is theirs
  [[nodiscard]] std::string svg() const;
};

// The decades around the values; precondition: some value above 0.
void fit_log(Axis& axis, const std::vector<double>& values);

// "1.2 µs".
[[nodiscard]] std::string ns_text(double ns);

}  // namespace symphony::tools
