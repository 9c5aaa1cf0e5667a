// What most programs would write: one link and a mutex round it.   Layer: bench. For comparison with what many threads
// are given instead (pits/hosting/thread_links.hpp, process/link_queue.hpp).
// Threads: any. The reply is copied out before the lock is let go, as it would not stay otherwise.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "pits/hosting/host.hpp"

namespace symphony::bench {

class MutexLink final : public pit::SharedLink {
 public:
  explicit MutexLink(std::unique_ptr<pit::Link> link) : link_(std::move(link)) {}
  pit::Reply call(const pit::Request& request) noexcept override {
    static thread_local std::vector<std::byte> bytes;
    const std::lock_guard lock(mutex_);
    pit::Reply reply = link_->call(request);
    bytes.assign(reply.body.begin(), reply.body.end());
    reply.body = bytes;
    return reply;
  }

 private:
  std::mutex mutex_;
  std::unique_ptr<pit::Link> link_;
};

}  // namespace symphony::bench
