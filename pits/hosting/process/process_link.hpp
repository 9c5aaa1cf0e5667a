// A link of the bus as a pit::Link, and what its errors are as statuses.   Layer: hosting/process (contract, bus/base,
// endpoint). Threads: one at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include <symphony/endpoint.hpp>

#include "pits/hosting/host.hpp"

namespace symphony::pit {

[[nodiscard]] inline std::int32_t status_of(errc code) noexcept {
  switch (code) {
    case errc::timeout:
      return SYMPHONY_DEADLINE;
    case errc::quarantined:
      return SYMPHONY_QUARANTINED;
    case errc::out_of_memory:
    case errc::out_of_descriptors:
    case errc::busy:
    case errc::too_large:
      return SYMPHONY_OVERLOADED;
    case errc::forked:
      return SYMPHONY_FORKED;
    case errc::version_mismatch:
      return SYMPHONY_VERSION;
    default:
      return SYMPHONY_UNREACHABLE;
  }
}

class ProcessLink final : public Link {
 public:
  explicit ProcessLink(symphony::Link link) : link_(std::move(link)) {}
  Reply call(const Request& request) noexcept override {
    const symphony::Reply reply =
        link_.call(request.type, request.body,
                   {.effect = static_cast<Effect>(request.effect), .deadline_ns = request.deadline_ns});
    return {reply.status, reply.type, reply.body, reply.text};
  }
  std::uint64_t incarnation() const noexcept override { return link_.epoch(); }
  bool try_start(const Request& request, std::uint64_t tag) noexcept override {
    try {
      tags_.reserve(tags_.size() + 1);
      const auto id =
          link_.try_start(request.type, request.body,
                          {.effect = static_cast<Effect>(request.effect), .deadline_ns = request.deadline_ns});
      if (!id) return false;
      tags_.push_back({*id, tag});
      return true;
    } catch (const std::bad_alloc&) {
      return false;
    }
  }
  bool try_take(std::uint64_t& tag, Reply& out) noexcept override {
    for (auto at = tags_.begin(); at != tags_.end(); ++at) {
      const auto reply = link_.try_take(at->id);
      if (!reply) continue;
      tag = at->tag;
      out = {reply->status, reply->type, reply->body, reply->text};
      tags_.erase(at);
      return true;
    }
    return false;
  }
  Wait prepare_wait() noexcept override {
    if (tags_.empty()) return {};
    const auto fd = link_.fd();
    if (!fd) return {-1, now_ns() + ms_ns};  // no descriptor left: look now and then
    return link_.arm_fd() ? Wait{*fd, no_deadline_ns} : Wait{-1, 0};
  }
  void wake_with(std::shared_ptr<const UniqueFd>) noexcept override {}  // its own descriptor tells
  bool is_over() noexcept override { return tags_.empty() && link_.has_ended(); }
  Tally tally() const noexcept override {
    const LinkCounters counters = link_.counters();
    return {counters.calls, counters.ended, counters.late_replies};
  }

 private:
  struct Started {
    CallId id;
    std::uint64_t tag;
  };
  symphony::Link link_;
  std::vector<Started> tags_;  // at most the link's in_flight_max
};

}  // namespace symphony::pit
