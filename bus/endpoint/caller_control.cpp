#include "bus/endpoint/caller_control.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <new>
#include <system_error>
#include <utility>

#include "bus/memory/segment.hpp"

namespace symphony::detail {
namespace {

using namespace control;

// A message could not be taken in, but the connection stands.
bool is_passing(errc code) noexcept { return code == errc::out_of_descriptors || code == errc::out_of_memory; }

std::chrono::steady_clock::time_point to_time_point(TimeNs t) {
  return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(t));
}

result<void> check(std::string_view pit, const LinkOptions& options) {
  if (pit.empty() || pit.size() > pit_name_size_max) {
    return unexpected(errc::invalid_argument, "open: a pit's name has 1 to 63 bytes");
  }
  for (const std::uint32_t capacity : {options.request_capacity, options.reply_capacity}) {
    if (capacity == 0 || is_ring_capacity(capacity)) continue;
    return unexpected(
        errc::invalid_argument,
        "open: a ring's capacity is a power of two from 4 KiB to 1 GiB, or 0 for what the pit's manifest says");
  }
  if (options.in_flight_max == 0 || options.in_flight_max > 1024 ||
      (options.in_flight_max & (options.in_flight_max - 1)) != 0) {
    return unexpected(errc::invalid_argument, "open: in_flight_max is a power of two up to 1024");
  }
  return {};
}

}  // namespace

result<std::shared_ptr<CallerControl>> CallerControl::start(ControlSocket socket, std::string path,
                                                            TimeNs deadline_ns) {
  auto guard = ForkGuard::make();
  if (!guard) return unexpected(guard.error());
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!epoll || !wake) {
    return unexpected(errc::out_of_descriptors, "epoll_create1, eventfd: no descriptors left for an endpoint", errno);
  }
  const auto welcome = greet(socket, {}, deadline_ns);
  if (!welcome) return unexpected(welcome.error());
  // In a forked child nothing of it may run, not even the destructor: its thread does not exist there.
  const auto destroy = [](CallerControl* control) {
    if (!control->guard_.in_child()) delete control;
  };
  std::shared_ptr<CallerControl> self(
      new CallerControl(std::move(path), *std::move(guard), std::move(epoll), std::move(wake)), destroy);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = tag_wake;
  ::epoll_ctl(self->epoll_.get(), EPOLL_CTL_ADD, self->wake_.get(), &event);
  self->be_connected(std::move(socket), *welcome);
  try {
    self->thread_ = std::thread([raw = self.get()] { raw->run(); });
  } catch (const std::system_error& e) {
    return unexpected(errc::out_of_memory, "an endpoint's thread could not be started: raise ulimit -u",
                      e.code().value());
  }
  return self;
}

CallerControl::CallerControl(std::string path, ForkGuard guard, UniqueFd epoll, UniqueFd wake) noexcept
    : guard_(std::move(guard)),
      path_(std::move(path)),
      epoll_(std::move(epoll)),
      wake_(std::move(wake)),
      broker_(epoll_.get(), tag_socket),
      links_(broker_, epoll_.get()),
      boards_(broker_) {}

CallerControl::~CallerControl() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake();
  if (thread_.joinable()) thread_.join();
}

void CallerControl::be_connected(ControlSocket socket, const Welcome& welcome) noexcept {
  broker_.connect(std::move(socket), welcome.protocol);
  // relaxed: a text is chosen by it, nothing is read behind it
  keeps_letters_.store(broker_.keeps_letters(), std::memory_order_relaxed);
}

// ---- any thread

result<std::unique_ptr<LinkCore>> CallerControl::open(std::string_view pit, const LinkOptions& options,
                                                      TimeNs deadline_ns) {
  if (guard_.in_child()) {
    return unexpected(errc::forked, "open: this endpoint was made before fork(); make a new one in the child");
  }
  if (const auto checked = check(pit, options); !checked) return unexpected(checked.error());
  Opening opening;
  opening.pit = pit;
  opening.options = options;
  std::unique_lock lock(mutex_);
  return open(lock, opening, deadline_ns, nullptr);
}

result<std::unique_ptr<LinkCore>> CallerControl::open_alone(LinkId of, const LinkOptions& options, TimeNs deadline_ns,
                                                            const OpenCancel& cancel) {
  Opening opening;
  opening.options = options;
  opening.alone = true;
  std::unique_lock lock(mutex_);
  opening.pit = links_.pit_of(of);
  if (opening.pit.empty()) return unexpected(refusal_of(errc::closed));
  auto link = open(lock, opening, deadline_ns, &cancel);
  if (link) (*link)->be_alone();
  return link;
}

result<std::unique_ptr<LinkCore>> CallerControl::open(std::unique_lock<std::mutex>& lock, Opening& opening,
                                                      TimeNs deadline_ns, const OpenCancel* cancel) {
  hear();  // a link closed before this one is opened makes room for it
  if (!broker_ && path_.empty()) return unexpected(unreachable_error());
  const std::uint64_t correlation = links_.begin_opening(opening, deadline_ns);
  const bool decided = changed_.wait_until(lock, to_time_point(deadline_ns), [&] {
    // relaxed: wake_openings() takes the mutex after it was set
    const bool is_cancelled = cancel != nullptr && cancel->is_wanted.load(std::memory_order_relaxed);
    return opening.attached != nullptr || opening.failure.has_value() || is_cancelled;
  });
  links_.end_opening(correlation, opening);
  if (opening.attached) {
    return std::make_unique<LinkCore>(shared_from_this(), std::move(opening.mailbox), std::move(opening.attached),
                                      opening.options);
  }
  return unexpected(decided && opening.failure ? *opening.failure : refusal_of(errc::timeout));
}

void CallerControl::wake_openings() noexcept {
  const std::lock_guard lock(mutex_);
  changed_.notify_all();
}

result<BrokerStatus> CallerControl::status(TimeNs deadline_ns) {
  if (guard_.in_child()) {
    return unexpected(errc::forked, "status: this endpoint was made before fork(); make a new one in the child");
  }
  std::unique_lock lock(mutex_);
  if (!broker_) return unexpected(unreachable_error());
  const std::uint64_t correlation = links_.next_correlation();
  const Query& query = queries_[correlation];  // stays where it is until it is taken out
  broker_.send(StatusQuery{correlation});
  changed_.wait_until(lock, to_time_point(deadline_ns), [&] { return query.answer || query.lost; });
  const auto [answer, lost] = std::move(queries_.extract(correlation).mapped());
  if (lost) return unexpected(unreachable_error());
  if (!answer) return unexpected(errc::timeout, "status: the broker did not answer in time");
  BrokerStatus out;
  out.generation = answer->generation;
  out.pits.reserve(answer->pits.size());
  for (const PitStatus& p : answer->pits) out.pits.push_back({p.name, p.state, p.pid, p.instance, p.links});
  return out;
}

void CallerControl::report_fault(const Attachment& at, RingFault fault) noexcept { tell(Fault{at, fault}); }

void CallerControl::close_link(LinkId link) noexcept { tell(link); }

void CallerControl::tell(Told told) noexcept {
  try {
    const std::lock_guard lock(told_mutex_);
    told_.push_back(std::move(told));
  } catch (const std::bad_alloc&) {
    return;  // the broker learns of it from the end of the connection
  }
  wake();
}

void CallerControl::wake() noexcept {
  const std::uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
}

void CallerControl::hear() {
  std::vector<Told> heard;
  {
    const std::lock_guard lock(told_mutex_);
    heard.swap(told_);
  }
  for (Told& told : heard) {
    if (const auto* fault = std::get_if<Fault>(&told)) {
      links_.report_fault(fault->at, fault->kind);
    } else if (const auto* executing = std::get_if<Executing>(&told)) {
      if (broker_.keeps_letters()) broker_.send(*executing);
    } else if (auto* letter = std::get_if<Park>(&told)) {
      if (broker_.keeps_letters()) broker_.send(std::move(*letter));
    } else if (const auto* still = std::get_if<StandsStill>(&told)) {
      if (broker_.watches()) broker_.send(*still);
    } else if (const auto* board = std::get_if<ClosedBoard>(&told)) {
      boards_.close(board->correlation);
    } else {
      links_.close(std::get<LinkId>(told));
    }
  }
}

// ---- control thread

void CallerControl::run() noexcept {
  std::array<epoll_event, 32> events{};
  for (;;) {
    const int n = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), -1);
    if (n < 0 && errno != EINTR) return;
    for (int i = 0; i < n; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      try {
        if (event.data.u64 == tag_wake) {
          if (on_wake()) return;
        } else if (event.data.u64 == tag_socket) {
          on_socket((event.events & ~std::uint32_t{EPOLLOUT}) != 0);
        } else {
          on_pit_died(event.data.u64);
        }
      } catch (const std::bad_alloc&) {
        // The message is lost; what waits for it runs into its deadline. The user's program goes on.
      }
    }
  }
}

bool CallerControl::on_wake() {
  std::uint64_t count = 0;
  (void)!::read(wake_.get(), &count, sizeof count);
  const std::lock_guard lock(mutex_);
  hear();
  if (stopping_) wake();  // for the next look as well
  return stopping_;
}

void CallerControl::on_socket(bool readable) {
  {
    const std::lock_guard lock(mutex_);
    broker_.flush();
  }
  while (readable) {
    auto received = [&] {
      const std::lock_guard lock(mutex_);
      return broker_.receive();
    }();
    if (!received && is_passing(received.error().code)) continue;  // that open runs into its timeout
    if (!received) return on_broker_gone();
    if (!*received) return;
    on_message(*std::move(*received));
  }
}

void CallerControl::on_message(Received received) {
  const std::lock_guard lock(mutex_);
  auto& fds = received.fds;
  if (on_board_message(received)) return changed_.notify_all();
  if (const auto* own = std::get_if<Own>(&received.message)) {
    if (received.fds_lost) return broker_.send(MapFailed{own->at, EMFILE});  // it answers, and that ends the wait
    if (!fds.empty()) links_.on_own(*own, std::move(fds));
  } else if (const auto* peer = std::get_if<Peer>(&received.message)) {
    links_.on_peer(*peer, std::move(fds));
  } else if (const auto* go = std::get_if<Go>(&received.message)) {
    links_.on_go(*go);
  } else if (const auto* drop = std::get_if<Drop>(&received.message)) {
    links_.on_drop(*drop);
  } else if (const auto* refused = std::get_if<Refused>(&received.message)) {
    links_.on_refused(*refused);
  } else if (auto* answer = std::get_if<Status>(&received.message)) {
    if (const auto query = queries_.find(answer->correlation); query != queries_.end()) {
      query->second.answer = std::move(*answer);
    }
  }
  changed_.notify_all();
}

void CallerControl::on_pit_died(LinkId link) {
  const std::lock_guard lock(mutex_);
  links_.on_pit_died(link);
}

}  // namespace symphony::detail
