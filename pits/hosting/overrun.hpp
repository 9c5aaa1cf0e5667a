// Notices a pit's code that runs longer than its budget, where nothing can end it.   Layer: hosting (bus/base).
// A pit that is linked in, or loaded from a file, runs on its caller's thread and with its caller's memory: no thread
// can be taken out of there safely. It is noticed, its stack is kept, and the program chose what follows: it waits, or
// the process ends.
// One thread of the process looks, ten times a budget, while somebody is inside a pit that has one; else it sleeps. How
// late its own look comes is added to every budget (`Looks`): after a freeze of the machine each would be over. Found
// between the budget and a tenth of it, or 2 ms, later.
// Threads: a Turn by who is inside the executor; health() any.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <symphony/clock.hpp>

#include "pits/hosting/host.hpp"

namespace symphony::pit {

struct OverrunOptions {
  std::uint32_t budget_ms = 0;  // of each entry into the pit; 0: none
  bool aborts = false;          // an overrun ends the process, with its stack on stderr
};

class Overrun {
 public:
  class Looker;

  // Null: there is no memory for it, or no thread can be started.
  [[nodiscard]] static std::unique_ptr<Overrun> make(std::string_view mode, const OverrunOptions& options,
                                                     LogSink* log);
  ~Overrun();
  Overrun(const Overrun&) = delete;
  Overrun& operator=(const Overrun&) = delete;

  void set_name(std::string_view pit);
  [[nodiscard]] Health health() const;

  // One entry into the pit; of a null watch nothing.   [inside the executor]
  class Turn {
   public:
    Turn(Overrun* watch, std::uint32_t type) noexcept : watch_(watch) {
      if (watch_ != nullptr) watch_->begin(type);
    }
    ~Turn() {
      if (watch_ != nullptr) watch_->end();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    Overrun* const watch_;
  };

 private:
  friend class Looker;
  Overrun(std::string_view mode, const OverrunOptions& options, LogSink* log) noexcept
      : mode_(mode), options_(options), log_(log) {}
  void begin(std::uint32_t type) noexcept;
  void end() noexcept;

  const std::string_view mode_;
  const OverrunOptions options_;
  LogSink* const log_;
  std::shared_ptr<Looker> looker_;
  std::uint64_t last_turn_ = 0;  // of who is inside

  // Written inside, read by the looker.
  std::atomic<std::uint64_t> turn_{0};  // 0: nobody is inside
  std::atomic<std::uint32_t> type_{0};
  std::atomic<pid_t> thread_{0};

  // The looker's:
  std::uint64_t seen_turn_ = 0;
  TimeNs since_ns_ = 0;  // when it was seen first

  mutable std::mutex mutex_;  // guards what follows
  std::string name_;
  std::uint64_t over_turn_ = 0;  // the last one that overran
  TimeNs over_since_ns_ = 0;
  std::uint32_t over_type_ = 0;
  std::uint64_t overruns_ = 0;
  std::vector<std::string> stack_;
};

}  // namespace symphony::pit
