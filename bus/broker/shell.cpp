#include "bus/broker/shell.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bus/control/codec.hpp"
#include "bus/control/rendezvous.hpp"

namespace symphony::detail::broker {
namespace {

constexpr int tag_shift = 56;
constexpr std::uint64_t id_mask = (std::uint64_t{1} << tag_shift) - 1;
constexpr int messages_a_turn = 64;  // of one peer, then the others have theirs
constexpr int reads_a_turn = 4;      // of one pit's stderr
constexpr TimeNs accept_pause_ns = 100 * ms_ns;

}  // namespace

Shell::Shell(ShellOptions options) noexcept
    : config_(std::move(options.core)),
      keeper_(std::move(options.keeper)),
      listener_(std::move(options.listener)),
      leave_(std::move(options.leave)),
      read_pits_(std::move(options.read_pits)),
      slots_(options.slots),
      letters_(options.letters) {}

Shell::~Shell() = default;

result<std::unique_ptr<Shell>> Shell::start(ShellOptions options, TimeNs deadline_ns) {
  if (const auto checked = check_pits(in_use(options.core.pits)); !checked) return unexpected(checked.error());
  std::unique_ptr<Shell> shell(new Shell(std::move(options)));
  shell->epoll_ = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
  shell->wake_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!shell->epoll_ || !shell->wake_) {
    return unexpected(errc::out_of_descriptors, "broker: no descriptors left: raise the limit (ulimit -n)", errno);
  }
  if (auto begun = shell->begin(deadline_ns); !begun) return unexpected(begun.error());
  return shell;
}

result<void> Shell::watch(int fd, Tag tag, std::uint64_t id, bool writable, bool change) {
  epoll_event event{};
  event.events = EPOLLIN | (writable ? EPOLLOUT : 0U);
  event.data.u64 = (static_cast<std::uint64_t>(tag) << tag_shift) | id;
  if (::epoll_ctl(epoll_.get(), change ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) == 0) return {};
  return unexpected(errc::system, "epoll_ctl: the broker cannot watch another descriptor", errno);
}

void Shell::unwatch(int fd) noexcept {
  if (fd >= 0) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void Shell::drop_caller(ConnId id) noexcept {
  const auto found = callers_.find(id);
  if (found == callers_.end()) return;
  unwatch(found->second.peer.socket.fd());
  unwatch(found->second.pidfd.get());
  callers_.erase(found);
  if (!boards_) return;
  boards_->on_left(id);
  tell_of_boards();
}

void Shell::drop_pit(PitIndex index) noexcept {
  const auto found = pits_.find(index);
  if (found == pits_.end()) return;
  unwatch(found->second.peer.socket.fd());
  unwatch(found->second.output.get());
  pits_.erase(found);
}

bool Shell::run() {
  std::array<epoll_event, 64> events{};
  bool ok = true;
  while (!finished_) {
    const int n = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), timeout_ms());
    if (n < 0 && errno != EINTR) {
      ok = false;
      break;
    }
    if (timer_ns_ != no_deadline_ns && now_ns() >= timer_ns_) {
      timer_ns_ = no_deadline_ns;
      feed(TimerFired{});
    }
    for (int i = 0; i < n; ++i) {
      const auto& e = events[static_cast<std::size_t>(i)];
      dispatch(static_cast<Tag>(e.data.u64 >> tag_shift), e.data.u64 & id_mask, e.events);
    }
    forget_absent();
  }
  // Whoever posted before this gets an answer; nobody can post after it.
  std::vector<std::function<void(Shell&)>> last;
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    last.swap(posted_);
  }
  for (auto& work : last) work(*this);
  return ok;
}

bool Shell::post(std::function<void(Shell&)> work) {
  {
    const std::lock_guard lock(mutex_);
    if (ended_) return false;
    posted_.push_back(std::move(work));
  }
  const std::uint64_t one = 1;
  return ::write(wake_.get(), &one, sizeof(one)) == sizeof(one) || errno == EAGAIN;  // full: it is awake
}

void Shell::run_posted() {
  std::uint64_t count = 0;
  (void)!::read(wake_.get(), &count, sizeof(count));
  std::vector<std::function<void(Shell&)>> now;
  {
    const std::lock_guard lock(mutex_);
    now.swap(posted_);
  }
  for (auto& work : now) work(*this);
}

int Shell::timeout_ms() const {
  TimeNs next = timer_ns_;
  for (const auto& [id, absent] : absent_) next = std::min(next, absent.until_ns);
  if (listener_ && !listening_) next = std::min(next, now_ns() + accept_pause_ns);
  if (next == no_deadline_ns) return -1;
  const TimeNs left = (next - now_ns() + ms_ns - 1) / ms_ns;
  return static_cast<int>(std::clamp<TimeNs>(left, 0, 60'000));
}

void Shell::forget_absent() {
  if (listener_ && !listening_) listening_ = watch(listener_.get(), Tag::listener, 0).has_value();
  if (absent_.empty()) return;
  const TimeNs now = now_ns();
  std::erase_if(absent_, [&](const auto& entry) {
    if (entry.second.until_ns > now) return false;
    unwatch(entry.second.pidfd.get());
    return true;
  });
}

void Shell::dispatch(Tag tag, std::uint64_t id, std::uint32_t events) {
  switch (tag) {
    case Tag::wake:
      return run_posted();
    case Tag::keeper:
      return read_keeper();
    case Tag::listener:
      return accept_callers();
    case Tag::caller: {
      const auto found = callers_.find(id);
      if (found == callers_.end()) return;
      if ((events & EPOLLOUT) != 0 && flush(found->second.peer)) {
        if (found->second.peer.ending) return drop_caller(id);
        (void)watch(found->second.peer.socket.fd(), Tag::caller, id, false, true);
      }
      if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) read_caller(id);
      return;
    }
    case Tag::caller_pidfd:
      // What it said before it died counts; its socket may still be held by a child.
      if (const auto found = callers_.find(id); found != callers_.end()) {
        unwatch(found->second.pidfd.get());
        read_caller(id);
      }
      if (const auto found = absent_.find(id); found != absent_.end()) {
        unwatch(found->second.pidfd.get());
        absent_.erase(found);
      }
      return feed(CallerLeft{id, true});
    case Tag::pit: {
      const auto found = pits_.find(static_cast<PitIndex>(id));
      if (found == pits_.end()) return;
      if ((events & EPOLLOUT) != 0 && flush(found->second.peer)) {
        (void)watch(found->second.peer.socket.fd(), Tag::pit, id, false, true);
      }
      if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) read_pit(static_cast<PitIndex>(id));
      return;
    }
    case Tag::output:
      return read_output(static_cast<PitIndex>(id), reads_a_turn);
    case Tag::leave:
      return leave();
  }
}

// What it has heard it has done, and what it has not is in the sockets and pipes for the next one. What waits here for
// room is tried once more.
void Shell::leave() noexcept {
  for (auto& [id, caller] : callers_) (void)flush(caller.peer);
  for (auto& [index, pit] : pits_) (void)flush(pit.peer);
  finished_ = true;
}

void Shell::feed(Event event) {
  pending_.push_back(std::move(event));
  if (executing_) return;  // an action's own event: after the actions of the step that caused it
  executing_ = true;
  while (!pending_.empty()) {
    const Event next = std::move(pending_.front());
    pending_.pop_front();
    core_->step(next, now_ns());
    execute_all();
  }
  executing_ = false;
}

void Shell::execute_all() {
  Action action;
  while (core_->pop(action)) {
    std::visit([this](const auto& a) { execute(a); }, action);
  }
}

void Shell::stop() { feed(StopAll{}); }

void Shell::execute(const Stopping&) { tell_keeper(keeper::datagram(keeper::Kind::stopping, 0, 0)); }

// ---- callers ----

void Shell::accept_callers() {
  for (int n = 0; n < messages_a_turn; ++n) {
    auto socket = control::accept_at(listener_.get());
    if (!socket) {  // no descriptors, most likely: do not spin on it
      unwatch(listener_.get());
      listening_ = false;
      return;
    }
    if (!*socket) return;
    const auto who = control::peer_credentials(socket->get());
    if (who) add_caller(*std::move(socket), who->uid, true);
  }
}

void Shell::add_caller(UniqueFd socket, uid_t uid, bool by_path, std::optional<PitIndex> pit) {
  const ConnId id = next_conn_++;
  Caller& caller = callers_[id];
  if (by_path) {
    if (auto pidfd = control::peer_pidfd(socket.get())) caller.pidfd = *std::move(pidfd);
  }
  caller.peer.socket = control::ControlSocket(std::move(socket));
  if (!watch(caller.peer.socket.fd(), Tag::caller, id)) {
    drop_caller(id);
    return;
  }
  if (caller.pidfd) (void)watch(caller.pidfd.get(), Tag::caller_pidfd, id);
  feed(CallerConnected{id, uid, pit});
}

void Shell::read_caller(ConnId id) {
  for (int n = 0; n < messages_a_turn; ++n) {
    const auto found = callers_.find(id);
    if (found == callers_.end()) return;
    Peer& peer = found->second.peer;
    if (peer.hung_up) return;
    auto received = peer.socket.receive(control::FdPolicy::refuse);
    if (!received) {
      if (received.error().code != errc::closed) return feed(CallerFaulted{id});
      peer.hung_up = true;
      const bool by_path = static_cast<bool>(found->second.pidfd);
      if (by_path) absent_[id] = Absent{std::move(found->second.pidfd), now_ns() + reconnect_grace_ns + second_ns};
      drop_caller(id);
      return feed(CallerLeft{id, !by_path});
    }
    if (!*received) return;
    if (control::is_about_boards((*received)->message)) {
      hear_of_boards(id, (*received)->message);
      continue;
    }
    feed(CallerMessage{id, std::move((*received)->message)});
  }
}

void Shell::execute(const SendToCaller& a) {
  const auto found = callers_.find(a.conn);
  if (found == callers_.end() || found->second.peer.ending) return;
  send(found->second.peer, Tag::caller, a.conn, a.message, numbers_of(a.fds, a.link, a.epoch, a.pit));
}

void Shell::execute(const DisconnectCaller& a) {
  const auto found = callers_.find(a.conn);
  if (found == callers_.end()) return;
  found->second.peer.ending = true;
  if (found->second.peer.out.empty()) drop_caller(a.conn);
}

// ---- pits ----

void Shell::adopt_pit(PitIndex index, std::uint32_t instance, pid_t pid, std::vector<UniqueFd> fds) {
  drop_pit(index);
  Pit& pit = pits_[index];
  pit.peer.socket = control::ControlSocket(std::move(fds[0]));
  pit.pidfd = std::move(fds[1]);
  if (fds.size() > 2) pit.output = std::move(fds[2]);
  pit.instance = instance;
  pit.pid = pid;
  if (!watch(pit.peer.socket.fd(), Tag::pit, index)) feed(PitFaulted{index, instance});
}

void Shell::read_pit(PitIndex index) {
  for (int n = 0; n < messages_a_turn; ++n) {
    const auto found = pits_.find(index);
    if (found == pits_.end()) return;
    Pit& pit = found->second;
    if (pit.peer.hung_up) return;
    auto received = pit.peer.socket.receive(control::FdPolicy::refuse);
    if (!received) {
      // Read no more of it: its end, or what made it faulty, would be reported for ever.
      pit.peer.hung_up = true;
      unwatch(pit.peer.socket.fd());
      if (received.error().code == errc::closed) return feed(PitHungUp{index, pit.instance});
      return feed(PitFaulted{index, pit.instance});
    }
    if (!*received) return;
    feed(PitMessage{index, pit.instance, std::move((*received)->message)});
  }
}

void Shell::execute(const SendToPit& a) {
  const auto found = pits_.find(a.pit);
  if (found == pits_.end() || found->second.instance != a.instance) return;
  send(found->second.peer, Tag::pit, a.pit, a.message, numbers_of(a.fds, a.link, a.epoch, a.pit));
}

void Shell::execute(const ConnectPit& a) {
  const auto found = pits_.find(a.pit);
  if (found == pits_.end() || found->second.instance != a.instance) return;
  auto ends = control::make_socket_pair();
  const control::CallerSocket answer{a.correlation, ends.has_value()};
  if (!ends) return send(found->second.peer, Tag::pit, a.pit, answer, {});
  send(found->second.peer, Tag::pit, a.pit, answer, {ends->first.get()});
  add_caller(std::move(ends->second), ::geteuid(), false, a.pit);
}

void Shell::execute(const KillPit& a) {
  const auto found = pits_.find(a.pit);
  if (found == pits_.end() || found->second.instance != a.instance) return;
  ::syscall(SYS_pidfd_send_signal, found->second.pidfd.get(), SIGKILL, nullptr, 0);
}

result<pid_t> Shell::kill_pit(std::string_view name) {
  const auto index = core_->index_of(name);
  if (!index) return unexpected(errc::not_found, "kill_pit: there is no pit of this name: status() lists them");
  const auto all = core_->status();
  const auto info = std::find_if(all.begin(), all.end(), [&](const PitInfo& pit) { return pit.name == name; });
  const auto found = pits_.find(*index);
  if (found == pits_.end() || info == all.end() || info->pid == 0) {
    return unexpected(errc::not_found, "kill_pit: this pit has no process now");
  }
  if (::syscall(SYS_pidfd_send_signal, found->second.pidfd.get(), SIGKILL, nullptr, 0) != 0) {
    return unexpected(errc::not_found, "kill_pit: this pit's process is dead already", errno);
  }
  return info->pid;
}

// ---- both ----

void Shell::send(Peer& peer, Tag tag, std::uint64_t id, const Message& message, const std::vector<int>& fds) {
  constexpr std::size_t queue_max =
      4 * control::links_per_caller_max;  // every link of a caller in the middle of its attach
  auto bytes = control::encode(message);
  if (!bytes) return execute(Note{std::string("broker: ") + bytes.error().text});
  if (peer.out.empty()) {
    const auto sent = control::send_packet(peer.socket.fd(), *bytes, fds);
    if (sent || sent.error().code == errc::closed) return;  // gone: its hang-up follows
    if (sent.error().code != errc::busy) {
      if (tag == Tag::caller) return feed(CallerFaulted{id});
      return feed(PitFaulted{static_cast<PitIndex>(id), pits_.at(static_cast<PitIndex>(id)).instance});
    }
  }
  Outgoing waiting{*std::move(bytes), {}};
  for (const int fd : fds) {
    if (UniqueFd held(::fcntl(fd, F_DUPFD_CLOEXEC, 0)); held) waiting.fds.push_back(std::move(held));
  }
  const bool lost_fd = waiting.fds.size() != fds.size();
  if (peer.out.empty()) (void)watch(peer.socket.fd(), tag, id, true, true);
  peer.out.push_back(std::move(waiting));
  if (peer.out.size() <= queue_max && !lost_fd) return;
  if (tag == Tag::caller) return feed(CallerFaulted{id});
  const auto pit = static_cast<PitIndex>(id);
  feed(PitFaulted{pit, pits_.at(pit).instance});
}

bool Shell::flush(Peer& peer) {
  while (!peer.out.empty()) {
    std::vector<int> fds;
    for (const UniqueFd& fd : peer.out.front().fds) fds.push_back(fd.get());
    const auto sent = control::send_packet(peer.socket.fd(), peer.out.front().bytes, fds);
    if (!sent && sent.error().code == errc::busy) return false;
    peer.out.pop_front();
  }
  return true;
}

std::vector<int> Shell::numbers_of(const std::vector<FdName>& names, LinkId link, Epoch epoch, PitIndex pit) const {
  std::vector<int> out;
  const auto s = segments_.find({link, epoch});
  for (const FdName name : names) {
    switch (name) {
      case FdName::caller_segment_rw:
        out.push_back(s == segments_.end() ? -1 : s->second.caller_rw.get());
        break;
      case FdName::pit_segment_rw:
        out.push_back(s == segments_.end() ? -1 : s->second.pit_rw.get());
        break;
      case FdName::caller_segment_ro:
        out.push_back(s == segments_.end() ? -1 : s->second.caller_ro.get());
        break;
      case FdName::pit_segment_ro:
        out.push_back(s == segments_.end() ? -1 : s->second.pit_ro.get());
        break;
      case FdName::pit_pidfd: {
        const auto p = pits_.find(pit);
        out.push_back(p == pits_.end() ? -1 : p->second.pidfd.get());
        break;
      }
      case FdName::handed_state: {
        const auto h =
            std::find_if(handed_.begin(), handed_.end(), [&](const auto& one) { return one.second.from == pit; });
        out.push_back(h == handed_.end() ? -1 : h->second.memory.get());
        break;
      }
      case FdName::copy_of_state:
        for (const auto& [heir, copy] : copies_) {
          if (heir == pit || copy.from == pit) out.push_back(copy.memory.get());
        }
        break;
    }
  }
  return out;
}

void Shell::execute(const ArmTimer& a) { timer_ns_ = a.at_ns; }

void Shell::execute(const Finished&) { finished_ = true; }

void Shell::execute(const Note& a) { std::fprintf(stderr, "symphony: %s\n", a.text.c_str()); }

}  // namespace symphony::detail::broker
