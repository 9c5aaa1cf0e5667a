// A measured document, read back: what report, comparison and advice work with.   Layer: tools. Threads: plain values.
// Trust: the file may be anybody's: every field is checked, and every text of it is data.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tools/symphony/decision/interval.hpp"

namespace symphony::tools {

using ResultJson = nlohmann::ordered_json;

struct Latency {
  double n = 0, p50_ns = 0, p99_ns = 0, p999_ns = 0, max_ns = 0;
  std::vector<std::pair<double, double>> curve{};  // percentile, nanoseconds; as far as n reaches
};
struct ColdLatency {
  double hz = 0;
  Latency latency;
};

struct ModeResult {
  std::string mode, hosting, profile, transport, trust, placement, loses, status, why, outputs;
  bool oversubscribed = false;
  Interval ratio;  // of a call over the cache line's round trip
  double line_ns = 0, call_ns = 0, per_s = 0, cpu_ns = 0;
  Latency closed;
  std::optional<Latency> open;
  double rate = 0, reached = 0;
  bool missed = false;
  std::vector<ColdLatency> cold;
  std::optional<double> memory_kib, state_bytes, start_ms, snapshot_ms, restore_ms, swap_pause_ms, restart_ms,
      hiccup_p999_ns;
  std::optional<unsigned> contained;  // of `faults`, where faults were injected into this way
  unsigned faults = 0;

  [[nodiscard]] bool ok() const noexcept { return status == "ok"; }
  // At the rate where it was reached, else of back-to-back calls where there is no rate. Nothing: the rate was missed.
  [[nodiscard]] const Latency* decisive() const noexcept { return open ? missed ? nullptr : &*open : &closed; }
};

struct PitResult {
  std::string pit, what;
  double size = 0;  // of a sweep; 0: none
  std::vector<ModeResult> modes;
};

struct FaultCell {
  std::string fault, kind, detail, test, not_run;  // kind: contained, pit_lost, host_lost, machine_hurt
};
struct FaultColumn {
  std::string mode, profile;
  unsigned contained = 0, faults = 0, not_run = 0;
  std::vector<FaultCell> cells;
};

struct HostingResult {
  std::string cpu, kernel, governor, isolated, date, commit;
  unsigned cores = 0, rounds = 0;
  double seconds = 0, rate = 0, competing = 0;
  bool quick = false, disturbed = false;
  std::vector<PitResult> pits, sizes;
  std::vector<FaultColumn> faults;
  ResultJson raw;         // without histograms: what the report carries
  ResultJson raw_faults;  // null: none were given
};

inline constexpr int result_version = 1;
inline constexpr int faults_version = 1;

// Both: empty text when read, else one line with the file and the remedy; `is_version`: it is of another release.
struct ReadFault {
  std::string text;
  bool is_version = false;
  [[nodiscard]] bool ok() const noexcept { return text.empty(); }
};
// A JSON document, or a report as HTML, which has it inside.
[[nodiscard]] ReadFault read_result(const std::string& path, HostingResult& out);
[[nodiscard]] ReadFault parse_result(const std::string& text, const std::string& label, HostingResult& out);
// Of `symphony bench faults`; joins it: rows whose hosting and profile were tried get their score.
[[nodiscard]] ReadFault read_faults(const std::string& path, HostingResult& into);
[[nodiscard]] ReadFault parse_faults(const std::string& text, const std::string& label, HostingResult& into);

// Where the document stands in a report.
inline constexpr const char* data_open = "<script type=\"application/json\" id=\"symphony-result\">";
inline constexpr const char* faults_open = "<script type=\"application/json\" id=\"symphony-faults\">";
inline constexpr const char* data_close = "</script>";

}  // namespace symphony::tools
