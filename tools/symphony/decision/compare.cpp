#include "tools/symphony/decision/compare.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tools/symphony/table.hpp"

namespace symphony::tools {
namespace {

void compare_rows(const PitResult& pit, const ModeResult& a, const ModeResult& b, Comparison& out) {
  const std::string name = pit.size > 0 ? fmt::format("{} {:.0f}", pit.pit, pit.size) : pit.pit;
  ++out.compared;
  if (a.ok() != b.ok()) {
    out.changes.push_back({name,
                           a.mode,
                           "status",
                           {},
                           a.ok() ? "ok" : a.status + ": " + a.why,
                           b.ok() ? "ok" : b.status + ": " + b.why,
                           a.ok()});
    return;
  }
  if (!a.ok()) return;
  const Difference difference = difference_of(a.ratio, b.ratio);
  if (difference.beyond_noise) {
    out.changes.push_back({name, a.mode, "call", difference, fmt::format("{:.3f}", a.ratio.value),
                           fmt::format("{:.3f}", b.ratio.value), difference.ratio > 1});
  }
  if (a.missed != b.missed)
    out.changes.push_back(
        {name, a.mode, "rate", {}, a.missed ? "missed" : "reached", b.missed ? "missed" : "reached", b.missed});
  if (a.contained && b.contained && *a.contained != *b.contained) {
    out.changes.push_back({name,
                           a.mode,
                           "contained",
                           {},
                           std::to_string(*a.contained),
                           std::to_string(*b.contained),
                           *b.contained < *a.contained});
  }
}

void compare_pits(const std::vector<PitResult>& a, const std::vector<PitResult>& b, Comparison& out) {
  for (const PitResult& one : a) {
    const auto other =
        std::find_if(b.begin(), b.end(), [&](const PitResult& p) { return p.pit == one.pit && p.size == one.size; });
    if (other == b.end()) {
      out.missing.push_back(one.pit + " is in the first only");
      continue;
    }
    if (one.what != other->what) {
      out.missing.push_back(one.pit + " did other work: '" + one.what + "' and '" + other->what + "'");
      continue;
    }
    for (const ModeResult& row : one.modes) {
      const auto same = std::find_if(other->modes.begin(), other->modes.end(),
                                     [&](const ModeResult& m) { return m.mode == row.mode; });
      if (same == other->modes.end()) {
        out.missing.push_back(one.pit + ", " + row.mode + " is in the first only");
      } else {
        compare_rows(one, row, *same, out);
      }
    }
  }
}

}  // namespace

Comparison compare_results(const HostingResult& a, const HostingResult& b) {
  Comparison out;
  if (a.cpu != b.cpu || a.cores != b.cores)
    out.missing.push_back("two machines: " + a.cpu + " and " + b.cpu + "; only ratios were compared");
  if (a.disturbed || b.disturbed) out.missing.push_back("others used the processors: small changes are hidden");
  compare_pits(a.pits, b.pits, out);
  compare_pits(a.sizes, b.sizes, out);
  return out;
}

bool has_regression(const Comparison& comparison) {
  return std::any_of(comparison.changes.begin(), comparison.changes.end(), [](const Change& c) { return c.worse; });
}

std::string comparison_text(const Comparison& comparison) {
  std::string out;
  Table table({"pit", "way", "what", "before", "after", "times", "99.9 %", "so"});
  for (const Change& c : comparison.changes) {
    const bool is_call = c.what == "call";
    table.add_row({c.pit, c.mode, is_call ? "call, over the line" : c.what, c.before, c.after,
                   is_call ? fmt::format("{:.3f}", c.difference.ratio) : "-",
                   is_call ? fmt::format("{:.3f}..{:.3f}", c.difference.low, c.difference.high) : "-",
                   c.worse ? "worse" : "better"});
  }
  if (!comparison.changes.empty()) out += table.text();
  out += fmt::format("{} rows compared, {} changed beyond the noise\n", comparison.compared, comparison.changes.size());
  for (const std::string& line : comparison.missing) out += without_controls(line) + "\n";
  return out;
}

ResultJson comparison_json(const Comparison& comparison) {
  ResultJson out{{"schema", "symphony.cli/1"},
                 {"command", "bench compare"},
                 {"compared", comparison.compared},
                 {"changes", ResultJson::array()},
                 {"notes", comparison.missing}};
  for (const Change& c : comparison.changes) {
    ResultJson one{{"pit", c.pit},       {"mode", c.mode},   {"what", c.what},
                   {"before", c.before}, {"after", c.after}, {"worse", c.worse}};
    if (c.what == "call")
      one["times"] = {{"value", c.difference.ratio}, {"low", c.difference.low}, {"high", c.difference.high}};
    out["changes"].push_back(std::move(one));
  }
  out["regression"] = has_regression(comparison);
  return out;
}

}  // namespace symphony::tools
