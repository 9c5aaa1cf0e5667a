// A thread that sleeps on words for others: for who cannot sleep on them itself.   Layer: endpoint.
//
// One sleep of the kernel takes 128 words, and no epoll takes any. A watcher sleeps on the words of up to 126 watches
// and tells a target when one of them changed. A watch ends with what it tells; then it is set anew. Nothing watched:
// the thread sleeps without end and costs nothing. Threads: any for all functions; targets are told on the watcher's
// thread. Trust: it only compares words with values; a peer that changes one tells a target once.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <symphony/clock.hpp>
#include <symphony/result.hpp>

#include "bus/wait/futex.hpp"

namespace symphony::detail {

class WatchTarget {
 public:
  virtual ~WatchTarget() = default;
  // A word of the watch changed, or its deadline passed.
  virtual void on_change(std::uint64_t tag, bool at_deadline) noexcept = 0;
};

struct Watch {
  std::array<WaitWord, 2> words{};
  std::size_t count = 0;
  TimeNs deadline_ns = no_deadline_ns;
  std::shared_ptr<const void> memory;  // what the words stand in, kept until the thread is done with it
  std::shared_ptr<WatchTarget> target;
  std::uint64_t tag = 0;
  bool at_deadline = false;  // what it ended with
};

class Watcher {
 public:
  [[nodiscard]] static result<std::unique_ptr<Watcher>> start();
  ~Watcher();

  // False: it is full.
  [[nodiscard]] bool add(Watch watch);
  // The target is told nothing more of that tag once this returned, unless it is being told now.
  void cancel(const WatchTarget* target, std::uint64_t tag) noexcept;

 private:
  struct Entry {
    Watch watch;
    bool over = false;
  };
  Watcher() = default;
  void run() noexcept;
  void change() noexcept;   // precondition: mutex_ is held
  void collect() noexcept;  // what is over, out of entries_ and into told_; as change()

  std::mutex mutex_;
  std::vector<Entry> entries_;  // both have room for all from the start
  std::vector<Watch> told_;     // the thread's
  std::size_t words_ = 0;
  std::uint32_t changes_ = 0;  // the thread sleeps on it too
  bool stopping_ = false;
  std::thread thread_;
};

// As many watchers as the watches need.   Threads: any.
class WatcherPool {
 public:
  // Errors: out_of_memory: no thread could be started.
  [[nodiscard]] result<void> add(Watch watch);
  void cancel(const WatchTarget* target, std::uint64_t tag) noexcept;

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Watcher>> watchers_;
};

}  // namespace symphony::detail
