#include "tools/symphony/decision/result.hpp"

#include <cmath>
#include <fstream>
#include <iterator>
#include <set>

#include "bench/latency/histogram.hpp"

namespace symphony::tools {
namespace {

using Json = ResultJson;

constexpr std::streamoff file_max = 64 << 20;

// Thrown while a document is read, and caught at its door.
struct Wrong {
  std::string text;
};

double number(const Json& at, const char* key) {
  const double value = at.at(key).get<double>();
  if (!std::isfinite(value) || value < 0) throw Wrong{std::string("'") + key + "' is no number of 0 or more"};
  return value;
}
double positive(const Json& at, const char* key) {
  const double value = number(at, key);
  if (value <= 0) throw Wrong{std::string("'") + key + "' is not above 0"};
  return value;
}
std::optional<double> maybe(const Json& at, const char* key) {
  return at.contains(key) && !at.at(key).is_null() ? std::optional(number(at, key)) : std::nullopt;
}
std::string text(const Json& at, const char* key) { return at.at(key).is_null() ? "" : at.at(key).get<std::string>(); }

constexpr double curve_points[] = {0, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 99.95, 99.99, 99.999};

Latency latency(const Json& from) {
  Latency out{number(from, "n"), number(from, "p50_ns"), number(from, "p99_ns"), number(from, "p999_ns"),
              number(from, "max_ns")};
  if (from.contains("histogram")) {
    const auto histogram = bench::Histogram::from_text(from["histogram"].get<std::string>());
    if (!histogram) throw Wrong{"a histogram is damaged"};
    for (const double percent : curve_points) {
      // No percentile that fewer than one value in the sample stands for.
      if (percent < 100 && static_cast<double>(histogram->count()) * (1 - percent / 100) < 1) break;
      out.curve.emplace_back(percent, static_cast<double>(histogram->percentile_ns(percent)));
    }
  } else if (from.contains("curve")) {
    for (const Json& point : from["curve"])
      out.curve.emplace_back(point.at(0).get<double>(), point.at(1).get<double>());
  }
  return out;
}

ModeResult mode_of(const Json& row) {
  ModeResult out;
  for (auto [field, key] : {std::pair{&out.mode, "mode"},
                            {&out.hosting, "hosting"},
                            {&out.profile, "profile"},
                            {&out.transport, "transport"},
                            {&out.trust, "trust"},
                            {&out.placement, "placement"},
                            {&out.loses, "loses"},
                            {&out.status, "status"}}) {
    *field = text(row, key);
  }
  out.oversubscribed = row.at("oversubscribed").get<bool>();
  if (!out.ok()) return out.why = text(row, "why"), out;
  out.outputs = text(row, "outputs");
  std::vector<double> rounds;
  for (const Json& one : row.at("ratio").at("rounds")) {
    rounds.push_back(one.get<double>());
    if (!(rounds.back() > 0) || !std::isfinite(rounds.back())) throw Wrong{"a ratio is not above 0"};
  }
  if (rounds.empty()) throw Wrong{"a row has no rounds"};
  out.ratio = interval_of(rounds);
  out.line_ns = positive(row, "line_ns");
  out.call_ns = positive(row, "call_ns");
  out.per_s = positive(row, "per_s");
  out.cpu_ns = number(row, "cpu_ns");
  out.closed = latency(row.at("closed"));
  if (row.contains("open")) {
    out.open = latency(row["open"]);
    out.rate = positive(row["open"], "rate");
    out.reached = number(row["open"], "reached");
    out.missed = row["open"].at("missed").get<bool>();
  }
  for (const Json& one : row.at("cold")) out.cold.push_back({positive(one, "hz"), latency(one)});
  out.memory_kib = maybe(row, "memory_kib");
  out.state_bytes = maybe(row, "state_bytes");
  out.start_ms = maybe(row, "start_ms");
  out.snapshot_ms = maybe(row, "snapshot_ms");
  out.restore_ms = maybe(row, "restore_ms");
  out.swap_pause_ms = maybe(row, "swap_pause_ms");
  out.restart_ms = maybe(row, "restart_ms");
  out.hiccup_p999_ns = maybe(row, "hiccup_p999_ns");
  return out;
}

PitResult pit_of(const Json& from) {
  PitResult out{text(from, "pit"), text(from, "what"), from.contains("size") ? positive(from, "size") : 0, {}};
  for (const Json& row : from.at("modes")) out.modes.push_back(mode_of(row));
  return out;
}

// The curve in place of the histogram's text, which is a hundred times as long.
void shorten(Json& modes, const std::vector<ModeResult>& read) {
  for (std::size_t i = 0; i < modes.size(); ++i) {
    for (const char* key : {"closed", "open"}) {
      if (!modes[i].contains(key)) continue;
      if (!read[i].ok()) {  // such a row has no figures, whatever the file says
        modes[i].erase(key);
        continue;
      }
      modes[i][key].erase("histogram");
      modes[i][key]["curve"] = (key[0] == 'c' ? read[i].closed : *read[i].open).curve;
    }
  }
}

// `begin` and `end` of what stands in an HTML report; the text itself where it is no HTML.
std::string inside(const std::string& all, const char* open) {
  const auto at = all.find(open);
  if (at == std::string::npos) return {};
  const auto from = at + std::string_view(open).size();
  const auto to = all.find(data_close, from);
  return to == std::string::npos ? "" : all.substr(from, to - from);
}

std::string whole(const std::string& path, bool& failed) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  failed = !file || file.tellg() < 0 || file.tellg() > file_max;
  if (failed) return {};
  file.seekg(0);
  std::string out{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  failed = file.bad();
  return out;
}

ReadFault no_file(const std::string& path, const char* verb) {
  return {path + ": cannot be read: name what `symphony bench " + verb + " --out FILE` wrote"};
}

template <class Read>
ReadFault reading(const std::string& label, Read&& read) {
  try {
    return read();
  } catch (const Wrong& wrong) {
    return {label + ": " + wrong.text + ": measure again"};
  } catch (const Json::exception&) {
    return {label + ": a field is missing or of another kind: measure again"};
  }
}

}  // namespace

ReadFault parse_result(const std::string& given, const std::string& label, HostingResult& out) {
  const bool is_html = given.find(data_open) != std::string::npos;
  const Json document = Json::parse(is_html ? inside(given, data_open) : given, nullptr, false);
  return reading(label, [&]() -> ReadFault {
    if (!document.is_object() || document.value("format", "") != "symphony-hosting") {
      return {label + ": is no result: name what `symphony bench hosting --out FILE` wrote, or a report of it"};
    }
    if (document.at("version") != result_version) {
      return {label + ": a result of version " + document["version"].dump() + ", this release reads 1: measure again",
              true};
    }
    HostingResult read;
    const Json& machine = document.at("machine");
    read.cpu = text(machine, "cpu");
    read.kernel = text(machine, "kernel");
    read.governor = text(machine, "governor");
    read.isolated = text(machine, "isolated");
    read.date = text(machine, "date");
    read.commit = text(document, "commit");
    read.cores = machine.at("cores").get<unsigned>();
    read.rounds = document.at("rounds").get<unsigned>();
    read.seconds = number(document, "seconds");
    read.rate = positive(document, "rate");
    read.competing = number(document, "competing");
    read.quick = document.at("quick").get<bool>();
    read.disturbed = document.at("disturbed").get<bool>();
    for (const Json& pit : document.at("pits")) read.pits.push_back(pit_of(pit));
    for (const Json& pit : document.at("sizes")) read.sizes.push_back(pit_of(pit));
    if (read.pits.empty()) throw Wrong{"it has no pits"};
    read.raw = document;
    for (std::size_t i = 0; i < read.pits.size(); ++i) shorten(read.raw["pits"][i]["modes"], read.pits[i].modes);
    for (std::size_t i = 0; i < read.sizes.size(); ++i) shorten(read.raw["sizes"][i]["modes"], read.sizes[i].modes);
    out = std::move(read);
    if (const std::string faults = is_html ? inside(given, faults_open) : ""; !faults.empty())
      return parse_faults(faults, label, out);
    return {};
  });
}

ReadFault read_result(const std::string& path, HostingResult& out) {
  bool failed = false;
  const std::string all = whole(path, failed);
  return failed ? no_file(path, "hosting") : parse_result(all, path, out);
}

ReadFault parse_faults(const std::string& given, const std::string& label, HostingResult& into) {
  const Json document = Json::parse(given, nullptr, false);
  return reading(label, [&]() -> ReadFault {
    if (!document.is_object() || document.value("format", "") != "symphony-faults") {
      return {label + ": is no containment matrix: name what `symphony bench faults --out FILE` wrote"};
    }
    if (document.at("version") != faults_version) {
      return {label + ": a matrix of version " + document["version"].dump() + ", this release reads 1: run it again",
              true};
    }
    std::vector<FaultColumn> columns;
    for (const Json& mode : document.at("modes")) {
      FaultColumn& column = columns.emplace_back();
      column.mode = text(mode, "mode");
      column.profile = text(mode, "profile");
      column.faults = mode.at("faults").get<unsigned>();
      column.not_run = mode.at("not_run").get<unsigned>();
      std::set<std::string> seen;
      for (const Json& cell : mode.at("cells")) {
        FaultCell& one = column.cells.emplace_back();
        one.fault = text(cell, "fault");
        one.test = text(cell, "test");
        one.not_run = text(cell, "not_run");
        if (!seen.insert(one.fault).second) throw Wrong{"a fault stands twice in one mode"};
        if (!one.not_run.empty()) continue;
        one.kind = text(cell, "class");
        if (one.kind != "contained" && one.kind != "pit_lost" && one.kind != "host_lost" &&
            one.kind != "machine_hurt") {
          throw Wrong{"a cell's class is none that there is"};
        }
        // Counted from the cells: a sum that somebody wrote down is not believed.
        column.contained += one.kind == "contained";
        if (const auto back = maybe(cell, "service_back_ms"))
          one.detail = "back after " + std::to_string(std::lround(*back)) + " ms";
        if (const std::string signal = text(cell, "signal"); !signal.empty())
          one.detail += (one.detail.empty() ? "" : ", ") + signal;
      }
      if (column.contained != mode.at("contained").get<unsigned>())
        throw Wrong{"a mode's sum is not that of its cells"};
    }
    into.faults = std::move(columns);
    into.raw_faults = document;
    for (auto* pits : {&into.pits, &into.sizes}) {
      for (PitResult& pit : *pits) {
        for (ModeResult& row : pit.modes) {
          for (const FaultColumn& column : into.faults) {
            if (column.mode != row.hosting || column.profile != row.profile) continue;
            row.contained = column.contained;
            row.faults = column.faults;
          }
        }
      }
    }
    return {};
  });
}

ReadFault read_faults(const std::string& path, HostingResult& into) {
  bool failed = false;
  const std::string all = whole(path, failed);
  return failed ? no_file(path, "faults") : parse_faults(all, path, into);
}

}  // namespace symphony::tools
