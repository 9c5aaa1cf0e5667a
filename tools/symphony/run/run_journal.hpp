// Which tasks of a run are finished, on the disk: a line a task, written once, never changed.   Layer: tools.
//
//   checksum (16 hex digits)  fingerprint (16)  microseconds  id \n        the checksum is of what stands behind it
// The first line says what the file is; another file is never written to. A line is one write at the end of the file,
// made by the worker that saw its command succeed: a kill of the runner takes none of them. One that is not whole, or
// damaged, says nothing; the last one of an id counts. One run at a time: the file is locked as long as the runner or a
// worker of it lives. Threads: one; sync() may be called by another.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include <symphony/clock.hpp>
#include <symphony/unique_fd.hpp>

namespace symphony::tools {

struct FinishedTask {
  std::uint64_t fingerprint = 0;
  TimeNs duration_ns = 0;
};

[[nodiscard]] std::string journal_line(std::uint64_t fingerprint, TimeNs duration_ns, std::string_view id);

// What the lines of a journal say, by id.
using FinishedTasks = std::unordered_map<std::string, FinishedTask>;
[[nodiscard]] FinishedTasks parse_journal(std::string_view text);
// Of a file that a run may be writing to; none where it cannot be read.
[[nodiscard]] FinishedTasks read_journal(const std::string& path);

class RunJournal {
 public:
  // Opens, makes or waits up to wait_ns for the file; `resume`: goes on behind what is there, else it is emptied once
  // it has been read. Empty text: it is open, and finished() is what it said.
  [[nodiscard]] std::string open(const std::string& path, bool resume, TimeNs wait_ns);
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  [[nodiscard]] const FinishedTasks& finished() const noexcept { return finished_; }
  // On the disk when this returns true; false: errno says why not.
  [[nodiscard]] bool sync() const noexcept;

 private:
  UniqueFd fd_;
  FinishedTasks finished_;
};

}  // namespace symphony::tools
