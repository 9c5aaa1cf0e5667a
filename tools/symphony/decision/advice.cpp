#include "tools/symphony/decision/advice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "tools/symphony/decision/chart.hpp"
#include "tools/symphony/decision/verdict.hpp"
#include "tools/symphony/table.hpp"

namespace symphony::tools {
namespace {

// Faults that a way must have contained to count as crash tolerant.
constexpr std::string_view crashes[] = {"null_write", "stack_overflow", "abort"};

// Steps from the seed's simplest way.
int complexity(const ModeResult& row) {
  if (row.hosting == "static") return 0;
  if (row.hosting == "dynamic") return 1;
  if (row.hosting == "process") return row.profile.empty() ? 2 : 3;
  return row.hosting == "socket" ? 4 : 5;
}

std::string p99_of(const ModeResult& row) { return ns_text(row.decisive()->p99_ns); }

// What of the matrix a mode's column says about crashes; empty: all contained.
std::string crash_gap(const HostingResult& result, const ModeResult& row) {
  for (const FaultColumn& column : result.faults) {
    if (column.mode != row.hosting || column.profile != row.profile) continue;
    for (const std::string_view name : crashes) {
      const auto cell =
          std::find_if(column.cells.begin(), column.cells.end(), [&](const FaultCell& c) { return c.fault == name; });
      if (cell == column.cells.end() || !cell->not_run.empty()) return fmt::format("{} was not tried", name);
      if (cell->kind != "contained") return fmt::format("{} was not contained", name);
    }
    return {};
  }
  return "no faults were tried in it";
}

// After a death: a new instance, and its state restored, as large as it is to be.
std::optional<double> fail_over_ms(const ModeResult& row, double state_bytes) {
  if (!row.restart_ms || !row.restore_ms) return std::nullopt;
  const double scale =
      state_bytes > 0 && row.state_bytes && *row.state_bytes > 0 ? std::max(1.0, state_bytes / *row.state_bytes) : 1;
  return *row.restart_ms + *row.restore_ms * scale;
}
std::optional<double> swap_ms(const ModeResult& row, double state_bytes) {
  if (!row.swap_pause_ms) return std::nullopt;
  const double scale =
      state_bytes > 0 && row.state_bytes && *row.state_bytes > 0 ? std::max(1.0, state_bytes / *row.state_bytes) : 1;
  return *row.swap_pause_ms + (row.snapshot_ms.value_or(0) + row.restore_ms.value_or(0)) * (scale - 1);
}

// The rules of the checklist, as data: which way each takes away, and why.
struct Rule {
  std::string_view flag;
  bool (*asked)(const Requirements&);
  std::string (*against)(const HostingResult&, const ModeResult&, const Requirements&);  // empty: it may stay
  void (*drop)(Requirements&);
};
using R = Requirements;
const std::array<Rule, 7>& rules() {
  static const std::array<Rule, 7> all{{
      {"--untrusted", [](const R& r) { return r.untrusted; },
       [](const HostingResult&, const ModeResult& m, const R&) -> std::string {
         if (m.hosting == "wasm" || !m.profile.empty()) return {};
         return m.hosting == "process" || m.hosting == "socket" ? "a process without walls may do what its user may"
                                                                : "its code runs with all rights of the host";
       },
       [](R& r) { r.untrusted = false; }},
      {"--crash-tolerant", [](const R& r) { return r.crash_tolerant; },
       [](const HostingResult& result, const ModeResult& m, const R&) -> std::string {
         if (m.hosting == "static" || m.hosting == "dynamic") return "a crash ends the host";
         if (m.hosting == "socket") return "nothing starts it again";
         if (m.hosting == "wasm") return crash_gap(result, m);
         // A matrix that says otherwise outweighs the rule.
         return m.contained ? crash_gap(result, m) : "";
       },
       [](R& r) { r.crash_tolerant = false; }},
      {"--p99", [](const R& r) { return r.p99_ns.has_value(); },
       [](const HostingResult&, const ModeResult& m, const R& r) -> std::string {
         if (m.decisive()->p99_ns <= *r.p99_ns) return {};
         return fmt::format("its p99 of {} is {:.1f} times the {} allowed", p99_of(m), m.decisive()->p99_ns / *r.p99_ns,
                            ns_text(*r.p99_ns));
       },
       [](R& r) { r.p99_ns.reset(); }},
      {"--frequent-changes", [](const R& r) { return r.frequent_changes; },
       [](const HostingResult&, const ModeResult& m, const R&) -> std::string {
         if (m.hosting == "static") return "each change is a new build of the host";
         return m.hosting == "socket" ? "it has no swap: callers see the restart" : "";
       },
       [](R& r) { r.frequent_changes = false; }},
      {"--language", [](const R& r) { return r.language != "c++" && r.language != "c"; },
       [](const HostingResult&, const ModeResult& m, const R& r) -> std::string {
         const bool is_apart = m.hosting == "process" || m.hosting == "socket";
         if (r.language == "python") return is_apart ? "" : "Python runs in a process of its own only";
         return m.hosting == "wasm" ? "only C and C++ pits have this form here" : "";
       },
       [](R& r) { r.language = "c++"; }},
      {"--fail-over", [](const R& r) { return r.fail_over_ms.has_value(); },
       [](const HostingResult&, const ModeResult& m, const R& r) -> std::string {
         const auto ms = fail_over_ms(m, r.state_bytes);
         if (!ms) return "no way back from a death was measured";
         return *ms <= *r.fail_over_ms ? ""
                                       : fmt::format("{} from a death to service with its state, {} allowed",
                                                     ms_text(ms), ms_text(r.fail_over_ms));
       },
       [](R& r) { r.fail_over_ms.reset(); }},
      {"--swap-pause", [](const R& r) { return r.swap_pause_ms.has_value(); },
       [](const HostingResult&, const ModeResult& m, const R& r) -> std::string {
         const auto ms = swap_ms(m, r.state_bytes);
         if (!ms) return "no swap was measured";
         return *ms <= *r.swap_pause_ms
                    ? ""
                    : fmt::format("callers wait {} in a swap, {} allowed", ms_text(ms), ms_text(r.swap_pause_ms));
       },
       [](R& r) { r.swap_pause_ms.reset(); }},
  }};
  return all;
}

// The ways that are left, the advised one first.
std::vector<const ModeResult*> left_of(const HostingResult& result, const PitResult& pit, const Requirements& wanted,
                                       std::vector<Excluded>* excluded) {
  std::vector<const ModeResult*> out;
  for (const ModeResult& row : pit.modes) {
    const bool usable = row.ok() && row.decisive() != nullptr;
    std::string flag = usable ? "" : "measured",
                why = usable     ? ""
                      : row.ok() ? fmt::format("it did {:.0f} of {:.0f} calls a second", row.reached, row.rate)
                                 : row.why;
    for (const Rule& rule : rules()) {
      if (!flag.empty() || !rule.asked(wanted)) continue;
      why = rule.against(result, row, wanted);
      if (!why.empty()) flag = rule.flag;
    }
    if (flag.empty()) {
      out.push_back(&row);
    } else if (excluded != nullptr) {
      excluded->push_back({row.mode, flag, why});
    }
  }
  const auto key = [&](const ModeResult* m) {
    return std::tuple(speed_class(*m), wanted.simple ? complexity(*m) : 0, m->decisive()->p99_ns, m->mode);
  };
  std::sort(out.begin(), out.end(), [&](auto* a, auto* b) { return key(a) < key(b); });
  return out;
}

std::vector<std::string> manifest_of(const PitResult& pit, const ModeResult& row) {
  if (row.hosting == "process") {
    std::vector<std::string> out{"# " + pit.pit + ".toml", "name = \"" + pit.pit + "\"",
                                 "file = \"" + pit.pit + ".so\""};
    if (!row.profile.empty()) out.insert(out.end(), {"trust = \"hostile\"", "sandbox = \"" + row.profile + "\""});
    const auto more = row.mode.find('+');
    if (row.profile.empty() && more != std::string::npos)
      out.push_back("waiting = \"" + row.mode.substr(more + 1) + "\"");
    return out;
  }
  if (row.hosting == "socket") return {"# a server of your own: nothing of this project watches over it"};
  if (row.hosting == "static")
    return {"SYMPHONY_DECLARE_PIT(" + pit.pit + ");",
            "conductor.mount(\"" + pit.pit + "\", {.mode = symphony::Mode::static_, .entry = symphony_pit_" + pit.pit +
                "()});"};
  return {"conductor.mount(\"" + pit.pit + "\", {.mode = symphony::Mode::" + row.hosting + ", .file = \"" + pit.pit +
          (row.hosting == "wasm" ? "_wasm" : "") + ".so\"});"};
}

}  // namespace

long speed_class(const ModeResult& row) {
  return std::lround(std::floor(std::log(std::max(1.0, row.decisive()->p99_ns)) / std::log(1.05)));
}

Advice advise(const HostingResult& result, const PitResult& pit, const Requirements& wanted) {
  Advice out;
  const auto left = left_of(result, pit, wanted, &out.excluded);
  const auto without = [&](const Rule& rule) {
    Requirements less = wanted;
    rule.drop(less);
    return left_of(result, pit, less, nullptr);
  };
  if (!left.empty()) {
    out.mode = left[0];
    if (left.size() > 1) out.runner_up = left[1];
    const Latency& l = *out.mode->decisive();
    out.reasons.push_back(
        fmt::format("of the {} ways that meet what you ask it is the {}: p50 {}, p99 {}, p99.9 {} ({} samples)",
                    left.size(), wanted.simple ? "simplest of the fastest" : "fastest", ns_text(l.p50_ns),
                    ns_text(l.p99_ns), ns_text(l.p999_ns), l.n));
    if (out.mode->contained)
      out.reasons.push_back(fmt::format("it contained {} injected faults", score_text(*out.mode)));
    if (wanted.frequent_changes)
      out.reasons.push_back("callers wait " + ms_text(swap_ms(*out.mode, wanted.state_bytes)) + " in a swap");
    if (wanted.crash_tolerant)
      out.reasons.push_back("after a death it serves again, with its state, in " +
                            ms_text(fail_over_ms(*out.mode, wanted.state_bytes)));
    out.manifest = manifest_of(pit, *out.mode);
  }
  for (const Rule& rule : rules()) {
    if (!rule.asked(wanted)) continue;
    const auto others = without(rule);
    if (others.empty() || (!left.empty() && others[0] == left[0])) continue;
    out.what_if.push_back({"without " + std::string(rule.flag), others[0]->mode, p99_of(*others[0])});
    if (!left.empty() || !out.conflict.empty()) continue;
    out.conflict = fmt::format("{} conflicts with the rest: {}, which meets the rest, does not meet it: {}", rule.flag,
                               others[0]->mode, rule.against(result, *others[0], wanted));
  }
  if (left.empty() && out.conflict.empty())
    out.conflict = "more than one requirement conflicts: see what took each way away";
  for (auto [flag, change] : {std::pair{"with --untrusted", +[](Requirements& r) { r.untrusted = true; }},
                              {"with --crash-tolerant", +[](Requirements& r) { r.crash_tolerant = true; }},
                              {"with --frequent-changes", +[](Requirements& r) { r.frequent_changes = true; }}}) {
    Requirements more = wanted;
    change(more);
    const auto others = left_of(result, pit, more, nullptr);
    if (!left.empty() && (others.empty() || others[0] != left[0]))
      out.what_if.push_back({flag, others.empty() ? "" : others[0]->mode, others.empty() ? "" : p99_of(*others[0])});
  }
  if (wanted.other_host)
    out.notes.push_back(
        "another host: nothing here leaves this machine, so no figure says what a network adds; the advice is for the "
        "part on this one");
  if (result.faults.empty())
    out.notes.push_back(
        "no matrix of faults was given: what each way contains follows from rules alone, and wasm does not count as "
        "crash tolerant");
  if (result.disturbed)
    out.notes.push_back("others used the processors while this was measured: measure again on a quiet machine");
  return out;
}

std::string advice_text(const HostingResult& result, const PitResult& pit, const Advice& advice) {
  std::string out;
  if (advice.mode == nullptr) {
    out += "No way of hosting " + pit.pit + " meets all of it: " + advice.conflict + ".\n";
  } else {
    out += "Use " + advice.mode->mode + " for " + pit.pit + ".\n";
    for (const std::string& reason : advice.reasons) out += "  - " + reason + "\n";
    if (advice.runner_up != nullptr)
      out += fmt::format("Runner-up: {}, p99 {}, {} faults contained; you lose: {}.\n", advice.runner_up->mode,
                         p99_of(*advice.runner_up), score_text(*advice.runner_up), advice.runner_up->loses);
  }
  for (const WhatIf& one : advice.what_if)
    out += fmt::format("Would change: {}: {}\n", one.change,
                       one.mode.empty() ? "no way is left" : one.mode + " (p99 " + one.p99 + ")");
  if (!advice.excluded.empty()) {
    Table table({"taken away", "by", "because"});
    for (const Excluded& one : advice.excluded) table.add_row({one.mode, one.flag, one.why});
    out += table.text();
  }
  for (const std::string& note : advice.notes) out += note + "\n";
  if (!advice.manifest.empty()) out += "\n";
  for (const std::string& line : advice.manifest) out += line + "\n";
  out += fmt::format("\nMeasured {} on {}, {} processors, commit {}.\n", result.date, result.cpu, result.cores,
                     result.commit);
  // Line by line: texts of a result file must not drive a terminal.
  std::string clean, line;
  for (const char c : out) {
    if (c != '\n')
      line += c;
    else
      clean += without_controls(line) + "\n", line.clear();
  }
  return clean;
}

ResultJson advice_json(const HostingResult& result, const PitResult& pit, const Advice& advice) {
  ResultJson out{{"schema", "symphony.cli/1"},
                 {"command", "advise"},
                 {"pit", pit.pit},
                 {"mode", nullptr},
                 {"p99_ns", nullptr},
                 {"runner_up", nullptr},
                 {"reasons", advice.reasons},
                 {"conflict", advice.conflict},
                 {"manifest", advice.manifest},
                 {"notes", advice.notes},
                 {"excluded", ResultJson::array()},
                 {"would_change", ResultJson::array()},
                 {"measured", result.date},
                 {"commit", result.commit}};
  if (advice.mode != nullptr) out["mode"] = advice.mode->mode, out["p99_ns"] = advice.mode->decisive()->p99_ns;
  if (advice.runner_up != nullptr) out["runner_up"] = advice.runner_up->mode;
  for (const Excluded& one : advice.excluded)
    out["excluded"].push_back({{"mode", one.mode}, {"by", one.flag}, {"because", one.why}});
  for (const WhatIf& one : advice.what_if)
    out["would_change"].push_back({{"change", one.change},
                                   {"mode", one.mode.empty() ? ResultJson(nullptr) : ResultJson(one.mode)},
                                   {"p99", one.p99}});
  return out;
}

}  // namespace symphony::tools
