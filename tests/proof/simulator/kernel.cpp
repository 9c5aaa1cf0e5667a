#include "tests/proof/simulator/kernel.hpp"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "bus/endpoint/attachment.hpp"
#include "bus/wait/futex.hpp"
#include "bus/wait/heavy_barrier.hpp"

namespace symphony::proof {

Kernel Kernel::the_only_one;

void Kernel::reset() {
  fds_.clear();
  free_.clear();
  for (auto& of_caller : watches_) of_caller.clear();
  dead_.clear();
  violations_.clear();
  open_ = 0;
  map_fails_ = false;
}

ProcessId Kernel::start_process() {
  dead_.push_back(false);
  return static_cast<ProcessId>(dead_.size() - 1);
}

UniqueFd Kernel::open(const Fd& fd) {
  if (free_.empty()) {
    free_.push_back(static_cast<int>(fds_.size()));
    fds_.emplace_back();
  }
  const int number = free_.back();
  free_.pop_back();
  fds_[static_cast<std::size_t>(number)] = fd;
  fds_[static_cast<std::size_t>(number)].open = true;
  ++open_;
  return UniqueFd(fds_from + number);
}

Kernel::Fd* Kernel::find(int fd) {
  const auto number = static_cast<std::size_t>(fd - fds_from);
  return fd >= fds_from && number < fds_.size() && fds_[number].open ? &fds_[number] : nullptr;
}

void Kernel::close(int fd) {
  Fd* const known = find(fd);
  if (known == nullptr) return violation("a descriptor is closed twice");
  // The broker's descriptor of the same pidfd would keep it in the set.
  if (known->watched) violation("a descriptor is closed while its epoll set watches it");
  known->open = false;
  --open_;
  free_.push_back(fd - fds_from);
}

void Kernel::watch(std::size_t caller, int fd, std::uint64_t tag) {
  Fd* const known = find(fd);
  if (known == nullptr || known->watched) return violation("a descriptor is watched that is closed, or twice");
  known->watched = true;
  if (caller >= watches_.size()) watches_.resize(caller + 1);
  watches_[caller].push_back({fd, tag});
}

void Kernel::unwatch(std::size_t caller, int fd) {
  Fd* const known = find(fd);
  if (known == nullptr) return violation("a descriptor that is closed leaves its epoll set");
  if (!known->watched) return violation("a descriptor leaves an epoll set twice");
  known->watched = false;
  std::erase_if(watches_[caller], [&](const Watch& w) { return w.fd == fd; });
}

void Kernel::forget_watches(std::size_t caller) {
  if (caller >= watches_.size()) return;
  for (const Watch& w : watches_[caller]) {
    if (Fd* const fd = find(w.fd)) fd->watched = false;
  }
  watches_[caller].clear();
}

std::optional<std::uint64_t> Kernel::readable(std::size_t caller) const {
  if (caller >= watches_.size()) return std::nullopt;
  for (const Watch& w : watches_[caller]) {
    if (dead_[fds_[static_cast<std::size_t>(w.fd - fds_from)].process]) return w.tag;
  }
  return std::nullopt;
}

}  // namespace symphony::proof

// ---- what the endpoint calls ----

namespace symphony::detail {
namespace {

using proof::Kernel;

bool is_of(const Kernel::Fd* fd, broker::FdName name, const control::Attachment& at) {
  return fd != nullptr && fd->name == name && fd->link == at.link && fd->epoch == at.epoch;
}

}  // namespace

result<std::unique_ptr<Attached>> map_own(const control::Own& own, UniqueFd segment, Side, UniqueFd peer_segment) {
  Kernel& kernel = Kernel::get();
  if (!is_of(kernel.find(segment.get()), broker::FdName::caller_segment_rw, own.at) ||
      (peer_segment && !is_of(kernel.find(peer_segment.get()), broker::FdName::pit_segment_rw, own.at))) {
    kernel.violation("an Own came with the segment of another epoch");
  }
  if (kernel.take_map_failure()) return unexpected(errc::out_of_memory, "no memory", ENOMEM);
  auto attached = std::make_unique<Attached>();
  attached->at = own.at;
  attached->in_flight_max = own.in_flight_max;
  attached->trust = static_cast<Trust>(own.trust);
  attached->look_after_ns = own.look_after_ms * ms_ns;
  return attached;
}

result<void> map_peer(Attached& attached, UniqueFd segment, Side) {
  Kernel& kernel = Kernel::get();
  if (!is_of(kernel.find(segment.get()), broker::FdName::pit_segment_ro, attached.at)) {
    kernel.violation("a Peer came with the segment of another epoch");
  }
  if (kernel.take_map_failure()) return unexpected(errc::out_of_memory, "no memory", ENOMEM);
  return {};
}

// Nobody sleeps, and no barrier is needed, where there is one thread.
bool wake_all(const std::uint32_t*) noexcept { return false; }
bool register_for_heavy_barriers() noexcept { return false; }

}  // namespace symphony::detail

extern "C" {

int close(int fd) {
  using symphony::proof::Kernel;
  if (fd < Kernel::fds_from) return static_cast<int>(::syscall(SYS_close, fd));
  Kernel::get().close(fd);
  return 0;
}

// glibc declares what poll is given as written only; under a name of our own it may be read.
int simulated_poll(pollfd* fds, nfds_t count, int timeout) __asm__("poll");
int simulated_poll(pollfd* fds, nfds_t count, int timeout) {
  using symphony::proof::Kernel;
  if (count != 1 || fds->fd < Kernel::fds_from) return static_cast<int>(::syscall(SYS_poll, fds, count, timeout));
  const Kernel::Fd* const known = Kernel::get().find(fds->fd);
  fds->revents = known != nullptr && Kernel::get().is_dead(known->process) ? POLLIN : 0;
  return fds->revents != 0 ? 1 : 0;
}

int epoll_ctl(int epoll, int operation, int fd, epoll_event* event) noexcept {
  using symphony::proof::Kernel;
  if (fd < Kernel::fds_from) return static_cast<int>(::syscall(SYS_epoll_ctl, epoll, operation, fd, event));
  const auto caller = static_cast<std::size_t>(epoll - Kernel::epolls_from);
  if (operation == EPOLL_CTL_ADD) {
    Kernel::get().watch(caller, fd, event->data.u64);
  } else {
    Kernel::get().unwatch(caller, fd);
  }
  return 0;
}

}  // extern "C"
