#include "pits/hosting/process/own_calls.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include "pits/hosting/process/process_link.hpp"

namespace symphony::pit {
namespace {

// How long the other calls wait while a link to one pit is opened.
constexpr TimeNs open_timeout_ns = 5 * second_ns;

}  // namespace

OwnCalls::OwnCalls(Service& service) : service_(service), inbox_(std::make_shared<Inbox>(service)) {
  thread_ =
      std::make_unique<ServiceThread>([this](std::string_view name, TimeNs deadline_ns, std::unique_ptr<Link>& out) {
        return open(name, deadline_ns, out);
      });
}

Outcome OwnCalls::open(std::string_view name, TimeNs deadline_ns, std::unique_ptr<Link>& out) {
  const TimeNs until = std::min(deadline_ns, deadline_after(open_timeout_ns));
  // A second time with a new connection: the broker may have been replaced since the first.
  for (bool is_new = false;; endpoint_.reset()) {
    if (!endpoint_) {
      auto socket = service_.wait_caller_socket(until);
      if (!socket) {
        const bool denied = socket.error().code == errc::refused;
        return {denied ? SYMPHONY_DENIED : status_of(socket.error().code), socket.error().text};
      }
      auto endpoint = Endpoint::adopt(*std::move(socket));
      if (!endpoint) return {status_of(endpoint.error().code), endpoint.error().text};
      endpoint_.emplace(*std::move(endpoint));
      is_new = true;
    }
    auto link = endpoint_->open(name, {}, std::max<TimeNs>(until - now_ns(), 0));
    if (link) {
      out = std::make_unique<ProcessLink>(*std::move(link));
      return {};
    }
    const errc code = link.error().code;
    if (code == errc::refused) return {SYMPHONY_DENIED, link.error().text};
    if (code != errc::unreachable || is_new) return {status_of(code), link.error().text};
  }
}

// Room for as many answers as calls can be out, so that telling of an ending never needs memory.
OwnCalls::Inbox::Inbox(Service& service) : service_(service) { answers_.reserve(SYMPHONY_CALLS_MAX); }

void OwnCalls::Inbox::on_answer(std::uint64_t cookie, const Reply& reply) noexcept {
  Answer answer{.cookie = cookie, .status = reply.status, .type = reply.type};
  try {
    const auto body = reply.ok() ? reply.body : std::as_bytes(std::span(reply.text));
    answer.body.assign(body.begin(), body.end());
  } catch (const std::bad_alloc&) {
    answer = {.cookie = cookie, .status = SYMPHONY_OVERLOADED};
  }
  {
    const std::lock_guard lock(mutex_);
    answers_.push_back(std::move(answer));
  }
  service_.nudge();
}

std::vector<OwnCalls::Answer> OwnCalls::Inbox::take() {
  std::vector<Answer> room;
  room.reserve(SYMPHONY_CALLS_MAX);
  const std::lock_guard lock(mutex_);
  std::swap(room, answers_);
  return room;
}

}  // namespace symphony::pit
