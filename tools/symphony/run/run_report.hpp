// What a run tells: plain lines, events as JSON, and on a terminal a line that lives.   Layer: tools. Threads: one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <symphony/clock.hpp>

#include "tools/symphony/run/work.hpp"

namespace symphony::tools {

enum class RunFormat : std::uint8_t { lines, jsonl };

struct RunProgress {
  std::uint32_t done = 0;  // succeeded, in this run or before it
  std::uint32_t total = 0;
  std::uint32_t running = 0;
  std::uint32_t failed = 0;
  TimeNs critical_ns = 0;  // of the longest chain that is left
  TimeNs eta_ns = -1;      // below 0: not known yet
};

struct RunCounts {
  std::uint32_t succeeded = 0;
  std::uint32_t cached = 0;  // finished in an earlier run
  std::uint32_t failed = 0;
  std::uint32_t upstream_failed = 0;  // never started: what they need failed
  std::uint32_t cancelled = 0;        // never started, or stopped, because the run stopped
  std::uint32_t retries = 0;
  std::uint32_t worker_losses = 0;
};

// How one attempt ended.
struct AttemptEnding {
  std::string_view state;  // succeeded, failed, cancelled
  std::string what;        // "exit status 1", "signal 9 (Killed)"; empty when it succeeded
  std::string_view output;
  int exit_status = -1;  // -1: it did not exit by itself
  int signal = 0;
  TimeNs duration_ns = 0;
  std::uint32_t attempt = 1;
  std::uint32_t attempts_max = 1;
  TimeNs retry_in_ns = -1;  // below 0: it is not tried again
};

class RunReport {
 public:
  static constexpr TimeNs redraw_ns = 333 * ms_ns;

  // Lines and events go to stdout; the living line to stderr, when that is a terminal that can move its cursor.
  RunReport(RunFormat format, bool quiet);
  ~RunReport() { wipe(); }
  RunReport(const RunReport&) = delete;
  RunReport& operator=(const RunReport&) = delete;

  [[nodiscard]] bool wants_progress() const noexcept { return is_terminal_ || format_ == RunFormat::jsonl; }
  void started_run(const Work& work, std::uint32_t jobs, std::string_view journal);
  void started(const WorkTask& task, std::uint32_t attempt, std::uint64_t token, const std::vector<std::string>& units);
  void cached(const WorkTask& task);
  void ended(const WorkTask& task, const AttemptEnding& ending, const RunProgress& progress);
  void lost_worker(const WorkTask& task, std::uint32_t losses);
  void upstream_failed(const WorkTask& task, const WorkTask& because);
  void progress(const RunProgress& progress);
  void note(std::string_view line);
  void ended_run(const RunCounts& counts, TimeNs duration_ns);
  // Writes what is held back. False: nobody can read it any more, or the disk is full; errno says which.
  [[nodiscard]] bool flush();

 private:
  void say(std::string_view line);  // with its line end
  void wipe() noexcept;

  RunFormat format_;
  bool quiet_;
  bool is_terminal_ = false;
  bool is_drawn_ = false;
  std::string held_;
};

// "1.5 s", "2:05 min".
[[nodiscard]] std::string span_text(TimeNs ns);

// The living line, at most `columns` wide.
[[nodiscard]] std::string progress_text(const RunProgress& progress, std::size_t columns);

}  // namespace symphony::tools
