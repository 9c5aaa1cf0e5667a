// Brings a journal to the disk as often as the disk can, without anybody waiting for it.   Layer: tools.
// Threads: ask() and failed() by one; the syncing is done by a thread of its own.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "tools/symphony/run/run_journal.hpp"

namespace symphony::tools {

class JournalSync {
 public:
  // `journal` outlives this.
  explicit JournalSync(const RunJournal& journal);
  ~JournalSync() { (void)finish(); }
  JournalSync(const JournalSync&) = delete;
  JournalSync& operator=(const JournalSync&) = delete;

  // Something was written.
  void ask();
  // errno of a sync that failed, 0 while none has.
  [[nodiscard]] int error();
  // Waits until everything that was asked for is on the disk; the errno or 0.
  int finish();

 private:
  void work();

  const RunJournal& journal_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  bool asked_ = false;
  bool finishing_ = false;
  int error_ = 0;
  std::thread thread_;
};

}  // namespace symphony::tools
