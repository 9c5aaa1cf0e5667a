#include "tools/symphony/bench/hosting_rows.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "bench/latency/histogram.hpp"
#include "bench/support/classes.hpp"
#include "bench/support/figure.hpp"
#include "tools/symphony/decision/interval.hpp"
#include "tools/symphony/table.hpp"

namespace symphony::tools {
namespace {

using Json = BenchJson;

// Of all rounds together; the text of the histogram is kept once, for curves.
Json merged(const std::vector<const Json*>& parts) {
  bench::Histogram all;
  for (const Json* part : parts) {
    if (const auto one = bench::Histogram::from_text((*part)["histogram"].get<std::string>())) all.merge(*one);
  }
  return {{"n", all.count()},
          {"p50_ns", all.percentile_ns(50)},
          {"p99_ns", all.percentile_ns(99)},
          {"p999_ns", all.percentile_ns(99.9)},
          {"max_ns", all.max_ns()},
          {"histogram", all.to_text()}};
}

double median(const std::vector<Json>& rounds, const char* key) {
  std::vector<double> values;
  for (const Json& round : rounds) values.push_back(round[key].get<double>());
  return bench::quantiles_of(std::move(values)).p50;
}
// Null where no round has it.
Json median_or_null(const std::vector<Json>& rounds, const char* key) {
  std::vector<double> values;
  for (const Json& round : rounds) {
    if (round.contains(key) && round[key].is_number()) values.push_back(round[key].get<double>());
  }
  return values.empty() ? Json(nullptr) : Json(bench::quantiles_of(std::move(values)).p50);
}

}  // namespace

Json hosting_row(const HostingWay& way, const std::vector<Json>& rounds) {
  Json row{{"mode", way.name},
           {"hosting", way.mode},
           {"profile", way.profile.empty() ? Json(nullptr) : Json(way.profile)},
           {"transport", way.transport},
           {"trust", way.trust},
           {"placement", way.placement},
           {"threads", way.threads},
           {"oversubscribed", way.threads > bench::this_host().cores},
           {"loses", way.loses}};
  for (const Json& round : rounds) {
    if (round["status"] == "ok") continue;
    row["status"] = round["status"];
    row["why"] = round["why"];
    return row;
  }
  if (rounds.empty()) {
    row["status"] = "failed";
    row["why"] = "it was not run";
    return row;
  }
  row["status"] = "ok";
  row["outputs"] = rounds.back()["outputs"];
  row["replies"] = rounds[0]["replies"];
  std::vector<double> ratios;
  std::vector<const Json*> closed, open;
  for (const Json& round : rounds) {
    ratios.push_back(round["ratio"].get<double>());
    closed.push_back(&round["closed"]);
    if (round.contains("open")) open.push_back(&round["open"]);
  }
  const Interval ratio = interval_of(ratios);
  row["ratio"] = {{"value", ratio.value},       {"low", ratio.low}, {"high", ratio.high}, {"low_999", ratio.low_999},
                  {"high_999", ratio.high_999}, {"n", ratio.n},     {"rounds", ratios}};
  row["line_ns"] = median(rounds, "line_ns");
  row["call_ns"] = median(rounds, "call_ns");
  row["per_s"] = median(rounds, "per_s");
  row["cpu_ns"] = median(rounds, "cpu_ns");
  row["closed"] = merged(closed);
  if (!open.empty()) {
    row["open"] = merged(open);
    row["open"]["rate"] = (*open[0])["rate"];
    double slowest = (*open[0])["reached"].get<double>();
    std::size_t missed = 0;
    for (const Json* one : open) {
      slowest = std::min(slowest, (*one)["reached"].get<double>());
      missed += (*one)["missed"].get<bool>();
    }
    row["open"]["reached"] = slowest;
    row["open"]["missed"] = 2 * missed >= open.size();
  }
  row["cold"] = Json::array();
  for (const Json& wanted : rounds[0]["cold"]) {
    std::vector<const Json*> same;
    for (const Json& round : rounds) {
      for (const Json& one : round["cold"]) {
        if (one["hz"] == wanted["hz"]) same.push_back(&one);
      }
    }
    Json one = merged(same);
    one.erase("histogram");
    one["hz"] = wanted["hz"];
    row["cold"].push_back(std::move(one));
  }
  for (const char* key : {"memory_kib", "state_bytes", "start_ms", "snapshot_ms", "restore_ms", "swap_pause_ms",
                          "restart_ms", "hiccup_p999_ns"}) {
    row[key] = median_or_null(rounds, key);
  }
  if (rounds[0].contains("missing")) row["missing"] = rounds[0]["missing"];
  return row;
}

std::string hosting_table(const Json& document) {
  std::string out;
  const auto time = [](const Json& ns) { return duration_text(static_cast<std::int64_t>(ns.get<double>())); };
  const auto ms = [](const Json& value) {
    return value.is_number() ? duration_text(static_cast<std::int64_t>(value.get<double>() * 1e6)) : std::string("-");
  };
  for (const char* kind : {"pits", "sizes"}) {
    for (const Json& pit : document[kind]) {
      out += fmt::format("{}: {}\n", pit["pit"].get<std::string>(), without_controls(pit["what"].get<std::string>()));
      Table table({"way", "call", "over the line", "95 %", "p50 at rate", "p99", "p99.9", "CPU a call", "memory",
                   "start", "restart", "swap", "replies"});
      for (const Json& row : pit["modes"]) {
        if (row["status"] != "ok") {
          table.add_row({row["mode"], row["status"] == "failed" ? "failed" : "not hosted"});
          continue;
        }
        const Json& ratio = row["ratio"];
        const bool has_open = row.contains("open");
        const bool missed = has_open && row["open"]["missed"] == true;
        const auto at = [&](const char* key) { return !has_open ? "-" : missed ? "too slow" : time(row["open"][key]); };
        table.add_row(
            {row["mode"], time(row["call_ns"]), fmt::format("{:.2f}", ratio["value"].get<double>()),
             fmt::format("{:.2f}..{:.2f}", ratio["low"].get<double>(), ratio["high"].get<double>()), at("p50_ns"),
             at("p99_ns"), at("p999_ns"), time(row["cpu_ns"]),
             row["memory_kib"].is_number() ? fmt::format("{:.1f} MiB", row["memory_kib"].get<double>() / 1024) : "-",
             ms(row["start_ms"]), ms(row["restart_ms"]), ms(row["swap_pause_ms"]), row["outputs"]});
      }
      out += table.text() + "\n";
    }
  }
  const Json& machine = document["machine"];
  out += fmt::format("{}, {} processors, Linux {}; {} rounds; ways with two threads need two processors\n",
                     machine["cpu"].get<std::string>(), machine["cores"].get<unsigned>(),
                     machine["kernel"].get<std::string>(), document["rounds"].get<unsigned>());
  if (document["disturbed"] == true) {
    out += fmt::format("Others used {:.0f} % of the processors meanwhile: compare ratios, not times.\n",
                       document["competing"].get<double>() * 100);
  }
  return out;
}

}  // namespace symphony::tools
