// The calls that a process pit makes of other pits: over a connection of its own to the broker, which gives one where
// the operator let the pit call somebody. A thread makes them; the data thread, which runs the pit, takes the answers
// in. Layer: hosting/process (contract, bus/base, endpoint).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include <symphony/endpoint.hpp>
#include <symphony/service.hpp>

#include "pits/hosting/host.hpp"
#include "pits/hosting/service_thread.hpp"
#include "pits/hosting/services.hpp"

namespace symphony::pit {

class OwnCalls {
 public:
  struct Answer {
    std::uint64_t cookie = 0;
    std::int32_t status = SYMPHONY_OK;
    std::uint32_t type = 0;
    std::vector<std::byte> body{};
  };

  // `service` outlives this.
  explicit OwnCalls(Service& service);

  // Takes a copy; its answer is among take_answers() once.   [data-thread]
  std::int32_t post(const AsyncCall& call) noexcept { return thread_->post(inbox_, call); }
  // The same; where it cannot be taken, the answer says why.   [data-thread]
  void post_or_end(const AsyncCall& call) noexcept {
    const std::int32_t status = post(call);
    if (status != SYMPHONY_OK) inbox_->on_answer(call.cookie, Reply{status, 0, {}, {}});
  }
  // After a nudge.   [data-thread]
  [[nodiscard]] std::vector<Answer> take_answers() { return inbox_->take(); }

 private:
  // What the thread tells; it goes only when the thread has ended.
  class Inbox final : public ServiceClient {
   public:
    explicit Inbox(Service& service);
    TimeNs run_timers(TimeNs) noexcept override { return no_deadline_ns; }  // the data thread runs them
    void on_answer(std::uint64_t cookie, const Reply& reply) noexcept override;
    std::vector<Answer> take();

   private:
    Service& service_;
    std::mutex mutex_;
    std::vector<Answer> answers_;
  };
  Outcome open(std::string_view name, TimeNs deadline_ns, std::unique_ptr<Link>& out);

  Service& service_;
  std::optional<Endpoint> endpoint_;  // the thread's
  std::shared_ptr<Inbox> inbox_;
  std::unique_ptr<ServiceThread> thread_;
};

}  // namespace symphony::pit
