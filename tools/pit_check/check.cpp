#include "tools/pit_check/check.hpp"

#include <algorithm>
#include <utility>

#include "pits/hosting/process/python.hpp"
#include "tools/pit_check/between.hpp"
#include "tools/pit_check/cases.hpp"
#include "tools/pit_check/child.hpp"
#include "tools/pit_check/modes.hpp"
#include "tools/pit_check/trial.hpp"

namespace symphony::pit_check {
namespace {

bool chosen(const Case& one, std::string_view only) {
  return only.empty() || one.name == only || (one.name.starts_with(only) && one.name[only.size()] == '.');
}

bool applies(const Case& one, const Stage& stage) {
  switch (one.ground) {
    case Ground::any:
      return true;
    case Ground::file:
      return !stage.symbol().empty();
    case Ground::instance:
      return stage.has_instances();
    case Ground::trap:
      return stage.can_trap();
    case Ground::process:
      return !stage.has_instances();
  }
  return false;
}

Finding run_case(const Case& one, Stage& stage, const CheckOptions& options) {
  Trial trial(stage, options.seed, one.name, options.percent);
  Between::of_this_process().begin();
  try {
    one.run(trial);
    return {Verdict::passed, trial.remark};
  } catch (const Failed& failed) {
    return {Verdict::failed, failed.why};
  } catch (const Skipped& skipped) {
    return {Verdict::skipped, skipped.why};
  } catch (const std::exception& e) {
    return {Verdict::failed, std::string("the case itself failed: ") + e.what()};
  }
}

CaseResult run_one(const Case& one, Stage& stage, const CheckOptions& options) {
  CaseResult result;
  result.mode = stage.mode();
  result.name = one.name;
  const TimeNs before = now_ns();
  const auto body = [&] { return run_case(one, stage, options); };
  Finding finding = options.in_process ? body() : run_in_child(body, options.time_limit_ns);
  result.took_ns = now_ns() - before;
  result.verdict = finding.verdict;
  result.text = std::move(finding.text);
  result.output = std::move(finding.output);
  return result;
}

// Every later case would say the same of a pit that does not start.
CaseResult not_run(const Case& one, const Stage& stage) {
  CaseResult result;
  result.mode = stage.mode();
  result.name = one.name;
  result.verdict = Verdict::skipped;
  result.text = "not run: " + std::string(case_that_loads) + " failed";
  return result;
}

void run_mode(const ModeKind& kind, const Subject& subject, const CheckOptions& options, Report& report) {
  ModeResult mode;
  mode.mode = kind.name;
  std::unique_ptr<Stage> stage;
  mode.missing = kind.make(subject, stage);
  if (stage != nullptr) {
    bool loads = true;
    for (const Case& one : all_cases()) {
      if (!chosen(one, options.only) || !applies(one, *stage)) continue;
      CaseResult result = loads || one.ground == Ground::file ? run_one(one, *stage, options) : not_run(one, *stage);
      loads = loads && (one.name != case_that_loads || result.verdict != Verdict::failed);
      ++(result.verdict == Verdict::passed   ? mode.passed
         : result.verdict == Verdict::failed ? mode.failed
                                             : mode.skipped);
      if (options.on_case) options.on_case(result);
      report.cases.push_back(std::move(result));
    }
  }
  report.modes.push_back(std::move(mode));
}

}  // namespace

std::string_view to_string(Verdict verdict) noexcept {
  switch (verdict) {
    case Verdict::passed:
      return "passed";
    case Verdict::failed:
      return "failed";
    case Verdict::skipped:
      return "skipped";
  }
  return "?";
}

bool Report::ok() const noexcept {
  return ran() && std::all_of(modes.begin(), modes.end(), [](const ModeResult& mode) { return mode.failed == 0; });
}

bool is_case(std::string_view name) {
  const auto cases = all_cases();
  return std::any_of(cases.begin(), cases.end(), [&](const Case& one) { return chosen(one, name); });
}

bool is_mode(std::string_view name) {
  const auto kinds = mode_kinds();
  return std::any_of(kinds.begin(), kinds.end(), [&](const ModeKind& kind) { return kind.name == name; });
}

Report check(const std::string& path, const CheckOptions& options) {
  pit::PitFile file;
  if (pit::Outcome read = pit::read_any_pit(path, file); !read.ok()) return {std::move(read.text), {}, {}};
  if (file.notes.size() != 1)
    return {path + " holds several pits, and the .so of a pit has one: build one .so a pit", {}, {}};
  return check(file, options);
}

Report check(const pit::PitFile& file, const CheckOptions& options) {
  Report report;
  const Subject subject{file, options.programs, options.linked, options.in_process ? 0 : options.time_limit_ns};
  for (const ModeKind& kind : mode_kinds()) {
    if (options.mode.empty() || options.mode == kind.name) run_mode(kind, subject, options, report);
  }
  return report;
}

}  // namespace symphony::pit_check
