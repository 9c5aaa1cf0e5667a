// A link's readiness as a descriptor, for programs that wait in epoll.   Layer: endpoint.
//
// An eventfd of this process: the pit never has it and rings its bell as ever. Only between arm_fd() and the link's
// next step a watcher sleeps on the bell and on the mailbox; when one changes, or at the bound, the eventfd becomes
// readable. Not armed, nothing is watched and nothing is paid. Threads: on_change() on the watcher's, the rest on the
// link's.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include <symphony/result.hpp>
#include <symphony/unique_fd.hpp>

#include "bus/endpoint/watcher.hpp"

namespace symphony::detail {

class LinkFd final : public WatchTarget {
 public:
  [[nodiscard]] static result<std::shared_ptr<LinkFd>> make();
  explicit LinkFd(UniqueFd event) noexcept : event_(std::move(event)) {}

  [[nodiscard]] int fd() const noexcept { return event_.get(); }
  void on_change(std::uint64_t tag, bool at_deadline) noexcept override;
  // Not readable any more.   Returns whether the last watch ended at its deadline.
  bool clear() noexcept;

 private:
  UniqueFd event_;
  std::atomic<bool> at_deadline_{false};
};

}  // namespace symphony::detail
