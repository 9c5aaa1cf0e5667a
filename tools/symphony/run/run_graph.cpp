// The calls of a run to DagTracker.   Layer: tools.
#include <algorithm>

#include "dag_tracker_generated.h"
#include "tools/symphony/graph/input_error.hpp"
#include "tools/symphony/run/run_sides.hpp"

namespace symphony::tools {
namespace {

constexpr std::size_t run_batch_bytes_max = 32UL * 1024;
constexpr std::size_t path_ids_shown = 12;
constexpr std::uint32_t worker_losses_max = 3;  // of one task; then it is what kills them
constexpr std::uint32_t weight_us = 1000;       // attempt.hpp: weights are milliseconds

}  // namespace

bool RunPits::make_graph(const Work& work, const std::vector<std::uint32_t>& weights, std::uint32_t failures_max) {
  auto& b = sides_->builder;
  Reply reply = sides_->ask(
      tracker_, dag::CreateCreateGraph(b, 0, 0, failures_max, worker_losses_max, weights.empty() ? 0 : weight_us));
  const auto* made = root_of<dag::GraphInfo>(reply);
  if (made == nullptr) return failed("the graph", reply);
  graph_ = made->graph();
  const std::size_t tasks = work.tasks.size();
  for (std::size_t i = 0; i < tasks;) {
    std::vector<flatbuffers::Offset<flatbuffers::String>> names;
    std::vector<std::uint32_t> batch, delays;
    std::vector<std::uint16_t> retries;
    std::vector<std::uint8_t> rules;
    for (std::size_t bytes = 0; i < tasks && bytes < run_batch_bytes_max; ++i) {
      names.push_back(b.CreateString(work.tasks[i].id));
      if (!weights.empty()) batch.push_back(weights[i]);
      retries.push_back(static_cast<std::uint16_t>(work.tasks[i].retries));
      delays.push_back(static_cast<std::uint32_t>(work.tasks[i].retry_delay_ns / ms_ns));
      rules.push_back(static_cast<std::uint8_t>(work.tasks[i].when));
      bytes += work.tasks[i].id.size() + 24;
    }
    const auto named = b.CreateVector(names);
    const auto weighed = batch.empty() ? 0 : b.CreateVector(batch);
    const auto when = b.CreateVector(rules);
    const auto tried = b.CreateVector(retries);
    const auto delayed = b.CreateVector(delays);
    reply = sides_->ask(tracker_, dag::CreateAddTasks(b, graph_, named, weighed, 0, when.o, tried, delayed));
    if (root_of<dag::Added>(reply) == nullptr) return failed("the tasks", reply);
  }
  std::vector<std::uint32_t> before, after;
  const auto send = [&] {
    reply = sides_->ask(tracker_, dag::CreateAddEdges(b, graph_, b.CreateVector(before), b.CreateVector(after)));
    before.clear();
    after.clear();
    return root_of<dag::Added>(reply) != nullptr;
  };
  for (std::uint32_t task = 0; task < tasks; ++task) {
    for (const std::uint32_t need : work.tasks[task].needs) {
      before.push_back(need);
      after.push_back(task);
      if (before.size() * 8 >= run_batch_bytes_max && !send()) return failed("the edges", reply);
    }
  }
  return before.empty() || send() || failed("the edges", reply);
}

bool RunPits::seal(const Work& work) {
  const Reply reply = sides_->ask(tracker_, dag::CreateSeal(sides_->builder, graph_));
  if (root_of<dag::Sealed>(reply) != nullptr) return true;
  const auto* cycle = root_of<dag::CycleRejected>(reply);
  if (cycle == nullptr || cycle->path() == nullptr) return failed("the graph", reply);
  // The first again at the end, so that the circle is seen.
  why_ = "the tasks wait for each other in a circle: ";
  const std::uint32_t count = cycle->path()->size();
  for (std::uint32_t i = 0; i <= count; ++i) {
    if (i == path_ids_shown && i < count) {
      why_ += "... (" + std::to_string(cycle->length()) + " tasks) -> ";
      i = count;
    }
    const std::uint32_t task = cycle->path()->Get(i % count);
    if (task < work.tasks.size()) why_ += printable(work.tasks[task].id);
    if (i < count) why_ += " -> ";
  }
  why_ += "; take one of these needs out";
  is_input_ = true;
  return false;
}

bool RunPits::claim(std::uint32_t seat, SeatClaim& out) {
  const dag::ClaimBody body(graph_, seat + 1, 1);
  const Reply reply = sides_->ask(tracker_, dag::CreateClaim(sides_->builder, &body));
  const auto* tasks = root_of<dag::Tasks>(reply);
  if (tasks == nullptr) return failed("Claim", reply);
  out = {tasks->grant()->token(), tasks->grant()->task(), tasks->grant()->unfinished()};
  is_halted_ = tasks->stop() != dag::Stop::NONE;
  return true;
}

bool RunPits::complete(std::uint32_t task, std::uint64_t token, bool cached, TimeNs duration_ns,
                       std::uint32_t& unfinished) {
  const dag::CompleteBody body(token, graph_, task);
  const auto us = static_cast<std::uint64_t>(std::max<TimeNs>(duration_ns / us_ns, 0));
  const Reply reply = sides_->ask(tracker_, dag::CreateComplete(sides_->builder, &body, cached, us));
  const auto* done = root_of<dag::Completed>(reply);
  if (done == nullptr) return failed("Complete", reply);
  unfinished = done->body()->unfinished();
  return true;
}

bool RunPits::fail(std::uint32_t task, std::uint64_t token, bool retry, std::string_view error, TaskFailure& out) {
  auto& b = sides_->builder;
  const dag::CompleteBody body(token, graph_, task);
  const auto text = b.CreateString(error.data(), error.size());
  const Reply reply = sides_->ask(tracker_, dag::CreateFail(b, &body, !retry, text));
  const auto* ended = root_of<dag::Ended>(reply);
  if (ended == nullptr) return failed("Fail", reply);
  out.is_final = ended->state() == dag::TaskState::FAILED;
  out.failures = ended->failures();
  out.unfinished = ended->unfinished();
  out.retry_in_ns = static_cast<TimeNs>(ended->retry_in_ns());
  is_halted_ = ended->stop() != dag::Stop::NONE;
  return true;
}

bool RunPits::worker_died(std::uint32_t seat, bool& has_failed) {
  const Reply reply = sides_->ask(tracker_, dag::CreateRelease(sides_->builder, graph_, seat + 1, true));
  const auto* released = root_of<dag::Released>(reply);
  if (released == nullptr) return failed("Release", reply);
  has_failed = released->failed() != 0;
  is_halted_ = released->stop() != dag::Stop::NONE;
  return true;
}

bool RunPits::give_back(std::uint32_t seat) {
  const Reply reply = sides_->ask(tracker_, dag::CreateRelease(sides_->builder, graph_, seat + 1));
  return root_of<dag::Released>(reply) != nullptr || failed("Release", reply);
}

bool RunPits::progress(std::uint32_t jobs, RunProgress& out) {
  const Reply reply = sides_->ask(tracker_, dag::CreateProgress(sides_->builder, graph_, jobs));
  const auto* info = root_of<dag::ProgressInfo>(reply);
  if (info == nullptr) return failed("Progress", reply);
  out.critical_ns = static_cast<TimeNs>(info->critical_remaining_us()) * us_ns;
  out.eta_ns = info->known() ? static_cast<TimeNs>(info->eta_us()) * us_ns : -1;
  return true;
}

bool RunPits::states(std::vector<std::uint8_t>& out) {
  out.clear();
  for (std::uint32_t first = 0;;) {
    const Reply reply = sides_->ask(tracker_, dag::CreateExport(sides_->builder, graph_, first));
    const auto* part = root_of<dag::Exported>(reply);
    if (part == nullptr || part->states() == nullptr) return failed("Export", reply);
    for (std::uint32_t i = 0; i < part->states()->size(); ++i) {
      out.push_back(static_cast<std::uint8_t>(part->states()->Get(i)));
    }
    if (part->next() >= part->tasks() || part->next() <= first) return true;
    first = part->next();
  }
}

bool RunPits::explain(std::uint32_t task, TaskWhy& out) {
  const Reply reply = sides_->ask(tracker_, dag::CreateExplain(sides_->builder, graph_, task));
  const auto* told = root_of<dag::Explained>(reply);
  if (told == nullptr || told->chain() == nullptr || told->chain_states() == nullptr) return failed("Explain", reply);
  out.waits_for = told->waits_for();
  out.ahead = told->ahead();
  out.chain.clear();
  for (std::uint32_t i = 0; i < std::min(told->chain()->size(), told->chain_states()->size()); ++i) {
    out.chain.emplace_back(told->chain()->Get(i), static_cast<std::uint8_t>(told->chain_states()->Get(i)));
  }
  return true;
}

bool RunPits::export_text(bool json, std::string& out) {
  for (std::uint64_t from = 0;;) {
    const auto form = json ? dag::TextForm::JSON : dag::TextForm::DOT;
    const Reply reply = sides_->ask(tracker_, dag::CreateExportText(sides_->builder, graph_, form, from));
    const auto* part = root_of<dag::Text>(reply);
    if (part == nullptr || part->text() == nullptr) return failed("ExportText", reply);
    out.append(part->text()->c_str(), part->text()->size());
    from = part->next();
    if (from == 0) return true;
  }
}

}  // namespace symphony::tools
