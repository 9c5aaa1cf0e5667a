// From the end of one broker to the next one, on the control thread.
#include <poll.h>
#include <sys/epoll.h>

#include <array>
#include <utility>

#include "bus/control/rendezvous.hpp"
#include "bus/endpoint/caller_control.hpp"

namespace symphony::detail {
namespace {

using namespace control;

constexpr TimeNs search_slice_ns = 200 * ms_ns;
constexpr TimeNs welcome_timeout_ns = 2 * second_ns;

}  // namespace

error unreachable_error() noexcept {
  return {errc::unreachable, 0, "the broker is gone and this endpoint knows no path to another: make a new one"};
}

void CallerControl::on_broker_gone() {
  {
    const std::lock_guard lock(mutex_);
    broker_.disconnect();
    links_.forget_forming();
    if (path_.empty()) {
      links_.end_all(unreachable_error());
      for (auto& [correlation, query] : queries_) query.lost = true;
      changed_.notify_all();
      return;
    }
  }
  while (!find_next_broker()) {
    pollfd woken{wake_.get(), POLLIN, 0};  // a refusal comes at once: not more than a few tries a second
    if (::poll(&woken, 1, static_cast<int>(search_slice_ns / ms_ns)) > 0 && on_wake()) return;
  }
}

bool CallerControl::find_next_broker() {
  auto fd = connect_to(path_, deadline_after(search_slice_ns));
  if (!fd) {
    // Deaths while nobody is there to send new epochs are still worth knowing.
    std::array<epoll_event, 32> events{};
    const int n = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 0);
    for (int i = 0; i < n; ++i) {
      const std::uint64_t tag = events[static_cast<std::size_t>(i)].data.u64;
      if (tag != tag_wake && tag != tag_socket) on_pit_died(tag);
    }
    return false;
  }
  ControlSocket socket(*std::move(fd));
  std::vector<HeldLink> held;
  {
    const std::lock_guard lock(mutex_);
    held = links_.held();
  }
  const auto welcome = greet(socket, held, deadline_after(welcome_timeout_ns));
  if (!welcome) return false;
  const std::lock_guard lock(mutex_);
  be_connected(std::move(socket), *welcome);
  links_.ask_again(held);
  boards_.ask_again();
  for (const auto& [correlation, query] : queries_) {
    if (!query.answer) broker_.send(StatusQuery{correlation});
  }
  changed_.notify_all();  // an older broker cannot do all that is asked again
  return true;
}

}  // namespace symphony::detail
