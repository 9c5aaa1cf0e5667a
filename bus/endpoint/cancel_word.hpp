// The request that the broker cancelled last, for a handler that asks.   Layer: endpoint.
// Threads: cancel() on the control thread, is_cancelled() on the data thread. A cancel is advice: the next one may take
// its place before anybody asked.
#pragma once

#include <atomic>
#include <cstdint>

#include "bus/control/messages.hpp"

namespace symphony::detail {

class CancelWord {
 public:
  void cancel(control::LinkId link, std::uint64_t id) noexcept {
    // relaxed: nobody takes the link for the other's before the id says so.
    id_.store(0, std::memory_order_relaxed);
    link_.store(link, std::memory_order_relaxed);  // relaxed: as above
    // sync cancel.id release: the link is there for whoever sees the id.
    id_.store(id, std::memory_order_release);
  }
  [[nodiscard]] bool is_cancelled(control::LinkId link, std::uint64_t id) const noexcept {
    // sync cancel.id acquire: from here the link may be read.
    // relaxed: link_ is ordered by it.
    return id_.load(std::memory_order_acquire) == id && link_.load(std::memory_order_relaxed) == link;
  }

 private:
  std::atomic<control::LinkId> link_{0};
  std::atomic<std::uint64_t> id_{0};  // 0: none
};

}  // namespace symphony::detail
