// A link's readiness in epoll: a watcher sleeps on its words instead of the data thread (link_fd.hpp).
#include <algorithm>
#include <new>

#include "bus/endpoint/link_core.hpp"
#include "bus/endpoint/waiting.hpp"

namespace symphony::detail {

result<int> LinkCore::fd() noexcept {
  if (control_->fork_guard().in_child()) return unexpected(errc::forked, "fd: this link was made before fork()");
  if (!fd_) {
    auto made = LinkFd::make();
    if (!made) return unexpected(made.error());
    fd_ = *std::move(made);
  }
  return fd_->fd();
}

bool LinkCore::arm_fd() noexcept {
  if (!fd_ || control_->fork_guard().in_child()) return false;
  progress();
  (void)fd_->clear();  // told after the last step had looked already
  end_overdue();
  if (counters_.ended != taken_ || calls_.live() == 0) return false;
  const bool attached = phase_ == Phase::open;
  fd_words_[0] = mailbox_->wait_word();
  fd_armed_ = 1;
  tell_placement();
  if (attached) {
    channel_->free_space(true);  // as before any sleep
    fd_words_[fd_armed_++] = channel_->arm();
  }
  Watch watch;
  watch.words = fd_words_;
  watch.count = fd_armed_;
  watch.deadline_ns = barrier_before_sleep(attached && channel_->needs_heavy_barrier(),
                                           now_ns() + caller_sleep_max_ns(attached_->trust));
  calls_.for_each(Call::State::sent, Call::State::queued,
                  [&](Call& call) { watch.deadline_ns = std::min(watch.deadline_ns, call.deadline_ns); });
  watch.target = fd_;
  if (mailbox_->has_mail() || (attached && channel_->look_again())) {
    progress();
    return calls_.live() != 0 && counters_.ended == taken_ && arm_fd();
  }
  bool watched = false;
  try {
    watch.memory =
        std::make_shared<std::pair<std::shared_ptr<Attached>, std::shared_ptr<LinkMailbox>>>(attached_, mailbox_);
    watched = control_->watchers().add(std::move(watch)).has_value();
  } catch (const std::bad_alloc&) {
  }
  if (!watched) fd_->on_change(0, false);  // nobody sleeps for us: the loop comes back at once, and polls
  return true;
}

void LinkCore::disarm_fd() noexcept {
  if (fd_armed_ == 0) return;
  const auto words = std::span(fd_words_).first(std::exchange(fd_armed_, 0));
  control_->watchers().cancel(fd_.get(), 0);
  const bool at_bound = fd_->clear();
  const bool attached = phase_ == Phase::open;
  const bool found = mailbox_->has_mail() || (attached && channel_->look_again());
  ++sleep_.sleeps;
  if (at_bound) ++sleep_.timeouts;
  if (at_bound && found && nobody_rang<RealMem, Order, Site>(words)) ++sleep_.timeouts_with_data;
  if (attached) channel_->disarm();
}

}  // namespace symphony::detail
