#include "tools/symphony/run/run_look.hpp"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "dag_tracker_generated.h"
#include "tools/symphony/exit_status.hpp"
#include "tools/symphony/graph/input_error.hpp"
#include "tools/symphony/run/attempt.hpp"
#include "tools/symphony/run/run_pits.hpp"
#include "tools/symphony/write_all.hpp"

namespace symphony::tools {
namespace {

int look_failed(int exit_status, const std::string& text) {
  std::fprintf(stderr, "symphony run: %s\n", text.c_str());
  return exit_status;
}

std::string_view word_of(std::uint8_t state) {
  switch (dag::TaskState{state}) {
    case dag::TaskState::WAITING:
      return "waiting";
    case dag::TaskState::READY:
      return "ready";
    case dag::TaskState::CACHED:
      return "finished before";
    default:
      return "not known";
  }
}

// Everything that the journal has finished is so in the tracker too; the rest is ready, or waits.
bool replay(RunPits& pits, const Work& work, const FinishedTasks& finished) {
  constexpr std::uint32_t seat = 0;
  std::vector<bool> cached(work.tasks.size());
  std::uint32_t unfinished = 0;
  for (SeatClaim claim;;) {
    if (!pits.claim(seat, claim)) return false;
    if (claim.token == 0) return pits.give_back(seat);
    if (!is_finished(finished, work, claim.task, cached)) continue;
    cached[claim.task] = true;
    if (!pits.complete(claim.task, claim.token, true, 0, unfinished)) return false;
  }
}

std::string told_in_lines(const Work& work, const TaskWhy& why) {
  std::string out;
  for (std::size_t i = 0; i < why.chain.size(); ++i) {
    const auto& [task, state] = why.chain[i];
    out += (i == 0 ? "" : "  because ") + printable(work.tasks[task].id, Work::id_size_max) + " is " +
           std::string(word_of(state));
    if (i == 0 && why.waits_for != 0) out += " for " + std::to_string(why.waits_for) + " of what it needs";
    if (dag::TaskState{state} == dag::TaskState::READY) {
      out += why.ahead == 0 ? ": the first to start" : ": " + std::to_string(why.ahead) + " start before it";
    }
    out += "\n";
  }
  return out;
}

std::string told_as_json(const Work& work, const TaskWhy& why) {
  nlohmann::ordered_json chain = nlohmann::ordered_json::array();
  for (const auto& [task, state] : why.chain) {
    std::string name = dag::EnumNameTaskState(dag::TaskState{state});
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    chain.push_back({{"id", work.tasks[task].id}, {"state", name}});
  }
  const nlohmann::ordered_json told{
      {"schema", "symphony.cli/1"}, {"event", "explained"}, {"id", work.tasks[why.chain.front().first].id},
      {"waits_for", why.waits_for}, {"ahead", why.ahead},   {"chain", chain}};
  return told.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace

bool is_finished(const FinishedTasks& finished, const Work& work, std::uint32_t task, const std::vector<bool>& cached) {
  const WorkTask& one = work.tasks[task];
  const auto found = finished.find(one.id);
  return found != finished.end() && found->second.fingerprint == fingerprint_of(one) &&
         std::all_of(one.needs.begin(), one.needs.end(), [&cached](std::uint32_t need) { return bool{cached[need]}; });
}

std::vector<std::pair<std::uint32_t, std::uint32_t>> blamed(const Work& work, const std::vector<std::uint8_t>& states) {
  const auto is = [&states](std::uint32_t task, dag::TaskState state) {
    return task < states.size() && dag::TaskState{states[task]} == state;
  };
  const auto count = static_cast<std::uint32_t>(work.tasks.size());
  std::vector<std::vector<std::uint32_t>> behind(count);  // of those that ended because of one before them
  for (std::uint32_t t = 0; t < count; ++t) {
    if (!is(t, dag::TaskState::UPSTREAM_FAILED)) continue;
    for (const std::uint32_t need : work.tasks[t].needs) behind[need].push_back(t);
  }
  std::vector<std::pair<std::uint32_t, std::uint32_t>> out;
  std::vector<bool> seen(count);
  for (std::uint32_t failed = 0; failed < count; ++failed) {
    if (!is(failed, dag::TaskState::FAILED)) continue;
    for (std::vector<std::uint32_t> next{failed}; !next.empty();) {
      const std::uint32_t task = next.back();
      next.pop_back();
      for (const std::uint32_t one : behind[task]) {
        if (seen[one]) continue;
        seen[one] = true;
        out.emplace_back(one, failed);
        next.push_back(one);
      }
    }
  }
  return out;
}

bool is_any_resting(const std::vector<std::uint8_t>& states) {
  return std::find(states.begin(), states.end(), static_cast<std::uint8_t>(dag::TaskState::RETRY_WAIT)) != states.end();
}

int look_at_work(const Work& work, const RunnerOptions& options, const LookOptions& look) {
  const auto named = std::find_if(work.tasks.begin(), work.tasks.end(),
                                  [&look](const WorkTask& task) { return task.id == look.explain; });
  if (!look.explain.empty() && named == work.tasks.end()) {
    return look_failed(exit_usage, "no task has the id '" + printable(look.explain) + "'; --export json lists them");
  }
  const FinishedTasks finished = read_journal(options.journal);
  std::vector<TimeNs> known(work.tasks.size());
  for (std::size_t i = 0; i < known.size(); ++i) {
    const auto found = finished.find(work.tasks[i].id);
    if (found != finished.end()) known[i] = found->second.duration_ns;
  }
  RunPits pits;
  std::string out;
  TaskWhy why;
  bool is_done =
      pits.mount(Mode::static_) && pits.load(work, weights_of(known), options.jobs, 0) && replay(pits, work, finished);
  if (is_done && !look.export_form.empty()) is_done = pits.export_text(look.export_form == "json", out);
  if (is_done && !look.explain.empty()) {
    is_done = pits.explain(static_cast<std::uint32_t>(named - work.tasks.begin()), why);
    if (is_done) out += options.format == RunFormat::jsonl ? told_as_json(work, why) : told_in_lines(work, why);
  }
  if (!is_done) return look_failed(pits.is_input() ? exit_usage : exit_internal, pits.why());
  if (write_all(1, out) != 0) return look_failed(exit_internal, "standard output cannot be written");
  return exit_ok;
}

}  // namespace symphony::tools
