// Measured documents made up for tests: the form that the commands write, with figures of the test's choice.
// Layer: tests.
#pragma once

#include <string>
#include <vector>

#include "bench/latency/histogram.hpp"
#include "tools/symphony/decision/result.hpp"

namespace symphony::tools {

struct RowPlan {
  std::string mode, hosting, profile;
  double p99_ns = 1000;
  std::vector<double> ratios{1, 1.01, 0.99};
  double swap_ms = 0.1, restart_ms = 5, restore_ms = 0.1;  // swap and restart below 0: none was measured
};

inline ResultJson row_json(const RowPlan& plan) {
  bench::Histogram h;
  h.record(static_cast<std::uint64_t>(plan.p99_ns / 2), 900);
  h.record(static_cast<std::uint64_t>(plan.p99_ns), 100);
  const ResultJson latency{{"n", 1000},
                           {"p50_ns", plan.p99_ns / 2},
                           {"p99_ns", plan.p99_ns},
                           {"p999_ns", plan.p99_ns},
                           {"max_ns", plan.p99_ns},
                           {"histogram", h.to_text()}};
  ResultJson open = latency;
  open["rate"] = 5000;
  open["reached"] = 5000;
  open["missed"] = false;
  ResultJson cold = latency;
  cold.erase("histogram");
  cold["hz"] = 100;
  const auto step = [](double ms) { return ms < 0 ? ResultJson(nullptr) : ResultJson(ms); };
  return {{"mode", plan.mode},
          {"hosting", plan.hosting},
          {"profile", plan.profile.empty() ? ResultJson(nullptr) : ResultJson(plan.profile)},
          {"transport", "t"},
          {"trust", "cooperative: checked"},
          {"placement", "p"},
          {"threads", 2},
          {"oversubscribed", false},
          {"loses", "something"},
          {"status", "ok"},
          {"outputs", "equal bytes"},
          {"replies", 10},
          {"ratio", {{"rounds", plan.ratios}}},
          {"line_ns", 100.0},
          {"call_ns", plan.p99_ns / 2},
          {"per_s", 2e9 / plan.p99_ns},
          {"cpu_ns", plan.p99_ns},
          {"closed", latency},
          {"open", open},
          {"cold", ResultJson::array({cold})},
          {"memory_kib", 1024},
          {"state_bytes", 1000},
          {"start_ms", 1.5},
          {"snapshot_ms", 0.1},
          {"restore_ms", plan.restore_ms},
          {"swap_pause_ms", step(plan.swap_ms)},
          {"restart_ms", step(plan.restart_ms)},
          {"hiccup_p999_ns", 100}};
}

inline ResultJson document_json(const std::vector<RowPlan>& rows, const std::string& pit = "dag_tracker",
                                const std::string& what = "claims") {
  ResultJson modes = ResultJson::array();
  for (const RowPlan& row : rows) modes.push_back(row_json(row));
  return {{"format", "symphony-hosting"},
          {"version", 1},
          {"commit", "0123456789abcdef"},
          {"machine",
           {{"cpu", "a processor"},
            {"cores", 2},
            {"kernel", "6.1"},
            {"governor", "performance"},
            {"isolated", ""},
            {"date", "2026-01-01T00:00:00Z"}}},
          {"rounds", 3},
          {"seconds", 10},
          {"rate", 5000},
          {"competing", 0.0},
          {"disturbed", false},
          {"quick", false},
          {"sizes", ResultJson::array()},
          {"pits", ResultJson::array({ResultJson{{"pit", pit}, {"what", what}, {"modes", modes}}})}};
}

// Each fault below `contained` in a column's order is contained, the others lose the host or the pit.
struct ColumnPlan {
  std::string mode, profile;
  std::size_t contained = 0;
};
inline ResultJson faults_json(const std::vector<ColumnPlan>& columns) {
  const char* names[] = {"null_write", "stack_overflow", "abort", "endless_loop", "opens_socket"};
  ResultJson out{
      {"format", "symphony-faults"}, {"version", 1}, {"machine", ResultJson::object()}, {"modes", ResultJson::array()}};
  for (const ColumnPlan& column : columns) {
    ResultJson cells = ResultJson::array();
    for (std::size_t i = 0; i < std::size(names); ++i) {
      cells.push_back({{"fault", names[i]},
                       {"class", i < column.contained ? "contained" : "host_lost"},
                       {"service_back_ms", nullptr},
                       {"signal", "SIGSEGV"},
                       {"exit", nullptr},
                       {"pid", 1},
                       {"host_pid", 2},
                       {"test", "t"},
                       {"output", ""},
                       {"not_run", nullptr}});
    }
    out["modes"].push_back({{"mode", column.mode},
                            {"profile", column.profile.empty() ? ResultJson(nullptr) : ResultJson(column.profile)},
                            {"contained", column.contained},
                            {"faults", std::size(names)},
                            {"not_run", 0},
                            {"cells", cells}});
  }
  return out;
}

// As measured on a quiet machine, roughly: what the advice is tried with.
inline std::vector<RowPlan> usual_rows() {
  return {{"static", "static", "", 300, {1, 1.01, 0.99}, -1, -1},
          {"dynamic", "dynamic", "", 320, {1, 1.01, 0.99}, 0.03, -1},
          {"wasm", "wasm", "", 900, {1, 1.01, 0.99}, 0.3, 1},
          {"process", "process", "", 3000, {10, 10.1, 9.9}, 8, 4},
          {"process+ring", "process", "ring", 5000, {12, 12.1, 11.9}, 12, 9},
          {"uds+json", "socket", "", 90000, {200, 202, 198}, -1, -1}};
}
inline std::vector<ColumnPlan> usual_faults() {
  return {{"static", "", 0}, {"dynamic", "", 0}, {"wasm", "", 4}, {"process", "", 4}, {"process", "ring", 5}};
}

inline HostingResult usual_result(bool with_faults = true) {
  HostingResult out;
  if (const ReadFault fault = parse_result(document_json(usual_rows()).dump(), "test", out); !fault.ok())
    throw fault.text;
  if (with_faults) {
    if (const ReadFault fault = parse_faults(faults_json(usual_faults()).dump(), "test", out); !fault.ok())
      throw fault.text;
  }
  return out;
}

}  // namespace symphony::tools
