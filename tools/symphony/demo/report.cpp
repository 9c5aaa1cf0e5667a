#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "bench/support/figure.hpp"
#include "tools/symphony/demo/demo.hpp"
#include "tools/symphony/table.hpp"

namespace symphony::tools {
namespace {

constexpr std::size_t archive_tasks_min = 50'000;

struct Row {
  const char* mode;
  std::uint32_t workers;
  const RunResult& run;
};

std::vector<Row> rows_of(const DemoResult& r) {
  return {{"static", 1, r.static_one},
          {"process", 1, r.process_one},
          {"static", r.workers, r.static_many},
          {"process", r.workers, r.process_many}};
}

double per_second(std::uint64_t count, TimeNs ns) {
  return ns <= 0 ? 0 : static_cast<double>(count) * static_cast<double>(second_ns) / static_cast<double>(ns);
}

std::string duration(std::uint64_t ns) { return duration_text(static_cast<std::int64_t>(ns)); }

double ratio(std::uint64_t a, std::uint64_t b) { return b == 0 ? 0 : static_cast<double>(a) / static_cast<double>(b); }

std::string graph_line(const DemoResult& r) {
  std::string line =
      fmt::format("{}: {} tasks, {} edges, {} levels", without_controls(r.input),
                  count_text(r.graph.graph.names.size()), count_text(r.graph.graph.edges.size()), r.static_one.levels);
  if (r.graph.groups != 0) {
    line += fmt::format("; {} cycles condensed ({} packages in {} groups, largest {})", r.graph.groups, r.graph.members,
                        r.graph.groups, r.graph.largest);
  }
  return line;
}

}  // namespace

std::string demo_text(const DemoResult& r) {
  std::string out = graph_line(r) + fmt::format("; read in {}\n", duration_text(r.read_ns));
  for (const std::string& note : note_lines(r.graph.graph.notes)) out += "  " + note + "\n";
  out += "\n";
  Table table({"mode", "workers", "calls", "calls/s", "p50", "p99", "p99.9", "max", "graphs", "load", "total"});
  for (const Row& row : rows_of(r)) {
    const auto& h = row.run.latency;
    table.add_row({row.mode, std::to_string(row.workers), count_text(row.run.calls),
                   count_text(static_cast<std::uint64_t>(per_second(row.run.calls, row.run.work_ns))),
                   duration(h.percentile_ns(50)), duration(h.percentile_ns(99)), duration(h.percentile_ns(99.9)),
                   duration(h.max_ns()), count_text(row.run.graphs), duration_text(row.run.load_ns),
                   duration_text(row.run.total_ns)});
  }
  out += table.text() + "\n";
  out += fmt::format("replies, 1 worker:    {} ({} compared byte for byte)\n", r.replies_equal ? "equal" : "DIFFERENT",
                     count_text(r.replies_compared));
  out += fmt::format(
      "final states:         {} ({} graphs in both modes)\n", r.states_equal ? "equal" : "DIFFERENT",
      count_text(r.static_one.graphs + r.process_one.graphs + r.static_many.graphs + r.process_many.graphs));
  std::uint64_t lost = 0;
  std::uint64_t twice = 0;
  for (const Row& row : rows_of(r)) {
    lost += row.run.lost;
    twice += row.run.duplicated;
  }
  out += fmt::format("lost, duplicated:     {}, {}\n", lost, twice);
  if (r.killed) {
    out += fmt::format("pit killed half-way:  first reply again after {} (new process, state from its journal)\n",
                       duration_text(r.process_many.recovery_ns));
  }
  out +=
      fmt::format("transitions, 1 worker: {}/s static, {}/s process\n",
                  count_text(static_cast<std::uint64_t>(per_second(r.static_one.transitions, r.static_one.work_ns))),
                  count_text(static_cast<std::uint64_t>(per_second(r.process_one.transitions, r.process_one.work_ns))));
  if (r.yardstick.line_rtt_ns != 0) {
    const std::uint64_t p50 = r.process_one.latency.percentile_ns(50);
    out += fmt::format(
        "process call p50 {}: {:.1f} x a raw cache-line round trip ({}), {:.2f} x a Unix-socket one ({}), same run\n",
        duration(p50), ratio(p50, r.yardstick.line_rtt_ns), duration(r.yardstick.line_rtt_ns),
        ratio(p50, r.yardstick.uds_rtt_ns), duration(r.yardstick.uds_rtt_ns));
  }
  return out;
}

std::string demo_json(const DemoResult& r) {
  nlohmann::ordered_json doc;
  doc["schema"] = "symphony.cli/1";
  doc["command"] = "demo";
  doc["good"] = r.good();
  doc["graph"] = {{"input", r.input},
                  {"tasks", r.graph.graph.names.size()},
                  {"edges", r.graph.graph.edges.size()},
                  {"levels", r.static_one.levels},
                  {"cycles_condensed", r.graph.groups},
                  {"tasks_in_cycles", r.graph.members},
                  {"largest_cycle", r.graph.largest},
                  {"read_ns", r.read_ns},
                  {"notes", note_lines(r.graph.graph.notes)}};
  for (const Row& row : rows_of(r)) {
    const auto& h = row.run.latency;
    doc["runs"].push_back({{"mode", row.mode},
                           {"workers", row.workers},
                           {"calls", row.run.calls},
                           {"calls_per_s", per_second(row.run.calls, row.run.work_ns)},
                           {"p50_ns", h.percentile_ns(50)},
                           {"p99_ns", h.percentile_ns(99)},
                           {"p999_ns", h.percentile_ns(99.9)},
                           {"max_ns", h.max_ns()},
                           {"graphs", row.run.graphs},
                           {"transitions_per_s", per_second(row.run.transitions, row.run.work_ns)},
                           {"load_ns", row.run.load_ns},
                           {"total_ns", row.run.total_ns},
                           {"lost", row.run.lost},
                           {"duplicated", row.run.duplicated},
                           {"endings_dropped", row.run.dropped}});
  }
  doc["total_ns"] = r.total_ns;
  doc["replies_equal"] = r.replies_equal;
  doc["replies_compared"] = r.replies_compared;
  doc["states_equal"] = r.states_equal;
  doc["killed"] = r.killed;
  doc["recovery_ns"] = r.killed ? nlohmann::ordered_json(r.process_many.recovery_ns) : nlohmann::ordered_json();
  const bool measured = r.yardstick.line_rtt_ns != 0;
  doc["yardstick"] = measured ? nlohmann::ordered_json{{"line_rtt_ns", r.yardstick.line_rtt_ns},
                                                       {"uds_rtt_ns", r.yardstick.uds_rtt_ns},
                                                       {"n", r.yardstick.n}}
                              : nlohmann::ordered_json();
  // Names of a hostile input file may be anything; the document stays valid UTF-8.
  return doc.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

bool write_demo_figures(const DemoResult& r) {
  using bench::Figure;
  std::vector<Figure> figures;
  const auto add = [&](std::string name, double value, std::string unit, std::uint64_t n, TimeNs ns,
                       std::string note = {}) {
    if (n == 0) return;
    figures.push_back({.name = std::move(name),
                       .value = value,
                       .of = {},
                       .unit = std::move(unit),
                       .n = n,
                       .seed = {},
                       .seconds = static_cast<double>(ns) / static_cast<double>(second_ns),
                       .note = std::move(note)});
  };
  const auto modes = {std::pair<const char*, const RunResult&>{"static", r.static_one},
                      std::pair<const char*, const RunResult&>{"process", r.process_one}};
  for (const auto& [mode, run] : modes) {
    const std::string suffix = mode;
    const std::uint64_t n = run.latency.count();
    add("demo.calls_per_s." + suffix, per_second(run.calls, run.work_ns), "1/s", n, run.total_ns, "1 worker");
    add("demo.p50_ns." + suffix, static_cast<double>(run.latency.percentile_ns(50)), "ns", n, run.total_ns, "1 worker");
    add("demo.p99_ns." + suffix, static_cast<double>(run.latency.percentile_ns(99)), "ns", n, run.total_ns, "1 worker");
  }
  std::uint64_t calls = 0;
  std::uint64_t lost = 0;
  std::uint64_t twice = 0;
  TimeNs total = 0;
  for (const Row& row : rows_of(r)) {
    calls += row.run.calls;
    lost += row.run.lost;
    twice += row.run.duplicated;
    total += row.run.total_ns;
  }
  add("demo.seconds", static_cast<double>(r.total_ns) / static_cast<double>(second_ns), "s", 1, r.total_ns,
      fmt::format("{} tasks; to end in under 10 s on the machine's own graph", r.graph.graph.names.size()));
  add("demo.lost", static_cast<double>(lost), "count", calls, total);
  add("demo.duplicated", static_cast<double>(twice), "count", calls, total);
  if (r.killed) {
    add("demo.recovery_ms", static_cast<double>(r.process_many.recovery_ns) / static_cast<double>(ms_ns), "ms", 1,
        r.process_many.total_ns, "SIGKILL to the first reply of the next process, which goes on from the journal");
  }
  if (r.yardstick.line_rtt_ns != 0) {
    const std::uint64_t p50 = r.process_one.latency.percentile_ns(50);
    const TimeNs ns = r.process_one.total_ns;
    add("demo.rtt_over_line", ratio(p50, r.yardstick.line_rtt_ns), "ratio", r.yardstick.n, ns,
        "p50 over p50, 1 worker");
    add("demo.rtt_over_uds", ratio(p50, r.yardstick.uds_rtt_ns), "ratio", r.yardstick.n, ns, "p50 over p50, 1 worker");
    add("yardstick.line_rtt_ns", static_cast<double>(r.yardstick.line_rtt_ns), "ns", r.yardstick.n, ns);
    add("yardstick.uds_rtt_ns", static_cast<double>(r.yardstick.uds_rtt_ns), "ns", r.yardstick.n, ns);
  }
  // Of the whole archive only: a figure of a small list would carry the same name.
  if (r.graph.graph.notes.format == GraphFormat::apt_packages && r.graph.graph.names.size() >= archive_tasks_min) {
    add("dag.read_ms", static_cast<double>(r.read_ns) / static_cast<double>(ms_ns), "ms", 1, r.read_ns,
        fmt::format("{} tasks; unpack, read, resolve, condense", r.graph.graph.names.size()));
    add("dag.load_ms", static_cast<double>(r.static_one.load_ns) / static_cast<double>(ms_ns), "ms",
        r.static_one.graphs, r.static_one.total_ns,
        fmt::format("{} tasks; to the pit, static", r.graph.graph.names.size()));
    add("dag.transitions_per_s.static", per_second(r.static_one.transitions, r.static_one.work_ns), "1/s",
        r.static_one.transitions, r.static_one.work_ns, fmt::format("{} tasks", r.graph.graph.names.size()));
  }
  for (const Figure& figure : figures) {
    if (const auto written = bench::write_figure(figure); !written) {
      std::fprintf(stderr, "symphony demo: figure %s: %s\n", figure.name.c_str(), written.error().text);
      return false;
    }
  }
  return true;
}

}  // namespace symphony::tools
