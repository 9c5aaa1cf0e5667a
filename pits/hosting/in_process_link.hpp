// One caller's way to an instance of this process.   Layer: hosting (contract, bus/base).
// Threads: one at a time, as pit::Link. It keeps the instance alive.
#pragma once

#include <cstdint>
#include <list>
#include <memory>

#include "pits/hosting/call_task.hpp"
#include "pits/hosting/executor.hpp"
#include "pits/hosting/host.hpp"
#include "pits/hosting/in_process_core.hpp"

namespace symphony::pit {

class InProcessLink final : public Link {
 public:
  InProcessLink(std::shared_ptr<InProcessCore> core, Executor::Seat seat)
      : core_(std::move(core)),
        link_(core_->next_link()),
        task_(std::make_unique<CallTask>(*core_.core, link_)),
        seat_(std::move(seat)) {}
  ~InProcessLink() override;

  Reply call(const Request& request) noexcept override;
  [[nodiscard]] std::uint64_t incarnation() const noexcept override {
    // relaxed: the number of a call's instance is written before the call returns.
    return core_->rebuilds.load(std::memory_order_relaxed) + 1;
  }
  [[nodiscard]] bool try_start(const Request& request, std::uint64_t tag) noexcept override;
  [[nodiscard]] bool try_take(std::uint64_t& tag, Reply& reply) noexcept override;
  [[nodiscard]] Wait prepare_wait() noexcept override;
  void wake_with(std::shared_ptr<const UniqueFd> wake) noexcept override { wake_ = std::move(wake); }
  [[nodiscard]] Tally tally() const noexcept override { return {last_id_, ended_, 0}; }

 private:
  struct Started {
    std::uint64_t tag = 0;
    TimeNs deadline_ns = no_deadline_ns;
    std::unique_ptr<CallTask> task;
    bool waits = false;  // for the pit to end it; else `reply` is its ending
    Reply reply;
  };
  void call_slowly(const Request& request, Reply& reply) noexcept;
  // Hands the request to the instance. True: it has ended, as `reply` says; false: the pit left it for later, and
  // `reply` is written then. A task whose deadline passed in the queue is the executor's from then on.
  [[nodiscard]] bool enter(std::unique_ptr<CallTask>& task, const Request& request, Reply& reply) noexcept;
  void take_back(CallTask& task) noexcept;

  CoreOwner core_;  // first, so that it goes last: the members below use what it keeps
  const std::uint64_t link_;
  std::unique_ptr<CallTask> task_;
  Executor::Seat seat_;
  std::uint64_t last_id_ = 0;
  std::uint64_t ended_ = 0;
  std::list<Started> started_;
  std::list<Started> taken_;  // the last one: its reply is being read
  std::shared_ptr<const UniqueFd> wake_;
};

// As an envelope says it: 0 is none.
[[nodiscard]] inline std::uint64_t envelope_deadline_of(TimeNs deadline_ns) noexcept {
  if (deadline_ns == no_deadline_ns) return 0;
  return deadline_ns <= 0 ? 1 : static_cast<std::uint64_t>(deadline_ns);
}

}  // namespace symphony::pit
