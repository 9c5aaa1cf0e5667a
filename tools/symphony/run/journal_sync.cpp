#include "tools/symphony/run/journal_sync.hpp"

#include <cerrno>

namespace symphony::tools {

JournalSync::JournalSync(const RunJournal& journal) : journal_(journal), thread_([this] { work(); }) {}

void JournalSync::ask() {
  const std::lock_guard lock(mutex_);
  if (asked_) return;
  asked_ = true;
  changed_.notify_one();
}

int JournalSync::error() {
  const std::lock_guard lock(mutex_);
  return error_;
}

int JournalSync::finish() {
  if (!thread_.joinable()) return error_;
  {
    const std::lock_guard lock(mutex_);
    finishing_ = true;
    changed_.notify_one();
  }
  thread_.join();
  return error_;
}

void JournalSync::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return asked_ || finishing_; });
    if (!asked_) return;
    asked_ = false;
    lock.unlock();
    const int error = journal_.sync() ? 0 : errno;
    lock.lock();
    if (error != 0 && error_ == 0) error_ = error;
  }
}

}  // namespace symphony::tools
