// What the simulated processes ask of a kernel: descriptors of segments and of processes, and who is dead.
//
// bus/endpoint/caller_links.cpp runs as it is shipped. What it calls ends here: map_own, map_peer, close, poll and
// epoll_ctl of descriptors that only exist in this table; those of real ones go on to the real kernel.   Layer: tests.
// Threads: one.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <symphony/unique_fd.hpp>

#include "bus/broker/core_types.hpp"

namespace symphony::proof {

using detail::broker::Epoch;
using detail::broker::FdName;
using detail::broker::LinkId;
using ProcessId = std::uint32_t;

class Kernel {
 public:
  static Kernel& get() noexcept { return the_only_one; }
  static constexpr int fds_from = 1 << 24, epolls_from = 1 << 23;

  void reset();
  [[nodiscard]] ProcessId start_process();
  void end_process(ProcessId process) { dead_[process] = true; }
  [[nodiscard]] bool is_dead(ProcessId process) const { return dead_[process]; }

  struct Fd {
    FdName name = FdName::pit_pidfd;
    LinkId link = 0;
    Epoch epoch = 0;
    ProcessId process = 0;
    bool open = false;
    bool watched = false;
  };
  [[nodiscard]] UniqueFd open(const Fd& fd);
  [[nodiscard]] std::size_t open_fds() const noexcept { return open_; }
  // The tag of a process's descriptor in the epoll set of that caller that is readable.
  [[nodiscard]] std::optional<std::uint64_t> readable(std::size_t caller) const;
  // The caller's process ends, and its epoll set with it.
  void forget_watches(std::size_t caller);
  // The next map_own or map_peer fails.
  void fail_next_map() noexcept { map_fails_ = true; }

  void violation(std::string text) { violations_.push_back(std::move(text)); }
  [[nodiscard]] const std::vector<std::string>& violations() const noexcept { return violations_; }

  // Of the system calls and of the mapping functions.
  [[nodiscard]] Fd* find(int fd);
  void close(int fd);
  void watch(std::size_t caller, int fd, std::uint64_t tag);
  void unwatch(std::size_t caller, int fd);
  [[nodiscard]] bool take_map_failure() noexcept { return std::exchange(map_fails_, false); }

 private:
  static Kernel the_only_one;
  struct Watch {
    int fd;
    std::uint64_t tag;
  };
  std::vector<Fd> fds_;
  std::vector<int> free_;
  std::vector<std::vector<Watch>> watches_;  // of each caller
  std::vector<bool> dead_;
  std::vector<std::string> violations_;
  std::size_t open_ = 0;
  bool map_fails_ = false;
};

}  // namespace symphony::proof
