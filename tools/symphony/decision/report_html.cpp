// The page: first screen, charts with their tables, matrix, method, data.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "tools/symphony/decision/chart.hpp"
#include "tools/symphony/decision/report.hpp"
#include "tools/symphony/decision/verdict.hpp"

namespace symphony::tools {
namespace {

// Colours that tell apart for the colour-blind (Okabe and Ito), darker or lighter by the reader's scheme.
constexpr const char* style = R"(<style>
:root{color-scheme:light dark;--bg:#fff;--fg:#1b1b1b;--soft:#5b5b5b;--grid:#e2e2e2;--bad:#b00020;--ok:#006b4f;
--k0:#0072b2;--k1:#b35900;--k2:#00735a;--k3:#a8437e;--k4:#7a6a00;--k5:#2b7bb9;--k6:#8c2d04;--k7:#444}
@media(prefers-color-scheme:dark){:root{--bg:#14171a;--fg:#e8e8e8;--soft:#a9a9a9;--grid:#33383d;--bad:#ff8a8a;--ok:#5fd3b0;
--k0:#56b4e9;--k1:#e69f00;--k2:#2fc9a0;--k3:#e08fc0;--k4:#f0e442;--k5:#8ecbff;--k6:#ff9b6b;--k7:#c8c8c8}}
body{background:var(--bg);color:var(--fg);font:14px/1.35 system-ui,sans-serif;margin:0 auto;max-width:1280px;padding:8px 14px}
h1{font-size:15px;margin:2px 0 6px}h2{font-size:17px;margin:26px 0 6px}nav a,a{color:var(--k0);margin-right:12px}
.first{display:grid;grid-template-columns:minmax(0,37%) minmax(0,63%);gap:10px;align-items:start}
@media(max-width:900px){.first{grid-template-columns:1fr}}
.wide{overflow:auto}.first td,.first th{white-space:nowrap;padding:2px 4px}.first td:last-child{white-space:normal;min-width:120px}.first table{font-size:11px}.first{font-size:12px}table{border-collapse:collapse;font-size:12px;font-variant-numeric:tabular-nums}
th,td{padding:2px 6px;border-bottom:1px solid var(--grid);text-align:left;vertical-align:top}th{color:var(--soft)}
.strip{font-size:12px;color:var(--soft);margin:6px 0}.strip span{margin-right:14px}.bad,.host_lost,.machine_hurt{color:var(--bad);font-weight:bold}
.contained{color:var(--ok)}svg{width:100%;height:auto;display:block}svg text{fill:var(--fg);font-size:10.5px}
.grid{stroke:var(--grid)}.axis{stroke:var(--soft);fill:none}.line{fill:none;stroke-width:1.7}.dash{stroke-dasharray:5 4;opacity:.6}
.c0{fill:var(--k0)}.c1{fill:var(--k1)}.c2{fill:var(--k2)}.c3{fill:var(--k3)}.c4{fill:var(--k4)}.c5{fill:var(--k5)}.c6{fill:var(--k6)}.c7{fill:var(--k7)}
.s0{stroke:var(--k0)}.s1{stroke:var(--k1)}.s2{stroke:var(--k2)}.s3{stroke:var(--k3)}.s4{stroke:var(--k4)}.s5{stroke:var(--k5)}.s6{stroke:var(--k6)}.s7{stroke:var(--k7)}
a:focus-visible,summary:focus-visible,.wide:focus-visible{outline:2px solid var(--k1)}.half{max-width:760px}
</style>
)";

std::string percent_of(double value) { return fmt::format("{:.0f} %", value); }
std::string plain(double value) { return fmt::format("{:g}", value); }
std::string tick_ns(double ns) { return ns_text(ns); }
std::string tick_ms(double ms) { return ns_text(ms * 1e6); }

std::string table_of(const std::vector<std::string>& heads, const std::vector<std::vector<std::string>>& rows,
                     const std::string& caption) {
  std::string out = fmt::format(
      "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"{0}\"><table><caption "
      "hidden>{0}</caption><thead><tr>",
      html_text(caption));
  for (const std::string& head : heads) out += "<th scope=\"col\">" + html_text(head) + "</th>";
  out += "</tr></thead><tbody>\n";
  for (const auto& row : rows) {
    out += "<tr>";
    for (std::size_t i = 0; i < row.size(); ++i)
      out += (i == 0 ? "<th scope=\"row\">" : "<td>") + html_text(row[i]) + (i == 0 ? "</th>" : "</td>");
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

// A chart and what it shows in numbers.
std::string figure_of(const Chart& chart, const std::vector<std::string>& heads,
                      const std::vector<std::vector<std::string>>& rows, bool half = true) {
  return fmt::format("<figure style=\"margin:0\"{}>{}<details><summary>{}: numbers</summary>{}</details></figure>\n",
                     half ? " class=\"half\"" : "", chart.svg(), html_text(chart.title),
                     table_of(heads, rows, chart.title));
}

class Page {
 public:
  explicit Page(const HostingResult& result) : result_(result), pit_(main_pit(result)) {
    for (const ModeResult& row : pit_.modes) (void)style_of(row.mode);  // the same everywhere
  }

  std::string text() {
    std::string out =
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
        "content=\"width=device-width,initial-scale=1\">"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        "<title>Performance against safety: " +
        html_text(pit_.pit) + "</title>\n" + style + "</head><body>\n";
    out += "<h1>" + html_text(verdict_of(result_, pit_)) + "</h1>\n<div class=\"first\">" + scatter();
    out += table_of(verdict_heads(), verdict_rows(pit_), "Ways of hosting " + pit_.pit) +
           "</div>\n<p class=\"strip\" id=\"trust\">";
    for (const std::string& one : trust_strip(result_))
      out += fmt::format("<span{}>{}</span>", one.starts_with("BAD") ? " class=\"bad\"" : "", html_text(one));
    out +=
        "</p>\n<nav aria-label=\"Sections\"><a href=\"#curves\">Curves</a><a href=\"#sizes\">Sizes</a><a "
        "href=\"#cold\">Rare calls</a><a href=\"#matrix\">Containment</a>"
        "<a href=\"#steps\">Start and swap</a><a href=\"#stages\">Stages</a><a "
        "href=\"#method\">Method</a></nav>\n<main>\n";
    out += curves() + sizes() + cold() + matrix() + steps() + stages() + others() + method();
    return out + "</main>\n" + data(data_open, result_.raw) +
           (result_.raw_faults.is_null() ? "" : data(faults_open, result_.raw_faults)) + "</body></html>\n";
  }

 private:
  std::size_t style_of(const std::string& mode) { return styles_.try_emplace(mode, styles_.size()).first->second; }

  std::string scatter() {
    Chart chart{"scatter",
                "p99 latency against faults contained",
                "One dot a way of hosting, its bar from p50 to p99.9. Left is faster, up is safer. The dashed line "
                "joins the ways that no other one beats in both.",
                {"latency of a call, p99", 1, 10, true, tick_ns},
                {"faults contained, of those tried", 0, 100, false, percent_of}};
    chart.width = 520;
    chart.height = 330;
    std::vector<double> times;
    std::vector<std::vector<std::string>> rows;
    for (const ModeResult& row : pit_.modes) {
      const Latency* l = row.ok() ? row.decisive() : nullptr;
      if (l == nullptr) continue;
      for (const double ns : {l->p50_ns, l->p99_ns, l->p999_ns}) times.push_back(std::max(1.0, ns));
      chart.dots.push_back({l->p99_ns, contained_share(row) * 100,
                            row.mode + (row.contained ? "" : " (faults not tried)"), style_of(row.mode),
                            std::pair{l->p50_ns, l->p999_ns}});
      rows.push_back({row.mode, plain(l->n), plain(l->p50_ns), plain(l->p99_ns), plain(l->p999_ns), score_text(row)});
    }
    if (times.empty()) return "<p class=\"bad\">Nothing to draw: no way kept the rate.</p>";
    fit_log(chart.x, times);
    chart.y.ticks = {0, 20, 40, 60, 80, 100};
    Line line{"", 7, {}, true};
    for (const ModeResult* row : pareto_of(pit_))
      line.points.emplace_back(row->decisive()->p99_ns, contained_share(*row) * 100);
    chart.lines.push_back(line);
    return figure_of(chart, {"way", "n", "p50 ns", "p99 ns", "p99.9 ns", "contained"}, rows, false);
  }

  std::string curves() {
    Chart chart{
        "percentiles",
        "Latency by percentile, back-to-back calls",
        "One line a way: the latency that the given share of calls does not exceed. Each ends where the sample does.",
        {"share of calls that are slower", 1, 10, true,
         [](double x) { return x <= 1 ? std::string("all") : fmt::format("1 in {:g}", x); }},
        {"latency", 1, 10, true, tick_ns}};
    std::vector<double> times, shares{1, 10};
    std::vector<std::vector<std::string>> rows;
    for (const ModeResult& row : pit_.modes) {
      if (!row.ok()) continue;
      Line line{row.mode, style_of(row.mode)};
      std::string points;
      for (const auto& [percent, ns] : row.closed.curve) {
        line.points.emplace_back(100 / (100 - percent), std::max(1.0, ns));
        times.push_back(std::max(1.0, ns));
        shares.push_back(100 / (100 - percent));
        points += fmt::format("p{:g} {:g}  ", percent, ns);
      }
      chart.lines.push_back(std::move(line));
      rows.push_back({row.mode, plain(row.closed.n), points});
    }
    if (times.empty()) return "";
    fit_log(chart.y, times);
    fit_log(chart.x, shares);
    return "<h2 id=\"curves\">Latency by percentile</h2>" + figure_of(chart, {"way", "n", "nanoseconds"}, rows);
  }

  std::string sizes() {
    if (result_.sizes.empty())
      return "<h2 id=\"sizes\">Sizes</h2><p>No sizes were measured: --sizes, or a full run.</p>";
    std::string out = "<h2 id=\"sizes\">Sizes of messages</h2>";
    const auto draw = [&](const char* id, const char* title, double ModeResult::*value, std::string (*tick)(double)) {
      Chart chart{id,
                  title,
                  "One line a way of hosting, the empty pit, back-to-back calls of one caller.",
                  {"bytes of a message", 1, 10, true, plain},
                  {title, 1, 10, true, tick}};
      std::map<std::string, Line> lines;
      std::vector<double> all, bytes;
      std::vector<std::vector<std::string>> rows;
      for (const PitResult& size : result_.sizes) {
        for (const ModeResult& row : size.modes) {
          if (!row.ok()) continue;
          Line& line = lines[row.mode];
          line.label = row.mode;
          line.style = style_of(row.mode);
          line.points.emplace_back(size.size, row.*value);
          all.push_back(row.*value);
          bytes.push_back(size.size);
          rows.push_back({row.mode, plain(size.size), plain(row.*value)});
        }
      }
      if (all.empty()) return std::string();
      fit_log(chart.x, bytes);
      fit_log(chart.y, all);
      for (auto& [mode, line] : lines) chart.lines.push_back(std::move(line));
      return figure_of(chart, {"way", "bytes", title}, rows);
    };
    return out + draw("size-latency", "time of a call", &ModeResult::call_ns, tick_ns) +
           draw("size-rate", "calls a second", &ModeResult::per_s, plain);
  }

  std::string cold() {
    Chart chart{"rare",
                "Latency of rare calls",
                "The median of calls that come so seldom that everything has gone to sleep.",
                {"calls a second", 1, 100, true, plain},
                {"latency, p50", 1, 10, true, tick_ns}};
    std::vector<double> times, rates;
    std::vector<std::vector<std::string>> rows;
    for (const ModeResult& row : pit_.modes) {
      Line line{row.mode, style_of(row.mode)};
      for (const ColdLatency& one : row.cold) {
        line.points.emplace_back(one.hz, std::max(1.0, one.latency.p50_ns));
        times.push_back(line.points.back().second);
        rates.push_back(one.hz);
        rows.push_back(
            {row.mode, plain(one.hz), plain(one.latency.n), plain(one.latency.p50_ns), plain(one.latency.max_ns)});
      }
      chart.lines.push_back(std::move(line));
    }
    if (times.empty()) return "";
    for (Line& line : chart.lines) std::sort(line.points.begin(), line.points.end());
    fit_log(chart.y, times);
    rates.push_back(1);
    fit_log(chart.x, rates);
    return "<h2 id=\"cold\">Rare calls</h2>" +
           figure_of(chart, {"way", "calls a second", "n", "p50 ns", "max ns"}, rows);
  }

  std::string matrix() {
    std::string out = "<h2 id=\"matrix\">Containment: each fault in each way</h2>";
    if (result_.faults.empty())
      return out + "<p>No matrix in this report: run <code>symphony bench faults</code> and give both files.</p>";
    std::vector<std::string> names;
    for (const FaultColumn& column : result_.faults) {
      for (const FaultCell& cell : column.cells) {
        if (std::find(names.begin(), names.end(), cell.fault) == names.end()) names.push_back(cell.fault);
      }
    }
    out +=
        "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Containment\"><table "
        "id=\"faults\"><thead><tr><th scope=\"col\">fault</th>";
    for (const FaultColumn& column : result_.faults)
      out += "<th scope=\"col\">" + html_text(column.mode + (column.profile.empty() ? "" : "+" + column.profile)) +
             "</th>";
    out += "</tr></thead><tbody>\n";
    for (const std::string& name : names) {
      out += "<tr><th scope=\"row\">" + html_text(name) + "</th>";
      for (const FaultColumn& column : result_.faults) {
        const auto cell =
            std::find_if(column.cells.begin(), column.cells.end(), [&](const FaultCell& c) { return c.fault == name; });
        if (cell == column.cells.end()) {
          out += "<td>not in the run</td>";
        } else if (!cell->not_run.empty()) {
          out += "<td title=\"" + html_text(cell->not_run) + "\">not run: " + html_text(cell->not_run) + "</td>";
        } else {
          std::string kind = cell->kind;
          std::replace(kind.begin(), kind.end(), '_', ' ');
          out += fmt::format("<td class=\"{}\" title=\"{}\">{}{}</td>", cell->kind, html_text(cell->test), kind,
                             cell->detail.empty() ? "" : html_text(" (" + cell->detail + ")"));
        }
      }
      out += "</tr>\n";
    }
    out += "<tr><th scope=\"row\">contained</th>";
    for (const FaultColumn& column : result_.faults)
      out += fmt::format("<td><b>{}/{}</b></td>", column.contained, column.faults);
    return out + "</tr></tbody></table></div>\n";
  }

  std::string steps() {
    Chart chart{"steps-chart",
                "Start: until the first answer",
                "One bar a way of hosting: from nothing to the first answer of the pit.",
                {"time", 1, 10, true, tick_ms},
                {"", 0, 1, false, plain}};
    std::vector<double> all;
    std::vector<std::vector<std::string>> rows;
    for (const ModeResult& row : pit_.modes) {
      if (!row.ok() || !row.start_ms || *row.start_ms <= 0) continue;
      chart.bars.push_back({row.mode, style_of(row.mode), {{*row.start_ms, "start"}}});
      all.push_back(*row.start_ms);
      rows.push_back({row.mode, ms_text(row.start_ms), ms_text(row.restart_ms), ms_text(row.snapshot_ms),
                      ms_text(row.restore_ms), ms_text(row.swap_pause_ms),
                      row.state_bytes ? plain(*row.state_bytes) : "-"});
    }
    if (all.empty()) return "";
    fit_log(chart.x, all);
    return "<h2 id=\"steps\">Start, restart, snapshot, swap</h2><div class=\"half\">" + chart.svg() + "</div>" +
           table_of({"way", "start", "restart after a kill", "snapshot", "restore", "swap pause", "state, bytes"}, rows,
                    "Start, restart, snapshot, swap");
  }

  // What is the pit's own, what the way adds, what waiting at the rate adds.
  std::string stages() {
    const auto linked = std::find_if(pit_.modes.begin(), pit_.modes.end(),
                                     [](const ModeResult& r) { return r.mode == "static" && r.ok(); });
    std::string out = "<h2 id=\"stages\">Where the time goes</h2>";
    if (linked == pit_.modes.end()) return out + "<p>Needs the row static, which has the pit's own time.</p>";
    Chart chart{"stages-chart",
                "Stages of a call, p50",
                "Each bar from full to faint: handler with its verification, as linked in; what the way adds; what "
                "waiting for the call before adds at the rate.",
                {"time", 0, 1, false, tick_ns},
                {"", 0, 1, false, plain}};
    std::vector<std::vector<std::string>> rows;
    for (const ModeResult& row : pit_.modes) {
      if (!row.ok()) continue;
      const double handler = std::min(row.call_ns, linked->call_ns), way = row.call_ns - handler;
      const double queue = row.open && !row.missed ? std::max(0.0, row.open->p50_ns - row.closed.p50_ns) : 0;
      chart.bars.push_back({row.mode, style_of(row.mode), {{handler, "handler"}, {way, "way"}, {queue, "queue"}}});
      chart.x.high = std::max(chart.x.high, handler + way + queue);
      rows.push_back({row.mode, ns_text(handler), ns_text(way), ns_text(queue)});
    }
    for (int i = 0; i <= 4; ++i) chart.x.ticks.push_back(chart.x.high * i / 4);
    return out + "<div class=\"half\">" + chart.svg() + "</div>" +
           table_of({"way", "handler and verification", "the way adds", "waiting at the rate"}, rows,
                    "Stages of a call");
  }

  std::string others() {
    std::string out;
    for (const PitResult& pit : result_.pits) {
      if (&pit == &pit_) continue;
      out += "<h2>" + html_text(pit.pit + ": " + pit.what) + "</h2>" +
             table_of(verdict_heads(), verdict_rows(pit), pit.pit);
    }
    std::vector<std::vector<std::string>> rows;
    for (const PitResult& pit : result_.pits) {
      for (const ModeResult& row : pit.modes) {
        if (row.ok())
          rows.push_back({pit.pit, row.mode, fmt::format("{:.3f}", row.ratio.value),
                          fmt::format("{:.3f} to {:.3f}", row.ratio.low, row.ratio.high),
                          plain(static_cast<double>(row.ratio.n)), row.outputs, row.transport, row.placement});
      }
    }
    return out + "<h2>Over the round trip of a cache line</h2>" +
           table_of({"pit", "way", "ratio", "95 %", "n", "replies", "transport", "placement"}, rows, "Ratios");
  }

  std::string method() const {
    return "<h2 id=\"method\">Method</h2><p>Each cell is a process of its own; the ways take turns, round by round. A "
           "ratio is a call's mean over a pass, by the median round trip of a "
           "cache line between two processes measured between the passes; its value is the geometric mean over the "
           "rounds, its interval where as many further rounds would lie "
           "in 95 of 100 cases. Latencies at a rate count from when a call was due, so that a late one makes the next "
           "ones late; back-to-back calls are those of one caller. "
           "All rounds' samples together make a percentile. A way whose replies differ from the first one's, byte for "
           "byte (of JSON: as JSON), is failed and not drawn; one that missed the rate is not drawn either. "
           "Faults are injected, not assumed: a cell that was not run says why. Verification is part of the handler: "
           "it is not measured apart. "
           "Sizes are measured back to back. The data is in this page, as JSON: symphony bench compare reads it.</p>";
  }

  // Within a script nothing but its end tag is looked for: no `<` at all is left.
  static std::string data(const char* open, const ResultJson& document) {
    std::string out = open;
    for (const char c : document.dump(-1, ' ', true, ResultJson::error_handler_t::replace)) {
      if (c == '<')
        out += "\\u003c";
      else
        out += c;
    }
    return out + data_close + "\n";
  }

  const HostingResult& result_;
  const PitResult& pit_;
  std::map<std::string, std::size_t> styles_;
};

}  // namespace

std::string report_html(const HostingResult& result) { return Page(result).text(); }

}  // namespace symphony::tools
