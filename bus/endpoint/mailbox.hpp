// From a control thread to the thread that owns a link: a counter to poll or sleep on, and a box of events behind it.
// Layer: endpoint. Threads: any thread posts; the owner takes.
#pragma once

#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "bus/ring/mem.hpp"
#include "bus/wait/futex.hpp"

namespace symphony::detail {

template <class Event>
class Mailbox {
 public:
  void post(Event event) {
    {
      const std::lock_guard lock(mutex_);
      events_.push_back(std::move(event));
    }
    std::atomic_ref<std::uint32_t> count(count_);
    // sync mailbox.count release: who sees the new count finds the event in the box.
    count.fetch_add(1, std::memory_order_release);
    wake_all(&count_);
  }

  // Ends the owner's sleep although nothing was posted.
  void nudge() noexcept {
    std::atomic_ref<std::uint32_t> count(count_);
    // sync mailbox.count release: what was done before it is visible to the owner, who looks for it elsewhere.
    count.fetch_add(1, std::memory_order_release);
    wake_all(&count_);
  }

  // Whether anything was posted since the last take(): one load.   [owner]
  [[nodiscard]] bool has_mail() const noexcept { return count() != seen_; }

  // Everything posted since the last take, in order.   [owner]
  [[nodiscard]] std::vector<Event> take() {
    seen_ = count();
    const std::lock_guard lock(mutex_);
    return std::exchange(events_, {});
  }

  // To sleep on; check has_mail() after arming.   [owner]
  [[nodiscard]] WaitWord wait_word() const noexcept { return {&count_, seen_}; }

 private:
  [[nodiscard]] std::uint32_t count() const noexcept {
    // sync mailbox.count acquire: an event counted here is in the box.
    return RealMem::load<Order::acquire, Site::state>(&count_);
  }
  std::uint32_t count_ = 0;
  std::uint32_t seen_ = 0;  // the owner's
  std::mutex mutex_;
  std::vector<Event> events_;
};

}  // namespace symphony::detail
