#include <symphony/endpoint.hpp>

#include <poll.h>

#include <utility>

#include "bus/control/rendezvous.hpp"
#include "bus/endpoint/caller_control.hpp"
#include "bus/endpoint/link_core.hpp"

namespace symphony {

Link::Link() noexcept = default;
Link::Link(std::unique_ptr<detail::LinkCore> core) noexcept : core_(std::move(core)) {}
Link::Link(Link&&) noexcept = default;
Link& Link::operator=(Link&&) noexcept = default;
Link::~Link() = default;

namespace {
constexpr Reply no_link{.status = status::closed, .text = "this Link was never opened, or was moved from"};
}

Reply Link::call(std::uint32_t type, std::span<const std::byte> body, const CallOptions& options) noexcept {
  return core_ ? core_->call(type, body, options) : no_link;
}
std::optional<CallId> Link::try_start(std::uint32_t type, std::span<const std::byte> body,
                                      const CallOptions& options) noexcept {
  return core_ ? core_->try_start(type, body, options) : std::nullopt;
}
std::optional<Reply> Link::try_take(CallId id) noexcept { return core_ ? core_->try_take(id) : no_link; }
Reply Link::wait(CallId id) noexcept { return core_ ? core_->wait(id) : no_link; }
std::optional<Reply> Link::wait_until(CallId id, TimeNs until_ns) noexcept {
  return core_ ? core_->wait_until(id, until_ns) : no_link;
}
std::unique_ptr<std::byte[]> Link::keep(const Reply& reply) noexcept { return core_ ? core_->keep(reply) : nullptr; }
bool Link::wait_any(TimeNs deadline_ns) noexcept { return !core_ || core_->wait_any(deadline_ns); }
void Link::nudge() noexcept {
  if (core_) core_->nudge();
}
result<int> Link::fd() noexcept {
  if (!core_) return unexpected(errc::closed, "fd: this Link was never opened, or was moved from");
  return core_->fd();
}
bool Link::arm_fd() noexcept { return core_ && core_->arm_fd(); }
void Link::close() noexcept {
  if (core_) core_->close();
}
result<void> Link::wait_closed(TimeNs deadline_ns) noexcept {
  if (!core_) return unexpected(errc::closed, "wait_closed: this Link was never opened, or was moved from");
  return core_->wait_closed(deadline_ns);
}
LinkCounters Link::counters() const noexcept { return core_ ? core_->counters() : LinkCounters{}; }
bool Link::has_ended() noexcept { return core_ && core_->has_ended(); }
std::uint64_t Link::epoch() const noexcept { return core_ ? core_->epoch() : 0; }

Endpoint::Endpoint(std::shared_ptr<detail::CallerControl> control) noexcept : control_(std::move(control)) {}
Endpoint::Endpoint(Endpoint&&) noexcept = default;
Endpoint& Endpoint::operator=(Endpoint&&) noexcept = default;
Endpoint::~Endpoint() = default;

result<Endpoint> Endpoint::connect(const ConnectOptions& options) {
  const TimeNs deadline = deadline_after(options.timeout_ns);
  std::string path = options.path;
  if (path.empty()) {
    auto found = detail::control::default_socket_path(options.realm);
    if (!found) return unexpected(found.error());
    path = *std::move(found);
  }
  for (;;) {
    auto fd = detail::control::connect_to(path, deadline);
    if (!fd) return unexpected(fd.error());
    auto control = detail::CallerControl::start(detail::control::ControlSocket(*std::move(fd)), path, deadline);
    if (control) return Endpoint(*std::move(control));
    // Gone before its welcome: a broker that just died, whose socket its last processes still held. The next one comes.
    if (control.error().code != errc::closed || now_ns() >= deadline) return unexpected(control.error());
    (void)::poll(nullptr, 0, 10);
  }
}

result<Endpoint> Endpoint::adopt(UniqueFd control_socket) {
  auto control = detail::CallerControl::start(detail::control::ControlSocket(std::move(control_socket)), {},
                                              deadline_after(5 * second_ns));
  if (!control) return unexpected(control.error());
  return Endpoint(*std::move(control));
}

result<Link> Endpoint::open(std::string_view pit, const LinkOptions& options, TimeNs timeout_ns) {
  auto core = control_->open(pit, options, deadline_after(timeout_ns));
  if (!core) return unexpected(core.error());
  return Link(*std::move(core));
}

result<BrokerStatus> Endpoint::status(TimeNs timeout_ns) { return control_->status(deadline_after(timeout_ns)); }

}  // namespace symphony
