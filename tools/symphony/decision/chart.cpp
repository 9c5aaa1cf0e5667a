#include "tools/symphony/decision/chart.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tools/symphony/table.hpp"

namespace symphony::tools {
namespace {

constexpr double left_of_dots = 70, left_of_bars = 112, right = 118, top = 14, bottom = 44;
constexpr std::size_t colours = 8, shapes = 6;

double share(const Axis& axis, double value) {
  if (!axis.log) return (value - axis.low) / (axis.high - axis.low);
  return std::log(std::max(value, axis.low) / axis.low) / std::log(axis.high / axis.low);
}

std::vector<double> ticks_of(const Axis& axis) {
  if (!axis.ticks.empty() || !axis.log) return axis.ticks;
  std::vector<double> out;
  for (double at = axis.low; at <= axis.high * 1.001; at *= 10) out.push_back(at);
  return out;
}

std::string text_at(double x, double y, const char* anchor, std::string_view text, const char* more = "") {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\"{}>{}</text>", x, y, anchor, more,
                     html_text(text));
}

// A shape beside the colour, for who does not see that.
std::string mark(double x, double y, std::size_t style) {
  const std::string fill = fmt::format("class=\"c{}\"", style % colours);
  switch (style % shapes) {
    case 0:
      return fmt::format("<circle {} cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"5\"/>", fill, x, y);
    case 1:
      return fmt::format("<rect {} x=\"{:.1f}\" y=\"{:.1f}\" width=\"9\" height=\"9\"/>", fill, x - 4.5, y - 4.5);
    case 2:
      return fmt::format("<path {} d=\"M{:.1f} {:.1f}l6 10h-12z\"/>", fill, x, y - 6);
    case 3:
      return fmt::format("<path {} d=\"M{:.1f} {:.1f}l6 6l-6 6l-6-6z\"/>", fill, x, y - 6);
    case 4:
      return fmt::format("<path {} d=\"M{:.1f} {:.1f}l-6-10h12z\"/>", fill, x, y + 6);
    default:
      return fmt::format("<path {} d=\"M{:.1f} {:.1f}h4v4h4v4h-4v4h-4v-4h-4v-4h4z\"/>", fill, x - 2, y - 6);
  }
}

}  // namespace

std::string html_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else if (c == '\'')
      out += "&#39;";
    else if (byte < 0x20 || byte == 0x7F)
      out += "\xEF\xBF\xBD";
    else
      out += c;
  }
  return out;
}

std::string ns_text(double ns) { return duration_text(static_cast<std::int64_t>(std::llround(ns))); }

void fit_log(Axis& axis, const std::vector<double>& values) {
  axis.log = true;
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  axis.low = std::pow(10, std::floor(std::log10(*low)));
  axis.high = std::pow(10, std::ceil(std::log10(*high * 1.0001)));
}

std::string Chart::svg() const {
  const double left = bars.empty() ? left_of_dots : left_of_bars;
  const double plot_w = width - left - right, plot_h = height - top - bottom;
  const auto px = [&](double v) { return left + std::clamp(share(x, v), 0.0, 1.0) * plot_w; };
  const auto py = [&](double v) { return top + (1 - std::clamp(share(y, v), 0.0, 1.0)) * plot_h; };
  std::string out = fmt::format(
      "<svg id=\"{0}\" viewBox=\"0 0 {1:.0f} {2:.0f}\" role=\"img\" aria-labelledby=\"{0}-t {0}-d\"><title "
      "id=\"{0}-t\">{3}</title>"
      "<desc id=\"{0}-d\">{4}</desc>\n",
      html_text(id), width, height, html_text(title), html_text(description));
  for (const double at : ticks_of(x)) {
    out += fmt::format("<path class=\"grid\" d=\"M{:.1f} {:.1f}v{:.1f}\"/>", px(at), top, plot_h);
    out += text_at(px(at), top + plot_h + 16, "middle", x.tick(at));
  }
  for (const double at : bars.empty() ? ticks_of(y) : std::vector<double>{}) {
    out += fmt::format("<path class=\"grid\" d=\"M{:.1f} {:.1f}h{:.1f}\"/>", left, py(at), plot_w);
    out += text_at(left - 6, py(at) + 4, "end", y.tick(at));
  }
  out += fmt::format("<path class=\"axis\" d=\"M{:.1f} {:.1f}v{:.1f}h{:.1f}\"/>\n", left, top, plot_h, plot_w);
  out += text_at(left + plot_w / 2, height - 8, "middle", x.label);
  if (bars.empty()) {
    out += text_at(0, 0, "middle", y.label,
                   fmt::format(" transform=\"translate(13 {:.0f}) rotate(-90)\"", top + plot_h / 2).c_str());
  }
  std::vector<std::pair<double, double>> taken;  // of labels: where, and how wide
  const auto label = [&](double at_x, double at_y, const std::string& text) {
    double y_free = at_y;
    for (bool moved = true; moved;) {
      moved = false;
      for (const auto& [other_x, other_y] : taken) {
        if (std::abs(other_y - y_free) < 11 && std::abs(other_x - at_x) < 110) y_free = other_y + 11.5, moved = true;
      }
    }
    taken.emplace_back(at_x, y_free);
    return text_at(at_x, y_free, "start", text);
  };
  for (const Line& line : lines) {
    if (line.points.empty()) continue;
    std::string path;
    for (const auto& [at_x, at_y] : line.points)
      path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", px(at_x), py(at_y));
    out += fmt::format("<path class=\"line s{}{}\" d=\"{}\"/>", line.style % colours, line.dashed ? " dash" : "", path);
    if (!line.dashed) out += mark(px(line.points.back().first), py(line.points.back().second), line.style);
    if (!line.label.empty())
      out += label(px(line.points.back().first) + 9, py(line.points.back().second) + 4, line.label);
    out += "\n";
  }
  for (const Dot& dot : dots) {
    if (dot.x_range)
      out += fmt::format("<path class=\"line s{}\" d=\"M{:.1f} {:.1f}H{:.1f}\"/>", dot.style % colours,
                         px(dot.x_range->first), py(dot.y), px(dot.x_range->second));
    out += mark(px(dot.x), py(dot.y), dot.style) + label(px(dot.x) + 9, py(dot.y) - 5, dot.label) + "\n";
  }
  const double step = bars.empty() ? 0 : plot_h / static_cast<double>(bars.size());
  for (std::size_t i = 0; i < bars.size(); ++i) {
    const double at_y = top + (static_cast<double>(i) + 0.15) * step;
    double from = x.log ? x.low : 0, sum = 0;
    for (std::size_t k = 0; k < bars[i].parts.size(); ++k) {
      sum += bars[i].parts[k].first;
      const double a = px(from), b = px(sum);
      out += fmt::format(
          "<rect class=\"c{}\" opacity=\"{:.2f}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"/>",
          bars[i].style % colours, 1 - 0.3 * static_cast<double>(k), a, at_y, std::max(0.5, b - a), step * 0.7);
      from = sum;
    }
    out += text_at(left - 6, at_y + step * 0.5, "end", bars[i].label);
    out += text_at(px(sum) + 6, at_y + step * 0.5, "start", x.tick(sum));
  }
  return out + "</svg>\n";
}

}  // namespace symphony::tools
