#include "tools/symphony/decision/verdict.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "tools/symphony/decision/chart.hpp"
#include "tools/symphony/table.hpp"

namespace symphony::tools {
namespace {

bool usable(const ModeResult& row) { return row.ok() && row.decisive() != nullptr; }

bool better(const ModeResult& a, const ModeResult& b) {
  if (contained_share(a) != contained_share(b)) return contained_share(a) > contained_share(b);
  return a.decisive()->p99_ns < b.decisive()->p99_ns;
}

}  // namespace

const PitResult& main_pit(const HostingResult& result) { return result.pits.back(); }

std::string score_text(const ModeResult& row) {
  return row.contained ? fmt::format("{}/{}", *row.contained, row.faults) : "not tried";
}
double contained_share(const ModeResult& row) {
  return row.contained && row.faults > 0 ? static_cast<double>(*row.contained) / row.faults : 0;
}
std::string ms_text(const std::optional<double>& ms) { return ms ? ns_text(*ms * 1e6) : "-"; }

std::string verdict_of(const HostingResult& result, const PitResult& pit) {
  const ModeResult *best = nullptr, *fastest = nullptr;
  for (const ModeResult& row : pit.modes) {
    if (!usable(row)) continue;
    if (best == nullptr || better(row, *best)) best = &row;
    if (fastest == nullptr || row.decisive()->p99_ns < fastest->decisive()->p99_ns) fastest = &row;
  }
  const std::string begin = fmt::format("On this machine, for {} ({}), ", pit.pit, pit.what);
  if (best == nullptr)
    return begin + "no way of hosting kept the rate: measure at a lower --rate, or on a quiet machine.";
  const auto p99 = [](const ModeResult& row) { return ns_text(row.decisive()->p99_ns); };
  if (result.faults.empty()) {
    return begin +
           fmt::format(
               "{} is the fastest (p99 {}); which way contains faults is not in this result: symphony bench faults.",
               best->mode, p99(*best));
  }
  std::string out = begin + fmt::format("use {}: it contained {} of {} faults with a p99 of {}", best->mode,
                                        best->contained.value_or(0), best->faults, p99(*best));
  if (best == fastest) return out + "; nothing is faster.";
  return out + fmt::format("; next best {}, which contained {} and gains a p99 of {} ({:.1f} times as fast).",
                           fastest->mode,
                           fastest->contained ? fmt::format("{} of {}", *fastest->contained, fastest->faults)
                                              : std::string("no fault that was tried"),
                           p99(*fastest), best->decisive()->p99_ns / fastest->decisive()->p99_ns);
}

std::vector<std::vector<std::string>> verdict_rows(const PitResult& pit) {
  std::vector<std::vector<std::string>> out;
  for (const ModeResult& row : pit.modes) {
    if (!row.ok()) {
      out.push_back({row.mode, (row.status == "failed" ? "failed: " : "not hosted: ") + row.why});
      out.back().resize(verdict_heads().size());
      continue;
    }
    const Latency* l = row.decisive();
    const auto time = [&](double Latency::*field) { return l == nullptr ? std::string("missed") : ns_text(l->*field); };
    out.push_back({row.mode + (row.oversubscribed ? " (oversubscribed)" : ""), time(&Latency::p50_ns),
                   time(&Latency::p99_ns), time(&Latency::p999_ns), time(&Latency::max_ns),
                   count_text(static_cast<std::uint64_t>(row.per_s)), ns_text(row.cpu_ns),
                   row.memory_kib ? fmt::format("{:.1f} MiB", *row.memory_kib / 1024) : "-", ms_text(row.restart_ms),
                   ms_text(row.swap_pause_ms), score_text(row), row.trust.substr(0, row.trust.find(':')), row.loses});
  }
  return out;
}

std::vector<std::string> trust_strip(const HostingResult& result) {
  double floor = 0;
  for (const ModeResult& row : main_pit(result).modes) floor = std::max(floor, row.hiccup_p999_ns.value_or(0));
  std::vector<std::string> out{
      result.cpu,
      fmt::format("{} processors, isolated: {}", result.cores, result.isolated.empty() ? "none" : result.isolated),
      "Linux " + result.kernel,
      "governor " + result.governor,
      result.date,
      "commit " + result.commit,
      "noise floor p99.9 " + ns_text(floor) + " (hiccup meter)",
      fmt::format("{} rounds of fresh processes{}", result.rounds, result.quick ? ", a quick run" : ""),
      fmt::format("p99 at {:.0f} calls a second, from when each was due", result.rate)};
  if (result.cores < 3) out.push_back("two processors: a row of two processes leaves none for anything else");
  if (result.disturbed)
    out.push_back(fmt::format("BAD ENVIRONMENT: others used {:.0f} % of the processors", result.competing * 100));
  return out;
}

std::vector<const ModeResult*> pareto_of(const PitResult& pit) {
  std::vector<const ModeResult*> all, out;
  for (const ModeResult& row : pit.modes) {
    if (usable(row) && row.contained) all.push_back(&row);
  }
  std::sort(all.begin(), all.end(), [](auto* a, auto* b) { return a->decisive()->p99_ns < b->decisive()->p99_ns; });
  for (const ModeResult* row : all) {
    if (out.empty() || contained_share(*row) > contained_share(*out.back())) out.push_back(row);
  }
  return out;
}

}  // namespace symphony::tools
