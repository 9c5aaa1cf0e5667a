#include "bindings/c/link.hpp"

#include <algorithm>
#include <vector>

#include "bindings/c/failure.hpp"
#include "bindings/c/handles.hpp"

namespace symphony::c_abi {
namespace {

constexpr std::size_t in_flight_most = 1024;  // LinkOptions::in_flight_max goes up to it

struct LinkObject {
  explicit LinkObject(Link l) : link(std::move(l)) {
    started.reserve(in_flight_most);
    given_up.reserve(in_flight_most);
  }
  Link link;
  std::vector<CallId> started;   // by symphony_link_start() or left PENDING, and not taken: at most in_flight_max
  std::vector<CallId> given_up;  // their endings are dropped; at most in_flight_max

  void drop_given_up() noexcept {
    std::erase_if(given_up, [&](CallId id) { return link.try_take(id).has_value(); });
  }
};

constinit Lasting<LinkObject, 4096> lasting_links;
auto& links = lasting_links.table;

using LinkPin = Handles<LinkObject, 4096>::Pin;

// Enters the link alone and does `work` with it. What was given up is looked after first.
template <class Work>
auto with_link(symphony_link handle, Work&& work) noexcept -> decltype(work(std::declval<LinkObject&>())) {
  return guarded([&]() -> decltype(work(std::declval<LinkObject&>())) {
    const LinkPin pin = links.enter(handle, true);
    if (!pin) return fail(pin.status());
    LinkObject& object = *pin.operator->();
    if (!object.given_up.empty()) object.drop_given_up();
    return std::forward<Work>(work)(object);
  });
}

std::span<const std::byte> bytes_of(const void* body, std::size_t size) noexcept {
  return {static_cast<const std::byte*>(body), size};
}

// The last ending that a link gave; what it points to is its own memory.
void put_reply(const Reply& from, symphony_reply* to) noexcept {
  *to = {};
  to->id = from.id;
  to->body = from.body.empty() ? nullptr : from.body.data();
  to->size = from.body.size();
  to->text = from.text.data();
  to->text_size = from.text.size();
  to->type = from.type;
  to->status = from.status;
}

std::int32_t fail_by(const Reply& reply) noexcept {
  return reply.text.empty() ? fail(reply.status) : fail(reply.status, reply.text);
}

[[nodiscard]] bool read_call(const symphony_call_options* from, const void* body, std::size_t size, CallOptions& to) {
  if (body == nullptr && size != 0) return false;
  if (from == nullptr) return true;
  symphony_call_options given;
  if (!read_options(from, given) || given.effect > SYMPHONY_EFFECT_IDEMPOTENT) return false;
  if (given.timeout_ns > 0) to.timeout_ns = given.timeout_ns;
  to.effect = static_cast<Effect>(given.effect);
  return true;
}

constexpr std::string_view bad_call =
    "a call wants a place for its reply, a body of its size, and options with a size and an effect of the table";
constexpr std::string_view full =
    "the ring is full, or in_flight_max calls were started and not taken: take or wait for some first";

// Starts it, and gives back its id; 0: full.
CallId start(LinkObject& object, std::uint32_t type, std::span<const std::byte> body, const CallOptions& options) {
  const auto id = object.link.try_start(type, body, options);
  if (id) object.started.push_back(*id);
  return id.value_or(0);
}

bool forget(LinkObject& object, CallId id) noexcept { return std::erase(object.started, id) != 0; }

TimeNs until_of(std::int64_t wait_ns) noexcept {
  return wait_ns < 0 ? no_deadline_ns : wait_ns == 0 ? 0 : deadline_after(wait_ns);
}

// As the _into functions return it.
std::int64_t put_into(LinkObject& object, const Reply& reply, void* out, std::size_t capacity,
                      symphony_reply* to) noexcept {
  put_reply(reply, to);
  if (!reply.ok()) return (void)fail_by(reply), reply.status > 0 ? SYMPHONY_PIT_STATUS : reply.status;
  const std::size_t size = reply.body.size();
  if (size <= capacity) {
    if (size != 0) std::memcpy(out, reply.body.data(), size);
  } else if (auto kept = object.link.keep(reply)) {
    (void)kept.release();
  } else {
    return fail(SYMPHONY_E_INTERNAL, "the reply could not be kept");
  }
  return static_cast<std::int64_t>(size);
}

}  // namespace

std::uint64_t put_link(Link link) { return links.put(std::make_unique<LinkObject>(std::move(link))); }

}  // namespace symphony::c_abi

using namespace symphony;
using namespace symphony::c_abi;

int32_t symphony_link_close(symphony_link link) {
  const std::int32_t closed = links.close(link, true);
  return closed == SYMPHONY_OK ? closed : fail(closed);
}

int32_t symphony_link_call(symphony_link link, uint32_t type, const void* body, size_t size,
                           const symphony_call_options* options, symphony_reply* reply) {
  return with_link(link, [&](LinkObject& object) -> std::int32_t {
    CallOptions made;
    if (reply == nullptr || !read_call(options, body, size, made)) return fail(SYMPHONY_E_INVALID_ARGUMENT, bad_call);
    const Reply ended = object.link.call(type, bytes_of(body, size), made);
    put_reply(ended, reply);
    return ended.ok() ? SYMPHONY_OK : fail_by(ended);
  });
}

int32_t symphony_link_start(symphony_link link, uint32_t type, const void* body, size_t size,
                            const symphony_call_options* options, uint64_t* call) {
  return with_link(link, [&](LinkObject& object) -> std::int32_t {
    CallOptions made;
    if (call == nullptr || !read_call(options, body, size, made)) return fail(SYMPHONY_E_INVALID_ARGUMENT, bad_call);
    const CallId id = start(object, type, bytes_of(body, size), made);
    if (id == 0) return fail(SYMPHONY_OVERLOADED, full);
    *call = id;
    return SYMPHONY_OK;
  });
}

int32_t symphony_link_wait(symphony_link link, uint64_t call, int64_t wait_ns, symphony_reply* reply) {
  return with_link(link, [&](LinkObject& object) -> std::int32_t {
    if (reply == nullptr) return fail(SYMPHONY_E_INVALID_ARGUMENT, "symphony_link_wait: no place for the reply");
    if (std::ranges::find(object.started, call) == object.started.end()) return fail(SYMPHONY_BAD_STATE);
    const auto ended = wait_ns == 0 ? object.link.try_take(call) : object.link.wait_until(call, until_of(wait_ns));
    if (!ended) return SYMPHONY_PENDING;
    (void)forget(object, call);
    put_reply(*ended, reply);
    return ended->ok() ? SYMPHONY_OK : fail_by(*ended);
  });
}

int32_t symphony_link_wait_any(symphony_link link, int64_t wait_ns) {
  return with_link(link, [&](LinkObject& object) -> std::int32_t {
    return object.link.wait_any(until_of(wait_ns)) ? SYMPHONY_OK : SYMPHONY_E_TIMEOUT;
  });
}

int32_t symphony_link_nudge(symphony_link link) {
  const LinkPin pin = links.enter(link, false);
  if (!pin) return fail(pin.status());
  pin->link.nudge();
  return SYMPHONY_OK;
}

int32_t symphony_link_cancel(symphony_link link, uint64_t call) {
  return with_link(link, [&](LinkObject& object) -> std::int32_t {
    if (!forget(object, call)) return fail(SYMPHONY_BAD_STATE);
    if (!object.link.try_take(call)) object.given_up.push_back(call);
    return SYMPHONY_OK;
  });
}

int32_t symphony_link_keep(symphony_link link, const symphony_reply* reply) {
  return with_link(link, [&](LinkObject& object) -> std::int32_t {
    if (reply == nullptr) return fail(SYMPHONY_E_INVALID_ARGUMENT, "symphony_link_keep: no reply");
    auto kept = object.link.keep({.body = bytes_of(reply->body, reply->size), .text = {}, .id = reply->id});
    if (!kept)
      return fail(SYMPHONY_BAD_STATE, "symphony_link_keep: the reply has no body, or another call was started");
    (void)kept.release();
    return SYMPHONY_OK;
  });
}

int64_t symphony_link_call_into(symphony_link link, uint32_t type, const void* body, size_t size,
                                const symphony_call_options* options, void* out, size_t capacity,
                                symphony_reply* reply) {
  return with_link(link, [&](LinkObject& object) -> std::int64_t {
    CallOptions made;
    if (reply == nullptr || (out == nullptr && capacity != 0) || !read_call(options, body, size, made)) {
      return fail(SYMPHONY_E_INVALID_ARGUMENT, bad_call);
    }
    const CallId id = start(object, type, bytes_of(body, size), made);
    if (id == 0) return fail(SYMPHONY_OVERLOADED, full);
    const auto ended = object.link.wait_until(id, 0);
    if (!ended) {
      reply->id = id;
      return SYMPHONY_PENDING;
    }
    object.started.pop_back();
    return put_into(object, *ended, out, capacity, reply);
  });
}

int64_t symphony_link_call_frame(symphony_frame* frame, uint32_t type, const void* body, uint32_t size) {
  if (frame == nullptr || frame->struct_size < sizeof *frame) return fail(SYMPHONY_E_INVALID_ARGUMENT, bad_call);
  return symphony_link_call_into(frame->link, type, body, size, frame->options, frame->out, frame->capacity,
                                 &frame->reply);
}

int64_t symphony_link_wait_into(symphony_link link, uint64_t call, int64_t wait_ns, void* out, size_t capacity,
                                symphony_reply* reply) {
  return with_link(link, [&](LinkObject& object) -> std::int64_t {
    if (reply == nullptr || (out == nullptr && capacity != 0)) return fail(SYMPHONY_E_INVALID_ARGUMENT, bad_call);
    if (std::ranges::find(object.started, call) == object.started.end()) return fail(SYMPHONY_BAD_STATE);
    const auto ended = wait_ns == 0 ? object.link.try_take(call) : object.link.wait_until(call, until_of(wait_ns));
    if (!ended) return SYMPHONY_PENDING;
    (void)forget(object, call);
    return put_into(object, *ended, out, capacity, reply);
  });
}

int32_t symphony_link_fd(symphony_link link, int* fd) {
  return with_link(link, [&](LinkObject& object) -> std::int32_t {
    if (fd == nullptr) return fail(SYMPHONY_E_INVALID_ARGUMENT, "symphony_link_fd: no place for the descriptor");
    const auto own = object.link.fd();
    if (!own) return fail(own.error());
    *fd = *own;
    return SYMPHONY_OK;
  });
}

int32_t symphony_link_arm(symphony_link link) {
  return with_link(
      link, [&](LinkObject& object) -> std::int32_t { return object.link.arm_fd() ? SYMPHONY_PENDING : SYMPHONY_OK; });
}

int32_t symphony_link_count(symphony_link link, symphony_link_counters* counters, size_t counters_size) {
  return with_link(link, [&](LinkObject& object) -> std::int32_t {
    if (counters == nullptr) return fail(SYMPHONY_E_INVALID_ARGUMENT, "symphony_counters: no place for them");
    const LinkCounters from = object.link.counters();
    const symphony_link_counters to{.calls = from.calls,
                                    .ended = from.ended,
                                    .late_replies = from.late_replies,
                                    .sent_again = from.sent_again,
                                    .attaches = from.attaches,
                                    .sleeps = from.sleeps,
                                    .peer_faults = from.peer_faults,
                                    .epoch = object.link.epoch()};
    std::memset(counters, 0, counters_size);
    std::memcpy(counters, &to, std::min(counters_size, sizeof to));
    return SYMPHONY_OK;
  });
}
