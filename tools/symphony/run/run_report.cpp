#include "tools/symphony/run/run_report.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "tools/symphony/graph/input_error.hpp"
#include "tools/symphony/write_all.hpp"

namespace symphony::tools {
namespace {

using RunEvent = nlohmann::ordered_json;

double seconds_of(TimeNs ns) { return static_cast<double>(ns / us_ns) / 1e6; }

std::string event_line(const RunEvent& event) {
  return event.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string span_text(TimeNs ns) {
  if (ns < 60 * second_ns) return fmt::format("{:.1f} s", static_cast<double>(ns) / 1e9);
  const TimeNs seconds = ns / second_ns;
  return fmt::format("{}:{:02} min", seconds / 60, seconds % 60);
}

std::string progress_text(const RunProgress& p, std::size_t columns) {
  std::string text = fmt::format("[{}/{}] {} running", p.done, p.total, p.running);
  if (p.failed != 0) text += fmt::format(", {} failed", p.failed);
  if (p.critical_ns > 0) text += ", longest chain left " + span_text(p.critical_ns);
  if (p.eta_ns >= 0) text += ", " + span_text(p.eta_ns) + " to go";
  if (text.size() > columns) text.resize(columns);
  return text;
}

RunReport::RunReport(RunFormat format, bool quiet) : format_(format), quiet_(quiet) {
  const char* terminal = std::getenv("TERM");
  is_terminal_ =
      !quiet && isatty(2) == 1 && terminal != nullptr && *terminal != '\0' && std::string_view(terminal) != "dumb";
}

void RunReport::wipe() noexcept {
  if (is_drawn_) (void)write_all(2, "\r\x1B[K");
  is_drawn_ = false;
}

void RunReport::say(std::string_view line) { held_ += line; }

bool RunReport::flush() {
  if (held_.empty()) return true;
  wipe();
  const bool written = write_all(1, held_) == 0;
  held_.clear();
  return written;
}

void RunReport::started_run(const Work& work, std::uint32_t jobs, std::string_view journal) {
  if (format_ != RunFormat::jsonl) return;
  say(event_line({{"schema", "symphony.cli/1"},
                  {"event", "run_started"},
                  {"tasks", work.tasks.size()},
                  {"jobs", jobs},
                  {"journal", journal}}));
}

void RunReport::started(const WorkTask& task, std::uint32_t attempt, std::uint64_t token,
                        const std::vector<std::string>& units) {
  if (format_ != RunFormat::jsonl) return;
  say(event_line(
      {{"event", "task_started"}, {"id", task.id}, {"attempt", attempt}, {"lease_token", token}, {"units", units}}));
}

void RunReport::cached(const WorkTask& task) {
  if (format_ == RunFormat::jsonl) say(event_line({{"event", "task_finished"}, {"id", task.id}, {"state", "cached"}}));
}

void RunReport::ended(const WorkTask& task, const AttemptEnding& e, const RunProgress& progress) {
  if (format_ == RunFormat::jsonl) {
    RunEvent event{{"event", e.retry_in_ns >= 0 ? "task_retry" : "task_finished"},
                   {"id", task.id},
                   {"state", e.state},
                   {"attempt", e.attempt},
                   {"duration_s", seconds_of(e.duration_ns)}};
    if (e.exit_status >= 0) event["exit_status"] = e.exit_status;
    if (e.signal != 0) event["signal"] = e.signal;
    if (!e.what.empty()) event["why"] = e.what;
    if (e.retry_in_ns >= 0) event["retry_in_s"] = seconds_of(e.retry_in_ns);
    event["output"] = e.output;
    say(event_line(event));
    return;
  }
  const bool went_well = e.state == "succeeded";
  if (went_well && (quiet_ || is_terminal_) && e.output.empty()) return;  // the living line says it
  std::string line;
  if (went_well) {
    line = fmt::format("[{}/{}] {}\n", progress.done, progress.total, printable(task.id, 255));
  } else {
    line = fmt::format("{}: {}: {}", e.state == "cancelled" ? "STOPPED" : "FAILED", printable(task.id, 255), e.what);
    if (e.attempts_max > 1) line += fmt::format(" (attempt {} of {})", e.attempt, e.attempts_max);
    if (e.retry_in_ns >= 0) line += "; again in " + span_text(e.retry_in_ns);
    line += "\n" + task.command + "\n";
  }
  say(line);
  say(e.output);
  if (!e.output.empty() && !e.output.ends_with('\n')) say("\n");
}

void RunReport::lost_worker(const WorkTask& task, std::uint32_t losses) {
  if (format_ == RunFormat::jsonl) {
    say(event_line({{"event", "worker_lost"}, {"id", task.id}, {"losses", losses}}));
  } else {
    say(fmt::format("the worker of {} died; its leases are free, and the task is ready again\n",
                    printable(task.id, 255)));
  }
}

void RunReport::upstream_failed(const WorkTask& task, const WorkTask& because) {
  if (format_ != RunFormat::jsonl) return;
  say(event_line({{"event", "task_finished"}, {"id", task.id}, {"state", "upstream_failed"}, {"because", because.id}}));
}

void RunReport::progress(const RunProgress& p) {
  if (format_ == RunFormat::jsonl) {
    RunEvent event{{"event", "progress"},  {"done", p.done},     {"total", p.total},
                   {"running", p.running}, {"failed", p.failed}, {"critical_remaining_s", seconds_of(p.critical_ns)}};
    if (p.eta_ns >= 0) event["eta_s"] = seconds_of(p.eta_ns);
    say(event_line(event));
  }
  if (!is_terminal_) return;
  winsize size{};
  const std::size_t columns = ioctl(2, TIOCGWINSZ, &size) == 0 && size.ws_col != 0 ? size.ws_col - 1U : 79U;
  (void)write_all(2, "\r\x1B[K" + progress_text(p, columns));
  is_drawn_ = true;
}

void RunReport::note(std::string_view line) {
  if (format_ == RunFormat::jsonl) {
    say(event_line({{"event", "note"}, {"text", line}}));
  } else {
    say(line);
    say("\n");
  }
}

void RunReport::ended_run(const RunCounts& c, TimeNs duration_ns) {
  if (format_ == RunFormat::jsonl) {
    say(event_line({{"event", "run_finished"},
                    {"succeeded", c.succeeded},
                    {"cached", c.cached},
                    {"failed", c.failed},
                    {"upstream_failed", c.upstream_failed},
                    {"cancelled", c.cancelled},
                    {"retries", c.retries},
                    {"worker_losses", c.worker_losses},
                    {"duration_s", seconds_of(duration_ns)}}));
    return;
  }
  std::string line = fmt::format("{} succeeded", c.succeeded);
  if (c.cached != 0) line += fmt::format(", {} finished before", c.cached);
  if (c.failed != 0) line += fmt::format(", {} failed", c.failed);
  if (c.upstream_failed != 0) line += fmt::format(", {} not started as what they need failed", c.upstream_failed);
  if (c.cancelled != 0) line += fmt::format(", {} not done", c.cancelled);
  if (c.retries != 0) line += fmt::format("; {} retries", c.retries);
  say(line + ", in " + span_text(duration_ns) + "\n");
}

}  // namespace symphony::tools
