// One call into an instance of this process: the request as it came, and the reply where its caller will read it.
// Layer: hosting (contract, bus/base).
// Threads: run() and the sink's functions on whoever holds the executor; the rest on the caller's thread. A deferred
// call is handed from one to the other by `ending_`.
#pragma once

#include <symphony/pit.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <symphony/clock.hpp>
#include <symphony/unique_fd.hpp>

#include "pits/hosting/executor.hpp"
#include "pits/hosting/host.hpp"
#include "pits/hosting/in_process_core.hpp"
#include "pits/hosting/instance.hpp"

namespace symphony::pit {

// ReplySink first: two of its functions are called a call.
class CallTask final : public ReplySink, public Executor::Task {
 public:
  CallTask(InProcessCore& core, std::uint64_t link) noexcept : core_(core), link_(link) {}

  symphony_envelope envelope{};
  std::span<const std::byte> body;
  Reply* reply = nullptr;  // where the ending goes; until it is there, and of a deferred call until it was taken back

  void run() noexcept override {
    request_ = 0;
    core_.handle(link_, envelope, body, *this);
  }

  // Whether the pit ends this call later. After run().
  [[nodiscard]] bool is_deferred() const noexcept { return request_ != 0; }
  [[nodiscard]] std::uint64_t request() const noexcept { return request_; }
  // True when a deferred call has its reply; waits for it until the deadline.
  [[nodiscard]] bool wait_ended(TimeNs deadline_ns) noexcept;
  [[nodiscard]] bool has_ended() const noexcept {
    // sync call_task.ending acquire: the reply is whole.
    return ending_.load(std::memory_order_acquire) == 1;
  }
  // An eventfd to be written to when a deferred call has its reply. Before run().
  void wake_with(std::shared_ptr<const UniqueFd> wake) noexcept { wake_ = std::move(wake); }

  bool claim(std::uint32_t size_min, std::span<std::byte>& out) noexcept override {
    if (size_min > room_.size() && !make_room(size_min)) [[unlikely]]
      return false;
    out = room_;
    return true;
  }
  void commit(std::uint32_t used, std::uint32_t type) noexcept override {
    *reply = {SYMPHONY_OK, type, room_.first(used), {}};
    tell();
  }
  void fail(std::int32_t status, std::string_view text) noexcept override;
  ReplySink* defer(std::uint64_t request) noexcept override;

 private:
  // A call that was not deferred is told by the executor.
  void tell() noexcept {
    if (request_ != 0) [[unlikely]]
      tell_waiting();
  }
  void tell_waiting() noexcept;
  [[nodiscard]] bool make_room(std::uint32_t size_min) noexcept;

  InProcessCore& core_;
  const std::uint64_t link_;
  std::uint64_t request_ = 0;
  std::atomic<std::uint32_t> ending_{0};  // of a deferred call; 1: the reply is there
  std::shared_ptr<const UniqueFd> wake_;
  std::vector<std::uint64_t> bytes_;  // room_ is all of them
  std::array<char, error_text_max> text_;
};

}  // namespace symphony::pit
